//! Rate limits of the gateway's own, alone and with other replicas.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Answer, Faults, Sim, SimConfig, Step};

use crate::stage::{BOTH, Client, MASTER_KEY, PROVIDER_KEY, Stage, Upstream, config, has, merged};
use crate::support::http::{Answer as Got, post, try_send};
use crate::support::redis::PASSWORD;
use crate::support::{Gateway, Redis, isolated};

fn limits(limits: Value) -> Value {
    json!({"tollgate_settings": {"limits": limits}})
}

async fn stage(sim: SimConfig, of_gateway: Value) -> Stage {
    Stage::start(sim, Upstream::Chat, json!({"num_retries": 0}), limits(of_gateway)).await
}

fn saying(text: &str) -> SimConfig {
    SimConfig::default().step(Step::text(text).always())
}

fn number(answer: &Got, name: &str) -> u64 {
    let value = answer.header(name).unwrap_or_else(|| panic!("no {name} in {:?}", answer.headers));
    value.parse().unwrap_or_else(|_| panic!("{name}: {value}"))
}

#[test]
fn s25_a_request_beyond_a_limit_is_a_429_in_the_clients_dialect_with_retry_after_and_without_any_key() {
    isolated(|| async {
        // Of a day, so that no minute ends in between.
        let stage = stage(saying("yes"), json!({"rpd_limit": 2})).await;
        for client in BOTH {
            assert_eq!(stage.ask(client, &client.hello(json!({}))).await.status, 200);
        }
        for client in BOTH {
            for stream in [false, true] {
                let answer = stage.ask(client, &client.hello(json!({"stream": stream}))).await;
                assert_eq!(answer.status, 429, "{}", answer.text());
                let (kind, message) = client.error(&answer);
                assert_eq!(kind, "rate_limit_error");
                has(&message, "2 requests per day are allowed to all callers together; 0 are left");
                has(&message, "tollgate_settings.limits.rpd_limit decides");
                assert!((1..=86_400).contains(&number(&answer, "retry-after")));
                assert_eq!(answer.header("x-tollgate-reason"), Some("over_limit"));
                assert_eq!(answer.header("x-tollgate-signature"), Some("tollgate-over-limit"));
                let (limit, rest) = match client {
                    Client::Messages => {
                        ("anthropic-ratelimit-requests-limit", "anthropic-ratelimit-requests-remaining")
                    }
                    Client::Chat => ("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests"),
                };
                assert_eq!((number(&answer, limit), number(&answer, rest)), (2, 0));
                let whole = format!("{:?} {}", answer.headers, answer.text());
                assert!(!whole.contains("canary"), "{whole}");
            }
        }
        assert_eq!(stage.sent().len(), 2);
        let log = stage.gateway.logged("tollgate-over-limit").await;
        assert!(!log.contains(MASTER_KEY) && !log.contains(PROVIDER_KEY), "{log}");
    });
}

