//! Virtual keys, and budgets that are never overshot, on SQLite and on PostgreSQL.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tollgate_policy::access::{Budget, Grants, Limits};
use tollgate_policy::window::Window;
use tollgate_sim::{Answer as Said, Ending, Faults, Sim, SimConfig, Step, Usage};
use tollgate_store::access::Author;
use tollgate_store::database::Database;
use tollgate_store::entity::{Team, VirtualKey};
use tollgate_store::usage;

use crate::fleet::{Fleet, ship};
use crate::postgres;
use crate::stage::{BOTH, Client, MASTER_KEY, PROVIDER_KEY, Upstream, config, has};
use crate::support::http::{Answer, post, send};
use crate::support::{Gateway, isolated};

const KEY: &str = "sk-virtual-canary-51f0";
pub const DOLLAR: u64 = 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

pub struct House {
    pub fleet: Fleet,
    pub database: Database,
}

impl House {
    async fn open(kind: Kind, step: Step, more: Value) -> House {
        let url = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => Some(postgres::new_database()),
        };
        House::open_at(url.as_deref(), step, more).await
    }

    /// Input is free and an output token costs 0.1 cent. `url`: of PostgreSQL.
    pub async fn open_at(url: Option<&str>, step: Step, more: Value) -> House {
        let mut settings = json!({"general_settings": {"master_key": MASTER_KEY}});
        if let Some(url) = url {
            settings["general_settings"]["database_url"] = json!(url);
        }
        let prices = json!({"input_cost_per_token": 0, "output_cost_per_token": 0.001});
        let free = json!({"input_cost_per_token": 0.0000001, "output_cost_per_token": 0});
        let ships = vec![
            ship("m", step).with(prices),
            ship("other", Step::text("other")),
            ship("free output", Step::text("free")).with(free),
        ];
        let fleet = Fleet::start(ships, crate::stage::merged(settings, more)).await;
        let database = match url {
            Some(url) => Database::postgres(url).await,
            None => Database::sqlite(&fleet.gateway.data_dir().join("tollgate.db")).await,
        };
        House { fleet, database: database.expect("the gateway has made its tables") }
    }

    async fn add_key(&self, key: VirtualKey) {
        let hash = VirtualKey::hash_of(KEY);
        self.database.create(VirtualKey { hash, ..key }, &Author::default(), 1).await.expect("a new key");
    }

    /// The same over the management API.
    pub async fn make_key(&self, fields: &Value) -> Answer {
        let headers = [("authorization", &*format!("Bearer {MASTER_KEY}")), ("content-type", "application/json")];
        let body = crate::stage::merged(json!({"key": KEY}), fields.clone());
        send(Method::POST, &self.fleet.gateway.url("/key/generate"), &headers, body.to_string()).await
    }

    pub async fn ask(&self, client: Client, body: &Value) -> Answer {
        let headers = [("authorization", &*format!("Bearer {KEY}")), ("content-type", "application/json")];
        send(Method::POST, &self.fleet.gateway.url(client.path()), &headers, body.to_string()).await
    }

    /// What the ledger says in the end, when it says so much.
    pub async fn spent(&self, wanted: u64) -> u64 {
        let sum = "SELECT CAST(COALESCE(SUM(cost_nanos), 0) AS BIGINT) FROM ledger";
        let mut spent = 0;
        for _ in 0..500 {
            spent = sqlx::query_scalar::<_, i64>(sum).fetch_one(&self.database.pool).await.expect("a sum") as u64;
            if spent >= wanted {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        spent
    }
}

fn of_budget(max_nanos: u64) -> Limits {
    Limits { budget: Some(Budget { max_nanos, window: Window::Total }), ..Limits::default() }
}

/// An answer whose usage says 100 tokens of output.
pub fn hundred_tokens() -> Step {
    let usage = Usage::Exact(json!({"prompt_tokens": 10, "completion_tokens": 100, "total_tokens": 110}));
    Step::answer(Said { usage, ..Said::text("An answer.") })
}

/// As LiteLLM has it: with the cost of the answer where that is known, and what was spent before where it only begins.
#[test]
fn every_answer_tells_what_its_key_has_spent() {
    isolated(|| async {
        for limits in [json!({}), json!({"max_budget": 5}), json!({"max_budget": 5, "budget_duration": "30d"})] {
            let house = House::open(Kind::Sqlite, hundred_tokens(), json!({})).await;
            let made = house.make_key(&limits).await;
            assert_eq!(made.status, 200, "{}", made.text());
            let spent = async |stream: bool| {
                let answer = house.ask(Client::Chat, &Client::Chat.hello(json!({"stream": stream}))).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                answer.header("x-litellm-key-spend").expect("what it spent").to_string()
            };
            assert_eq!((spent(false).await, spent(false).await), ("0.1".into(), "0.2".into()), "{limits}");
            assert_eq!((spent(true).await, spent(false).await), ("0.2".into(), "0.4".into()), "{limits}");
            // What changes is read anew.
            assert_eq!(house.spent(4 * DOLLAR / 10).await, 4 * DOLLAR / 10);
            let (url, body) = (house.fleet.gateway.url("/key/update"), json!({"key": KEY, "metadata": {"a": "b"}}));
            let changed = post(&url, &[("x-api-key", MASTER_KEY)], &body).await;
            assert_eq!(changed.status, 200, "{}", changed.text());
            assert_eq!(spent(false).await, "0.5", "{limits}");
            let url = house.fleet.gateway.url(Client::Chat.path());
            let others = post(&url, &[("x-api-key", MASTER_KEY)], &Client::Chat.hello(json!({}))).await;
            assert_eq!(others.header("x-litellm-key-spend"), None, "the master key has no account");
        }
    });
}

async fn s29(kind: Kind) {
    let slow = Faults { before_headers: Duration::from_millis(300), ..Faults::default() };
    let house = House::open(kind, hundred_tokens().faults(slow), json!({})).await;
    house.add_key(VirtualKey { limits: of_budget(DOLLAR), ..VirtualKey::default() }).await;
    let body = Client::Chat.hello(json!({"max_tokens": 100}));
    let answers = futures_util::future::join_all((0..200).map(|_| house.ask(Client::Chat, &body))).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(402)), (10, 190), "a request of 100 tokens is a tenth of the budget");
    assert_eq!(house.fleet.sims[0].requests().len(), 10, "nothing else went up");
    assert_eq!(house.spent(DOLLAR).await, DOLLAR);
    let refused = answers.iter().find(|answer| answer.status == 402).unwrap();
    has(&refused.text(), "Budget exceeded: the key has a budget of $1 (total)");
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    assert!(!format!("{:?} {}", refused.headers, refused.text()).contains("canary"));
}

