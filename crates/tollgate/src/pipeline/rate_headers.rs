//! What a client may still ask for, as headers of its dialect: OpenAI's (platform.openai.com, rate limits, 2026-11) or
//! Anthropic's (docs.claude.com, rate limits, 2026-11).

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use tollgate_dialect::Dialect;
use tollgate_policy::limit::{Gauge, Standing};

#[cfg(test)]
mod tests;

/// Of limit, rest and end.
type Names = [&'static str; 3];

pub fn put(dialect: Dialect, standing: &Standing, now_ms: u64, headers: &mut HeaderMap) {
    match dialect {
        Dialect::Messages => {
            let Standing { requests, tokens, input_tokens, output_tokens } = standing;
            let shown = ANTHROPIC.into_iter().zip([requests, tokens, input_tokens, output_tokens]);
            shown.for_each(|(names, gauge)| put_one(names, gauge, |gauge| date(gauge.resets_at_ms), headers));
        }
        // Google has none of its own.
        Dialect::Chat | Dialect::Responses | Dialect::Gemini | Dialect::Converse => {
            let in_ms = |gauge: &Gauge| span(gauge.resets_at_ms.saturating_sub(now_ms));
            let shown = OPENAI.into_iter().zip([&standing.requests, &standing.tokens]);
            shown.for_each(|(names, gauge)| put_one(names, gauge, in_ms, headers));
        }
    }
}

const OPENAI: [Names; 2] = [
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
];

const ANTHROPIC: [Names; 4] = [
    [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
    ["anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"],
    [
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ],
    [
        "anthropic-ratelimit-output-tokens-limit",
        "anthropic-ratelimit-output-tokens-remaining",
        "anthropic-ratelimit-output-tokens-reset",
    ],
];

fn put_one(names: Names, gauge: &Option<Gauge>, resets: impl Fn(&Gauge) -> String, headers: &mut HeaderMap) {
    let Some(gauge) = gauge else { return };
    let [limit, remaining, reset] = names.map(HeaderName::from_static);
    headers.insert(limit, HeaderValue::from(gauge.limit));
    headers.insert(remaining, HeaderValue::from(gauge.remaining));
    if let Ok(resets) = HeaderValue::try_from(resets(gauge)) {
        headers.insert(reset, resets);
    }
}

/// `2026-11-26T02:21:00Z` (RFC 3339, whole seconds: windows end with one).
fn date(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1000).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).map_or_else(|_| String::new(), |time| time.to_string())
}

/// `6m0s`, `1h2m3s`, `12s`, `250ms`.
fn span(ms: u64) -> String {
    if ms < 1000 {
        return format!("{ms}ms");
    }
    let seconds = ms.div_ceil(1000);
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}
