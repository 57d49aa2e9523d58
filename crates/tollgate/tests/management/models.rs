//! Models that are added while the gateway runs.

use serde_json::{Value, json};

use crate::stage::{Stage, Store, on_both};
use crate::support::isolated;
use crate::support::stage::{MASTER_KEY, PROVIDER_KEY, has};

async fn add(stage: &Stage, name: &str) -> String {
    let params =
        json!({"model": "openai/x", "api_base": format!("{}/v1", stage.sim.base_url()), "api_key": PROVIDER_KEY});
    let made = stage.admin("POST /model/new", json!({"model_name": name, "litellm_params": params})).await;
    made["model_id"].as_str().expect("an id").to_string()
}

#[test]
fn an_added_model_is_there_after_a_restart_and_its_credential_is_encrypted() {
    isolated(|| async {
        let mut stage = Stage::start(Store::Sqlite).await;
        add(&stage, "late").await;
        assert_eq!(stage.chat(MASTER_KEY, "late").await.status, 200);
        stage.gateway.restart().await;
        assert_eq!(stage.chat(MASTER_KEY, "late").await.status, 200);
        stage.gateway.stop().await;
        for entry in std::fs::read_dir(stage.gateway.data_dir()).expect("the data directory") {
            let path = entry.expect("a file").path();
            if path.is_file() {
                let bytes = std::fs::read(&path).expect("a file");
                let found = bytes.windows(PROVIDER_KEY.len()).any(|window| window == PROVIDER_KEY.as_bytes());
                assert!(!found, "the credential is in {}", path.display());
            }
        }
    });
}

#[test]
fn models_of_the_file_stay_as_they_are_and_a_change_of_the_file_keeps_the_added_ones() {
    isolated(|| async {
        let stage = Stage::start(Store::Sqlite).await;
        add(&stage, "late").await;
        let info = stage.admin("GET /model/info", Value::Null).await;
        let own = info["data"][0]["model_info"]["id"].as_str().expect("an id").to_string();
        for (request, body) in [
            ("POST /model/delete", json!({"id": own})),
            ("POST /model/update", json!({"model_info": {"id": own}, "litellm_params": {"rpm": 1}})),
        ] {
            let answer = stage.call(MASTER_KEY, request, &body).await;
            assert_eq!(answer.status, 400);
            has(&answer.text(), "is in the configuration file");
        }
        let file = stage.gateway.config_file();
        let text = std::fs::read_to_string(&file).expect("the config");
        std::fs::write(&file, text.replace("\"other\"", "\"renamed\"")).expect("the config can be written");
        stage.gateway.logged("configuration reloaded").await;
        for (model, status) in [("renamed", 200), ("late", 200), ("m", 200), ("other", 404)] {
            assert_eq!(stage.chat(MASTER_KEY, model).await.status.as_u16(), status, "{model}");
        }
    });
}

#[test]
fn what_is_wrong_with_a_model_is_told_with_its_field() {
    on_both(|stage| async move {
        for (body, param) in [
            (json!({"litellm_params": {"model": "openai/x"}}), "model_name"),
            (json!({"model_name": "x"}), "litellm_params"),
            (json!({"model_name": "x", "litellm_params": {}}), "litellm_params.model"),
            (
                json!({"model_name": "x", "litellm_params": {"model": "openai/x", "api_key": "k", "timeout": "soon"}}),
                "litellm_params.timeout",
            ),
            (
                json!({"model_name": "x", "litellm_params": {"model": "openai/x"}, "model_info": {"team_id": "t"}}),
                "model_info",
            ),
        ] {
            let answer = stage.call(MASTER_KEY, "POST /model/new", &body).await;
            assert_eq!(answer.status, 400, "{body}: {}", answer.text());
            assert_eq!(answer.json()["error"]["param"], param, "{body}: {}", answer.text());
        }
    });
}
