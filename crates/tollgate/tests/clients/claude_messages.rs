//! Claude Code on Claude, through the same-dialect lane: what the client says must arrive as it was said.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Ending, Faults, Match, MessagesStrictness, Part, SimConfig, Step, signature};

use crate::stage::{PDF, Stage, bash, has, mcp_config, messages, png, results, tools};
use crate::support::isolated;

/// As strict as Claude Sonnet 5.
async fn sonnet() -> Stage {
    let strict = MessagesStrictness {
        thinking_types: ["adaptive", "disabled"].map(str::to_owned).into(),
        refuses_prefill: true,
        refuses_sampling: true,
        ..MessagesStrictness::default()
    };
    Stage::messages(SimConfig::default().messages(strict)).await
}

fn thinks(thought: &str, then: Answer) -> Answer {
    let mut answer = Answer::thinking(thought);
    answer.parts.extend(then.parts);
    answer
}

/// All blocks of one type in the messages of a request.
fn blocks(body: &Value, kind: &str) -> Vec<Value> {
    let all = messages(body).iter().filter_map(|message| message["content"].as_array()).flatten();
    all.filter(|block| block["type"] == kind).cloned().collect()
}

#[test]
fn s36_a_session_with_tools_thoughts_and_parallel_calls_keeps_the_clients_words() {
    isolated(|| async {
        let stage = sonnet().await;
        let file = stage.path("made.txt");
        let parallel = bash("toolu_2", "echo one").and_tool("toolu_3", "Read", &json!({"file_path": file}));
        stage.play([
            thinks("THOUGHT-1", Answer::tool("toolu_1", "Write", &json!({"file_path": file, "content": "wörld ✓\n"}))),
            thinks("THOUGHT-2", parallel),
            Answer::text("Half."),
        ]);
        let run = stage.claude(&["-p", "go"]).await;
        stage.all_went_well(&run);
        assert_eq!(stage.session.file("made.txt").as_deref(), Some("wörld ✓\n"));
        stage.play([bash("toolu_4", "echo four"), Answer::text("Whole.")]);
        let run = stage.claude(&["-p", "go on", "--continue"]).await;
        stage.all_went_well(&run);
        assert_eq!(run.stdout.trim(), "Whole.");

        let body = stage.last_call();
        let thoughts = ["THOUGHT-1", "THOUGHT-2"];
        let thoughts = thoughts.map(|t| json!({"type": "thinking", "thinking": t, "signature": signature(t)}));
        assert_eq!(blocks(&body, "thinking"), thoughts);
        // The client sends the results of parallel calls in the order in which they end.
        let mut results = results(&body);
        results[1..3].sort();
        assert_eq!(results[1..], ["1\twörld ✓\n2\t", "one", "four"]);
        // What only Anthropic understands is there still.
        assert_eq!(body["thinking"]["type"], "adaptive");
        for name in ["context_management", "output_config", "metadata"] {
            assert!(body[name].is_object(), "{name}");
        }
        let call = stage.calls().pop().expect("a call");
        has(call.header("anthropic-beta").expect("betas"), "claude-code-20250219");
        assert!(body.to_string().contains("cache_control"));
    });
}

/// Only the marks of the cache move; without them each turn begins with the turn before.
#[test]
fn s13_every_turn_on_claude_begins_with_the_turn_before() {
    isolated(|| async {
        let stage = sonnet().await;
        stage.play([bash("toolu_1", "echo one"), bash("toolu_2", "echo two"), Answer::text("Half.")]);
        stage.all_went_well(&stage.claude(&["-p", "begin"]).await);
        stage.play([Answer::text("Whole.")]);
        stage.all_went_well(&stage.claude(&["-p", "go on", "--continue"]).await);
        let calls: Vec<Value> = stage.calls().iter().map(|call| unmarked(call.json())).collect();
        assert_eq!(calls.len(), 4);
        for (before, after) in calls.iter().zip(&calls[1..]) {
            assert_eq!(before["system"], after["system"]);
            assert_eq!(before["tools"], after["tools"]);
            let (before, after) = (messages(before), messages(after));
            let said = |message: &Value| (message["role"].clone(), crate::stage::text(&message["content"]));
            for (i, (a, b)) in before.iter().zip(after).enumerate() {
                assert_eq!(said(a), said(b), "message {i}");
            }
        }
    });
}

/// The request without the marks of the prompt cache.
fn unmarked(mut value: Value) -> Value {
    match &mut value {
        Value::Object(object) => {
            object.remove("cache_control");
            object.values_mut().for_each(|value| *value = unmarked(value.take()));
        }
        Value::Array(all) => all.iter_mut().for_each(|value| *value = unmarked(value.take())),
        _ => {}
    }
    value
}

