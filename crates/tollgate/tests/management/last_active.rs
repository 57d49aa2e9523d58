//! When a key was last used.

use serde_json::{Value, json};
use tollgate_store::database::Database;

use crate::stage::{Stage, Store, on_both};
use crate::support::isolated;

async fn last_active(stage: &Stage, hash: &str) -> Value {
    let info = stage.admin(&format!("GET /key/info?key={hash}"), Value::Null).await;
    let list = stage.admin("GET /key/list?return_full_object=true", Value::Null).await;
    let row = list["keys"].as_array().and_then(|keys| keys.iter().find(|key| key["token"] == hash)).expect("the key");
    assert_eq!(info["info"]["last_active"], row["last_active"]);
    row["last_active"].clone()
}

#[test]
fn a_key_shows_when_it_was_last_used_and_one_that_was_refused_was_not() {
    on_both(|stage| async move {
        let used = stage.admin("POST /key/generate", json!({})).await;
        let blocked = stage.admin("POST /key/generate", json!({"blocked": true})).await;
        let text = |made: &Value, name: &str| made[name].as_str().expect("a text").to_string();
        assert_eq!(last_active(&stage, &text(&used, "token")).await, Value::Null);
        let before = jiff::Timestamp::now().to_string();
        assert_eq!(stage.chat(&text(&used, "key"), "m").await.status, 200);
        assert_eq!(stage.chat(&text(&blocked, "key"), "m").await.status, 401);
        let shown = last_active(&stage, &text(&used, "token")).await;
        let shown = shown.as_str().expect("a time");
        // To the millisecond, as the database has it.
        assert!(shown[..23] >= before[..23], "{shown} is not after {before}");
        assert_eq!(last_active(&stage, &text(&blocked, "token")).await, Value::Null);
    });
}

#[test]
fn the_last_use_of_a_key_is_not_written_by_its_request_and_survives_the_gateway() {
    isolated(|| async {
        let mut stage = Stage::start(Store::Sqlite).await;
        let made = stage.admin("POST /key/generate", json!({})).await;
        let (key, hash) = (made["key"].as_str().expect("a key"), made["token"].as_str().expect("a hash"));
        let database =
            Database::sqlite(&stage.gateway.data_dir().join("tollgate.db")).await.expect("the gateway made it");
        for _ in 0..3 {
            assert_eq!(stage.chat(key, "m").await.status, 200);
        }
        assert!(database.last_used(&[hash]).await.expect("an answer").is_empty(), "it is written once a minute");
        let shown = last_active(&stage, hash).await;
        assert!(shown.is_string());
        stage.gateway.restart().await;
        assert_eq!(last_active(&stage, hash).await, shown);
        assert_eq!(database.last_used(&[hash]).await.expect("an answer").len(), 1);
    });
}
