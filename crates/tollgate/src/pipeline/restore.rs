//! Thoughts that the client dropped are given back to models that insist on them.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tollgate_dialect::json::Text;
use tollgate_dialect::request::{Message, Part, Request, Role, Thinking};
use tollgate_store::recall::{Recall, RecallKey, Recalled};

/// What tells one conversation from another: the route and how it began.
#[derive(Clone)]
pub struct Conversation(Sha256);

impl Conversation {
    pub fn of(request: &Request<'_>, route: &str) -> Conversation {
        let mut hash = Sha256::new();
        hash.update(route);
        let first = request.messages.iter().find(|m| m.role == Role::User);
        for part in first.iter().flat_map(|m| &m.parts) {
            if let Part::Text(text) = part {
                hash.update(text.text.escaped());
            }
        }
        Conversation(hash)
    }

    fn key(&self, call_id: &str) -> RecallKey {
        self.0.clone().chain_update([0]).chain_update(call_id).finalize().into()
    }

    /// Keeps the thoughts that led to these calls.
    pub fn remember(&self, recall: &Recall, call_ids: &[String], thoughts: &Text<'_>) {
        let thoughts = Arc::new(Recalled { escaped_text: thoughts.escaped().to_string() });
        for id in call_ids {
            recall.remember(self.key(id), thoughts.clone());
        }
    }
}

/// Puts thinking before tool calls that came back without any. True if something was restored.
pub fn thoughts(request: &mut Request<'_>, conversation: &Conversation, recall: &Recall) -> bool {
    let mut restored = false;
    for message in request.messages.iter_mut().filter(|m| m.role == Role::Assistant) {
        if let Some(found) = missing(message, conversation, recall) {
            let text = format!("\"{}\"", found.escaped_text);
            let text = Text::of_token(&text).map(Text::into_owned).unwrap_or_default();
            message.parts.insert(0, Part::Thinking(Thinking { text, signature: None, redacted: false }));
            restored = true;
        }
    }
    restored
}

fn missing(message: &Message<'_>, conversation: &Conversation, recall: &Recall) -> Option<Arc<Recalled>> {
    if message.parts.iter().any(|p| matches!(p, Part::Thinking(_))) {
        return None;
    }
    message.parts.iter().find_map(|part| match part {
        Part::ToolCall(call) => recall.find(&conversation.key(&call.id.decode())),
        _ => None,
    })
}
