use super::*;
use tollgate_store::record::{AttemptFailure, Candidate, Queue, Usage};

#[test]
fn durations_are_written_as_people_write_them() {
    assert_eq!(
        (duration(950), duration(12_340), duration(700_000)),
        ("950 ms".into(), "12.3 s".into(), "11 min".into())
    );
}

#[test]
fn a_record_is_told_from_top_to_bottom() {
    let record = Record {
        id: "req_1".into(),
        method: "POST".into(),
        path: "/v1/messages".into(),
        model: "kimi".into(),
        dialect: "messages".into(),
        stream: true,
        request_bytes: 49_000,
        client: "claude-cli/2.1.329".into(),
        outcome: Outcome::Answered,
        status: Some(200),
        ended_ms: Some(2500),
        began_at_ms: 1_767_225_600_000,
        queue: Some(Queue { route: "kimi".into(), waited_ms: 450, before: None }),
        first_content_ms: Some(900),
        routes: vec![RouteTaken {
            route: "kimi".into(),
            why: "the name asked for".into(),
            at_ms: 1,
            candidates: vec![Candidate {
                deployment: "a".into(),
                provider: "moonshot".into(),
                model: "kimi-k2.5".into(),
                verdict: "drawn by share".into(),
            }],
        }],
        attempts: vec![
            Attempt {
                deployment: "a".into(),
                provider: "moonshot".into(),
                model: "kimi-k2.5".into(),
                url: "https://api.moonshot.ai/v1".into(),
                began_ms: 2,
                body_bytes: 48_000,
                stream: true,
                ended_ms: Some(102),
                failure: Some(AttemptFailure {
                    kind: "rate_limited".into(),
                    status: Some(429),
                    words: "slow down".into(),
                    retry_after_ms: Some(30_000),
                    upstream_request_id: Some("up_9".into()),
                }),
                then: "asked b".into(),
                ..Attempt::default()
            },
            Attempt {
                deployment: "b".into(),
                began_ms: 103,
                first_byte_ms: Some(800),
                ended_ms: Some(2500),
                ..Attempt::default()
            },
        ],
        usage: Usage { input_tokens: 1000, output_tokens: 20, cached_tokens: 900, estimated: false },
        cost_nanos: Some(1_500_000),
        ..Record::default()
    };
    let text = whole(&record);
    for part in [
        "req_1  answered with 200 after 2500 ms",
        "POST /v1/messages  model kimi (messages, stream, 47 KB)  from claude-cli/2.1.329",
        "UTC, waited 450 ms for its turn at kimi, first content after 900 ms",
        "kimi (the name asked for), at 1 ms",
        "a  moonshot/kimi-k2.5  drawn by share",
        "1. a  moonshot/kimi-k2.5  https://api.moonshot.ai/v1",
        "sent 46 KB at 2 ms, as a stream; failed after 100 ms: rate_limited (429)",
        "the upstream said: slow down",
        "it asked for a rest of 30.0 s",
        "its own id: up_9",
        "then: asked b",
        "first byte after 697 ms; answered after 2397 ms",
        "1000 tokens in (900 of them cached), 20 out; $0.0015",
        "Cause\n  a (moonshot/kimi-k2.5): the provider limits the rate of requests or tokens (status 429); b answered in the end",
        "Next step\n  wait as long as it asks",
    ] {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
    assert!(line(&record).starts_with("req_1  "), "{}", line(&record));
}
