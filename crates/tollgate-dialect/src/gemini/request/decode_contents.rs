//! The contents of a client's request.
//!
//! Google's calls may have no ids: a result belongs to the first call of its name that has none yet, in the content before it.
//! Other dialects need ids, so every call without one gets the number that it has in the conversation: the same on every turn.

use std::collections::HashSet;

use super::media;
use crate::error::Invalid;
use crate::gemini::code;
use crate::gemini::signature::{NONE, Signature};
use crate::gemini::wire::{
    Content, FunctionCall, FunctionResponse, Part as WirePart, Parts, Raw, each, is_true, parse, some_text, text_of,
    word,
};
use crate::json::{Json, Text, members};
use crate::request::{Message, Part, Role, TextPart, Thinking, ToolCall, ToolInput, ToolResult};
use crate::scan::Cursor;

#[derive(Default)]
pub struct Conversation<'a> {
    pub messages: Vec<Message<'a>>,
    /// Ids in use, unescaped.
    ids: HashSet<String>,
    /// Calls without a result so far.
    open: Vec<Open<'a>>,
    calls: u64,
}

struct Open<'a> {
    name: Text<'a>,
    id: Text<'a>,
}

impl<'a> Conversation<'a> {
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Conversation<'a>, Invalid> {
        let mut conversation = Conversation::default();
        let mut index = 0;
        each(cursor, |cursor| {
            // A text in place of a content is the user's.
            if cursor.peek() == b'"' {
                let parts = texts(cursor.value()?.text()).into_iter().map(Part::Text).collect();
                conversation.messages.push(Message { role: Role::User, parts });
            } else {
                let content = Content::read(cursor)
                    .map_err(|bad| Invalid::new(format!("contents[{index}]"), format!("not a content: {bad}")))?;
                conversation.content(content, index)?;
            }
            index += 1;
            Ok::<(), Invalid>(())
        })?;
        Ok(conversation)
    }

    fn content(&mut self, content: Content<'a>, index: usize) -> Result<(), Invalid> {
        let role = match word(content.role) {
            "model" => Role::Assistant,
            "user" | "function" | "tool" | "" => Role::User,
            "system" => Role::System,
            _ => {
                let message = "Please use a valid role: user, model.";
                return Err(Invalid::new(format!("contents[{index}].role"), message));
            }
        };
        if role == Role::Assistant {
            self.open.clear();
        }
        let mut parts = Vec::new();
        for (i, part) in content.parts.unwrap_or_default().0.into_iter().enumerate() {
            self.part(part, role, &mut parts, || format!("contents[{index}].parts[{i}]"))?;
        }
        self.messages.push(Message { role, parts });
        Ok(())
    }

    fn part(
        &mut self,
        part: WirePart<'a>,
        role: Role,
        parts: &mut Vec<Part<'a>>,
        at: impl Fn() -> String,
    ) -> Result<(), Invalid> {
        let code = code::texts(&part);
        let mut state = None;
        if role == Role::Assistant {
            state = signed(some_text(part.thought_signature), parts);
        }
        if let Some(text) = part.text {
            let text =
                text_of(Some(text)).ok_or_else(|| Invalid::new(format!("{}.text", at()), "expected a string"))?;
            match is_true(part.thought) {
                true if role != Role::Assistant => {}
                true => parts.push(Part::Thinking(Thinking { text, signature: None, redacted: false })),
                false if text.is_empty() => {}
                false => parts.push(Part::Text(TextPart { text, cache: None })),
            }
        }
        if let Some(blob) = part.inline_data {
            parts.push(Part::Media(
                media::inline(blob)
                    .map_err(|(field, why)| Invalid::new(format!("{}.inline_data{field}", at()), why))?,
            ));
        }
        if let Some(file) = part.file_data {
            parts.push(Part::Media(
                media::file(file).map_err(|(field, why)| Invalid::new(format!("{}.file_data{field}", at()), why))?,
            ));
        }
        if let Some(call) = part.function_call {
            parts.push(Part::ToolCall(self.call(call, state, &at)?));
        }
        if let Some(response) = part.function_response {
            parts.push(Part::ToolResult(self.result(response, &at)?));
        }
        parts.extend(code.into_iter().map(|text| Part::Text(TextPart { text, cache: None })));
        for (raw, kind) in [(part.tool_call, "toolCall"), (part.tool_response, "toolResponse")] {
            if raw.is_some() {
                parts.push(Part::Unknown { kind: Text::literal(kind) });
            }
        }
        Ok(())
    }

    fn call(
        &mut self,
        call: FunctionCall<'a>,
        state: Option<Text<'a>>,
        at: &impl Fn() -> String,
    ) -> Result<ToolCall<'a>, Invalid> {
        let at = || format!("{}.function_call", at());
        let name = some_text(call.name).ok_or_else(|| Invalid::new(format!("{}.name", at()), "a name is required"))?;
        let args = call.args.map_or(Json::EMPTY_OBJECT, Raw::json);
        if !args.is_object() {
            return Err(Invalid::new(format!("{}.args", at()), "expected an object"));
        }
        self.calls += 1;
        let id = some_text(call.id).unwrap_or_else(|| self.numbered());
        self.ids.insert(id.decode().into_owned());
        self.open.push(Open { name: name.clone(), id: id.clone() });
        Ok(ToolCall { id, name, input: ToolInput::Object(args), namespace: None, state, cache: None })
    }

    fn numbered(&self) -> Text<'a> {
        let number = self.calls;
        let free = (0u32..).map(|again| match again {
            0 => format!("call_n{number}"),
            again => format!("call_n{number}-{again}"),
        });
        let id = free.into_iter().find(|id| !self.ids.contains(id));
        Text::plain(&id.unwrap_or_default())
    }

    fn result(&mut self, response: FunctionResponse<'a>, at: &impl Fn() -> String) -> Result<ToolResult<'a>, Invalid> {
        let at = || format!("{}.function_response", at());
        let name =
            some_text(response.name).ok_or_else(|| Invalid::new(format!("{}.name", at()), "a name is required"))?;
        let own = some_text(response.id);
        let place = match &own {
            Some(id) => self.open.iter().position(|open| open.id == *id),
            None => self.open.iter().position(|open| open.name == name),
        };
        let id = match (place, own) {
            (Some(place), _) => self.open.remove(place).id,
            (None, Some(id)) => id,
            // Of no call at all: encoders say so.
            (None, None) => name,
        };
        let (mut content, is_error) = response.response.map_or_else(Default::default, output);
        if let Some(parts) = response.parts {
            let parts = parse(parts.get(), Parts::read)
                .map_err(|bad| Invalid::new(format!("{}.parts", at()), format!("not a list of parts: {bad}")))?;
            for part in parts.0 {
                let media = part.inline_data.map(media::inline).or_else(|| part.file_data.map(media::file));
                if let Some(media) = media {
                    let media = media.map_err(|(field, why)| Invalid::new(format!("{}.parts{field}", at()), why))?;
                    content.push(Part::Media(media));
                }
            }
        }
        Ok(ToolResult { id, content, is_error, cache: None })
    }
}

