//! Google's Gemini API, with a model of the third generation.

use serde_json::{Value, json};
use tollgate_sim::{Provider, Recorded, SimConfig, Step, call_signature};

use super::{Got, Item, Plays, Stop, WORDS, list, string, thought};
use crate::client::Call;

pub struct Gemini;

/// No signature but what Google documents for calls of other models.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

impl Plays for Gemini {
    fn params(&self, base: &str) -> Value {
        json!({"model": "gemini/gemini-3-pro", "api_base": base})
    }

    fn sim(&self) -> SimConfig {
        SimConfig { providers: vec![Provider::Gemini], ..SimConfig::default() }
    }

    fn model(&self) -> &'static str {
        "gemini-3-pro"
    }

    fn read(&self, request: &Recorded) -> Got {
        let body = request.json();
        let config = &body["generationConfig"];
        let calling = &body["toolConfig"]["functionCallingConfig"];
        let tools = list(&body["tools"]).iter().flat_map(|t| list(&t["functionDeclarations"]));
        let mut got = Got {
            system: list(&body["systemInstruction"]["parts"]).iter().map(|part| string(&part["text"])).collect(),
            tools: tools.map(|t| (string(&t["name"]), t["parametersJsonSchema"].clone())).collect(),
            choice: match (calling["mode"].as_str(), list(&calling["allowedFunctionNames"])) {
                (Some("ANY"), [name]) => string(name),
                (mode, _) => mode.unwrap_or_default().to_lowercase(),
            },
            max_tokens: config["maxOutputTokens"].as_u64(),
            effort: string(&config["thinkingConfig"]["thinkingLevel"]).to_lowercase(),
            ..Got::default()
        };
        if config["responseMimeType"] == "application/json" {
            got.shape = config.get("responseJsonSchema").cloned();
        }
        for content in list(&body["contents"]) {
            let user = content["role"] == "user";
            got.items.extend(list(&content["parts"]).iter().flat_map(|p| part(p, user)));
        }
        got
    }

    fn thought(&self, text: &str, call: &Call) -> Vec<Item> {
        [thought(text, String::new())].into_iter().chain(self.unasked(call)).collect()
    }

    /// The first call of an answer is signed in any case.
    fn unasked(&self, call: &Call) -> Option<Item> {
        Some(thought("", call_signature(&call.name, &call.args)))
    }

    fn refusal_note(&self) -> &'static str {
        "The answer was stopped by Google (SAFETY)."
    }

    /// Google's counts: the prompt has what the cache had, the candidates leave out thoughts, writes are not told.
    fn usage(&self) -> Value {
        json!({"promptTokenCount": 1100, "cachedContentTokenCount": 1000, "candidatesTokenCount": 30,
            "thoughtsTokenCount": 20, "totalTokenCount": 1150})
    }

    fn stop(&self, stop: Stop) -> Option<&'static str> {
        match stop {
            Stop::End => Some("STOP"),
            Stop::Length => Some("MAX_TOKENS"),
            Stop::Refusal => Some("SAFETY"),
            Stop::Sequence => None,
        }
    }

    fn error(&self, status: u16) -> Step {
        let name = match status {
            400 => "INVALID_ARGUMENT",
            429 => "RESOURCE_EXHAUSTED",
            _ => "UNAVAILABLE",
        };
        Step::json(status, &json!({"error": {"code": status, "message": WORDS, "status": name}}))
    }

    /// A piece of text.
    fn opening(&self) -> usize {
        1
    }
}

fn data(part: &Value, media_type: &str) -> String {
    assert_eq!(part["inlineData"]["mimeType"], media_type, "{part}");
    string(&part["inlineData"]["data"])
}

/// A signature stands on the call that the thought led to.
fn part(part: &Value, user: bool) -> Vec<Item> {
    if let Some(call) = part.get("functionCall") {
        let state = part["thoughtSignature"].as_str().filter(|state| *state != NO_SIGNATURE);
        let thought = state.map(|state| Item::Thought { text: String::new(), state: state.to_owned() });
        let call = Call { id: string(&call["id"]), name: string(&call["name"]), args: call["args"].clone() };
        return thought.into_iter().chain([Item::Call(call)]).collect();
    }
    if let Some(response) = part.get("functionResponse") {
        let images = list(&response["parts"]).iter().map(|p| data(p, "image/png")).collect();
        let text = string(&response["response"]["output"]);
        return vec![Item::Result { id: string(&response["id"]), text, images }];
    }
    if part.get("inlineData").is_some() {
        let pdf = part["inlineData"]["mimeType"] == "application/pdf";
        return vec![if pdf {
            Item::Document(data(part, "application/pdf"))
        } else {
            Item::Image(data(part, "image/png"))
        }];
    }
    let text = string(&part["text"]);
    vec![match (part["thought"] == true, user) {
        (true, _) => Item::Thought { text, state: String::new() },
        (false, true) => Item::User(text),
        (false, false) => Item::Said(text),
    }]
}
