//! What was spent, as LiteLLM's documentation asks for it (cost_tracking, seen 2026-11-26).

use serde_json::{Value, json};

use crate::stage::{Stage, on_both};

/// A user's key in a team with an alias, after two requests of 15 dollars to `m`, one of them for a customer.
pub async fn used(stage: &Stage) -> (String, String) {
    stage.admin("POST /team/new", json!({"team_id": "t", "team_alias": "Prod Team"})).await;
    stage.admin("POST /user/new", json!({"user_id": "ishaan", "auto_create_key": false})).await;
    let made = stage.admin("POST /key/generate", json!({"team_id": "t", "user_id": "ishaan"})).await;
    let text = |name: &str| made[name].as_str().expect("a text").to_string();
    let (key, hash) = (text("key"), text("token"));
    let body = |more: Value| {
        let body = json!({"model": "m", "max_tokens": 20, "messages": [{"role": "user", "content": "hello"}]});
        crate::support::stage::merged(body, more)
    };
    for more in [json!({}), json!({"user": "palantir", "metadata": {"tags": ["jobID:1"]}})] {
        stage.ok(&key, "POST /v1/chat/completions", body(more)).await;
    }
    for _ in 0..200 {
        let spent = stage.admin(&format!("GET /key/info?key={hash}"), Value::Null).await["info"]["spend"].clone();
        let logs = stage.admin(&format!("GET /spend/logs?api_key={hash}"), Value::Null).await;
        if spent == json!(30.0) && logs.as_array().is_some_and(|rows| rows.len() == 2) {
            return (key, hash);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the requests are not in the ledger:\n{}", stage.gateway.log());
}

const RANGE: &str = "start_date=2026-01-01&end_date=2036-12-31";

#[test]
fn every_request_is_a_row_with_litellms_fields() {
    on_both(|stage| async move {
        let (key, hash) = used(&stage).await;
        let rows = stage.admin(&format!("GET /spend/logs?api_key={key}"), Value::Null).await;
        let row = &rows[0];
        for (field, wanted) in [
            ("api_key", json!(hash)),
            ("user", json!("ishaan")),
            ("team_id", json!("t")),
            ("end_user", json!("palantir")),
            ("request_tags", json!(["jobID:1"])),
            ("model_group", json!("m")),
            ("model", json!("x")),
            ("spend", json!(15.0)),
            ("prompt_tokens", json!(10)),
            ("completion_tokens", json!(5)),
            ("total_tokens", json!(15)),
            ("status", json!("success")),
        ] {
            assert_eq!(row[field], wanted, "{field} in {row}");
        }
        let id = row["request_id"].as_str().expect("an id");
        let one = stage.admin(&format!("GET /spend/logs?request_id={id}"), Value::Null).await;
        assert_eq!(one, json!([row]));
        let page =
            stage.admin(&format!("GET /spend/logs/v2?{RANGE}&page=2&page_size=1&status=success"), Value::Null).await;
        assert_eq!((&page["total"], &page["total_pages"], &page["page"]), (&json!(2), &json!(2), &json!(2)));
        assert_eq!(page["data"].as_array().map(Vec::len), Some(1));
        assert_ne!(page["data"][0]["request_id"], row["request_id"]);
        let days = stage.admin(&format!("GET /spend/logs?{RANGE}"), Value::Null).await;
        assert_eq!(days[0]["spend"], 30.0);
        assert_eq!((&days[0]["users"], &days[0]["models"]), (&json!({"ishaan": 30.0}), &json!({"m": 30.0})));
        // Another user sees nothing of it, its own user does.
        let other = stage.admin("POST /user/new", json!({"user_id": "other"})).await;
        let other = other["key"].as_str().expect("a key");
        assert_eq!(stage.ok(other, "GET /spend/logs", Value::Null).await, json!([]));
        assert_eq!(stage.ok(other, &format!("GET /spend/logs?request_id={id}"), Value::Null).await, json!([]));
        assert_eq!(stage.call(other, &format!("GET /spend/logs?api_key={hash}"), &Value::Null).await.status, 403);
        assert_eq!(stage.call(other, "GET /spend/logs?user_id=ishaan", &Value::Null).await.status, 403);
    });
}

#[test]
fn reports_say_what_teams_customers_keys_and_users_spent() {
    on_both(|stage| async move {
        let (_, hash) = used(&stage).await;
        let report =
            async |query: &str| stage.admin(&format!("GET /global/spend/report?{RANGE}&{query}"), Value::Null).await;
        let teams = report("group_by=team").await;
        let detail = json!({"model": "m", "spend": 30.0, "total_tokens": 30, "api_key": hash});
        assert_eq!(teams[0]["teams"][0]["team_name"], "Prod Team");
        assert_eq!(teams[0]["teams"][0]["total_spend"], 30.0);
        assert_eq!(teams[0]["teams"][0]["metadata"], json!([detail]));
        assert!(teams[0]["group_by_day"].as_str().is_some_and(|day| day.ends_with("T00:00:00+00:00")), "{teams}");
        let customers = report("group_by=customer").await;
        let palantir =
            customers[0]["customers"].as_array().and_then(|all| all.iter().find(|one| one["customer"] == "palantir"));
        assert_eq!(palantir.map(|one| &one["total_spend"]), Some(&json!(15.0)), "{customers}");
        let details = json!([{"model": "m", "total_cost": 30.0, "total_input_tokens": 20, "total_output_tokens": 10}]);
        for query in [format!("api_key={hash}"), "internal_user_id=ishaan".to_string(), "group_by=api_key".to_string()]
        {
            let keys = report(&query).await;
            assert_eq!(keys[0]["api_key"], hash, "{query}: {keys}");
            assert_eq!((&keys[0]["total_cost"], &keys[0]["model_details"]), (&json!(30.0), &details), "{query}");
        }
        let global = stage.admin("GET /global/spend", Value::Null).await;
        assert_eq!(global, json!({"spend": 30.0, "max_budget": null}));
        let tags = stage.admin(&format!("GET /spend/tags?{RANGE}"), Value::Null).await;
        assert_eq!(tags, json!([{"individual_request_tag": "jobID:1", "log_count": 1, "total_spend": 15.0}]));
    });
}

#[test]
fn days_are_broken_down_by_model_provider_key_and_whoever_is_asked_for() {
    on_both(|stage| async move {
        let (key, hash) = used(&stage).await;
        let range = "start_date=2026-01-01&end_date=2036-12-31";
        let metrics = json!({
            "spend": 30.0, "prompt_tokens": 20, "completion_tokens": 10, "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0, "total_tokens": 30, "successful_requests": 2, "failed_requests": 0,
            "api_requests": 2,
        });
        for (path, entity) in [("/user/daily/activity", "ishaan"), ("/team/daily/activity", "t")] {
            let answer = stage.admin(&format!("GET {path}?{range}"), Value::Null).await;
            let day = &answer["results"][0];
            assert_eq!(day["metrics"], metrics, "{path}");
            for (part, of) in [
                ("models", "x"),
                ("model_groups", "m"),
                ("providers", "openai"),
                ("api_keys", hash.as_str()),
                ("entities", entity),
            ] {
                assert_eq!(day["breakdown"][part][of]["metrics"], metrics, "{path}: {part} in {day}");
            }
            assert_eq!(answer["metadata"]["total_spend"], 30.0);
            assert_eq!(answer["metadata"]["total_api_requests"], 2);
            assert_eq!((&answer["metadata"]["page"], &answer["metadata"]["has_more"]), (&json!(1), &json!(false)));
        }
        let tags = stage.admin(&format!("GET /tag/daily/activity?{range}"), Value::Null).await;
        assert_eq!(tags["results"][0]["breakdown"]["entities"]["jobID:1"]["metrics"]["spend"], 15.0);
        let own = stage.ok(&key, &format!("GET /user/daily/activity?{range}"), Value::Null).await;
        assert_eq!(own["metadata"]["total_spend"], 30.0);
        assert_eq!(stage.call(&key, &format!("GET /tag/daily/activity?{range}"), &Value::Null).await.status, 403);
    });
}

#[test]
fn all_that_keys_and_teams_spent_is_set_back_and_the_rows_stay() {
    on_both(|stage| async move {
        let (_, hash) = used(&stage).await;
        let answer = stage.admin("POST /global/spend/reset", Value::Null).await;
        assert_eq!(
            answer,
            json!({"message": "Spend for all API Keys and Teams reset successfully", "status": "success"})
        );
        let key = stage.admin(&format!("GET /key/info?key={hash}"), Value::Null).await;
        assert_eq!(key["info"]["spend"], 0.0);
        assert_eq!(stage.admin("GET /team/info?team_id=t", Value::Null).await["team_info"]["spend"], 0.0);
        let rows = stage.admin(&format!("GET /spend/logs?api_key={hash}"), Value::Null).await;
        assert_eq!(rows.as_array().map(Vec::len), Some(2));
    });
}
