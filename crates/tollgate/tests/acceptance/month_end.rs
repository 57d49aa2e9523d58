//! Budgets at a month's end, in a time zone half an hour beside the others.

use std::time::Duration;

use http::Method;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tollgate_sim::{Answer as Said, Faults, Match, Sim, SimConfig, Step, Usage};
use tollgate_store::database::Database;

use crate::budgets::Kind;
use crate::postgres;
use crate::stage::{Client, MASTER_KEY, PROVIDER_KEY, Upstream, config, merged};
use crate::support::clock::Clock;
use crate::support::http::{Answer, send};
use crate::support::{Gateway, isolated};

/// 2026-12-01 00:00 in Kolkata, which is 5:30 h before UTC: `date -u -d '2026-11-30 18:30' +%s`.
const DECEMBER_MS: i64 = 1_796_063_400_000;
/// 2026-11-01 00:00 there.
const NOVEMBER_MS: i64 = DECEMBER_MS - 30 * 86_400_000;

struct Place {
    sim: Sim,
    clock: Clock,
    gateway: Gateway,
    database: Database,
}

impl Place {
    /// Input is free and an output token costs 0.1 cent: the answer to `of N tokens` has N. Streams wait before their end.
    async fn open(kind: Kind) -> Place {
        let step = |tokens: u64| {
            let usage = json!({"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens});
            let when = Match { contains: Some(format!("of {tokens} tokens")), ..Match::default() };
            let silence = Some((3, Duration::from_millis(700)));
            let slow = Faults { silence: silence.filter(|_| tokens == ACROSS), ..Faults::default() };
            let said = Said { piece_chars: 1, ..Said::text("An answer.") };
            Step::answer(said.usage(Usage::Exact(usage))).when(when).faults(slow).always()
        };
        let steps = [LAST, ACROSS, FIRST].map(step);
        let sim = Sim::start(SimConfig::default().steps(steps).key(PROVIDER_KEY)).await;
        let prices = json!({"input_cost_per_token": 0, "output_cost_per_token": 0.001});
        let mut general = json!({"master_key": MASTER_KEY});
        if kind == Kind::Postgres {
            general["database_url"] = json!(postgres::new_database());
        }
        let more = json!({"general_settings": general, "tollgate_settings": {"timezone": "Asia/Kolkata"}});
        let config = merged(config(&[Upstream::Chat.entry(&sim, "m", prices)]), more);
        let clock = Clock::at(DECEMBER_MS - 100);
        let variables = clock.variables();
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let gateway = Gateway::start_with_env(&config.to_string(), &[], &variables).await;
        let database = match general["database_url"].as_str() {
            Some(url) => Database::postgres(url).await,
            None => Database::sqlite(&gateway.data_dir().join("tollgate.db")).await,
        };
        Place { sim, clock, gateway, database: database.unwrap() }
    }

    async fn call(&self, key: &str, path: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        send(Method::POST, &self.gateway.url(path), &headers, body.to_string()).await
    }

    async fn ask(&self, key: &str, tokens: u64) -> u16 {
        self.call(key, Client::Chat.path(), &asking(tokens)).await.status.as_u16()
    }

    /// A stream that begins before the month's end and ends after it.
    async fn ask_across(&self, key: &str) {
        let body = merged(asking(ACROSS), json!({"stream": true}));
        let request = http::Request::post(self.gateway.url(Client::Chat.path()))
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json")
            .body(Full::new(bytes::Bytes::from(body.to_string())))
            .unwrap();
        let answer = Http::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut body = answer.into_body();
        body.frame().await.unwrap().unwrap();
        let over = self.sim.requests().iter().all(|request| request.finished.is_some());
        assert!(!over, "the answer is still coming");
        self.clock.set(DECEMBER_MS + 50);
        let rest = body.collect().await.unwrap().to_bytes();
        assert!(rest.trim_ascii_end().ends_with(b"[DONE]"));
    }

    async fn number(&self, select: &'static str) -> i64 {
        sqlx::query_scalar(select).fetch_one(&self.database.pool).await.unwrap()
    }

    /// Beginning and spending of the key's months.
    async fn months(&self) -> Vec<(i64, i64)> {
        let select = "SELECT start_ms, spent_nanos FROM balances WHERE scope_kind = 'key' AND period = 'month' ORDER BY start_ms";
        sqlx::query_as(select).fetch_all(&self.database.pool).await.unwrap()
    }
}

const LAST: u64 = 41;
const ACROSS: u64 = 59;
const FIRST: u64 = 7;
const TOKEN_NANOS: i64 = 1_000_000;

fn asking(tokens: u64) -> Value {
    let content = format!("An answer of {tokens} tokens, please.");
    Client::Chat.hello(json!({"max_tokens": tokens, "messages": [{"role": "user", "content": content}]}))
}

async fn s23(kind: Kind) {
    let place = Place::open(kind).await;
    // A dime a month: a hundred tokens.
    let made = place.call(MASTER_KEY, "/key/generate", &json!({"max_budget": 0.1, "budget_duration": "1mo"})).await;
    let key = made.json()["key"].as_str().expect("a key").to_owned();
    assert_eq!(place.ask(&key, LAST).await, 200);
    place.clock.set(DECEMBER_MS - 50);
    place.ask_across(&key).await;
    // 23:59:59.999 is November, of which nothing is left; a millisecond later a new month has begun.
    place.clock.set(DECEMBER_MS - 1);
    assert_eq!(place.ask(&key, FIRST).await, 402);
    place.clock.set(DECEMBER_MS);
    assert_eq!(place.ask(&key, FIRST).await, 200);
    place.clock.set(DECEMBER_MS + 100);
    assert_eq!(place.ask(&key, FIRST).await, 200);
    let arrived = async {
        while place.number("SELECT COUNT(*) FROM ledger").await < 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), arrived).await.expect("four lines in the ledger");
    let (november, december) = ((LAST + ACROSS) as i64 * TOKEN_NANOS, 2 * FIRST as i64 * TOKEN_NANOS);
    assert_eq!(place.months().await, [(NOVEMBER_MS, november), (DECEMBER_MS, december)]);
    let before = "SELECT CAST(SUM(cost_nanos) AS BIGINT) FROM ledger WHERE at_ms < 1796063400000";
    let after = "SELECT CAST(SUM(cost_nanos) AS BIGINT) FROM ledger WHERE at_ms >= 1796063400000";
    assert_eq!((place.number(before).await, place.number(after).await), (november, december));
    let day = "SELECT CAST(SUM(cost_nanos) AS BIGINT) FROM usage_days WHERE day_ms = 1796063400000";
    assert_eq!(place.number(day).await, december);
}

#[test]
fn s23_at_a_months_end_in_the_zone_each_request_and_a_stream_across_it_count_in_one_month_on_sqlite() {
    isolated(|| s23(Kind::Sqlite));
}

#[test]
fn s23_at_a_months_end_in_the_zone_each_request_and_a_stream_across_it_count_in_one_month_on_postgres() {
    isolated(|| s23(Kind::Postgres));
}
