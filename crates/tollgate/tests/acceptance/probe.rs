//! `tollgate probe` against providers of several characters.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tollgate_sim::{Answer, ChatStrictness, Match, MessagesStrictness, Rule, Sim, SimConfig, Step};
use tollgate_store::database::Database;
use tollgate_store::usage::{By, SumQuestion, sums};

use crate::stage::{PROVIDER_KEY, Upstream, config, has, merged};
use crate::support::client::run;
use crate::support::{Run, isolated};

fn folder(models: &[Value]) -> TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(dir.path().join("config.yaml"), config(models).to_string()).expect("the config can be written");
    dir
}

async fn probe(dir: &Path, model: &str, args: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.current_dir(dir).env_clear().env("HOME", dir).env("PATH", "/usr/bin:/bin");
    command.args(["probe", model, "--config", "config.yaml", "--data-dir", "data"]).args(args);
    run(command).await
}

async fn as_json(dir: &Path, model: &str, args: &[&str]) -> Value {
    let run = probe(dir, model, &[&["--json"], args].concat()).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {run:?}"))
}

/// The finding for an ability, and what was repaired for it.
#[track_caller]
fn finding(report: &Value, ability: &str) -> (String, Vec<String>) {
    let findings = report["deployments"][0]["findings"].as_array().expect("findings");
    let found = findings.iter().find(|f| f["ability"] == ability).unwrap_or_else(|| panic!("no {ability} in {report}"));
    let repairs =
        found["repairs"].as_array().expect("repairs").iter().map(|r| r.as_str().expect("a name").to_owned()).collect();
    (found["finding"].as_str().expect("a finding").to_owned(), repairs)
}

#[track_caller]
fn repaired(report: &Value, ability: &str, by: &[&str]) {
    assert_eq!(
        finding(report, ability),
        ("repaired".into(), by.iter().map(|s| (*s).to_owned()).collect()),
        "{ability} in {report:#}"
    );
}

