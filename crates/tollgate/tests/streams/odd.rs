//! Every odd stream that "compatible" servers send, as an Anthropic client sees it: one table, each row also in tiny pieces.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Arguments, Faults, Finish, Part, Piece, Step, Thinking, ToolCall, ToolDeltas, Usage};

use crate::chat_checker;
use crate::checker::{self, Block, text, thinking, tool};
use crate::stage::{Setup, Stage, ask, ask_chat};

pub struct Case {
    pub name: &'static str,
    pub step: Step,
    pub blocks: Vec<Block>,
    pub stop: &'static str,
}

impl Case {
    fn new(name: &'static str, step: Step, blocks: Vec<Block>, stop: &'static str) -> Self {
        Case { name, step, blocks, stop }
    }
}

/// A stream of exactly these frames.
fn frames(frames: &[&str]) -> Step {
    Step::sse(frames.iter().map(|frame| Piece::text(frame)).collect())
}

/// A stream of these chunks of one choice each, as `(delta, finish_reason)`, with its end marker.
pub fn deltas(deltas: &[(Value, Value)]) -> Step {
    let chunk = |(delta, finish): &(Value, Value)| {
        Piece::text(&data(&json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})))
    };
    Step::sse(deltas.iter().map(chunk).chain([Piece::text("data: [DONE]\n\n")]).collect())
}

fn data(chunk: &Value) -> String {
    format!("data: {chunk}\n\n")
}

/// One tool call in these deltas, each the content of `tool_calls`.
fn calls(pieces: &[Value], finish: &str) -> Step {
    let pieces = pieces.iter().map(|piece| (json!({"tool_calls": piece}), Value::Null));
    deltas(&pieces.chain([(json!({}), json!(finish))]).collect::<Vec<_>>())
}

fn hello() -> Answer {
    Answer::text("Hello, wörld 🦀!")
}

fn with(faults: Faults) -> Step {
    Step::answer(hello()).faults(faults)
}

fn two_calls() -> Answer {
    Answer::default()
        .and_text("Two things.")
        .and_tool("call_1", "Bash", &json!({"command": "ls -l /tmp \"x\""}))
        .and_tool("call_2", "Bash", &json!({"command": "pwd\n"}))
}

fn two_blocks(first: &str, second: &str) -> Vec<Block> {
    vec![
        text("Two things."),
        tool(first, "Bash", &json!({"command": "ls -l /tmp \"x\""})),
        tool(second, "Bash", &json!({"command": "pwd\n"})),
    ]
}

fn arguments(arguments: Arguments) -> Step {
    let call = ToolCall { id: "call_1".into(), name: "Bash".into(), arguments };
    Step::answer(Answer::default().and(Part::Tool(call)))
}

fn one_call(input: &Value) -> Vec<Block> {
    vec![tool("call_1", "Bash", input)]
}

fn framing() -> Vec<Case> {
    let said = || vec![text("Hello, wörld 🦀!")];
    let faults = Faults::default;
    vec![
        Case::new("plain", with(faults()), said(), "end_turn"),
        Case::new(
            "comments as keep-alive",
            with(Faults { comment: Some("OPENROUTER PROCESSING".into()), ..faults() }),
            said(),
            "end_turn",
        ),
        Case::new("CRLF", with(Faults { crlf: true, ..faults() }), said(), "end_turn"),
        Case::new("data: without a space", with(Faults { no_space: true, ..faults() }), said(), "end_turn"),
        Case::new("no [DONE]", with(Faults { no_end_marker: true, ..faults() }), said(), "end_turn"),
        Case::new(
            "CRLF, comments and no space at once",
            with(Faults { crlf: true, no_space: true, comment: Some("ping".into()), ..faults() }),
            said(),
            "end_turn",
        ),
        Case::new(
            "a byte order mark, ids, retries, event names and data in several lines",
            frames(&[
                "\u{feff}id: 1\nretry: 5\nevent: message\ndata: {\"id\":\"c1\",\"choices\":[{\"delta\":\ndata: {\"content\":\"Hello\"}}]}\n\n",
                "\n\n\n",
                "data: {\"id\":\"c1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
            ]),
            vec![text("Hello")],
            "end_turn",
        ),
        Case::new(
            "the last frame has no blank line after it",
            frames(&[
                "data: {\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n",
                "data: {\"id\":\"c1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}",
            ]),
            vec![text("Hello")],
            "end_turn",
        ),
        Case::new("usage in every chunk", Step::answer(hello().usage(Usage::EveryChunk)), said(), "end_turn"),
        Case::new("usage on the finish chunk", Step::answer(hello().usage(Usage::OnFinish)), said(), "end_turn"),
    ]
}

