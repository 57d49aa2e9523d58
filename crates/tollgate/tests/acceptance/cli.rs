//! S31, S37 and config errors: the binary as people and containers start it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;
use tollgate_sim::{Sim, SimConfig};
use tollgate_store::database::Database;
use tollgate_store::usage::{SumQuestion, sums};

use crate::stage::{PROVIDER_KEY, Upstream, config, has};
use crate::support::client::run;
use crate::support::http::try_send;
use crate::support::{Run, isolated};

fn binary(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.current_dir(dir).env_clear().env("HOME", dir).env("PATH", format!("{}/bin:/usr/bin:/bin", dir.display()));
    command
}

fn folder(config_yaml: &str) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("config.yaml"), config_yaml).expect("the config can be written");
    dir
}

/// `tollgate serve` on a config that it must refuse.
pub async fn serve_file(config_yaml: &str, args: &[&str]) -> Run {
    let dir = folder(config_yaml);
    let mut command = binary(dir.path());
    command.args(["serve", "--port", "0", "--config", "config.yaml"]).args(args);
    run(command).await
}

async fn started(dir: &TempDir, args: &[&str], env: &[(&str, &str)]) -> Run {
    let mut command = binary(dir.path());
    command.args(args).envs(env.iter().copied());
    run(command).await
}

#[test]
fn s03_an_unknown_api_mode_is_a_config_error() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let config = config(&[Upstream::Chat.entry(&sim, "m", json!({"api_mode": "sometimes"}))]).to_string();
        let dir = folder(&config);
        let run = started(&dir, &["check", "config.yaml"], &[]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        has(&run.stderr, "model_list[0].litellm_params.api_mode");
    });
}

#[test]
fn s31_the_arguments_of_litellms_images_are_taken() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let config = config(&[Upstream::Chat.entry(&sim, "m", json!({}))]).to_string();
        for subcommand in [&["serve"][..], &[]] {
            let dir = folder(&config);
            let port = crate::support::gateway::free_port().to_string();
            let mut command = binary(dir.path());
            command.args(subcommand).args(["--config", "config.yaml", "--host", "0.0.0.0", "--port", &port]);
            command.args(["--num_workers", "2", "--detailed_debug"]).kill_on_drop(true);
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
            let mut child = command.spawn().expect("the gateway starts");
            let url = format!("http://127.0.0.1:{port}/health/liveliness");
            let alive = async {
                while crate::support::http::try_send(http::Method::GET, &url, &[], "").await.is_err() {
                    assert_eq!(child.try_wait().unwrap(), None, "the gateway ended");
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(20), alive).await.expect("it is ready");
        }
    });
}

#[test]
fn s31_without_a_master_key_the_gateway_listens_on_loopback_only_and_says_so() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let open = json!({"model_list": [Upstream::Chat.entry(&sim, "m", json!({}))]});
        for (config, listens) in [(open.clone(), "127.0.0.1"), (config(&[open["model_list"][0].clone()]), "0.0.0.0")] {
            let dir = folder(&config.to_string());
            let port = crate::support::gateway::free_port().to_string();
            let log = dir.path().join("log");
            let mut command = binary(dir.path());
            command.args(["--config", "config.yaml", "--host", "0.0.0.0", "--port", &port]).kill_on_drop(true);
            command.stderr(std::fs::File::create(&log).expect("a log"));
            let _gateway = command.spawn().expect("the gateway starts");
            let says = async {
                loop {
                    let said = std::fs::read_to_string(&log).expect("the log");
                    if said.contains("\"listening\"") {
                        return said;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            };
            let said = tokio::time::timeout(std::time::Duration::from_secs(20), says).await.expect("it listens");
            has(&said, &format!("http://{listens}:{port}"));
            assert_eq!(said.contains("general_settings.master_key"), listens == "127.0.0.1", "{said}");
        }
    });
}

