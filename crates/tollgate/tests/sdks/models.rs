//! The list of models, and single ones, in the shape of each vendor.

use serde_json::{Value, json};

use crate::desk::{CHAT, CLAUDE, Desk, KEY, Sdk, THINKER};
use crate::support::{http, isolated};

fn ids(told: &Value) -> Vec<String> {
    let models = told["models"].as_array().unwrap_or_else(|| panic!("{told:#}"));
    models.iter().filter_map(|model| model["id"].as_str()).map(str::to_owned).collect()
}

#[test]
fn both_sdks_list_and_retrieve_models_in_their_own_shape() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let calls = json!([{"do": "models"}, {"do": "model", "args": {"model_id": CHAT}},
            {"do": "model", "args": {"model_id": "gptt"}}, {"do": "models", "args": {"limit": 1}}]);
        let told = desk.calls(Sdk::Anthropic, calls).await;
        let listed = ids(&told[0]);
        for name in [CHAT, THINKER, CLAUDE] {
            assert!(listed.iter().any(|id| id == name), "{listed:?}");
        }
        assert_eq!(told[1]["model"]["id"], CHAT);
        assert_eq!(told[1]["model"]["type"], "model");
        assert!(
            told[1]["model"]["created_at"].is_string() && told[1]["model"]["display_name"].is_string(),
            "{:#}",
            told[1]
        );
        assert_eq!(told[2]["error"]["class"], "NotFoundError");
        assert!(told[2]["error"]["message"].as_str().is_some_and(|m| m.contains("Nearest: gpt")), "{:#}", told[2]);
        assert_eq!(ids(&told[3]), listed, "a limit is a page size: the SDK asks on until it has all");

        let calls = json!([{"do": "models"}, {"do": "model", "args": {"model": CLAUDE}}, {"do": "model", "args": {"model": "gptt"}}]);
        let told = desk.calls(Sdk::OpenAi, calls).await;
        let mut listed = ids(&told[0]);
        listed.sort();
        assert_eq!(listed, [CLAUDE, CHAT, THINKER], "each model once");
        assert_eq!(told[1]["model"]["id"], CLAUDE);
        assert_eq!(
            (&told[1]["model"]["object"], &told[1]["model"]["owned_by"]),
            (&json!("model"), &json!("anthropic"))
        );
        assert_eq!(told[2]["error"]["class"], "NotFoundError");
        assert_eq!(desk.sim.requests().len(), 0, "nobody upstream is asked");
    });
}

/// Claude Code's discovery: this query, either credential, and only ids with `claude` or `anthropic` in them are kept.
#[test]
fn discovery_lists_every_model_under_a_name_that_claude_code_keeps() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let url = desk.gateway.url("/v1/models?limit=1000");
        let bearer = format!("Bearer {KEY}");
        for credential in [("authorization", bearer.as_str()), ("x-api-key", KEY)] {
            let headers = [credential, ("anthropic-version", "2023-06-01"), ("user-agent", "claude-code/2.1.329")];
            let answer = http::send(::http::Method::GET, &url, &headers, "").await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let list = answer.json();
            let kept: Vec<&str> = list["data"]
                .as_array()
                .expect("data")
                .iter()
                .filter_map(|m| m["id"].as_str())
                .filter(|id| id.contains("claude") || id.contains("anthropic"))
                .collect();
            assert_eq!(kept.len(), 3, "{list:#}");
            for name in [format!("anthropic/{CHAT}"), format!("anthropic/{THINKER}"), CLAUDE.to_owned()] {
                assert!(kept.contains(&name.as_str()), "{list:#}");
            }
            let shown = list["data"].as_array().and_then(|all| all.iter().find(|m| m["id"] == "anthropic/gpt"));
            assert_eq!(shown.map(|model| &model["display_name"]), Some(&json!("gpt")));
        }
        let message =
            json!({"model": "anthropic/gpt", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]});
        let answer = http::post(&desk.gateway.url("/v1/messages"), &[("x-api-key", KEY)], &message).await;
        assert_eq!(answer.status, 200, "a listed name can be called: {}", answer.text());
    });
}
