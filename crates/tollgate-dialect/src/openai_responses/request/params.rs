//! Everything but tools and the conversation.

use crate::error::{ChangeKind, Unsupported};
use crate::json::{Json, Text};
use crate::openai_chat::request::Out;
use crate::openai_chat::request::params::{self as chat, ESSENTIAL, HINTS};
use crate::openai_chat::request::reasoning;
use crate::quirks::{ReasoningControl, ResponseFormat};
use crate::request::{OutputFormat, Reasoning, Request};
use crate::scan::items;
use crate::{Target, schema, search};

/// OpenAI refuses fewer output tokens than this (platform.openai.com, 2026-11).
pub const LEAST_TOKENS: u64 = 16;

/// Parameters of the API without a canonical form: written unless the target refuses them.
const PASSED: [&str; 12] = [
    "top_logprobs",
    "safety_identifier",
    "metadata",
    "truncation",
    "max_tool_calls",
    "prompt_cache_options",
    "prompt_cache_retention",
    "moderation",
    "image",
    "verbosity",
    "include",
    "prompt_cache_key",
];

/// Those of them that are written together with others.
const ELSEWHERE: [&str; 3] = ["verbosity", "include", "prompt_cache_key"];

/// Chat parameters that change the answer and that this dialect cannot say, with the values at which they change nothing.
const UNSUPPORTED: [(&str, &[&str]); 10] = [
    ("n", &["1"]),
    ("logprobs", &["false"]),
    ("logit_bias", &["{}"]),
    ("seed", &[]),
    ("frequency_penalty", &["0", "0.0"]),
    ("presence_penalty", &["0", "0.0"]),
    ("prediction", &[]),
    ("audio", &[]),
    ("modalities", &[r#"["text"]"#]),
    ("min_p", &["0", "0.0"]),
];

/// Hints of other dialects.
const MOOT: [&str; 2] = ["store", "stream_options"];

pub fn write(out: &mut Out<'_>, request: &Request<'_>) -> Result<(), Unsupported> {
    max_output_tokens(out, request.max_tokens)?;
    chat::sampling(out, request)?;
    chat::user(out, request)?;
    for (name, value) in request.extra.iter().filter(|(_, value)| !value.is_null()) {
        extra(out, &name.decode(), value)?;
    }
    if out.target.stream {
        out.writer.key("stream").bool(true);
    }
    out.writer.key("store").bool(false);
    thinking(out, request.reasoning);
    include(out, request);
    Ok(())
}

fn max_output_tokens(out: &mut Out<'_>, asked: Option<u64>) -> Result<(), Unsupported> {
    let Some(asked) = asked else { return Ok(()) };
    if asked == 0 {
        let words = format!("0 (warming a prompt cache without an answer) is not supported by {}", out.target.label);
        return Err(Unsupported::content("max_tokens", words));
    }
    if out.takes("max_output_tokens", "")? {
        let fitting = fitting_tokens(asked, out.target);
        if fitting != asked {
            out.change(ChangeKind::Clamped, "max_tokens");
        }
        out.writer.key("max_output_tokens").number(fitting);
    }
    Ok(())
}

/// What is asked of the target for `asked` output tokens: no more than it gives, no less than it takes.
pub fn fitting_tokens(asked: u64, target: &Target<'_>) -> u64 {
    chat::fitting_tokens(asked.max(LEAST_TOKENS), target)
}

fn extra(out: &mut Out<'_>, name: &str, value: &Json<'_>) -> Result<(), Unsupported> {
    // Anthropic's field of this name is an object.
    let own_context = name == "context_management" && value.is_array();
    let own_tier = name == "service_tier" && !matches!(value.get(), "\"auto\"" | "\"standard_only\"" | "\"standard\"");
    if let Some((_, idle)) = UNSUPPORTED.iter().find(|(unsupported, _)| *unsupported == name) {
        if !idle.contains(&value.get()) {
            out.refused(name, value.get())?;
        }
    } else if ESSENTIAL.contains(&name) {
        return Err(Unsupported::content(name, format!("not supported by {}", out.target.label)));
    } else if name == search::OPTIONS && out.quirks().plain_tools {
        out.refused(name, value.get())?;
    } else if ELSEWHERE.contains(&name) || name == search::OPTIONS {
        // Written by others.
    } else if PASSED.contains(&name) || own_context || own_tier || out.quirks().accepts.iter().any(|a| a == name) {
        if out.takes(name, value.get())? {
            out.writer.key(name).json(value);
        }
    } else if !HINTS.contains(&name) && !MOOT.contains(&name) {
        out.change(ChangeKind::Dropped, name);
    }
    Ok(())
}

fn refuses(out: &Out<'_>, name: &str) -> bool {
    out.quirks().refuses.iter().any(|refused| refused == name)
}

/// The model thinks, as far as is known.
fn thinks(out: &Out<'_>) -> bool {
    out.quirks().reasoning != ReasoningControl::None && !refuses(out, "reasoning")
}

fn thinking(out: &mut Out<'_>, asked: Option<Reasoning>) {
    let Some(asked) = asked else { return };
    let wanted = reasoning::effort(asked);
    let effort = wanted.and_then(|wanted| reasoning::nearest(wanted, &out.quirks().efforts));
    let effort = effort.filter(|_| !refuses(out, "reasoning_effort") && !refuses(out, "reasoning.effort"));
    let thinks = thinks(out);
    if !reasoning::is_off(asked) && (!thinks || (wanted.is_some() && effort.is_none())) {
        out.change(ChangeKind::Dropped, "thinking");
    } else if let Some((what, field)) = reasoning::difference(asked, effort).filter(|_| thinks) {
        out.change(what, field);
    }
    if !thinks {
        return;
    }
    let summary = !reasoning::is_off(asked) && asked.visible != Some(false) && !refuses(out, "reasoning.summary");
    if effort.is_none() && !summary {
        return;
    }
    out.writer.key("reasoning").open_object();
    if let Some(effort) = effort {
        out.writer.key("effort").str(effort.name());
    }
    if summary {
        out.writer.key("summary").str("auto");
    }
    out.writer.close_object();
}

/// Models that do not think refuse to be asked for their encrypted thoughts.
fn include(out: &mut Out<'_>, request: &Request<'_>) {
    const ENCRYPTED: &str = "\"reasoning.encrypted_content\"";
    let given = request.extra.iter().find(|(name, _)| name.escaped() == "include").map(|(_, value)| value);
    let mut wanted: Vec<&str> =
        given.and_then(|value| items(value.get())).unwrap_or_default().into_iter().map(|item| item.get()).collect();
    wanted.retain(|item| *item != ENCRYPTED);
    if thinks(out) && !refuses(out, "reasoning.encrypted_content") {
        wanted.push(ENCRYPTED);
    }
    if !wanted.is_empty() && !refuses(out, "include") {
        out.writer.key("include").raw(&format!("[{}]", wanted.join(",")));
    }
}

/// Writes the form of the answer and its length; where the target has no such form, gives the sentence that stands in for it.
pub fn text(out: &mut Out<'_>, request: &Request<'_>) -> Result<Vec<String>, Unsupported> {
    let verbosity = request.extra.iter().find(|(name, _)| name.escaped() == "verbosity").map(|(_, value)| value);
    let verbosity = match verbosity.filter(|value| value.as_text().is_some()) {
        Some(value) if out.takes("verbosity", value.get())? => Some(value),
        _ => None,
    };
    let (format, note) = format(out, request.output_format.as_ref())?;
    if format.is_some() || verbosity.is_some() {
        out.writer.key("text").open_object();
        if let Some(format) = format {
            out.writer.key("format").raw(&format);
        }
        if let Some(verbosity) = verbosity {
            out.writer.key("verbosity").json(verbosity);
        }
        out.writer.close_object();
    }
    Ok(note.into_iter().collect())
}

fn format(
    out: &mut Out<'_>,
    wanted: Option<&OutputFormat<'_>>,
) -> Result<(Option<String>, Option<String>), Unsupported> {
    let Some(wanted) = wanted else { return Ok((None, None)) };
    if !out.takes("response_format", "")? {
        return Ok((None, None));
    }
    let form = out.quirks().response_format;
    let any_object = || Some(r#"{"type":"json_object"}"#.to_string());
    match wanted {
        OutputFormat::JsonSchema { name, description, schema, strict } if form == ResponseFormat::JsonSchema => {
            let cleaned = schema::clean_answer(schema, out.quirks().schema, &out.quirks().schema_drops);
            let mut writer = crate::json::Writer::default();
            writer.open_object().key("type").str("json_schema").key("name");
            writer.text(name.as_ref().unwrap_or(&Text::literal("output")));
            if let Some(description) = description {
                writer.key("description").text(description);
            }
            // A strict format whose schema leaves anything open is refused.
            let strict = strict.unwrap_or(true) && schema::is_strict(&cleaned);
            if !schema::keeps(schema, cleaned.get()) {
                out.change(ChangeKind::Rewritten, "response_format");
            }
            writer.key("schema").json(&cleaned).key("strict").bool(strict).close_object();
            Ok((String::from_utf8(writer.out).ok(), None))
        }
        OutputFormat::JsonObject if form != ResponseFormat::None => Ok((any_object(), None)),
        OutputFormat::JsonObject => {
            out.change(ChangeKind::Textualised, "response_format");
            Ok((None, Some("Answer with one JSON object and nothing else.".into())))
        }
        OutputFormat::JsonSchema { schema, .. } => {
            out.change(ChangeKind::Textualised, "response_format");
            let schema = schema.get();
            let words =
                format!("Answer with one JSON value that follows this JSON Schema and with nothing else:\n{schema}");
            Ok((any_object().filter(|_| form == ResponseFormat::JsonObject), Some(words)))
        }
    }
}
