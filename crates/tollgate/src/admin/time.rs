//! Times and durations as LiteLLM writes them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, civil};
use serde_json::Value;
use tollgate_policy::window::Window;

#[cfg(test)]
mod tests;

const DAY: u64 = 86_400;

/// `2026-01-18T23:52:09.125000+00:00`, which readers of every age take.
pub fn iso(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    at.map_or_else(String::new, |at| at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string())
}

pub fn iso_or_null(at_ms: Option<u64>) -> Value {
    at_ms.map_or(Value::Null, |at_ms| Value::String(iso(at_ms)))
}

/// A time in ISO 8601; without an offset it is UTC.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let at = text.parse::<Timestamp>().or_else(|error| {
        let civil: civil::DateTime = text.parse().map_err(|_| error)?;
        civil.to_zoned_datetime(TimeZone::UTC).map(|at| at.timestamp())
    });
    u64::try_from(at.ok()?.as_millisecond()).ok()
}

/// `budget_duration` as a window.
pub fn window(duration: &str) -> Option<Window> {
    Window::from_duration(&shortened(duration)).ok()
}

/// What a window is called where nobody has said it otherwise. `None`: it never ends.
pub fn duration(window: Window) -> Option<String> {
    match window {
        Window::Total => None,
        Window::Day => Some("1d".to_string()),
        Window::Week => Some("7d".to_string()),
        Window::Month => Some("30d".to_string()),
        Window::Every(seconds) | Window::Rolling(seconds) => {
            let (length, unit) = [(DAY, "d"), (3600, "h"), (60, "m"), (1, "s")]
                .into_iter()
                .find(|(length, _)| seconds.is_multiple_of(*length))?;
            Some(format!("{}{unit}", seconds / length))
        }
    }
}

/// So long after a moment, in milliseconds since 1970: a month is one of the calendar.
pub fn after(duration: &str, now_ms: u64) -> Option<u64> {
    let text = shortened(duration);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    if unit == "mo" {
        let now = Timestamp::from_millisecond(i64::try_from(now_ms).ok()?).ok()?.to_zoned_datetime(TimeZone::UTC);
        let then = now.checked_add(i32::try_from(number).ok()?.months()).ok()?;
        return u64::try_from(then.timestamp().as_millisecond()).ok();
    }
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return None,
    };
    let then = now_ms.checked_add(number.checked_mul(seconds)?.checked_mul(1000)?)?;
    // As far as there is a calendar.
    (then < 253_402_300_800_000).then_some(then)
}

/// LiteLLM's documentation writes `30min` in some places.
fn shortened(duration: &str) -> String {
    let text = duration.trim();
    text.strip_suffix("min").map_or_else(|| text.to_string(), |number| format!("{number}m"))
}
