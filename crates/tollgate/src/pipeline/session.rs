//! Which conversation a request belongs to, so that it goes where its prompt is cached.

use http::{HeaderMap, HeaderName};
use tollgate_dialect::json::Json;
use tollgate_dialect::request::{Part, Role};
use tollgate_dialect::{Dialect, decode_request};
use tollgate_policy::balance::mixed;

/// Headers by which clients name their session: Claude Code, opencode, Codex, LiteLLM's own.
pub static SESSION_HEADERS: [HeaderName; 6] = [
    HeaderName::from_static("x-claude-code-session-id"),
    HeaderName::from_static("x-session-affinity"),
    HeaderName::from_static("x-session-id"),
    HeaderName::from_static("session-id"),
    HeaderName::from_static("session_id"),
    HeaderName::from_static("x-litellm-session-id"),
];

/// A subagent has a prompt, and so a cache, of its own.
static AGENT_HEADER: HeaderName = HeaderName::from_static("x-claude-code-agent-id");

/// What is known of a request's conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    /// The same for every request of the conversation, on every replica.
    pub key: Option<u64>,
    /// The conversation is known to go on, or to have gone on: a first request without a session's name may be any.
    pub named: bool,
}

/// From the client's headers, or the body's `prompt_cache_key` or `litellm_session_id`.
pub fn named(headers: &HeaderMap, in_body: Option<&Json<'_>>) -> Conversation {
    let text =
        |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.is_empty());
    let of_header = SESSION_HEADERS.iter().find_map(text);
    let key = match of_header {
        Some(session) => Some(mixed(mixed(1, session), text(&AGENT_HEADER).unwrap_or(""))),
        None => in_body.and_then(Json::as_text).filter(|t| !t.is_empty()).map(|t| mixed(2, t.escaped())),
    };
    Conversation { key, named: key.is_some() }
}

/// From how the conversation begins: the system prompt and the first message of the user. Marks for caches, which move from
/// turn to turn, do not count.
pub fn by_beginning(dialect: Dialect, body: &[u8]) -> Conversation {
    let Ok(request) = decode_request(dialect, body) else { return Conversation::default() };
    let system = request.system.iter().fold(3, |seed, part| mixed(seed, part.text.escaped()));
    let first = request.messages.iter().find(|message| message.role == Role::User);
    let key = first.iter().flat_map(|message| &message.parts).fold(system, |seed, part| match part {
        Part::Text(text) => mixed(seed, text.text.escaped()),
        _ => seed,
    });
    let goes_on = request.messages.iter().any(|message| message.role == Role::Assistant);
    Conversation { key: Some(key), named: goes_on }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_session_header_names_the_conversation_and_a_subagent_has_its_own() {
        let main = named(&headers(&[("x-claude-code-session-id", "s1")]), None);
        let sub = named(&headers(&[("x-claude-code-session-id", "s1"), ("x-claude-code-agent-id", "a")]), None);
        let other = named(&headers(&[("x-claude-code-session-id", "s2")]), None);
        assert!(main.named && main.key != sub.key && main.key != other.key);
        assert_eq!(named(&HeaderMap::new(), None), Conversation::default());
    }

    #[test]
    fn without_a_name_the_beginning_tells_conversations_apart() {
        let turn = |more: &str| {
            let body = format!(
                r#"{{"model":"m","max_tokens":9,"system":"s","messages":[{{"role":"user","content":[{{"type":"text","text":"hi"{more}"#
            );
            by_beginning(Dialect::Messages, body.as_bytes())
        };
        let first = turn(r#","cache_control":{"type":"ephemeral"}}]}]}"#);
        let second = turn(r#"}]},{"role":"assistant","content":"yes"},{"role":"user","content":"more"}]}"#);
        assert_eq!(first.key, second.key);
        assert!(!first.named && second.named);
    }
}