#[test]
fn s31_a_change_that_loses_the_master_key_does_not_open_what_others_reach() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let models = json!([Upstream::Chat.entry(&sim, "m", json!({}))]);
        let with =
            |settings: serde_json::Value| json!({"model_list": models, "general_settings": settings}).to_string();
        let dir = folder(&with(json!({"master_key": crate::stage::MASTER_KEY})));
        let port = crate::support::gateway::free_port().to_string();
        let log = dir.path().join("log");
        let mut command = binary(dir.path());
        command.args(["--config", "config.yaml", "--host", "0.0.0.0", "--port", &port]).kill_on_drop(true);
        command.stderr(std::fs::File::create(&log).expect("a log"));
        let _gateway = command.spawn().expect("the gateway starts");
        let says = async |words: &str| {
            while !std::fs::read_to_string(&log).expect("the log").contains(words) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        let patience = std::time::Duration::from_secs(20);
        tokio::time::timeout(patience, says("\"listening\"")).await.expect("it listens");
        // A slip of the pen.
        std::fs::write(dir.path().join("config.yaml"), with(json!({"mater_key": "sk-other"}))).expect("a config");
        tokio::time::timeout(patience, says("the one before stays in force")).await.expect("it is told");
        let url = format!("http://127.0.0.1:{port}/v1/models");
        let answer = try_send(http::Method::GET, &url, &[], "").await.expect("an answer");
        assert_eq!(answer.status, 401, "{}", answer.text());
    });
}

#[test]
fn s31_an_unknown_flag_is_one_line_that_lists_the_flags_and_ends_with_2() {
    isolated(|| async {
        let dir = folder("");
        for args in
            [&["--telemetry"][..], &["serve", "--telemetry", "False"], &["--config", "config.yaml", "--gunicorn"]]
        {
            let run = started(&dir, args, &[]).await;
            assert_eq!(run.code, Some(2), "{run:?}");
            assert_eq!(run.stdout, "");
            assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
            has(&run.stderr, args.iter().find(|a| a.starts_with("--t") || a.starts_with("--g")).unwrap());
            for flag in ["--config", "--port", "--host", "--num_workers", "--detailed_debug"] {
                has(&run.stderr, flag);
            }
        }
        let run = started(&dir, &["--port", "many"], &[]).await;
        assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 1), "{run:?}");
    });
}

#[test]
fn a_mistake_on_the_command_line_is_a_line_that_says_what_is_missing_or_what_may_be_there() {
    isolated(|| async {
        let dir = folder("");
        for (args, words) in [
            (&["check"][..], "<CONFIG> is missing; usage: tollgate check [OPTIONS] <CONFIG>"),
            (&["run"], "<CLIENT> is missing"),
            (&["run", "claude", "-p", "hi"], "arguments of the client go behind `--`"),
            (&["run", "claud"], "it may be claude, codex, opencode, gemini"),
            (&["env", "claude", "--shell", "zsh"], "it may be bash, fish, powershell"),
            (&["key"], "create, list, show, update, revoke, block, unblock"),
            (&["usage"], "`tollgate usage` needs to be told what to do; export"),
            (&["chek", "config.yaml"], "did you mean `check`?"),
            (&["check", "config.yaml", "--verbose"], "flags: --json --help"),
            (&["key", "list", "--sise", "3"], "did you mean --size?"),
            (&["--port", "many"], "see `tollgate --help`"),
        ] {
            let run = started(&dir, args, &[]).await;
            assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{args:?}: {run:?}");
            assert_eq!(run.stderr.lines().count(), 1, "{args:?}: {run:?}");
            has(&run.stderr, words);
        }
    });
}

#[test]
fn without_a_configuration_or_with_a_broken_one_two_lines_say_what_to_do() {
    isolated(|| async {
        let dir = folder("model_list:\n  - {model_name: a, litellm_params: {model: opnai/a, api_key: k}}\n");
        for (args, words) in [
            (&["serve"][..], &["tollgate serve --config", "OPENROUTER_API_KEY", "tollgate demo"][..]),
            (&[], &["tollgate serve --config"]),
            (&["run", "claude"], &["tollgate serve --config"]),
            (&["serve", "--config", "nowhere.yaml"], &["nowhere.yaml", "check the path"]),
            (&["serve", "--config", "config.yaml"], &["config.yaml:2:", "did you mean `openai/"]),
        ] {
            let run = started(&dir, args, &[]).await;
            assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{args:?}: {run:?}");
            assert_eq!(run.stderr.lines().count(), 2, "{args:?}: {run:?}");
            for words in words {
                has(&run.stderr, words);
            }
        }
    });
}

