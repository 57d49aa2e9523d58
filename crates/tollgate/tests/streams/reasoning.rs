//! S12: models that insist on their earlier thoughts get them, from the client, from memory, or in the vendor's accepted form.

use serde_json::{Value, json};
use tollgate_sim::{Answer, ChatStrictness, SimConfig, Step};

use crate::checker;
use crate::stage::{Setup, Stage, ask, ask_chat};

/// DeepSeek and Moonshot: assistant messages with calls must have `reasoning_content`.
fn strict() -> SimConfig {
    let strictness = ChatStrictness { requires_reasoning_content: true, ..ChatStrictness::default() };
    SimConfig::default().chat(strictness.accepting(&["thinking"]))
}

fn deepseek() -> Setup {
    Setup { sim: strict(), model: "deepseek/deepseek-v4-pro", ..Setup::default() }
}

fn moonshot() -> Setup {
    Setup { sim: strict(), model: "moonshot/kimi-k2.5", ..Setup::default() }
}

/// A server of which nothing is known but its address.
fn unknown() -> Setup {
    Setup { sim: strict(), ..Setup::default() }
}

fn thought(id: &str, thought: &str) -> Step {
    Step::answer(Answer::thinking(thought).and_tool(id, "Bash", &json!({"command": "ls"})))
}

/// A first turn; the answer's content as the client got it.
async fn turn(stage: &Stage, body: &Value) -> Vec<Value> {
    let answer = stage.messages(body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    if body["stream"] == true {
        let seen = checker::stream(&answer.body);
        let blocks = seen.whole().blocks.iter().map(|block| match block {
            checker::Block::Text(text) => json!({"type": "text", "text": text}),
            checker::Block::Thinking(text) => json!({"type": "thinking", "thinking": text, "signature": "kept"}),
            checker::Block::Tool { id, name, input } => {
                let input: Value = serde_json::from_str(input).unwrap();
                json!({"type": "tool_use", "id": id, "name": name, "input": input})
            }
        });
        return blocks.collect();
    }
    answer.json()["content"].as_array().unwrap().clone()
}

/// The request for the next turn.
fn next(body: &Value, content: Vec<Value>) -> Value {
    let mut body = body.clone();
    let results: Vec<Value> = content
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "a.txt"}))
        .collect();
    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": content}));
    messages.push(json!({"role": "user", "content": results}));
    body
}

fn without_thinking(content: Vec<Value>) -> Vec<Value> {
    content.into_iter().filter(|block| block["type"] != "thinking").collect()
}

/// What the upstream got as `reasoning_content`, message by message of the assistant's, in its last request.
fn replayed(stage: &Stage) -> Vec<Value> {
    let last = stage.sim.requests().pop().expect("a request");
    assert_eq!(last.refused, None);
    let messages = last.json()["messages"].as_array().unwrap().clone();
    messages
        .into_iter()
        .filter(|message| message["role"] == "assistant")
        .map(|message| message["reasoning_content"].clone())
        .collect()
}

fn refusals(stage: &Stage) -> usize {
    stage.sim.requests().iter().filter(|request| request.refused.is_some()).count()
}

async fn replays(stage: Stage) {
    for stream in [true, false] {
        stage.sim.replace_script([thought("call_1", "First look."), thought("call_2", "Then \"read\".\n🦀")]);
        let first = turn(&stage, &ask(stream)).await;
        let body = next(&ask(stream), first);
        let second = turn(&stage, &body).await;
        assert_eq!(replayed(&stage), ["First look."]);
        turn(&stage, &next(&body, second)).await;
        assert_eq!(replayed(&stage), ["First look.", "Then \"read\".\n🦀"]);
    }
    assert_eq!(refusals(&stage), 0);
}

#[test]
fn s12_deepseek_reasoning_is_replayed() {
    deepseek().play(replays);
}

#[test]
fn s12_moonshot_reasoning_is_replayed() {
    moonshot().play(replays);
}

async fn restores(stage: Stage) {
    for stream in [true, false] {
        let id = format!("call_{stream}");
        stage.sim.replace_script([thought(&id, "First look."), Step::text("Done."), Step::text("Done.")]);
        let first = turn(&stage, &ask(stream)).await;
        let body = next(&ask(stream), without_thinking(first));
        turn(&stage, &body).await;
        assert_eq!(replayed(&stage), ["First look."]);
        // Said again with every later turn.
        turn(&stage, &body).await;
        assert_eq!(replayed(&stage), ["First look."]);
    }
    assert_eq!(refusals(&stage), 0);
}

#[test]
fn s12_thoughts_that_the_client_dropped_are_restored_for_deepseek() {
    deepseek().play(restores);
}

#[test]
fn s12_thoughts_that_the_client_dropped_are_restored_for_moonshot() {
    moonshot().play(restores);
}

/// A conversation of which the gateway never saw the beginning.
fn foreign(stream: bool) -> Value {
    next(
        &ask(stream),
        vec![
            json!({"type": "text", "text": "I look."}),
            json!({"type": "tool_use", "id": "toolu_x", "name": "Bash", "input": {"command": "ls"}}),
        ],
    )
}

