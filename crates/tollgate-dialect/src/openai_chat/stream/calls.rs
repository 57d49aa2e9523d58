//! Tool calls out of pieces that say, more or less, which call they belong to.

use serde_json::value::RawValue;

use crate::error::AnswerError;
use crate::event::{Event, ThinkingState};
use crate::json::{Json, Text};
use crate::openai_chat::wire::CallPiece;

use super::{Emit, string};

/// An index beyond this says nothing about order.
const MOST_INDEX: u32 = 1 << 16;

#[derive(Debug, Default)]
pub struct Calls {
    calls: Vec<Call>,
    last: usize,
}

#[derive(Debug, Default)]
struct Call {
    /// Its number for what comes after: the upstream's index where that is free, so that calls keep the order they were given.
    slot: u32,
    index: Option<u64>,
    id: String,
    /// Escaped. May come in several pieces, so it is announced only when arguments come.
    name: String,
    started: bool,
    extent: Extent,
    /// Arguments that came before a name, or that are a JSON string within the string and so must be whole before they can be
    /// read; escaped.
    kept: String,
    double: bool,
}

impl Calls {
    /// `whole`: the piece is a call by itself and continues none, as in an answer of one piece.
    pub fn piece<'a>(&mut self, whole: bool, piece: CallPiece<'a>, emit: Emit<'_, 'a>) {
        let index = piece.index.and_then(|raw| Json::parse(raw.get()).ok()?.as_count());
        let id = string(piece.id);
        let function = piece.function.unwrap_or_default();
        let name = string(function.name);
        let arguments = function.arguments.and_then(arguments);
        let known = (!whole).then(|| self.find(index, id.as_ref(), name.as_ref(), arguments.is_some())).flatten();
        let at = match known {
            Some(at) => at,
            None => {
                self.flush(emit);
                // State of the call has no other place with a client than before it.
                if let Some(state) = piece.extra_content.filter(|raw| raw.get().starts_with('{')) {
                    emit(Event::ThinkingState(ThinkingState::Details(Json::from(state))));
                }
                self.calls.push(Call { slot: self.free_slot(index), index, ..Call::default() });
                self.calls.len() - 1
            }
        };
        self.last = at;
        let call = &mut self.calls[at];
        if let Some(id) = id
            && call.id.is_empty()
        {
            call.id.push_str(id.escaped());
        }
        if let Some(name) = name
            && !call.started
            && name.escaped() != call.name
        {
            call.name.push_str(name.escaped());
        }
        if let Some(arguments) = arguments {
            call.add(arguments, emit);
        }
    }

    fn free_slot(&self, index: Option<u64>) -> u32 {
        let is_free = |slot: &u32| !self.calls.iter().any(|call| call.slot == *slot);
        let own = index.and_then(|index| u32::try_from(index).ok()).filter(|index| *index < MOST_INDEX);
        let next = || self.calls.iter().map(|call| call.slot + 1).max().unwrap_or(0);
        own.filter(is_free).unwrap_or_else(next)
    }

    /// The call that a piece continues; `None` if it begins one.
    fn find(
        &self,
        index: Option<u64>,
        id: Option<&Text<'_>>,
        name: Option<&Text<'_>>,
        has_arguments: bool,
    ) -> Option<usize> {
        let by_id = |id: &Text<'_>| self.calls.iter().rposition(|c| c.id == id.escaped());
        let candidate = match (index, id) {
            (Some(index), _) => self.calls.iter().rposition(|c| c.index == Some(index)),
            // An id that changes with every piece comes without a name after the first.
            (None, Some(id)) => by_id(id).or_else(|| (!self.calls.is_empty()).then_some(self.last)),
            (None, None) => (!self.calls.is_empty()).then_some(self.last),
        }?;
        let call = &self.calls[candidate];
        let Some(name) = name else { return Some(candidate) };
        let other_id = id.is_some_and(|id| !call.id.is_empty() && call.id != id.escaped());
        let same_id = id.is_some_and(|id| call.id == id.escaped());
        let whole = call.extent.is_whole() && has_arguments && !same_id;
        let other_name = !call.name.is_empty() && name.escaped() != call.name && call.extent.begun && !same_id;
        (!(other_id || whole || other_name)).then_some(candidate)
    }

    /// Announces calls whose arguments have not begun, before something else begins.
    pub fn flush<'a>(&mut self, emit: Emit<'_, 'a>) {
        for call in &mut self.calls {
            if !call.started && !call.name.is_empty() {
                call.start(emit);
            }
        }
    }

    pub fn end<'a>(&mut self, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        self.flush(emit);
        for call in &mut self.calls {
            if call.name.is_empty() && (call.extent.begun || !call.id.is_empty()) {
                return Err(AnswerError::Malformed("a tool call has no name".into()));
            }
            call.release(emit);
        }
        Ok(())
    }
}

impl Call {
    fn start(&mut self, emit: Emit<'_, '_>) {
        self.started = true;
        emit(Event::ToolStart { slot: self.slot, id: owned(&self.id), name: owned(&self.name) });
    }

    fn add<'a>(&mut self, arguments: Text<'a>, emit: Emit<'_, 'a>) {
        if !self.extent.begun {
            self.double = arguments.escaped().trim_start().starts_with("\\\"");
        }
        self.extent.follow(&arguments);
        if !self.started && !self.name.is_empty() {
            self.start(emit);
        }
        if self.double || !self.started {
            self.kept.push_str(arguments.escaped());
            return;
        }
        if !self.kept.is_empty() {
            let kept = std::mem::take(&mut self.kept);
            emit(Event::ToolInput { slot: self.slot, json: owned(&kept) });
        }
        emit(Event::ToolInput { slot: self.slot, json: arguments });
    }

    /// What was kept until the call is whole.
    fn release(&mut self, emit: Emit<'_, '_>) {
        let kept = std::mem::take(&mut self.kept);
        if kept.is_empty() {
            return;
        }
        let text = owned(&kept);
        let inner =
            serde_json::from_str::<String>(&text.decode()).ok().filter(|inner| inner.trim_start().starts_with('{'));
        let json = inner.map_or(text, |inner| Text::plain(&inner));
        emit(Event::ToolInput { slot: self.slot, json });
    }
}

fn owned(escaped: &str) -> Text<'static> {
    Text::of_token(&format!("\"{escaped}\"")).unwrap_or_default().into_owned()
}

/// A string, or an object that some send in its place. Nothing for nothing.
fn arguments(raw: &RawValue) -> Option<Text<'_>> {
    match Text::of_token(raw.get()) {
        Some(text) => Some(text).filter(|t| !t.is_empty()),
        None if raw.get().starts_with(['{', '[']) => Some(Text::plain(raw.get())),
        None => None,
    }
}

/// Follows the brackets of arguments that are themselves not kept, to know where a call's JSON ends.
#[derive(Debug, Default)]
struct Extent {
    begun: bool,
    depth: u32,
    in_string: bool,
    escaped: bool,
}

impl Extent {
    fn is_whole(&self) -> bool {
        self.begun && self.depth == 0 && !self.in_string
    }

    fn follow(&mut self, text: &Text<'_>) {
        self.begun = true;
        let decoded = text.decode();
        for byte in decoded.bytes() {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }
}
