//! Google's Gemini API. Words of refusals: those of `generativelanguage.googleapis.com` as gemini-cli, litellm and the AI SDK
//! quote them; fields: google-genai 3.4.0, `types.py` (2026-11-21).

mod answer;
mod conversation;
mod validate;

use std::hash::{DefaultHasher, Hash, Hasher};

pub(crate) use answer::{frames, whole};
pub(crate) use validate::check;

use http::HeaderMap;
use serde_json::{Value, json};

use crate::refusal::{Check, Refusal};

/// What this server refuses beyond what every model refuses. The default is Gemini 3.
#[derive(Debug, Clone)]
pub struct Strictness {
    /// Calls have ids; older models refuse the field.
    pub ids: bool,
    /// The first call of each content since the user's last words needs its signature.
    pub signatures: bool,
    /// `thinkingLevel` is known.
    pub levels: bool,
    /// `parts` of a function response may hold media.
    pub media_in_responses: bool,
    /// `responseMimeType` is taken beside functions.
    pub format_with_tools: bool,
    pub max_tokens_cap: Option<u64>,
    /// It is Vertex AI: signatures and some fields are others than AI Studio's.
    pub vertex: bool,
    /// Nothing is validated.
    pub off: bool,
}

impl Default for Strictness {
    fn default() -> Self {
        Self {
            ids: true,
            signatures: true,
            levels: true,
            media_in_responses: true,
            format_with_tools: true,
            max_tokens_cap: None,
            vertex: false,
            off: false,
        }
    }
}

impl Strictness {
    /// Gemini 2.5.
    #[must_use]
    pub fn older() -> Self {
        Self {
            ids: false,
            signatures: false,
            levels: false,
            media_in_responses: false,
            format_with_tools: false,
            ..Self::default()
        }
    }
}

/// What a path asks for.
pub(crate) struct Method {
    pub model: String,
    pub name: String,
    /// The stream is server-sent events, else one array.
    pub events: bool,
}

impl Method {
    /// `/v1beta/models/{model}:{method}`, and on Vertex AI `/v1/…/publishers/google/models/{model}:{method}`
    pub fn of(uri: &http::Uri) -> Option<Method> {
        let rest = uri.path().strip_prefix("/v1beta/models/").or_else(|| uri.path().strip_prefix("/v1/models/"));
        let rest = rest.or_else(|| Some(uri.path().split_once("/publishers/google/models/")?.1))?;
        let (model, name) = rest.rsplit_once(':')?;
        let events = uri.query().unwrap_or("").split('&').any(|pair| pair == "alt=sse");
        Some(Method { model: model.to_owned(), name: name.to_owned(), events })
    }

    pub fn streams(&self) -> bool {
        self.name == "streamGenerateContent"
    }
}

/// Google's shape: `{"error":{"code","message","status"}}`.
pub(crate) fn refusal(code: u16, message: impl Into<String>) -> Refusal {
    let status = match code {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        503 => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    };
    let message = message.into();
    let body = json!({"error": {"code": code, "message": message, "status": status}});
    Refusal { status: code, message, headers: Vec::new(), body }
}

fn invalid(message: impl Into<String>) -> Refusal {
    refusal(400, message)
}

/// What stands under these is the caller's own.
const OPAQUE: &[&str] =
    &["args", "response", "labels", "parametersJsonSchema", "responseJsonSchema", "default", "example"];

/// Fields may be spelled `like_this` as well; Google's SDK does so in places.
fn one_spelling(value: Value) -> Value {
    match value {
        Value::Array(list) => list.into_iter().map(one_spelling).collect(),
        Value::Object(fields) => {
            let field = |(key, value): (String, Value)| {
                let key = camel(&key);
                let value = match value {
                    value if OPAQUE.contains(&key.as_str()) => value,
                    // The names of properties are the caller's, what stands under them is not.
                    Value::Object(named) if key == "properties" => {
                        Value::Object(named.into_iter().map(|(name, schema)| (name, one_spelling(schema))).collect())
                    }
                    value => one_spelling(value),
                };
                (key, value)
            };
            Value::Object(fields.into_iter().map(field).collect())
        }
        other => other,
    }
}

fn camel(name: &str) -> String {
    let mut out = String::new();
    for (i, piece) in name.split('_').enumerate() {
        let mut chars = piece.chars();
        match chars.next() {
            Some(first) if i > 0 => out.extend(first.to_uppercase()),
            Some(first) => out.push(first),
            None => {}
        }
        out.push_str(chars.as_str());
    }
    out
}

/// The body in one spelling.
pub(crate) fn parse(bytes: &[u8]) -> Check<Value> {
    match serde_json::from_slice(bytes) {
        Ok(body @ Value::Object(_)) => Ok(one_spelling(body)),
        _ => Err(invalid("Invalid JSON payload received. Expected an object.")),
    }
}

pub(crate) fn check_key(headers: &HeaderMap, query: Option<&str>, key: Option<&str>) -> Check {
    let Some(key) = key else { return Ok(()) };
    let of_header = headers.get("x-goog-api-key").and_then(|value| value.to_str().ok());
    let of_query = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("key=")));
    match of_header.or(of_query) {
        Some(sent) if sent == key => Ok(()),
        Some(_) => Err(invalid("API key not valid. Please pass a valid API key.")),
        None => Err(refusal(
            403,
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
        )),
    }
}

/// The signature that this provider puts on a call, and asks back with it, in whatever order its arguments stand then. It is base64,
/// as clients read it.
pub fn call_signature(name: &str, args: &Value) -> String {
    let mut args = args.clone();
    args.sort_all_objects();
    let mut hasher = DefaultHasher::new();
    "tollgate-sim".hash(&mut hasher);
    name.hash(&mut hasher);
    args.to_string().hash(&mut hasher);
    format!("CiQBsim{:016x}A", hasher.finish())
}

/// The same on Vertex AI, which knows only its own.
pub fn vertex_call_signature(name: &str, args: &Value) -> String {
    call_signature(name, args).replacen("sim", "ver", 1)
}

impl Strictness {
    fn call_signature(&self, name: &str, args: &Value) -> String {
        if self.vertex { vertex_call_signature(name, args) } else { call_signature(name, args) }
    }
}

/// For calls of other models (ai.google.dev/gemini-api/docs/thought-signatures).
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// The size of the prompt.
pub(crate) fn tokens(body: &Value) -> u64 {
    (answer::prompt_text(body).len() as u64 / 4).max(1)
}