/// A program called `claude` that writes down its environment and arguments, and calls the gateway once.
fn with_fake_claude(dir: &TempDir, exit_code: u8) -> PathBuf {
    let bin = dir.path().join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    let script = format!(
        r#"#!/bin/sh
env > "$HOME/environment"
printf '%s\n' "$@" > "$HOME/arguments"
curl -s --noproxy '*' "$ANTHROPIC_BASE_URL/v1/messages" -H "authorization: Bearer $ANTHROPIC_AUTH_TOKEN" \
  -H 'content-type: application/json' -o "$HOME/answer" \
  -d "{{\"model\":\"$ANTHROPIC_MODEL\",\"max_tokens\":10,\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]}}"
echo this is the client
exit {exit_code}
"#
    );
    let path = bin.join("claude");
    std::fs::write(&path, script).expect("a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("an executable script");
    path
}

const CONFLICTS: [&str; 6] = [
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "AWS_BEARER_TOKEN_BEDROCK",
];

/// Every variable by which Claude Code chooses a model for main, background and subagent calls.
const MODELS: [&str; 5] = [
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
];

#[test]
fn s37_run_claude_sets_every_variable_removes_what_conflicts_and_ends_with_the_clients_code() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY)).await;
        let mut priced = Upstream::Chat.entry(&sim, "kimi-k2.5", json!({}));
        priced["model_info"] = json!({"input_cost_per_token": 0.001, "output_cost_per_token": 0.002});
        let other = Upstream::Chat.entry(&sim, "other", json!({}));
        let dir = folder(&config(&[other, priced]).to_string());
        with_fake_claude(&dir, 42);
        let before: Vec<(&str, &str)> = CONFLICTS.iter().map(|name| (*name, "from before")).collect();
        let args =
            ["run", "claude", "--model", "kimi-k2.5", "--config", "config.yaml", "--", "-p", "two words", "--resume"];
        let run = started(&dir, &args, &before).await;

        assert_eq!(run.code, Some(42), "{run:?}");
        assert_eq!(run.stdout, "this is the client\n", "standard output is the client's alone");
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("the script wrote it");
        assert_eq!(read("arguments"), "-p\ntwo words\n--resume\n");
        let environment = read("environment");
        let get = |name: &str| environment.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        for name in MODELS {
            assert_eq!(get(name), Some("kimi-k2.5"), "{name}");
        }
        for name in CONFLICTS {
            assert_eq!(get(name), None, "{name}");
        }
        has(get("ANTHROPIC_BASE_URL").unwrap(), "http://127.0.0.1:");
        assert!(!get("ANTHROPIC_BASE_URL").unwrap().ends_with("/v1"));
        assert!(!environment.contains(PROVIDER_KEY), "the provider's key is none of the client's business");
        assert_ne!(get("ANTHROPIC_AUTH_TOKEN"), None);

        has(&read("answer"), "\"type\":\"message\"");
        let call: serde_json::Value = serde_json::from_str(&read("answer")).unwrap();
        let tokens = |name: &str| call["usage"][name].as_u64().unwrap();
        let cost = tokens("input_tokens") as f64 * 0.001 + tokens("output_tokens") as f64 * 0.002;
        has(&run.stderr, "1 requests");
        has(&run.stderr, &format!("cost ${}", format!("{cost:.6}").trim_end_matches('0')));
        assert_eq!(spent_of(&dir).await, (1, (cost * 1e9).round() as u64));
    });
}

/// Requests and nano-dollars in the ledger of the user's data directory, where nothing waits in a journal.
async fn spent_of(dir: &TempDir) -> (u64, u64) {
    let data = dir.path().join(".local/share/tollgate");
    assert_eq!(std::fs::read_dir(data.join("journal")).expect("the folder of journals").count(), 0);
    let database = Database::sqlite(&data.join("tollgate.db")).await.expect("a database");
    let question = SumQuestion { to_ms: u64::MAX, ..SumQuestion::default() };
    let lines = sums(&database, &jiff::tz::TimeZone::UTC, &question).await.expect("sums");
    (lines[0].sums.requests, lines[0].sums.cost_nanos)
}

