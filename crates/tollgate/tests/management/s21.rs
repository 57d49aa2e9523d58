//! The list of models is what can be called.

use serde_json::{Value, json};

use crate::stage::{Stage, on_both};

async fn listed(stage: &Stage, key: &str) -> Vec<String> {
    let list = stage.ok(key, "GET /v1/models", Value::Null).await;
    let ids =
        list["data"].as_array().expect("a list").iter().map(|model| model["id"].as_str().expect("an id").to_string());
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids
}

#[test]
fn s21_the_list_is_what_can_be_called_for_keys_teams_users_groups_and_wildcards() {
    on_both(|stage| async move {
        for (name, model) in [("openai/*", "openai/*"), ("gpt-4", "openai/gpt-4")] {
            let params = json!({
                "model": model, "api_base": format!("{}/v1", stage.sim.base_url()), "api_key": crate::support::stage::PROVIDER_KEY,
            });
            stage.admin("POST /model/new", json!({"model_name": name, "litellm_params": params})).await;
        }
        stage.admin("POST /access_group/new", json!({"access_group": "beta", "model_names": ["other", "gpt-4"]})).await;
        stage.admin("POST /team/new", json!({"team_id": "t", "models": ["m", "gpt-4"]})).await;
        stage.admin("POST /user/new", json!({"user_id": "u", "models": ["m"], "auto_create_key": false})).await;
        let everything = ["gpt-4", "m", "openai/gpt-x", "other"];
        for (fields, wanted) in [
            (json!({}), vec!["gpt-4", "m", "other"]),
            (json!({"models": ["m"]}), vec!["m"]),
            (json!({"models": ["beta"]}), vec!["gpt-4", "other"]),
            (json!({"models": ["openai/*", "m"]}), vec!["m"]),
            (json!({"models": ["openai/gpt-x"]}), vec!["openai/gpt-x"]),
            (json!({"team_id": "t"}), vec!["gpt-4", "m"]),
            (json!({"team_id": "t", "models": ["beta"]}), vec!["gpt-4"]),
            (json!({"team_id": "t", "models": ["all-team-models"]}), vec!["gpt-4", "m"]),
            (json!({"user_id": "u"}), vec!["m"]),
            (json!({"user_id": "u", "team_id": "t"}), vec!["gpt-4", "m"]),
            (json!({"models": ["no-default-models"]}), vec![]),
            (json!({"models": ["m"], "aliases": {"mine": "m"}}), vec!["m", "mine"]),
        ] {
            let key = stage.key(fields.clone()).await;
            assert_eq!(listed(&stage, &key).await, wanted, "{fields}");
            for model in everything {
                let may = stage.chat(&key, model).await.status == 200;
                let wildcard = model == "openai/gpt-x" && (fields["models"][0] == "openai/*" || fields == json!({}));
                assert_eq!(may, wanted.contains(&model) || wildcard, "{fields} calls {model}");
            }
        }
    });
}
