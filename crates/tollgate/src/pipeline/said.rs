//! What the client has seen of an answer, for another attempt to go on from there.

use tollgate_dialect::event::Event;

/// Longer texts are not continued.
const MAX_BYTES: usize = 1 << 20;

/// Only text can be continued: a tool call must not be made twice, and thoughts are bound to the model that had them.
#[derive(Debug, Default)]
pub struct Said {
    text: String,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Nothing,
    /// Thoughts came, and no text yet.
    Thinking,
    Text,
    /// Something came that cannot be continued.
    Closed,
}

impl Said {
    pub fn note(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(text) if self.state != State::Closed => {
                self.text.push_str(&text.decode());
                self.state = if self.text.len() > MAX_BYTES { State::Closed } else { State::Text };
            }
            Event::Thinking(_) | Event::ThinkingState(_) | Event::Redacted(_)
                if matches!(self.state, State::Nothing | State::Thinking) =>
            {
                self.state = State::Thinking;
            }
            Event::Start { .. } | Event::Usage(_) | Event::Text(_) => {}
            Event::Thinking(_)
            | Event::ThinkingState(_)
            | Event::Redacted(_)
            | Event::ToolStart { .. }
            | Event::ToolInput { .. }
            | Event::ToolEnd { .. }
            | Event::Freeform { .. }
            | Event::Refusal(_)
            | Event::Server(_)
            | Event::Citation(_)
            | Event::Finish { .. } => self.state = State::Closed,
        }
    }

    /// The text so far, if an answer can go on after it.
    pub fn to_continue(&self) -> Option<String> {
        (self.state == State::Text).then(|| self.text.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_dialect::json::Text;

    fn said(events: &[Event<'_>]) -> Option<String> {
        let mut said = Said::default();
        events.iter().for_each(|event| said.note(event));
        said.to_continue()
    }

    #[test]
    fn only_an_answer_that_stands_in_its_text_can_go_on() {
        let text = |t: &'static str| Event::Text(Text::plain(t));
        let thought = Event::Thinking(Text::plain("hm"));
        let call = Event::ToolStart { slot: 0, id: Text::plain("c"), name: Text::plain("Bash") };
        assert_eq!(said(&[text("one "), text("two")]), Some("one two".into()));
        assert_eq!(said(&[thought.clone(), text("so")]), Some("so".into()));
        assert_eq!(said(&[]), None);
        assert_eq!(said(std::slice::from_ref(&thought)), None);
        assert_eq!(said(&[text("a"), call.clone()]), None);
        assert_eq!(said(&[text("a"), call, Event::ToolEnd { slot: 0 }, text("b")]), None);
        assert_eq!(said(&[text("a"), thought]), None);
    }
}
