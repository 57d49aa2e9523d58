//! `generationConfig` and the other fields beside contents and tools.

use super::decode_config::{OWN, SHARED};
use super::encode::Out;
use super::thinking;
use crate::Target;
use crate::error::{ChangeKind, Unsupported};
use crate::json::{Json, Text};
use crate::quirks::{ResponseFormat, SchemaForm, is_idle};
use crate::request::{OutputFormat, Request};
use crate::schema;

/// Chat parameters that change the answer and that this dialect cannot say.
const UNSUPPORTED: [&str; 7] = ["logprobs", "top_logprobs", "logit_bias", "prediction", "audio", "modalities", "min_p"];

/// Fields that make the request another one: without them the answer would be wrong, not just worse.
const ESSENTIAL: [&str; 2] = ["compaction", "thread"];

/// Hints, and what concerns the gateway: their loss changes no answer.
const HINTS: [&str; 17] = [
    "metadata",
    "service_tier",
    "speed",
    "betas",
    "anthropic_beta",
    "anthropic_version",
    "cache_control",
    "diagnostics",
    "safeguards",
    "user_profile_id",
    "store",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "stream_options",
    "reasoning_effort",
    "web_search_options",
];

/// Google's own in `generationConfig`.
const NATIVE_CONFIG: [&str; 8] = [
    "responseMimeType",
    "responseModalities",
    "speechConfig",
    "mediaResolution",
    "imageConfig",
    "responseLogprobs",
    "logprobs",
    "audioTimestamp",
];

/// Google's own, beside `generationConfig`.
const NATIVE: [&str; 4] = ["safetySettings", "cachedContent", "labels", "serviceTier"];

/// Gives sentences for the system prompt that stand in for what the target lacks.
pub fn write(out: &mut Out<'_>, request: &Request<'_>) -> Result<Vec<String>, Unsupported> {
    let start = out.writer.out.len();
    out.writer.key("generationConfig").open_object();
    sampling(out, request)?;
    max_tokens(out, request.max_tokens)?;
    stop(out, request);
    thinking::write(out, request.reasoning);
    let notes = format(out, request);
    for (name, value) in request.extra.iter().filter(|(_, value)| !value.is_null()) {
        own_config(out, name, value)?;
    }
    if out.writer.out.ends_with(b"{") {
        out.writer.out.truncate(start);
    } else {
        out.writer.close_object();
    }
    for (name, value) in request.extra.iter().filter(|(_, value)| !value.is_null()) {
        beside(out, name, value)?;
    }
    Ok(notes)
}

fn sampling(out: &mut Out<'_>, request: &Request<'_>) -> Result<(), Unsupported> {
    if let Some(temperature) = &request.temperature
        && out.takes("temperature", "temperature", temperature.get())?
    {
        let most = out.quirks().max_temperature.filter(|most| temperature.as_f64().is_some_and(|t| t > *most));
        out.writer.key("temperature");
        match most {
            Some(most) => _ = out.writer.json(&Json::of(&serde_json::json!(most))),
            None => _ = out.writer.json(temperature),
        }
        if most.is_some() {
            out.change(ChangeKind::Clamped, "temperature");
        }
    }
    for (theirs, clients, value) in [("topP", "top_p", &request.top_p), ("topK", "top_k", &request.top_k)] {
        if let Some(value) = value
            && out.takes(theirs, clients, value.get())?
        {
            out.writer.key(theirs).json(value);
        }
    }
    Ok(())
}

fn max_tokens(out: &mut Out<'_>, asked: Option<u64>) -> Result<(), Unsupported> {
    let Some(asked) = asked else { return Ok(()) };
    if asked == 0 {
        return Err(Unsupported::content(
            "max_tokens",
            format!("0 (warming a prompt cache without an answer) is not supported by {}", out.target.label),
        ));
    }
    if out.takes("maxOutputTokens", "max_tokens", "")? {
        let fitting = fitting_tokens(asked, out.target);
        if fitting != asked {
            out.change(ChangeKind::Clamped, "max_tokens");
        }
        out.writer.key("maxOutputTokens").number(fitting);
    }
    Ok(())
}

/// What is asked of the target for `asked` output tokens.
pub fn fitting_tokens(asked: u64, target: &Target<'_>) -> u64 {
    asked.max(target.quirks.min_output_tokens.unwrap_or(0)).min(target.max_output_tokens.unwrap_or(u64::MAX))
}