#[test]
fn s29_of_two_hundred_requests_at_once_no_more_than_the_budget_pays_for_go_up_on_sqlite() {
    isolated(|| s29(Kind::Sqlite));
}

#[test]
fn s29_of_two_hundred_requests_at_once_no_more_than_the_budget_pays_for_go_up_on_postgres() {
    isolated(|| s29(Kind::Postgres));
}

#[test]
fn s29_the_answer_is_made_as_short_as_what_is_left_of_the_budget_pays_for() {
    isolated(|| async {
        let house = House::open(Kind::Sqlite, hundred_tokens(), json!({})).await;
        // 600 tokens.
        house.add_key(VirtualKey { limits: of_budget(600_000_000), ..VirtualKey::default() }).await;
        for (client, asked) in
            [(Client::Chat, json!({"max_tokens": 5000})), (Client::Messages, json!({"max_tokens": 5000}))]
        {
            let answer = house.ask(client, &client.hello(asked)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            has(answer.header("x-tollgate-changes").unwrap(), "clamped:max_tokens");
        }
        // Without a limit of its own a request gets one.
        let mut open = Client::Chat.hello(json!({}));
        open.as_object_mut().unwrap().remove("max_tokens");
        assert_eq!(house.ask(Client::Chat, &open).await.status, 200);
        let sent: Vec<u64> = house.fleet.sims[0]
            .requests()
            .iter()
            .map(|request| request.json()["max_tokens"].as_u64().unwrap())
            .collect();
        assert_eq!(sent, [600, 500, 400]);
        // Of what is left nobody would have anything.
        assert_eq!(house.ask(Client::Chat, &open).await.status, 200);
        assert_eq!(house.ask(Client::Chat, &open).await.status, 402);
    });
}

#[test]
fn s29_the_answer_is_made_shorter_in_the_words_of_every_dialect() {
    isolated(|| async {
        let house = House::open(Kind::Sqlite, hundred_tokens(), json!({})).await;
        // 1000 tokens.
        house.add_key(VirtualKey { limits: of_budget(DOLLAR), ..VirtualKey::default() }).await;
        let contents = json!([{"role": "user", "parts": [{"text": "hello"}]}]);
        let gemini = "/v1beta/models/m:generateContent";
        let asked = [
            ("/v1/responses", json!({"model": "m", "input": "hello", "max_output_tokens": 5000}), "max_output_tokens"),
            ("/v1/responses", json!({"model": "m", "input": "hello"}), "max_output_tokens"),
            (
                gemini,
                json!({"contents": contents, "generationConfig": {"maxOutputTokens": 5000, "temperature": 0}}),
                "generationConfig.maxOutputTokens",
            ),
            (
                gemini,
                json!({"contents": contents, "generation_config": {"max_output_tokens": 5000}}),
                "generation_config.max_output_tokens",
            ),
            (gemini, json!({"contents": contents, "generationConfig": null}), "generationConfig.maxOutputTokens"),
        ];
        for (path, body, place) in &asked {
            let headers = [("authorization", &*format!("Bearer {KEY}")), ("content-type", "application/json")];
            let answer = send(Method::POST, &house.fleet.gateway.url(path), &headers, body.to_string()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            has(answer.header("x-tollgate-changes").unwrap(), &format!("clamped:{place}"));
        }
        let sent: Vec<Value> = house.fleet.sims[0].requests().iter().map(|request| request.json()).collect();
        let limits: Vec<u64> = sent.iter().filter_map(|body| body["max_tokens"].as_u64()).collect();
        // Each answer took a hundred of them.
        assert_eq!(limits, [1000, 900, 800, 700, 600]);
        assert_eq!(sent[2]["temperature"], 0);
    });
}

#[test]
fn s29_gemini_candidates_are_paid_for_one_by_one() {
    isolated(|| async {
        let house =
            House::open(Kind::Sqlite, hundred_tokens(), json!({"litellm_settings": {"drop_params": true}})).await;
        // 2000 tokens, for four answers.
        house.add_key(VirtualKey { limits: of_budget(2 * DOLLAR), ..VirtualKey::default() }).await;
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}],
            "generationConfig": {"candidateCount": 4, "maxOutputTokens": 5000}});
        let headers = [("authorization", &*format!("Bearer {KEY}")), ("content-type", "application/json")];
        let url = house.fleet.gateway.url("/v1beta/models/m:generateContent");
        let answer = send(Method::POST, &url, &headers, body.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        has(answer.header("x-tollgate-changes").unwrap(), "clamped:generationConfig.maxOutputTokens");
        assert_eq!(house.fleet.sims[0].requests()[0].json()["max_tokens"], 500);
    });
}

