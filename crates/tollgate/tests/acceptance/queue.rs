//! S20: requests beyond what a deployment takes wait for their turn, and callers take turns.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tollgate_sim::{Answer as Said, Faults, Recorded, Sim, SimConfig, Step};

use crate::stage::{BOTH, Client, MASTER_KEY, PROVIDER_KEY, Stage, Upstream, has, merged};
use crate::support::http::{Answer, post, send};
use crate::support::{Gateway, chat_checker, checker, isolated};

const PATIENCE: Duration = Duration::from_secs(30);

/// A gateway without a master key, so that each key is a caller of its own, before one provider.
struct Desk {
    sim: Sim,
    gateway: Gateway,
}

impl Desk {
    /// One route `m` with these `litellm_params`; `more` are further blocks of the config.
    async fn start(sim: SimConfig, params: Value, more: Value) -> Desk {
        let sim = Sim::start(sim.key(PROVIDER_KEY)).await;
        let entry = Upstream::Chat.entry(&sim, "m", merged(json!({"num_retries": 0}), params));
        let config = merged(json!({"model_list": [entry]}), more);
        Desk { gateway: Gateway::start(&config.to_string(), &[]).await, sim }
    }

    fn url(&self) -> String {
        self.gateway.url(Client::Chat.path())
    }

    /// Posts so many requests at once, each on its own connection. They end with the set.
    fn burst(&self, key: &str, count: usize, headers: &'static [(&'static str, &'static str)]) -> JoinSet<Answer> {
        let mut tasks = JoinSet::new();
        for _ in 0..count {
            let (url, key) = (self.url(), key.to_owned());
            tasks.spawn(async move {
                let headers: Vec<_> = headers.iter().copied().chain([("x-api-key", key.as_str())]).collect();
                post(&url, &headers, &of(&key)).await
            });
        }
        tasks
    }

    async fn metrics(&self) -> String {
        send(Method::GET, &self.gateway.url("/metrics"), &[("x-api-key", "operator")], "").await.text()
    }

