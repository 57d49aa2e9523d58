//! The thoughts of an answer, each with the call that it led to.

use super::MAX_THINKING_BYTES;
use crate::event::{Event, ThinkingState};
use crate::json::Text;

/// One block of thinking, as it came.
#[derive(Clone, Debug, PartialEq)]
pub enum Thought {
    /// `state` is what its maker wants to see with the words, of which there may be none.
    Told { text: Text<'static>, state: Option<ThinkingState<'static>> },
    /// Encrypted as a whole.
    Redacted(Text<'static>),
}

/// A call, and the thoughts since the call before it or the beginning of the answer. There is one at least.
#[derive(Clone, Debug, PartialEq)]
pub struct LedCall {
    /// Unescaped, as the client has it.
    pub id: String,
    pub thoughts: Vec<Thought>,
    /// So many of them stand before the answer's text, the others directly before the call.
    pub before_text: usize,
}

/// Watches what goes out.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    /// Those that no call has followed so far.
    waiting: Vec<Thought>,
    /// The last of them takes more words.
    open: bool,
    /// How many there were when the text began.
    before_text: Option<usize>,
    /// Something stands where a client that keeps texts apart from calls does not have it: thoughts around it have no place.
    unclear: bool,
    calls: Vec<LedCall>,
    called: bool,
    bytes: usize,
    /// Nothing is kept: some of the thoughts have no place any more, and some without the others are refused.
    lost: bool,
}

impl Thoughts {
    pub(super) fn led(&self) -> &[LedCall] {
        if self.lost { &[] } else { &self.calls }
    }

    pub(super) fn note(&mut self, event: &Event<'_>) {
        if self.lost {
            return;
        }
        match event {
            Event::Thinking(more) => {
                self.weigh(more);
                match self.waiting.last_mut().filter(|_| self.open) {
                    Some(Thought::Told { text, .. }) => text.push(more),
                    _ => self.waiting.push(Thought::Told { text: more.clone().into_owned(), state: None }),
                }
                self.open = true;
            }
            Event::ThinkingState(came) => {
                let came = match came {
                    ThinkingState::Signature(signature) => ThinkingState::Signature(signature.clone().into_owned()),
                    ThinkingState::Details(details) => ThinkingState::Details(details.clone().into_owned()),
                };
                self.bytes += match &came {
                    ThinkingState::Signature(signature) => signature.escaped().len(),
                    ThinkingState::Details(details) => details.get().len(),
                };
                match self.waiting.last_mut().filter(|_| self.open) {
                    Some(Thought::Told { state, .. }) => *state = Some(came),
                    _ => self.waiting.push(Thought::Told { text: Text::EMPTY, state: Some(came) }),
                }
                self.open = false;
            }
            Event::Redacted(data) => {
                self.weigh(data);
                self.waiting.push(Thought::Redacted(data.clone().into_owned()));
                self.open = false;
            }
            Event::Text(_) | Event::Refusal(_) => self.text(),
            Event::ToolStart { id, .. } | Event::Freeform { id, .. } => self.call(id),
            Event::Server(_) => self.unclear = true,
            Event::Start { .. }
            | Event::ToolInput { .. }
            | Event::ToolEnd { .. }
            | Event::Citation(_)
            | Event::Usage(_)
            | Event::Finish { .. } => {}
        }
        self.lost |= self.bytes > MAX_THINKING_BYTES;
        if self.lost {
            *self = Thoughts { lost: true, ..Thoughts::default() };
        }
    }

    fn weigh(&mut self, text: &Text<'_>) {
        self.bytes += text.escaped().len();
    }

    fn text(&mut self) {
        self.open = false;
        // A chat client has one text, before all calls.
        self.unclear |= self.called || self.before_text.is_some_and(|before| self.waiting.len() > before);
        self.before_text.get_or_insert(self.waiting.len());
    }

    fn call(&mut self, id: &Text<'_>) {
        self.open = false;
        let first = !std::mem::replace(&mut self.called, true);
        if self.waiting.is_empty() {
            return;
        }
        self.lost |= self.unclear;
        let thoughts = std::mem::take(&mut self.waiting);
        let before_text = if first { self.before_text.unwrap_or(thoughts.len()) } else { 0 };
        self.calls.push(LedCall { id: id.decode().into_owned(), thoughts, before_text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;

    fn thinking(text: &str) -> Event<'static> {
        Event::Thinking(Text::plain(text))
    }

    fn signed(signature: &str) -> Event<'static> {
        Event::ThinkingState(ThinkingState::Signature(Text::plain(signature)))
    }

    fn text() -> Event<'static> {
        Event::Text(Text::literal("said"))
    }

    fn call(id: &str) -> Event<'static> {
        Event::ToolStart { slot: 0, id: Text::plain(id), name: Text::literal("f") }
    }

    fn told(text: &str, signature: &str) -> Thought {
        let state = (!signature.is_empty()).then(|| ThinkingState::Signature(Text::plain(signature)));
        Thought::Told { text: Text::plain(text), state }
    }

    /// Calls with their thoughts' words, and how many stand before the text.
    fn led(events: &[Event<'static>]) -> Vec<(String, Vec<Thought>, usize)> {
        let mut thoughts = Thoughts::default();
        events.iter().for_each(|event| thoughts.note(event));
        thoughts.led().iter().map(|led| (led.id.clone(), led.thoughts.clone(), led.before_text)).collect()
    }

    #[test]
    fn every_block_stays_what_it_was_and_leads_the_call_behind_it() {
        let events = [
            thinking("a "),
            thinking("b"),
            signed("S1"),
            Event::Redacted(Text::literal("R")),
            signed("S2"),
            call("c1"),
            call("c2"),
            thinking("c"),
            signed("S3"),
            call("c3"),
            thinking("of no call"),
        ];
        let first = vec![told("a b", "S1"), Thought::Redacted(Text::literal("R")), told("", "S2")];
        assert_eq!(led(&events), [("c1".to_string(), first, 3), ("c3".to_string(), vec![told("c", "S3")], 0)]);
    }

    #[test]
    fn thoughts_stand_before_or_behind_the_text() {
        let behind = [text(), thinking("a"), call("c")];
        assert_eq!(led(&behind), [("c".to_string(), vec![told("a", "")], 0)]);
        let both = [thinking("a"), text(), text(), thinking("b"), signed("S"), call("c")];
        assert_eq!(led(&both), [("c".to_string(), vec![told("a", ""), told("b", "S")], 1)]);
        let trailing = [thinking("a"), call("c"), text()];
        assert_eq!(led(&trailing), [("c".to_string(), vec![told("a", "")], 1)]);
    }

    #[test]
    fn thoughts_whose_place_a_client_does_not_keep_are_not_kept() {
        let between_texts = [thinking("a"), text(), thinking("b"), text(), call("c")];
        let text_behind_a_call = [thinking("a"), call("c1"), text(), thinking("b"), call("c2")];
        let hosted = Event::Server(Json::EMPTY_OBJECT);
        let around_a_hosted_tool = [thinking("a"), hosted, thinking("b"), call("c")];
        assert_eq!(led(&between_texts), []);
        assert_eq!(led(&text_behind_a_call), []);
        assert_eq!(led(&around_a_hosted_tool), []);
    }

    #[test]
    fn too_many_are_none() {
        let long = "x".repeat(MAX_THINKING_BYTES);
        assert_eq!(led(&[thinking(&long), call("c")]).len(), 1);
        assert_eq!(led(&[thinking(&long), signed("S"), call("c")]), []);
        assert_eq!(led(&[thinking("a"), call("c1"), thinking(&long), call("c2")]), []);
    }
}
