//! What bounds a deployment itself: rates, requests at once over replicas, budgets.

use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use tollgate_sim::{Answer as Said, Faults, Sim, SimConfig, Step, Usage};

use crate::fleet::{Fleet, ship};
use crate::postgres;
use crate::stage::{BOTH, Client, MASTER_KEY, PROVIDER_KEY, Upstream, config, has, merged};
use crate::support::http::{Answer, post, send};
use crate::support::{Gateway, Redis, isolated};

/// LiteLLM's setting that makes the rates of deployments hold.
fn enforced(more: Value) -> Value {
    json!({"router_settings": merged(json!({"optional_pre_call_checks": ["enforce_model_rate_limits"]}), more)})
}

fn yes() -> Step {
    Step::text("yes")
}

async fn ask(fleet: &Fleet) -> Answer {
    fleet.ask(Client::Chat, &Client::Chat.hello(json!({}))).await
}

fn deployment(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-tollgate-deployment").expect("a deployment")
}

/// Why the deployments of the route had their place, by the request's record.
async fn verdicts(gateway: &Gateway, answer: &Answer) -> Vec<String> {
    let id = answer.header("request-id").expect("an id");
    let url = gateway.url(&format!("/tollgate/requests/{id}"));
    let record = send(Method::GET, &url, &[("x-api-key", MASTER_KEY)], "").await.json();
    let candidates = record["routes"][0]["candidates"].as_array().unwrap_or_else(|| panic!("no route in {record}"));
    let verdict = |candidate: &Value| format!("{}: {}", candidate["deployment"], candidate["verdict"]);
    candidates.iter().map(|candidate| verdict(candidate).replace('"', "")).collect()
}

async fn metrics(gateway: &Gateway) -> String {
    send(Method::GET, &gateway.url("/metrics"), &[("x-api-key", MASTER_KEY)], "").await.text()
}

/// An answer that took 100 tokens of output, each of a tenth of a cent.
fn dime() -> Step {
    let usage = Usage::Exact(json!({"prompt_tokens": 10, "completion_tokens": 100, "total_tokens": 110}));
    Step::answer(Said { usage, ..Said::text("An answer.") })
}

fn priced(more: Value) -> Value {
    merged(json!({"input_cost_per_token": 0, "output_cost_per_token": 0.001}), more)
}

#[test]
fn a_deployment_at_its_limit_is_passed_over_and_the_record_says_why() {
    isolated(|| async {
        let ships = vec![ship("m", yes()).with(json!({"rpd": 2})), ship("m", yes())];
        let fleet = Fleet::start(ships, enforced(json!({}))).await;
        let answers = [ask(&fleet).await, ask(&fleet).await, ask(&fleet).await, ask(&fleet).await];
        assert_eq!(answers.each_ref().map(deployment), ["d0", "d0", "d1", "d1"]);
        assert_eq!(fleet.counts(), [2, 2]);
        let third = verdicts(&fleet.gateway, &answers[2]).await;
        assert!(third.contains(&"d0: at its limit: 2 requests per day (rpd)".to_string()), "{third:?}");
        let fourth = verdicts(&fleet.gateway, &answers[3]).await;
        assert!(fourth.iter().any(|verdict| verdict.starts_with("d0: at its limit")), "{fourth:?}");
        let left = "tollgate_deployment_limit_remaining{route=\"m\",deployment=\"d0\",limit=\"requests\"} 0\n";
        has(&metrics(&fleet.gateway).await, left);
    });
}

