//! The items of a Responses client's `input` to messages.
//!
//! Items stand in a row: what the assistant made in one go, thoughts, texts and calls, becomes one message, and so do results
//! and what the user says with them.

use crate::error::Invalid;
use crate::json::{Json, Text};
use crate::names::qualified;
use crate::openai_responses::kept::not_found;
use crate::openai_responses::state;
use crate::openai_responses::wire::{Item, Part as WirePart, is_hosted, word};
use crate::request::{
    CacheMark, Media, MediaKind, Message, Part, Request, Role, Source, TextPart, Thinking, ToolCall, ToolInput,
    ToolResult,
};
use crate::scan::{Raw, items, object};

use super::decode::required;

/// Codex asks so a provider that it takes for OpenAI, and compacts by itself with any other (0.169).
const NO_COMPACTION: &str = "the conversation cannot be compacted here: only OpenAI's own Responses API does that, and this route leads to \
                             another. Let the client compact it (Codex does with any provider that is not named OpenAI, as `tollgate run \
                             codex` sets it up)";

pub fn decode<'a>(field: &str, value: Raw<'a>, request: &mut Request<'a>) -> Result<(), Invalid> {
    if let Some(text) = value.text() {
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::Text(TextPart { text, cache: None })] };
        request.messages.push(Message { role: Role::User, parts });
        return Ok(());
    }
    let list = items(value.get()).ok_or_else(|| Invalid::new(field, "expected a string or a list of items"))?;
    for (i, raw) in list.into_iter().enumerate() {
        item(raw, &format!("{field}[{i}]"), request)?;
    }
    Ok(())
}

fn item<'a>(raw: Raw<'a>, at: &str, request: &mut Request<'a>) -> Result<(), Invalid> {
    let item = Item::parse(raw.get()).map_err(|_| Invalid::new(at, "expected an object"))?;
    match word(item.kind) {
        "message" | "" => message(&item, at, request)?,
        "function_call" => {
            let input = item.arguments.map_or(ToolInput::Object(Json::EMPTY_OBJECT), arguments);
            call(&item, input, at, request)?;
        }
        "custom_tool_call" => {
            let input = item.input.and_then(Raw::text).unwrap_or_default();
            call(&item, ToolInput::Freeform(input), at, request)?;
        }
        "function_call_output" | "custom_tool_call_output" => {
            let id = required(at, "call_id", item.call_id)?;
            let content = item.output.map_or(Ok(Vec::new()), |raw| output(raw, &format!("{at}.output")))?;
            result(Part::ToolResult(ToolResult { id, content, is_error: false, cache: None }), request);
        }
        "reasoning" => by_assistant(Part::Thinking(thinking(&item)), request),
        "item_reference" => {
            let id = required(at, "id", item.id)?;
            return Err(Invalid::new("input", not_found(&id.decode())));
        }
        // By these names OpenAI and Codex 0.169 know it.
        "compaction" | "compaction_summary" | "context_compaction" => {
            compacted(required(at, "type", item.kind)?, request);
        }
        "compaction_trigger" => return Err(Invalid::new(format!("{at}.type"), NO_COMPACTION)),
        kind if is_hosted(kind) => {
            let part = Part::Server { kind: required(at, "type", item.kind)?, fields: raw.json() };
            if kind.ends_with("_output") || kind.ends_with("_response") {
                result(part, request);
            } else {
                by_assistant(part, request);
            }
        }
        _ => unknown(required(at, "type", item.kind)?, request),
    }
    Ok(())
}