#[test]
fn an_answer_says_what_is_left_and_marks_what_the_provider_says_of_its_own_limits() {
    isolated(|| async {
        let sim = || {
            let step = Step::text(&"word ".repeat(40)).header("x-ratelimit-remaining-requests", "41");
            SimConfig::default().step(step.always())
        };
        let own = stage(sim(), json!({"rpd_limit": 10, "tpd_limit": 1000})).await;
        let ask = async |n: u64, stream: bool| {
            let answer = own.ask(Client::Chat, &Client::Chat.hello(json!({"stream": stream}))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(number(&answer, "x-ratelimit-limit-requests"), 10);
            assert_eq!(number(&answer, "x-ratelimit-remaining-requests"), 10 - n);
            assert_eq!(number(&answer, "llm_provider-x-ratelimit-remaining-requests"), 41);
            has(answer.header("x-ratelimit-reset-requests").expect("a reset"), "s");
            answer
        };
        let answers = [ask(1, false).await, ask(2, true).await, ask(3, false).await];
        let [first, second, third] = answers.each_ref().map(|answer| number(answer, "x-ratelimit-remaining-tokens"));
        // The prompt's few tokens are taken; when the answer is there, what it took.
        let took = answers[0].json()["usage"]["total_tokens"].as_u64().expect("a usage");
        assert!((900..1000).contains(&first) && took > 50, "{first} {took}");
        assert_eq!((first - second, second - third), (took, took));
        // Without limits of the gateway's own the provider's go through as they are.
        let none = stage(sim(), json!({})).await;
        let answer = none.ask(Client::Chat, &Client::Chat.hello(json!({}))).await;
        assert_eq!(number(&answer, "x-ratelimit-remaining-requests"), 41);
        assert_eq!(answer.header("x-ratelimit-limit-requests"), None);
    });
}

#[test]
fn a_model_has_a_limit_of_its_own_under_every_name() {
    isolated(|| async {
        let more = merged(
            limits(json!({"models": {"m": {"rpd_limit": 1}}})),
            json!({"router_settings": {"model_group_alias": {"fast": "m"}}}),
        );
        let stage = Stage::start(saying("yes"), Upstream::Chat, json!({}), more).await;
        assert_eq!(stage.ask(Client::Chat, &Client::Chat.hello(json!({"model": "fast"}))).await.status, 200);
        for model in ["m", "fast"] {
            let answer = stage.ask(Client::Chat, &Client::Chat.hello(json!({"model": model}))).await;
            assert_eq!(answer.status, 429, "{}", answer.text());
            has(&answer.text(), "with the model m");
        }
    });
}

#[test]
fn a_prompt_that_is_larger_than_the_limit_is_not_to_be_sent_again() {
    isolated(|| async {
        let stage = stage(saying("yes"), json!({"tpm_limit": 5})).await;
        let long = json!({"messages": [{"role": "user", "content": "word ".repeat(100)}]});
        for client in BOTH {
            let answer = stage.ask(client, &client.hello(long.clone())).await;
            assert_eq!((answer.status.as_u16(), answer.header("x-should-retry")), (429, Some("false")));
            has(&answer.text(), "It can never pass");
        }
        assert_eq!(stage.sent().len(), 0);
    });
}

#[test]
fn a_request_for_which_no_upstream_was_asked_takes_nothing() {
    isolated(|| async {
        let busy =
            Step::json(429, &json!({"error": {"message": "slow down", "type": "t"}})).header("retry-after", "60");
        let stage = stage(SimConfig::default().step(busy.always()), json!({"rpd_limit": 2})).await;
        let ask = async || stage.ask(Client::Chat, &Client::Chat.hello(json!({}))).await;
        // The first one is asked and refused; from then on the deployment rests.
        for _ in 0..4 {
            let answer = ask().await;
            assert_eq!(answer.status, 429);
            assert_ne!(answer.header("x-tollgate-reason"), Some("over_limit"), "{}", answer.text());
        }
        assert_eq!(stage.sent().len(), 1);
    });
}

#[test]
fn a_place_is_taken_for_as_long_as_the_answer_lasts_or_its_client_stays() {
    isolated(|| async {
        let silence = Faults { silence: Some((2, Duration::from_secs(60))), ..Faults::default() };
        let slow = Step::answer(Answer { piece_chars: 1, ..Answer::text("word by word") }).faults(silence);
        let sim = SimConfig::default().step(slow).step(Step::text("yes").always());
        let stage = stage(sim, json!({"max_parallel_requests": 1})).await;
        let url = stage.gateway.url(Client::Chat.path());
        let body = Client::Chat.hello(json!({"stream": true})).to_string();
        let first = tokio::spawn(async move {
            let headers = [("x-api-key", MASTER_KEY), ("content-type", "application/json")];
            try_send(http::Method::POST, &url, &headers, body).await
        });
        stage.sim.wait_until(|all| all.len() == 1).await;
        let answer = stage.ask(Client::Messages, &Client::Messages.hello(json!({}))).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("1")));
        has(&answer.text(), "1 requests at the same time are allowed");
        first.abort();
        stage.gateway.logged("client went away").await;
        for _ in 0..3 {
            let answer = stage.ask(Client::Messages, &Client::Messages.hello(json!({}))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    });
}

/// Several gateways with one configuration, and Redis between them.
struct Place {
    _sim: Sim,
    config: String,
    redis: Redis,
}

const TOGETHER: &str = "rate limits are held together";

impl Place {
    async fn new(settings: Value) -> Place {
        let sim = Sim::start(saying("yes").key(PROVIDER_KEY)).await;
        let config = config(&[Upstream::Chat.entry(&sim, "m", json!({}))]);
        let config = merged(config, json!({"tollgate_settings": settings})).to_string();
        Place { _sim: sim, config, redis: Redis::start().await }
    }

    async fn replica(&self) -> Gateway {
        let gateway = Gateway::start_with_env(&self.config, &[], &[("REDIS_URL", &self.redis.url())]).await;
        gateway.logged(TOGETHER).await;
        gateway
    }
}

async fn ask(gateway: &Gateway) -> Got {
    post(&gateway.url("/v1/chat/completions"), &[("x-api-key", MASTER_KEY)], &Client::Chat.hello(json!({}))).await
}

/// The statuses of so many requests.
async fn statuses(gateway: &Gateway, times: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..times {
        statuses.push(ask(gateway).await.status.as_u16());
    }
    statuses
}

#[test]
fn replicas_hold_a_limit_together_and_each_by_itself_while_redis_is_away() {
    isolated(|| async {
        let mut place = Place::new(json!({"limits": {"rpd_limit": 4}})).await;
        let (a, b) = (place.replica().await, place.replica().await);
        assert_eq!((statuses(&a, 2).await, statuses(&b, 3).await), (vec![200; 2], vec![200, 200, 429]));
        assert_eq!(statuses(&a, 1).await, [429]);
        let keys = place.redis.keys().await;
        has(&keys, "tollgate:limit:requests_per_day:");
        place.redis.kill().await;
        a.logged("each replica holds the rate limits by itself").await;
        assert_eq!(statuses(&a, 3).await, [200, 200, 429]);
        let log = a.log();
        assert_eq!(log.matches("each replica holds").count(), 1, "{log}");
        assert!(!log.contains(PASSWORD) && !keys.contains("canary"), "{log}");
    });
}

#[test]
fn where_it_is_set_so_requests_are_refused_while_redis_is_away() {
    isolated(|| async {
        let settings = json!({"limits": {"rpd_limit": 4}, "limits_without_redis": "refuse"});
        let mut place = Place::new(settings).await;
        let a = place.replica().await;
        assert_eq!(statuses(&a, 1).await, [200]);
        place.redis.kill().await;
        a.logged("requests are refused where it is not sure").await;
        let answer = ask(&a).await;
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("1")));
        has(&answer.text(), "tollgate_settings.limits_without_redis");
        assert_eq!(answer.header("x-tollgate-signature"), Some("tollgate-limits-unknown"));
        place.redis.start_again().await;
        let again = async {
            while ask(&a).await.status != 200 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), again).await.expect("requests are admitted again");
        assert_eq!(statuses(&a, 3).await, [200, 200, 429]);
    });
}