#[test]
fn rates_hold_where_it_is_set_so_and_else_only_decide_who_is_asked_first() {
    isolated(|| async {
        let ships = || vec![ship("m", yes()).with(json!({"rpd": 1})).info(json!({"id": "d0", "rpm": 1}))];
        let soft = Fleet::start(ships(), json!({})).await;
        for _ in 0..3 {
            assert_eq!(deployment(&ask(&soft).await), "d0");
        }
        let hard = Fleet::start(ships(), enforced(json!({}))).await;
        assert_eq!(deployment(&ask(&hard).await), "d0");
        for client in BOTH {
            for stream in [false, true] {
                let answer = hard.ask(client, &client.hello(json!({"stream": stream}))).await;
                assert_eq!(answer.status, 429, "{}", answer.text());
                let (kind, message) = client.error(&answer);
                assert_eq!(kind, "rate_limit_error");
                has(&message, "1 requests per day are allowed to the deployment; 0 are left");
                has(
                    &message,
                    "litellm_params.rpd, with enforce_model_rate_limits in router_settings.optional_pre_call_checks",
                );
                let wait: u64 = answer.header("retry-after").expect("a time").parse().expect("seconds");
                assert!((1..=86_400).contains(&wait), "{wait}");
                assert_eq!(answer.header("x-tollgate-reason"), Some("over_limit"));
                assert_eq!(answer.header("x-tollgate-signature"), Some("tollgate-over-limit"));
            }
        }
        assert_eq!(hard.counts(), [1]);
    });
}

#[test]
fn of_many_requests_at_once_exactly_as_many_go_up_as_are_allowed() {
    isolated(|| async {
        let slow = Faults { before_headers: Duration::from_millis(100), ..Faults::default() };
        let fleet =
            Fleet::start(vec![ship("m", yes().faults(slow)).with(json!({"rpd": 7}))], enforced(json!({}))).await;
        let statuses: Vec<u16> = join_all((0..40).map(|_| async { ask(&fleet).await.status.as_u16() })).await;
        let count = |status| statuses.iter().filter(|got| **got == status).count();
        assert_eq!((count(200), count(429)), (7, 33), "{statuses:?}");
        assert_eq!(fleet.counts(), [7]);
    });
}

