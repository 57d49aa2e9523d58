//! Gemini's answers: one response, or the pieces of a stream.

use serde_json::{Value, json};

use super::Strictness;
use crate::faults::Frame;
use crate::prompt::{PromptCache, PromptTokens};
use crate::script::{Answer, Arguments, Finish, Part, ToolCall, Usage, huge_arguments, pieces};

/// What counts as the prompt.
pub(super) fn prompt_text(body: &Value) -> String {
    format!("{}{}{}", body["tools"], body["systemInstruction"], body["contents"])
}

/// `body` has the model's name from the path.
pub(crate) fn whole(body: &Value, answer: &Answer, prompts: &PromptCache, s: &Strictness) -> Value {
    let parts: Vec<Value> = parts(body, answer, usize::MAX, s);
    let counts = Counts::of(body, answer, prompts);
    response(body, answer, parts, finish(answer), counts.say(&answer.usage))
}

pub(crate) fn frames(
    body: &Value,
    answer: &Answer,
    prompts: &PromptCache,
    s: &Strictness,
) -> impl Iterator<Item = Frame> + Send + use<> {
    let counts = Counts::of(body, answer, prompts);
    let mut all: Vec<Value> = Vec::new();
    for part in parts(body, answer, answer.piece_chars, s) {
        let usage = counts.so_far().filter(|_| answer.usage == Usage::Normal);
        all.push(response(body, answer, vec![part], None, usage));
    }
    if answer.finish != Finish::Missing {
        all.push(response(body, answer, vec![json!({"text": ""})], finish(answer), counts.say(&answer.usage)));
    }
    all.into_iter().map(|piece| Frame { event: None, data: piece.to_string() })
}

fn response(body: &Value, answer: &Answer, parts: Vec<Value>, finish: Option<Value>, usage: Option<Value>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}});
    if let Some(reason) = finish {
        candidate["finishReason"] = reason;
    }
    candidate["index"] = json!(0);
    let model = answer.model.as_ref().map_or_else(|| body["model"].clone(), |model| json!(model));
    let mut out = json!({"candidates": [candidate]});
    if let Some(usage) = usage {
        out["usageMetadata"] = usage;
    }
    out["modelVersion"] = model;
    out["responseId"] = json!("sim-response");
    out
}

/// Calls end with `STOP`, too.
fn finish(answer: &Answer) -> Option<Value> {
    match &answer.finish {
        Finish::Auto => Some(json!("STOP")),
        Finish::Given(reason) => Some(json!(reason)),
        Finish::Null | Finish::Missing => None,
    }
}

/// The first call has a signature, thoughts are shown only on demand, a call is always whole.
fn parts(body: &Value, answer: &Answer, chars: usize, s: &Strictness) -> Vec<Value> {
    let shows = body["generationConfig"]["thinkingConfig"]["includeThoughts"] == true;
    let mut out = Vec::new();
    let mut first = s.signatures;
    for part in &answer.parts {
        match part {
            Part::Text(text) => out.extend(pieces(text, chars).into_iter().map(|text| json!({"text": text}))),
            Part::Thinking(text) if shows => {
                out.extend(pieces(text, chars).into_iter().map(|text| json!({"text": text, "thought": true})));
            }
            Part::Thinking(_) | Part::Block(_) => {}
            Part::Tool(call) => out.push(called(call, std::mem::take(&mut first), s)),
            Part::HugeTool { id, name, bytes } => {
                let arguments = Arguments::Text(huge_arguments(*bytes).collect());
                let call = ToolCall { id: id.clone(), name: name.clone(), arguments };
                out.push(called(&call, std::mem::take(&mut first), s));
            }
        }
    }
    out
}

fn called(call: &ToolCall, signed: bool, s: &Strictness) -> Value {
    let args: Value = serde_json::from_str(&call.arguments.text()).unwrap_or_else(|_| json!({}));
    let mut part = json!({"functionCall": {"name": call.name, "args": args}});
    if s.ids && !call.id.is_empty() {
        part["functionCall"]["id"] = json!(call.id);
    }
    if signed {
        part["thoughtSignature"] = json!(s.call_signature(&call.name, &args));
    }
    part
}

#[derive(Debug, Clone, Copy)]
struct Counts {
    prompt: PromptTokens,
    output: u64,
    thinking: u64,
}

impl Counts {
    fn of(body: &Value, answer: &Answer, prompts: &PromptCache) -> Self {
        let text = prompt_text(body);
        let prompt = prompts.count(&text, text.len().saturating_sub(1));
        let (output, thinking) = answer.tokens();
        Self { prompt, output, thinking }
    }

    /// Before anything is written only the prompt is known.
    fn so_far(&self) -> Option<Value> {
        Some(json!({"promptTokenCount": self.prompt.total, "totalTokenCount": self.prompt.total}))
    }

    /// The prompt includes what was cached; candidates leave out thoughts.
    fn say(&self, form: &Usage) -> Option<Value> {
        let total = self.prompt.total + self.output;
        match form {
            Usage::Normal | Usage::EveryChunk | Usage::OnFinish => Some(json!({
                "promptTokenCount": self.prompt.total, "cachedContentTokenCount": self.prompt.cached,
                "candidatesTokenCount": self.output - self.thinking, "thoughtsTokenCount": self.thinking,
                "totalTokenCount": total})),
            Usage::Missing => None,
            Usage::Null => Some(Value::Null),
            Usage::Empty => Some(json!({})),
            Usage::Strings => Some(json!({"promptTokenCount": self.prompt.total.to_string(),
                "candidatesTokenCount": self.output.to_string()})),
            Usage::Floats => Some(json!({"promptTokenCount": self.prompt.total as f64 + 0.5,
                "candidatesTokenCount": self.output as f64 + 0.5})),
            Usage::TotalOnly => Some(json!({"totalTokenCount": total})),
            Usage::Exact(value) => Some(value.clone()),
        }
    }
}
