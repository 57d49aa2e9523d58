//! S02: a session of several turns with a tool, on `openai/x` with any `api_base`.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Answer, SimConfig, Step};

use crate::support::checker::{self, Block, Seen};
use crate::support::fleet::{Fleet, ship};
use crate::support::http::Answer as Answered;
use crate::support::isolated;
use crate::support::stage::Client;
use crate::table::WORDS;

fn call() -> Step {
    Step::answer(Answer::text("I look.").and_tool("call_1", "Bash", &json!({"command": "ls"})))
}

fn turn(stream: bool, messages: &[Value]) -> Value {
    json!({"model": "m", "max_tokens": 1000, "stream": stream, "messages": messages,
        "tools": [{"name": "Bash", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}]})
}

fn read(answer: &Answered, stream: bool) -> Seen {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let seen = if stream { checker::stream(&answer.body) } else { checker::message(&answer.json()) };
    seen.whole().clone()
}

/// What a client sends back: the answer as it got it, and the tool's result.
fn and_result(messages: &mut Vec<Value>, seen: &Seen) {
    let mut result = Value::Null;
    let blocks = seen.blocks.iter().map(|block| match block {
        Block::Text(text) => json!({"type": "text", "text": text}),
        Block::Thinking(text) => panic!("nobody thought: {text}"),
        Block::Tool { id, name, input } => {
            result = json!([{"type": "tool_result", "tool_use_id": id, "content": "a.txt"}]);
            json!({"type": "tool_use", "id": id, "name": name, "input": serde_json::from_str::<Value>(input).unwrap()})
        }
    });
    messages.push(json!({"role": "assistant", "content": blocks.collect::<Vec<_>>()}));
    messages.push(json!({"role": "user", "content": result}));
}

async fn two_turns(fleet: &Fleet, stream: bool) -> Answered {
    let mut messages = vec![json!({"role": "user", "content": "List the files."})];
    let first = fleet.ask(Client::Messages, &turn(stream, &messages)).await;
    let seen = read(&first, stream);
    assert_eq!(seen.stop_reason.as_deref(), Some("tool_use"));
    assert_eq!(seen.blocks[1], checker::tool("call_1", "Bash", &json!({"command": "ls"})));
    and_result(&mut messages, &seen);
    fleet.ask(Client::Messages, &turn(stream, &messages)).await
}

async fn fleet(second: Step) -> Fleet {
    let mut ship = ship("m", call()).with(json!({"num_retries": 3}));
    ship.sim = SimConfig::default().step(call()).step(second.always());
    // A retry would wait for so long that the test fails.
    Fleet::start(vec![ship], json!({"router_settings": {"retry_after": 60}})).await
}

#[test]
fn s02_two_turns_with_a_tool_are_two_chat_completions() {
    isolated(|| async {
        for stream in [true, false] {
            let fleet = fleet(Step::text("There is a.txt.")).await;
            let seen = read(&two_turns(&fleet, stream).await, stream);
            assert_eq!(seen.blocks, [checker::text("There is a.txt.")]);
            assert_eq!(seen.stop_reason.as_deref(), Some("end_turn"));
            let sent = fleet.sent(0);
            let paths: Vec<&str> = sent.iter().map(|request| request.path.as_str()).collect();
            assert_eq!(paths, ["/v1/chat/completions"; 2]);
            assert!(sent.iter().all(|request| request.refused.is_none()), "{sent:?}");
            let result = &sent[1].json()["messages"][2];
            assert_eq!(result, &json!({"role": "tool", "tool_call_id": "call_1", "content": "a.txt"}));
        }
    });
}

#[test]
fn s02_a_400_on_the_second_turn_is_told_at_once_in_the_upstreams_words() {
    isolated(|| async {
        for stream in [true, false] {
            let error = json!({"error": {"message": WORDS, "type": "invalid_request_error", "code": null}});
            let fleet = fleet(Step::json(400, &error)).await;
            let answer = tokio::time::timeout(Duration::from_secs(30), two_turns(&fleet, stream)).await.unwrap();
            assert_eq!(answer.status, 400);
            assert_eq!(Client::Messages.error(&answer), ("invalid_request_error".into(), WORDS.into()));
            assert_eq!(answer.header("x-should-retry"), Some("false"));
            assert_eq!(answer.header("x-tollgate-attempts"), Some("1"));
            // One for each turn.
            assert_eq!(fleet.counts(), [2]);
        }
    });
}
