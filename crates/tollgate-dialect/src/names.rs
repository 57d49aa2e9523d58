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
/// What a shortened name keeps of the original: 55 + `_` + 8 hex digits make 64.
const KEPT: usize = 55;
/// Mistral's tool ids.
const SHORT_ID: usize = 9;

/// The name itself where every provider takes it, else a shortened one that is unique to it.
pub fn safe_tool_name<'t>(name: &'t Text<'_>) -> Text<'t> {
    if is_word(name.escaped()) && name.escaped().len() <= MAX_NAME {
        return name.borrowed();
    }
    let name = name.decode();
    let mut short: String = name.chars().take(KEPT).map(|c| if is_word_char(c) { c } else { '_' }).collect();
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
        IdForm::Word => Text::plain(&format!("call_{}", &sha256_hex(id.decode().as_bytes())[..24])),
    }
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
    pub fn of(request: &Request<'_>) -> NameMap {
        let mut map = NameMap::default();
        for tool in &request.tools {
            map.add(&tool.name);
        }
        for part in request.messages.iter().flat_map(|m| &m.parts) {
            match part {
                Part::ToolCall(call) => map.add(&call.name),
                Part::ToolReference { name } => map.add(name),
                _ => {}
            }
        }
        if let Some(ToolChoice::Named(name)) = &request.tool_choice {
            map.add(name);
        }
        map
    }

    fn add(&mut self, name: &Text<'_>) {
        let safe = safe_tool_name(name);
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
