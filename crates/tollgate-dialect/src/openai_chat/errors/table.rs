//! The one table from what an error says to what it means.

use std::time::Duration;

use crate::error::ErrorKind::{self, *};

use super::Found;

/// A row holds if its status, its code (or type) and its phrase all hold; an empty condition always does.
pub struct Row {
    status: &'static [u16],
    code: &'static str,
    phrase: &'static str,
    pub kind: ErrorKind,
    /// Trying again later can help.
    pub temporary: bool,
}

const fn code(code: &'static str, kind: ErrorKind, temporary: bool) -> Row {
    Row { status: &[], code, phrase: "", kind, temporary }
}

const fn phrase(phrase: &'static str, kind: ErrorKind, temporary: bool) -> Row {
    Row { status: &[], code: "", phrase, kind, temporary }
}

const fn status(status: &'static [u16], kind: ErrorKind, temporary: bool) -> Row {
    Row { status, code: "", phrase: "", kind, temporary }
}

const fn status_phrase(status: &'static [u16], phrase: &'static str, kind: ErrorKind, temporary: bool) -> Row {
    Row { status, code: "", phrase, kind, temporary }
}

/// The first row that holds decides. Codes and phrases are in lower case.
const ROWS: &[Row] = &[
    // Words that look like a context overflow and are none.
    code("string_above_max_length", InvalidRequest, false),
    phrase("string_above_max_length", InvalidRequest, false),
    code("token_quota_exceeded", RateLimited, true),
    code("token_quota_reached", RateLimited, true),
    code("request_quota_exceeded", RateLimited, true),
    status_phrase(&[413], "tokens per minute", TooLarge, false),
    // The prompt does not fit.
    code("context_length_exceeded", ContextOverflow, false),
    code("exceed_context_size_error", ContextOverflow, false),
    code("tokens_limit_reached", ContextOverflow, false),
    code("minimax_1039", ContextOverflow, false),
    phrase("maximum context length", ContextOverflow, false),
    phrase("context_length_exceeded", ContextOverflow, false),
    phrase("exceeds the context window", ContextOverflow, false),
    phrase("context window exceed", ContextOverflow, false),
    phrase("exceed context limit", ContextOverflow, false),
    phrase("prompt is too long", ContextOverflow, false),
    phrase("input is too long", ContextOverflow, false),
    phrase("exceeds the available context size", ContextOverflow, false),
    phrase("exceed_context_size_error", ContextOverflow, false),
    phrase("longer than the maximum model length", ContextOverflow, false),
    phrase("is longer than the model's context length", ContextOverflow, false),
    phrase("maximum prompt length", ContextOverflow, false),
    phrase("exceeds the maximum number of tokens allowed", ContextOverflow, false),
    phrase("exceeded model token limit", ContextOverflow, false),
    phrase("`inputs` tokens + `max_new_tokens` must be", ContextOverflow, false),
    phrase("input too long:", ContextOverflow, false),
    phrase("input tokens exceed the configured limit", ContextOverflow, false),
    phrase("larger context length", ContextOverflow, false),
    phrase("context limit is", ContextOverflow, false),
    phrase("while limit is", ContextOverflow, false),
    phrase("length limit exceeded", ContextOverflow, false),
    status_phrase(&[400, 413, 422], "too many tokens", ContextOverflow, false),
    // Money.
    status_phrase(&[402], "openrouter_in_flight_budget", RateLimited, true),
    code("insufficient_quota", Billing, false),
    code("exceeded_current_quota_error", Billing, false),
    code("arrearage", Billing, false),
    code("1113", Billing, false),
    code("minimax_1008", Billing, false),
    phrase("insufficient balance", Billing, false),
    phrase("insufficient credits", Billing, false),
    phrase("insufficient_quota", Billing, false),
    phrase("exceeded your current quota", Billing, false),
    phrase("monthly included credits", Billing, false),
    // Our key.
    code("invalid_api_key", Authentication, false),
    code("wrong_api_key", Authentication, false),
    code("minimax_1004", Authentication, false),
    phrase("incorrect api key", Authentication, false),
    phrase("invalid api key", Authentication, false),
    // What the request refers to is not there: OpenAI's items, conversations and prompts (2026-11). The model is.
    status_phrase(&[404], " with id '", InvalidRequest, false),
    // No such model, or none any more.
    code("model_not_found", NotFound, false),
    code("resource_not_found_error", NotFound, false),
    code("model_decommissioned", NotFound, false),
    code("model_not_available", NotFound, false),
    code("invalid_model", NotFound, false),
    code("unknown_model", NotFound, false),
    code("1211", NotFound, false),
    code("minimax_2013", NotFound, false),
    phrase("no endpoints found", NotFound, false),
    phrase("is not a valid model id", NotFound, false),
    phrase("model not exist", NotFound, false),
    phrase("model not found", NotFound, false),
    status_phrase(&[400, 404], "does not exist", NotFound, false),
    status_phrase(&[400], "supported by any provider", NotFound, false),
    phrase("try pulling it first", NotFound, false),
    phrase("no models loaded", NotFound, false),
    // What was said.
    code("content_filter", ContentPolicy, false),
    code("content_policy_violation", ContentPolicy, false),
    // Azure (LiteLLM 1.109.1, exception mapping): the code is often another where a proxy stands in between.
    phrase("responsibleaipolicyviolation", ContentPolicy, false),
    phrase("the response was filtered due to the prompt triggering", ContentPolicy, false),
    code("datainspectionfailed", ContentPolicy, false),
    code("data_inspection_failed", ContentPolicy, false),
    code("cyber_policy", ContentPolicy, false),
    code("1301", ContentPolicy, false),
    status_phrase(&[400, 403], "moderation", ContentPolicy, false),
    status_phrase(&[400, 403], "guardrail", ContentPolicy, false),
    // Codes of the Responses API.
    code("bio_policy", ContentPolicy, false),
    code("misalignment_policy_violation", ContentPolicy, false),
    code("invalid_prompt", InvalidRequest, false),
    code("invalid_encrypted_content", InvalidRequest, false),
    code("data_residency_mismatch", InvalidRequest, false),
    code("image_too_large", InvalidRequest, false),
    code("invalid_image", InvalidRequest, false),
    code("invalid_image_format", InvalidRequest, false),
    code("invalid_base64_image", InvalidRequest, false),
    code("invalid_image_url", InvalidRequest, false),
    // Too much at once, or too much for today.
    code("server_is_overloaded", Overloaded, true),
    code("slow_down", Overloaded, true),
    code("engine_overloaded_error", Overloaded, true),
    code("overloaded_error", Overloaded, true),
    code("unavailable_error", Overloaded, true),
    code("1305", Overloaded, true),
    code("1308", RateLimited, false),
    status_phrase(&[429], "per day", RateLimited, false),
    status_phrase(&[429], "daily", RateLimited, false),
    status_phrase(&[429], "monthly", RateLimited, false),
    status_phrase(&[429], "limit: 0", RateLimited, false),
    code("rate_limit_exceeded", RateLimited, true),
    code("rate_limit_error", RateLimited, true),
    code("rate_limit_reached_error", RateLimited, true),
    code("ratelimitreached", RateLimited, true),
    code("throttling", RateLimited, true),
    code("throttling.ratequota", RateLimited, true),
    code("throttling.allocationquota", RateLimited, true),
    code("1302", RateLimited, true),
    code("1303", RateLimited, true),
    code("minimax_1002", RateLimited, true),
    // What the status says.
    status(&[400, 405, 406, 411, 415, 422], InvalidRequest, false),
    status(&[401], Authentication, false),
    status(&[402], Billing, false),
    status(&[403], Permission, false),
    status(&[404, 410], NotFound, false),
    status(&[408, 504, 524], Timeout, true),
    status(&[409, 425], Api, true),
    status(&[413], TooLarge, false),
    status(&[429], RateLimited, true),
    status(&[498, 503, 529], Overloaded, true),
    status(&[500, 502, 520, 521, 522, 523], Api, true),
    // No status, no known code: the words alone.
    phrase("overloaded", Overloaded, true),
    phrase("at capacity", Overloaded, true),
    phrase("capacity exceeded", Overloaded, true),
    phrase("loading model", Overloaded, true),
    phrase("rate limit", RateLimited, true),
    phrase("too many requests", RateLimited, true),
    phrase("timed out", Timeout, true),
    phrase("invalid request", InvalidRequest, false),
];