/// Thoughts of another maker stand before the part that carried them; Google's own signature is given back. What clients put where
/// they have none is none (Gemini CLI 0.61.0 does so for every call of the present turn): the thoughts may be known here.
fn signed<'a>(signature: Option<Text<'a>>, parts: &mut Vec<Part<'a>>) -> Option<Text<'a>> {
    match Signature::read(signature.filter(|signature| *signature != NONE)?) {
        Signature::Google(signature) => Some(signature),
        Signature::Carried(thoughts) => {
            // The same thoughts may have come as parts, without what makes them worth sending.
            while !thoughts.is_empty()
                && parts.pop_if(|p| matches!(p, Part::Thinking(t) if t.signature.is_none())).is_some()
            {}
            parts.extend(thoughts.into_iter().map(Part::Thinking));
            None
        }
    }
}

/// What a function gave: `output` or `error`, as Google recommends, `result`, as its SDK writes, or any object at all.
fn output<'a>(response: Raw<'a>) -> (Vec<Part<'a>>, bool) {
    let whole = |raw: &'a str| match Text::of_token(raw) {
        Some(text) => text,
        None => Text::plain(raw),
    };
    let fields = members(response.get()).unwrap_or_default();
    let is_error = fields.iter().any(|(key, value)| *key == "error" && *value != "null");
    let text = match fields[..] {
        [] => return (Vec::new(), false),
        [("output" | "result" | "error", value)] => whole(value),
        _ => whole(response.get()),
    };
    let part = Part::Text(TextPart { text, cache: None });
    (vec![part], is_error)
}

pub fn texts<'a>(texts: impl IntoIterator<Item = Text<'a>>) -> Vec<TextPart<'a>> {
    let full = texts.into_iter().filter(|text| !text.is_empty());
    full.map(|text| TextPart { text, cache: None }).collect()
}
