//! Several gateways with one configuration, and Redis between them.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Sim, SimConfig, Step};

use crate::stage::{Client, MASTER_KEY, PROVIDER_KEY, Upstream, config, has, merged};
use crate::support::http::{post, send};
use crate::support::redis::PASSWORD;
use crate::support::{Gateway, Redis, isolated};

/// What a replica logs when it is told of a rest.
const TOLD: &str = "another replica says so";

/// The route `m` with two deployments, the second one for need, the route `other`, and `sibling` with another model of each
/// provider of `m`.
struct Place {
    sims: Vec<Sim>,
    config: String,
    redis: Redis,
}

impl Place {
    /// `first`: what the first deployment says once; later it answers.
    async fn new(first: Step, more: Value) -> Place {
        let redis = Redis::start().await;
        let (mut sims, mut models) = (Vec::new(), Vec::new());
        for n in 0..3 {
            let sim = SimConfig::default().key(PROVIDER_KEY);
            let sim = if n == 0 { sim.step(first.clone()) } else { sim };
            sims.push(Sim::start(sim.step(Step::text("yes").always())).await);
        }
        let routes = [("m", 0), ("m", 1), ("other", 2), ("sibling", 0), ("sibling", 1)];
        for (n, (route, sim)) in routes.into_iter().enumerate() {
            let params = json!({"num_retries": 0, "order": n, "model": format!("openai/{route}")});
            let mut entry = Upstream::Chat.entry(&sims[sim], route, params);
            entry["model_info"] = json!({"id": format!("d{n}")});
            models.push(entry);
        }
        Place { sims, config: merged(config(&models), more).to_string(), redis }
    }

    /// A replica that finds Redis by its environment.
    async fn replica(&self) -> Gateway {
        let gateway = Gateway::start_with_env(&self.config, &[], &[("REDIS_URL", &self.redis.url())]).await;
        gateway.logged("are shared with the other replicas").await;
        gateway
    }

    fn asked(&self, n: usize) -> usize {
        self.sims[n].requests().len()
    }
}