    async fn waiting(&self) -> usize {
        let metrics = self.metrics().await;
        let line = metrics.lines().find_map(|line| line.strip_prefix("tollgate_queue_waiting{route=\"m\"} "));
        line.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("no such number in {metrics}"))
    }

    async fn until_waiting(&self, count: usize) {
        let reached = async {
            while self.waiting().await != count {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{count} never wait"));
    }

    async fn until_sent(&self, count: usize) {
        let sent = self.sim.wait_until(|all| all.len() >= count);
        timeout(PATIENCE, sent).await.unwrap_or_else(|_| panic!("{count} never go up"));
    }

    /// The latest requests, as `GET /tollgate/requests` tells them.
    async fn records(&self, query: &str) -> Value {
        let url = self.gateway.url(&format!("/tollgate/requests?limit=500&{query}"));
        send(Method::GET, &url, &[("x-api-key", "operator")], "").await.json()
    }

    /// Whose requests went up, in this order.
    fn order(&self) -> Vec<String> {
        self.sim.requests().iter().map(whose).collect()
    }
}

/// A request that says whose it is.
fn of(key: &str) -> Value {
    Client::Chat.hello(json!({"messages": [{"role": "user", "content": key}]}))
}

fn whose(request: &Recorded) -> String {
    request.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned()
}

/// Answers after this time.
fn slow(ms: u64) -> SimConfig {
    SimConfig::default().step(slow_step(ms).always())
}

fn slow_step(ms: u64) -> Step {
    Step::text("at last").faults(Faults { before_headers: Duration::from_millis(ms), ..Faults::default() })
}

/// So many requests that never end, then answers at once. Who holds a slot gives it up by going away.
fn held(count: u32) -> SimConfig {
    SimConfig::default().step(slow_step(600_000).times(count)).step(Step::text("at last").always())
}

async fn all(mut burst: JoinSet<Answer>) -> Vec<Answer> {
    let mut answers = Vec::new();
    while let Some(answer) = burst.join_next().await {
        answers.push(answer.expect("it does not panic"));
    }
    answers
}

fn queued_ms(answer: &Answer) -> Option<u64> {
    answer.header("x-tollgate-queued-ms").map(|ms| ms.parse().expect("a number"))
}

#[test]
fn s20_a_burst_of_two_hundred_delays_another_key_by_two_slots_at_most() {
    isolated(|| async {
        // The slots become free one after the other, so that the provider sees the order in which they were given.
        let sim = SimConfig::default().steps([400, 800, 1200].map(slow_step)).step(slow_step(1600).always());
        let desk = Desk::start(sim, json!({"max_parallel_requests": 4}), json!({})).await;
        let burst = desk.burst("a", 200, &[]);
        // All that have not gone up wait.
        let there = async {
            while desk.waiting().await + desk.sim.requests().len() < 200 {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(PATIENCE, there).await.expect("the burst arrives");
        let b = desk.burst("b", 1, &[]);
        // From the moment that b waits, or has gone up already.
        let sent_before = async {
            loop {
                let under_way = desk.records("outcome=under_way").await;
                let sent = desk.sim.requests().len();
                let waits = |record: &Value| record["queue"]["before"].as_u64().is_some_and(|before| before <= 1);
                let newest = under_way.as_array().and_then(|all| all.first().cloned()).unwrap_or_default();
                if waits(&newest) || desk.order().iter().any(|key| key == "b") {
                    return sent;
                }
                sleep(Duration::from_millis(2)).await;
            }
        };
        let sent_before = timeout(PATIENCE, sent_before).await.expect("b waits for one other at most");
        let answer = all(b).await.remove(0);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(queued_ms(&answer).is_some());
        let place = desk.order().iter().position(|key| key == "b").expect("b has gone up");
        assert!(place <= sent_before + 1, "{place} after {sent_before}");
        assert_eq!(desk.sim.most_at_once(), 4);
        drop(burst);
        desk.until_waiting(0).await;
    });
}

#[test]
fn s20_each_of_three_busy_keys_gets_at_least_a_quarter_of_the_slots() {
    isolated(|| async {
        let desk = Desk::start(held(4), json!({"max_parallel_requests": 4}), json!({})).await;
        let holds = desk.burst("holds", 4, &[]);
        desk.until_sent(4).await;
        let bursts = [("a", 120), ("b", 60), ("c", 60)].map(|(key, count)| desk.burst(key, count, &[]));
        desk.until_waiting(240).await;
        drop(holds);
        for burst in bursts {
            for answer in all(burst).await {
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
        }
        // As long as all of them have some waiting.
        let order = desk.order();
        let last = |key: &str| order.iter().rposition(|other| other == key).unwrap();
        let span = &order[4..last("b").min(last("c"))];
        assert!(span.len() >= 160, "{order:?}");
        for key in ["a", "b", "c"] {
            let count = span.iter().filter(|other| *other == key).count();
            assert!(count * 4 >= span.len(), "{key} has {count} of {}", span.len());
        }
        // The provider may notice that the first four went away after the next have come.
        assert!((4..=8).contains(&desk.sim.most_at_once()), "{}", desk.sim.most_at_once());
        let metrics = desk.metrics().await;
        let waited = metrics.lines().find_map(|l| l.strip_prefix("tollgate_queue_wait_seconds_count{route=\"m\"} "));
        assert!(waited == Some("240"), "{metrics}");
        assert!(metrics.lines().any(|l| l.starts_with("tollgate_requests_in_flight{route=\"m\"") && l.ends_with(" 0")));
    });
}

#[test]
fn s20_a_stream_that_waits_is_kept_alive_and_answers_tell_how_long_they_waited() {
    isolated(|| async {
        let settings = json!({"tollgate_settings": {"commit_after_ms": 300}});
        let desk = Desk::start(SimConfig::default(), json!({"max_parallel_requests": 1}), settings).await;
        for client in BOTH {
            desk.sim.replace_script([slow_step(600_000), Step::text("at last").always()]);
            let sent = desk.sim.requests().len();
            let holds = desk.burst("a", 1, &[]);
            desk.until_sent(sent + 1).await;
            let stream = {
                let (url, body) = (desk.gateway.url(client.path()), client.hello(json!({"stream": true})));
                tokio::spawn(async move { post(&url, &[("x-api-key", "b")], &body).await })
            };
            desk.until_waiting(1).await;
            sleep(Duration::from_secs(1)).await;
            drop(holds);
            let stream = stream.await.unwrap();
            assert_eq!(stream.status, 200, "{}", stream.text());
            assert!(stream.header("request-id").is_some());
            // The head went out while it waited: it tells of the wait until then.
            assert!(queued_ms(&stream).is_some_and(|ms| (1..=300).contains(&ms)), "{:?}", queued_ms(&stream));
            if client == Client::Messages {
                let seen = checker::stream(&stream.body);
                assert_eq!(seen.whole().blocks, [checker::text("at last")]);
                assert!(seen.pings >= 1 && stream.text().starts_with("event: ping\n"), "{}", stream.text());
            } else {
                let seen = chat_checker::lenient(&stream.body);
                assert!(seen.done && seen.text == "at last", "{seen:?}");
                has(&stream.text(), ": ping\n\n");
            }
            let record = &desk.records("outcome=answered").await[0];
            assert_eq!(record["queue"]["route"], "m", "{record}");
            assert!(record["queue"]["waited_ms"].as_u64() >= Some(1000), "{record}");
            assert!(record["queue"].get("before").is_none(), "{record}");
        }
        // In one piece: the whole wait, until the slot was free.
        desk.sim.replace_script([slow_step(1500).always()]);
        let mut waits: Vec<Option<u64>> = all(desk.burst("a", 2, &[])).await.iter().map(queued_ms).collect();
        waits.sort();
        assert!(waits[0].is_none() && waits[1] >= Some(500), "{waits:?}");
    });
}

#[test]
fn s20_a_full_queue_and_a_wait_that_is_too_long_are_refused_by_the_name_of_the_setting() {
    isolated(|| async {
        let settings =
            json!({"tollgate_settings": {"fair_queue": {"max_waiting": 1, "max_wait_s": 3}, "commit_after_ms": 100}});
        let desk = Desk::start(slow(60_000), json!({"max_parallel_requests": 1}), settings).await;
        let _holds = desk.burst("a", 1, &[]);
        desk.until_sent(1).await;
        let late = {
            let url = desk.gateway.url(Client::Messages.path());
            tokio::spawn(async move {
                post(&url, &[("x-api-key", "a")], &Client::Messages.hello(json!({"stream": true}))).await
            })
        };
        desk.until_waiting(1).await;
        for client in BOTH {
            let answer = post(&desk.gateway.url(client.path()), &[("x-api-key", "b")], &client.hello(json!({}))).await;
            assert_eq!(answer.status, 429, "{}", answer.text());
            let (kind, message) = client.error(&answer);
            assert_eq!(kind, "rate_limit_error");
            has(&message, "m: the queue is full: 1 requests may wait");
            has(&message, "tollgate_settings.fair_queue.max_waiting");
            assert_eq!(answer.header("x-tollgate-reason"), Some("queue_full"));
            assert_eq!(answer.header("x-tollgate-signature"), Some("tollgate-queue"));
            assert!(answer.header("retry-after").is_some_and(|after| after.parse::<u64>().unwrap() >= 1));
            assert_eq!((answer.header("x-should-retry"), queued_ms(&answer)), (None, None));
        }
        // A stream that was opened while it waited is told in the stream.
        let late = late.await.unwrap();
        assert_eq!(late.status, 200);
        let error = checker::stream(&late.body).failed().clone();
        assert_eq!(error["type"], "rate_limit_error");
        has(error["message"].as_str().unwrap(), "m: no turn came within the 3 s");
        has(error["message"].as_str().unwrap(), "tollgate_settings.fair_queue.max_wait_s");
        let answer = all(desk.burst("b", 1, &[])).await.remove(0);
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert_eq!(answer.header("x-tollgate-reason"), Some("queue_timeout"));
        assert!(queued_ms(&answer) >= Some(3000), "{:?}", queued_ms(&answer));
        let record = desk.records("outcome=failed").await[0].clone();
        has(record["cause"].as_str().unwrap(), "as many requests as they take");
        let metrics = desk.metrics().await;
        has(&metrics, "tollgate_queue_refused_total{route=\"m\",reason=\"full\"} 2\n");
        has(&metrics, "tollgate_queue_refused_total{route=\"m\",reason=\"too_long\"} 2\n");
        assert_eq!(desk.sim.requests().len(), 1);
    });
}

#[test]
fn requests_beyond_what_the_providers_headers_say_to_be_left_wait_until_there_is_more() {
    isolated(|| async {
        // Four at first, then four a second; whoever comes too soon is refused, and nothing is retried.
        let desk = Desk::start(SimConfig::default().rate(4, 4.0), json!({}), json!({})).await;
        // With the first answer the limit is known.
        assert_eq!(all(desk.burst("a", 1, &[])).await[0].status, 200);
        let answers = all(desk.burst("a", 8, &[])).await;
        assert!(
            answers.iter().all(|answer| answer.status == 200),
            "{:?}",
            answers.iter().map(|a| a.text()).collect::<Vec<_>>()
        );
        assert_eq!(desk.sim.requests().len(), 9);
        assert!(answers.iter().filter(|answer| queued_ms(answer).is_some()).count() >= 4);
    });
}

#[test]
fn s20_one_key_cannot_fill_the_queue_against_another() {
    isolated(|| async {
        let settings = json!({"tollgate_settings": {"fair_queue": {"max_waiting": 4}}});
        let desk = Desk::start(slow(60_000), json!({"max_parallel_requests": 1}), settings).await;
        let _holds = desk.burst("a", 1, &[]);
        desk.until_sent(1).await;
        let mut greedy = desk.burst("a", 4, &[]);
        desk.until_waiting(4).await;
        let _modest = desk.burst("b", 2, &[]);
        for _ in 0..2 {
            let gave_way = timeout(PATIENCE, greedy.join_next()).await.expect("one gives way").unwrap().unwrap();
            assert_eq!(gave_way.status, 429, "{}", gave_way.text());
            has(&gave_way.text(), "fair_queue.max_waiting");
        }
        // With equal parts of the queue nobody gives way.
        assert_eq!(all(desk.burst("b", 1, &[])).await[0].status, 429);
        assert_eq!(desk.waiting().await, 4);
    });
}

#[test]
fn s20_a_client_that_goes_away_leaves_the_queue_and_its_slot() {
    isolated(|| async {
        let desk = Desk::start(slow(60_000), json!({"max_parallel_requests": 1}), json!({})).await;
        let holds = desk.burst("a", 1, &[]);
        desk.until_sent(1).await;
        let leaves = desk.burst("b", 3, &[]);
        desk.until_waiting(3).await;
        let under_way = desk.records("outcome=under_way").await;
        let before: Vec<u64> = (0..3).filter_map(|n| under_way[n]["queue"]["before"].as_u64()).collect();
        assert_eq!(before.len(), 3, "{under_way}");
        has(under_way[0]["cause"].as_str().unwrap(), "waiting for its turn at m");
        drop(leaves);
        desk.until_waiting(0).await;
        let gone = async {
            while desk.records("outcome=client_went_away").await.as_array().is_some_and(|all| all.len() < 3) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, gone).await.expect("each has its record");
        has(desk.records("outcome=client_went_away").await[0]["cause"].as_str().unwrap(), "waiting for its turn");
        // Who carried the slot goes away too: the next has it at once.
        desk.sim.replace_script([Step::text("mine").always()]);
        let next = desk.burst("c", 1, &[]);
        desk.until_waiting(1).await;
        drop(holds);
        let answer = timeout(PATIENCE, all(next)).await.expect("the slot is free again").remove(0);
        assert_eq!(Client::Chat.text(&answer), "mine");
        assert_eq!(desk.order(), ["a", "c"], "who left was never sent");
    });
}

#[test]
fn s20_batch_work_stands_back() {
    isolated(|| async {
        let desk = Desk::start(held(1), json!({"max_parallel_requests": 1}), json!({})).await;
        let first = desk.burst("first", 1, &[]);
        desk.until_sent(1).await;
        let batch = desk.burst("batch", 2, &[("x-tollgate-priority", "batch")]);
        desk.until_waiting(2).await;
        let interactive = desk.burst("person", 2, &[]);
        desk.until_waiting(4).await;
        drop(first);
        for burst in [batch, interactive] {
            assert!(all(burst).await.iter().all(|answer| answer.status == 200));
        }
        assert_eq!(desk.order(), ["first", "person", "person", "batch", "batch"]);
    });
}

#[test]
fn s20_priorities_order_the_requests_of_one_key_and_do_not_go_up() {
    isolated(|| async {
        let desk = Desk::start(held(1), json!({"max_parallel_requests": 1}), json!({})).await;
        let first = desk.burst("first", 1, &[]);
        desk.until_sent(1).await;
        let mut tasks = JoinSet::new();
        for (n, (name, priority)) in [("later", 5), ("usual", 0), ("urgent", -5)].into_iter().enumerate() {
            let (url, body) = (desk.url(), merged(of(name), json!({"priority": priority})));
            tasks.spawn(async move { post(&url, &[("x-api-key", "one")], &body).await });
            desk.until_waiting(n + 1).await;
        }
        drop(first);
        assert!(all(tasks).await.iter().all(|answer| answer.status == 200));
        assert_eq!(desk.order(), ["first", "urgent", "usual", "later"]);
        assert!(desk.sim.requests().iter().all(|request| request.json().get("priority").is_none()));
    });
}

#[test]
fn s20_a_limit_that_an_upstream_has_shown_is_kept_by_a_lone_deployment() {
    isolated(|| async {
        let steps = [slow_step(1000).times(4), slow_step(200).always()];
        let sim = SimConfig::default().steps(steps).at_once(4, "Too many requests at the same time");
        let desk = Desk::start(sim, json!({"num_retries": 5}), json!({})).await;
        let refused = || desk.sim.requests().iter().filter(|request| request.refused.is_some()).count();
        // The first wave finds it out; who was refused is sent again when it is its turn.
        for answer in all(desk.burst("a", 12, &[])).await {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let found_out = refused();
        assert!(found_out >= 1);
        has(&desk.metrics().await, "tollgate_deployment_learned_limit{route=\"m\"");
        // After that no further request is sent into a refusal.
        for answer in all(desk.burst("b", 24, &[])).await {
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("x-tollgate-attempts"), Some("1"));
        }
        assert_eq!(refused(), found_out);
        assert_eq!(desk.sim.most_at_once(), 4);
    });
}

#[test]
fn s26_who_waits_heeds_a_rest_that_begins_meanwhile() {
    isolated(|| async {
        let refused = |after: &str| {
            let error = json!({"error": {"message": "slow down", "type": "rate_limit_error"}});
            let faults = Faults { before_headers: Duration::from_millis(300), ..Faults::default() };
            Step::json(429, &error).faults(faults).header("retry-after", after)
        };
        // A short rest is waited for by all.
        let sim = SimConfig::default().step(refused("2")).step(Step::text("at last").always());
        let desk = Desk::start(sim, json!({"max_parallel_requests": 1, "num_retries": 2}), json!({})).await;
        let answers = all(desk.burst("a", 3, &[])).await;
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        let sent = desk.sim.requests();
        assert_eq!(sent.len(), 4);
        assert!(sent[1].at - sent[0].at >= Duration::from_millis(2200));
        // Of a long one all are told how long it is.
        desk.sim.replace_script([refused("30")]);
        for answer in all(desk.burst("a", 3, &[])).await {
            assert_eq!(answer.status, 429, "{}", answer.text());
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((20..=30).contains(&seconds), "{seconds}");
        }
        assert_eq!(desk.sim.requests().len(), 5);
    });
}

#[test]
fn s20_the_routers_default_limit_holds_for_deployments_without_their_own() {
    isolated(|| async {
        let sims = [Sim::start(slow(500).key(PROVIDER_KEY)).await, Sim::start(slow(500).key(PROVIDER_KEY)).await];
        let entry = |n: usize, params| Upstream::Chat.entry(&sims[n], ["m", "n"][n], params);
        let config = json!({
            "model_list": [entry(0, json!({})), entry(1, json!({"max_parallel_requests": 3}))],
            "router_settings": {"default_max_parallel_requests": 2},
        });
        let gateway = Gateway::start(&config.to_string(), &[]).await;
        let mut tasks = JoinSet::new();
        for n in 0..12 {
            let url = gateway.url("/v1/chat/completions");
            let model = ["m", "n"][n % 2];
            let body = Client::Chat.hello(json!({"model": model}));
            tasks.spawn(async move { post(&url, &[], &body).await });
        }
        assert!(all(tasks).await.iter().all(|answer| answer.status == 200));
        assert_eq!(sims.each_ref().map(Sim::most_at_once), [2, 3]);
    });
}

#[test]
fn s20_a_second_deployment_or_a_fallback_spares_the_wait() {
    isolated(|| async {
        let sims = [
            Sim::start(slow(60_000).key(PROVIDER_KEY)).await,
            Sim::start(slow(60_000).key(PROVIDER_KEY)).await,
            Sim::start(SimConfig::default().step(Step::text("from the fallback").always()).key(PROVIDER_KEY)).await,
        ];
        let entry =
            |n: usize, route| Upstream::Chat.entry(&sims[n], route, json!({"max_parallel_requests": 1, "order": n}));
        let config = json!({
            "model_list": [entry(0, "m"), entry(1, "m"), entry(2, "backup")],
            "router_settings": {"fallbacks": [{"m": ["backup"]}]},
            "tollgate_settings": {"fair_queue": {"max_waiting": 0}},
        });
        let gateway = Gateway::start(&config.to_string(), &[]).await;
        let ask = || {
            let (url, body) = (gateway.url("/v1/chat/completions"), Client::Chat.hello(json!({})));
            async move { post(&url, &[], &body).await }
        };
        let mut held = JoinSet::new();
        for sim in &sims[..2] {
            held.spawn(ask());
            timeout(PATIENCE, sim.wait_until(|all| all.len() == 1)).await.expect("each takes one");
        }
        assert_eq!(Client::Chat.text(&ask().await), "from the fallback");
        assert_eq!([sims[0].requests().len(), sims[1].requests().len()], [1, 1]);
    });
}

#[test]
fn metrics_need_the_key_and_are_in_prometheus_form() {
    isolated(|| async {
        let step = Step::answer(Said::text("counted"));
        let stage = Stage::chat(SimConfig::default().step(step), json!({"max_parallel_requests": 2})).await;
        let url = stage.gateway.url("/metrics");
        assert_eq!(send(Method::GET, &url, &[], "").await.status, 401);
        assert_eq!(stage.ask(Client::Chat, &Client::Chat.hello(json!({}))).await.status, 200);
        let answer = send(Method::GET, &url, &[("x-api-key", MASTER_KEY)], "").await;
        assert_eq!(answer.status, 200);
        has(answer.header("content-type").unwrap(), "text/plain; version=0.0.4");
        let text = answer.text();
        has(&text, "# TYPE tollgate_queue_waiting gauge\ntollgate_queue_waiting{route=\"m\"} 0\n");
        has(&text, "# TYPE tollgate_queue_wait_seconds histogram\n");
        has(&text, "tollgate_queue_wait_seconds_bucket{route=\"m\",le=\"+Inf\"} 0\n");
        has(&text, "tollgate_queue_refused_total{route=\"m\",reason=\"full\"} 0\n");
        has(&text, "tollgate_requests_total 1\n");
        // Every line is a comment, or a name with its labels and a number.
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?}"));
            assert!(name.starts_with("tollgate_") && value.parse::<f64>().is_ok(), "{line:?}");
        }
        assert!(!text.contains(PROVIDER_KEY) && !text.contains(MASTER_KEY));
    });
}
