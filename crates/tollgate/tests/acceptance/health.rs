//! `/health`, and checks in the background.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Faults, Finish, Match, SimConfig, Step, Usage};

use crate::fleet::{Fleet, Ship, ship};
use crate::stage::{Client, MASTER_KEY, PROVIDER_KEY, Upstream, has, merged};
use crate::support::http::{Answer, send};
use crate::support::isolated;

const LONG: Duration = Duration::from_secs(20);

fn refused(status: u16, words: &str) -> Step {
    Step::json(status, &json!({"error": {"message": words, "type": "some_error", "code": null}}))
}

/// The first request of it gets this, all others an answer.
fn first(route: &'static str, step: Step) -> Ship {
    let sim = SimConfig::default().step(step).step(Step::text("back").always());
    Ship { sim, ..ship(route, Step::text("")) }
}

fn settings(more: Value) -> Value {
    json!({"general_settings": merged(json!({"master_key": MASTER_KEY}), more)})
}

fn every_second() -> Value {
    settings(json!({"background_health_checks": true, "health_check_interval": 1}))
}

async fn get(fleet: &Fleet, path: &str) -> Answer {
    send(http::Method::GET, &fleet.gateway.url(path), &[("x-api-key", MASTER_KEY)], "").await
}

async fn health(fleet: &Fleet, path: &str) -> Value {
    let answer = get(fleet, path).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains(PROVIDER_KEY), "{}", answer.text());
    answer.json()
}

fn entries<'h>(health: &'h Value, list: &str) -> &'h [Value] {
    health[list].as_array().unwrap_or_else(|| panic!("no {list} in {health}"))
}

/// The deployments listed there.
fn ids<'h>(health: &'h Value, list: &str) -> Vec<&'h str> {
    entries(health, list).iter().map(|entry| entry["model_id"].as_str().expect("an id")).collect()
}

fn entry<'h>(health: &'h Value, id: &str) -> &'h Value {
    let lists = ["healthy_endpoints", "unhealthy_endpoints"];
    let mut all = lists.iter().flat_map(|list| entries(health, list));
    all.find(|entry| entry["model_id"] == id).unwrap_or_else(|| panic!("no {id} in {health}"))
}

