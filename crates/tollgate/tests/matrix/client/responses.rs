//! A client of OpenAI's Responses API that keeps nothing there, like Codex: it sends items back as it got them.

use serde_json::{Value, json};

use super::{Ask, CAPTION, Call, Failed, Form, PDF, PNG, SYSTEM, Seen, Speaks, list, look, push, shape, string};
use crate::support::http::Answer;
use crate::support::responses_checker;

pub struct Responses;

fn user(content: Value) -> Value {
    json!({"type": "message", "role": "user", "content": content})
}

fn text(text: &str) -> Value {
    json!({"type": "input_text", "text": text})
}

fn image() -> Value {
    json!({"type": "input_image", "image_url": format!("data:image/png;base64,{PNG}")})
}

fn tools() -> Value {
    json!([{"type": "function", "name": "look", "description": "Looks at a file.", "strict": false, "parameters": look()}])
}

impl Speaks for Responses {
    fn path(&self, _route: &str, _form: Form) -> String {
        "/v1/responses".to_owned()
    }

    fn body(&self, ask: Ask, words: &str) -> Value {
        match ask {
            Ask::Text => json!({"max_output_tokens": 2000, "input": [user(json!([text(words)]))]}),
            Ask::System => json!({"max_output_tokens": 2000, "instructions": SYSTEM,
                "input": [user(json!([text(words)]))]}),
            Ask::Image => json!({"max_output_tokens": 2000, "input": [user(json!([text(words), image()]))]}),
            Ask::Document => json!({"max_output_tokens": 2000, "input": [user(json!([text(words),
                {"type": "input_file", "filename": "report.pdf",
                    "file_data": format!("data:application/pdf;base64,{PDF}")}]))]}),
            Ask::Tools => json!({"max_output_tokens": 2000, "tools": tools(), "input": [user(json!([text(words)]))]}),
            Ask::ResultImage => json!({"max_output_tokens": 2000, "tools": tools(), "input": [
                user(json!([text(words)])),
                {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{\"path\":\"a.png\"}"},
                {"type": "function_call_output", "call_id": "call_1", "output": [text(CAPTION), image()]}]}),
            Ask::Think => json!({"max_output_tokens": 2000, "tools": tools(), "store": false,
                "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
                "input": [user(json!([text(words)]))]}),
            Ask::Structured => json!({"max_output_tokens": 2000, "input": [user(json!([text(words)]))],
                "text": {"format": {"type": "json_schema", "name": "place", "strict": true, "schema": shape()}}}),
            Ask::Forced => json!({"max_output_tokens": 2000, "tools": tools(), "store": false,
                "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
                "tool_choice": {"type": "function", "name": "look"}, "input": [user(json!([text(words)]))]}),
        }
    }

    fn address(&self, body: &mut Value, route: &str, form: Form) {
        body["model"] = json!(route);
        body["stream"] = json!(form == Form::Stream);
    }

    fn go_on(&self, body: &mut Value, seen: &Seen, outputs: &[&str]) {
        let result = |(call, output): (&Call, &&str)| json!({"type": "function_call_output", "call_id": call.id, "output": output});
        push(&mut body["input"], seen.history.clone());
        push(&mut body["input"], seen.calls.iter().zip(outputs).map(result));
    }

    fn without_thoughts(&self, history: &[Value]) -> Vec<Value> {
        history.iter().filter(|item| item["type"] != "reasoning").cloned().collect()
    }

    fn read(&self, answer: &Answer, form: Form, model: &str, ours: bool) -> Seen {
        let body = match form {
            Form::Piece => answer.json(),
            Form::Stream => {
                let seen = read_stream(answer, ours);
                assert!(["response.completed", "response.incomplete"].contains(&seen.last.as_str()), "{seen:?}");
                assert_eq!(seen.response["output"], json!(seen.items), "the last event holds the whole answer");
                seen.response
            }
        };
        assert_eq!((&body["object"], &body["model"]), (&json!("response"), &json!(model)), "{body}");
        let of = |kind: &str| list(&body["output"]).iter().filter(|i| i["type"] == kind).cloned().collect::<Vec<_>>();
        let texts = |items: Vec<Value>, key: &str, field: &str| -> String {
            items.iter().flat_map(|item| list(&item[key])).map(|part| string(&part[field])).collect()
        };
        let args = |i: &Value| serde_json::from_str(i["arguments"].as_str().unwrap_or("")).expect("JSON");
        let call = |i: &Value| Call { id: string(&i["call_id"]), name: string(&i["name"]), args: args(i) };
        let (usage, reason) = (&body["usage"], &body["incomplete_details"]["reason"]);
        let stop = string(&body["status"]);
        Seen {
            text: texts(of("message"), "content", "text"),
            refusal: texts(of("message"), "content", "refusal"),
            thoughts: texts(of("reasoning"), "summary", "text"),
            calls: of("function_call").iter().map(call).collect(),
            stop: reason.as_str().map_or(stop.clone(), |reason| format!("{stop}: {reason}")),
            usage: json!({"input_tokens": usage["input_tokens"], "output_tokens": usage["output_tokens"],
                "total_tokens": usage["total_tokens"],
                "cached_tokens": usage["input_tokens_details"]["cached_tokens"],
                "cache_write_tokens": usage["input_tokens_details"]["cache_write_tokens"],
                "reasoning_tokens": usage["output_tokens_details"]["reasoning_tokens"]}),
            history: list(&body["output"]).to_vec(),
        }
    }

    fn failed(&self, body: &Value) -> Failed {
        assert!(body.get("type").is_none(), "{body}");
        Failed { kind: string(&body["error"]["type"]), words: string(&body["error"]["message"]) }
    }

    fn broken(&self, answer: &Answer, _model: &str, ours: bool) -> Failed {
        let seen = read_stream(answer, ours);
        let error = seen.failed();
        Failed { kind: string(&error["code"]), words: string(&error["message"]) }
    }
}

fn read_stream(answer: &Answer, ours: bool) -> responses_checker::Seen {
    if ours { responses_checker::stream(&answer.body) } else { responses_checker::passed_on(&answer.body) }
}