fn message<'a>(item: &Item<'a>, at: &str, request: &mut Request<'a>) -> Result<(), Invalid> {
    let parts = item.content.map_or(Ok(Vec::new()), |raw| content(raw, &format!("{at}.content")))?;
    match word(item.role) {
        "system" | "developer" if request.messages.is_empty() => {
            request.system.extend(parts.into_iter().filter_map(|p| if let Part::Text(t) = p { Some(t) } else { None }));
        }
        "system" | "developer" => request.messages.push(Message { role: Role::System, parts }),
        "user" => match request.messages.last_mut() {
            Some(Message { role: Role::User, parts: results })
                if matches!(results.last(), Some(Part::ToolResult(_))) =>
            {
                results.extend(parts);
            }
            _ => request.messages.push(Message { role: Role::User, parts }),
        },
        "assistant" => match request.messages.last_mut() {
            // Two texts in a row were two messages.
            Some(Message { role: Role::Assistant, parts: before })
                if !before.iter().any(|p| matches!(p, Part::Text(_) | Part::Refusal(_))) =>
            {
                before.extend(parts);
            }
            _ => request.messages.push(Message { role: Role::Assistant, parts }),
        },
        other => {
            let expected = "expected one of system, developer, user, assistant";
            return Err(Invalid::new(format!("{at}.role"), format!("unknown role `{other}`; {expected}")));
        }
    }
    Ok(())
}

fn call<'a>(item: &Item<'a>, input: ToolInput<'a>, at: &str, request: &mut Request<'a>) -> Result<(), Invalid> {
    let namespace = item.namespace.and_then(Raw::text);
    let call = ToolCall {
        id: required(at, "call_id", item.call_id)?,
        name: qualified(namespace.as_ref(), required(at, "name", item.name)?),
        input,
        namespace,
        state: None,
        cache: None,
    };
    by_assistant(Part::ToolCall(call), request);
    Ok(())
}

fn arguments(raw: Raw<'_>) -> ToolInput<'_> {
    match raw.text() {
        Some(text) => ToolInput::Arguments(text),
        None => ToolInput::Object(raw.json()),
    }
}

fn by_assistant<'a>(part: Part<'a>, request: &mut Request<'a>) {
    match request.messages.last_mut() {
        Some(Message { role: Role::Assistant, parts }) => parts.push(part),
        _ => request.messages.push(Message { role: Role::Assistant, parts: vec![part] }),
    }
}

fn result<'a>(part: Part<'a>, request: &mut Request<'a>) {
    match request.messages.last_mut() {
        Some(Message { role: Role::User, parts }) if matches!(parts.last(), Some(Part::ToolResult(_))) => {
            parts.push(part);
        }
        _ => request.messages.push(Message { role: Role::User, parts: vec![part] }),
    }
}

/// What a compaction stands for its maker alone can read. The user's messages stay beside it, so that the conversation can go on here: the
/// model is told what it lacks, and so is the client.
fn compacted<'a>(kind: Text<'a>, request: &mut Request<'a>) {
    const NOTE: &str = "[Here the conversation was compacted by another provider, in a form that only it can read. What the assistant said \
                        and did before is lost, but for what the messages show.]";
    unknown(kind, request);
    let note = Part::Text(TextPart { text: Text::literal(NOTE), cache: None });
    request.messages.push(Message { role: Role::System, parts: vec![note] });
}

/// It says nothing to anybody, so it must not part what belongs together.
fn unknown<'a>(kind: Text<'a>, request: &mut Request<'a>) {
    let part = Part::Unknown { kind };
    match request.messages.last_mut() {
        Some(message) => message.parts.push(part),
        None => request.messages.push(Message { role: Role::System, parts: vec![part] }),
    }
}

/// The thoughts themselves where they are told, else their summary.
fn thinking<'a>(item: &Item<'a>) -> Thinking<'a> {
    let texts = |raw: Option<Raw<'a>>| -> Vec<Text<'a>> {
        let parts = raw.and_then(|raw| items(raw.get())).unwrap_or_default();
        parts.into_iter().filter_map(|raw| WirePart::parse(raw.get()).ok()?.text?.text()).collect()
    };
    let mut told = texts(item.content);
    if told.is_empty() {
        told = texts(item.summary);
    }
    let text = match &mut told[..] {
        [one] => std::mem::take(one),
        several => Text::join(&*several, &Text::literal("\\n\\n")),
    };
    Thinking { text, signature: state::signature_of(item.id, item.encrypted_content), redacted: false }
}

fn output<'a>(raw: Raw<'a>, at: &str) -> Result<Vec<Part<'a>>, Invalid> {
    match raw.text() {
        Some(text) if text.is_empty() => Ok(Vec::new()),
        None if !raw.is_array() => Ok(vec![Part::Text(TextPart { text: Text::plain(raw.get()), cache: None })]),
        _ => content(raw, at),
    }
}

