//! S13: the body of the next turn begins with the bytes of this one, so that the upstream's prompt cache holds.

use serde_json::{Value, json};
use tollgate_sim::{ChatStrictness, Recorded, SimConfig, Step};

use crate::checker;
use crate::stage::{Setup, Stage, ask_chat, tool};

/// One transparent pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// [`ephemeral`] as it goes up.
const MARK: &str = r#","cache_control":{"type":"ephemeral"}"#;

fn ephemeral() -> Value {
    json!({"type": "ephemeral"})
}

/// What Claude Code 2.1.329 sends at turn `turn`: the billing line rotates, the mark on the last block moves, and the system
/// message inside the conversation is a block first and a string later.
fn claude_code(turn: usize) -> Value {
    let billing =
        format!("x-anthropic-billing-header: cc_version=2.1.329.{turn}a; cc_entrypoint=cli; cch={turn}{turn}f;");
    let system = json!([
        {"type": "text", "text": billing},
        {"type": "text", "text": "You are a coding agent.", "cache_control": ephemeral()},
        {"type": "text", "text": "# Rules\nBe brief. ".repeat(40), "cache_control": ephemeral()},
    ]);
    let reminder = "Available agents: general-purpose. ".repeat(30);
    let inside = if turn == 0 {
        json!([{"type": "text", "text": reminder, "cache_control": ephemeral()}])
    } else {
        json!(reminder)
    };
    let mut messages = vec![
        json!({"role": "user", "content": [{"type": "text", "text": "<system-reminder>Today.</system-reminder>"}, {"type": "text", "text": "Fix the bug, please."}]}),
        json!({"role": "system", "content": inside}),
    ];
    for step in 0..turn {
        messages.extend(exchange(step));
    }
    let last = messages.last_mut().unwrap();
    if last["role"] == "user" {
        let blocks = last["content"].as_array_mut().unwrap();
        blocks.last_mut().unwrap()["cache_control"] = ephemeral();
    }
    json!({"model": "m", "max_tokens": 32000, "stream": true, "system": system, "messages": messages,
        "tools": [tool("Bash"), tool("Read"), tool("mcp__srv__look")],
        "metadata": {"user_id": "{\"device_id\":\"d\",\"account_uuid\":\"\",\"session_id\":\"s\"}"},
        "thinking": {"type": "adaptive", "display": "updates"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"}})
}

/// The assistant's step and the user's answer to it: two calls at once, an image, an error, a plain text.
fn exchange(step: usize) -> [Value; 2] {
    let id = |n: usize| format!("call_{step}_{n}");
    let call = |n: usize, name: &str| json!({"type": "tool_use", "id": id(n), "name": name, "input": {"command": format!("step {step}.{n} \u{00e9}\u{1F980} \"q\"")}});
    match step % 4 {
        0 => [
            json!({"role": "assistant", "content": [{"type": "thinking", "thinking": "Two at once.", "signature": ""},
                {"type": "text", "text": "I look."}, call(0, "Bash"), call(1, "Read")]}),
            json!({"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": id(0), "content": "a.txt\nb.txt"},
                {"type": "tool_result", "tool_use_id": id(1), "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}]}),
        ],
        1 => [
            json!({"role": "assistant", "content": [call(0, "Read")]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id(0), "content": [
                {"type": "text", "text": "a picture"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]}]}),
        ],
        2 => [
            json!({"role": "assistant", "content": [call(0, "Bash")]}),
            json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id(0), "is_error": true, "content": "exit code 1"}]}),
        ],
        _ => [
            json!({"role": "assistant", "content": [{"type": "text", "text": "Done so far."}]}),
            json!({"role": "user", "content": [{"type": "text", "text": "Go on, please."},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]}),
        ],
    }
}

fn without_images(content: &mut Value) {
    let Some(blocks) = content.as_array_mut() else { return };
    blocks.retain(|block| block["type"] != "image");
    blocks.iter_mut().for_each(|block| without_images(&mut block["content"]));
}

const TURNS: usize = 7;

/// Bytes of the body up to the end of its last message.
fn conversation(body: &[u8]) -> &[u8] {
    let text = std::str::from_utf8(body).expect("UTF-8");
    let start = text.find("\"messages\":[").expect("messages");
    let mut depth = 0_i32;
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text[start + 11..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '[' | '{' if !quoted => depth += 1,
            ']' | '}' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return &body[..start + 11 + at];
                }
            }
            _ => {}
        }
    }
    panic!("messages do not end: {text}");
}