/// Two deployments of `m`, where an output token costs 0.1 cent. The first breaks off after so many words, a token each, of an answer
/// that the client does not see before it is whole; the second says that it took 100 tokens.
async fn breaking(budget_tokens: u64, words: usize) -> House {
    let cut = Faults { cut_after: Some((words + 1, Ending::Close)), ..Faults::default() };
    let story = Said { piece_chars: 5, ..Said::text(&"word ".repeat(1000)) };
    let params = json!({"input_cost_per_token": 0, "output_cost_per_token": 0.001, "force_stream": "always"});
    let ships =
        vec![ship("m", Step::answer(story).faults(cut)).with(params.clone()), ship("m", hundred_tokens()).with(params)];
    let fleet = Fleet::start(ships, json!({"general_settings": {"master_key": MASTER_KEY}})).await;
    let database = Database::sqlite(&fleet.gateway.data_dir().join("tollgate.db")).await.expect("the gateway made it");
    let house = House { fleet, database };
    let limits = of_budget(budget_tokens * DOLLAR / 1000);
    house.add_key(VirtualKey { limits, ..VirtualKey::default() }).await;
    house
}

#[test]
fn s29_another_attempt_beside_a_broken_one_gets_what_the_budget_pays_for_or_is_not_made() {
    isolated(|| async {
        let token = DOLLAR / 1000;
        // The budget pays for both, for a shorter answer, or for none that is worth it: 200 tokens, where 256 are the least.
        for (budget, words) in [(2000, 600), (1300, 600), (1000, 800)] {
            let house = breaking(budget, words).await;
            let answer = house.ask(Client::Chat, &Client::Chat.hello(json!({"max_tokens": 1000}))).await;
            let seconds: Vec<u64> =
                house.fleet.sent(1).iter().map(|sent| sent.json()["max_tokens"].as_u64().expect("a limit")).collect();
            let answered = answer.status == 200;
            let spent = house.spent(words as u64 * token * 9 / 10).await / token;
            let broken = spent - if answered { 100 } else { 0 };
            assert!((words as u64 - 2..=words as u64 + 2).contains(&broken), "{broken} of {words} words");
            match budget {
                2000 => {
                    assert_eq!((answered, &*seconds), (true, &[1000][..]), "{}", answer.text());
                    assert_eq!(answer.header("x-tollgate-changes"), None);
                }
                1300 => {
                    assert_eq!((answered, &*seconds), (true, &[budget - broken][..]), "{}", answer.text());
                    has(answer.header("x-tollgate-changes").unwrap(), "clamped:max_tokens");
                }
                _ => {
                    assert_eq!((answer.status.as_u16(), &*seconds), (402, &[][..]), "{}", answer.text());
                    has(&answer.text(), "Budget exceeded: the key has a budget of $1 (total)");
                }
            }
            assert!(spent <= budget, "{spent} of {budget}");
        }
    });
}

