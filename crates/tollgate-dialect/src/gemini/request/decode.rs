//! A client's body, read without copying. Model and stream stand in the path: whoever knows it adds them.

use super::decode_config::generation_config;
use super::decode_contents::{Conversation, texts};
use super::decode_tools::{tool, tool_config};
use crate::error::Invalid;
use crate::gemini::wire::{Content, camel, each};
use crate::json::Text;
use crate::request::Request;
use crate::scan::{Bad, Cursor};

pub fn decode(body: &[u8]) -> Result<Request<'_>, Invalid> {
    read(body, |cursor, fields| cursor.members(|cursor, key| fields.read(cursor, key)))
}

/// The body of `countTokens`: contents alone, or a whole request under `generateContentRequest`.
pub fn decode_count(body: &[u8]) -> Result<Request<'_>, Invalid> {
    read(body, |cursor, fields| {
        cursor.members(|cursor, key| match &*camel(key.escaped()) {
            "generateContentRequest" => cursor.members(|cursor, key| fields.read(cursor, key)),
            _ => fields.read(cursor, key),
        })
    })
}

fn read<'a>(
    body: &'a [u8],
    read: impl FnOnce(&mut Cursor<'a>, &mut Fields<'a>) -> Result<(), Invalid>,
) -> Result<Request<'a>, Invalid> {
    let body = std::str::from_utf8(body)
        .map_err(|e| Invalid::new("", format!("The request body is not valid UTF-8 at byte {}", e.valid_up_to())))?;
    let mut fields = Fields::default();
    let mut cursor = Cursor::new(body);
    let done = read(&mut cursor, &mut fields).and_then(|()| Ok(cursor.end()?));
    if let Err(invalid) = done {
        // A mistake in the JSON itself comes first, and with its line.
        serde_json::from_str::<serde::de::IgnoredAny>(body)?;
        return Err(invalid);
    }
    fields.into_request()
}

/// The body's fields on the way to a request.
#[derive(Default)]
struct Fields<'a> {
    request: Request<'a>,
    conversation: Option<Conversation<'a>>,
    /// `ANY` among these only; empty: among all.
    allowed: Vec<Text<'a>>,
}

impl<'a> Fields<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>, key: Text<'a>) -> Result<(), Invalid> {
        if cursor.peek() == b'n' {
            cursor.value()?;
            return Ok(());
        }
        let request = &mut self.request;
        match &*camel(key.escaped()) {
            "contents" => self.conversation = Some(Conversation::read(cursor)?),
            "systemInstruction" => request.system = system(cursor)?,
            "tools" => {
                request.tools.clear();
                each(cursor, |cursor| tool(cursor, &mut request.tools))?;
            }
            "toolConfig" => self.allowed = tool_config(cursor.value()?, request)?,
            "generationConfig" => {
                cursor.members(|cursor, key| generation_config(request, &camel(key.escaped()), cursor.value()?))?;
            }
            // The path says it.
            "model" => _ = cursor.value()?,
            own => {
                let value = cursor.value()?;
                request.extra.push((Text::plain(own), value.json()));
            }
        }
        Ok(())
    }

    fn into_request(self) -> Result<Request<'a>, Invalid> {
        let Fields { mut request, conversation, allowed } = self;
        let conversation = conversation.ok_or_else(|| Invalid::new("contents", "contents is not specified"))?;
        request.messages = conversation.messages;
        if request.messages.is_empty() {
            return Err(Invalid::new("contents", "contents is not specified"));
        }
        if !allowed.is_empty() {
            request.tools.retain(|tool| allowed.contains(&tool.name));
        }
        Ok(request)
    }
}

fn system<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<crate::request::TextPart<'a>>, Invalid> {
    if cursor.peek() == b'"' {
        return Ok(texts(cursor.value()?.text()));
    }
    let content = Content::read(cursor).map_err(|_: Bad| Invalid::new("system_instruction", "expected a content"))?;
    let parts = content.parts.unwrap_or_default().0;
    Ok(texts(parts.into_iter().filter_map(|part| part.text?.text())))
}