/// Each body begins with all that the one before said, up to the end of its last message.
fn grows(requests: &[Recorded]) {
    for pair in requests.windows(2) {
        let before = conversation(&pair[0].body);
        let shared = before.iter().zip(pair[1].body.iter()).take_while(|(a, b)| a == b).count();
        let show = |bytes: &[u8]| {
            String::from_utf8_lossy(&bytes[shared.saturating_sub(120)..(shared + 120).min(bytes.len())]).into_owned()
        };
        assert_eq!(shared, before.len(), "they part at:\n{}\n--- and\n{}", show(&pair[0].body), show(&pair[1].body));
    }
}

/// The body without the client's marks, which move from turn to turn. All other bytes stay as they were sent.
fn bare(request: &Recorded) -> Recorded {
    let body = std::str::from_utf8(&request.body).expect("UTF-8").replace(MARK, "");
    assert!(!body.contains("cache_control"), "a mark of another form: {body}");
    Recorded { body: body.into(), ..request.clone() }
}

async fn plays(stage: &Stage, bodies: impl Iterator<Item = Value>) -> Vec<Recorded> {
    stage.sim.replace_script([Step::text("Good.").always()]);
    let before = stage.sim.requests().len();
    for body in bodies {
        let path = if body.get("system").is_some() { stage.messages(&body).await } else { stage.chat(&body).await };
        assert_eq!(path.status, 200, "{}", path.text());
    }
    stage.sim.requests()[before..].to_vec()
}

fn server(accepts: &[&str]) -> SimConfig {
    SimConfig::default().chat(ChatStrictness::default().accepting(accepts))
}

#[test]
fn s13_a_growing_conversation_keeps_its_prefix_on_a_plain_chat_server() {
    let setup = Setup { sim: server(&[]), ..Setup::default() };
    setup.play(|stage| async move {
        let requests = plays(&stage, (0..TURNS).map(claude_code)).await;
        grows(&requests);
        let body = String::from_utf8_lossy(&requests[TURNS - 1].body).into_owned();
        assert!(!body.contains("billing-header"), "the rotating line is left out");
        assert!(!body.contains("cache_control"), "a plain server refuses it");
    });
}

/// Every way of writing messages down that a provider's row can ask for.
#[test]
fn s13_a_growing_conversation_keeps_its_prefix_on_every_kind_of_server() {
    let strict =
        || ChatStrictness { requires_reasoning_content: true, ..ChatStrictness::default() }.accepting(&["thinking"]);
    let off = || ChatStrictness { off: true, ..ChatStrictness::default() };
    for (model, chat) in [
        ("deepseek/deepseek-v4-pro", strict()),
        ("moonshot/kimi-k2.5", strict()),
        ("openrouter/moonshotai/kimi-k2.5", off()),
        ("openrouter/anthropic/claude-opus-4.8", off()),
        ("openrouter/google/gemini-3-pro", off()),
        ("mistral/mistral-large", off()),
        ("zai/glm-5", off()),
        ("dashscope/qwen3-coder", off()),
        ("ollama/qwen3", off()),
        ("minimax/minimax-m2", off()),
        ("groq/llama-4", off()),
        ("hosted_vllm/qwen3", off()),
    ] {
        let setup = Setup { sim: SimConfig::default().chat(chat), model, ..Setup::default() };
        setup.play(move |stage| async move {
            // Images are no matter here; some of these models take none.
            let texts = (0..TURNS).map(|turn| {
                let mut body = claude_code(turn);
                for message in body["messages"].as_array_mut().unwrap() {
                    without_images(&mut message["content"]);
                }
                body
            });
            let requests = plays(&stage, texts).await;
            assert_eq!(requests.len(), TURNS, "{model}");
            let marked =
                requests.iter().any(|request| String::from_utf8_lossy(&request.body).contains("cache_control"));
            grows(&if marked { requests.iter().map(bare).collect() } else { requests });
        });
    }
}

