//! Headers and the top level of a Messages request.

use http::HeaderMap;
use serde_json::{Map, Value};

use super::{Strictness, blocks, conversation, invalid};
use crate::refusal::{Check, Refusal};

const VERSIONS: &[&str] = &["2023-01-01", "2023-06-01", "2026-10-21"];

const FIELDS: &[&str] = &[
    "model",
    "max_tokens",
    "messages",
    "system",
    "stream",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "metadata",
    "service_tier",
    "speed",
    "inference_geo",
    "thinking",
    "output_config",
    "tools",
    "tool_choice",
    "cache_control",
    "container",
    "diagnostics",
    "user_profile_id",
];

/// Fields that exist only with a beta whose name begins like this.
const BETA_FIELDS: &[(&str, &str)] = &[
    ("context_management", "context-management-"),
    ("compaction", "compact-"),
    ("thread", "message-threads-"),
    ("mcp_servers", "mcp-client-"),
    ("fallbacks", "server-side-fallback-"),
    ("fallback_credit_token", "fallback-credit-"),
    ("safeguards", "dangerous-tool-use-"),
    ("output_format", "structured-outputs-"),
];

/// The names of the documented betas without their dates, and those that Claude Code 2.1.329 sends.
const BETAS: &[&str] = &[
    "computer-use",
    "output-128k",
    "output-300k",
    "mcp-client",
    "dev-full-thinking",
    "interleaved-thinking",
    "code-execution",
    "context-1m",
    "context-management",
    "model-context-window-exceeded",
    "fast-mode",
    "advisor-tool",
    "thinking-token-count",
    "server-side-fallback",
    "fallback-credit",
    "mid-conversation-tool-changes",
    "mid-conversation-output-config",
    "mid-conversation-system-clear-at",
    "inline-tools",
    "compact",
    "structured-outputs",
    "task-budgets",
    "thinking-display-updates",
    "thinking-binding-controls",
    "message-threads",
    "user-profiles",
    "files-api",
    "skills",
    "message-batches",
    "prompt-caching",
    "pdfs",
    "token-counting",
    "token-efficient-tools",
    "extended-cache-ttl",
    "cache-diagnosis",
    "claude-code",
    "oauth",
    "effort",
    "fine-grained-tool-streaming",
    "prompt-caching-scope",
    "per-turn-control",
    "dangerous-tool-use",
    "advanced-tool-use",
    "web-search",
    "web-fetch",
    "afk-mode",
    "redact-thinking",
];

pub(crate) fn check_headers(headers: &HeaderMap, key: Option<&str>, s: &Strictness) -> Check {
    let get = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = get("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let unauthorized = |message: &str| Err(Refusal::messages(401, "authentication_error", message));
    match (key, get("x-api-key"), bearer) {
        (_, Some(a), Some(b)) if a != b => {
            return unauthorized("x-api-key and Authorization hold different credentials");
        }
        (Some(_), None, None) => return unauthorized("x-api-key header is required"),
        (Some(key), a, b) if a.or(b) != Some(key) => return unauthorized("invalid x-api-key"),
        _ => {}
    }
    if s.off {
        return Ok(());
    }
    match get("anthropic-version") {
        None => return Err(invalid("anthropic-version: header is required")),
        Some(version) if !VERSIONS.contains(&version) => {
            return Err(invalid(format!("anthropic-version: \"{version}\" is not a valid version")));
        }
        Some(_) => {}
    }
    let known = |beta: &str| {
        // Dates are written 2025-08-07 or 20250219.
        let undated = beta.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        (BETAS.contains(&undated) && undated != beta) || s.betas.iter().any(|extra| extra == beta)
    };
    match betas(headers).find(|beta| !known(beta)) {
        Some(beta) => Err(invalid(format!(
            "Unexpected value(s) `{beta}` for the `anthropic-beta` header. Please consult our documentation at docs.claude.com or try again without the header."
        ))),
        None => Ok(()),
    }
}

fn betas(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all("anthropic-beta").into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|beta| !beta.is_empty())
}

