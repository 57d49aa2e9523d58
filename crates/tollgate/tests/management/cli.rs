//! `tollgate key|team|user|budget`, `backup` and `restore`, with a gateway that runs.

use serde_json::Value;

use crate::postgres;
use crate::stage::{Stage, Store};
use crate::support::isolated;
use crate::support::stage::{MASTER_KEY, has};

pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub async fn run(env: &[(&str, &str)], args: &[&str]) -> Ran {
    let done = tokio::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .await
        .expect("the command runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: done.status.code().unwrap_or(-1), out: text(done.stdout), err: text(done.stderr) }
}

pub async fn ok(stage: &Stage, args: &[&str]) -> String {
    let url = stage.gateway.url("");
    let ran = run(&[("TOLLGATE_URL", &url), ("TOLLGATE_MASTER_KEY", MASTER_KEY)], args).await;
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    ran.out
}

#[test]
fn keys_are_made_listed_shown_changed_blocked_and_revoked_from_the_command_line() {
    isolated(|| async {
        let stage = Stage::start(Store::Sqlite).await;
        let made =
            ok(&stage, &["key", "create", "--alias", "ada", "--max-budget", "20", "--budget-duration", "30d"]).await;
        let key = made.trim();
        assert!(key.starts_with("sk-") && made.lines().count() == 1, "{made}");
        assert_eq!(stage.chat(key, "m").await.status, 402, "a request needs more than 20 dollars");
        ok(&stage, &["key", "update", key, "--max-budget", "none"]).await;
        assert_eq!(stage.chat(key, "m").await.status, 200);
        let list = ok(&stage, &["key", "list"]).await;
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines.len(), 2, "{list}");
        assert!(lines[0].starts_with("NAME") && lines[1].contains("ada") && !list.contains(key), "{list}");
        let shown = ok(&stage, &["key", "show", key]).await;
        has(&shown, "key_alias");
        assert!(!shown.contains(key), "{shown}");
        ok(&stage, &["key", "block", key]).await;
        assert_eq!(stage.chat(key, "m").await.status, 401);
        ok(&stage, &["key", "unblock", key]).await;
        assert_eq!(stage.chat(key, "m").await.status, 200);
        let json: Value = serde_json::from_str(&ok(&stage, &["key", "list", "--json"]).await).expect("JSON");
        assert_eq!(json["total_count"], 1);
        assert_eq!(ok(&stage, &["key", "revoke", key]).await, "1 key deleted\n");
        assert_eq!(ok(&stage, &["key", "list"]).await, "no keys\n");
    });
}

#[test]
fn teams_users_and_budgets_are_managed_from_the_command_line() {
    isolated(|| async {
        let stage = Stage::start(Store::Sqlite).await;
        ok(&stage, &["team", "create", "--id", "t", "--alias", "Core", "--models", "m,other"]).await;
        has(&ok(&stage, &["team", "list"]).await, "Core");
        has(&ok(&stage, &["team", "update", "t", "--models", "none", "--set", "tags=[\"a\"]"]).await, "[\"a\"]");
        ok(&stage, &["user", "create", "--id", "u", "--email", "u@example.com", "--role", "internal_user"]).await;
        has(&ok(&stage, &["user", "show", "u"]).await, "u@example.com");
        ok(&stage, &["budget", "create", "--id", "b", "--max-budget", "5"]).await;
        has(&ok(&stage, &["budget", "show", "b"]).await, "5.0");
        for args in [["budget", "revoke", "b"], ["user", "delete", "u"], ["team", "revoke", "t"]] {
            ok(&stage, &args).await;
        }
        assert_eq!(ok(&stage, &["budget", "list"]).await, "no budgets\n");
    });
}

