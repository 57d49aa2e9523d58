//! What an upstream's headers say about when it may be asked again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName};
use tollgate_dialect::error::Scope;
use tollgate_policy::health::headroom::{Remaining, Spent};

#[cfg(test)]
mod tests;

const PROVIDERS: &str = "llm_provider-";

/// A year is longer than anybody waits, and far from what a duration cannot hold.
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// `retry-after-ms` (milliseconds), and `retry-after` (seconds, or a date: RFC 9110, 10.2.3).
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let ms = text(headers, "retry-after-ms").and_then(seconds).map(|ms| ms / 1000);
    ms.or_else(|| {
        let value = text(headers, RETRY_AFTER.as_str())?;
        seconds(value).or_else(|| httpdate::parse_http_date(value).ok()?.duration_since(now).ok())
    })
    .filter(|asked| *asked < YEAR)
}

/// A limit of requests lets one more through after its share of the reset. A request takes many tokens: so much of a limit of
/// tokens should be there before one is sent.
const SHARE_OF_TOKENS: f64 = 0.1;

/// What the provider's rate-limit headers say to be left, of the limit with the longest reset among those that have nothing left.
///
/// OpenAI's names are used by most (`x-ratelimit-remaining-requests`, reset `6m0s` or seconds; platform.openai.com, rate limits,
/// 2026-11), Anthropic has its own, with dates (docs.claude.com, rate limits, 2026-11).
pub fn remaining(headers: &HeaderMap, now: SystemTime) -> Remaining {
    let mut found = Remaining::default();
    for (name, value) in headers {
        let Some((limit, reset)) = kin_of(name.as_str()) else { continue };
        let Some(left) = value.to_str().ok().and_then(|value| value.trim().parse::<f64>().ok()) else { continue };
        let counts_requests = name.as_str().contains("requests");
        if counts_requests {
            let left = left.max(0.0) as u64;
            found.requests = Some(found.requests.map_or(left, |known| known.min(left)));
        }
        let reset = text(headers, &reset).filter(|_| left <= 0.0).and_then(|reset| until(reset, now));
        let Some(reset) = reset.filter(|reset| !reset.is_zero() && *reset < YEAR) else { continue };
        let limit = text(headers, &limit).and_then(|limit| limit.parse::<f64>().ok()).filter(|limit| *limit >= 1.0);
        let share = if counts_requests { limit.map_or(1.0, |limit| 1.0 / limit) } else { SHARE_OF_TOKENS };
        if found.spent.is_none_or(|known| known.reset < reset) {
            found.spent = Some(Spent { reset, next: reset.mul_f64(share) });
        }
    }
    found
}

/// The names of the headers with the limit and its reset, of one that names what is left.
fn kin_of(name: &str) -> Option<(String, String)> {
    if name.starts_with("x-ratelimit-remaining-") {
        Some((name.replacen("remaining", "limit", 1), name.replacen("remaining", "reset", 1)))
    } else {
        let kind = name.strip_suffix("remaining").filter(|kind| kind.starts_with("anthropic-ratelimit-"))?;
        Some((format!("{kind}limit"), format!("{kind}reset")))
    }
}

fn until(reset: &str, now: SystemTime) -> Option<Duration> {
    seconds(reset).or_else(|| span(reset)).or_else(|| date(reset)?.duration_since(now).ok())
}

/// The limit of a Claude subscription that was reached (Anthropic's answers, 2026-11).
const CLAIM: &str = "anthropic-ratelimit-unified-representative-claim";

/// Whom a rate limit concerns. Other headers do not tell: those of OpenAI's projects (`x-ratelimit-remaining-project-tokens`) are
/// of one model, too.
const SCOPES: [(&str, &str, Scope); 4] = [
    (CLAIM, "five_hour", Scope::Account),
    (CLAIM, "seven_day", Scope::Account),
    (CLAIM, "seven_day_opus", Scope::Model),
    (CLAIM, "seven_day_sonnet", Scope::Model),
];

/// Whom a rate limit concerns, where a header says it.
pub fn scope(headers: &HeaderMap) -> Option<Scope> {
    SCOPES.iter().find(|(name, value, _)| text(headers, name) == Some(value)).map(|(_, _, scope)| *scope)
}

/// Rate-limit headers of the provider are the client's to see. Where the gateway limits the client itself (`limited`), its
/// own headers have the usual names, and the provider's are marked as such: LiteLLM shows a key's limits before the provider's
/// too (docs.litellm.ai, response headers, 2026-10), and has the same mark.
pub fn pass_on(upstream: &HeaderMap, headers: &mut HeaderMap, limited: bool) {
    for (name, value) in upstream {
        let text = name.as_str();
        if !(text.starts_with("anthropic-ratelimit-") || text.starts_with("x-ratelimit-")) {
            continue;
        }
        let marked = limited.then(|| HeaderName::try_from(format!("{PROVIDERS}{text}")).ok()).flatten();
        headers.insert(marked.unwrap_or_else(|| name.clone()), value.clone());
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// `6m0s`, `2m59.56s`, `20ms`, `1h2m`.
fn span(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_len = rest[digits..].find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len() - digits);
        let (unit, after) = rest[digits..].split_at(unit_len);
        total += number
            * match unit {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        rest = after;
    }
    Duration::try_from_secs_f64(total).ok()
}

/// `2026-11-25T23:12:01Z`, with or without parts of a second (RFC 3339, only UTC).
fn date(text: &str) -> Option<SystemTime> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut day = day.splitn(3, '-').map(|part| part.parse::<u64>().ok());
    let (year, month, day) = (day.next()??, day.next()??, day.next()??);
    let mut time = time.splitn(3, ':').map(|part| part.parse::<f64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970 (Howard Hinnant, "chrono-compatible low-level date algorithms").
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let of_day = Duration::try_from_secs_f64(hour * 3600.0 + minute * 60.0 + second).ok()?;
    Some(UNIX_EPOCH + Duration::from_secs(days * 86_400) + of_day)
}