/// Refuses keys that the schema of an object does not name.
pub(super) fn known_keys(object: &Map<String, Value>, known: &[&str], path: &str) -> Check {
    match object.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) if path.is_empty() => Err(invalid(format!("{key}: Extra inputs are not permitted"))),
        Some(key) => Err(invalid(format!("{path}.{key}: Extra inputs are not permitted"))),
        None => Ok(()),
    }
}

pub(crate) fn check(body: &Value, headers: &HeaderMap, counting: bool, s: &Strictness) -> Check {
    if s.off {
        return Ok(());
    }
    let Some(fields) = body.as_object() else { return Err(invalid("Input should be a valid dictionary")) };
    let with_beta = |beta: &str| betas(headers).any(|sent| sent.starts_with(beta));
    let allowed: Vec<&str> = FIELDS
        .iter()
        .copied()
        .chain(BETA_FIELDS.iter().filter(|(_, beta)| with_beta(beta)).map(|(field, _)| *field))
        .collect();
    known_keys(fields, &allowed, "")?;
    let required: &[&str] = if counting { &["model", "messages"] } else { &["model", "messages", "max_tokens"] };
    if let Some(missing) = required.iter().find(|name| !fields.contains_key(**name)) {
        return Err(invalid(format!("{missing}: Field required")));
    }
    if !body["model"].is_string() {
        return Err(invalid("model: Input should be a valid string"));
    }
    check_limits(body, s)?;
    check_sampling(body, headers, s)?;
    check_thinking(body, s)?;
    check_metadata(body)?;
    blocks::check_system(&body["system"])?;
    check_tools(body, s)?;
    conversation::check(body, s)?;
    blocks::check_cache_controls(body)?;
    check_window(body, s)
}

fn check_limits(body: &Value, s: &Strictness) -> Check {
    if let Some(value) = body.get("max_tokens") {
        let Some(tokens) = value.as_u64() else { return Err(invalid("max_tokens: Input should be a valid integer")) };
        if tokens > s.max_tokens_cap {
            return Err(invalid(format!(
                "max_tokens: {tokens} > {}, which is the maximum allowed number of output tokens for {}",
                s.max_tokens_cap,
                body["model"].as_str().unwrap_or_default()
            )));
        }
    }
    if body.get("stream").is_some_and(|stream| !stream.is_boolean()) {
        return Err(invalid("stream: Input should be a valid boolean"));
    }
    match body.get("stop_sequences") {
        Some(Value::Array(stops)) if stops.iter().all(|stop| stop.as_str().is_some_and(|s| !s.trim().is_empty())) => {
            Ok(())
        }
        None => Ok(()),
        Some(Value::Array(_)) => Err(invalid("stop_sequences: each stop sequence must contain non-whitespace")),
        Some(_) => Err(invalid("stop_sequences: Input should be a valid list")),
    }
}

fn check_sampling(body: &Value, headers: &HeaderMap, s: &Strictness) -> Check {
    let gone = headers.get("anthropic-version").is_some_and(|version| version == "2026-10-21");
    for name in ["temperature", "top_p", "top_k"] {
        let Some(value) = body.get(name) else { continue };
        if gone {
            return Err(invalid(format!("{name}: Extra inputs are not permitted")));
        }
        let Some(number) = value.as_f64() else {
            return Err(invalid(format!("{name}: Input should be a valid number")));
        };
        // Until 2026-10-21 the default values are still taken.
        let default = (name == "temperature" && number == 1.0) || (name == "top_p" && number >= 0.99);
        if s.refuses_sampling && !default {
            return Err(invalid(format!("`{name}` is deprecated for this model.")));
        }
        if name != "top_k" && !(0.0..=1.0).contains(&number) {
            return Err(invalid(format!("{name}: range: 0..1")));
        }
    }
    Ok(())
}

