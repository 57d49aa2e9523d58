//! Edits inside messages, for the few targets that need them.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::Text;
use crate::quirks::{Quirks, ReasoningField, Replay};

use super::edits::Edits;

#[derive(Deserialize)]
struct WireMessage<'a> {
    #[serde(borrow)]
    role: Option<Text<'a>>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WirePart<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
}

pub fn edit(messages: &RawValue, quirks: &Quirks, edits: &mut Edits<'_>) {
    let field = match quirks.reasoning_field {
        ReasoningField::ReasoningContent => Some("reasoning_content"),
        ReasoningField::Reasoning | ReasoningField::ReasoningDetails => Some("reasoning"),
        ReasoningField::ThinkTags | ReasoningField::ContentPart => None,
    };
    let filler = quirks.reasoning_filler.as_deref().zip(field).filter(|_| quirks.replay != Replay::Never);
    if !quirks.string_content && filler.is_none() {
        return;
    }
    // What is no message is left for the upstream to refuse.
    let list: Vec<&RawValue> = serde_json::from_str(messages.get()).unwrap_or_default();
    for raw in list {
        let Ok(message) = serde_json::from_str::<WireMessage<'_>>(raw.get()) else { continue };
        if quirks.string_content
            && let Some(content) = message.content
            && let Some(joined) = joined(content)
        {
            edits.replace(content.get(), &format!("\"{}\"", joined.escaped()));
        }
        let Some((filler, field)) = filler else { continue };
        let assistant = message.role.as_ref().is_some_and(|r| r.escaped() == "assistant");
        let thinks = message.reasoning_content.or(message.reasoning).is_some();
        let calls = message.tool_calls.is_some_and(|c| c.get() != "[]");
        if assistant && !thinks && (calls || quirks.replay == Replay::Always) {
            let filler = Text::plain(filler);
            // Directly behind the brace of a message, which has a role at least.
            edits.before(&raw.get()[1..], &format!("\"{field}\":\"{}\",", filler.escaped()));
        }
    }
}

/// The text of a list of nothing but text parts.
fn joined(content: &RawValue) -> Option<Text<'static>> {
    let parts: Vec<WirePart<'_>> = serde_json::from_str(content.get()).ok()?;
    let texts: Option<Vec<Text<'_>>> =
        parts.into_iter().map(|part| if part.kind.escaped() == "text" { part.text } else { None }).collect();
    Some(Text::join(&texts?, &Text::literal("\\n\\n")))
}
