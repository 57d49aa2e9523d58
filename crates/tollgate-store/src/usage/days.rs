//! The days of a time zone.

use jiff::tz::TimeZone;
use tollgate_policy::window::Window;

use super::UsageError;

/// Ten years.
pub const MOST: usize = 3660;

/// Begin and end of each day that has a part of the range.
pub fn days(from_ms: u64, to_ms: u64, zone: &TimeZone) -> Result<Vec<(u64, u64)>, UsageError> {
    let mut days = Vec::new();
    let mut at_ms = from_ms;
    while at_ms < to_ms {
        if days.len() >= MOST {
            return Err(UsageError::TooManyDays);
        }
        let day = Window::Day.span(at_ms, zone);
        let end_ms = day.end_ms.unwrap_or(to_ms).max(at_ms + 1);
        days.push((day.start_ms, end_ms));
        at_ms = end_ms;
    }
    Ok(days)
}