/// What does not fit is enforced on our side, so nothing is lost and nothing reported.
fn stop(out: &mut Out<'_>, request: &Request<'_>) {
    let sent = request.stop.len() - excess_stops(&request.stop, out.target).len();
    if sent == 0 {
        return;
    }
    out.writer.key("stopSequences").open_array();
    request.stop[..sent].iter().for_each(|stop| _ = out.writer.text(stop));
    out.writer.close_array();
}

/// The stop sequences that the target does not take and that must be looked for in its answer.
pub fn excess_stops<'r, 'a>(stop: &'r [Text<'a>], target: &Target<'_>) -> &'r [Text<'a>] {
    let refused = target.quirks.refuses.iter().any(|name| name == "stopSequences");
    let most = if refused { 0 } else { target.quirks.max_stop.unwrap_or(usize::MAX) };
    stop.get(most..).unwrap_or(&[])
}

fn format(out: &mut Out<'_>, request: &Request<'_>) -> Vec<String> {
    let Some(format) = &request.output_format else { return Vec::new() };
    let quirks = out.quirks();
    let beside_tools = request.tools.is_empty() || quirks.gemini.format_with_tools;
    let takes_schema = quirks.response_format == ResponseFormat::JsonSchema && beside_tools;
    let takes_json = quirks.response_format != ResponseFormat::None && beside_tools;
    if takes_json {
        out.writer.key("responseMimeType").str("application/json");
    }
    match format {
        OutputFormat::JsonObject if takes_json => Vec::new(),
        OutputFormat::JsonObject => {
            out.change(ChangeKind::Textualised, "response_format");
            vec!["Answer with one JSON object and nothing else.".into()]
        }
        OutputFormat::JsonSchema { schema, description, .. } if takes_schema => {
            let form = schema_form(out.target);
            let cleaned = schema::clean_answer(schema, form, &quirks.schema_drops);
            if !schema::keeps(schema, cleaned.get()) {
                out.change(ChangeKind::Rewritten, "response_format");
            }
            if description.is_some() {
                out.change(ChangeKind::Dropped, "response_format.description");
            }
            let key = if form == SchemaForm::Gemini { "responseSchema" } else { "responseJsonSchema" };
            out.writer.key(key).json(&cleaned);
            Vec::new()
        }
        OutputFormat::JsonSchema { schema, .. } => {
            out.change(ChangeKind::Textualised, "response_format");
            let schema = schema.get();
            vec![format!("Answer with one JSON value that follows this JSON Schema and with nothing else:\n{schema}")]
        }
    }
}

/// The form of schemas, and with it the fields that hold them.
pub fn schema_form(target: &Target<'_>) -> SchemaForm {
    if target.quirks.gemini.json_schema { SchemaForm::GeminiJson } else { SchemaForm::Gemini }
}

/// Extra parameters that belong into `generationConfig`.
fn own_config(out: &mut Out<'_>, name: &Text<'_>, value: &Json<'_>) -> Result<(), Unsupported> {
    let name = name.escaped();
    if let Some(own) = name.strip_prefix(OWN) {
        match NATIVE_CONFIG.contains(&own) {
            true => _ = out.writer.key(own).json(value),
            false => out.change(ChangeKind::Dropped, name),
        }
    } else if let Some((theirs, _)) = SHARED.iter().find(|(_, chats)| *chats == name) {
        // Only the first candidate would be read.
        let wanted = match name {
            "n" if value.get() == "1" => false,
            "n" => out.refused("n", value.get())?,
            name => out.takes(theirs, name, value.get())?,
        };
        if wanted {
            out.writer.key(theirs).json(value);
        }
    }
    Ok(())
}

/// Extra fields beside it.
fn beside(out: &mut Out<'_>, name: &Text<'_>, value: &Json<'_>) -> Result<(), Unsupported> {
    let decoded = name.decode();
    let name = decoded.as_ref();
    if ESSENTIAL.contains(&name) {
        return Err(Unsupported::content(name, format!("not supported by {}", out.target.label)));
    }
    if UNSUPPORTED.contains(&name) {
        out.refused(name, value.get())?;
    } else if NATIVE.contains(&name) {
        if out.takes(name, name, value.get())? {
            out.writer.key(name).json(value);
        }
    } else if is_idle(name, value.get()) {
        // It says what is so without it.
    } else if out.quirks().accepts.iter().any(|accepted| accepted == name) {
        out.writer.key(name).json(value);
    } else if !HINTS.contains(&name) && !name.starts_with(OWN) && !SHARED.iter().any(|(_, chats)| *chats == name) {
        out.change(ChangeKind::Dropped, name);
    }
    Ok(())
}
