//! A limit, once set, can be removed.

use serde_json::{Value, json};

use crate::stage::{Stage, on_both};

/// A key of the scope, the request that changes the scope, the row where it is read, and a field of limits.
struct Case {
    key: Value,
    update: &'static str,
    named: Value,
    read: &'static str,
    at: &'static str,
}

async fn scopes(stage: &Stage) -> Vec<Case> {
    stage.admin("POST /team/new", json!({"team_id": "t"})).await;
    stage.admin("POST /user/new", json!({"user_id": "u", "auto_create_key": false})).await;
    stage.admin("POST /budget/new", json!({"budget_id": "b"})).await;
    stage.admin("POST /organization/new", json!({"organization_id": "o"})).await;
    let case = |key, update, named, read, at| Case { key, update, named, read, at };
    vec![
        case(
            json!({"team_id": "t"}),
            "POST /team/update",
            json!({"team_id": "t"}),
            "GET /team/info?team_id=t",
            "/team_info",
        ),
        case(
            json!({"user_id": "u"}),
            "POST /user/update",
            json!({"user_id": "u"}),
            "GET /user/info?user_id=u",
            "/user_info",
        ),
        case(json!({"budget_id": "b"}), "POST /budget/update", json!({"budget_id": "b"}), "GET /budget/list", "/0"),
        case(
            json!({"organization_id": "o"}),
            "PATCH /organization/update",
            json!({"organization_id": "o"}),
            "GET /organization/info?organization_id=o",
            "",
        ),
    ]
}

fn with(mut fields: Value, more: Value) -> Value {
    fields.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
    fields
}

#[test]
fn s30_a_budget_that_is_set_blocks_and_null_frees_at_once_for_keys_teams_users_organisations_and_named_budgets() {
    on_both(|stage| async move {
        let mut cases = scopes(&stage).await;
        let key = stage.key(json!({"key_alias": "own"})).await;
        cases.push(Case {
            key: Value::String(key.clone()),
            update: "POST /key/update",
            named: json!({"key": key}),
            read: "GET /key/list?key_alias=own&return_full_object=true",
            at: "/keys/0",
        });
        for case in cases {
            let key = match &case.key {
                Value::String(key) => key.clone(),
                fields => stage.key(fields.clone()).await,
            };
            let what = case.update;
            assert_eq!(stage.chat(&key, "m").await.status, 200, "{what}");
            for (set, cleared) in [
                (
                    json!({"max_budget": 1, "budget_duration": "30d"}),
                    json!({"max_budget": null, "budget_duration": null}),
                ),
                (json!({"budget_limits": [{"max_budget": 1, "budget_duration": "1d"}]}), json!({"budget_limits": []})),
                (json!({"model_max_budget": {"m": {"max_budget": 1}}}), json!({"model_max_budget": null})),
                (json!({"rpd_limit": 0}), json!({"rpd_limit": null})),
            ] {
                stage.admin(case.update, with(case.named.clone(), set.clone())).await;
                let blocked = stage.chat(&key, "m").await;
                assert!(
                    [402, 429].contains(&blocked.status.as_u16()),
                    "{what} {set}: {} {}",
                    blocked.status,
                    blocked.text()
                );
                // What the request does not name stays.
                stage.admin(case.update, with(case.named.clone(), json!({"metadata": {"a": 1}}))).await;
                assert_ne!(stage.chat(&key, "m").await.status, 200, "{what} {set}");
                stage.admin(case.update, with(case.named.clone(), cleared.clone())).await;
                let row = stage.admin(case.read, Value::Null).await;
                for field in cleared.as_object().expect("fields").keys() {
                    let shown = row.pointer(&format!("{}/{field}", case.at));
                    let none = [json!(null), json!([]), json!({})];
                    assert!(shown.is_some_and(|shown| none.contains(shown)), "{what} {field}: {shown:?} in {row}");
                }
                let free = stage.chat(&key, "m").await;
                assert_eq!(free.status, 200, "{what} {cleared}: {}", free.text());
            }
        }
    });
}

#[test]
fn s30_null_and_an_empty_list_open_the_models_again() {
    on_both(|stage| async move {
        let key = stage.key(json!({"models": ["other"]})).await;
        for open in [json!(null), json!([])] {
            stage.admin("POST /key/update", json!({"key": key, "models": ["other"]})).await;
            assert_eq!(stage.chat(&key, "m").await.status, 403);
            stage.admin("POST /key/update", json!({"key": key, "models": open})).await;
            assert_eq!(stage.chat(&key, "m").await.status, 200);
        }
    });
}

#[test]
fn what_a_key_spent_is_shown_and_set_back_and_then_it_may_spend_again() {
    on_both(|stage| async move {
        // 15 tokens at a dollar each.
        let key = stage.key(json!({"max_budget": 100})).await;
        let mut answered = 0;
        while stage.chat(&key, "m").await.status == 200 {
            answered += 1;
            assert!(answered < 7, "the budget holds");
        }
        assert!(answered > 0);
        assert_eq!(stage.chat(&key, "m").await.status, 402);
        let read = format!("GET /key/info?key={key}");
        let shown = async || stage.admin(&read, Value::Null).await["info"]["spend"].clone();
        for _ in 0..200 {
            if shown().await == json!(15.0 * f64::from(answered)) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(shown().await, json!(15.0 * f64::from(answered)));
        stage.admin("POST /key/update", json!({"key": key, "spend": 0})).await;
        assert_eq!(shown().await, json!(0.0));
        // A gateway that was told that nothing is left believes it for a second.
        for _ in 0..200 {
            if stage.chat(&key, "m").await.status == 200 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("the key may not spend again");
    });
}

#[test]
fn s30_budgets_of_members_and_customers_block_and_null_frees() {
    on_both(|stage| async move {
        stage.admin("POST /team/new", json!({"team_id": "t", "members": ["u"]})).await;
        let key = stage.key(json!({"team_id": "t", "user_id": "u"})).await;
        let member = |budget: Value| json!({"team_id": "t", "user_id": "u", "max_budget_in_team": budget});
        let customer = |budget: Value| json!({"user_id": "c", "max_budget": budget});
        stage.admin("POST /customer/new", json!({"user_id": "c"})).await;
        let body =
            json!({"model": "m", "max_tokens": 20, "user": "c", "messages": [{"role": "user", "content": "hello"}]});
        let ask = async || stage.call(&key, "POST /v1/chat/completions", &body).await.status.as_u16();
        assert_eq!(ask().await, 200);
        for (update, fields) in
            [("POST /team/member_update", &member as &dyn Fn(Value) -> Value), ("POST /customer/update", &customer)]
        {
            stage.admin(update, fields(json!(1))).await;
            assert_eq!(ask().await, 402, "{update}");
            let freed = stage.admin(update, fields(Value::Null)).await;
            assert_eq!(freed["max_budget"], Value::Null, "{freed}");
            assert_eq!(ask().await, 200, "{update}");
        }
    });
}
