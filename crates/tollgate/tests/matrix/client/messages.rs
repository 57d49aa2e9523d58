//! A client of Anthropic's Messages API, like Claude Code.

use serde_json::{Value, json};

use super::{
    Ask, CAPTION, Call, Failed, Form, PDF, PNG, SYSTEM, Seen, Speaks, frames, list, look, push, shape, string,
};
use crate::support::checker;
use crate::support::http::Answer;

pub struct Messages;

fn user(content: Value) -> Value {
    json!({"role": "user", "content": content})
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn base64(media_type: &str, data: &str) -> Value {
    json!({"type": "base64", "media_type": media_type, "data": data})
}

fn tools() -> Value {
    json!([{"name": "look", "description": "Looks at a file.", "input_schema": look()}])
}

impl Speaks for Messages {
    fn path(&self, _route: &str, _form: Form) -> String {
        "/v1/messages".to_owned()
    }

    fn body(&self, ask: Ask, words: &str) -> Value {
        match ask {
            Ask::Text => json!({"max_tokens": 2000, "messages": [user(json!(words))]}),
            Ask::System => json!({"max_tokens": 2000, "system": SYSTEM, "messages": [user(json!(words))]}),
            Ask::Image => json!({"max_tokens": 2000, "messages": [user(json!([text(words),
                {"type": "image", "source": base64("image/png", PNG)}]))]}),
            Ask::Document => json!({"max_tokens": 2000, "messages": [user(json!([text(words),
                {"type": "document", "source": base64("application/pdf", PDF), "title": "report.pdf"}]))]}),
            Ask::Tools => json!({"max_tokens": 2000, "tools": tools(), "messages": [user(json!(words))]}),
            Ask::ResultImage => json!({"max_tokens": 2000, "tools": tools(), "messages": [
                user(json!(words)),
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "call_1", "name": "look", "input": {"path": "a.png"}}]},
                user(json!([{"type": "tool_result", "tool_use_id": "call_1", "content": [
                    text(CAPTION), {"type": "image", "source": base64("image/png", PNG)}]}]))]}),
            Ask::Think => json!({"max_tokens": 2000, "tools": tools(), "thinking": {"type": "adaptive"},
                "output_config": {"effort": "low"}, "messages": [user(json!(words))]}),
            Ask::Structured => json!({"max_tokens": 2000, "messages": [user(json!(words))],
                "output_config": {"format": {"type": "json_schema", "schema": shape()}}}),
            Ask::Forced => json!({"max_tokens": 2000, "tools": tools(), "thinking": {"type": "adaptive"},
                "output_config": {"effort": "low"}, "tool_choice": {"type": "tool", "name": "look"},
                "messages": [user(json!(words))]}),
        }
    }

    fn address(&self, body: &mut Value, route: &str, form: Form) {
        body["model"] = json!(route);
        body["stream"] = json!(form == Form::Stream);
    }

    fn go_on(&self, body: &mut Value, seen: &Seen, outputs: &[&str]) {
        let result =
            |(call, output): (&Call, &&str)| json!({"type": "tool_result", "tool_use_id": call.id, "content": output});
        let results: Vec<Value> = seen.calls.iter().zip(outputs).map(result).collect();
        push(&mut body["messages"], [json!({"role": "assistant", "content": seen.history}), user(json!(results))]);
    }

    fn without_thoughts(&self, history: &[Value]) -> Vec<Value> {
        history.iter().filter(|block| block["type"] != "thinking").cloned().collect()
    }

    fn read(&self, answer: &Answer, form: Form, model: &str, _ours: bool) -> Seen {
        let body = match form {
            Form::Piece => answer.json(),
            Form::Stream => {
                checker::stream_of(model, &answer.body).whole();
                folded(answer)
            }
        };
        if form == Form::Piece {
            checker::message_of(model, &body).whole();
        }
        let of = |kind: &str| list(&body["content"]).iter().filter(|b| b["type"] == kind).cloned().collect::<Vec<_>>();
        let call = |b: &Value| Call { id: string(&b["id"]), name: string(&b["name"]), args: b["input"].clone() };
        let usage = &body["usage"];
        Seen {
            text: of("text").iter().map(|b| string(&b["text"])).collect(),
            refusal: String::new(),
            thoughts: of("thinking").iter().map(|b| string(&b["thinking"])).collect(),
            calls: of("tool_use").iter().map(call).collect(),
            stop: match body["stop_sequence"].as_str() {
                Some(sequence) => format!("{}: {sequence}", string(&body["stop_reason"])),
                None => string(&body["stop_reason"]),
            },
            usage: json!({"input_tokens": usage["input_tokens"], "output_tokens": usage["output_tokens"],
                "cache_read_input_tokens": usage["cache_read_input_tokens"],
                "cache_creation_input_tokens": usage["cache_creation_input_tokens"],
                "thinking_tokens": usage["output_tokens_details"]["thinking_tokens"]}),
            history: list(&body["content"]).to_vec(),
        }
    }

    fn failed(&self, body: &Value) -> Failed {
        assert_eq!(body["type"], "error", "{body}");
        Failed { kind: string(&body["error"]["type"]), words: string(&body["error"]["message"]) }
    }

    fn broken(&self, answer: &Answer, model: &str, _ours: bool) -> Failed {
        let seen = checker::stream_of(model, &answer.body);
        assert_eq!(seen.stop_reason, None, "{seen:?}");
        self.failed(&json!({"type": "error", "error": seen.failed()}))
    }
}

/// As Anthropic's SDK collects a stream.
fn folded(answer: &Answer) -> Value {
    let (mut blocks, mut inputs): (Vec<Value>, Vec<String>) = (Vec::new(), Vec::new());
    let (mut usage, mut end) = (Value::Null, Value::Null);
    for event in frames(answer) {
        match event["type"].as_str().unwrap_or("") {
            "content_block_start" => {
                blocks.push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let (block, input) = (blocks.last_mut().expect("a block"), inputs.last_mut().expect("its input"));
                for field in ["text", "thinking", "signature"] {
                    if let Some(more) = event["delta"][field].as_str() {
                        block[field] = json!(string(&block[field]) + more);
                    }
                }
                input.push_str(event["delta"]["partial_json"].as_str().unwrap_or(""));
            }
            "content_block_stop" => {
                let (block, input) = (blocks.last_mut().expect("a block"), inputs.last().expect("its input"));
                if block["type"] == "tool_use" {
                    block["input"] = serde_json::from_str(input).expect("JSON");
                }
            }
            "message_delta" => (usage, end) = (event["usage"].clone(), event["delta"].clone()),
            _ => {}
        }
    }
    json!({"content": blocks, "usage": usage, "stop_reason": end["stop_reason"], "stop_sequence": end["stop_sequence"]})
}
