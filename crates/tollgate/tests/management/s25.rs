//! No key, hash or credential leaves the gateway with an error.

use serde_json::{Value, json};

use crate::stage::{Stage, on_both};
use crate::support::stage::{MASTER_KEY, PROVIDER_KEY};

const CANARY: &str = "sk-canary-of-a-user-7731";

/// Requests that fail, each of which names a key or is sent with one.
fn failing(hash: &str, other: &str) -> Vec<(&'static str, String, Value)> {
    let absent = "sk-canary-never-made-9c1";
    vec![
        ("admin", format!("GET /key/info?key={absent}"), json!(null)),
        ("admin", "POST /key/update".into(), json!({"key": absent})),
        ("admin", "POST /key/update".into(), json!({"key": CANARY, "max_budget": -1})),
        ("admin", "POST /key/update".into(), json!({"key": CANARY, "max_budget": CANARY})),
        ("admin", "POST /key/delete".into(), json!({"keys": [absent]})),
        ("admin", format!("POST /key/{absent}/regenerate"), json!({})),
        ("admin", format!("GET /key/{CANARY}/regenerate"), json!(null)),
        ("admin", format!("POST /key/{CANARY}/nothing"), json!({})),
        ("admin", format!("POST /key/{hash}/nothing"), json!({})),
        ("admin", "POST /key/generate".into(), json!({"key": CANARY})),
        ("admin", "POST /key/block".into(), json!({"key": absent})),
        ("admin", "POST /v2/key/info".into(), json!({"keys": [CANARY, absent]})),
        ("user", format!("GET /key/info?key={other}"), json!(null)),
        ("user", "POST /key/delete".into(), json!({"keys": [other]})),
        ("user", "POST /key/update".into(), json!({"key": other, "max_budget": null})),
        ("user", format!("POST /key/{other}/regenerate"), json!({})),
        ("user", "POST /team/new".into(), json!({})),
        ("user", "POST /budget/new".into(), json!({})),
        ("nobody", "GET /key/list".into(), json!(null)),
        ("nobody", "POST /key/generate".into(), json!({})),
    ]
}

async fn checked(stage: &Stage, key: &str, request: &str, body: &Value, secrets: &[&str]) {
    let answer = stage.call(key, request, body).await;
    let status = answer.status.as_u16();
    assert!((400..500).contains(&status), "{request}: {status} {}", answer.text());
    let told = answer.json();
    for field in ["message", "type", "param", "code"] {
        assert!(told["error"].get(field).is_some(), "{request}: no {field} in {told}");
    }
    let whole = format!("{:?} {}", answer.headers, answer.text());
    for secret in secrets {
        assert!(!whole.contains(secret), "{request}: {secret} is in {whole}");
    }
}

#[test]
fn s25_no_error_of_the_management_api_and_no_line_of_the_log_has_a_key_a_hash_or_a_credential() {
    on_both(|stage| async move {
        stage.admin("POST /user/new", json!({"user_id": "u", "auto_create_key": false})).await;
        let made = stage.admin("POST /key/generate", json!({"key": CANARY, "user_id": "u"})).await;
        let hash = made["token"].as_str().expect("a hash").to_string();
        let other = stage.admin("POST /key/generate", json!({})).await;
        let (other, other_hash) = (other["key"].as_str().expect("a key"), other["token"].as_str().expect("a hash"));
        let secrets =
            [CANARY, "sk-canary", hash.as_str(), other, other_hash, MASTER_KEY, PROVIDER_KEY, "sk-nobody-canary-1"];
        for (who, request, body) in failing(&hash, other) {
            let key = match who {
                "admin" => MASTER_KEY,
                "user" => CANARY,
                _ => "sk-nobody-canary-1",
            };
            checked(&stage, key, &request, &body, &secrets).await;
        }
        let log = stage.gateway.log();
        for secret in secrets {
            assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
        }
    });
}

#[test]
fn errors_have_litellms_form_with_the_code_as_a_text_and_name_the_field() {
    on_both(|stage| async move {
        let answer = stage.call(MASTER_KEY, "POST /key/generate", &json!({"tpm_limit": "many"})).await;
        assert_eq!(answer.status, 400);
        let message = "tpm_limit: must be a whole number of 0 or more, or null for no limit";
        let error = json!({"message": message, "type": "bad_request_error", "param": "tpm_limit", "code": "400"});
        assert_eq!(answer.json(), json!({"error": error}));
        let answer = stage.call("sk-wrong", "GET /key/list", &Value::Null).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (401, &json!("401")));
        assert_eq!(answer.json()["error"]["type"], "auth_error");
        let answer = stage.call(MASTER_KEY, "POST /team/new", &json!([1])).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (400, &json!("400")));
    });
}
