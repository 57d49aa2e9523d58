//! The messages of a chat client.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Invalid;
use crate::gemini::signature;
use crate::json::{Json, Text};
use crate::request::{
    CacheMark, Media, MediaKind, Message, Part, Request, Role, Source, TextPart, Thinking, ToolCall, ToolInput,
    ToolResult,
};

use super::decode::{parse, reason};

#[derive(Deserialize)]
struct WireMessage<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
    #[serde(borrow)]
    tool_calls: Option<Vec<WireCall<'a>>>,
    #[serde(borrow)]
    tool_call_id: Option<Text<'a>>,
    #[serde(borrow)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning_details: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireCall<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: Option<WireFunction<'a>>,
    #[serde(borrow)]
    custom: Option<WireCustom<'a>>,
    /// Google's: its signature of the call.
    #[serde(borrow)]
    extra_content: Option<Json<'a>>,
}

#[derive(Deserialize)]
struct WireFunction<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireCustom<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    input: Text<'a>,
}

#[derive(Deserialize)]
struct WirePart<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    text: Option<Text<'a>>,
    #[serde(borrow)]
    refusal: Option<Text<'a>>,
    #[serde(borrow)]
    image_url: Option<&'a RawValue>,
    #[serde(borrow)]
    video_url: Option<&'a RawValue>,
    #[serde(borrow)]
    input_audio: Option<WireAudio<'a>>,
    #[serde(borrow)]
    file: Option<WireFile<'a>>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_control: Option<WireMark<'a>>,
}

#[derive(Deserialize)]
struct WireMark<'a> {
    #[serde(borrow)]
    ttl: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct WireUrl<'a> {
    #[serde(borrow)]
    url: Text<'a>,
    #[serde(borrow)]
    detail: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct WireAudio<'a> {
    #[serde(borrow)]
    data: Text<'a>,
    #[serde(borrow)]
    format: Text<'a>,
}

#[derive(Deserialize)]
struct WireFile<'a> {
    #[serde(borrow)]
    filename: Option<Text<'a>>,
    #[serde(borrow)]
    file_data: Option<Text<'a>>,
    #[serde(borrow)]
    file_id: Option<Text<'a>>,
}

pub fn decode<'a>(value: &'a RawValue, request: &mut Request<'a>) -> Result<(), Invalid> {
    let list: Vec<&RawValue> = parse("messages", value, "expected a list of messages")?;
    for (i, raw) in list.into_iter().enumerate() {
        let at = format!("messages[{i}]");
        let message: WireMessage<'a> = serde_json::from_str(raw.get()).map_err(|e| Invalid::new(&at, reason(&e)))?;
        if message.function_call.is_some() {
            return Err(Invalid::new(
                format!("{at}.function_call"),
                "`function_call` is no longer supported; use `tool_calls`",
            ));
        }
        match message.role.escaped() {
            "system" | "developer" => system(message, &at, request)?,
            "user" => user(message, &at, request)?,
            "assistant" => {
                let parts = assistant(message, &at)?;
                request.messages.push(Message { role: Role::Assistant, parts });
            }
            "tool" => tool(message, &at, request)?,
            "function" => {
                return Err(Invalid::new(format!("{at}.role"), "`function` is no longer supported; use `tool`"));
            }
            other => {
                let expected = "expected one of system, developer, user, assistant, tool";
                return Err(Invalid::new(format!("{at}.role"), format!("unknown role `{other}`; {expected}")));
            }
        }
    }
    Ok(())
}

fn system<'a>(message: WireMessage<'a>, at: &str, request: &mut Request<'a>) -> Result<(), Invalid> {
    let parts = content(message.content, at)?;
    if request.messages.is_empty() {
        request.system.extend(parts.into_iter().filter_map(|p| if let Part::Text(t) = p { Some(t) } else { None }));
    } else {
        request.messages.push(Message { role: Role::System, parts });
    }
    Ok(())
}

fn user<'a>(message: WireMessage<'a>, at: &str, request: &mut Request<'a>) -> Result<(), Invalid> {
    let parts = content(message.content, at)?;
    match request.messages.last_mut() {
        // Results and what the user says with them are one message elsewhere.
        Some(Message { role: Role::User, parts: results }) if matches!(results.last(), Some(Part::ToolResult(_))) => {
            results.extend(parts);
        }
        _ => request.messages.push(Message { role: Role::User, parts }),
    }
    Ok(())
}

