//! A chat client's body to the canonical request.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::Invalid;
use crate::json::{Json, Text};
use crate::request::{Effort, OutputFormat, Reasoning, ReasoningMode, Request, Tool, ToolChoice, ToolKind};

use super::decode_messages;

pub fn decode(body: &[u8]) -> Result<Request<'_>, Invalid> {
    let members: Members<'_> = serde_json::from_slice(body)?;
    let mut request = Request::default();
    let mut messages = None;
    let (mut has_model, mut completion_tokens, mut thinking) = (false, None, None);
    for (name, value) in members.0 {
        if value.get() == "null" {
            continue;
        }
        match name.as_ref() {
            "model" => {
                request.model = string(&name, value)?;
                has_model = true;
            }
            "messages" => messages = Some(value),
            "max_tokens" => request.max_tokens = Some(count(&name, value)?),
            "max_completion_tokens" => completion_tokens = Some(count(&name, value)?),
            "temperature" => request.temperature = Some(number(&name, value)?),
            "top_p" => request.top_p = Some(number(&name, value)?),
            "top_k" => request.top_k = Some(number(&name, value)?),
            "stop" => request.stop = stop(value)?,
            "stream" => request.stream = parse(&name, value, "expected true or false")?,
            "stream_options" => {
                let options: StreamOptions = parse(&name, value, "expected an object")?;
                request.stream_usage = options.include_usage.unwrap_or(false);
            }
            "tools" => request.tools = tools(value)?,
            "tool_choice" => request.tool_choice = Some(tool_choice(value)?),
            "parallel_tool_calls" => request.parallel_tool_calls = Some(parse(&name, value, "expected true or false")?),
            "response_format" => request.output_format = response_format(value)?,
            "reasoning_effort" => {
                let effort = string(&name, value)?;
                let known = Effort::of_name(&effort.decode());
                let known = known.ok_or_else(|| {
                    Invalid::new("reasoning_effort", "expected one of none, minimal, low, medium, high, xhigh, max")
                })?;
                request.reasoning = Some(effort_wish(known));
            }
            // Chat has no such field, but clients that know Claude or a vendor who took it over send it.
            "thinking" => thinking = serde_json::from_str::<WireThinking<'_>>(value.get()).ok(),
            "user" => request.user = Some(string(&name, value)?),
            "functions" | "function_call" => {
                return Err(Invalid::new(
                    &*name,
                    format!("`{name}` is no longer supported; use `tools` and `tool_choice`"),
                ));
            }
            _ => request.extra.push((Text::plain(&name), parse(&name, value, "expected JSON")?)),
        }
    }
    // The newer name wins where both are given.
    request.max_tokens = completion_tokens.or(request.max_tokens);
    let effort = request.reasoning.and_then(|wish| wish.effort);
    request.reasoning = thinking.and_then(|thinking| thinking.wish(effort)).or(request.reasoning);
    if !has_model {
        return Err(Invalid::new("model", "a model is required"));
    }
    decode_messages::decode(messages.ok_or_else(|| Invalid::new("messages", "messages are required"))?, &mut request)?;
    Ok(request)
}

pub fn effort_wish(effort: Effort) -> Reasoning {
    let mode = if effort == Effort::None { ReasoningMode::Off } else { ReasoningMode::Adaptive };
    Reasoning { mode, effort: Some(effort), visible: None }
}

/// `thinking`, in Anthropic's form or in that of the vendors who took it over.
#[derive(Deserialize, Default)]
pub struct WireThinking<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    budget_tokens: Option<u64>,
}

impl WireThinking<'_> {
    pub fn is_switch(&self) -> bool {
        self.budget_tokens.is_none()
            && self.kind.as_ref().is_some_and(|k| matches!(k.escaped(), "enabled" | "disabled"))
    }

    pub fn wish(&self, effort: Option<Effort>) -> Option<Reasoning> {
        let mode = match (self.kind.as_ref()?.escaped(), self.budget_tokens) {
            ("disabled", _) => ReasoningMode::Off,
            ("between_tools", _) => ReasoningMode::BetweenTools,
            (_, Some(tokens)) => ReasoningMode::Budget(tokens),
            _ => ReasoningMode::Adaptive,
        };
        Some(Reasoning { mode, effort, visible: None })
    }
}

/// The members of an object, values unread.
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(key) = map.next_key::<Key<'de>>()? {
                    members.push((key.0, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

pub fn parse<'a, T: Deserialize<'a>>(param: &str, value: &'a RawValue, expected: &str) -> Result<T, Invalid> {
    serde_json::from_str(value.get()).map_err(|_| Invalid::new(param, expected))
}

pub fn string<'a>(param: &str, value: &'a RawValue) -> Result<Text<'a>, Invalid> {
    Text::of_token(value.get()).ok_or_else(|| Invalid::new(param, "expected a string"))
}

fn number<'a>(param: &str, value: &'a RawValue) -> Result<Json<'a>, Invalid> {
    let json: Json<'a> = parse(param, value, "expected a number")?;
    if json.as_f64().is_none() {
        return Err(Invalid::new(param, "expected a number"));
    }
    Ok(json)
}