/// Waits for what the background brings.
async fn until(what: &str, mut fits: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !fits().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

#[test]
fn health_calls_each_deployment_once_and_tells_the_well_from_the_ill() {
    isolated(|| async {
        let limits = Step::text("pong").header("x-ratelimit-remaining-requests", "41");
        let ships = vec![
            ship("a", limits),
            ship("b", Step::text("pong")).speaks(Upstream::Messages),
            ship("c", refused(401, &format!("Incorrect API key provided: {PROVIDER_KEY}."))),
        ];
        let fleet = Fleet::start(ships, json!({})).await;
        let health = health(&fleet, "/health").await;
        assert_eq!((ids(&health, "healthy_endpoints"), health["healthy_count"].as_u64()), (vec!["d0", "d1"], Some(2)));
        assert_eq!((ids(&health, "unhealthy_endpoints"), health["unhealthy_count"].as_u64()), (vec!["d2"], Some(1)));
        let a = entry(&health, "d0");
        assert_eq!((a["model"].as_str(), a["model_name"].as_str()), (Some("openai_like/x"), Some("a")));
        assert_eq!(a["api_base"], format!("{}/v1", fleet.sims[0].base_url()));
        assert_eq!(a["x-ratelimit-remaining-requests"], "41");
        assert_eq!((&a["state"]["resting"], &a["state"]["in_flight"]), (&Value::Null, &json!(0)));
        assert_eq!((&a["state"]["last_error"], &a["state"]["checked_seconds_ago"]), (&Value::Null, &json!(0)));
        let c = entry(&health, "d2");
        has(c["error"].as_str().unwrap(), "Incorrect API key provided: [redacted]");
        let state = &c["state"];
        assert_eq!(state["resting"]["reason"], "credential_refused");
        assert!((1..=60).contains(&state["resting"]["seconds"].as_u64().unwrap()), "{state}");
        assert_eq!(state["last_error"]["status"], 401);
        has(state["last_error"]["words"].as_str().unwrap(), "[redacted]");
        // One call each, for one token; all that the provider's dialect asks for was there.
        assert_eq!(fleet.counts(), [1, 1, 1]);
        for (n, model) in [(0, "x"), (1, "claude-sonnet-4-6")] {
            let sent = &fleet.sent(n)[0];
            assert_eq!(sent.refused, None);
            let body = sent.json();
            assert_eq!((&body["model"], &body["max_tokens"]), (&json!(model), &json!(1)));
            assert_eq!(body["messages"], json!([{"role": "user", "content": "ping"}]));
        }
        assert!(!fleet.gateway.log().contains(PROVIDER_KEY));
    });
}

#[test]
fn health_needs_the_key_and_readiness_neither_a_key_nor_a_call() {
    isolated(|| async {
        let fleet = Fleet::start(vec![ship("a", Step::text("pong"))], json!({})).await;
        let answer = send(http::Method::GET, &fleet.gateway.url("/health"), &[], "").await;
        assert_eq!(answer.status, 401);
        let ready = send(http::Method::GET, &fleet.gateway.url("/health/readiness"), &[], "").await;
        assert_eq!(ready.json()["status"], "healthy");
        // A monitor that only wants the status costs nothing.
        let url = fleet.gateway.url("/health");
        let head = send(http::Method::HEAD, &url, &[("x-api-key", MASTER_KEY)], "").await;
        assert_eq!(head.status, 200);
        assert_eq!(fleet.counts(), [0]);
    });
}

/// LiteLLM's mark for what its health checks cost (1.109.1).
const OF_CHECKS: &str = "litellm-internal-health-check";

/// Rows of the ledger with the mark of health checks, once there are so many.
async fn checks_in_ledger(fleet: &Fleet, at_least: usize) -> Vec<Value> {
    let mut rows = Vec::new();
    until("rows of checks", async || {
        let all = get(fleet, "/spend/logs").await.json();
        rows = all.as_array().expect("rows").clone();
        rows.len() >= at_least
    })
    .await;
    assert!(rows.iter().all(|row| row["request_tags"] == json!([OF_CHECKS])), "{rows:?}");
    rows
}

/// Ten tokens in and two out, at a dollar each.
fn priced(route: &str) -> Ship {
    let usage = Usage::Exact(json!({"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}));
    let answer = Step::answer(tollgate_sim::Answer::text("pong").usage(usage));
    ship(route, answer).with(json!({"input_cost_per_token": 1.0, "output_cost_per_token": 1.0}))
}

#[test]
fn what_checks_cost_is_the_gateways_own_spending_in_the_ledger_under_litellms_mark() {
    isolated(|| async {
        let fleet = Fleet::start(
            vec![priced("a"), priced("b").speaks(Upstream::Messages), ship("c", refused(500, "no"))],
            json!({}),
        )
        .await;
        health(&fleet, "/health").await;
        let rows = checks_in_ledger(&fleet, 3).await;
        let of =
            |id: &str| rows.iter().find(|row| row["model_id"] == id).unwrap_or_else(|| panic!("no {id} in {rows:?}"));
        for (field, wanted) in [
            ("api_key", json!("")),
            ("user", json!("")),
            ("model_group", json!("a")),
            ("model", json!("x")),
            ("spend", json!(12.0)),
            ("prompt_tokens", json!(10)),
            ("completion_tokens", json!(2)),
            ("status", json!("success")),
        ] {
            assert_eq!(of("d0")[field], wanted, "{field}");
        }
        assert_eq!((&of("d2")["spend"], &of("d2")["status"]), (&json!(0.0), &json!("failure")));
        let all: f64 = rows.iter().filter_map(|row| row["spend"].as_f64()).sum();
        let tags = get(&fleet, "/spend/tags").await.json();
        assert_eq!(tags, json!([{"individual_request_tag": OF_CHECKS, "log_count": 3, "total_spend": all}]));
        assert_eq!(get(&fleet, "/global/spend").await.json()["spend"], json!(all));
    });
}

#[test]
fn checks_in_the_background_are_in_the_ledger_and_need_room_in_the_gateways_budget() {
    isolated(|| async {
        // The input is estimated at more than it is; a check costs 12 dollars.
        let more = json!({
            "general_settings": {"master_key": MASTER_KEY, "background_health_checks": true, "health_check_interval": 1},
            "litellm_settings": {"max_budget": 40},
        });
        let fleet = Fleet::start(vec![priced("a")], more).await;
        let rows = checks_in_ledger(&fleet, 1).await;
        assert_eq!((&rows[0]["model_id"], &rows[0]["spend"]), (&json!("d0"), &json!(12.0)));
        until("the budget's refusal", async || {
            let health = health(&fleet, "/health").await;
            entry(&health, "d0")["error"].as_str().is_some_and(|error| error.contains("Budget exceeded"))
        })
        .await;
        let spent = get(&fleet, "/global/spend").await.json();
        assert!(spent["spend"].as_f64().is_some_and(|spent| spent <= 40.0), "{spent}");
    });
}

#[test]
fn health_can_be_asked_of_one_route_or_deployment() {
    isolated(|| async {
        let ships = vec![ship("a", Step::text("1")), ship("a", Step::text("2")), ship("b/c", Step::text("3"))];
        let more = json!({"router_settings": {"model_group_alias": {"alias": "a"}}});
        let fleet = Fleet::start(ships, more).await;
        for (path, expected) in [
            ("/health?model=alias", vec!["d0", "d1"]),
            ("/health?model=b%2Fc", vec!["d2"]),
            ("/health?model_id=d1", vec!["d1"]),
        ] {
            assert_eq!(ids(&health(&fleet, path).await, "healthy_endpoints"), expected, "{path}");
        }
        assert_eq!(fleet.counts(), [1, 2, 1]);
        for path in ["/health?model=nothing", "/health?model_id=d9"] {
            assert_eq!(get(&fleet, path).await.status, 404, "{path}");
        }
    });
}

#[test]
fn without_details_neither_addresses_nor_limits_are_shown() {
    isolated(|| async {
        let step = Step::text("pong").header("x-ratelimit-remaining-requests", "41");
        let fleet = Fleet::start(vec![ship("a", step)], settings(json!({"health_check_details": false}))).await;
        let health = health(&fleet, "/health").await;
        let a = entry(&health, "d0").as_object().unwrap();
        assert_eq!(a.keys().collect::<Vec<_>>(), ["model", "model_name", "model_id", "state"]);
    });
}

#[test]
fn a_target_that_refuses_one_token_is_asked_for_more_and_that_is_remembered() {
    isolated(|| async {
        let few = Match { contains: Some("tokens\":1,".into()), ..Match::default() };
        let sim = SimConfig::default()
            .step(refused(400, "this many tokens are too few").when(few).always())
            .step(Step::text("pong").always());
        let fleet = Fleet::start(vec![Ship { sim, ..ship("a", Step::text("")) }], json!({})).await;
        for _ in 0..2 {
            assert_eq!(health(&fleet, "/health").await["healthy_count"], 1);
        }
        let asked: Vec<u64> = fleet.sent(0).iter().map(|r| r.json()["max_tokens"].as_u64().unwrap()).collect();
        assert_eq!(asked, [1, 16, 16]);
    });
}

#[test]
fn an_answer_that_is_cut_off_before_its_first_word_is_an_answer() {
    isolated(|| async {
        let empty = |reason: &str| Step::answer(tollgate_sim::Answer::default().finish(Finish::Given(reason.into())));
        let ships = vec![ship("a", empty("length")), ship("b", empty("max_tokens")).speaks(Upstream::Messages)];
        let fleet = Fleet::start(ships, json!({})).await;
        assert_eq!(health(&fleet, "/health").await["healthy_count"], 2);
    });
}

#[test]
fn a_deployment_has_one_check_at_a_time_however_many_ask() {
    isolated(|| async {
        let slow = Step::text("pong").faults(Faults { before_headers: Duration::from_secs(1), ..Faults::default() });
        let fleet = Fleet::start(vec![ship("a", slow)], json!({})).await;
        let (one, two) = tokio::join!(health(&fleet, "/health"), health(&fleet, "/health"));
        assert_eq!((&one["healthy_count"], &two["healthy_count"]), (&json!(1), &json!(1)));
        assert_eq!(fleet.counts(), [1]);
    });
}

#[test]
fn no_more_checks_run_at_once_than_are_allowed() {
    isolated(|| async {
        const SILENCE: Duration = Duration::from_millis(300);
        let slow = || Step::text("pong").faults(Faults { before_headers: SILENCE, ..Faults::default() });
        let settings = settings(json!({"health_check_concurrency": 1}));
        let fleet = Fleet::start(vec![ship("a", slow()), ship("b", slow())], settings).await;
        assert_eq!(health(&fleet, "/health").await["healthy_count"], 2);
        // The second began when the first had its answer.
        let mut began = [fleet.sent(0)[0].at, fleet.sent(1)[0].at];
        began.sort();
        assert!(began[1] - began[0] >= SILENCE, "{began:?}");
    });
}

#[test]
fn a_check_has_its_own_time_limit_and_a_late_answer_counts_as_a_failure() {
    isolated(|| async {
        let silent = Step::text("").faults(Faults { before_headers: LONG * 10, ..Faults::default() });
        let ship = ship("a", silent).info(json!({"health_check_timeout": 0.2}));
        let fleet = Fleet::start(vec![ship], json!({"router_settings": {"allowed_fails": 0}})).await;
        let health = health(&fleet, "/health").await;
        let a = entry(&health, "d0");
        assert_eq!(a["error"], "no answer within 0.2 s (model_info.health_check_timeout)");
        assert_eq!(a["state"]["resting"]["reason"], "failing");
        assert_eq!(a["state"]["in_flight"], 0);
    });
}

#[test]
fn a_background_check_finds_what_is_away_before_a_client_does_and_health_only_shows_it() {
    isolated(|| async {
        let ships = vec![ship("m", refused(401, "no such key")), ship("m", Step::text("from b"))];
        let fleet = Fleet::start(ships, every_second()).await;
        until("both are checked", async || {
            let health = health(&fleet, "/health").await;
            !ids(&health, "unhealthy_endpoints").is_empty()
                && entry(&health, "d1")["state"]["checked_seconds_ago"].is_u64()
        })
        .await;
        let answer = fleet.ask(Client::Chat, &Client::Chat.hello(json!({}))).await;
        assert_eq!(answer.header("x-tollgate-deployment"), Some("d1"));
        assert_eq!(answer.header("x-tollgate-attempts"), Some("1"));
        // Clients and `/health` sent nothing to the first: all it got are pings.
        let health = health(&fleet, "/health").await;
        assert_eq!((ids(&health, "healthy_endpoints"), ids(&health, "unhealthy_endpoints")), (vec!["d1"], vec!["d0"]));
        assert!(fleet.sent(0).iter().all(|request| request.json()["messages"][0]["content"] == "ping"));
    });
}

#[test]
fn a_good_background_check_ends_a_guessed_rest() {
    isolated(|| async {
        // The first to ask is the client: the check's turn comes with the configuration that wants it.
        let fleet =
            Fleet::start(vec![first("m", refused(404, "No endpoints found.")), ship("m", Step::text("b"))], json!({}))
                .await;
        let ask = async || {
            let answer = fleet.ask(Client::Chat, &Client::Chat.hello(json!({}))).await;
            answer.header("x-tollgate-deployment").unwrap().to_string()
        };
        assert_eq!((ask().await, ask().await), ("d1".into(), "d1".into()));
        let config = std::fs::read_to_string(fleet.gateway.config_file()).unwrap();
        let mut config: Value = serde_json::from_str(&config).unwrap();
        config["general_settings"] = every_second()["general_settings"].clone();
        std::fs::write(fleet.gateway.config_file(), config.to_string()).unwrap();
        until("the first serves again", async || ask().await == "d0").await;
        assert_eq!(entry(&health(&fleet, "/health").await, "d0")["state"]["resting"], Value::Null);
    });
}

#[test]
fn s26_a_deployment_that_asked_for_a_rest_is_not_checked_either() {
    isolated(|| async {
        let step = || refused(429, "slow down").header("retry-after", "30");
        let fleet = Fleet::start(vec![ship("a", step())], json!({})).await;
        for _ in 0..2 {
            let health = health(&fleet, "/health").await;
            let a = entry(&health, "d0");
            assert_eq!(a["state"]["resting"]["reason"], "retry_after");
            has(a["error"].as_str().unwrap(), "slow down");
        }
        assert_eq!(fleet.counts(), [1]);
        let fleet = Fleet::start(vec![ship("a", step()), ship("b", Step::text("pong"))], every_second()).await;
        until("the other is checked for the third time", async || fleet.counts()[1] >= 3).await;
        assert_eq!(fleet.counts()[0], 1);
    });
}

#[test]
fn wildcards_and_those_that_opt_out_are_left_alone_and_a_model_for_checks_is_used() {
    isolated(|| async {
        let star = json!({"model": "openai/*"});
        let ships = vec![
            ship("x/*", Step::text("pong")).with(star.clone()),
            ship("y/*", Step::text("pong")).with(star).info(json!({"health_check_model": "openai/small"})),
            ship("z", Step::text("pong")).info(json!({"disable_background_health_check": true})),
        ];
        let fleet = Fleet::start(ships, every_second()).await;
        until("the second is checked again", async || fleet.counts()[1] >= 2).await;
        assert_eq!((fleet.counts()[0], fleet.counts()[2]), (0, 0));
        assert_eq!(fleet.sent(1)[0].json()["model"], "small");
        assert_eq!(health(&fleet, "/health").await["healthy_count"], 3);
    });
}