fn tool<'a>(message: WireMessage<'a>, at: &str, request: &mut Request<'a>) -> Result<(), Invalid> {
    let id =
        message.tool_call_id.ok_or_else(|| Invalid::new(format!("{at}.tool_call_id"), "a tool_call_id is required"))?;
    let content = content(message.content, at)?;
    let result = Part::ToolResult(ToolResult { id, content, is_error: false, cache: None });
    match request.messages.last_mut() {
        Some(Message { role: Role::User, parts }) if matches!(parts.last(), Some(Part::ToolResult(_))) => {
            parts.push(result)
        }
        _ => request.messages.push(Message { role: Role::User, parts: vec![result] }),
    }
    Ok(())
}

fn assistant<'a>(message: WireMessage<'a>, at: &str) -> Result<Vec<Part<'a>>, Invalid> {
    let mut parts = Vec::new();
    if let Some(text) = thoughts(&message) {
        parts.push(Part::Thinking(Thinking { text, signature: None, redacted: false }));
    }
    parts.extend(content(message.content, at)?);
    if let Some(refusal) = message.refusal.filter(|r| !r.is_empty()) {
        parts.push(Part::Refusal(refusal));
    }
    for (i, call) in message.tool_calls.into_iter().flatten().enumerate() {
        let at = format!("{at}.tool_calls[{i}]");
        let id = call.id.ok_or_else(|| Invalid::new(format!("{at}.id"), "an id is required"))?;
        let (name, input) = match (call.function, call.custom) {
            (Some(function), _) => (function.name, arguments(function.arguments, &at)?),
            (None, Some(custom)) => (custom.name, ToolInput::Freeform(custom.input)),
            (None, None) => return Err(Invalid::new(format!("{at}.function"), "a function is required")),
        };
        let state = call.extra_content.as_ref().and_then(signature::google);
        let state = state.map(|(signature, _)| signature.into_owned());
        parts.push(Part::ToolCall(ToolCall { id, name, input, namespace: None, state, cache: None }));
    }
    Ok(parts)
}

fn arguments<'a>(value: Option<&'a RawValue>, at: &str) -> Result<ToolInput<'a>, Invalid> {
    let Some(value) = value else { return Ok(ToolInput::Object(Json::EMPTY_OBJECT)) };
    match Text::of_token(value.get()) {
        Some(text) => Ok(ToolInput::Arguments(text)),
        None if value.get().starts_with('{') => Ok(ToolInput::Object(parse(at, value, "expected JSON")?)),
        None => Err(Invalid::new(format!("{at}.function.arguments"), "expected a string")),
    }
}

/// Thoughts in whichever of the vendors' fields; encrypted ones are left out.
fn thoughts<'a>(message: &WireMessage<'a>) -> Option<Text<'a>> {
    #[derive(Deserialize)]
    struct Detail<'a> {
        #[serde(borrow)]
        text: Option<Text<'a>>,
        #[serde(borrow)]
        summary: Option<Text<'a>>,
    }
    let string = |raw: Option<&'a RawValue>| raw.and_then(|r| Text::of_token(r.get())).filter(|t| !t.is_empty());
    string(message.reasoning_content).or_else(|| string(message.reasoning)).or_else(|| {
        let details: Vec<Detail<'_>> = serde_json::from_str(message.reasoning_details?.get()).ok()?;
        let texts: Vec<Text<'_>> = details.into_iter().filter_map(|d| d.text.or(d.summary)).collect();
        Some(Text::join(&texts, &Text::EMPTY)).filter(|t| !t.is_empty())
    })
}

fn content<'a>(value: Option<&'a RawValue>, at: &str) -> Result<Vec<Part<'a>>, Invalid> {
    let Some(value) = value else { return Ok(Vec::new()) };
    if let Some(text) = Text::of_token(value.get()) {
        return Ok(if text.is_empty() { Vec::new() } else { vec![Part::Text(TextPart { text, cache: None })] });
    }
    let at = format!("{at}.content");
    let list: Vec<&'a RawValue> = parse(&at, value, "expected a string or a list of parts")?;
    list.into_iter().enumerate().map(|(i, raw)| part(raw, &format!("{at}[{i}]"))).collect()
}