fn content<'a>(raw: Raw<'a>, at: &str) -> Result<Vec<Part<'a>>, Invalid> {
    if let Some(text) = raw.text() {
        return Ok(if text.is_empty() { Vec::new() } else { vec![Part::Text(TextPart { text, cache: None })] });
    }
    let list = items(raw.get()).ok_or_else(|| Invalid::new(at, "expected a string or a list of parts"))?;
    list.into_iter().enumerate().map(|(i, raw)| part(raw, &format!("{at}[{i}]"))).collect()
}

fn part<'a>(raw: Raw<'a>, at: &str) -> Result<Part<'a>, Invalid> {
    let part = WirePart::parse(raw.get()).map_err(|_| Invalid::new(at, "expected an object"))?;
    let cache = part.prompt_cache_breakpoint.map(mark);
    let media = |kind, source, name, detail| Part::Media(Media { kind, source, name, context: None, detail, cache });
    let text = |raw: Option<Raw<'a>>| raw.and_then(Raw::text);
    Ok(match word(part.kind) {
        "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
            Part::Text(TextPart { text: required(at, "text", part.text)?, cache })
        }
        "refusal" => Part::Refusal(required(at, "refusal", part.refusal)?),
        "input_image" => {
            let from = match (text(part.image_url), text(part.file_id)) {
                (Some(url), _) => source(url),
                (None, Some(id)) => Source::File(id),
                (None, None) => return Err(Invalid::new(format!("{at}.image_url"), "`image_url` is required")),
            };
            media(MediaKind::Image, from, None, text(part.detail))
        }
        "input_file" => {
            let from = match (text(part.file_data), text(part.file_url), text(part.file_id)) {
                (Some(data), ..) => file(data),
                (None, Some(url), _) => source(url),
                (None, None, Some(id)) => Source::File(id),
                (None, None, None) => return Err(Invalid::new(format!("{at}.file_data"), "`file_data` is required")),
            };
            media(MediaKind::Document, from, text(part.filename), None)
        }
        "input_audio" => audio(part.input_audio, at)?,
        _ => Part::Unknown { kind: required(at, "type", part.kind)? },
    })
}

fn audio<'a>(raw: Option<Raw<'a>>, at: &str) -> Result<Part<'a>, Invalid> {
    object! {
        Audio {
            data,
            format,
        }
    }
    let at = format!("{at}.input_audio");
    let audio = raw.and_then(|raw| Audio::parse(raw.get()).ok()).unwrap_or_default();
    let data = required(&at, "data", audio.data)?;
    let media_type = Text::plain(&format!("audio/{}", required(&at, "format", audio.format)?.decode()));
    let source = Source::Base64 { media_type, data };
    Ok(Part::Media(Media { kind: MediaKind::Audio, source, name: None, context: None, detail: None, cache: None }))
}

fn mark(raw: Raw<'_>) -> CacheMark {
    object! {
        Breakpoint {
            ttl,
        }
    }
    let ttl = Breakpoint::parse(raw.get()).ok().and_then(|b| b.ttl);
    if word(ttl) == "12h" { CacheMark::Long } else { CacheMark::Short }
}

/// The data of a file: a data URL, or base64 alone, which clients send of PDFs.
fn file(data: Text<'_>) -> Source<'_> {
    match source(data) {
        Source::Url(url) if !url.escaped().starts_with("http") => {
            Source::Base64 { media_type: Text::literal("application/pdf"), data: url }
        }
        source => source,
    }
}

/// A data URL's parts, or any other URL as it is.
fn source(url: Text<'_>) -> Source<'_> {
    let parts = || -> Option<(String, String)> {
        let decoded = url.decode();
        let (media_type, data) = decoded.strip_prefix("data:")?.split_once(";base64,")?;
        Some((media_type.split(';').next().unwrap_or("").to_string(), data.to_string()))
    };
    match parts() {
        Some((media_type, data)) => Source::Base64 { media_type: Text::plain(&media_type), data: Text::plain(&data) },
        None => Source::Url(url),
    }
}