#[test]
fn s36_mcp_tools_reach_claude_deferred_and_at_once() {
    isolated(|| async {
        let measure = "mcp__desk__measure";
        let stage = sonnet().await;
        let args = ["-p", "measure", "--strict-mcp-config", "--mcp-config", &mcp_config(&[])];
        stage.play([
            Answer::tool("toolu_1", "ToolSearch", &json!({"query": format!("select:{measure}"), "max_results": 5})),
            Answer::tool("toolu_2", measure, &json!({"text": "twelve chars"})),
            Answer::text("Twelve."),
        ]);
        stage.all_went_well(&stage.claude(&args).await);
        let body = stage.last_call();
        assert_eq!(results(&body)[1], "12 characters");
        has(&body.to_string(), "tool_reference");
        let found = body["tools"].as_array().and_then(|all| all.iter().find(|tool| tool["name"] == measure));
        assert_eq!(found.expect("the found tool")["defer_loading"], true);

        stage.play([Answer::tool("toolu_3", measure, &json!({"text": "four"})), Answer::text("Four.")]);
        stage.all_went_well(&stage.claude_with(&args, &[("ENABLE_TOOL_SEARCH", "false")]).await);
        assert!(tools(&stage.last_call()).contains(&measure.to_owned()));
        assert_eq!(stage.results(), ["4 characters"]);
    });
}

#[test]
fn s36_images_documents_and_plan_mode_go_through_as_they_are() {
    isolated(|| async {
        let stage = sonnet().await;
        stage.session.write("a.png", png());
        stage.session.write("a.pdf", PDF);
        stage.play([
            Answer::tool("toolu_1", "Read", &json!({"file_path": stage.path("a.png")})),
            Answer::tool("toolu_2", "Read", &json!({"file_path": stage.path("a.pdf")})),
            Answer::text("Planned."),
        ]);
        let run = stage.claude(&["-p", "plan", "--permission-mode", "plan"]).await;
        stage.all_went_well(&run);
        let body = stage.last_call();
        let results = blocks(&body, "tool_result");
        has(&results[0].to_string(), r#""media_type":"image/png""#);
        has(&results[1].to_string(), r#""media_type":"application/pdf""#);
        assert!(body["safeguards"].is_array(), "the server's check of dangerous tools is asked for");
    });
}

#[test]
fn s36_a_web_search_runs_at_anthropic() {
    isolated(|| async {
        let stage = sonnet().await;
        let searching = Match { contains: Some("web_search_20".to_owned()), ..Match::default() };
        let found = json!([{"type": "web_search_result", "title": "Rust", "url": "https://rust-lang.org",
            "encrypted_content": "abc", "page_age": null}]);
        let search = Answer::default()
            .and(Part::Block(json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "rust"}})))
            .and(Part::Block(json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": found})))
            .and_text("Rust is a language.");
        stage.sim.replace_script([
            Step::answer(search).when(searching),
            Step::answer(Answer::tool("toolu_1", "WebSearch", &json!({"query": "rust"}))),
            Step::text("Found."),
        ]);
        let run = stage.claude(&["-p", "search"]).await;
        stage.all_went_well(&run);
        assert_eq!(run.stdout.trim(), "Found.");
        has(&stage.results()[0], "https://rust-lang.org");
    });
}

#[test]
fn s36_a_full_window_and_a_cut_stream_end_well_on_claude() {
    isolated(|| async {
        let stage = sonnet().await;
        let full = json!({"type": "error", "error": {"type": "invalid_request_error",
            "message": "prompt is too long: 1050000 tokens > 1000000 maximum"}, "request_id": "req_sim"});
        let cut = Faults { cut_after: Some((6, Ending::Reset)), ..Faults::default() };
        stage.sim.replace_script([
            Step::answer(bash("toolu_1", "echo LONG-AGO")),
            Step::text(&"A text that is cut before its end. ".repeat(8)).faults(cut),
            Step::answer(bash("toolu_2", "echo more")),
            Step::json(400, &full),
            Step::text("<analysis>short</analysis>\n<summary>\nSUMMARY-OF-ALL\n</summary>"),
            Step::text("Went on."),
        ]);
        let run = stage.claude(&["-p", "work"]).await;
        stage.nothing_was_refused(&run);
        assert_eq!(run.stdout.trim(), "Went on.");
        has(&stage.last_call().to_string(), "SUMMARY-OF-ALL");
        assert_eq!(stage.calls().len(), 6);
    });
}

#[test]
fn s36_the_context_report_counts_for_claude_too() {
    isolated(|| async {
        let stage = sonnet().await;
        let run = stage.claude(&["-p", "/context"]).await;
        stage.all_went_well(&run);
        let counted = stage.log().into_iter().filter(|(path, ..)| path.ends_with("/count_tokens")).count();
        assert!(counted >= 10, "{counted} counts: {run:?}");
        assert_eq!(stage.calls().len(), 0, "counting costs no model call");
    });
}
