//! Failures in every pairing with Responses: unseen while nothing of the answer is with the client, and told after that.

use serde_json::{Value, json};
use tollgate_sim::{Answer as Said, Ending, Faults, Provider, SimConfig, Step};

use super::{RESPONSES, hello};
use crate::stage::{Client, MASTER_KEY, Upstream};
use crate::support::fleet::{Fleet, Ship, ship};
use crate::support::http::{Answer, post};
use crate::support::{chat_checker, checker, isolated, responses_checker};

/// The client: a Responses client, or another. The upstream: what it serves.
type Pairing = (Option<Client>, Provider);

const PAIRINGS: [Pairing; 5] = [
    (None, Provider::Chat),
    (None, Provider::Messages),
    (None, Provider::Responses),
    (Some(Client::Messages), Provider::Responses),
    (Some(Client::Chat), Provider::Responses),
];

/// Frames until the client has seen content, and those before it.
const INTO_CONTENT: usize = 6;

fn deployment(provider: Provider, step: Step) -> Ship {
    let params = if provider == Provider::Responses { json!({"api_mode": "responses"}) } else { json!({}) };
    let mut ship = ship("m", step).with(params);
    ship.sim = SimConfig { providers: vec![provider], ..ship.sim };
    if provider == Provider::Messages { ship.speaks(Upstream::Messages) } else { ship }
}

fn text(words: &str) -> Step {
    Step::answer(Said { piece_chars: 4, ..Said::text(words) })
}

fn cut(frames: usize) -> Step {
    text("Words that come in many small pieces, and stop.")
        .faults(Faults { cut_after: Some((frames, Ending::Clean)), ..Faults::default() })
}

async fn ask(fleet: &Fleet, client: Option<Client>, stream: bool) -> Answer {
    let (path, body) = match client {
        Some(client) => (client.path(), client.hello(json!({"stream": stream}))),
        None => (RESPONSES, hello(json!({"stream": stream}))),
    };
    post(&fleet.gateway.url(path), &[("x-api-key", MASTER_KEY)], &body).await
}

/// The text of a stream, and the message of the error that it ended with. What ended otherwise is complete.
fn read((client, provider): Pairing, answer: &Answer) -> (String, Option<String>) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let words = |error: &Value| error["message"].as_str().map(str::to_owned);
    match client {
        Some(Client::Messages) => {
            let seen = checker::stream(&answer.body);
            assert_eq!(seen.complete, seen.error.is_none());
            let text = seen.blocks.first().map(|block| format!("{block:?}")).unwrap_or_default();
            (text, seen.error.as_ref().and_then(words))
        }
        Some(Client::Chat) => {
            let seen = chat_checker::strict(&answer.body);
            assert_eq!(seen.done, seen.error.is_none());
            (seen.text.clone(), seen.error.as_ref().and_then(words))
        }
        None => {
            // Behind an upstream's own bytes ours are numbered anew.
            let seen = match provider {
                Provider::Responses => responses_checker::passed_on(&answer.body),
                _ => responses_checker::stream(&answer.body),
            };
            let text = seen.items.iter().map(|item| item["content"][0]["text"].to_string()).collect();
            match seen.last.as_str() {
                "response.failed" => (text, words(&seen.response["error"])),
                _ => (text, seen.complete().last.strip_prefix("error").map(str::to_owned)),
            }
        }
    }
}

#[test]
fn s15_before_content_another_deployment_answers_unseen() {
    for pairing in PAIRINGS {
        isolated(move || async move {
            let (client, provider) = pairing;
            let refusal = Step::json(503, &json!({"error": {"message": "busy", "type": "server_error"}}));
            for failing in [refusal, cut(0), cut(1)] {
                let ships = vec![deployment(provider, failing), deployment(provider, text("All is well."))];
                let fleet = Fleet::start(ships, json!({})).await;
                let answer = ask(&fleet, client, true).await;
                let (text, error) = read(pairing, &answer);
                assert!(text.contains("All is well.") && error.is_none(), "{pairing:?} {text} {error:?}");
                assert_eq!(fleet.counts(), [1, 1], "{pairing:?}");
            }
        });
    }
}

#[test]
fn s15_after_content_the_stream_ends_with_an_error_and_nobody_else_is_asked() {
    for pairing in PAIRINGS {
        isolated(move || async move {
            let (client, provider) = pairing;
            let ships = vec![deployment(provider, cut(INTO_CONTENT)), deployment(provider, text("All is well."))];
            let fleet = Fleet::start(ships, json!({})).await;
            let answer = ask(&fleet, client, true).await;
            let (text, error) = read(pairing, &answer);
            assert!(error.is_some_and(|words| words.contains("before the answer was complete")), "{pairing:?}");
            assert!(!text.contains("All is well."));
            assert_eq!(fleet.counts(), [1, 0], "{pairing:?}");
        });
    }
}

#[test]
fn s05_a_stream_is_forced_or_put_together_in_every_pairing() {
    for pairing in PAIRINGS {
        for forced in ["always", "never"] {
            isolated(move || async move {
                let (client, provider) = pairing;
                let said = Said::text("Found.").and_tool("call_1", "Read", &json!({"path": "a"}));
                let ship = deployment(provider, Step::answer(said)).with(json!({"force_stream": forced}));
                let fleet = Fleet::start(vec![ship], json!({})).await;
                for stream in [true, false] {
                    let answer = ask(&fleet, client, stream).await;
                    assert_eq!(answer.status, 200, "{pairing:?} {forced}: {}", answer.text());
                    let whole = answer.text();
                    for part in ["Found.", "call_1", "Read"] {
                        assert!(whole.contains(part), "{pairing:?} {forced} {stream}: {part} in {whole}");
                    }
                    if client.is_none() && stream {
                        assert_eq!(responses_checker::stream(&answer.body).complete().items.len(), 2);
                    }
                }
                let sent = fleet.sent(0);
                assert!(sent.iter().all(|request| (request.json()["stream"] == true) == (forced == "always")));
            });
        }
    }
}

#[test]
fn s26_a_responses_client_is_told_how_long_to_wait_even_if_the_upstream_does_not_say() {
    isolated(|| async {
        let limited = |kind: &str| json!({"error": {"message": "no more", "type": kind, "code": kind}});
        for (kind, wait) in [("rate_limit_exceeded", Some("5")), ("insufficient_quota", None)] {
            let fleet =
                Fleet::start(vec![deployment(Provider::Chat, Step::json(429, &limited(kind)))], json!({})).await;
            let answer = ask(&fleet, None, true).await;
            assert_eq!(answer.json()["error"]["code"], kind, "{}", answer.text());
            assert_eq!(answer.header("retry-after"), wait, "{kind}");
        }
    });
}
