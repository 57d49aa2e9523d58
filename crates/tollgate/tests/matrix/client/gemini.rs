//! A client of Google's Gemini API that keeps all parts, as Google's SDKs do.

use serde_json::{Value, json};

use super::{
    Ask, CAPTION, Call, Failed, Form, PDF, PNG, SYSTEM, Seen, Speaks, frames, list, look, push, shape, string,
};
use crate::support::http::Answer;

pub struct Gemini;

fn user(parts: Value) -> Value {
    json!({"role": "user", "parts": parts})
}

fn data(mime_type: &str, data: &str) -> Value {
    json!({"inlineData": {"mimeType": mime_type, "data": data}})
}

fn tools() -> Value {
    json!([{"functionDeclarations": [
        {"name": "look", "description": "Looks at a file.", "parametersJsonSchema": look()}]}])
}

fn config(more: Value) -> Value {
    let mut config = json!({"maxOutputTokens": 2000});
    if let (Value::Object(config), Value::Object(more)) = (&mut config, more) {
        config.extend(more);
    }
    config
}

fn thinking() -> Value {
    config(json!({"thinkingConfig": {"thinkingLevel": "LOW", "includeThoughts": true}}))
}

impl Speaks for Gemini {
    fn path(&self, route: &str, form: Form) -> String {
        match form {
            Form::Piece => format!("/v1beta/models/{route}:generateContent"),
            Form::Stream => format!("/v1beta/models/{route}:streamGenerateContent?alt=sse"),
        }
    }

    fn body(&self, ask: Ask, words: &str) -> Value {
        match ask {
            Ask::Text => json!({"generationConfig": config(json!({})), "contents": [user(json!([{"text": words}]))]}),
            Ask::System => json!({"generationConfig": config(json!({})),
                "systemInstruction": {"parts": [{"text": SYSTEM}]}, "contents": [user(json!([{"text": words}]))]}),
            Ask::Image => json!({"generationConfig": config(json!({})),
                "contents": [user(json!([{"text": words}, data("image/png", PNG)]))]}),
            Ask::Document => json!({"generationConfig": config(json!({})),
                "contents": [user(json!([{"text": words}, data("application/pdf", PDF)]))]}),
            Ask::Tools => json!({"generationConfig": config(json!({})), "tools": tools(),
                "contents": [user(json!([{"text": words}]))]}),
            // For calls of other models Google documents this word in place of a signature.
            Ask::ResultImage => json!({"generationConfig": config(json!({})), "tools": tools(), "contents": [
                user(json!([{"text": words}])),
                {"role": "model", "parts": [{"functionCall": {"id": "call_1", "name": "look", "args": {"path": "a.png"}},
                    "thoughtSignature": "skip_thought_signature_validator"}]},
                user(json!([{"functionResponse": {"id": "call_1", "name": "look", "response": {"output": CAPTION},
                    "parts": [data("image/png", PNG)]}}]))]}),
            Ask::Think => json!({"generationConfig": thinking(), "tools": tools(),
                "contents": [user(json!([{"text": words}]))]}),
            Ask::Structured => json!({"generationConfig":
                    config(json!({"responseMimeType": "application/json", "responseJsonSchema": shape()})),
                "contents": [user(json!([{"text": words}]))]}),
            Ask::Forced => json!({"generationConfig": thinking(), "tools": tools(),
                "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["look"]}},
                "contents": [user(json!([{"text": words}]))]}),
        }
    }

    fn address(&self, _body: &mut Value, _route: &str, _form: Form) {}

    fn go_on(&self, body: &mut Value, seen: &Seen, outputs: &[&str]) {
        let result = |(call, output): (&Call, &&str)| {
            let mut response = json!({"name": call.name, "response": {"output": output}});
            if !call.id.is_empty() {
                response["id"] = json!(call.id);
            }
            json!({"functionResponse": response})
        };
        let results: Vec<Value> = seen.calls.iter().zip(outputs).map(result).collect();
        push(&mut body["contents"], [json!({"role": "model", "parts": seen.history}), user(json!(results))]);
    }

    fn without_thoughts(&self, history: &[Value]) -> Vec<Value> {
        // Signatures stay on what they sign, as Gemini CLI keeps them.
        history.iter().filter(|part| part["thought"] != true).cloned().collect()
    }

    fn read(&self, answer: &Answer, form: Form, model: &str, _ours: bool) -> Seen {
        let pieces = match form {
            Form::Piece => vec![answer.json()],
            Form::Stream => frames(answer),
        };
        let parts = parts(&pieces);
        let last = pieces.last().expect("a piece");
        assert_eq!(last["modelVersion"], model, "{last}");
        let (usage, stop) = (&last["usageMetadata"], string(&last["candidates"][0]["finishReason"]));
        assert!(!stop.is_empty(), "{last}");
        let said = |thought: bool| -> String {
            parts.iter().filter(|p| (p["thought"] == true) == thought).map(|p| string(&p["text"])).collect()
        };
        let call = |p: &Value| {
            let call = p.get("functionCall")?;
            Some(Call { id: string(&call["id"]), name: string(&call["name"]), args: call["args"].clone() })
        };
        Seen {
            text: said(false),
            refusal: String::new(),
            thoughts: said(true),
            calls: parts.iter().filter_map(call).collect(),
            stop,
            usage: json!({"promptTokenCount": usage["promptTokenCount"],
                "cachedContentTokenCount": usage["cachedContentTokenCount"],
                "candidatesTokenCount": usage["candidatesTokenCount"],
                "thoughtsTokenCount": usage["thoughtsTokenCount"], "totalTokenCount": usage["totalTokenCount"]}),
            history: parts,
        }
    }

    fn failed(&self, body: &Value) -> Failed {
        Failed { kind: string(&body["error"]["status"]), words: string(&body["error"]["message"]) }
    }

    fn broken(&self, answer: &Answer, _model: &str, _ours: bool) -> Failed {
        let pieces = frames(answer);
        assert!(pieces.iter().all(|piece| piece["candidates"][0].get("finishReason").is_none()), "{pieces:?}");
        self.failed(pieces.last().expect("a piece"))
    }
}

fn parts(pieces: &[Value]) -> Vec<Value> {
    let all = pieces.iter().flat_map(|piece| {
        assert!(piece.get("error").is_none(), "{piece}");
        list(&piece["candidates"][0]["content"]["parts"])
    });
    all.filter(|part| **part != json!({"text": ""})).cloned().collect()
}
