use super::*;

/// 2026-11-25 23:00:00 UTC (`date -u -d @1795647600`).
fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_647_600)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

#[test]
fn s26_retry_after_is_read_in_seconds_milliseconds_and_as_a_date() {
    let asked = |pairs: &[(&'static str, &str)]| retry_after(&headers(pairs), now()).map(|d| d.as_millis());
    assert_eq!(asked(&[("retry-after", "30")]), Some(30_000));
    assert_eq!(asked(&[("retry-after", " 1.5 ")]), Some(1500));
    assert_eq!(asked(&[("retry-after", "30"), ("retry-after-ms", "250")]), Some(250));
    assert_eq!(asked(&[("retry-after", "Wed, 25 Nov 2026 23:02:00 GMT")]), Some(120_000));
    for nothing in ["-1", "soon", "99999999999999", "Wed, 25 Nov 2020 23:02:00 GMT", ""] {
        assert_eq!(asked(&[("retry-after", nothing)]), None, "{nothing}");
    }
}

#[test]
fn what_is_used_up_is_known_until_the_longest_reset() {
    let spent =
        |pairs: &[(&'static str, &str)]| remaining(&headers(pairs), now()).spent.map(|spent| spent.reset.as_millis());
    let requests = "x-ratelimit-remaining-requests";
    assert_eq!(spent(&[(requests, "0"), ("x-ratelimit-reset-requests", "6m0s")]), Some(360_000));
    assert_eq!(spent(&[(requests, "0"), ("x-ratelimit-reset-requests", "2m59.56s")]), Some(179_560));
    assert_eq!(
        spent(&[("x-ratelimit-remaining-tokens-minute", "0"), ("x-ratelimit-reset-tokens-minute", "12.5")]),
        Some(12_500)
    );
    assert_eq!(spent(&[(requests, "1"), ("x-ratelimit-reset-requests", "6m0s")]), None);
    assert_eq!(spent(&[(requests, "0")]), None);
    let anthropic = |left: &'static str, reset: &'static str| {
        spent(&[
            ("anthropic-ratelimit-requests-remaining", "49"),
            ("anthropic-ratelimit-requests-reset", "2026-11-25T23:59:59Z"),
            ("anthropic-ratelimit-input-tokens-remaining", left),
            ("anthropic-ratelimit-input-tokens-reset", reset),
        ])
    };
    assert_eq!(anthropic("0", "2026-11-25T23:00:42Z"), Some(42_000));
    assert_eq!(anthropic("0", "2026-11-25T23:00:42.250Z"), Some(42_250));
    assert_eq!(anthropic("0", "2026-11-25T22:59:00Z"), None, "that is over");
    assert_eq!(anthropic("1000", "2026-11-25T23:00:42Z"), None);
}

#[test]
fn one_more_request_fits_after_its_share_of_the_reset() {
    let next =
        |pairs: &[(&'static str, &str)]| remaining(&headers(pairs), now()).spent.map(|spent| spent.next.as_millis());
    let (requests, reset) = ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests");
    // Sixty a minute, all used: one a second.
    assert_eq!(next(&[(requests, "0"), (reset, "1m0s"), ("x-ratelimit-limit-requests", "60")]), Some(1_000));
    assert_eq!(next(&[(requests, "0"), (reset, "1m0s")]), Some(60_000));
    let tokens = [("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", "30s")];
    assert_eq!(next(&tokens), Some(3_000));
    let anthropic = [
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", "2026-11-25T23:01:00Z"),
    ];
    assert_eq!(next(&anthropic), Some(1_200));
}

#[test]
fn the_least_number_of_requests_is_what_is_left() {
    let left = |pairs: &[(&'static str, &str)]| remaining(&headers(pairs), now()).requests;
    let day = ("x-ratelimit-remaining-requests-day", "14000");
    assert_eq!(left(&[day, ("x-ratelimit-remaining-requests-minute", "7")]), Some(7));
    assert_eq!(left(&[day, ("x-ratelimit-remaining-tokens-minute", "3")]), Some(14_000));
    assert_eq!(left(&[("x-ratelimit-remaining-requests", "many")]), None);
}

#[test]
fn the_limit_of_a_subscription_is_the_accounts_unless_it_is_one_of_a_model() {
    let scope = |claim| scope(&headers(&[("anthropic-ratelimit-unified-representative-claim", claim)]));
    assert_eq!([scope("five_hour"), scope("seven_day")], [Some(Scope::Account); 2]);
    assert_eq!([scope("seven_day_opus"), scope("seven_day_sonnet")], [Some(Scope::Model); 2]);
    assert_eq!(scope("overage"), None);
}

#[test]
fn dates_are_counted_right_over_leap_days() {
    // `date -u -d 2024-02-29T12:00:00Z +%s`
    assert_eq!(date("2024-02-29T12:00:00Z"), Some(UNIX_EPOCH + Duration::from_secs(1_709_208_000)));
    assert_eq!(date("1970-01-01T00:00:00Z"), Some(UNIX_EPOCH));
    for odd in ["2024-02-29", "2024-13-01T00:00:00Z", "2024-02-29T12:00:00+01:00", "0-0-0T0:0:0Z", "T Z"] {
        assert_eq!(date(odd), None, "{odd}");
    }
}