fn part<'a>(raw: &'a RawValue, at: &str) -> Result<Part<'a>, Invalid> {
    let part: WirePart<'a> = serde_json::from_str(raw.get()).map_err(|e| Invalid::new(at, reason(&e)))?;
    let missing = |field: &str| Invalid::new(format!("{at}.{field}"), format!("`{field}` is required"));
    let cache = part.cache_control.map(|mark| match mark.ttl {
        Some(ttl) if ttl.escaped() == "1h" => CacheMark::Long,
        _ => CacheMark::Short,
    });
    let media = |kind, source, name, detail| {
        Part::Media(Media { kind, source, name, context: None, detail, cited: false, cache })
    };
    Ok(match part.kind.escaped() {
        "text" | "input_text" | "output_text" => {
            Part::Text(TextPart { text: part.text.ok_or_else(|| missing("text"))?, cache })
        }
        "refusal" => Part::Refusal(part.refusal.ok_or_else(|| missing("refusal"))?),
        "image_url" => {
            let (url, detail) = url(part.image_url, "image_url", at)?;
            media(MediaKind::Image, source(url), None, detail)
        }
        // Not OpenAI's, but that of several vendors of models that see videos.
        "video_url" => {
            let (url, detail) = url(part.video_url, "video_url", at)?;
            media(MediaKind::Video, source(url), None, detail)
        }
        "input_audio" => {
            let audio = part.input_audio.ok_or_else(|| missing("input_audio"))?;
            let media_type = Text::plain(&format!("audio/{}", audio.format.decode()));
            media(MediaKind::Audio, Source::Base64 { media_type, data: audio.data }, None, None)
        }
        "file" => {
            let file = part.file.ok_or_else(|| missing("file"))?;
            let from = match (file.file_data, file.file_id) {
                (Some(data), _) => source(data),
                (None, Some(id)) => Source::File(id),
                (None, None) => return Err(missing("file.file_data")),
            };
            media(MediaKind::Document, from, file.filename, None)
        }
        "thinking" => Part::Thinking(Thinking {
            text: part.thinking.map(thinking_text).unwrap_or_default(),
            signature: None,
            redacted: false,
        }),
        _ => Part::Unknown { kind: part.kind },
    })
}

/// A URL and the `detail` of what is there. Some clients send the URL without an object around it.
fn url<'a>(raw: Option<&'a RawValue>, field: &str, at: &str) -> Result<(Text<'a>, Option<Text<'a>>), Invalid> {
    let at = format!("{at}.{field}");
    let raw = raw.ok_or_else(|| Invalid::new(&*at, format!("`{field}` is required")))?;
    if let Some(url) = Text::of_token(raw.get()) {
        return Ok((url, None));
    }
    let object: WireUrl<'a> = parse(&at, raw, "expected an object with a `url`")?;
    Ok((object.url, object.detail))
}

/// Mistral's thinking part holds text parts, others a string.
pub fn thinking_text(raw: &RawValue) -> Text<'_> {
    #[derive(Deserialize)]
    struct Inner<'a> {
        #[serde(borrow)]
        text: Option<Text<'a>>,
    }
    if let Some(text) = Text::of_token(raw.get()) {
        return text;
    }
    let parts: Vec<Inner<'_>> = serde_json::from_str(raw.get()).unwrap_or_default();
    let texts: Vec<Text<'_>> = parts.into_iter().filter_map(|p| p.text).collect();
    Text::join(&texts, &Text::EMPTY)
}

/// A data URL's parts, or any other URL as it is.
fn source(url: Text<'_>) -> Source<'_> {
    let token = url.escaped();
    let Some(rest) = token.strip_prefix("data:") else { return Source::Url(url) };
    let Some((media_type, data)) = rest.split_once(";base64,") else { return Source::Url(url) };
    let media_type = media_type.split(';').next().unwrap_or("");
    Source::Base64 { media_type: Text::plain(&escaped(media_type).decode()), data: escaped(data) }
}

/// A slice of a token that cuts no escape.
fn escaped(slice: &str) -> Text<'static> {
    Text::of_token(&format!("\"{slice}\"")).map(Text::into_owned).unwrap_or_default()
}