/// Calls the tool where one has to be called.
fn model() -> SimConfig {
    let forced = |contains: &str| {
        let when =
            Match { contains: Some(contains.into()), lacks: Some(r#"{"type":"auto"}"#.into()), ..Match::default() };
        Step::answer(Answer::tool("call_1", "note", &json!({"word": "ok"}))).when(when).always()
    };
    let steps = [forced(r#""tool_choice":{"#), forced(r#""tool_choice":"required""#)];
    SimConfig::default().key(PROVIDER_KEY).steps(steps)
}

fn quirky() -> SimConfig {
    let strict = ChatStrictness {
        requires_max_completion_tokens: true,
        max_tokens_cap: Some(16_384),
        stream_only_above: Some(4096),
        leading_system_only: false,
        ..ChatStrictness::default()
    };
    let last_is_assistant =
        |b: &Value| b["messages"].as_array().is_some_and(|m| m.last().is_some_and(|m| m["role"] == "assistant"));
    model()
        .chat(strict)
        .rule(Rule::new(
            400,
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
            move |b, _| last_is_assistant(b),
        ))
        .rule(Rule::new(
            400,
            "Invalid tool_choice type: 'object'. Supported string values: none, auto, required",
            |b, _| b["tool_choice"].is_object(),
        ))
        .rule(Rule::new(404, "No endpoints found that support image input", |b, _| b.to_string().contains("image_url")))
        .rule(Rule::new(400, "This response_format type is unavailable now", |b, _| {
            b["response_format"]["type"] == "json_schema"
        }))
}

#[test]
fn a_plain_provider_is_found_to_take_everything_in_twelve_calls() {
    isolated(|| async {
        let sim = Sim::start(model()).await;
        let dir = folder(&[Upstream::Chat.entry(&sim, "m", json!({"reasoning": "effort"}))]);
        let report = as_json(dir.path(), "m", &[]).await;
        for ability in [
            "answer",
            "stream with usage",
            "largest answer",
            "tools",
            "forced tool",
            "prefill",
            "images",
            "answer by schema",
        ] {
            assert_eq!(finding(&report, ability), ("yes".into(), vec![]), "{ability} in {report:#}");
        }
        // The scripted model never thinks.
        assert_eq!(finding(&report, "thinking").0, "unclear");
        assert_eq!(report["deployments"][0]["requests"], 12);
        assert_eq!(sim.requests().len(), 12);
        assert_eq!(report["saved"], Value::Null);
        assert!(!dir.path().join("data/learned.json").exists());
        assert_eq!(report["deployments"][0]["profile"]["model_info"]["supports_vision"], true);
    });
}

#[test]
fn a_quirky_chat_provider_is_described_kept_and_can_be_pasted() {
    isolated(|| async {
        let sim = Sim::start(quirky()).await;
        let entry = Upstream::Chat.entry(&sim, "m", json!({"reasoning": "effort"}));
        let dir = folder(std::slice::from_ref(&entry));
        let report = as_json(dir.path(), "m", &[]).await;
        repaired(&report, "answer", &["max_completion_tokens"]);
        repaired(&report, "largest answer", &["max_tokens_cap"]);
        repaired(&report, "large answer in one piece", &["max_tokens_requires_stream"]);
        repaired(&report, "forced tool", &["tool_choice_named"]);
        repaired(&report, "prefill", &["prefill"]);
        repaired(&report, "images", &["images"]);
        repaired(&report, "answer by schema", &["response_format"]);
        let evidence = report["deployments"][0]["findings"][6]["evidence"].as_str().unwrap();
        has(evidence, "400: Expected last role User or Tool");
        // 12 calls, and one more for each of the seven repairs.
        assert_eq!(report["deployments"][0]["requests"], 19);
        assert_eq!(sim.requests().len(), 19);
        has(report["saved"].as_str().unwrap(), "learned.json");

        // Remembered: a second probe needs no repair.
        let before = sim.requests().len();
        let again = as_json(dir.path(), "m", &[]).await;
        assert_eq!(sim.requests().len(), before + 12, "{again:#}");

        // The profile says the same in a configuration without any memory.
        let profile = &report["deployments"][0]["profile"];
        assert_eq!(profile["litellm_params"]["max_output_tokens"], 16_384);
        let mut pasted = entry;
        pasted["litellm_params"] = merged(pasted["litellm_params"].clone(), profile["litellm_params"].clone());
        pasted["model_info"] = profile["model_info"].clone();
        let other = folder(&[pasted]);
        let before = sim.requests().len();
        let run = probe(other.path(), "m", &["--dry-run"]).await;
        assert_eq!(run.code, Some(0), "{run:?}");
        assert!(!run.stderr.contains("config.yaml:"), "the configuration is good: {}", run.stderr);
        assert_eq!(sim.requests().len(), before + 12, "{}", run.stdout);
    });
}

#[test]
fn what_a_messages_layer_refuses_is_found_in_its_own_words() {
    isolated(|| async {
        let strict = MessagesStrictness {
            thinking_types: vec!["enabled".into(), "disabled".into()],
            refuses_prefill: true,
            refuses_system_messages: true,
            max_tokens_cap: 8192,
            ..MessagesStrictness::default()
        };
        let sim =
            model().messages(strict).rule(Rule::new(400, "tools.0.type: Extra inputs are not permitted", |b, _| {
                b.to_string().contains(r#""custom""#)
            }));
        let sim = Sim::start(sim).await;
        let params =
            json!({"model": "anthropic/some-layer", "quirks": {"messages": {"mid_system": true, "betas": true}}});
        let dir = folder(&[Upstream::Messages.entry(&sim, "m", params)]);
        let report = as_json(dir.path(), "m", &[]).await;
        repaired(&report, "largest answer", &["max_tokens_cap"]);
        repaired(&report, "tools", &["tools.type"]);
        repaired(&report, "prefill", &["prefill"]);
        repaired(&report, "later system message", &["mid_system"]);
        assert_eq!(finding(&report, "thinking").1, ["thinking.adaptive"]);
        assert_eq!(finding(&report, "forced tool").0, "yes");
        assert_eq!(report["deployments"][0]["profile"]["model_info"]["supports_assistant_prefill"], false);
    });
}

#[test]
fn people_get_a_table_and_pipes_no_progress() {
    isolated(|| async {
        let sim = Sim::start(quirky()).await;
        let entry = |id: &str| {
            let mut entry = Upstream::Chat.entry(&sim, "m", json!({}));
            entry["model_info"] = json!({"id": id});
            entry
        };
        let dir = folder(&[entry("one"), entry("two")]);
        let run = probe(dir.path(), "m", &[]).await;
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_eq!(
            run.stderr,
            "m: 2 deployments, 24 small calls in all, and up to 6 more for each that has to be repaired\n"
        );
        assert_eq!(run.stdout.matches("m → openai_like/x @ http://127.0.0.1").count(), 2, "{}", run.stdout);
        has(&run.stdout, "repaired: prefill");
        has(&run.stdout, "max_output_tokens: 16384");
        has(&run.stdout, "data/learned.json");
        assert!(!run.stdout.contains(PROVIDER_KEY));
        let kept = std::fs::read_to_string(dir.path().join("data/learned.json")).unwrap();
        has(&kept, "one x");
        has(&kept, "two x");
    });
}

#[test]
fn what_a_probe_costs_is_in_the_ledger_of_the_data_directory_unless_nothing_is_to_be_kept() {
    isolated(|| async {
        let sim = Sim::start(model()).await;
        let prices = json!({"input_cost_per_token": 0.001, "output_cost_per_token": 0.001});
        let dir = folder(&[Upstream::Chat.entry(&sim, "m", prices)]);
        as_json(dir.path(), "m", &["--dry-run"]).await;
        assert!(!dir.path().join("data").exists());
        as_json(dir.path(), "m", &[]).await;
        let answered = sim.requests().iter().filter(|request| request.refused.is_none()).count() / 2;
        let database = Database::sqlite(&dir.path().join("data/tollgate.db")).await.expect("a database");
        let sum = SumQuestion { to_ms: u64::MAX, by: vec![By::Tag], ..SumQuestion::default() };
        let lines = sums(&database, &jiff::tz::TimeZone::UTC, &sum).await.expect("sums");
        assert_eq!((lines.len(), lines[0].of[0].as_str()), (1, "tollgate-probe"));
        let sums = lines[0].sums;
        assert_eq!(sums.requests, answered as u64);
        // A tenth of a cent for each token.
        let input = sums.input_tokens + sums.cache_read_tokens;
        assert_eq!(sums.cost_nanos, 1_000_000 * (input + sums.output_tokens));
        assert!(input > 10 * sums.requests, "{sums:?}");
        let left = std::fs::read_dir(dir.path().join("data/journal")).expect("the folder of journals").count();
        assert_eq!(left, 0, "all of it is in the database");
    });
}

#[test]
fn a_provider_that_gives_no_answer_is_asked_once() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key("another key")).await;
        let dir = folder(&[Upstream::Chat.entry(&sim, "m", json!({}))]);
        let run = probe(dir.path(), "m", &[]).await;
        assert_eq!(run.code, Some(1), "{run:?}");
        has(&run.stdout, "401: Incorrect API key provided.");
        assert_eq!(sim.requests().len(), 1);
    });
}

#[test]
fn nothing_is_sent_for_an_unknown_model_or_without_a_key() {
    isolated(|| async {
        let sim = Sim::start(model()).await;
        let dir = folder(&[Upstream::Chat.entry(&sim, "kimi-k2.5", json!({}))]);
        let run = probe(dir.path(), "kimi-k2", &[]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        has(&run.stderr, "did you mean kimi-k2.5");
        let dir =
            folder(&[Upstream::Chat.entry(&sim, "m", json!({"model": "deepseek/x", "api_key": "os.environ/NOT_SET"}))]);
        let run = probe(dir.path(), "m", &[]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        has(&run.stderr, "NOT_SET");
        // A provider that may be used without a key, but not where one is named.
        let named = json!({"model": "openai/x", "api_key": "os.environ/NOT_SET"});
        let dir = folder(&[Upstream::Chat.entry(&sim, "m", named)]);
        let run = probe(dir.path(), "m", &[]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        has(&run.stderr, "NOT_SET");
        has(&run.stderr, "nothing was sent");
        assert_eq!(sim.requests().len(), 0);
    });
}

#[test]
fn a_dry_run_keeps_nothing() {
    isolated(|| async {
        let sim = Sim::start(quirky()).await;
        let dir = folder(&[Upstream::Chat.entry(&sim, "m", json!({}))]);
        let run = probe(dir.path(), "m", &["--dry-run"]).await;
        assert_eq!(run.code, Some(0), "{run:?}");
        has(&run.stdout, "nothing was kept (--dry-run)");
        assert!(!dir.path().join("data").exists());
    });
}
