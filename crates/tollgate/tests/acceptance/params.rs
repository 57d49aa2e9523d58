//! S06: parameters that the target does not take.

use serde_json::{Value, json};
use tollgate_sim::{ChatStrictness, SimConfig};

use crate::stage::{BOTH, Client, Stage, Upstream, has, has_change, merged};
use crate::support::isolated;

/// A parameter that the provider does not take, on each way from a client's dialect to a provider's.
const PATHS: [(Client, Upstream, &str); 5] = [
    // No chat server of OpenAI's kind has it.
    (Client::Messages, Upstream::Chat, "top_k"),
    (Client::Messages, Upstream::Chat, "temperature"),
    (Client::Chat, Upstream::Chat, "seed"),
    (Client::Chat, Upstream::Messages, "logit_bias"),
    (Client::Chat, Upstream::Messages, "seed"),
];

fn value(param: &str) -> Value {
    match param {
        "top_k" | "seed" => json!(5),
        "logit_bias" => json!({"50256": -100}),
        _ => json!(0.5),
    }
}

async fn stage(upstream: Upstream, param: &str, params: Value, more: Value) -> Stage {
    let strict = ChatStrictness::default().refusing(&[param]);
    let quirks = match upstream {
        Upstream::Chat => json!({"quirks": {"refuses": [param]}}),
        Upstream::Messages => json!({}),
    };
    Stage::start(SimConfig::default().chat(strict), upstream, merged(quirks, params), more).await
}

#[test]
fn s06_an_unsupported_parameter_is_a_400_that_names_it_and_the_setting_that_drops_it() {
    isolated(|| async {
        for (client, upstream, param) in PATHS {
            let stage = stage(upstream, param, json!({}), json!({})).await;
            let answer = stage.ask(client, &client.hello(json!({(param): value(param)}))).await;
            assert_eq!(answer.status, 400, "{client:?} → {upstream:?} {param}: {}", answer.text());
            let (kind, message) = client.error(&answer);
            assert_eq!(kind, "invalid_request_error");
            has(&message, param);
            has(&message, "drop_params");
            if client == Client::Chat {
                assert_eq!(answer.json()["error"]["param"], param);
            }
            assert_eq!(stage.sent().len(), 0);
        }
    });
}

#[test]
fn s06_drop_params_drops_on_every_path_and_tells_in_header_and_log() {
    isolated(|| async {
        let settings = [
            (json!({"drop_params": true}), json!({})),
            (json!({}), json!({"litellm_settings": {"drop_params": true}})),
        ];
        for (params, more) in settings {
            for (client, upstream, param) in PATHS {
                let stage = stage(upstream, param, params.clone(), more.clone()).await;
                for stream in [false, true] {
                    let body = client.hello(json!({(param): value(param), "stream": stream}));
                    let answer = stage.ask(client, &body).await;
                    assert_eq!(answer.status, 200, "{client:?} → {upstream:?} {param}: {}", answer.text());
                    has_change(&answer, &format!("dropped:{param}"));
                    assert_eq!(stage.last().get(param), None);
                }
                stage.gateway.logged(&format!("dropped:{param}")).await;
                stage.nothing_was_refused();
            }
        }
    });
}

#[test]
fn s06_a_deployment_may_refuse_what_the_others_drop() {
    isolated(|| async {
        let more = json!({"litellm_settings": {"drop_params": true}});
        let stage = stage(Upstream::Chat, "seed", json!({"drop_params": false}), more).await;
        let answer = stage.ask(Client::Chat, &Client::Chat.hello(json!({"seed": 5}))).await;
        assert_eq!(answer.status, 400);
    });
}

#[test]
fn s06_what_only_the_provider_knows_to_be_unsupported_is_learned_when_drop_params_is_on() {
    isolated(|| async {
        for (client, param) in [(Client::Messages, "temperature"), (Client::Chat, "seed"), (Client::Chat, "top_k")] {
            let strict = || SimConfig::default().chat(ChatStrictness::default().refusing(&[param]));
            let body = client.hello(json!({(param): value(param)}));
            let on = Stage::chat(strict(), json!({"drop_params": true})).await;
            let answer = on.ask(client, &body).await;
            assert_eq!(answer.status, 200, "{param}: {}", answer.text());
            has_change(&answer, &format!("dropped:{param}"));
            has_change(&answer, &format!("repaired:{param}"));
            assert_eq!(on.ask(client, &body).await.status, 200);
            assert_eq!(on.sent().len(), 3);

            let off = Stage::chat(strict(), json!({})).await;
            let answer = off.ask(client, &body).await;
            assert_eq!(answer.status, 400);
            has(&client.error(&answer).1, param);
            assert_eq!(off.sent().len(), 1);
        }
    });
}

#[test]
fn s06_additional_drop_params_go_without_a_question_on_every_path() {
    isolated(|| async {
        let paths = [
            (Client::Messages, Upstream::Chat, "temperature"),
            (Client::Chat, Upstream::Chat, "temperature"),
            (Client::Messages, Upstream::Messages, "temperature"),
            (Client::Chat, Upstream::Messages, "temperature"),
            (Client::Messages, Upstream::Chat, "tools"),
        ];
        for (client, upstream, param) in paths {
            let params = json!({"additional_drop_params": [param]});
            let stage = Stage::start(SimConfig::default(), upstream, params, json!({})).await;
            let given = match param {
                "tools" => json!([{"name": "Read", "input_schema": {"type": "object", "properties": {}}}]),
                _ => json!(0.5),
            };
            let answer = stage.ask(client, &client.hello(json!({(param): given}))).await;
            assert_eq!(answer.status, 200, "{client:?} → {upstream:?}: {}", answer.text());
            has_change(&answer, &format!("dropped:{param}"));
            assert_eq!(stage.last().get(param), None);
            has(&stage.last()["messages"].to_string(), "hello");
        }
    });
}

#[test]
fn s06_unknown_fields_of_an_agent_never_reach_a_strict_chat_server_and_are_no_error() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default(), json!({})).await;
        let body = Client::Messages.hello(json!({
            "metadata": {"user_id": "u1"}, "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
            "service_tier": "auto", "speed": "fast", "safeguards": {}, "a_field_of_next_year": [1],
        }));
        for client in BOTH {
            // A chat client's fields are its own affair: only the Messages side is translated.
            if client == Client::Messages {
                let answer = stage.ask(client, &body).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
        }
        stage.nothing_was_refused();
    });
}