#[test]
fn a_budget_does_not_shorten_an_answer_that_costs_nothing() {
    isolated(|| async {
        let house = House::open(Kind::Sqlite, hundred_tokens(), json!({})).await;
        house.add_key(VirtualKey { limits: of_budget(DOLLAR), ..VirtualKey::default() }).await;
        let mut open = Client::Chat.hello(json!({"model": "free output"}));
        open.as_object_mut().unwrap().remove("max_tokens");
        let answer = house.ask(Client::Chat, &open).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-tollgate-changes")), (200, None), "{}", answer.text());
        assert!(house.fleet.sims[2].requests()[0].json().get("max_tokens").is_none());
    });
}

#[test]
fn a_key_that_is_blocked_expired_or_unknown_is_refused_in_the_clients_dialect_and_never_shown() {
    isolated(|| async {
        let house = House::open(Kind::Sqlite, hundred_tokens(), json!({})).await;
        for client in BOTH {
            let unknown = house.ask(client, &client.hello(json!({}))).await;
            assert_eq!(unknown.status, 401, "{}", unknown.text());
        }
        let blocked = Grants { blocked: true, ..Grants::default() };
        house.add_key(VirtualKey { grants: blocked, ..VirtualKey::default() }).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        for client in BOTH {
            let answer = house.ask(client, &client.hello(json!({}))).await;
            assert_eq!(answer.status, 401, "{}", answer.text());
            assert_eq!(client.error(&answer).1, "This key is blocked.");
            assert!(
                !format!("{:?} {} {}", answer.headers, answer.text(), house.fleet.gateway.log())
                    .contains("canary-51f0")
            );
        }
    });
}

