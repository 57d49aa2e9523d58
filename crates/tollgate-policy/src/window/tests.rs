use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

/// `2026-03-29T01:59:59.9+01:00` and the like.
fn ms(text: &str) -> u64 {
    text.parse::<Timestamp>().unwrap().as_millisecond() as u64
}

#[test]
fn durations_of_litellm_become_windows() {
    for (text, window) in [
        ("30s", Window::Every(30)),
        ("30m", Window::Every(1800)),
        ("30h", Window::Every(108_000)),
        ("1d", Window::Day),
        ("24h", Window::Day),
        ("7d", Window::Week),
        ("1w", Window::Week),
        ("30d", Window::Month),
        ("1mo", Window::Month),
        ("2mo", Window::Every(5_184_000)),
        ("10d", Window::Every(864_000)),
    ] {
        assert_eq!(Window::from_duration(text), Ok(window), "{text}");
    }
    for text in ["", "d", "0d", "30", "1y", "-1d", "1.5h", "99999999999999999999d"] {
        assert!(Window::from_duration(text).is_err(), "{text}");
    }
}

#[test]
fn s23_an_event_on_either_side_of_midnight_in_the_zone_is_in_one_window_each() {
    let berlin = zone("Europe/Berlin");
    for (window, before, after) in [
        (Window::Day, "2026-11-30T23:59:59.9+01:00", "2026-12-01T00:00:00.1+01:00"),
        (Window::Month, "2026-11-30T23:59:59.9+01:00", "2026-12-01T00:00:00.1+01:00"),
        (Window::Week, "2026-11-29T23:59:59.9+01:00", "2026-11-30T00:00:00.1+01:00"),
    ] {
        let (first, second) = (window.span(ms(before), &berlin), window.span(ms(after), &berlin));
        assert_ne!(first.start_ms, second.start_ms, "{window:?}");
        assert_eq!(first.end_ms, Some(second.start_ms), "{window:?}");
        assert!(first.contains(ms(before)) && !first.contains(ms(after)), "{window:?}");
        assert!(second.contains(ms(after)) && !second.contains(ms(before)), "{window:?}");
    }
}

#[test]
fn windows_begin_at_the_zones_own_midnight() {
    let kolkata = zone("Asia/Kolkata");
    let at = ms("2026-11-26T01:00:00+05:30");
    let start = |window: Window| window.span(at, &kolkata).start_ms;
    assert_eq!(start(Window::Day), ms("2026-11-26T00:00:00+05:30"));
    assert_eq!(start(Window::Week), ms("2026-11-23T00:00:00+05:30"));
    assert_eq!(start(Window::Month), ms("2026-11-01T00:00:00+05:30"));
    assert_eq!(start(Window::Total), 0);
}

#[test]
fn days_on_which_clocks_change_are_an_hour_shorter_or_longer() {
    let berlin = zone("Europe/Berlin");
    for (noon, hours) in [("2026-03-29T12:00:00+02:00", 23), ("2026-10-25T12:00:00+01:00", 25)] {
        let day = Window::Day.span(ms(noon), &berlin);
        assert_eq!(day.end_ms.unwrap() - day.start_ms, hours * 3_600_000);
    }
    // In Beirut clocks go from 24:00 to 01:00: the day begins at one.
    let day = Window::Day.span(ms("2026-03-29T12:00:00+03:00"), &zone("Asia/Beirut"));
    assert_eq!(day.start_ms, ms("2026-03-29T01:00:00+03:00"));
}

#[test]
fn stretches_follow_each_other_without_a_gap() {
    let window = Window::Every(1800);
    let first = window.span(ms("2026-11-26T10:29:59.999Z"), &TimeZone::UTC);
    assert_eq!(first.start_ms, ms("2026-11-26T10:00:00Z"));
    assert_eq!(first.end_ms, Some(ms("2026-11-26T10:30:00Z")));
    // 36 hours are counted from midnight of the zone, 1970-01-01: this is the 13,855th stretch.
    let local = Window::Every(129_600).span(ms("2026-11-26T12:00:00+05:30"), &zone("Asia/Kolkata"));
    assert_eq!((local.start_ms as i64 + 19_800_000) % 129_600_000, 0);
}

#[test]
fn a_rolling_window_never_lets_go_of_what_was_spent_within_it() {
    let window = Window::Rolling(3600);
    let now = ms("2026-11-26T10:30:30Z");
    let part = window.span(now, &TimeZone::UTC);
    assert_eq!(part.end_ms.unwrap() - part.start_ms, 60_000);
    let counts = |at: u64| window.span(at, &TimeZone::UTC).start_ms >= window.counts_from_ms(part.start_ms);
    assert!(counts(now - 3_600_000), "an hour ago");
    assert!(!counts(now - 3_600_000 - 60_000), "an hour and a part ago");
}

#[test]
fn hours_are_those_on_the_zones_clocks() {
    assert_eq!(hour_of(ms("2026-11-26T10:59:59.999Z"), &TimeZone::UTC), ms("2026-11-26T10:00:00Z"));
    let kolkata = zone("Asia/Kolkata");
    assert_eq!(hour_of(ms("2026-11-26T10:31:00Z"), &kolkata), ms("2026-11-26T10:30:00Z"));
    assert_eq!(hour_of(ms("2026-11-26T10:29:00Z"), &kolkata), ms("2026-11-26T09:30:00Z"));
}