fn chunks() -> Vec<Case> {
    let end = || (json!({}), json!("stop"));
    vec![
        Case::new(
            "empty and odd chunks between",
            frames(&[
                &data(&json!({"id": "", "choices": [], "prompt_filter_results": []})),
                &data(
                    &json!({"id": "c1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": null, "refusal": null}}]}),
                ),
                &data(
                    &json!({"id": "c1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel", "tool_calls": []}}]}),
                ),
                &data(&json!({"id": "c1", "choices": [{"index": 0, "delta": {}}], "error": null, "usage": null})),
                &data(
                    &json!({"id": "c1", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "lo", "tool_calls": null}}]}),
                ),
                &data(&json!({"id": "c1", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": ""}]})),
                &data(&json!({"id": "c1", "choices": [{"index": 0, "delta": null, "finish_reason": "stop"}]})),
                &data(&json!({"id": "c1", "choices": null, "usage": {"prompt_tokens": 3, "completion_tokens": 2}})),
                "data: [DONE]\n\n",
            ]),
            vec![text("Hello")],
            "end_turn",
        ),
        Case::new(
            "`message` in place of `delta`",
            frames(&[
                &data(
                    &json!({"id": "c1", "choices": [{"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}),
                ),
                "data: [DONE]\n\n",
            ]),
            vec![text("Hello")],
            "end_turn",
        ),
        Case::new(
            "content as a list of parts, as Mistral sends it",
            deltas(&[
                (
                    json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]}),
                    Value::Null,
                ),
                (json!({"content": [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo"}]}), Value::Null),
                end(),
            ]),
            vec![thinking("Hm."), text("Hello")],
            "end_turn",
        ),
        Case::new(
            "reasoning_content",
            Step::answer(Answer::thinking("Let me think.").and_text("Done.")),
            vec![thinking("Let me think."), text("Done.")],
            "end_turn",
        ),
        Case::new(
            "reasoning",
            Step::answer(Answer::thinking("Let me think.").and_text("Done.").thinking_as(Thinking::Reasoning)),
            vec![thinking("Let me think."), text("Done.")],
            "end_turn",
        ),
        Case::new(
            "reasoning beside reasoning_details",
            Step::answer(Answer::thinking("Let me think.").and_text("Done.").thinking_as(Thinking::Details)),
            vec![thinking("Let me think."), text("Done.")],
            "end_turn",
        ),
        Case::new(
            "reasoning again after text",
            deltas(&[
                (json!({"reasoning_content": "One."}), Value::Null),
                (json!({"content": "A"}), Value::Null),
                (json!({"reasoning_content": "Two."}), Value::Null),
                (json!({"content": "B"}), Value::Null),
                end(),
            ]),
            vec![thinking("One."), text("A"), thinking("Two."), text("B")],
            "end_turn",
        ),
        Case::new(
            "a refusal",
            deltas(&[(json!({"refusal": "I will "}), Value::Null), (json!({"refusal": "not."}), Value::Null), end()]),
            vec![text("I will not.")],
            "end_turn",
        ),
    ]
}

fn tool_calls() -> Vec<Case> {
    let input = || json!({"command": "ls"});
    let form = |deltas| Step::answer(two_calls().tool_deltas(deltas));
    let known = || two_blocks("call_1", "call_2");
    let head = json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "Bash", "arguments": ""}});
    let more = |text: &str| json!([{"index": 0, "function": {"arguments": text}}]);
    vec![
        Case::new("calls in pieces", form(ToolDeltas::Pieces), known(), "tool_use"),
        Case::new("parallel calls interleaved", form(ToolDeltas::Interleaved), known(), "tool_use"),
        Case::new("calls without an index", form(ToolDeltas::NoIndex), known(), "tool_use"),
        Case::new("id and name with every piece", form(ToolDeltas::Repeated), known(), "tool_use"),
        Case::new("each call in one chunk", form(ToolDeltas::Whole), known(), "tool_use"),
        Case::new("arguments as an object", arguments(Arguments::Object(input())), one_call(&input()), "tool_use"),
        Case::new("arguments null", arguments(Arguments::Null), one_call(&json!({})), "tool_use"),
        Case::new("arguments missing", arguments(Arguments::Missing), one_call(&json!({})), "tool_use"),
        Case::new("arguments empty", arguments(Arguments::Text(String::new())), one_call(&json!({})), "tool_use"),
        Case::new(
            "arguments encoded twice",
            arguments(Arguments::Text(Value::String(input().to_string()).to_string())),
            one_call(&input()),
            "tool_use",
        ),
        Case::new(
            "finish_reason stop with a call",
            Step::answer(Answer::tool("call_1", "Bash", &input()).finish(Finish::Given("stop".into()))),
            one_call(&input()),
            "tool_use",
        ),
        Case::new(
            "finish_reason empty with a call, as xAI sends it",
            Step::answer(Answer::tool("call_1", "Bash", &input()).finish(Finish::Given(String::new()))),
            one_call(&input()),
            "tool_use",
        ),
        Case::new(
            "finish_reason tool_calls without a call",
            Step::answer(Answer::text("No call.").finish(Finish::Given("tool_calls".into()))),
            vec![text("No call.")],
            "end_turn",
        ),
        Case::new(
            "index null",
            calls(
                &[
                    json!([{"index": null, "id": "call_1", "function": {"name": "Bash", "arguments": "{\"command\":"}}]),
                    json!([{"index": null, "function": {"arguments": "\"ls\"}"}}]),
                ],
                "tool_calls",
            ),
            one_call(&input()),
            "tool_use",
        ),
        Case::new(
            "a call that is not in a list",
            calls(
                &[
                    json!({"index": 0, "id": "call_1", "function": {"name": "Bash", "arguments": "{\"command\":\"ls\"}"}}),
                ],
                "tool_calls",
            ),
            one_call(&input()),
            "tool_use",
        ),
        Case::new(
            "index counts from 1",
            calls(
                &[
                    json!([{"index": 1, "id": "call_1", "function": {"name": "Bash", "arguments": "{\"command\":\"ls\"}"}}]),
                ],
                "tool_calls",
            ),
            one_call(&input()),
            "tool_use",
        ),
        Case::new(
            "the id comes after the arguments began",
            calls(
                &[
                    json!([{"index": 0, "function": {"name": "Bash", "arguments": ""}}]),
                    json!([{"index": 0, "id": "call_1", "function": {"arguments": "{\"command\":\"ls\"}"}}]),
                ],
                "tool_calls",
            ),
            one_call(&input()),
            "tool_use",
        ),
        Case::new(
            "an id that is empty after the first piece",
            calls(
                &[
                    json!([head]),
                    json!([{"index": 0, "id": "", "function": {"name": "", "arguments": "{\"command\":\"ls\"}"}}]),
                ],
                "tool_calls",
            ),
            one_call(&input()),
            "tool_use",
        ),
        Case::new(
            "two calls of one index with ids of their own",
            calls(
                &[
                    json!([{"index": 0, "id": "call_1", "function": {"name": "Bash", "arguments": "{\"command\":\"ls\"}"}}]),
                    json!([{"index": 0, "id": "call_2", "function": {"name": "Bash", "arguments": "{\"command\":\"ls\"}"}}]),
                ],
                "tool_calls",
            ),
            vec![tool("call_1", "Bash", &input()), tool("call_2", "Bash", &input())],
            "tool_use",
        ),
        Case::new(
            "text after a call",
            deltas(&[
                (
                    json!({"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "Bash", "arguments": "{\"command\":\"ls\"}"}}]}),
                    Value::Null,
                ),
                (json!({"content": "So."}), Value::Null),
                (json!({}), json!("tool_calls")),
            ]),
            vec![tool("call_1", "Bash", &input()), text("So.")],
            "tool_use",
        ),
        Case::new(
            "blank text around a call",
            deltas(&[
                (json!({"content": ""}), Value::Null),
                (json!({"content": "", "tool_calls": [head]}), Value::Null),
                (json!({"content": null, "tool_calls": more("{\"command\":")}), Value::Null),
                (json!({"content": "", "tool_calls": more("\"ls\"}")}), Value::Null),
                (json!({"content": ""}), json!("tool_calls")),
            ]),
            one_call(&input()),
            "tool_use",
        ),
        Case::new(
            "function_call, the form before tool_calls",
            deltas(&[
                (json!({"function_call": {"name": "Bash", "arguments": "{\"command\":"}}), Value::Null),
                (json!({"function_call": {"arguments": "\"ls\"}"}}), Value::Null),
                (json!({}), json!("function_call")),
            ]),
            vec![tool("", "Bash", &input())],
            "tool_use",
        ),
        Case::new(
            "a name in two pieces",
            calls(
                &[
                    json!([{"index": 0, "id": "call_1", "type": "function", "function": {"name": "Ba"}}]),
                    json!([{"index": 0, "function": {"name": "sh"}}]),
                    more("{\"command\":\"ls\"}"),
                ],
                "tool_calls",
            ),
            one_call(&input()),
            "tool_use",
        ),
        Case::new(
            "one id for two calls",
            calls(
                &[
                    json!([{"index": 0, "id": "call_1", "function": {"name": "Bash", "arguments": "{\"command\":\"ls\"}"}}]),
                    json!([{"index": 1, "id": "call_1", "function": {"name": "Bash", "arguments": "{\"command\":\"ls\"}"}}]),
                ],
                "tool_calls",
            ),
            vec![tool("call_1", "Bash", &input()), tool("call_1-u1", "Bash", &input())],
            "tool_use",
        ),
        Case::new(
            "the finish reason beside the last piece, and again",
            deltas(&[
                (json!({"tool_calls": [head]}), Value::Null),
                (json!({"tool_calls": more("{\"command\":\"ls\"}")}), json!("tool_calls")),
                (json!({}), json!("tool_calls")),
            ]),
            one_call(&input()),
            "tool_use",
        ),
        Case::new(
            "the last piece after the finish reason",
            deltas(&[
                (json!({"tool_calls": [head]}), json!("tool_calls")),
                (json!({"tool_calls": more("{\"command\":\"ls\"}")}), Value::Null),
            ]),
            one_call(&input()),
            "tool_use",
        ),
        Case::new("no ids", form(ToolDeltas::NoId), two_blocks("", ""), "tool_use"),
        Case::new("empty ids", form(ToolDeltas::EmptyId), two_blocks("", ""), "tool_use"),
    ]
}

