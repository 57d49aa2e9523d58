//! Everything but reasoning, tools and messages.

use crate::Target;
use crate::error::{ChangeKind, Unsupported};
use crate::json::{Json, Text};
use crate::names::sha256_hex;
use crate::quirks::{Quirks, ResponseFormat, StreamUsage};
use crate::request::{OutputFormat, Request};
use crate::schema;

use super::encode::Out;
use super::reasoning;

/// Chat's own parameters without a canonical form: written unless the target refuses them.
const PASSED: [&str; 14] = [
    "n",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "verbosity",
    "prediction",
    "modalities",
    "audio",
    "web_search_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
];

/// Hints whose loss changes nothing that a client could notice in the answer.
pub const HINTS: [&str; 12] = [
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
    "billing_policy",
    "fallback_credit_token",
];

/// Fields that make the request another one: without them the answer would be wrong, not just worse.
pub const ESSENTIAL: [&str; 3] = ["compaction", "thread", "cachedContent"];

/// Refused by some models while they think.
pub const SAMPLING: [&str; 5] = ["temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty"];

/// The longest `user` and `prompt_cache_key` that OpenAI takes.
const MAX_USER: usize = 64;

pub fn write(out: &mut Out<'_>, request: &Request<'_>) -> Result<(), Unsupported> {
    max_tokens(out, request.max_tokens)?;
    sampling(out, request)?;
    stop(out, request);
    user(out, request)?;
    for (name, value) in request.extra.iter().filter(|(_, value)| !value.is_null()) {
        extra(out, name, value, thinks(request))?;
    }
    if out.target.stream {
        out.writer.key("stream").bool(true);
        if out.quirks().stream_usage == StreamUsage::Ask && !out.quirks().refuses.iter().any(|r| r == "stream_options")
        {
            out.writer.key("stream_options").raw(r#"{"include_usage":true}"#);
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
    let field = out.quirks().token_field.name();
    if !out.takes(field, "")? {
        return Ok(());
    }
    let fitting = fitting_tokens(asked, out.target);
    if asked != fitting {
        out.change(ChangeKind::Clamped, "max_tokens");
    }
    out.writer.key(field).number(fitting);
    Ok(())
}

/// What is asked of the target for `asked` output tokens: no more than it gives, no less than it takes.
pub fn fitting_tokens(asked: u64, target: &Target<'_>) -> u64 {
    let quirks = target.quirks;
    let whole = quirks.nonstream_max_tokens.filter(|_| !target.stream).unwrap_or(u64::MAX);
    asked.max(quirks.min_output_tokens.unwrap_or(0)).min(target.max_output_tokens.unwrap_or(u64::MAX)).min(whole)
}

pub fn thinks(request: &Request<'_>) -> bool {
    !request.reasoning.is_some_and(reasoning::is_off)
}

pub fn sampling(out: &mut Out<'_>, request: &Request<'_>) -> Result<(), Unsupported> {
    let thinks = thinks(request);
    if let Some(temperature) = &request.temperature
        && samples(out, "temperature", temperature, thinks)?
    {
        match clamped_temperature(temperature, out.quirks()) {
            Some(most) => {
                out.change(ChangeKind::Clamped, "temperature");
                out.writer.key("temperature").raw(&most);
            }
            None => {
                out.writer.key("temperature").json(temperature);
            }
        }
    }
    if let Some(top_p) = &request.top_p
        && samples(out, "top_p", top_p, thinks)?
    {
        if out.quirks().temperature_or_top_p && request.temperature.is_some() {
            out.change(ChangeKind::Dropped, "top_p");
        } else {
            out.writer.key("top_p").json(top_p);
        }
    }
    if let Some(top_k) = &request.top_k {
        let known = out.quirks().accepts.iter().any(|a| a == "top_k");
        if (known || out.refused("top_k", top_k.get())?) && samples(out, "top_k", top_k, thinks)? {
            out.writer.key("top_k").json(top_k);
        }
    }
    Ok(())
}

/// The target's highest temperature, where `temperature` is above it.
pub fn clamped_temperature(temperature: &Json<'_>, quirks: &Quirks) -> Option<String> {
    let most = quirks.max_temperature?;
    (temperature.as_f64()? > most).then(|| Json::of(&serde_json::json!(most)).get().to_string())
}

/// True if a sampling parameter may be written.
pub fn samples(out: &mut Out<'_>, param: &str, value: &Json<'_>, thinks: bool) -> Result<bool, Unsupported> {
    if !out.takes(param, value.get())? {
        return Ok(false);
    }
    if !(thinks && out.quirks().thinking_refuses_sampling) {
        return Ok(true);
    }
    // 1 is what a model without the parameter does anyway.
    if value.as_f64() == Some(1.0) {
        out.change(ChangeKind::Dropped, param);
        return Ok(false);
    }
    out.refused(param, value.get())
}

/// What does not fit is enforced on our side, so nothing is lost and nothing reported.
fn stop(out: &mut Out<'_>, request: &Request<'_>) {
    let sent = request.stop.len() - super::excess_stops(&request.stop, out.quirks()).len();
    if sent == 0 {
        return;
    }
    out.writer.key("stop").open_array();
    for stop in &request.stop[..sent] {
        out.writer.text(stop);
    }
    out.writer.close_array();
}

pub fn user(out: &mut Out<'_>, request: &Request<'_>) -> Result<(), Unsupported> {
    let given =
        |name: &str| request.extra.iter().find(|(key, _)| key.escaped() == name).and_then(|(_, value)| value.as_text());
    if let (Some(user), Some(field)) = (&request.user, &out.quirks().user_field)
        && given(field).is_none()
        && !out.quirks().refuses.contains(field)
    {
        out.writer.key(field);
        let decoded = user.decode();
        // A structured id, as Claude Code sends it, is nobody's business upstream.
        if decoded.len() <= MAX_USER && !decoded.starts_with('{') {
            out.writer.text(user);
        } else {
            out.writer.str(&sha256_hex(decoded.as_bytes()));
        }
    }
    if out.quirks().prompt_cache_key {
        if let Some(key) = given("prompt_cache_key") {
            out.writer.key("prompt_cache_key").text(&key);
        } else if let Some(user) = &request.user {
            out.writer.key("prompt_cache_key").str(&sha256_hex(session(&user.decode()).as_bytes()));
        }
    }
    Ok(())
}

/// The session inside Claude Code's user id, else the id itself.
fn session(user: &str) -> String {
    let fields: Option<serde_json::Value> = serde_json::from_str(user).ok();
    match fields.as_ref().and_then(|f| f.get("session_id")).and_then(|s| s.as_str()) {
        Some(session) => session.to_string(),
        None => user.to_string(),
    }
}

fn extra(out: &mut Out<'_>, name: &Text<'_>, value: &Json<'_>, thinks: bool) -> Result<(), Unsupported> {
    let name = name.decode();
    let name = name.as_ref();
    if ESSENTIAL.contains(&name) {
        return Err(Unsupported::content(name, format!("not supported by {}", out.target.label)));
    }
    if name == "prompt_cache_key" {
        return Ok(());
    }
    let own_tier = name == "service_tier" && !matches!(value.get(), "\"auto\"" | "\"standard_only\"" | "\"standard\"");
    if name == "seed" {
        if out.takes("seed", "")? {
            let field = out.quirks().seed_field.as_deref().unwrap_or("seed");
            out.writer.key(field).json(value);
        }
    } else if PASSED.contains(&name) || own_tier || out.quirks().accepts.iter().any(|a| a == name) {
        let wanted =
            if SAMPLING.contains(&name) { samples(out, name, value, thinks)? } else { out.takes(name, value.get())? };
        if wanted {
            out.writer.key(name).json(value);
        }
    } else if !HINTS.contains(&name) {
        out.change(ChangeKind::Dropped, name);
    }
    Ok(())
}

/// Writes `response_format`; where the target has none, gives the sentence for the system prompt that stands in for it.
pub fn response_format(out: &mut Out<'_>, request: &Request<'_>) -> Result<Vec<String>, Unsupported> {
    let Some(format) = &request.output_format else { return Ok(Vec::new()) };
    if !out.takes("response_format", "")? {
        return Ok(Vec::new());
    }
    let form = out.quirks().response_format;
    match format {
        OutputFormat::JsonObject if form != ResponseFormat::None => {
            out.writer.key("response_format").raw(r#"{"type":"json_object"}"#);
            Ok(Vec::new())
        }
        OutputFormat::JsonObject => {
            out.change(ChangeKind::Textualised, "response_format");
            Ok(vec!["Answer with one JSON object and nothing else.".into()])
        }
        OutputFormat::JsonSchema { name, description, schema: wanted, strict }
            if form == ResponseFormat::JsonSchema =>
        {
            let cleaned = schema::clean_answer(wanted, out.quirks().schema, &out.quirks().schema_drops);
            // OpenAI refuses a strict format whose schema leaves anything open.
            let strict = strict.unwrap_or(true) && schema::is_strict(&cleaned);
            if !schema::keeps(wanted, cleaned.get()) {
                out.change(ChangeKind::Rewritten, "response_format");
            }
            out.writer.key("response_format").open_object().key("type").str("json_schema");
            out.writer.key("json_schema").open_object().key("name");
            match name {
                Some(name) => out.writer.text(name),
                None => out.writer.str("output"),
            };
            if let Some(description) = description {
                out.writer.key("description").text(description);
            }
            out.writer.key("schema").json(&cleaned).key("strict").bool(strict).close_object().close_object();
            Ok(Vec::new())
        }
        OutputFormat::JsonSchema { schema: wanted, .. } => {
            if form == ResponseFormat::JsonObject {
                out.writer.key("response_format").raw(r#"{"type":"json_object"}"#);
            }
            out.change(ChangeKind::Textualised, "response_format");
            let schema = wanted.get();
            Ok(vec![format!(
                "Answer with one JSON value that follows this JSON Schema and with nothing else:\n{schema}"
            )])
        }
    }
}