/// Two and three turns on, the bodies differ in nothing but the marks that the client itself set elsewhere.
#[test]
fn s13_cache_marks_are_kept_where_the_provider_knows_them_and_are_all_that_differs() {
    for model in [
        "openrouter/anthropic/claude-opus-4.8",
        "openrouter/google/gemini-3-pro",
        "zai/glm-5",
        "bigmodel/glm-5",
        "dashscope/qwen3-coder",
        "minimax/minimax-m2",
    ] {
        let off = ChatStrictness { off: true, ..ChatStrictness::default() };
        let setup = Setup { sim: SimConfig::default().chat(off), model, ..Setup::default() };
        setup.play(move |stage| async move {
            let requests = plays(&stage, (0..TURNS).map(claude_code)).await;
            for (turn, request) in requests.iter().enumerate() {
                let sent = request.json();
                let marks = sent.to_string().matches("cache_control").count();
                assert!((3..=4).contains(&marks), "{model}, turn {turn}: {marks} marks in {sent}");
                let last =
                    sent["messages"].as_array().unwrap().iter().rfind(|message| message["role"] != "system").unwrap();
                let last_part = last["content"].as_array().and_then(|parts| parts.last()).expect("a list of parts");
                assert_eq!(last_part["cache_control"], ephemeral(), "{model}, turn {turn}: the end is marked");
            }
            let bare: Vec<Recorded> = requests.iter().map(bare).collect();
            // Each turn begins with every earlier one, not just the one before.
            for (turn, later) in bare.iter().enumerate() {
                for earlier in &bare[..turn] {
                    grows(&[earlier.clone(), later.clone()]);
                }
            }
        });
    }
}

/// The same-dialect lane of Anthropic: the client's bytes go on.
#[test]
fn s13_a_growing_conversation_keeps_its_prefix_on_anthropic() {
    let setup = Setup { model: "anthropic/claude-opus-5-5", ..Setup::default() };
    setup.play(|stage| async move {
        let body = |turn: usize| {
            // Signatures are Anthropic's own here, and marks stay on what they were set on: only then are its bytes the same.
            let mut body = claude_code(turn);
            let messages = body["messages"].as_array_mut().unwrap();
            messages[1] = json!({"role": "system", "content": "Available agents."});
            for message in messages {
                for block in message["content"].as_array_mut().into_iter().flatten() {
                    block.as_object_mut().unwrap().shift_remove("cache_control");
                    if block["type"] == "thinking" {
                        block["signature"] = json!(tollgate_sim::signature("Two at once."));
                    }
                }
            }
            body["system"].as_array_mut().unwrap().remove(0);
            body
        };
        stage.sim.replace_script([Step::text("Good.").always()]);
        let betas = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24,thinking-display-updates-2026-08-18";
        for turn in 0..TURNS {
            let headers = [("anthropic-version", "2023-06-01"), ("anthropic-beta", betas)];
            let answer = crate::support::http::post(&stage.gateway.url("/v1/messages?beta=true"), &headers, &body(turn)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let requests = stage.sim.requests();
        grows(&requests);
        for (turn, request) in requests.iter().enumerate() {
            let mut sent = request.json();
            sent["model"] = json!("m");
            assert_eq!(sent, body(turn), "but for the model nothing changed");
            assert_eq!(request.header("anthropic-beta"), Some(betas));
        }
    });
}

/// The same-dialect lane of chat.
#[test]
fn s13_a_growing_chat_conversation_keeps_its_prefix() {
    Setup::default().play(|stage| async move {
        let body = |turn: usize| {
            let mut body = ask_chat(true);
            let messages = body["messages"].as_array_mut().unwrap();
            for step in 0..turn {
                let id = format!("call_{step}");
                messages.push(json!({"role": "assistant", "content": "", "tool_calls": [{"id": id, "type": "function", "function": {"name": "Bash", "arguments": "{}"}}]}));
                messages.push(json!({"role": "tool", "tool_call_id": id, "content": "a.txt"}));
            }
            body
        };
        grows(&plays(&stage, (0..TURNS).map(body)).await);
    });
}

/// The simulated server counts what it has seen before; the client gets the figure, and it is no part of the fresh input.
#[test]
fn s13_cached_token_counts_come_back() {
    Setup::default().play(|stage| async move {
        stage.sim.replace_script([Step::text("Good.").always()]);
        let mut before = 0;
        for turn in 0..4 {
            let answer = stage.messages(&claude_code(turn)).await;
            let usage = checker::stream(&answer.body).whole().usage.clone();
            let read = usage["cache_read_input_tokens"].as_u64().unwrap();
            let fresh = usage["input_tokens"].as_u64().unwrap();
            let sent = stage.sim.requests().pop().unwrap();
            let prompt = format!("{}{}", sent.json()["tools"], sent.json()["messages"]).len() as u64 / 4;
            assert_eq!(read + fresh, prompt, "turn {turn}: {usage}");
            if turn > 0 {
                assert!(
                    read + 1 >= before - 1 && read > 0,
                    "turn {turn}: the whole prompt before, {before}, was cached: {usage}"
                );
            }
            before = prompt;
            let id = answer.header("request-id").unwrap().to_owned();
            assert_eq!(stage.log_of(&id).await["cached_tokens"], read);
        }
    });
}