fn finishes() -> Vec<Case> {
    let reasons = [
        ("stop", "end_turn"),
        ("eos", "end_turn"),
        ("stop_sequence", "end_turn"),
        ("COMPLETE", "end_turn"),
        ("length", "max_tokens"),
        ("model_length", "max_tokens"),
        ("MAX_TOKENS", "max_tokens"),
        ("content_filter", "refusal"),
        ("sensitive", "refusal"),
        ("something_new", "end_turn"),
    ];
    let case = |(reason, stop)| {
        let answer = Answer::text("So far.").finish(Finish::Given(String::from(reason)));
        Case::new(reason, Step::answer(answer), vec![text("So far.")], stop)
    };
    reasons.into_iter().map(case).collect()
}

pub fn all() -> Vec<Case> {
    [framing(), chunks(), tool_calls(), finishes()].into_iter().flatten().collect()
}

/// Made-up ids are any, but none is empty and no two are equal: the checker and this see to it.
fn same(name: &str, got: &[Block], expected: &[Block]) {
    let mut ids: Vec<&str> = Vec::new();
    let mut nameless = got.to_vec();
    for (block, (got, expected)) in nameless.iter_mut().zip(got.iter().zip(expected)) {
        if let (Block::Tool { id: given, .. }, Block::Tool { id, .. }, Block::Tool { id: wanted, .. }) =
            (block, got, expected)
        {
            assert!(!ids.contains(&id.as_str()), "{name}: {id} twice");
            ids.push(id);
            if wanted.is_empty() {
                given.clear();
            }
        }
    }
    assert_eq!(nameless, expected, "{name}");
}

