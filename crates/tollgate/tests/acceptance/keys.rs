//! S14: every way in which clients send their key.

use serde_json::json;
use tollgate_sim::{Sim, SimConfig};

use crate::stage::{BOTH, Client, MASTER_KEY, PROVIDER_KEY, Upstream, config, has, merged};
use crate::support::http::{post, send};
use crate::support::{Gateway, isolated};

#[test]
fn s14_a_right_key_in_any_header_alone_or_beside_others_is_enough() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY)).await;
        let gateway = Gateway::start(&config(&[Upstream::Chat.entry(&sim, "m", json!({}))]).to_string(), &[]).await;
        let bearer = format!("Bearer {MASTER_KEY}");
        let lower = format!("bearer {MASTER_KEY}");
        let good: [&[(&str, &str)]; 9] = [
            &[("authorization", &bearer)],
            &[("authorization", &lower)],
            &[("x-api-key", MASTER_KEY)],
            &[("api-key", MASTER_KEY)],
            &[("x-goog-api-key", MASTER_KEY)],
            &[("x-litellm-api-key", MASTER_KEY)],
            &[("x-litellm-api-key", &bearer)],
            &[("x-api-key", MASTER_KEY), ("authorization", &bearer)],
            // Claude Code with both of its variables set, one of them left over from elsewhere.
            &[("x-api-key", "sk-ant-left-over"), ("authorization", &bearer)],
        ];
        for client in BOTH {
            for headers in good {
                let answer = post(&gateway.url(client.path()), headers, &client.hello(json!({}))).await;
                assert_eq!(answer.status, 200, "{headers:?}: {}", answer.text());
            }
        }
        for request in sim.requests() {
            for value in request.headers.values() {
                assert!(!value.to_str().unwrap_or("").contains(MASTER_KEY), "the gateway's key went upstream");
            }
            assert_eq!(request.header("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
            assert_eq!(request.header("x-api-key"), None);
        }
    });
}

#[test]
fn s14_a_wrong_key_or_none_is_a_401_in_the_clients_dialect_that_says_which_setting_decides() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let gateway = Gateway::start(&config(&[Upstream::Chat.entry(&sim, "m", json!({}))]).to_string(), &[]).await;
        let basic = format!("Basic {MASTER_KEY}");
        let bad: [&[(&str, &str)]; 5] = [
            &[],
            &[("x-api-key", "sk-wrong-canary")],
            &[("authorization", "Bearer sk-wrong-canary")],
            &[("x-api-key", "sk-wrong-canary"), ("authorization", "Bearer sk-wrong-canary")],
            &[("authorization", &basic)],
        ];
        for client in BOTH {
            for headers in bad {
                let answer = post(&gateway.url(client.path()), headers, &client.hello(json!({}))).await;
                assert_eq!(answer.status, 401, "{headers:?}");
                let (kind, message) = client.error(&answer);
                let expected =
                    if client == Client::Messages { "authentication_error" } else { "invalid_request_error" };
                assert_eq!(kind, expected, "{headers:?}");
                has(&message, "general_settings.master_key");
                assert_eq!(answer.header("x-should-retry"), Some("false"));
                assert!(!answer.text().contains("canary"), "{}", answer.text());
            }
        }
        let list = send(http::Method::GET, &gateway.url("/v1/models"), &[], "").await;
        assert_eq!(list.status, 401);
        assert_eq!(sim.requests().len(), 0);
        let log = gateway.logged(list.header("request-id").unwrap()).await;
        assert!(!log.contains("canary"), "{log}");
    });
}

#[test]
fn s14_the_master_key_may_come_from_the_environment() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let named = json!({"general_settings": {"master_key": "os.environ/THE_KEY"}});
        let rows = [
            (json!({"general_settings": {}}), "LITELLM_MASTER_KEY"),
            (json!({"general_settings": {}}), "TOLLGATE_MASTER_KEY"),
            (named, "THE_KEY"),
        ];
        for (settings, variable) in rows {
            let config = merged(config(&[Upstream::Chat.entry(&sim, "m", json!({}))]), settings);
            let gateway = Gateway::start_with_env(&config.to_string(), &[], &[(variable, "sk-of-env")]).await;
            let url = gateway.url("/v1/messages");
            let body = Client::Messages.hello(json!({}));
            assert_eq!(post(&url, &[("x-api-key", "sk-of-env")], &body).await.status, 200, "{variable}");
            assert_eq!(post(&url, &[("x-api-key", "sk-other")], &body).await.status, 401, "{variable}");
            assert_eq!(post(&url, &[], &body).await.status, 401, "{variable}");
        }
    });
}

#[test]
fn s14_a_config_that_names_an_unset_variable_for_the_master_key_does_not_start_open() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let settings = json!({"general_settings": {"master_key": "os.environ/THE_KEY"}});
        let config = merged(config(&[Upstream::Chat.entry(&sim, "m", json!({}))]), settings);
        let run = crate::cli::serve_file(&config.to_string(), &[]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        has(&run.stderr, "THE_KEY");
    });
}
