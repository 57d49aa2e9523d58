use super::*;

/// 2026-11-26 02:20:10 UTC, and the end of its minute and its day.
const NOW: u64 = 1_795_659_610_000;
const MINUTE: u64 = 1_795_659_660_000;
const DAY: u64 = 1_795_737_600_000;

fn shown(dialect: Dialect, standing: &Standing) -> Vec<String> {
    let mut headers = HeaderMap::new();
    put(dialect, standing, NOW, &mut headers);
    let mut shown: Vec<String> =
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    shown.sort();
    shown
}

fn gauge(limit: u64, remaining: u64, resets_at_ms: u64) -> Option<Gauge> {
    Some(Gauge { limit, remaining, resets_at_ms })
}

#[test]
fn a_chat_client_sees_openais_headers() {
    let standing = Standing {
        requests: gauge(60, 59, MINUTE),
        tokens: gauge(150_000, 149_984, DAY),
        output_tokens: gauge(1, 1, MINUTE),
        ..Standing::default()
    };
    let expected = [
        "x-ratelimit-limit-requests: 60",
        "x-ratelimit-limit-tokens: 150000",
        "x-ratelimit-remaining-requests: 59",
        "x-ratelimit-remaining-tokens: 149984",
        "x-ratelimit-reset-requests: 50s",
        "x-ratelimit-reset-tokens: 21h39m50s",
    ];
    assert_eq!(shown(Dialect::Chat, &standing), expected);
}

#[test]
fn an_anthropic_client_sees_anthropics_headers() {
    let standing = Standing {
        requests: gauge(50, 0, MINUTE),
        input_tokens: gauge(30_000, 29_000, MINUTE),
        output_tokens: gauge(8_000, 8_000, DAY),
        ..Standing::default()
    };
    let expected = [
        "anthropic-ratelimit-input-tokens-limit: 30000",
        "anthropic-ratelimit-input-tokens-remaining: 29000",
        "anthropic-ratelimit-input-tokens-reset: 2026-11-26T02:21:00Z",
        "anthropic-ratelimit-output-tokens-limit: 8000",
        "anthropic-ratelimit-output-tokens-remaining: 8000",
        "anthropic-ratelimit-output-tokens-reset: 2026-11-27T00:00:00Z",
        "anthropic-ratelimit-requests-limit: 50",
        "anthropic-ratelimit-requests-remaining: 0",
        "anthropic-ratelimit-requests-reset: 2026-11-26T02:21:00Z",
    ];
    assert_eq!(shown(Dialect::Messages, &standing), expected);
}

#[test]
fn spans_are_written_as_openai_writes_them() {
    let written = [(250, "250ms"), (1_000, "1s"), (59_001, "1m0s"), (360_000, "6m0s"), (3_723_000, "1h2m3s")];
    for (ms, expected) in written {
        assert_eq!(span(ms), expected);
    }
    assert!(shown(Dialect::Chat, &Standing::default()).is_empty());
}