#[test]
fn private_gateways_spend_beside_each_other_and_a_running_gateway_in_one_ledger() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY)).await;
        let mut priced = Upstream::Chat.entry(&sim, "kimi-k2.5", json!({}));
        priced["model_info"] = json!({"input_cost_per_token": 0.001, "output_cost_per_token": 0.002});
        let dir = folder(&config(&[priced]).to_string());
        with_fake_claude(&dir, 0);
        let port = crate::support::gateway::free_port().to_string();
        let mut gateway = binary(dir.path());
        gateway.args(["serve", "--port", &port, "--config", "config.yaml"]).kill_on_drop(true);
        let _gateway = gateway.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the gateway starts");
        let ready = format!("http://127.0.0.1:{port}/health/readiness");
        while try_send(http::Method::GET, &ready, &[], "").await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let args = ["run", "claude", "--config", "config.yaml"];
        // What is in somebody's shell is as likely the database of what they work on.
        let env = [("DATABASE_URL", "postgres://nobody@127.0.0.1:9/app")];
        let runs = futures_util::future::join_all((0..4).map(|_| started(&dir, &args, &env))).await;
        for run in &runs {
            assert_eq!(run.code, Some(0), "{run:?}");
            has(&run.stderr, "1 requests");
            assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
        }
        let data = dir.path().join(".local/share/tollgate");
        let database = Database::sqlite(&data.join("tollgate.db")).await.expect("a database");
        let (rows, checked): (i64, String) =
            sqlx::query_as("SELECT COUNT(*), (SELECT integrity_check FROM pragma_integrity_check) FROM ledger")
                .fetch_one(&database.pool)
                .await
                .expect("an answer");
        assert_eq!((rows, checked.as_str()), (4, "ok"));
    });
}

#[test]
fn s37_run_without_a_config_uses_the_running_gateway_that_is_named() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY)).await;
        let mut priced = Upstream::Chat.entry(&sim, "kimi-k2.5", json!({}));
        priced["model_info"] = json!({"input_cost_per_token": 0.001, "output_cost_per_token": 0.002});
        let gateway = crate::support::Gateway::start(&config(&[priced]).to_string(), &[]).await;
        let dir = folder("");
        with_fake_claude(&dir, 3);
        let url = gateway.url("");
        let env = [("TOLLGATE_BASE_URL", url.as_str()), ("TOLLGATE_API_KEY", crate::stage::MASTER_KEY)];
        let run = started(&dir, &["run", "claude", "--model", "kimi-k2.5"], &env).await;
        assert_eq!(run.code, Some(3), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
        let answer = std::fs::read(dir.path().join("answer")).expect("an answer");
        let usage = serde_json::from_slice::<serde_json::Value>(&answer).unwrap()["usage"].clone();
        let tokens = |name: &str| usage[name].as_u64().unwrap();
        let cost = tokens("input_tokens") as f64 * 0.001 + tokens("output_tokens") as f64 * 0.002;
        has(&run.stderr, &format!("cost ${}", format!("{cost:.6}").trim_end_matches('0')));
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("the script wrote it");
        has(&read("environment"), &format!("ANTHROPIC_BASE_URL={url}\n"));
        has(&read("answer"), "\"type\":\"message\"");
        assert_eq!(sim.requests().len(), 1);
    });
}

