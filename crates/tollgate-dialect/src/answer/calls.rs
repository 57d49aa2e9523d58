//! Tool calls one after another, with inputs that clients can read.

use std::collections::HashSet;

use super::Emit;
use super::ids::Ids;
use crate::error::AnswerError;
use crate::event::Event;
use crate::json::{Json, Text, members};

/// Inputs that must wait for another call, or for their end, are kept up to this many bytes.
pub const MAX_BUFFERED_BYTES: usize = 16 << 20;

/// More calls than this in one answer are no answer.
const MAX_CALLS: usize = 4096;

/// What a call costs while it waits, besides its strings.
const CALL_BYTES: usize = 64;

/// Orders the calls of an answer: the open one streams, later ones wait until it is closed.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: Option<Call>,
    waiting: Vec<Call>,
    buffered: usize,
    /// Upstream slots whose calls are closed.
    closed: Vec<u32>,
    /// The client's names of tools that take free text, which went up as functions of one string.
    freeform: HashSet<String>,
    started: u32,
}

#[derive(Debug)]
struct Call {
    /// The upstream's.
    slot: u32,
    /// The upstream's.
    id: Text<'static>,
    /// Empty while unknown.
    name: Text<'static>,
    input: Text<'static>,
    form: Form,
    ended: bool,
}

/// What a call's input begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Nothing yet, or too little to tell.
    Unknown,
    /// Passed on as it comes.
    Straight,
    /// A string where an object is due: kept until its end, then unwrapped.
    Wrapped,
    /// The object that stands for free text: kept until its end, then unwrapped.
    Freeform,
}

impl Call {
    fn new(slot: u32, id: Text<'_>, name: Text<'_>) -> Call {
        Call {
            slot,
            id: id.into_owned(),
            name: name.into_owned(),
            input: Text::EMPTY,
            form: Form::Unknown,
            ended: false,
        }
    }

    /// What it takes besides its input.
    fn bytes(&self) -> usize {
        CALL_BYTES + self.id.escaped().len() + self.name.escaped().len()
    }

    /// A start that only says again what is known, or completes it: some upstreams repeat id and name in every delta.
    fn is_repeated_by(&self, id: &Text<'_>) -> bool {
        id.is_empty() || self.id.is_empty() || *id == self.id
    }
}

impl Calls {
    pub(super) fn new(freeform: HashSet<String>) -> Calls {
        Calls { freeform, ..Calls::default() }
    }

    /// True once a call reached the client.
    pub(super) fn any(&self) -> bool {
        self.started > 0
    }

    /// Bytes that wait.
    #[cfg(test)]
    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffered
    }

    pub(super) fn start(
        &mut self,
        slot: u32,
        id: Text<'_>,
        name: Text<'_>,
        ids: &mut Ids,
        emit: Emit<'_>,
    ) -> Result<(), AnswerError> {
        if let Some(open) = self.open.as_ref().filter(|open| open.slot == slot) {
            if open.is_repeated_by(&id) {
                return Ok(());
            }
            self.close_open(emit);
        }
        if let Some(call) = self.waiting.iter_mut().find(|call| call.slot == slot && !call.ended) {
            if call.is_repeated_by(&id) {
                for (known, new) in [(&mut call.id, id), (&mut call.name, name)] {
                    if known.is_empty() {
                        buffer(&mut self.buffered, new.escaped().len())?;
                        *known = new.into_owned();
                    }
                }
                return self.go_on(ids, emit);
            }
            call.ended = true;
        }
        self.closed.retain(|closed| *closed != slot);
        self.wait(Call::new(slot, id, name))?;
        self.go_on(ids, emit)
    }

    pub(super) fn input(
        &mut self,
        slot: u32,
        json: Text<'_>,
        ids: &mut Ids,
        emit: Emit<'_>,
    ) -> Result<(), AnswerError> {
        if json.is_empty() {
            return Ok(());
        }
        if let Some(open) = self.open.as_mut().filter(|open| open.slot == slot) {
            if open.form == Form::Straight {
                emit(Event::ToolInput { slot: self.started - 1, json });
                return Ok(());
            }
            buffer(&mut self.buffered, json.escaped().len())?;
            self.buffered -= open.feed(&json, self.started - 1, emit);
            return Ok(());
        }
        if let Some(call) = self.waiting.iter_mut().find(|call| call.slot == slot && !call.ended) {
            buffer(&mut self.buffered, json.escaped().len())?;
            call.input.push(&json);
        } else if !self.closed.contains(&slot) && !self.waiting.iter().any(|call| call.slot == slot) {
            // Its start may still come.
            let mut call = Call::new(slot, Text::EMPTY, Text::EMPTY);
            buffer(&mut self.buffered, json.escaped().len())?;
            call.input.push(&json);
            self.wait(call)?;
        } else if !json.is_blank() {
            // The client may have run the call by now: better no answer than half a command.
            return Err(AnswerError::Malformed("a tool call's input went on after the call had ended".into()));
        }
        self.go_on(ids, emit)
    }

    pub(super) fn end(&mut self, slot: u32, ids: &mut Ids, emit: Emit<'_>) -> Result<(), AnswerError> {
        if self.open.as_ref().is_some_and(|open| open.slot == slot) {
            self.close_open(emit);
        } else if let Some(call) = self.waiting.iter_mut().find(|call| call.slot == slot && !call.ended) {
            call.ended = true;
        }
        self.go_on(ids, emit)
    }

    /// Something else than a call begins.
    pub(super) fn close_open(&mut self, emit: Emit<'_>) {
        let Some(call) = self.open.take() else { return };
        self.closed.push(call.slot);
        self.buffered -= call.input.escaped().len();
        call.close(self.started - 1, emit);
    }

    /// The answer is over: whatever waits goes out. Inputs without a name belong to no call and are left out.
    pub(super) fn finish(&mut self, ids: &mut Ids, emit: Emit<'_>) -> Result<(), AnswerError> {
        self.close_open(emit);
        for call in &mut self.waiting {
            call.ended = true;
        }
        self.go_on(ids, emit)
    }

    fn wait(&mut self, call: Call) -> Result<(), AnswerError> {
        if self.started as usize + self.waiting.len() >= MAX_CALLS {
            return Err(AnswerError::Malformed(format!("more than {MAX_CALLS} tool calls in one answer")));
        }
        buffer(&mut self.buffered, call.bytes())?;
        self.waiting.push(call);
        Ok(())
    }

    /// While no call is open, opens the waiting one with the lowest slot.
    fn go_on(&mut self, ids: &mut Ids, emit: Emit<'_>) -> Result<(), AnswerError> {
        while self.open.is_none() {
            let named = self.waiting.iter().enumerate().filter(|(_, call)| !call.name.is_empty());
            let Some((next, _)) = named.min_by_key(|(_, call)| call.slot) else { return Ok(()) };
            let mut call = self.waiting.remove(next);
            self.buffered -= call.bytes();
            let slot = self.started;
            self.started += 1;
            let id = ids.next(&call.id);
            if self.freeform.contains(&*call.name.decode()) {
                call.form = Form::Freeform;
                call.id = id;
            } else {
                emit(Event::ToolStart { slot, id, name: call.name.borrowed() });
            }
            let held = std::mem::take(&mut call.input);
            self.buffered -= call.feed(&held, slot, emit);
            let ended = call.ended;
            self.open = Some(call);
            if ended {
                self.close_open(emit);
            }
        }
        Ok(())
    }
}

