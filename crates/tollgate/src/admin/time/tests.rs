use super::*;

// 2026-01-31T12:00:00Z
const NOW: u64 = 1_769_860_800_000;

#[test]
fn a_time_is_written_with_its_offset_and_read_in_any_form() {
    assert_eq!(iso(NOW), "2026-01-31T12:00:00.000000+00:00");
    for text in ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00", "2026-01-31 12:00:00.000"]
    {
        assert_eq!(parse(text), Some(NOW), "{text}");
    }
    assert_eq!(parse("2026-01-31"), Some(NOW - 12 * 3_600_000));
    assert_eq!(parse("yesterday"), None);
}

#[test]
fn durations_are_those_of_litellm() {
    for (text, seconds) in
        [("30s", 30), ("20m", 1200), ("30min", 1800), ("30h", 108_000), ("30d", 2_592_000), ("1w", 604_800)]
    {
        assert_eq!(after(text, NOW), Some(NOW + seconds * 1000), "{text}");
    }
    // The month after January ends on its 28th.
    assert_eq!(after("1mo", NOW).map(iso).as_deref(), Some("2026-02-28T12:00:00.000000+00:00"));
    for text in ["", "d", "1y", "-1d", "99999999999999999d"] {
        assert_eq!(after(text, NOW), None, "{text}");
    }
}

#[test]
fn a_window_is_named_by_a_duration_that_means_it() {
    for text in ["45s", "10m", "5h", "1d", "7d", "30d", "3d"] {
        let window = window(text).unwrap();
        assert_eq!(super::window(&duration(window).unwrap()), Some(window), "{text}");
    }
    assert_eq!(duration(Window::Total), None);
}