fn texts(blocks: &[Block]) -> String {
    let texts = blocks.iter().filter_map(|block| match block {
        Block::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

/// The pieces that the upstream's bytes come in: whole frames, a fixed number of bytes, or sizes drawn from a seed.
fn cuts() -> Vec<Faults> {
    let fixed = [None, Some(1), Some(7), Some(64)].map(|split_bytes| Faults { split_bytes, ..Faults::default() });
    let drawn = [1, 20_261_121, u64::MAX].map(|seed| Faults { split_seed: Some(seed), ..Faults::default() });
    fixed.into_iter().chain(drawn).collect()
}

async fn each_in_every_cut(stage: &Stage, check: impl AsyncFn(&Case, &Stage)) {
    for cut in cuts() {
        for mut case in all() {
            case.step.faults.split_bytes = cut.split_bytes;
            case.step.faults.split_seed = cut.split_seed;
            stage.sim.replace_script([case.step.clone().always()]);
            check(&case, stage).await;
        }
    }
}

#[test]
fn an_anthropic_client_gets_a_valid_stream_from_every_odd_one() {
    Setup::default().play(|stage| async move {
        each_in_every_cut(&stage, async |case, stage| {
            let answer = stage.messages(&ask(true)).await;
            assert_eq!(answer.status, 200, "{}: {}", case.name, answer.text());
            let seen = checker::stream(&answer.body);
            same(case.name, &seen.whole().blocks, &case.blocks);
            assert_eq!(seen.stop_reason.as_deref(), Some(case.stop), "{}", case.name);
        })
        .await;
    });
}

#[test]
fn an_anthropic_client_that_wants_one_piece_gets_the_same_from_an_upstream_that_only_streams() {
    let setup = Setup { params: &["force_stream: always"], ..Setup::default() };
    setup.play(|stage| async move {
        for case in all() {
            stage.sim.replace_script([case.step.clone().always()]);
            let answer = stage.messages(&ask(false)).await;
            assert_eq!(answer.status, 200, "{}: {}", case.name, answer.text());
            let seen = checker::message(&answer.json());
            same(case.name, &seen.blocks, &case.blocks);
            assert_eq!(seen.stop_reason.as_deref(), Some(case.stop), "{}", case.name);
        }
    });
}

/// Text and complete arguments reach a chat client as well; the upstream's own frames go on as they came.
#[test]
fn a_chat_client_gets_every_odd_stream_of_a_chat_upstream() {
    Setup::default().play(|stage| async move {
        each_in_every_cut(&stage, async |case, stage| {
            let answer = stage.chat(&ask_chat(true)).await;
            assert_eq!(answer.status, 200, "{}: {}", case.name, answer.text());
            let seen = chat_checker::lenient(&answer.body);
            assert!(seen.error.is_none(), "{}: {}", case.name, answer.text());
            assert!(seen.done || seen.finish.is_some(), "{}: {}", case.name, answer.text());
            assert_eq!(format!("{}{}", seen.text, seen.refusal), texts(&case.blocks), "{}", case.name);
        })
        .await;
    });
}

/// A chat client that asks for one answer of an upstream that only streams: collected from the events.
#[test]
fn a_chat_client_that_wants_one_piece_gets_sound_calls_from_an_upstream_that_only_streams() {
    let setup = Setup { params: &["force_stream: always"], ..Setup::default() };
    setup.play(|stage| async move {
        for case in all() {
            stage.sim.replace_script([case.step.clone().always()]);
            let answer = stage.chat(&ask_chat(false)).await;
            assert_eq!(answer.status, 200, "{}: {}", case.name, answer.text());
            let body = answer.json();
            let message = &body["choices"][0]["message"];
            let refused = message["refusal"].as_str().unwrap_or_default();
            assert_eq!(
                format!("{}{refused}", message["content"].as_str().unwrap_or_default()),
                texts(&case.blocks),
                "{}",
                case.name
            );
            let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
            let wanted: Vec<&String> = case
                .blocks
                .iter()
                .filter_map(|b| if let Block::Tool { input, .. } = b { Some(input) } else { None })
                .collect();
            assert_eq!(
                calls.iter().map(|call| call["function"]["arguments"].as_str().unwrap_or_default()).collect::<Vec<_>>(),
                wanted,
                "{}",
                case.name
            );
            let finish = if wanted.is_empty() { &body["choices"][0]["finish_reason"] } else { &json!("tool_calls") };
            assert_eq!(&body["choices"][0]["finish_reason"], finish, "{}", case.name);
        }
    });
}

/// What the model wrote is no JSON: a stream gives it as it is, and the client tells the model; one piece has no place for it.
#[test]
fn arguments_that_are_no_json_are_never_made_up() {
    Setup::default().play(|stage| async move {
        for broken in ["{\"command\": \"ls", "ls -l", "{\"command\": }", "{} {}"] {
            stage.sim.replace_script([arguments(Arguments::Text(broken.into())).always()]);
            let streamed = checker::stream(&stage.messages(&ask(true)).await.body);
            let call = Block::Tool { id: "call_1".into(), name: "Bash".into(), input: broken.into() };
            assert_eq!(streamed.whole().blocks, [call]);
            let whole = stage.messages(&ask(false)).await;
            assert_eq!(whole.status, 502, "{broken}: {}", whole.text());
            assert!(whole.text().contains("call of Bash"), "{broken}: {}", whole.text());
        }
    });
}

#[test]
fn think_tags_become_thinking_where_the_provider_is_known_to_send_them() {
    let setup = Setup { model: "ollama/qwen3", ..Setup::default() };
    setup.play(|stage| async move {
        for faults in cuts() {
            let answer = Answer::thinking("Hm, let me see.").and_text("Done.").thinking_as(Thinking::Tags);
            stage.sim.replace_script([Step::answer(answer).faults(faults).always()]);
            let answer = stage.messages(&ask(true)).await;
            let seen = checker::stream(&answer.body);
            assert_eq!(seen.whole().blocks, [thinking("Hm, let me see."), text("Done.")], "{}", answer.text());
        }
    });
}

/// A chat client of an upstream that speaks Anthropic's format: here every frame is ours.
#[test]
fn a_chat_client_gets_valid_chunks_from_an_anthropic_upstream() {
    let setup = Setup { model: "anthropic/claude-sonnet-5", ..Setup::default() };
    setup.play(|stage| async move {
        for faults in cuts() {
            let answer = Answer::thinking("Hm.")
                .and_text("Two things.")
                .and_tool("toolu_1", "Bash", &json!({"command": "ls"}))
                .and_tool("toolu_2", "Bash", &json!({}));
            stage.sim.replace_script([Step::answer(answer).faults(faults).always()]);
            let mut body = ask_chat(true);
            body["stream_options"] = json!({"include_usage": true});
            let answer = stage.chat(&body).await;
            let seen = chat_checker::strict(&answer.body);
            assert!(seen.done, "{}", answer.text());
            assert_eq!((seen.text.as_str(), seen.reasoning.as_str()), ("Two things.", "Hm."));
            let call = |id: &str, input: &str| (id.to_owned(), "Bash".to_owned(), input.to_owned());
            assert_eq!(seen.calls, [call("toolu_1", "{\"command\":\"ls\"}"), call("toolu_2", "{}")]);
            assert_eq!(seen.finish.as_deref(), Some("tool_calls"));
            assert!(seen.usage.is_some_and(|usage| usage["prompt_tokens"].as_u64() > Some(0)));
        }
    });
}

/// A call that the token limit cut is an answer all the same: the client must learn of the limit.
#[test]
fn a_call_that_the_token_limit_cut_says_so_in_one_piece_too() {
    Setup::default().play(|stage| async move {
        let call = ToolCall {
            id: "call_1".into(),
            name: "Bash".into(),
            arguments: Arguments::Text("{\"command\": \"ls".into()),
        };
        let cut = Answer::default().and(Part::Tool(call)).finish(Finish::Given("length".into()));
        stage.sim.replace_script([Step::answer(cut).always()]);
        let streamed = checker::stream(&stage.messages(&ask(true)).await.body);
        assert_eq!(streamed.whole().stop_reason.as_deref(), Some("max_tokens"));
        let whole = checker::message(&stage.messages(&ask(false)).await.json());
        assert_eq!(whole.stop_reason.as_deref(), Some("max_tokens"));
    });
}