/// A refusal whose status says only that it is one.
const REFUSED: Row = status(&[], InvalidRequest, false);
const FAILED: Row = status(&[], Api, true);

pub fn find(http: Option<u16>, found: &Found) -> &'static Row {
    let lower = |text: &Option<String>| text.as_deref().unwrap_or("").to_ascii_lowercase();
    let (code, kind) = (lower(&found.code), lower(&found.kind));
    let words = format!("{}\n{}", found.message, found.hints).to_ascii_lowercase();
    let holds = |row: &&Row| {
        (row.status.is_empty() || http.is_some_and(|s| row.status.contains(&s)))
            && (row.code.is_empty() || row.code == code || row.code == kind)
            && (row.phrase.is_empty() || words.contains(row.phrase))
    };
    ROWS.iter().find(holds).unwrap_or(match http {
        Some(400..500) => &REFUSED,
        _ => &FAILED,
    })
}

/// The status that an error of this kind has where it has one.
pub fn usual_status(kind: ErrorKind) -> u16 {
    match kind {
        InvalidRequest | ContextOverflow | ContentPolicy => 400,
        Authentication => 401,
        Billing => 402,
        Permission => 403,
        NotFound => 404,
        TooLarge => 413,
        RateLimited => 429,
        Api => 500,
        Overloaded => 503,
        Timeout => 504,
    }
}

/// `Please try again in 1m2.3s`, `in 20ms`, `retry after 30 seconds`, `try again after 1 seconds` (Moonshot).
pub fn waiting_time(message: &str) -> Option<Duration> {
    let lower = message.to_ascii_lowercase();
    let after = ["try again in ", "try again after ", "retry in ", "retry after "]
        .iter()
        .find_map(|lead| lower.find(lead).map(|at| &lower[at + lead.len()..]))?;
    let mut rest = after;
    let mut seconds = 0.0;
    let mut read = false;
    loop {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let Ok(number) = rest[..digits].trim_end_matches('.').parse::<f64>() else { break };
        let unit_text = rest[digits..].trim_start();
        let unit: String = unit_text.chars().take_while(char::is_ascii_alphabetic).collect();
        seconds += number
            * match unit.as_str() {
                "ms" | "millisecond" | "milliseconds" => 0.001,
                "s" | "sec" | "second" | "seconds" => 1.0,
                "m" | "min" | "minute" | "minutes" => 60.0,
                "h" | "hour" | "hours" => 3600.0,
                _ => break,
            };
        read = true;
        rest = &unit_text[unit.len()..];
    }
    // More than a month is no waiting time but a misreading.
    (read && seconds < 31.0 * 86_400.0).then(|| Duration::from_secs_f64(seconds))
}