fn check_thinking(body: &Value, s: &Strictness) -> Check {
    let Some(thinking) = body.get("thinking") else { return Ok(()) };
    let Some(object) = thinking.as_object() else { return Err(invalid("thinking: Input should be an object")) };
    let kind = thinking["type"].as_str().unwrap_or_default();
    let known: &[&str] = match kind {
        "enabled" => &["type", "budget_tokens", "display"],
        "adaptive" => &["type", "display", "block_binding"],
        "disabled" | "between_tools" => &["type"],
        _ => {
            return Err(invalid(format!(
                "thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags: 'adaptive', 'between_tools', 'disabled', 'enabled'"
            )));
        }
    };
    if !s.thinking_types.iter().any(|accepted| accepted == kind) {
        return Err(invalid(match kind {
            "enabled" => "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \"output_config.effort\" to control thinking behavior.".to_owned(),
            "adaptive" => "adaptive thinking is not supported on this model".to_owned(),
            _ => format!("\"thinking.type.{kind}\" is not supported for this model."),
        }));
    }
    known_keys(object, known, &format!("thinking.{kind}"))?;
    if kind != "enabled" {
        return Ok(());
    }
    let Some(budget) = thinking["budget_tokens"].as_u64() else {
        return Err(invalid("thinking.enabled.budget_tokens: Field required"));
    };
    if budget < 1024 {
        return Err(invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"));
    }
    if body["max_tokens"].as_u64().is_some_and(|most| most <= budget) {
        return Err(invalid("`max_tokens` must be greater than `thinking.budget_tokens`."));
    }
    if matches!(body["tool_choice"]["type"].as_str(), Some("any" | "tool")) {
        return Err(invalid("Thinking may not be enabled when tool_choice forces tool use."));
    }
    Ok(())
}

fn check_metadata(body: &Value) -> Check {
    if let Some(metadata) = body.get("metadata") {
        let Some(object) = metadata.as_object() else { return Err(invalid("metadata: Input should be an object")) };
        known_keys(object, &["user_id"], "metadata")?;
    }
    if let Some(config) = body.get("output_config") {
        let Some(object) = config.as_object() else { return Err(invalid("output_config: Input should be an object")) };
        known_keys(object, &["effort", "format", "task_budget"], "output_config")?;
        if !matches!(config["effort"].as_str(), None | Some("low" | "medium" | "high" | "xhigh" | "max")) {
            return Err(invalid("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'"));
        }
    }
    Ok(())
}

fn check_tools(body: &Value, s: &Strictness) -> Check {
    let tools = match body.get("tools") {
        None => &[],
        Some(Value::Array(tools)) => tools.as_slice(),
        Some(_) => return Err(invalid("tools: Input should be a valid list")),
    };
    for (i, tool) in tools.iter().enumerate() {
        blocks::check_tool(tool, i)?;
        if tools[..i].iter().any(|other| other["name"] == tool["name"] && !tool["name"].is_null()) {
            return Err(invalid("tools: Tool names must be unique."));
        }
    }
    let Some(choice) = body.get("tool_choice") else { return Ok(()) };
    let Some(object) = choice.as_object() else { return Err(invalid("tool_choice: Input should be an object")) };
    let kind = choice["type"].as_str().unwrap_or_default();
    let known: &[&str] = match kind {
        "auto" | "any" => &["type", "disable_parallel_tool_use"],
        "tool" => &["type", "name", "disable_parallel_tool_use"],
        "none" => &["type"],
        _ => {
            return Err(invalid(format!(
                "tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags: 'any', 'auto', 'none', 'tool'"
            )));
        }
    };
    known_keys(object, known, &format!("tool_choice.{kind}"))?;
    if tools.is_empty() {
        return Err(invalid("tool_choice: tool_choice may only be specified while providing tools"));
    }
    if s.refuses_forced_tool && (kind == "any" || kind == "tool") {
        return Err(invalid("tool_choice: forced tool use is not supported for this model."));
    }
    if kind == "tool" && !tools.iter().any(|tool| tool["name"] == choice["name"]) {
        return Err(invalid(format!(
            "Tool '{}' not found in provided tools",
            choice["name"].as_str().unwrap_or_default()
        )));
    }
    Ok(())
}

fn check_window(body: &Value, s: &Strictness) -> Check {
    let tokens = super::tokens(body);
    match s.context_window {
        Some(window) if tokens > window => {
            Err(invalid(format!("prompt is too long: {tokens} tokens > {window} maximum")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