#[test]
fn s21_the_list_of_models_is_what_the_key_may_call() {
    isolated(|| async {
        let house = House::open(Kind::Sqlite, hundred_tokens(), json!({})).await;
        let team = Team {
            id: "t".into(),
            grants: Grants { models: vec!["m".into()], ..Grants::default() },
            ..Team::default()
        };
        house.database.create(team, &Author::default(), 1).await.unwrap();
        house.add_key(VirtualKey { team_id: Some("t".into()), ..VirtualKey::default() }).await;
        let key = format!("Bearer {KEY}");
        let listed = send(Method::GET, &house.fleet.gateway.url("/v1/models"), &[("authorization", &key)], "").await;
        let names: Vec<&str> = Vec::from_iter(
            listed.json()["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|model| model["id"].as_str().unwrap())
                .map(|name| if name == "m" { "m" } else { "another" }),
        );
        assert_eq!(names, ["m"]);
        assert_eq!(house.ask(Client::Chat, &Client::Chat.hello(json!({}))).await.status, 200);
        let other = house.ask(Client::Messages, &Client::Messages.hello(json!({"model": "other"}))).await;
        assert_eq!(other.status, 403, "{}", other.text());
        has(&other.text(), "This team may not use the model `other`; it may use m");
        // Nor by way of a fallback that the request names.
        let around = house.ask(Client::Chat, &Client::Chat.hello(json!({"fallbacks": ["other"]}))).await;
        assert_eq!(around.status, 403);
        // What is for all is not for a key.
        for path in ["/tollgate/requests", "/metrics"] {
            let answer = send(Method::GET, &house.fleet.gateway.url(path), &[("authorization", &key)], "").await;
            assert_eq!(answer.status, 403, "{path}");
        }
    });
}

#[test]
fn the_ledger_has_each_request_with_who_asked_and_what_it_took() {
    isolated(|| async {
        let house = House::open(Kind::Sqlite, hundred_tokens(), json!({})).await;
        house.add_key(VirtualKey { user_id: Some("u".into()), ..VirtualKey::default() }).await;
        let answer = house
            .ask(Client::Chat, &Client::Chat.hello(json!({"user": "customer", "metadata": {"tags": ["t"]}})))
            .await;
        assert_eq!(answer.status, 200);
        assert_eq!(house.spent(1).await, 100_000_000);
        let rows = usage::row(&house.database, answer.header("request-id").unwrap()).await.unwrap();
        assert_eq!(rows.len(), 1);
        let row = serde_json::to_value(&rows[0]).unwrap();
        assert_eq!((&row["user_id"], &row["end_user"], &row["model"]), (&json!("u"), &json!("customer"), &json!("m")));
        assert_eq!(
            (&row["input_tokens"], &row["output_tokens"], &row["cost_nanos"]),
            (&json!(10), &json!(100), &json!(100_000_000))
        );
    });
}

/// Ends within its time, or tells what was awaited.
pub async fn within<T>(limit: Duration, what: &str, step: impl Future<Output = T>) -> T {
    tokio::time::timeout(limit, step).await.unwrap_or_else(|_| panic!("{what} did not come within {limit:?}"))
}

#[test]
fn s24_while_postgres_is_away_known_keys_go_on_and_when_it_is_back_no_spend_is_lost() {
    isolated(|| async {
        let mut server = postgres::Postgres::start();
        let settings = json!({"general_settings": {"master_key": MASTER_KEY, "database_url": server.url()}});
        let prices = json!({"input_cost_per_token": 0, "output_cost_per_token": 0.001});
        let fleet = Fleet::start(vec![ship("m", hundred_tokens()).with(prices)], settings).await;
        let database = Database::postgres(&server.url()).await.unwrap();
        let house = House { fleet, database };
        house.add_key(VirtualKey { limits: of_budget(100 * DOLLAR), ..VirtualKey::default() }).await;
        let body = Client::Chat.hello(json!({"max_tokens": 100}));
        assert_eq!(house.ask(Client::Chat, &body).await.status, 200);

        server.stop();
        for _ in 0..20 {
            let answer = within(Duration::from_secs(10), "an answer", house.ask(Client::Chat, &body)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        // One whom nobody knows yet cannot be told from one who is not there.
        let stranger = [("authorization", "Bearer sk-stranger"), ("content-type", "application/json")];
        let url = house.fleet.gateway.url("/v1/chat/completions");
        let asked = send(Method::POST, &url, &stranger, body.to_string());
        let refused = within(Duration::from_secs(20), "a refusal", asked).await;
        assert_eq!(refused.status, 503, "{}", refused.text());
        has(&refused.text(), "The gateway's database is away");

        server.start_again();
        let connected = async {
            let ready = house.fleet.gateway.url("/health/readiness");
            while !send(Method::GET, &ready, &[], "").await.text().contains("\"connected\"") {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        within(Duration::from_secs(15), "the database", connected).await;
        assert_eq!(house.spent(21 * DOLLAR / 10).await, 21 * DOLLAR / 10, "each request once");
    });
}

/// Dollars per million tokens of deepseek-chat in the catalogue (litellm 1.109.1): 0.28 in, 0.028 from the cache, 0.42 out.
#[test]
fn a_model_behind_a_wildcard_costs_what_the_catalogue_says() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY)).await;
        let entry = Upstream::Chat.entry(&sim, "deepseek/*", json!({"model": "deepseek/*"}));
        let gateway = Gateway::start(&config(&[entry]).to_string(), &[]).await;
        let body = Client::Chat.hello(json!({"model": "deepseek/deepseek-chat"}));
        let answer = post(&gateway.url(Client::Chat.path()), &[("x-api-key", MASTER_KEY)], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let usage = &answer.json()["usage"];
        let of = |value: &Value| value.as_u64().unwrap_or_default();
        let cached = of(&usage["prompt_tokens_details"]["cached_tokens"]);
        let (input, output) = (of(&usage["prompt_tokens"]) - cached, of(&usage["completion_tokens"]));
        let nanos = input * 280 + cached * 28 + output * 420;
        assert!(nanos > 0, "{usage}");
        let told: f64 = answer.header("x-litellm-response-cost").expect("a cost").parse().unwrap();
        assert_eq!((told * 1e9).round() as u64, nanos, "{usage}");
    });
}