#[test]
fn a_request_waits_in_the_queue_until_the_limit_has_room_for_it() {
    isolated(|| async {
        // The first is expected to take hundreds of tokens and takes ten; until that is known there is no room for another.
        let slow = Faults { before_headers: Duration::from_secs(1), ..Faults::default() };
        let usage = || Usage::Exact(json!({"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}));
        let sim = SimConfig::default()
            .step(Step::answer(Said { usage: usage(), ..Said::text("first") }).faults(slow))
            .step(Step::answer(Said { usage: usage(), ..Said::text("second") }).always());
        let sim = Sim::start(sim.key(PROVIDER_KEY)).await;
        let entry = Upstream::Chat.entry(&sim, "m", json!({"num_retries": 0, "tpd": 450}));
        // It may wait for more than a day.
        let more = merged(enforced(json!({})), json!({"tollgate_settings": {"fair_queue": {"max_wait_s": 100_000}}}));
        let gateway = Gateway::start(&merged(config(&[entry]), more).to_string(), &[]).await;
        let long = Client::Chat.hello(json!({"messages": [{"role": "user", "content": "word ".repeat(300)}]}));
        let asked = async || post(&gateway.url(Client::Chat.path()), &[("x-api-key", MASTER_KEY)], &long).await;
        let (first, second) = tokio::join!(asked(), async {
            sim.wait_until(|all| all.len() == 1).await;
            asked().await
        });
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200), "{}", second.text());
        assert!(second.header("x-tollgate-queued-ms").is_some(), "{:?}", second.headers);
        assert_eq!((sim.requests().len(), sim.most_at_once()), (2, 1));
        // 430 are left, and such a prompt never fits into 450.
        let larger = Client::Chat.hello(json!({"messages": [{"role": "user", "content": "word ".repeat(900)}]}));
        let never = post(&gateway.url(Client::Chat.path()), &[("x-api-key", MASTER_KEY)], &larger).await;
        assert_eq!((never.status.as_u16(), never.header("x-should-retry")), (429, Some("false")), "{}", never.text());
        has(&never.text(), "It can never pass");
    });
}

#[test]
fn a_request_that_may_not_wait_so_long_goes_to_the_fallback() {
    isolated(|| async {
        let ships = vec![ship("m", yes()).with(json!({"rpd": 1})), ship("other", yes())];
        let fleet = Fleet::start(ships, enforced(json!({"fallbacks": [{"m": ["other"]}]}))).await;
        let answers = [ask(&fleet).await, ask(&fleet).await];
        assert_eq!(answers.each_ref().map(deployment), ["d0", "d1"]);
    });
}

#[test]
fn a_refused_attempt_counts_as_a_request_and_a_client_that_leaves_gives_nothing_back() {
    isolated(|| async {
        let refused = Step::json(400, &json!({"error": {"message": "no such thing", "type": "invalid_request_error"}}));
        let ships = vec![ship("m", refused).with(json!({"rpd": 2}))];
        let fleet = Fleet::start(ships, enforced(json!({}))).await;
        let statuses = [ask(&fleet).await, ask(&fleet).await, ask(&fleet).await].map(|answer| answer.status.as_u16());
        assert_eq!(statuses, [400, 400, 429]);
        let silent = Faults { before_headers: Duration::from_secs(600), ..Faults::default() };
        let ships = vec![ship("m", yes().faults(silent)).with(json!({"rpd": 1}))];
        let fleet = Fleet::start(ships, enforced(json!({}))).await;
        let left = tokio::time::timeout(Duration::from_secs(1), ask(&fleet)).await;
        assert!(left.is_err() && fleet.counts() == [1]);
        fleet.gateway.logged("client went away").await;
        assert_eq!(ask(&fleet).await.status, 429);
    });
}

#[test]
fn a_deployment_whose_budget_is_spent_is_passed_over_and_without_another_the_answer_names_the_setting() {
    isolated(|| async {
        let spent = || ship("m", dime()).with(priced(json!({"max_budget": 0.25, "budget_duration": "1d"})));
        let fleet = Fleet::start(vec![spent(), ship("m", dime()).with(priced(json!({})))], json!({})).await;
        let answers = [ask(&fleet).await, ask(&fleet).await, ask(&fleet).await];
        // Of 25 cents 5 are left, and a whole answer costs 10.
        assert_eq!(answers.each_ref().map(deployment), ["d0", "d0", "d1"]);
        let third = verdicts(&fleet.gateway, &answers[2]).await;
        assert!(third.iter().any(|v| v.starts_with("d0: the budget of deployment `d0` is $0.25 (day)")), "{third:?}");
        let alone = Fleet::start(vec![spent()], json!({})).await;
        assert_eq!([ask(&alone).await, ask(&alone).await].each_ref().map(deployment), ["d0", "d0"]);
        for client in BOTH {
            let answer = alone.ask(client, &client.hello(json!({}))).await;
            assert_eq!((answer.status.as_u16(), answer.header("x-should-retry")), (402, Some("false")));
            let (_, message) = client.error(&answer);
            has(&message, "Budget exceeded: the deployment d0 has a budget of $0.25 (day)");
            has(&message, "max_budget of its litellm_params decides");
            assert_eq!(answer.header("x-tollgate-signature"), Some("tollgate-over-budget"));
        }
        assert_eq!(alone.counts(), [2]);
        let page = metrics(&alone.gateway).await;
        has(&page, "tollgate_budget_spent_dollars{scope=\"deployment\",id=\"d0\",window=\"day\"} 0.2\n");
        has(&page, "tollgate_budget_dollars{scope=\"deployment\",id=\"d0\",window=\"day\"} 0.25\n");
    });
}

#[test]
fn an_answer_is_made_shorter_only_where_no_deployments_budget_pays_for_the_whole() {
    isolated(|| async {
        // 700 tokens.
        let small = || ship("m", dime()).with(priced(json!({"max_budget": 0.7})));
        let long = Client::Chat.hello(json!({"max_tokens": 1000}));
        let fleet = Fleet::start(vec![small(), ship("m", dime()).with(priced(json!({})))], json!({})).await;
        assert_eq!(deployment(&fleet.ask(Client::Chat, &long).await), "d1");
        assert_eq!(fleet.sent(1)[0].json()["max_tokens"], 1000);
        let alone = Fleet::start(vec![small()], json!({})).await;
        let answer = alone.ask(Client::Chat, &long).await;
        assert_eq!(deployment(&answer), "d0");
        has(answer.header("x-tollgate-changes").expect("a change"), "clamped:max_tokens");
        assert_eq!(alone.sent(0)[0].json()["max_tokens"], 700);
    });
}

#[test]
fn deployments_of_a_provider_share_its_budget() {
    isolated(|| async {
        let ships = vec![
            ship("m", dime()).with(priced(json!({}))),
            ship("m", dime()).with(priced(json!({}))),
            ship("m", dime()).with(priced(json!({}))).speaks(Upstream::Messages),
        ];
        let budgets = json!({"openai": {"budget_limit": 0.3, "time_period": "1d"}});
        let fleet = Fleet::start(ships, json!({"router_settings": {"provider_budget_config": budgets}})).await;
        for expected in ["d0", "d0", "d0", "d2"] {
            assert_eq!(deployment(&ask(&fleet).await), expected);
        }
        let alone = json!({"router_settings": {"provider_budget_config": {"openai": {"max_budget": 0.05}}}});
        let fleet = Fleet::start(vec![ship("m", dime()).with(priced(json!({})))], alone).await;
        let answer = ask(&fleet).await;
        assert_eq!(answer.status, 402);
        has(&answer.text(), "the provider openai has a budget of $0.05 (total)");
        has(&answer.text(), "router_settings.provider_budget_config.openai.max_budget decides");
    });
}

#[test]
fn requests_with_a_tag_share_its_budget() {
    isolated(|| async {
        let budgets = json!({"chat-bot": {"max_budget": 0.15, "budget_duration": "1d"}});
        let settings = json!({"litellm_settings": {"tag_budget_config": budgets}});
        let fleet = Fleet::start(vec![ship("m", dime()).with(priced(json!({})))], settings).await;
        let tagged = Client::Chat.hello(json!({"metadata": {"tags": ["chat-bot", "more"]}}));
        assert_eq!(fleet.ask(Client::Chat, &tagged).await.status, 200);
        let answer = fleet.ask(Client::Chat, &tagged).await;
        assert_eq!(answer.status, 402);
        has(&answer.text(), "the tag chat-bot has a budget of $0.15 (day)");
        has(&answer.text(), "litellm_settings.tag_budget_config.chat-bot.max_budget decides");
        assert_eq!(ask(&fleet).await.status, 200, "others spend on");
    });
}

/// Two gateways with one configuration before one provider.
struct Pair {
    sim: Sim,
    _redis: Option<Redis>,
    gateways: [Gateway; 2],
}

impl Pair {
    async fn with_redis(step: Step, params: Value, more: Value) -> Pair {
        let redis = Redis::start().await;
        // So that a Redis which a busy machine makes slow is never guessed at.
        let more = merged(json!({"tollgate_settings": {"limits_without_redis": "refuse"}}), more);
        let (sim, config) = place(step, params, more).await;
        let start = async || {
            let gateway = Gateway::start_with_env(&config, &[], &[("REDIS_URL", &redis.url())]).await;
            gateway.logged("rate limits are held together").await;
            gateway
        };
        let gateways = [start().await, start().await];
        Pair { sim, gateways, _redis: Some(redis) }
    }

    async fn ask(&self, n: usize) -> Answer {
        surely(self.gateways[n].url(Client::Chat.path()), n).await
    }

    /// So many requests at each gateway, all at once.
    async fn burst(&self, each: usize) -> Vec<Answer> {
        join_all((0..2 * each).map(|n| self.ask(n % 2))).await
    }
}

/// Asks the n-th gateway, again where it is not sure of its limits.
async fn surely(url: String, n: usize) -> Answer {
    let body = Client::Chat.hello(json!({"messages": [{"role": "user", "content": n.to_string()}]}));
    loop {
        let answer = post(&url, &[("x-api-key", MASTER_KEY)], &body).await;
        if answer.status != 503 {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn place(step: Step, params: Value, more: Value) -> (Sim, String) {
    let sim = Sim::start(SimConfig::default().step(step.always()).key(PROVIDER_KEY)).await;
    let mut entry = Upstream::Chat.entry(&sim, "m", merged(json!({"num_retries": 0}), params));
    entry["model_info"] = json!({"id": "d0"});
    let config = merged(config(&[entry]), more).to_string();
    (sim, config)
}

#[test]
fn replicas_together_send_a_deployment_no_more_at_once_than_it_takes_and_all_get_their_turn() {
    isolated(|| async {
        let slow = Faults { before_headers: Duration::from_millis(150), ..Faults::default() };
        let pair = Pair::with_redis(yes().faults(slow), json!({"max_parallel_requests": 2}), json!({})).await;
        let answers = pair.burst(8).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        assert_eq!((pair.sim.requests().len(), pair.sim.most_at_once()), (16, 2));
        // Neither of the two keeps the places to itself.
        let requests = pair.sim.requests();
        let first = requests.iter().take(10).map(|request| request.json()["messages"][0]["content"].to_string());
        let of_one = first.filter(|content| content.contains('0')).count();
        assert!((2..=8).contains(&of_one), "{of_one} of the first ten were of one replica");
    });
}

#[test]
fn a_replica_alone_uses_all_places_and_those_of_one_that_died_come_back() {
    isolated(|| async {
        let hangs = Faults { before_headers: Duration::from_secs(600), ..Faults::default() };
        let pair = Pair::with_redis(yes().faults(hangs), json!({"max_parallel_requests": 2}), json!({})).await;
        let Pair { sim, gateways: [a, b], _redis } = pair;
        let url = |gateway: &Gateway| gateway.url(Client::Chat.path());
        let held = [0, 0].map(|n| tokio::spawn(surely(url(&a), n)));
        sim.wait_until(|all| all.len() == 2).await;
        sim.replace_script([yes().always()]);
        drop(a);
        held.into_iter().for_each(|task| task.abort());
        // The others wait for it for 15 seconds.
        let answer = tokio::time::timeout(Duration::from_secs(60), surely(url(&b), 1));
        assert_eq!(answer.await.expect("the places are free again").status, 200);
    });
}

#[test]
fn replicas_hold_a_deployments_rate_together() {
    isolated(|| async {
        let pair = Pair::with_redis(yes(), json!({"rpd": 9}), enforced(json!({}))).await;
        let statuses: Vec<u16> = pair.burst(12).await.iter().map(|answer| answer.status.as_u16()).collect();
        assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
        let sent = pair.sim.requests().len();
        assert!(sent <= 9 && sent == statuses.iter().filter(|status| **status == 200).count(), "{sent} {statuses:?}");
        // What one of them held ahead comes to the other.
        let rest = async {
            while pair.sim.requests().len() < 9 {
                pair.ask(0).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), rest).await.expect("the whole limit can be used");
        assert_eq!([pair.ask(0).await.status.as_u16(), pair.ask(1).await.status.as_u16()], [429, 429]);
        assert_eq!(pair.sim.requests().len(), 9);
    });
}

#[test]
fn gateways_of_one_database_never_spend_more_than_a_deployments_budget() {
    isolated(|| async {
        let slow = Faults { before_headers: Duration::from_millis(100), ..Faults::default() };
        let database = json!({"master_key": MASTER_KEY, "database_url": postgres::new_database()});
        let params = priced(json!({"max_budget": 1, "budget_duration": "1mo"}));
        let (sim, config) = place(dime().faults(slow), params, json!({"general_settings": database})).await;
        let gateways = [Gateway::start(&config, &[]).await, Gateway::start(&config, &[]).await];
        let pair = Pair { sim, gateways, _redis: None };
        let answers = pair.burst(30).await;
        let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        assert_eq!(count(200) + count(402), 60);
        assert!((5..=10).contains(&count(200)), "{}", count(200));
        let rest = async {
            while pair.sim.requests().len() < 10 {
                pair.ask(0).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), rest).await.expect("the whole budget can be spent");
        assert_eq!([pair.ask(0).await.status.as_u16(), pair.ask(1).await.status.as_u16()], [402, 402]);
        assert_eq!(pair.sim.requests().len(), 10);
    });
}
