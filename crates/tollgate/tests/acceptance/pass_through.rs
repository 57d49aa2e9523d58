//! Paths of the configuration behind which another server answers, and paths with a provider's name before them.

use http::Method;
use serde_json::{Value, json};
use tollgate_sim::{Sim, SimConfig, Step};

use crate::stage::{Client, MASTER_KEY, PROVIDER_KEY, Upstream, config, has, merged};
use crate::support::http::{Answer, post, send};
use crate::support::{Gateway, chat_checker, isolated};

const SECRET: &str = "VENDOR_SECRET";

/// A vendor's server with its own paths, at `/vendor` of a gateway.
async fn stage(sim: SimConfig, more: Value) -> (Sim, Gateway) {
    let sim = Sim::start(sim.key(PROVIDER_KEY)).await;
    let pass = merged(
        json!({"path": "/vendor", "target": sim.base_url(), "include_subpath": true, "cost_per_request": 0.01,
            "headers": {"Authorization": format!("Bearer os.environ/{SECRET}")}}),
        more,
    );
    let mut config = config(&[Upstream::Chat.entry(&sim, "m", json!({}))]);
    config["general_settings"]["pass_through_endpoints"] = json!([pass]);
    (sim, Gateway::start_with_env(&config.to_string(), &[], &[(SECRET, PROVIDER_KEY)]).await)
}

async fn ask(gateway: &Gateway, key: &str, body: &Value) -> Answer {
    post(&gateway.url("/vendor/v1/chat/completions?beta=true"), &[("x-api-key", key)], body).await
}

async fn new_key(gateway: &Gateway, body: Value) -> String {
    let answer = post(&gateway.url("/key/generate"), &[("x-api-key", MASTER_KEY)], &body).await;
    answer.json()["key"].as_str().expect("a key").to_string()
}

fn hello(stream: bool) -> Value {
    json!({"model": "sim-1", "messages": [{"role": "user", "content": "hello"}], "stream": stream, "max_tokens": 16})
}

#[test]
fn a_request_goes_through_with_the_configured_credential_and_comes_back_as_it_is() {
    isolated(|| async {
        let (sim, gateway) = stage(SimConfig::default().step(Step::text("from the vendor").always()), json!({})).await;
        for stream in [false, true] {
            let body = hello(stream);
            let answer = ask(&gateway, MASTER_KEY, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            if stream {
                assert_eq!(chat_checker::lenient(&answer.body).text, "from the vendor");
            } else {
                assert_eq!(answer.json()["choices"][0]["message"]["content"], "from the vendor");
            }
            assert!(answer.header("request-id").is_some());
            let sent = sim.requests().last().cloned().expect("a request");
            assert_eq!((sent.path.as_str(), sent.json()), ("/v1/chat/completions", body));
            assert_eq!(sent.header("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
            assert_eq!(sent.header("x-api-key"), None, "the gateway's key stays here");
        }
    });
}

#[test]
fn s29_what_passes_through_is_paid_for_by_the_same_meter() {
    isolated(|| async {
        let (sim, gateway) = stage(SimConfig::default().step(Step::text("yes").always()), json!({})).await;
        let key = new_key(&gateway, json!({"max_budget": 0.03})).await;
        let mut statuses = Vec::new();
        for _ in 0..4 {
            statuses.push(ask(&gateway, &key, &hello(false)).await.status.as_u16());
        }
        // A cent each.
        assert_eq!(statuses[..3], [200, 200, 200]);
        assert!(statuses[3] >= 400 && sim.requests().len() == 3, "{statuses:?}");
        let limited = new_key(&gateway, json!({"rpm_limit": 1})).await;
        assert_eq!(ask(&gateway, &limited, &hello(false)).await.status, 200);
        assert_eq!(ask(&gateway, &limited, &hello(false)).await.status, 429);
    });
}

#[test]
fn s25_nobody_gets_through_without_a_key_and_no_credential_comes_back() {
    isolated(|| async {
        let quoting = json!({"error": {"message": format!("Incorrect API key provided: {PROVIDER_KEY}"), "type": "x"}});
        let steps = [401, 400].map(|status| Step::json(status, &quoting));
        let (sim, gateway) = stage(SimConfig::default().steps(steps), json!({})).await;
        let answer = send(Method::POST, &gateway.url("/vendor/v1/chat/completions"), &[], "{}").await;
        assert_eq!(answer.status, 401, "{}", answer.text());
        assert_eq!(sim.requests().len(), 0);
        for status in [502, 400] {
            let answer = ask(&gateway, MASTER_KEY, &hello(false)).await;
            assert_eq!(answer.status, status, "{}", answer.text());
            has(&answer.text(), "Incorrect API key provided");
            assert!(!answer.text().contains(PROVIDER_KEY), "{}", answer.text());
        }
        assert!(!gateway.log().contains(PROVIDER_KEY));
        let other = send(Method::GET, &gateway.url("/vendors"), &[("x-api-key", MASTER_KEY)], "").await;
        assert_eq!(other.status, 404, "another path is another path");
    });
}

#[test]
fn s33_a_providers_name_before_a_path_changes_nothing() {
    isolated(|| async {
        let (sim, gateway) = stage(SimConfig::default().step(Step::text("yes").always()), json!({})).await;
        for (client, path) in
            [(Client::Messages, "/anthropic/v1/messages"), (Client::Chat, "/openai/v1/chat/completions")]
        {
            let answer = post(&gateway.url(path), &[("x-api-key", MASTER_KEY)], &client.hello(json!({}))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert_eq!(sim.requests().len(), 2);
    });
}
