//! Tool names and tool ids that a provider accepts, made from any that a client sends.
//!
//! Every mapping is a pure function of the name or id, so that it is the same on every turn of a conversation and in every
//! place of a request.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use crate::json::Text;
use crate::quirks::IdForm;
use crate::request::{Part, Request, ToolChoice};

/// OpenAI, Anthropic and Bedrock all take `[a-zA-Z0-9_-]{1,64}`.
const MAX_NAME: usize = 64;
/// A shortened name ends in `_` and 8 hex digits: 55 characters of the original make 64.
const TAIL: usize = 9;
/// botocore 1.44.8, `ToolUseId`.
const MAX_CONVERSE_ID: usize = 64;
/// Mistral's tool ids.
const SHORT_ID: usize = 9;

/// Between a namespace and the name of a tool in it. No provider takes it in a name, so no client's name has it.
const IN_NAMESPACE: &str = "\\u001f";
/// What stands there for providers without namespaces.
const FLAT: &str = "__";

/// The one name of a tool in a namespace, as the canonical form has it.
pub fn qualified<'t>(namespace: Option<&Text<'_>>, name: Text<'t>) -> Text<'t> {
    let Some(namespace) = namespace else { return name };
    Text::join([namespace, &Text::literal(IN_NAMESPACE), &name], &Text::EMPTY)
}

/// The namespace and the name in it.
pub fn unqualified<'n>(name: &'n Text<'_>) -> (Option<Text<'n>>, Text<'n>) {
    match name.escaped().find(IN_NAMESPACE) {
        Some(at) => (Some(name.slice(0..at)), name.slice(at + IN_NAMESPACE.len()..name.escaped().len())),
        None => (None, name.borrowed()),
    }
}

/// The name itself where the provider takes it, else a shortened one that is unique to it. `limit` is a provider's own rule
/// ([`crate::quirks::Quirks::tool_names`]); such providers want a letter or `_` at the front, too.
pub fn safe_tool_name<'t>(name: &'t Text<'_>, limit: Option<usize>) -> Text<'t> {
    if name.escaped().contains(IN_NAMESPACE) {
        let flat = Text::plain(&name.decode().replace('\u{1f}', FLAT));
        return safe_tool_name(&flat, limit).into_owned();
    }
    let max = limit.unwrap_or(MAX_NAME).clamp(2 * TAIL, MAX_NAME);
    let starts_well = limit.is_none() || !name.escaped().starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if is_word(name.escaped()) && name.escaped().len() <= max && starts_well {
        return name.borrowed();
    }
    let name = name.decode();
    let lead = if starts_well { "" } else { "_" };
    let kept = name.chars().take(max - TAIL - lead.len()).map(|c| if is_word_char(c) { c } else { '_' });
    let mut short: String = lead.chars().chain(kept).collect();
    short.push('_');
    short.push_str(&sha256_hex(name.as_bytes())[..8]);
    Text::plain(&short)
}

/// The id itself where the provider takes its form, else one made from it.
pub fn safe_id<'t>(form: IdForm, id: &'t Text<'_>) -> Text<'t> {
    let escaped = id.escaped();
    match form {
        IdForm::Any => id.borrowed(),
        IdForm::NineAlnum if escaped.len() == SHORT_ID && escaped.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            id.borrowed()
        }
        IdForm::NineAlnum => Text::plain(&sha256_hex(id.decode().as_bytes())[..SHORT_ID]),
        IdForm::Word if is_word(escaped) => id.borrowed(),
        IdForm::Converse if is_converse_id(escaped) => id.borrowed(),
        IdForm::AtMost(most) if escaped.len() <= most => id.borrowed(),
        IdForm::Word | IdForm::Converse | IdForm::AtMost(_) => {
            Text::plain(&format!("call_{}", &sha256_hex(id.decode().as_bytes())[..24]))
        }
    }
}

fn is_converse_id(id: &str) -> bool {
    let fits = |c| is_word_char(c) || matches!(c, '.' | ':');
    (1..=MAX_CONVERSE_ID).contains(&id.len()) && id.chars().all(fits)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| is_word_char(char::from(b)))
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    Sha256::digest(bytes)
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

/// From the names that were sent up back to the client's own. Holds only names that had to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameMap {
    originals: HashMap<String, Text<'static>>,
}

impl NameMap {
    /// From the tools, the history and the tool choice: a model may call what it sees in any of them.
    pub fn of(request: &Request<'_>, limit: Option<usize>) -> NameMap {
        let mut map = NameMap::default();
        for tool in &request.tools {
            map.add(&tool.name, limit);
        }
        for part in request.messages.iter().flat_map(|m| &m.parts) {
            match part {
                Part::ToolCall(call) => map.add(&call.name, limit),
                Part::ToolReference { name } => map.add(name, limit),
                _ => {}
            }
        }
        if let Some(ToolChoice::Named(name)) = &request.tool_choice {
            map.add(name, limit);
        }
        map
    }

    fn add(&mut self, name: &Text<'_>, limit: Option<usize>) {
        let safe = safe_tool_name(name, limit);
        if safe.escaped() != name.escaped() {
            self.originals.entry(safe.escaped().to_string()).or_insert_with(|| name.clone().into_owned());
        }
    }

    pub fn is_empty(&self) -> bool {
        self.originals.is_empty()
    }

    /// The client's name for what the upstream called `name`.
    pub fn restore<'n>(&self, name: Text<'n>) -> Text<'n> {
        match self.originals.get(name.escaped()) {
            Some(original) => original.clone(),
            None => name,
        }
    }
}

#[cfg(test)]
mod tests;
