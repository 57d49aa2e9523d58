//! An upstream's events, or its whole answer, to canonical events.

use crate::answer::failed_without_words;
use crate::error::AnswerError;
use crate::event::{Event, StopReason, ThinkingState};
use crate::frame::sse::Frame;
use crate::json::Text;
use crate::names::qualified;
use crate::openai_chat;
use crate::openai_responses::wire::{Event as WireEvent, Item, Part, Response, word};
use crate::openai_responses::{ending, state, usage};
use crate::scan::{Raw, items};
use crate::usage::Usage;

/// How much of something unreadable an error shows.
const EXCERPT: usize = 200;

/// More items than this in one answer are no answer.
const MOST_ITEMS: usize = 4096;

/// The object that stands for the free text of a custom tool's call, around it.
const FREEFORM_HEAD: Text<'static> = Text::literal(r#"{\"input\":\""#);
const FREEFORM_TAIL: Text<'static> = Text::literal(r#"\"}"#);

const PARAGRAPH: Text<'static> = Text::literal("\\n\\n");

/// Servers of this API leave out some of its events, deltas or items' beginnings: what was not told in pieces is told when the
/// whole is there.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    /// Something of an answer came: an end from here on is a cut.
    begun: bool,
    items: Vec<Open>,
    refused: bool,
    searches: u64,
    /// The end was seen; what follows is ignored.
    over: bool,
}

/// An item of the output that began.
#[derive(Debug, Default)]
struct Open {
    index: u64,
    kind: Kind,
    /// It is a call whose name was told.
    named: bool,
    /// Some of it was told.
    told: bool,
    /// Some of the part that is under way was told.
    part_told: bool,
    /// Only the thoughts themselves or only their summary is told, whichever comes first.
    raw_thoughts: Option<bool>,
    done: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Unknown,
    Message,
    Reasoning,
    Function,
    Custom,
    Other,
}

impl Kind {
    fn of(word: &str) -> Kind {
        match word {
            "message" => Kind::Message,
            "reasoning" => Kind::Reasoning,
            "function_call" => Kind::Function,
            "custom_tool_call" => Kind::Custom,
            "" => Kind::Unknown,
            _ => Kind::Other,
        }
    }

    fn is_call(self) -> bool {
        matches!(self, Kind::Function | Kind::Custom)
    }
}

/// Takes events; shortens the signatures.
type Emit<'e, 'a> = &'e mut dyn FnMut(Event<'a>);

