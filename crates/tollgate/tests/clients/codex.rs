//! What Codex has beyond the session of `sessions.rs`: tools of MCP servers and subagents, which are in namespaces, and compaction.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Match, Step, Usage};

use crate::sessions::agents::CODEX;
use crate::stage::{MODEL, Stage, has, tools};
use crate::support::upstreams::Upstream;
use crate::support::{Run, installed, isolated};

const SUMMARY: &str = "SUMMARY-OF-ALL: a file was made.";

fn exec(id: &str, command: &str) -> Answer {
    Answer::tool(id, "exec_command", &json!({"cmd": command}))
}

async fn codex(stage: &Stage, prompt: &str, config: &[&str]) -> Run {
    let mut args = vec!["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"];
    args.extend(config.iter().flat_map(|line| ["-c", line]));
    args.push(prompt);
    CODEX.run(stage, &args).await
}

#[test]
fn codex_calls_tools_of_an_mcp_server_and_subagents_on_every_upstream_without_namespaces() {
    for upstream in [Upstream::Chat, Upstream::Messages, Upstream::Gemini] {
        isolated(move || async move {
            let stage = Stage::of(upstream, MODEL).await;
            let agents =
                Match { contains: Some("SUB-TASK".into()), lacks: Some("MAIN-TASK".into()), ..Match::default() };
            let wait = "for i in $(seq 90); do [ -e agent.txt ] && break; sleep 0.1; done; cat agent.txt";
            stage.sim.replace_script([
                Step::answer(exec("call_s", "echo from-the-agent > agent.txt")).when(agents.clone()),
                Step::text("The agent is done.").when(agents).always(),
                Step::answer(Answer::tool("call_1", "mcp__desk__measure", &json!({"text": "twelve chars"}))),
                Step::answer(Answer::tool("call_2", "multi_agent_v1__spawn_agent", &json!({"message": "SUB-TASK"}))),
                Step::answer(exec("call_3", wait)),
                // Once more, if it is told then only that the agent has ended.
                Step::text("All done.").always(),
            ]);
            let python = format!("mcp_servers.desk.command={}", json!(installed("venv/bin/python")));
            let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/mcp_server.py");
            let server = format!("mcp_servers.desk.args={}", json!([server]));
            let run = codex(&stage, "MAIN-TASK", &[&python, &server]).await;
            stage.all_went_well(&run);
            has(&run.stdout, "All done.");
            assert_eq!(stage.session.file("agent.txt").as_deref(), Some("from-the-agent\n"), "{run:?}");
            let calls: Vec<Value> = stage.calls().iter().map(|call| call.json()).collect();
            let last = calls.iter().map(Value::to_string).rfind(|call| call.contains("MAIN-TASK")).expect("a call");
            for result in ["12 characters", "agent_id", "from-the-agent"] {
                has(&last, result);
            }
        });
    }
}

#[test]
fn codex_compacts_a_long_session_by_a_model_of_another_dialect_and_goes_on() {
    isolated(|| async {
        let stage = Stage::of(Upstream::Messages, MODEL).await;
        let long = Usage::Exact(json!({"input_tokens": 90_000, "output_tokens": 10}));
        stage.play([exec("call_1", "echo LONG-AGO").usage(long), Answer::text(SUMMARY), Answer::text("Went on.")]);
        let limits = ["model_context_window=100000", "model_auto_compact_token_limit=50000"];
        let run = codex(&stage, "work", &limits).await;
        stage.all_went_well(&run);
        has(&run.stdout, "Went on.");
        assert_eq!(stage.calls().len(), 3);
        let last = stage.last_call();
        has(&last.to_string(), "SUMMARY-OF-ALL");
        assert!(!last["messages"].to_string().contains("LONG-AGO"), "the old turns are gone: {last}");
        assert!(tools(&last).contains(&"exec_command".to_owned()), "{last}");
    });
}

#[test]
fn codex_is_told_of_a_full_window_in_words_that_it_knows() {
    isolated(|| async {
        let stage = Stage::of(Upstream::Chat, MODEL).await;
        let words =
            "This model's maximum context length is 262144 tokens. However, your messages resulted in 270123 tokens.";
        let error = json!({"message": words, "type": "invalid_request_error", "param": null, "code": null});
        stage.sim.replace_script([
            Step::answer(exec("call_1", "echo LONG-AGO")),
            Step::json(400, &json!({"error": error})),
            Step::text(SUMMARY),
            Step::text("Went on."),
        ]);
        let run = codex(&stage, "work", &[]).await;
        has(&run.stderr, "ran out of room in the model's context window");
        assert_eq!(stage.calls().len(), 2, "the same again cannot help: {run:?}");
    });
}