#[test]
fn errors_of_the_command_line_say_what_to_do() {
    isolated(|| async {
        let stage = Stage::start(Store::Sqlite).await;
        let url = stage.gateway.url("");
        let key = [("TOLLGATE_URL", url.as_str()), ("TOLLGATE_MASTER_KEY", MASTER_KEY)];
        let nowhere = [("TOLLGATE_URL", "http://127.0.0.1:9"), ("TOLLGATE_MASTER_KEY", MASTER_KEY)];
        let no_key = [("TOLLGATE_URL", url.as_str())];
        for (env, args, code, words) in [
            (&key[..], &["key", "show", "sk-nothing"][..], 1, "there is no such key"),
            (&key, &["key", "create", "--max-budget", "much"], 1, "max_budget: must be a number of dollars"),
            (&key, &["key", "create", "--set", "x"], 2, "write NAME=VALUE"),
            (&key, &["budget", "block", "b"], 2, "--max-budget 0"),
            (&key, &["key", "dance"], 2, "dance"),
            (&nowhere, &["key", "list"], 1, "start one with `tollgate serve`"),
            (&no_key, &["key", "list"], 1, "--key or TOLLGATE_MASTER_KEY"),
        ] {
            let ran = run(env, args).await;
            assert_eq!(ran.code, code, "{args:?}: {}", ran.err);
            has(&ran.err, words);
            assert!(ran.err.lines().count() <= 2 && ran.out.is_empty(), "{args:?}: {}{}", ran.out, ran.err);
        }
    });
}

#[test]
fn a_backup_is_made_while_the_gateway_runs_and_restored_when_it_does_not() {
    isolated(|| async {
        let mut stage = Stage::start(Store::Sqlite).await;
        let key = stage.key(serde_json::json!({"key_alias": "kept"})).await;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("backup.db");
        let (file, data) = (file.to_str().expect("a path"), stage.gateway.data_dir());
        let data = data.to_str().expect("a path");
        let made = run(&[], &["backup", file, "--data-dir", data]).await;
        assert_eq!((made.code, made.err.as_str()), (0, ""));
        stage.admin("POST /key/delete", serde_json::json!({"keys": [key]})).await;
        let refused = run(&[], &["restore", file, "--data-dir", data]).await;
        assert_eq!(refused.code, 1, "{}", refused.out);
        has(&refused.err, "stop the gateway first");
        stage.gateway.stop().await;
        let restored = run(&[], &["restore", file, "--data-dir", data]).await;
        assert_eq!((restored.code, restored.err.as_str()), (0, ""));
        stage.gateway.restart_stopped().await;
        assert_eq!(stage.chat(&key, "m").await.status, 200);
    });
}

#[test]
fn a_litellms_database_is_taken_over_its_keys_keep_working_and_have_spent_what_they_had() {
    isolated(|| async {
        let stage = Stage::start(Store::Sqlite).await;
        let litellm = postgres::new_database();
        let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/../tollgate-store/tests/contract/imports/litellm.sql");
        postgres::run_file(&litellm, std::path::Path::new(schema));
        let data = stage.gateway.data_dir();
        let args = ["import", "litellm", "--database-url", &litellm, "--data-dir", data.to_str().expect("a path")];
        let dry = run(&[], &[&args[..], &["--dry-run"]].concat()).await;
        assert_eq!(dry.code, 0, "{}", dry.err);
        has(&dry.out, "would be taken over");
        assert_eq!(stage.chat("sk-plain", "m").await.status, 401);
        // The second time changes nothing.
        for words in ["taken over", "there already"] {
            let done = run(&[], &args).await;
            assert_eq!(done.code, 0, "{}", done.err);
            has(&done.out, words);
        }
        let works = async {
            while stage.chat("sk-plain", "m").await.status != 200 {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), works).await.expect("the key works");
        let info = stage.admin("GET /key/list?key_alias=ci&return_full_object=true", Value::Null).await;
        assert_eq!(info["keys"][0]["spend"], 0.3, "{info}");
        assert_eq!(info["keys"][0]["team_id"], "team");
        let nothing =
            run(&[], &["import", "litellm", "--database-url", &postgres::new_database(), "--data-dir", args[5]]).await;
        assert_eq!(nothing.code, 1);
        has(&nothing.err, "none of LiteLLM's tables");
    });
}