impl Decoder {
    pub fn push<'a>(&mut self, frame: &Frame<'a>, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let data = frame.data.trim_ascii();
        // Some proxies close the stream as a chat's is closed.
        if data.is_empty() || self.over || data == b"[DONE]" {
            return Ok(());
        }
        match std::str::from_utf8(data) {
            Ok(text) => self.event(text, frame.event, emit),
            Err(_) => {
                let text = String::from_utf8_lossy(data);
                self.event(&text, frame.event, &mut |event| emit(event.into_owned()))
            }
        }
    }

    /// The upstream closed the stream.
    pub fn finish(&mut self, _emit: &mut dyn FnMut(Event<'static>)) -> Result<(), AnswerError> {
        match (self.over, self.begun) {
            (true, _) => Ok(()),
            (false, true) => Err(AnswerError::Cut),
            (false, false) => Err(AnswerError::Empty),
        }
    }

    /// An answer of one piece.
    pub fn whole<'a>(&mut self, body: &'a [u8], emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        match std::str::from_utf8(body) {
            Ok(text) => self.response(text, emit),
            Err(_) => {
                let text = String::from_utf8_lossy(body);
                self.response(&text, &mut |event| emit(event.into_owned()))
            }
        }
    }

    fn response<'a>(&mut self, text: &'a str, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let response = Response::parse(text)
            .map_err(|bad| AnswerError::Malformed(format!("it is no response ({bad}): {}", excerpt(text))))?;
        if response.error.is_some_and(|e| e.get() != "{}") {
            return Err(openai_chat::response::in_answer(text.as_bytes()));
        }
        let Some(output) = response.output.filter(|output| output.is_array()) else {
            return Err(not_a_response(response.choices, text));
        };
        let status = word(response.status);
        if ending::decode(status, None).is_none() {
            return Err(AnswerError::Malformed(format!("its status is {status}, so it is not finished")));
        }
        self.start(&response, emit);
        self.output(output, emit)?;
        self.end(&response, status, emit);
        Ok(())
    }

    fn event<'a>(&mut self, text: &'a str, name: &str, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let event = WireEvent::parse(text)
            .map_err(|bad| AnswerError::Malformed(format!("an event is no JSON ({bad}): {}", excerpt(text))))?;
        let kind = if event.kind.is_some() { word(event.kind) } else { name };
        if kind == "error" || event.error.is_some() {
            return Err(openai_chat::response::in_answer(text.as_bytes()));
        }
        let Some(kind) = kind.strip_prefix("response.") else {
            return match (event.choices, word(event.object)) {
                (Some(_), _) | (_, "chat.completion.chunk") => Err(not_a_response(event.choices, text)),
                _ => Ok(()),
            };
        };
        self.begun = true;
        match kind {
            "created" | "in_progress" | "queued" => {
                let response = event.response.and_then(|raw| Response::parse(raw.get()).ok()).unwrap_or_default();
                self.start(&response, emit);
            }
            "completed" | "incomplete" | "failed" | "cancelled" => return self.terminal(kind, event.response, emit),
            "output_item.added" => {
                if let Some(item) = event.item.and_then(|raw| Item::parse(raw.get()).ok()) {
                    let at = self.at(&event)?;
                    self.begin(at, &item, emit);
                }
            }
            "output_item.done" => {
                if let Some(raw) = event.item {
                    let at = self.at(&event)?;
                    self.item(at, raw, emit);
                }
            }
            "reasoning_summary_part.added" => {
                let at = self.at(&event)?;
                self.summary_part(at, event.summary_index, emit);
            }
            _ => self.piece(kind, &event, emit)?,
        }
        Ok(())
    }

    /// A piece of an item, or the whole of a piece.
    fn piece<'a>(&mut self, kind: &str, event: &WireEvent<'a>, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let Some((what, how)) = kind.rsplit_once('.') else { return Ok(()) };
        let (field, kind) = match what {
            "output_text" => (event.text, Kind::Message),
            "refusal" => (event.refusal, Kind::Message),
            "reasoning_summary_text" | "reasoning_text" => (event.text, Kind::Reasoning),
            "function_call_arguments" => (event.arguments, Kind::Function),
            "custom_tool_call_input" => (event.input, Kind::Custom),
            _ => return Ok(()),
        };
        let text = match how {
            "delta" => event.delta,
            "done" => field,
            _ => return Ok(()),
        };
        let at = self.at(event)?;
        let open = &mut self.items[at];
        if open.kind == Kind::Unknown {
            open.kind = kind;
        }
        if what.starts_with("reasoning") {
            let raw = what == "reasoning_text";
            if *open.raw_thoughts.get_or_insert(raw) != raw {
                return Ok(());
            }
        }
        let whole = how == "done";
        let known = whole && std::mem::replace(&mut open.part_told, false);
        let Some(text) = text.and_then(Raw::text).filter(|t| !t.is_empty() && !known) else { return Ok(()) };
        open.part_told |= !whole;
        self.tell(at, what == "refusal", text, emit);
        Ok(())
    }

    fn tell<'a>(&mut self, at: usize, refusal: bool, text: Text<'a>, emit: Emit<'_, 'a>) {
        let open = &mut self.items[at];
        let first = !std::mem::replace(&mut open.told, true);
        let slot = slot(at);
        match open.kind {
            Kind::Message if refusal => {
                self.refused = true;
                emit(Event::Refusal(text));
            }
            Kind::Message => emit(Event::Text(text)),
            Kind::Reasoning => emit(Event::Thinking(text)),
            Kind::Function => emit(Event::ToolInput { slot, json: text }),
            Kind::Custom => {
                if first {
                    emit(Event::ToolInput { slot, json: FREEFORM_HEAD });
                }
                // Once more a string within a string.
                emit(Event::ToolInput { slot, json: Text::plain(text.escaped()) });
            }
            Kind::Unknown | Kind::Other => {}
        }
    }

    fn summary_part<'a>(&mut self, at: usize, index: Option<Raw<'a>>, emit: Emit<'_, 'a>) {
        let open = &mut self.items[at];
        if open.told && open.raw_thoughts == Some(false) && index.is_some_and(|i| i.get() != "0") {
            emit(Event::Thinking(PARAGRAPH));
        }
    }

    /// Where an event's item stands among those that began.
    fn at(&mut self, event: &WireEvent<'_>) -> Result<usize, AnswerError> {
        let index = match event.output_index.and_then(|raw| raw.json().as_count()) {
            Some(index) => index,
            None => self.items.last().map_or(0, |open| open.index),
        };
        if let Some(at) = self.items.iter().rposition(|open| open.index == index) {
            return Ok(at);
        }
        if self.items.len() >= MOST_ITEMS {
            return Err(AnswerError::Malformed(format!("more than {MOST_ITEMS} items in one answer")));
        }
        self.items.push(Open { index, ..Open::default() });
        Ok(self.items.len() - 1)
    }

    fn begin<'a>(&mut self, at: usize, item: &Item<'a>, emit: Emit<'_, 'a>) {
        let open = &mut self.items[at];
        if open.kind != Kind::Unknown {
            return;
        }
        open.kind = Kind::of(word(item.kind));
        self.start_call(at, item, emit);
    }

    fn start_call<'a>(&mut self, at: usize, item: &Item<'a>, emit: Emit<'_, 'a>) {
        let open = &mut self.items[at];
        let name = item.name.and_then(Raw::text).filter(|_| open.kind.is_call() && !open.named);
        let Some(name) = name else { return };
        open.named = true;
        let id = item.call_id.or(item.id).and_then(Raw::text).unwrap_or_default();
        let name = qualified(item.namespace.and_then(Raw::text).as_ref(), name);
        emit(Event::ToolStart { slot: slot(at), id, name });
    }

    /// A whole item: what was told of it before is not told again.
    fn item<'a>(&mut self, at: usize, raw: Raw<'a>, emit: Emit<'_, 'a>) {
        let Ok(item) = Item::parse(raw.get()) else { return };
        self.begun = true;
        let kind = Kind::of(word(item.kind));
        let open = &mut self.items[at];
        if std::mem::replace(&mut open.done, true) {
            return;
        }
        open.kind = kind;
        let told = open.told;
        match kind {
            Kind::Message if !told => {
                // Some servers write a text as in a request, without parts.
                if let Some(text) = item.content.and_then(Raw::text).filter(|t| !t.is_empty()) {
                    self.tell(at, false, text, emit);
                }
                for part in parts(item.content) {
                    let (refusal, text) = match word(part.kind) {
                        "refusal" => (true, part.refusal),
                        _ => (false, part.text),
                    };
                    if let Some(text) = text.and_then(Raw::text).filter(|t| !t.is_empty()) {
                        self.tell(at, refusal, text, emit);
                    }
                }
            }
            Kind::Reasoning => {
                if !told {
                    self.thoughts(at, &item, emit);
                }
                if let Some(details) = state::details(item.id, item.encrypted_content) {
                    emit(Event::ThinkingState(ThinkingState::Details(details)));
                }
            }
            Kind::Function | Kind::Custom => self.call(at, &item, told, emit),
            Kind::Other => self.searches += u64::from(word(item.kind) == "web_search_call"),
            Kind::Message | Kind::Unknown => {}
        }
    }

    fn thoughts<'a>(&mut self, at: usize, item: &Item<'a>, emit: Emit<'_, 'a>) {
        let texts = |raw| -> Vec<Text<'a>> {
            parts(raw).into_iter().filter_map(|part| part.text?.text()).filter(|t| !t.is_empty()).collect()
        };
        let mut told = texts(item.content);
        if told.is_empty() {
            told = texts(item.summary);
        }
        for (i, text) in told.into_iter().enumerate() {
            if i > 0 {
                emit(Event::Thinking(PARAGRAPH));
            }
            self.tell(at, false, text, emit);
        }
    }

    fn call<'a>(&mut self, at: usize, item: &Item<'a>, told: bool, emit: Emit<'_, 'a>) {
        self.start_call(at, item, emit);
        let (custom, slot) = (self.items[at].kind == Kind::Custom, slot(at));
        if !told {
            let input = if custom { item.input } else { item.arguments };
            let text = input.and_then(|raw| raw.text().or_else(|| raw.is_object().then(|| Text::plain(raw.get()))));
            match text.filter(|t| !t.is_empty()) {
                Some(text) => self.tell(at, false, text, emit),
                None if custom => emit(Event::ToolInput { slot, json: FREEFORM_HEAD }),
                None => {}
            }
        }
        if custom {
            emit(Event::ToolInput { slot, json: FREEFORM_TAIL });
        }
        emit(Event::ToolEnd { slot });
    }

    fn start<'a>(&mut self, response: &Response<'a>, emit: Emit<'_, 'a>) {
        self.begun = true;
        if !std::mem::replace(&mut self.started, true) {
            let text = |raw: Option<Raw<'a>>| raw.and_then(Raw::text).filter(|t| !t.is_empty());
            emit(Event::Start { id: text(response.id), model: text(response.model), usage: Usage::default() });
        }
    }

    fn output<'a>(&mut self, output: Raw<'a>, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        for (index, raw) in (0u64..).zip(items(output.get()).unwrap_or_default()) {
            if self.items.len() >= MOST_ITEMS {
                return Err(AnswerError::Malformed(format!("more than {MOST_ITEMS} items in one answer")));
            }
            self.items.push(Open { index, ..Open::default() });
            self.item(self.items.len() - 1, raw, emit);
        }
        Ok(())
    }

    fn terminal<'a>(&mut self, kind: &str, raw: Option<Raw<'a>>, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let response = raw.and_then(|raw| Response::parse(raw.get()).ok()).unwrap_or_default();
        if let Some(error) = response.error.filter(|e| e.is_object() && e.get() != "{}") {
            return Err(openai_chat::response::in_answer(error.get().as_bytes()));
        }
        // Some servers end every answer with `response.completed`: what it holds says how it ended.
        let status = match word(response.status) {
            said @ ("incomplete" | "failed" | "cancelled") => said,
            _ => kind,
        };
        if matches!(status, "failed" | "cancelled") {
            return Err(failed_without_words());
        }
        self.start(&response, emit);
        if let Some(output) = response.output.filter(|_| self.items.is_empty()) {
            self.output(output, emit)?;
        }
        // A custom call whose end was left out has an open string.
        for at in 0..self.items.len() {
            let open = &self.items[at];
            if open.kind == Kind::Custom && open.told && !open.done {
                emit(Event::ToolInput { slot: slot(at), json: FREEFORM_TAIL });
            }
        }
        self.end(&response, status, emit);
        Ok(())
    }

    fn end<'a>(&mut self, response: &Response<'a>, status: &str, emit: Emit<'_, 'a>) {
        self.over = true;
        let mut counts = response.usage.and_then(usage::decode).unwrap_or_default();
        counts.web_searches = Some(self.searches).filter(|n| *n > 0);
        if counts != Usage::default() {
            emit(Event::Usage(counts));
        }
        let reason = match ending::decode(status, response.incomplete_details) {
            Some(StopReason::EndTurn) | None if self.refused => StopReason::Refusal,
            reason => reason.unwrap_or(StopReason::EndTurn),
        };
        emit(Event::Finish { reason, stop_sequence: None });
    }
}

fn slot(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn parts(raw: Option<Raw<'_>>) -> Vec<Part<'_>> {
    let list = raw.and_then(|raw| items(raw.get())).unwrap_or_default();
    list.into_iter().filter_map(|raw| Part::parse(raw.get()).ok()).collect()
}

fn not_a_response(choices: Option<Raw<'_>>, text: &str) -> AnswerError {
    AnswerError::Malformed(match choices {
        Some(_) => "it is in OpenAI's chat format, not Responses; set `api_mode: chat` for the deployment".into(),
        None => format!("it has no output: {}", excerpt(text)),
    })
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}
