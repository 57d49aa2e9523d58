//! Where sums of a range are read from: of its whole days from days, of what is before and after from hours.

use jiff::tz::TimeZone;
use tollgate_policy::window::{Window, hour_of};

/// Before the end of the calendar.
const LATEST_MS: u64 = 253_402_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    pub from_ms: u64,
    pub to_ms: u64,
    /// The first moment of the day that it is a piece of. `None`: it is made of whole days.
    pub day_ms: Option<u64>,
}

pub fn parts(from_ms: u64, to_ms: u64, zone: &TimeZone) -> Vec<Part> {
    let to_ms = to_ms.min(LATEST_MS);
    if from_ms >= to_ms {
        return Vec::new();
    }
    let from_ms = hour_of(from_ms, zone);
    let (first, last) = (Window::Day.span(from_ms, zone), Window::Day.span(to_ms, zone));
    let piece = |from_ms, to_ms, day_ms| Part { from_ms, to_ms, day_ms: Some(day_ms) };
    if first == last && first.start_ms != from_ms {
        return vec![piece(from_ms, to_ms, first.start_ms)];
    }
    let whole_from = if first.start_ms == from_ms { from_ms } else { first.end_ms.unwrap_or(to_ms) };
    let parts = [
        piece(from_ms, whole_from, first.start_ms),
        Part { from_ms: whole_from, to_ms: last.start_ms, day_ms: None },
        piece(last.start_ms, to_ms, last.start_ms),
    ];
    parts.into_iter().filter(|part| part.from_ms < part.to_ms).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;

    fn shown(from_ms: u64, to_ms: u64) -> Vec<(u64, u64, Option<u64>)> {
        parts(from_ms, to_ms, &TimeZone::UTC).iter().map(|part| (part.from_ms, part.to_ms, part.day_ms)).collect()
    }

    #[test]
    fn a_range_is_its_whole_days_and_the_hours_around_them() {
        assert_eq!(shown(DAY, 4 * DAY), [(DAY, 4 * DAY, None)]);
        assert_eq!(
            shown(DAY + 5 * HOUR, 4 * DAY + HOUR),
            [(DAY + 5 * HOUR, 2 * DAY, Some(DAY)), (2 * DAY, 4 * DAY, None), (4 * DAY, 4 * DAY + HOUR, Some(4 * DAY))]
        );
        // Over one midnight, and within a day.
        assert_eq!(
            shown(2 * DAY - HOUR, 2 * DAY + 1),
            [(2 * DAY - HOUR, 2 * DAY, Some(DAY)), (2 * DAY, 2 * DAY + 1, Some(2 * DAY))]
        );
        assert_eq!(shown(DAY + HOUR, DAY + 3 * HOUR), [(DAY + HOUR, DAY + 3 * HOUR, Some(DAY))]);
        assert_eq!(shown(DAY, DAY + HOUR), [(DAY, DAY + HOUR, Some(DAY))]);
        // The hour that it begins in is whole.
        assert_eq!(shown(DAY + 1, DAY + HOUR), [(DAY, DAY + HOUR, Some(DAY))]);
        assert_eq!(shown(DAY, DAY), []);
        assert_eq!(shown(0, u64::MAX).len(), 2);
    }
}