fn count(param: &str, value: &RawValue) -> Result<u64, Invalid> {
    let json: Json<'_> = parse(param, value, "expected a whole number")?;
    json.as_count().filter(|_| json.as_text().is_none()).ok_or_else(|| Invalid::new(param, "expected a whole number"))
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

fn stop(value: &RawValue) -> Result<Vec<Text<'_>>, Invalid> {
    match Text::of_token(value.get()) {
        Some(one) => Ok(vec![one]),
        None => parse("stop", value, "expected a string or a list of strings"),
    }
}

#[derive(Deserialize)]
struct WireTool<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    function: Option<WireFunction<'a>>,
    #[serde(borrow)]
    custom: Option<WireCustom<'a>>,
}

#[derive(Deserialize)]
struct WireFunction<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    parameters: Option<Json<'a>>,
    strict: Option<bool>,
}

#[derive(Deserialize)]
struct WireCustom<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    format: Option<Json<'a>>,
}

fn tools(value: &RawValue) -> Result<Vec<Tool<'_>>, Invalid> {
    let list: Vec<&RawValue> = parse("tools", value, "expected a list of tools")?;
    list.into_iter().enumerate().map(|(i, tool)| one_tool(i, tool)).collect()
}

fn one_tool(i: usize, value: &RawValue) -> Result<Tool<'_>, Invalid> {
    let at = format!("tools[{i}]");
    let tool: WireTool<'_> = serde_json::from_str(value.get()).map_err(|e| Invalid::new(&at, reason(&e)))?;
    let made = |name, description, kind, strict| Tool {
        name,
        description,
        kind,
        strict,
        deferred: false,
        namespace: None,
        cache: None,
    };
    match (tool.kind.as_ref().map(Text::escaped), tool.function, tool.custom) {
        (Some("function") | None, Some(f), _) => {
            Ok(made(f.name, f.description, ToolKind::Function { schema: f.parameters }, f.strict))
        }
        (Some("custom"), _, Some(c)) => Ok(made(c.name, c.description, ToolKind::Custom { format: c.format }, None)),
        (Some("function") | None, None, _) => Err(Invalid::new(format!("{at}.function"), "a function is required")),
        (Some("custom"), _, None) => Err(Invalid::new(format!("{at}.custom"), "a custom tool is required")),
        (Some(other), ..) => Err(Invalid::new(format!("{at}.type"), format!("unknown tool type `{other}`"))),
    }
}

/// A parser's words without its line and column, which count inside a fragment.
pub fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_string()
}

#[derive(Deserialize)]
struct WireChoice<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    function: Option<Named<'a>>,
    #[serde(borrow)]
    custom: Option<Named<'a>>,
    #[serde(borrow)]
    allowed_tools: Option<Allowed<'a>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Text<'a>,
}

#[derive(Deserialize)]
struct Allowed<'a> {
    #[serde(borrow)]
    mode: Text<'a>,
}

fn tool_choice(value: &RawValue) -> Result<ToolChoice<'_>, Invalid> {
    let unknown = || Invalid::new("tool_choice", "expected none, auto, required or a named tool");
    let word = |word: &str| match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" | "any" => Some(ToolChoice::Required),
        _ => None,
    };
    if let Some(text) = Text::of_token(value.get()) {
        return word(text.escaped()).ok_or_else(unknown);
    }
    let choice: WireChoice<'_> = serde_json::from_str(value.get()).map_err(|_| unknown())?;
    match (choice.kind.escaped(), choice.function, choice.custom, choice.allowed_tools) {
        ("function", Some(named), ..) | ("custom", _, Some(named), _) => Ok(ToolChoice::Named(named.name)),
        ("allowed_tools", _, _, Some(allowed)) => word(allowed.mode.escaped()).ok_or_else(unknown),
        _ => Err(unknown()),
    }
}

#[derive(Deserialize)]
struct WireFormat<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow)]
    json_schema: Option<WireSchema<'a>>,
}

#[derive(Deserialize)]
struct WireSchema<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    schema: Option<Json<'a>>,
    strict: Option<bool>,
}

fn response_format(value: &RawValue) -> Result<Option<OutputFormat<'_>>, Invalid> {
    let format: WireFormat<'_> =
        serde_json::from_str(value.get()).map_err(|e| Invalid::new("response_format", reason(&e)))?;
    match (format.kind.escaped(), format.json_schema) {
        ("text", _) => Ok(None),
        ("json_object", _) => Ok(Some(OutputFormat::JsonObject)),
        ("json_schema", Some(WireSchema { name, description, schema: Some(schema), strict })) => {
            let strict = Some(strict.unwrap_or(false));
            Ok(Some(OutputFormat::JsonSchema { name, description, schema, strict }))
        }
        ("json_schema", _) => Err(Invalid::new("response_format.json_schema.schema", "a schema is required")),
        (other, _) => Err(Invalid::new("response_format.type", format!("unknown format `{other}`"))),
    }
}