#[test]
fn s37_run_without_a_config_and_keys_finds_the_gateway_that_runs_in_its_usual_place() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY)).await;
        let dir = folder(&config(&[Upstream::Chat.entry(&sim, "kimi-k2.5", json!({}))]).to_string());
        with_fake_claude(&dir, 5);
        let mut gateway = binary(dir.path());
        gateway.args(["serve", "--config", "config.yaml"]).kill_on_drop(true);
        let _gateway = gateway.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the gateway starts");
        while try_send(http::Method::GET, "http://127.0.0.1:4000/", &[], "").await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let env = [("TOLLGATE_API_KEY", crate::stage::MASTER_KEY)];
        let run = started(&dir, &["run", "claude", "--model", "kimi-k2.5"], &env).await;
        assert_eq!(run.code, Some(5), "{run:?}");
        has(
            &std::fs::read_to_string(dir.path().join("environment")).unwrap(),
            "ANTHROPIC_BASE_URL=http://127.0.0.1:4000\n",
        );
        assert_eq!(sim.requests().len(), 1);
    });
}

#[test]
fn s37_run_says_in_a_line_what_is_wrong() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let dir = folder(&config(&[Upstream::Chat.entry(&sim, "kimi-k2.5", json!({}))]).to_string());
        let run = started(&dir, &["run", "claude", "--model", "kimi-k2.4", "--config", "config.yaml"], &[]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        has(&run.stderr, "kimi-k2.5");
        let run = started(&dir, &["run", "claude", "--config", "config.yaml"], &[]).await;
        assert_eq!(run.code, Some(1), "{run:?}");
        has(&run.stderr, "npm install -g @anthropic-ai/claude-code");
    });
}

/// Runs a script made by `tollgate env` in a real shell, and gives the environment that it leaves.
async fn evaluated(dir: &TempDir, script: &str) -> String {
    let mut shell = Command::new("/bin/bash");
    let script = format!("{script}\nenv");
    shell.args(["--noprofile", "--norc", "-c", &script]).current_dir(dir.path()).env_clear();
    shell.env("PATH", "/usr/bin:/bin").envs(CONFLICTS.iter().map(|name| (*name, "from before")));
    run(shell).await.stdout
}

#[test]
fn s37_env_claude_prints_lines_for_three_shells() {
    isolated(|| async {
        let dir = folder("");
        let with = [("TOLLGATE_API_KEY", "sk-it's"), ("TOLLGATE_BASE_URL", "http://127.0.0.1:4242")];
        let env = async |more: &[&str]| {
            let args = [&["env", "claude", "--model", "kimi-k2.5"], more].concat();
            let run = started(&dir, &args, &with).await;
            assert_eq!(run.code, Some(0), "{run:?}");
            run.stdout
        };
        let environment = evaluated(&dir, &env(&[]).await).await;
        let get = |name: &str| environment.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        assert_eq!(get("ANTHROPIC_BASE_URL"), Some("http://127.0.0.1:4242"));
        assert_eq!(get("ANTHROPIC_AUTH_TOKEN"), Some("sk-it's"));
        for name in MODELS {
            assert_eq!(get(name), Some("kimi-k2.5"), "{name}");
        }
        for name in CONFLICTS {
            assert_eq!(get(name), None, "{name}");
        }
        assert_eq!(env(&["--shell", "bash"]).await, env(&[]).await);
        let fish = env(&["--shell", "fish"]).await;
        has(&fish, "set -gx ANTHROPIC_AUTH_TOKEN 'sk-it\\'s'\n");
        has(&fish, "set -e ANTHROPIC_API_KEY\n");
        let powershell = env(&["--shell", "powershell"]).await;
        has(&powershell, "$env:ANTHROPIC_AUTH_TOKEN = 'sk-it''s'\n");
        has(&powershell, "Remove-Item Env:ANTHROPIC_API_KEY");
    });
}

#[test]
fn s37_env_claude_without_key_or_model_still_leads_to_the_gateway_and_says_what_is_missing() {
    isolated(|| async {
        let dir = folder("");
        let run = started(&dir, &["env", "claude"], &[]).await;
        assert_eq!(run.code, Some(0), "{run:?}");
        has(&run.stdout, "export ANTHROPIC_BASE_URL='http://127.0.0.1:4000'\n");
        has(&run.stdout, "export ANTHROPIC_AUTH_TOKEN='");
        assert!(!run.stdout.contains("ANTHROPIC_MODEL"), "{run:?}");
        has(&run.stderr, "set TOLLGATE_API_KEY");
    });
}
