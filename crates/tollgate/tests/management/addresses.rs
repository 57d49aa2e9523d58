//! From where, and for which paths, keys and everybody may call.

use serde_json::{Value, json};

use crate::stage::{Stage, Store, on_both};
use crate::support::isolated;
use crate::support::stage::{MASTER_KEY, has};

#[test]
fn a_key_is_held_to_its_addresses_and_paths() {
    on_both(|stage| async move {
        let here = stage.key(json!({"allowed_ips": ["10.1.2.3", "127.0.0.0/8"]})).await;
        assert_eq!(stage.chat(&here, "m").await.status, 200);
        let elsewhere = stage.key(json!({"allowed_ips": ["10.0.0.0/8"]})).await;
        let refused = stage.chat(&elsewhere, "m").await;
        assert_eq!(refused.status, 403, "{}", refused.text());
        has(&refused.text(), "This key may not be used from 127.0.0.1. allowed_ips of /key/update decides.");
        let one = stage.key(json!({"allowed_routes": ["/v1/embeddings"]})).await;
        let refused = stage.chat(&one, "m").await;
        assert_eq!(refused.status, 403);
        has(&refused.text(), "This key may not use /v1/chat/completions; it may use /v1/embeddings");
        assert_eq!(stage.sim.requests().len(), 1);
    });
}

#[test]
fn the_whole_gateway_is_held_to_the_addresses_and_paths_of_the_configuration() {
    isolated(|| async {
        for (settings, words) in [
            (
                json!({"allowed_ips": ["10.1.2.3"]}),
                "This gateway may not be used from 127.0.0.1. general_settings.allowed_ips decides.",
            ),
            (json!({"allowed_routes": ["/v1/embeddings", "info_routes"]}), "general_settings.allowed_routes decides."),
        ] {
            let stage = Stage::with(Store::Sqlite, json!({"general_settings": settings})).await;
            let refused = stage.chat(MASTER_KEY, "m").await;
            assert_eq!(refused.status, 403, "{}", refused.text());
            has(&refused.text(), words);
            // Not even of a wrong key is said that it is wrong.
            assert_eq!(stage.chat("sk-wrong", "m").await.status, 403);
            assert_eq!(stage.sim.requests().len(), 0);
        }
        let settings = json!({"allowed_ips": ["127.0.0.1"], "allowed_routes": ["llm_api_routes"]});
        let stage = Stage::with(Store::Sqlite, json!({"general_settings": settings})).await;
        assert_eq!(stage.chat(MASTER_KEY, "m").await.status, 200);
        assert_eq!(stage.call(MASTER_KEY, "GET /key/list", &Value::Null).await.status, 403);
        // Whether the gateway is there is nobody's secret.
        assert_eq!(stage.call("sk-wrong", "GET /health/liveliness", &Value::Null).await.status, 200);
    });
}