/// The deployment that answers.
async fn ask(gateway: &Gateway, route: &str) -> String {
    let body = Client::Chat.hello(json!({"model": route}));
    let answer = post(&gateway.url(Client::Chat.path()), &[("x-api-key", MASTER_KEY)], &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.header("x-tollgate-deployment").expect("a deployment").to_string()
}

async fn until(what: &str, mut fits: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !fits().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn busy(retry_after: &str) -> Step {
    Step::json(429, &json!({"error": {"message": "slow down", "type": "t"}})).header("retry-after", retry_after)
}

fn gone() -> Step {
    let words = format!("No endpoints found for {PROVIDER_KEY}.");
    Step::json(404, &json!({"error": {"message": words, "type": "t"}}))
}

#[test]
fn s26_a_rest_that_one_replica_is_asked_for_is_kept_by_the_others_and_by_one_that_starts_later() {
    isolated(|| async {
        let mut place = Place::new(busy("60"), json!({})).await;
        let router = json!({"router_settings": {
            "redis_host": "127.0.0.1", "redis_port": place.redis.port, "redis_password": "os.environ/SECRET",
        }});
        place.config = merged(serde_json::from_str(&place.config).unwrap(), router).to_string();
        let start = async || Gateway::start_with_env(&place.config, &[], &[("SECRET", PASSWORD)]).await;
        let (a, b) = (start().await, start().await);
        assert_eq!(ask(&a, "m").await, "d1");
        b.logged(TOLD).await;
        assert_eq!(ask(&b, "m").await, "d1");
        let c = start().await;
        c.logged(TOLD).await;
        assert_eq!(ask(&c, "m").await, "d1");
        assert_eq!(place.asked(0), 1);
        for gateway in [&a, &b, &c] {
            assert!(!gateway.log().contains(PASSWORD) && !gateway.log().contains("no effect yet"), "{}", gateway.log());
        }
    });
}

#[test]
fn an_answer_to_one_replica_ends_a_guess_for_those_that_were_told_it() {
    isolated(|| async {
        let place = Place::new(gone(), json!({})).await;
        let (a, b, c) = (place.replica().await, place.replica().await, place.replica().await);
        assert_eq!(ask(&a, "m").await, "d1");
        b.logged(TOLD).await;
        c.logged(TOLD).await;
        assert_eq!((ask(&b, "m").await, ask(&c, "m").await), ("d1".into(), "d1".into()));
        has(&place.redis.keys().await, "tollgate:rest:d0:");
        assert_eq!(place.asked(0), 1);
        // The second one asks it all the same, and is answered.
        let health = send(http::Method::GET, &b.url("/health?model_id=d0"), &[("x-api-key", MASTER_KEY)], "").await;
        assert_eq!(health.json()["healthy_count"], 1, "{}", health.text());
        assert_eq!(ask(&b, "m").await, "d0");
        until("the key is removed", async || !place.redis.keys().await.contains("tollgate:rest:")).await;
        until("the third is told", async || ask(&c, "m").await == "d0").await;
        // What a replica found itself, no other shortens.
        assert_eq!(ask(&a, "m").await, "d1");
        let d = place.replica().await;
        assert_eq!(ask(&d, "m").await, "d0");
        for gateway in [&a, &b, &c, &d] {
            assert!(!gateway.log().contains(PROVIDER_KEY), "{}", gateway.log());
        }
    });
}

#[test]
fn a_credential_that_rests_at_one_replica_rests_at_all_until_one_is_answered() {
    isolated(|| async {
        let refused = Step::json(401, &json!({"error": {"message": format!("{PROVIDER_KEY} was revoked")}}));
        let place = Place::new(refused, json!({})).await;
        let (a, b, c) = (place.replica().await, place.replica().await, place.replica().await);
        assert_eq!(ask(&a, "m").await, "d1");
        for gateway in [&b, &c] {
            gateway.logged("credential rests: another replica says so").await;
            assert_eq!(ask(gateway, "sibling").await, "d4");
        }
        assert_eq!(place.asked(0), 1);
        let keys = place.redis.keys().await;
        has(&keys, "tollgate:rest:credential:");
        let key = keys.lines().find(|key| key.contains("tollgate:rest:credential:")).expect("a key");
        let value = place.redis.value(key).await;
        has(&value, r#""reason":"credential_refused""#);
        has(&value, "[redacted] was revoked");
        // The second one asks it all the same, and is answered: by any of its deployments.
        let health = send(http::Method::GET, &b.url("/health?model_id=d3"), &[("x-api-key", MASTER_KEY)], "").await;
        assert_eq!(health.json()["healthy_count"], 1, "{}", health.text());
        assert_eq!(ask(&b, "m").await, "d0");
        until("the key is removed", async || !place.redis.keys().await.contains("tollgate:rest:")).await;
        until("the third is told", async || ask(&c, "sibling").await == "d3").await;
        for gateway in [&a, &b, &c] {
            assert!(!gateway.log().contains(PROVIDER_KEY), "{}", gateway.log());
        }
    });
}

#[test]
fn redis_holds_no_secret_and_forgets_a_rest_with_its_end() {
    isolated(|| async {
        let more = json!({"tollgate_settings": {"model_gone_s": 2}});
        let place = Place::new(gone(), more).await;
        let a = place.replica().await;
        assert_eq!(ask(&a, "m").await, "d1");
        until("the rest is told", async || place.redis.keys().await.contains("tollgate:rest:d0:")).await;
        let keys = place.redis.keys().await;
        let key = keys.lines().find(|key| key.contains("tollgate:rest:")).expect("a key").to_string();
        let value = place.redis.value(&key).await;
        has(&value, "No endpoints found for [redacted].");
        has(&value, r#""reason":"model_gone""#);
        until("it is forgotten", async || !place.redis.keys().await.contains("tollgate:rest:")).await;
    });
}

#[test]
fn redis_may_go_and_come_back_empty_while_requests_go_on_and_no_rest_is_lost() {
    isolated(|| async {
        let mut place = Place::new(busy("120"), json!({})).await;
        let (a, b) = (place.replica().await, place.replica().await);
        place.redis.kill().await;
        for gateway in [&a, &b] {
            gateway.logged("Redis is away").await;
        }
        assert_eq!((ask(&a, "m").await, ask(&a, "m").await), ("d1".into(), "d1".into()));
        assert_eq!(ask(&b, "other").await, "d2");
        place.redis.start_again().await;
        b.logged(TOLD).await;
        assert_eq!(ask(&b, "m").await, "d1");
        // What it knew before, it is told again.
        place.redis.kill().await;
        place.redis.start_again().await;
        let c = place.replica().await;
        c.logged(TOLD).await;
        assert_eq!((ask(&c, "m").await, ask(&b, "m").await), ("d1".into(), "d1".into()));
        assert_eq!(place.asked(0), 1);
        // One line for each change.
        let log = c.log();
        assert_eq!((log.matches("are shared").count(), log.matches("Redis is away").count()), (1, 0), "{log}");
    });
}

#[test]
fn a_replica_starts_and_serves_without_redis_and_says_so_once() {
    isolated(|| async {
        let mut place = Place::new(busy("60"), json!({})).await;
        place.redis.kill().await;
        let a = Gateway::start_with_env(&place.config, &[], &[("REDIS_URL", &place.redis.url())]).await;
        a.logged("Redis is away").await;
        assert_eq!(ask(&a, "m").await, "d1");
        place.redis.start_again().await;
        let log = a.logged("are shared with the other replicas").await;
        assert_eq!(log.matches("Redis is away").count(), 1, "{log}");
        let b = place.replica().await;
        b.logged(TOLD).await;
    });
}