fn buffer(buffered: &mut usize, more: usize) -> Result<(), AnswerError> {
    *buffered += more;
    if *buffered > MAX_BUFFERED_BYTES {
        return Err(AnswerError::Malformed(format!(
            "tool inputs of more than {MAX_BUFFERED_BYTES} bytes wait for another call to end"
        )));
    }
    Ok(())
}

impl Call {
    /// Passes input on, or keeps it as long as its form is not known. Gives the bytes that are kept no longer.
    fn feed(&mut self, json: &Text<'_>, slot: u32, emit: Emit<'_>) -> usize {
        if self.form == Form::Unknown && self.input.is_empty() {
            self.form = form(json);
            if self.form == Form::Straight {
                emit(Event::ToolInput { slot, json: json.borrowed() });
                return json.escaped().len();
            }
        }
        self.input.push(json);
        if self.form == Form::Unknown {
            self.form = form(&self.input);
        }
        if self.form != Form::Straight {
            return 0;
        }
        let all = std::mem::take(&mut self.input);
        let length = all.escaped().len();
        emit(Event::ToolInput { slot, json: all });
        length
    }

    fn close(self, slot: u32, emit: Emit<'_>) {
        match self.form {
            Form::Straight => {}
            // No input at all is an empty object everywhere; some upstreams say `null`.
            Form::Unknown if matches!(self.input.decode().trim(), "" | "null") => {
                emit(Event::ToolInput { slot, json: Text::literal("{}") });
            }
            Form::Unknown => emit(Event::ToolInput { slot, json: self.input }),
            Form::Freeform => {
                let decoded = self.input.decode();
                let input = free_text(&decoded).unwrap_or(self.input.borrowed());
                return emit(Event::Freeform { slot, id: self.id, name: self.name, input });
            }
            Form::Wrapped => {
                let decoded = self.input.decode();
                emit(Event::ToolInput { slot, json: unwrap(&decoded).unwrap_or(self.input.borrowed()) });
            }
        }
        emit(Event::ToolEnd { slot });
    }
}

fn form(input: &Text<'_>) -> Form {
    let escaped = input.escaped();
    let mut begin = escaped;
    while let Some(rest) = [" ", "\\n", "\\r", "\\t"].iter().find_map(|blank| begin.strip_prefix(blank)) {
        begin = rest;
    }
    if begin.starts_with("\\\"") {
        Form::Wrapped
    } else if "null".starts_with(begin.trim_end()) {
        Form::Unknown
    } else {
        Form::Straight
    }
}

/// What stands under `input`, as the tool's schema asks for it; or the string that some models send in place of the object.
fn free_text(object: &str) -> Option<Text<'_>> {
    if let Some(text) = Json::parse(object).ok().and_then(|_| Text::of_token(object.trim())) {
        return Some(text);
    }
    let members = members(object).ok()?;
    Text::of_token(members.into_iter().find(|(key, _)| *key == "input")?.1)
}

/// The object inside a JSON string. A string's inside is escaped already, which is the form we need.
fn unwrap(string: &str) -> Option<Text<'_>> {
    let inside = Json::parse(string).ok().and_then(|_| Text::of_token(string.trim()))?;
    Json::parse(&inside.decode()).ok()?.is_object().then_some(inside)
}
