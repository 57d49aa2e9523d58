//! Who may do what.

use serde_json::{Value, json};

use crate::stage::{Stage, on_both};

async fn status(stage: &Stage, key: &str, request: &str, body: Value) -> u16 {
    stage.call(key, request, &body).await.status.as_u16()
}

/// A user in a role, with a key.
async fn user(stage: &Stage, id: &str, role: &str) -> String {
    let made = stage.admin("POST /user/new", json!({"user_id": id, "user_role": role})).await;
    made["key"].as_str().expect("a key").to_string()
}

#[test]
fn a_user_makes_and_sees_its_own_keys_and_nobody_elses() {
    on_both(|stage| async move {
        let (ada, bob) = (user(&stage, "ada", "internal_user").await, user(&stage, "bob", "internal_user").await);
        let made = stage.ok(&ada, "POST /key/generate", json!({"max_budget": 5})).await;
        assert_eq!(made["user_id"], "ada");
        let own = made["key"].as_str().expect("a key").to_string();
        let list = stage.ok(&ada, "GET /key/list?return_full_object=true", Value::Null).await;
        assert_eq!(list["total_count"], 2, "{list}");
        assert_eq!(status(&stage, &ada, &format!("GET /key/info?key={own}"), Value::Null).await, 200);
        assert_eq!(status(&stage, &bob, &format!("GET /key/info?key={own}"), Value::Null).await, 403);
        assert_eq!(status(&stage, &bob, "POST /key/delete", json!({"keys": [own]})).await, 403);
        assert_eq!(status(&stage, &bob, "POST /key/generate", json!({"user_id": "ada"})).await, 403);
        assert_eq!(status(&stage, &ada, "GET /user/info?user_id=bob", Value::Null).await, 403);
        assert_eq!(status(&stage, &ada, "GET /user/info", Value::Null).await, 200);
        // What it set itself it may change; what an administrator set it may not.
        assert_eq!(status(&stage, &ada, "POST /key/update", json!({"key": own, "max_budget": 9})).await, 200);
        let given = stage.key(json!({"user_id": "ada", "max_budget": 1})).await;
        assert_eq!(status(&stage, &ada, "POST /key/update", json!({"key": given, "max_budget": null})).await, 403);
        assert_eq!(status(&stage, &ada, "POST /key/update", json!({"key": given, "key_alias": "mine"})).await, 200);
        assert_eq!(status(&stage, &ada, "POST /key/update", json!({"key": own, "spend": 0})).await, 403);
        stage.admin("POST /key/block", json!({"key": given})).await;
        assert_eq!(status(&stage, &ada, "POST /key/unblock", json!({"key": given})).await, 403);
        assert_eq!(status(&stage, &ada, "POST /key/delete", json!({"keys": [own]})).await, 200);
    });
}

#[test]
fn an_admin_of_a_team_has_its_members_and_keys_and_leaves_its_limits_alone() {
    on_both(|stage| async move {
        let (lead, member) =
            (user(&stage, "lead", "internal_user").await, user(&stage, "member", "internal_user").await);
        let members = json!([{"role": "admin", "user_id": "lead"}, {"role": "user", "user_id": "member"}]);
        stage.admin("POST /team/new", json!({"team_id": "t", "max_budget": 100, "members_with_roles": members})).await;
        let own = stage.ok(&lead, "POST /key/generate", json!({"team_id": "t"})).await;
        assert_eq!(own["user_id"], "lead");
        let of_team = json!({"team_id": "t", "user_id": "member"});
        let made = stage.ok(&lead, "POST /key/generate", of_team.clone()).await;
        assert_eq!(status(&stage, &lead, "POST /key/update", json!({"key": made["key"], "max_budget": 3})).await, 200);
        let add = json!({"team_id": "t", "member": {"role": "user", "user_id": "new"}});
        assert_eq!(status(&stage, &member, "POST /team/member_add", add.clone()).await, 403);
        assert_eq!(status(&stage, &lead, "POST /team/member_add", add).await, 200);
        assert_eq!(
            status(&stage, &lead, "POST /team/update", json!({"team_id": "t", "metadata": {"a": 1}})).await,
            200
        );
        assert_eq!(status(&stage, &lead, "POST /team/update", json!({"team_id": "t", "max_budget": null})).await, 403);
        // Members make keys where the team lets them.
        assert_eq!(status(&stage, &member, "POST /key/generate", of_team.clone()).await, 403);
        let permissions = json!({"team_id": "t", "team_member_permissions": ["/key/generate"]});
        assert_eq!(status(&stage, &lead, "POST /team/permissions_update", permissions).await, 200);
        assert_eq!(status(&stage, &member, "POST /key/generate", of_team).await, 200);
        assert_eq!(status(&stage, &member, "GET /team/info?team_id=t", Value::Null).await, 200);
        let stranger = user(&stage, "stranger", "internal_user").await;
        assert_eq!(status(&stage, &stranger, "GET /team/info?team_id=t", Value::Null).await, 403);
        assert_eq!(stage.ok(&stranger, "GET /team/list", Value::Null).await, json!([]));
    });
}

#[test]
fn viewers_see_and_change_nothing_and_keys_of_a_type_reach_only_its_paths() {
    on_both(|stage| async move {
        let viewer = user(&stage, "viewer", "proxy_admin_viewer").await;
        for read in ["GET /key/list", "GET /user/list", "GET /team/list", "GET /budget/list", "GET /customer/list"] {
            assert_eq!(status(&stage, &viewer, read, Value::Null).await, 200, "{read}");
        }
        for change in
            ["POST /key/generate", "POST /team/new", "POST /user/new", "POST /budget/new", "POST /customer/new"]
        {
            assert_eq!(status(&stage, &viewer, change, json!({"user_id": "x"})).await, 403, "{change}");
        }
        let admin = user(&stage, "root", "proxy_admin").await;
        assert_eq!(status(&stage, &admin, "POST /team/new", json!({})).await, 200);
        for (key_type, calls, manages) in [("llm_api", 200, 403), ("management", 403, 200), ("default", 200, 200)] {
            let made = stage.key(json!({"user_id": "root", "key_type": key_type})).await;
            assert_eq!(stage.chat(&made, "m").await.status.as_u16(), calls, "{key_type}");
            assert_eq!(status(&stage, &made, "POST /team/new", json!({})).await, manages, "{key_type}");
        }
        for nobody in ["GET /budget/list", "GET /customer/list", "GET /user/list"] {
            let ada = user(&stage, &format!("ada{}", nobody.len()), "internal_user").await;
            assert_eq!(status(&stage, &ada, nobody, Value::Null).await, 403, "{nobody}");
        }
    });
}
