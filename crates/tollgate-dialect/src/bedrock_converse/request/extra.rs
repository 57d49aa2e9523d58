//! Fields of a request that have no canonical form.

use crate::error::{ChangeKind, Unsupported};
use crate::json::{Json, Text};
use crate::quirks::{Maker, is_idle};
use crate::request::Request;

use super::encode::Out;
use super::native::Native;

/// Parameters that change the answer and that this dialect cannot say.
const UNSUPPORTED: [&str; 13] = [
    "n",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "prediction",
    "audio",
    "modalities",
    "min_p",
    "web_search_options",
    "container",
];

/// Fields that make the request another one: without them the answer would be wrong, not just worse.
const ESSENTIAL: [&str; 3] = ["compaction", "thread", "cachedContent"];

/// Hints, and what concerns the gateway: their loss changes no answer.
const HINTS: [&str; 17] = [
    "anthropic_version",
    "billing_policy",
    "cache_control",
    "diagnostics",
    "moderation",
    "parallel_tool_calls",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "reasoning_effort",
    "safeguards",
    "safety_identifier",
    "speed",
    "store",
    "stream_options",
    "user_profile_id",
];

/// Converse's own, as it writes them.
const NATIVE: [&str; 5] = ["guardrailConfig", "performanceConfig", "promptVariables", RESPONSE_FIELDS, "serviceTier"];

/// Which fields of the model's own answer shall come along.
const RESPONSE_FIELDS: &str = "additionalModelResponseFieldPaths";

/// botocore 1.44.8, `RequestMetadata`.
const MOST_METADATA: usize = 16;
const LONGEST_METADATA: usize = 256;

pub fn write(out: &mut Out<'_>, request: &Request<'_>, native: &mut Native) -> Result<(), Unsupported> {
    for (name, value) in request.extra.iter().filter(|(_, value)| !value.is_null()) {
        one(out, &name.decode(), value, native)?;
    }
    metadata(out, request);
    which_stop(out, request);
    Ok(())
}

/// Converse says that a stop sequence ended the answer; which one is in Claude's own answer (docs.aws.amazon.com, Converse API,
/// 2026-11).
fn which_stop(out: &mut Out<'_>, request: &Request<'_>) {
    let given = request.extra.iter().any(|(name, _)| name.escaped() == RESPONSE_FIELDS);
    let sent = request.stop.len() - super::config::excess_stops(&request.stop, out.target).len();
    if out.quirks().converse.maker == Maker::Anthropic && sent > 0 && !given {
        out.writer.key(RESPONSE_FIELDS).raw(r#"["/stop_sequence"]"#);
    }
}

fn one(out: &mut Out<'_>, name: &str, value: &Json<'_>, native: &mut Native) -> Result<(), Unsupported> {
    match name {
        "additionalModelRequestFields" => native.add_all(value),
        "anthropic_beta" | "betas" if out.quirks().converse.maker == Maker::Anthropic => {
            match out.quirks().messages.betas {
                true => native.add_betas(out, value),
                false => out.change(ChangeKind::Dropped, "anthropic-beta"),
            }
        }
        "anthropic_beta" | "betas" | "metadata" | "requestMetadata" => {}
        "service_tier" => tier(out, value),
        _ if HINTS.contains(&name) => {}
        _ if ESSENTIAL.contains(&name) => {
            return Err(Unsupported::content(name, format!("not supported by {}", out.target.label)));
        }
        _ if UNSUPPORTED.contains(&name) => _ = out.refused(name, value.get())?,
        _ if NATIVE.contains(&name) => {
            if out.takes(name, value.get())? {
                out.writer.key(name).json(value);
            }
        }
        _ if is_idle(name, value.get()) => {}
        _ if out.quirks().accepts.iter().any(|accepted| accepted == name) => native.add(name, value.get()),
        _ => out.change(ChangeKind::Dropped, name),
    }
    Ok(())
}

/// In the words of Anthropic and OpenAI. `auto` leaves it to the account.
fn tier(out: &mut Out<'_>, value: &Json<'_>) {
    let wanted = match value.as_text().map(|text| text.decode().into_owned()).as_deref() {
        Some("auto") => return,
        Some("default" | "standard_only") => "default",
        Some("flex") => "flex",
        Some("priority") => "priority",
        Some("reserved") => "reserved",
        _ => return out.change(ChangeKind::Dropped, "service_tier"),
    };
    if out.quirks().refuses.iter().any(|name| name == "service_tier") {
        return out.change(ChangeKind::Dropped, "service_tier");
    }
    out.writer.key("serviceTier").open_object().key("type").str(wanted).close_object();
}

/// Who asks, and the client's own notes, as far as the service takes them.
fn metadata(out: &mut Out<'_>, request: &Request<'_>) {
    let mut entries: Vec<(String, String)> = Vec::new();
    let mut lost = None;
    let mut add = |name: &str, value: Option<&str>, field: &'static str| match value {
        Some(value) if fits(name) && !name.is_empty() && fits(value) && entries.len() < MOST_METADATA => {
            entries.push((name.to_string(), value.to_string()));
        }
        _ => lost = lost.or(Some(field)),
    };
    for (key, value) in &request.extra {
        let field = match key.escaped() {
            "metadata" => "metadata",
            "requestMetadata" => "requestMetadata",
            _ => continue,
        };
        for (name, value) in value.to_value().as_object().into_iter().flatten() {
            add(name, value.as_str(), field);
        }
    }
    if let Some(user) = &request.user {
        add("user_id", Some(user.decode().as_ref()), "user");
    }
    if let Some(field) = lost {
        out.change(ChangeKind::Dropped, field);
    }
    if entries.is_empty() {
        return;
    }
    out.writer.key("requestMetadata").open_object();
    for (name, value) in &entries {
        out.writer.key(Text::plain(name).escaped()).str(value);
    }
    out.writer.close_object();
}

/// `[a-zA-Z0-9\s:_@$#=/+,-.]{0,256}`, where `,-.` is a range of three.
fn fits(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c.is_ascii_whitespace() || ":_@$#=/+,-.".contains(c);
    text.len() <= LONGEST_METADATA && text.chars().all(legal)
}
