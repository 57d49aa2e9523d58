//! Thoughts that the client dropped are given back to the model that had them, signatures and all.
//!
//! What is put back is what a client that keeps everything would have sent, at the place where it stood. Which of it the upstream is
//! told is then for its dialect to say, as it is with such a client.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tollgate_dialect::answer::{self, LedCall};
use tollgate_dialect::json::Text;
use tollgate_dialect::request::{Message, Part, Request, Role, Thinking, ToolCall};
use tollgate_dialect::sealed::Seal;
use tollgate_dialect::thoughts::{TakesBack, signature};
use tollgate_store::recall::{Kind, Recall, RecallKey, Recalled, Thought};

use super::tenant::Tenant;

/// What tells one conversation from another: who leads it, with which model, and how it began.
#[derive(Clone)]
pub struct Conversation(Sha256);

/// Whose conversation it is, and with whom.
#[derive(Clone, Copy)]
pub struct Parties<'p> {
    pub caller: Tenant,
    /// The customer of the caller.
    pub end_user: Option<&'p str>,
    /// The deployment's route. One with a wildcard leads to many models.
    pub route: &'p str,
    pub upstream_model: &'p str,
}

impl Conversation {
    /// `None` where no call was made and none can be: then there is nothing to give back or to keep.
    pub fn of(request: &Request<'_>, parties: &Parties<'_>) -> Option<Conversation> {
        if request.tools.is_empty() && calls(request).next().is_none() {
            return None;
        }
        let model = if parties.route.contains('*') { parties.upstream_model } else { "" };
        let mut hash = Sha256::new();
        hash.update(parties.caller.id.to_be_bytes());
        for name in [parties.end_user.unwrap_or_default(), parties.route, model] {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
        }
        let first = request.messages.iter().find(|m| m.role == Role::User);
        for part in first.iter().flat_map(|m| &m.parts) {
            if let Part::Text(text) = part {
                hash.update(text.text.escaped());
            }
        }
        Some(Conversation(hash))
    }

    fn key(&self, call_id: &str) -> RecallKey {
        self.0.clone().chain_update([0]).chain_update(call_id).finalize().into()
    }

    /// Keeps the thoughts that led to calls. `family`: the provider whose they are.
    pub fn remember(&self, recall: &Recall, calls: &[LedCall], seal: &Seal, family: &str) {
        for call in calls {
            let thoughts = call.thoughts.iter().map(|thought| kept(thought, seal, family)).collect();
            recall.remember(self.key(&call.id), Arc::new(Recalled { thoughts, before_text: call.before_text }));
        }
    }

    /// An upstream refused thoughts of this conversation: it is to see none of them again.
    pub fn forget(&self, recall: &Recall, request: &Request<'_>) {
        for call in calls(request) {
            recall.forget(&self.key(&call.id.decode()));
        }
    }

    fn find(&self, recall: &Recall, call: &ToolCall<'_>, takes: TakesBack) -> Option<Arc<Recalled>> {
        let signed_alone = takes == TakesBack::Signed;
        let found = recall.find(&self.key(&call.id.decode()))?;
        (!signed_alone || found.thoughts.iter().any(|thought| thought.kind != Kind::Plain)).then_some(found)
    }
}

fn calls<'r>(request: &'r Request<'_>) -> impl Iterator<Item = &'r ToolCall<'r>> {
    request.messages.iter().flat_map(|m| &m.parts).filter_map(|part| match part {
        Part::ToolCall(call) => Some(call),
        _ => None,
    })
}

fn kept(thought: &answer::Thought, seal: &Seal, family: &str) -> Thought {
    let (text, signature, kind) = match thought {
        answer::Thought::Told { text, state } => {
            let kind = if state.is_some() { Kind::Signed } else { Kind::Plain };
            (text.escaped(), signature(state.as_ref(), seal, family), kind)
        }
        answer::Thought::Redacted(data) => ("", data.clone(), Kind::Redacted),
    };
    Thought { escaped_text: text.into(), escaped_signature: signature.escaped().into(), kind }
}

/// Puts thoughts before tool calls that came back without. True if something was restored.
pub fn thoughts(request: &mut Request<'_>, conversation: &Conversation, recall: &Recall, takes: TakesBack) -> bool {
    let mut restored = false;
    for message in request.messages.iter_mut().filter(|m| m.role == Role::Assistant) {
        restored |= restore(message, conversation, recall, takes);
    }
    restored
}

fn restore(message: &mut Message<'_>, conversation: &Conversation, recall: &Recall, takes: TakesBack) -> bool {
    if keeps_state(message) {
        return false;
    }
    let calls = message.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some(conversation.find(recall, call, takes)),
        _ => None,
    });
    let found: Vec<Option<Arc<Recalled>>> = calls.collect();
    let all = || found.iter().flatten();
    let is_elsewhere = |(at, found): (usize, &Option<Arc<Recalled>>)| {
        at > 0 && found.as_ref().is_some_and(|found| found.before_text > 0)
    };
    // Behind another call there is no place for what stood before the text.
    if all().next().is_none() || found.iter().enumerate().any(is_elsewhere) {
        return false;
    }
    let had_words = message.parts.iter().any(|part| matches!(part, Part::Thinking(_)));
    let wanted = |thought: &&Thought| takes == TakesBack::Words || thought.kind != Kind::Plain;
    let mut parts = Vec::with_capacity(message.parts.len() + all().map(|found| found.thoughts.len()).sum::<usize>());
    if let Some(Some(first)) = found.first() {
        parts.extend(first.thoughts[..first.before_text].iter().filter(wanted).map(thinking));
    }
    let mut nth = 0;
    for part in message.parts.drain(..) {
        match part {
            // The words come again, with what makes them worth sending.
            Part::Thinking(_) => continue,
            Part::ToolCall(_) => {
                if let Some(found) = &found[nth] {
                    parts.extend(found.thoughts[found.before_text..].iter().filter(wanted).map(thinking));
                }
                nth += 1;
            }
            _ => {}
        }
        parts.push(part);
    }
    message.parts = parts;
    !had_words || all().flat_map(|found| &found.thoughts).any(|thought| thought.kind != Kind::Plain)
}

/// The client sent back what the provider signed.
fn keeps_state(message: &Message<'_>) -> bool {
    message.parts.iter().any(|part| match part {
        Part::Thinking(thinking) => thinking.signature.as_ref().is_some_and(|signature| !signature.is_empty()),
        Part::ToolCall(call) => call.state.is_some(),
        _ => false,
    })
}

fn thinking<'a>(thought: &Thought) -> Part<'a> {
    let text = |escaped: &str| Text::of_token(&format!("\"{escaped}\"")).map(Text::into_owned).unwrap_or_default();
    Part::Thinking(Thinking {
        text: text(&thought.escaped_text),
        signature: Some(text(&thought.escaped_signature)),
        redacted: thought.kind == Kind::Redacted,
    })
}
