//! A client of OpenAI's chat completions, like opencode: it keeps a message as it came.

use serde_json::{Value, json};

use super::{
    Ask, CAPTION, Call, Failed, Form, PDF, PNG, SYSTEM, Seen, Speaks, frames, list, look, push, shape, string,
};
use crate::support::chat_checker;
use crate::support::http::Answer;

pub struct Chat;

fn user(content: Value) -> Value {
    json!({"role": "user", "content": content})
}

fn image() -> Value {
    json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}})
}

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "look", "description": "Looks at a file.", "parameters": look()}}])
}

impl Speaks for Chat {
    fn path(&self, _route: &str, _form: Form) -> String {
        "/v1/chat/completions".to_owned()
    }

    fn body(&self, ask: Ask, words: &str) -> Value {
        match ask {
            Ask::Text => json!({"max_tokens": 2000, "messages": [user(json!(words))]}),
            Ask::System => {
                json!({"max_tokens": 2000, "messages": [{"role": "system", "content": SYSTEM}, user(json!(words))]})
            }
            Ask::Image => json!({"max_tokens": 2000, "messages": [
                user(json!([{"type": "text", "text": words}, image()]))]}),
            Ask::Document => json!({"max_tokens": 2000, "messages": [user(json!([{"type": "text", "text": words},
                {"type": "file", "file": {"filename": "report.pdf",
                    "file_data": format!("data:application/pdf;base64,{PDF}")}}]))]}),
            Ask::Tools => json!({"max_tokens": 2000, "tools": tools(), "messages": [user(json!(words))]}),
            // Results are text here; a picture follows them.
            Ask::ResultImage => json!({"max_tokens": 2000, "tools": tools(), "messages": [
                user(json!(words)),
                {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function",
                    "function": {"name": "look", "arguments": "{\"path\":\"a.png\"}"}}]},
                {"role": "tool", "tool_call_id": "call_1", "content": CAPTION},
                user(json!([image()]))]}),
            Ask::Think => json!({"max_tokens": 2000, "tools": tools(), "reasoning_effort": "low",
                "messages": [user(json!(words))]}),
            Ask::Structured => json!({"max_tokens": 2000, "messages": [user(json!(words))],
                "response_format": {"type": "json_schema",
                    "json_schema": {"name": "place", "strict": true, "schema": shape()}}}),
            Ask::Forced => json!({"max_tokens": 2000, "tools": tools(), "reasoning_effort": "low",
                "tool_choice": {"type": "function", "function": {"name": "look"}}, "messages": [user(json!(words))]}),
        }
    }

    fn address(&self, body: &mut Value, route: &str, form: Form) {
        body["model"] = json!(route);
        body["stream"] = json!(form == Form::Stream);
        if form == Form::Stream {
            body["stream_options"] = json!({"include_usage": true});
        }
    }

    fn go_on(&self, body: &mut Value, seen: &Seen, outputs: &[&str]) {
        let result =
            |(call, output): (&Call, &&str)| json!({"role": "tool", "tool_call_id": call.id, "content": output});
        push(&mut body["messages"], seen.history.clone());
        push(&mut body["messages"], seen.calls.iter().zip(outputs).map(result));
    }

    fn without_thoughts(&self, history: &[Value]) -> Vec<Value> {
        // What is not OpenAI's own goes, the state of calls too.
        let mut history = history.to_vec();
        for message in history.iter_mut().filter_map(Value::as_object_mut) {
            message.shift_remove("reasoning_content");
            for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
                call.as_object_mut().expect("a call").shift_remove("extra_content");
            }
        }
        history
    }

    fn read(&self, answer: &Answer, form: Form, model: &str, ours: bool) -> Seen {
        let body = match form {
            Form::Piece => answer.json(),
            Form::Stream => {
                let seen = if ours {
                    chat_checker::strict_of(model, &answer.body)
                } else {
                    chat_checker::lenient(&answer.body)
                };
                assert!(seen.done && seen.error.is_none(), "{seen:?}");
                folded(answer)
            }
        };
        assert_eq!(body["model"], model, "{body}");
        let (message, usage) = (&body["choices"][0]["message"], &body["usage"]);
        let args = |c: &Value| serde_json::from_str(c["function"]["arguments"].as_str().unwrap_or("")).expect("JSON");
        let call = |c: &Value| Call { id: string(&c["id"]), name: string(&c["function"]["name"]), args: args(c) };
        Seen {
            text: string(&message["content"]),
            refusal: string(&message["refusal"]),
            thoughts: string(&message["reasoning_content"]),
            calls: list(&message["tool_calls"]).iter().map(call).collect(),
            stop: string(&body["choices"][0]["finish_reason"]),
            usage: json!({"prompt_tokens": usage["prompt_tokens"], "completion_tokens": usage["completion_tokens"],
                "total_tokens": usage["total_tokens"],
                "cached_tokens": usage["prompt_tokens_details"]["cached_tokens"],
                "cache_write_tokens": usage["prompt_tokens_details"]["cache_write_tokens"],
                "reasoning_tokens": usage["completion_tokens_details"]["reasoning_tokens"]}),
            history: vec![message.clone()],
        }
    }

    fn failed(&self, body: &Value) -> Failed {
        assert!(body.get("type").is_none(), "{body}");
        Failed { kind: string(&body["error"]["type"]), words: string(&body["error"]["message"]) }
    }

    fn broken(&self, answer: &Answer, model: &str, ours: bool) -> Failed {
        let seen =
            if ours { chat_checker::strict_of(model, &answer.body) } else { chat_checker::lenient(&answer.body) };
        assert_eq!(seen.finish, None, "{seen:?}");
        self.failed(&json!({"error": seen.failed()}))
    }
}

/// As OpenAI's SDK collects a stream: whatever a delta has beside its pieces of text is kept.
fn folded(answer: &Answer) -> Value {
    let mut message = json!({"role": "assistant", "content": ""});
    let (mut calls, mut usage, mut finish, mut model): (Vec<Value>, _, _, _) =
        (Vec::new(), Value::Null, Value::Null, Value::Null);
    for chunk in frames(answer) {
        let choice = &chunk["choices"][0];
        for field in ["content", "reasoning_content", "refusal"] {
            if let Some(more) = choice["delta"][field].as_str() {
                message[field] = json!(string(&message[field]) + more);
            }
        }
        for piece in list(&choice["delta"]["tool_calls"]) {
            let index = piece["index"].as_u64().expect("an index") as usize;
            match calls.get_mut(index) {
                None => {
                    let mut call = piece.clone();
                    call.as_object_mut().expect("a call").shift_remove("index");
                    calls.push(call);
                }
                Some(call) => {
                    let more = piece["function"]["arguments"].as_str().unwrap_or("");
                    call["function"]["arguments"] = json!(string(&call["function"]["arguments"]) + more);
                }
            }
        }
        if choice["finish_reason"].is_string() {
            finish = choice["finish_reason"].clone();
        }
        if chunk["usage"].is_object() {
            usage = chunk["usage"].clone();
        }
        model = chunk["model"].clone();
    }
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    json!({"choices": [{"message": message, "finish_reason": finish}], "usage": usage, "model": model})
}
