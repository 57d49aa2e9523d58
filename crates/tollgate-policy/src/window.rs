//! The windows in which budgets count.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, ZonedDateTime, civil};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// A rolling window is counted in so many parts: what was spent leaves it a part at a time, never early.
const ROLLING_PARTS: u64 = 60;
const HOUR_MS: i64 = 3_600_000;

/// A stretch of time after which a budget begins anew. An event belongs to exactly one window: the one its request began in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// For ever.
    #[default]
    Total,
    /// From midnight to midnight in the configured time zone.
    Day,
    /// From Monday.
    Week,
    /// From the first of the month.
    Month,
    /// Stretches of so many seconds, one after the other since 1970-01-01 in the configured time zone.
    Every(u64),
    /// At any moment the seconds before it.
    Rolling(u64),
}

/// From when to when a window is, in milliseconds since 1970. Of a rolling window it is the part that is counted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start_ms: u64,
    /// The first moment after it. `None`: it does not end.
    pub end_ms: Option<u64>,
}

const FOR_EVER: Span = Span { start_ms: 0, end_ms: None };

impl Span {
    pub fn contains(&self, at_ms: u64) -> bool {
        self.start_ms <= at_ms && self.end_ms.is_none_or(|end_ms| at_ms < end_ms)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration such as 30s, 30m, 24h, 7d or 1mo")]
pub struct NotADuration(String);

impl Window {
    /// LiteLLM's `budget_duration`. A day, a week and a month of it are those of the calendar, and so are `7d` and `30d`:
    /// <https://docs.litellm.ai/docs/proxy/budget_reset_and_tz>, seen 2026-11-26.
    pub fn from_duration(text: &str) -> Result<Window, NotADuration> {
        let wrong = || NotADuration(text.to_string());
        let digits = text.trim().bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.trim().split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let seconds = match (number, unit) {
            (0, _) => return Err(wrong()),
            (1, "mo") => return Ok(Window::Month),
            (_, "s") => 1,
            (_, "m") => 60,
            (_, "h") => 3600,
            (_, "d") => 86_400,
            (_, "w") => 7 * 86_400,
            (_, "mo") => 30 * 86_400,
            _ => return Err(wrong()),
        };
        Ok(match number.checked_mul(seconds).ok_or_else(wrong)? {
            86_400 => Window::Day,
            604_800 => Window::Week,
            2_592_000 => Window::Month,
            seconds => Window::Every(seconds),
        })
    }

    /// What the ledger calls it.
    pub fn word(self) -> String {
        match self {
            Window::Total => "total".to_string(),
            Window::Day => "day".to_string(),
            Window::Week => "week".to_string(),
            Window::Month => "month".to_string(),
            Window::Every(seconds) => format!("every {seconds} s"),
            Window::Rolling(seconds) => format!("rolling {seconds} s"),
        }
    }

    /// The window that a moment falls in.
    pub fn span(self, at_ms: u64, zone: &TimeZone) -> Span {
        match self {
            Window::Total => FOR_EVER,
            Window::Every(seconds) => stretch(at_ms, seconds.max(1).saturating_mul(1000), zone),
            Window::Rolling(seconds) => stretch(at_ms, rolling_part_ms(seconds), &TimeZone::UTC),
            // Only a clock beyond the year 9999 has no calendar.
            Window::Day | Window::Week | Window::Month => self.calendar(at_ms, zone).unwrap_or(FOR_EVER),
        }
    }

    fn calendar(self, at_ms: u64, zone: &TimeZone) -> Option<Span> {
        let today = zoned(at_ms, zone)?.date();
        let (first, next) = match self {
            Window::Week => {
                let monday = today.checked_sub(i32::from(today.weekday().since(Weekday::Monday)).days()).ok()?;
                (monday, monday.checked_add(7.days()).ok()?)
            }
            Window::Month => (today.first_of_month(), today.first_of_month().checked_add(1.month()).ok()?),
            _ => (today, today.tomorrow().ok()?),
        };
        Some(Span { start_ms: midnight(first, zone)?, end_ms: Some(midnight(next, zone)?) })
    }

    /// The earliest start of a span whose spending counts while the span that began at `start_ms` is the present one.
    pub fn counts_from_ms(self, start_ms: u64) -> u64 {
        match self {
            Window::Rolling(seconds) => {
                (start_ms + 1).saturating_sub(seconds.saturating_mul(1000)).saturating_sub(rolling_part_ms(seconds))
            }
            _ => start_ms,
        }
    }
}

/// The start of the hour on the zone's clocks, in which usage is summed up: days of the zone are made of whole ones.
pub fn hour_of(at_ms: u64, zone: &TimeZone) -> u64 {
    let at = at_ms as i64;
    let offset = Timestamp::from_millisecond(at).map_or(0, |at| i64::from(zone.to_offset(at).seconds()) * 1000);
    at.saturating_sub((at + offset).rem_euclid(HOUR_MS)).max(0) as u64
}

fn zoned(at_ms: u64, zone: &TimeZone) -> Option<ZonedDateTime> {
    Some(Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?.to_zoned_datetime(zone.clone()))
}

/// Where clocks skip midnight the day begins with the first moment it has.
fn midnight(date: civil::Date, zone: &TimeZone) -> Option<u64> {
    let start = date.to_zoned_datetime(zone.clone()).ok()?.start_of_day().ok()?;
    Some(start.timestamp().as_millisecond().max(0) as u64)
}

fn stretch(at_ms: u64, length_ms: u64, zone: &TimeZone) -> Span {
    let since =
        civil::date(1970, 1, 1).to_zoned_datetime(zone.clone()).map_or(0, |start| start.timestamp().as_millisecond());
    let length = i64::try_from(length_ms).unwrap_or(i64::MAX);
    let at = i64::try_from(at_ms).unwrap_or(i64::MAX);
    let start = at - at.saturating_sub(since).rem_euclid(length);
    Span { start_ms: start.max(0) as u64, end_ms: Some(start.saturating_add(length).max(0) as u64) }
}

fn rolling_part_ms(seconds: u64) -> u64 {
    seconds.saturating_mul(1000).div_ceil(ROLLING_PARTS).max(1000)
}