async fn fills(stage: Stage) {
    for stream in [true, false] {
        turn(&stage, &foreign(stream)).await;
        let sent = replayed(&stage);
        assert!(sent[0].as_str().is_some_and(|filler| !filler.is_empty()), "{sent:?}");
    }
    assert_eq!(refusals(&stage), 0);
}

#[test]
fn s12_unknown_thoughts_become_the_accepted_filler_for_deepseek() {
    deepseek().play(fills);
}

#[test]
fn s12_unknown_thoughts_become_the_accepted_filler_for_moonshot() {
    moonshot().play(fills);
}

/// A server that is not known to insist says so once; what it said is remembered.
#[test]
fn s12_an_unknown_server_that_insists_is_obeyed_after_one_repair() {
    unknown().play(|stage| async move {
        for stream in [true, false] {
            turn(&stage, &foreign(stream)).await;
            assert!(replayed(&stage)[0].is_string());
        }
        assert_eq!(refusals(&stage), 1, "the second request knew");
        assert_eq!(stage.sim.requests().len(), 3);
    });
}

/// The same for a chat client that does not send `reasoning_content` back.
#[test]
fn s12_a_chat_client_of_an_unknown_server_that_insists_gets_no_400() {
    unknown().play(|stage| async move {
        let mut body = ask_chat(false);
        let messages = body["messages"].as_array_mut().unwrap();
        messages.push(json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "Bash", "arguments": "{}"}}]}));
        messages.push(json!({"role": "tool", "tool_call_id": "call_1", "content": "a.txt"}));
        for _ in 0..2 {
            let answer = stage.chat(&body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        assert_eq!(refusals(&stage), 1);
    });
}

/// A chat client that drops the field has it restored; one that keeps it (opencode) gets it through.
async fn chat_clients(stage: Stage) {
    for keeps in [true, false] {
        for stream in [true, false] {
            let id = format!("call_{keeps}_{stream}");
            stage.sim.replace_script([thought(&id, "First look."), Step::text("Done.")]);
            let mut body = ask_chat(stream);
            let answer = stage.chat(&body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let mut message = json!({"role": "assistant", "content": "", "tool_calls": [
                {"id": id, "type": "function", "function": {"name": "Bash", "arguments": "{\"command\":\"ls\"}"}}]});
            if keeps {
                message["reasoning_content"] = json!("First look.");
            }
            let messages = body["messages"].as_array_mut().unwrap();
            messages.push(message);
            messages.push(json!({"role": "tool", "tool_call_id": id, "content": "a.txt"}));
            let answer = stage.chat(&body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(replayed(&stage), ["First look."], "keeps {keeps}, stream {stream}");
        }
    }
    assert_eq!(refusals(&stage), 0);
}

#[test]
fn s12_chat_clients_of_deepseek_never_miss_their_thoughts() {
    deepseek().play(chat_clients);
}

#[test]
fn s12_chat_clients_of_moonshot_never_miss_their_thoughts() {
    moonshot().play(chat_clients);
}

/// Ids are only unique within a conversation: Kimi's first call is `functions.Bash:0` everywhere.
#[test]
fn s12_two_conversations_with_the_same_tool_ids_do_not_mix() {
    moonshot().play(|stage| async move {
        let talk = |about: &str| {
            let mut body = ask(true);
            body["messages"][0]["content"] = json!(about);
            body
        };
        let id = "functions.Bash:0";
        stage.sim.replace_script([thought(id, "About cats."), thought(id, "About dogs.")]);
        let cats = turn(&stage, &talk("cats")).await;
        let dogs = turn(&stage, &talk("dogs")).await;
        stage.sim.replace_script([]);
        turn(&stage, &next(&talk("cats"), without_thinking(cats))).await;
        assert_eq!(replayed(&stage), ["About cats."]);
        turn(&stage, &next(&talk("dogs"), without_thinking(dogs))).await;
        assert_eq!(replayed(&stage), ["About dogs."]);
    });
}

/// One id in each turn of one conversation: each turn keeps its own thoughts.
#[test]
fn s12_repeated_tool_ids_within_a_conversation_do_not_mix() {
    moonshot().play(|stage| async move {
        let id = "functions.Bash:0";
        stage.sim.replace_script([thought(id, "One."), thought(id, "Two."), Step::text("Done.")]);
        let first = without_thinking(turn(&stage, &ask(true)).await);
        let body = next(&ask(true), first);
        let second = without_thinking(turn(&stage, &body).await);
        turn(&stage, &next(&body, second)).await;
        assert_eq!(replayed(&stage), ["One.", "Two."]);
    });
}

/// Text without a call is an assistant message too; DeepSeek wants the field on each.
#[test]
fn s12_an_answer_without_a_call_is_replayed_as_well() {
    deepseek().play(|stage| async move {
        let mut body = ask(true);
        let messages = body["messages"].as_array_mut().unwrap();
        messages.push(json!({"role": "assistant", "content": [{"type": "thinking", "thinking": "Easy.", "signature": ""}, {"type": "text", "text": "Four."}]}));
        messages.push(json!({"role": "user", "content": "And again?"}));
        turn(&stage, &body).await;
        assert_eq!(replayed(&stage), ["Easy."]);
        body["messages"][1]["content"].as_array_mut().unwrap().remove(0);
        turn(&stage, &body).await;
        assert!(replayed(&stage)[0].is_string());
    });
}
