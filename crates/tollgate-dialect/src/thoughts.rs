//! Which thoughts of earlier turns a target can be given back, when its client did not keep them.

use crate::Dialect;
use crate::anthropic_messages::response::{plain_signature, signature_of};
use crate::event::ThinkingState;
use crate::json::Text;
use crate::quirks::{Maker, Quirks, Replay};
use crate::sealed::Seal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakesBack {
    Nothing,
    /// What has its maker's state: words alone mean nothing there, or spoil the rest.
    Signed,
    /// Any words.
    Words,
}

pub fn takes_back(dialect: Dialect, quirks: &Quirks) -> TakesBack {
    let signed_alone = match dialect {
        Dialect::Messages if quirks.messages.genuine => true,
        Dialect::Messages => return TakesBack::Words,
        Dialect::Converse => quirks.converse.maker == Maker::Anthropic,
        Dialect::Gemini => true,
        Dialect::Chat | Dialect::Responses => false,
    };
    match (quirks.replay, dialect) {
        _ if signed_alone => TakesBack::Signed,
        (Replay::ToolCalls | Replay::Always, _) => TakesBack::Words,
        (Replay::Never, Dialect::Responses) => TakesBack::Signed,
        (Replay::Never, _) if quirks.thought_signatures => TakesBack::Signed,
        (Replay::Never, _) => TakesBack::Nothing,
    }
}

/// The `signature` under which a thought of this provider is kept: what a Messages client would have been sent.
pub fn signature(state: Option<&ThinkingState<'_>>, seal: &Seal, family: &str) -> Text<'static> {
    state.map_or_else(|| plain_signature(seal, family), |state| signature_of(state, seal, family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_where_they_are_wanted_and_signed_thoughts_to_their_makers() {
        let quirks = |json: &str| serde_json::from_str::<Quirks>(json).unwrap();
        let (never, replays) = (quirks("{}"), quirks(r#"{"replay":"tool_calls"}"#));
        let of = |dialect, quirks: &Quirks| takes_back(dialect, quirks);
        assert_eq!(of(Dialect::Chat, &never), TakesBack::Nothing);
        assert_eq!(of(Dialect::Chat, &replays), TakesBack::Words);
        assert_eq!(of(Dialect::Chat, &quirks(r#"{"thought_signatures":true}"#)), TakesBack::Signed);
        assert_eq!(of(Dialect::Responses, &never), TakesBack::Signed);
        assert_eq!(of(Dialect::Responses, &replays), TakesBack::Words);
        assert_eq!(of(Dialect::Gemini, &replays), TakesBack::Signed);
        assert_eq!(of(Dialect::Messages, &quirks(r#"{"messages":{"genuine":true}}"#)), TakesBack::Signed);
        assert_eq!(of(Dialect::Messages, &quirks(r#"{"messages":{"genuine":false}}"#)), TakesBack::Words);
        assert_eq!(of(Dialect::Converse, &quirks(r#"{"converse":{"maker":"anthropic"}}"#)), TakesBack::Signed);
        assert_eq!(of(Dialect::Converse, &quirks(r#"{"converse":{"maker":"amazon"}}"#)), TakesBack::Nothing);
    }
}
