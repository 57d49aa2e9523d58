//! Contents: roles in turn, every call answered at once, signatures where they are due.

use serde_json::{Map, Value};

use super::validate::{known, list, name, object};
use super::{NO_SIGNATURE, Strictness, invalid};
use crate::refusal::Check;

const PART: &[&str] = &[
    "text",
    "thought",
    "thoughtSignature",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "mediaResolution",
    "videoMetadata",
];

/// Of these a part has one.
const DATA: &[&str] =
    &["text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode", "codeExecutionResult"];

pub(super) fn instruction(content: &Value) -> Check {
    object(content, &["role", "parts"], "system_instruction")?;
    let parts = list(&content["parts"], "system_instruction.parts")?;
    match parts.iter().all(|part| part["text"].as_str().is_some_and(|text| !text.is_empty())) {
        true if !parts.is_empty() => Ok(()),
        _ => Err(invalid("system_instruction: only text is supported")),
    }
}

pub(super) fn check(contents: &Value, s: &Strictness) -> Check {
    let contents = list(contents, "contents")?;
    if contents.is_empty() {
        return Err(invalid("* GenerateContentRequest.contents: contents is not specified\n"));
    }
    let mut calls: Vec<&Value> = Vec::new();
    for (i, content) in contents.iter().enumerate() {
        let path = format!("contents[{i}]");
        object(content, &["role", "parts"], &path)?;
        let model = match content["role"].as_str() {
            Some("user") => false,
            Some("model") => true,
            _ => return Err(invalid("Please use a valid role: user, model.")),
        };
        if model != (i % 2 == 1) {
            return Err(invalid("Please ensure that multiturn requests alternate between user and model."));
        }
        let parts = list(&content["parts"], &path)?;
        if parts.is_empty() {
            return Err(invalid(format!(
                "* GenerateContentRequest.contents[{i}].parts: contents.parts must not be empty.\n"
            )));
        }
        for (j, part) in parts.iter().enumerate() {
            check_part(part, model, &format!("{path}.parts[{j}]"), s)?;
        }
        let of = |kind: &str| parts.iter().filter_map(|part| part.get(kind)).collect::<Vec<&Value>>();
        answers(&calls, &of("functionResponse"), s)?;
        calls = of("functionCall");
    }
    if contents.len() % 2 == 0 {
        return Err(invalid("Please ensure that multiturn requests end with a user turn or a function response."));
    }
    if s.signatures { signatures(contents, s) } else { Ok(()) }
}

fn check_part(part: &Value, model: bool, path: &str, s: &Strictness) -> Check {
    let fields = object(part, PART, path)?;
    let data: Vec<&str> = DATA.iter().copied().filter(|key| fields.contains_key(*key)).collect();
    let [kind] = data[..] else {
        return Err(invalid(format!("{path}: required oneof field 'data' must have one initialized field")));
    };
    let value = &part[kind];
    match kind {
        "text" if value.is_string() && (model || value != "") => Ok(()),
        "text" => Err(invalid(format!("Unable to submit request because it must have a text parameter: {path}"))),
        "inlineData" => blob(value, path),
        "fileData" => object(value, &["mimeType", "fileUri", "displayName"], path).map(drop),
        "functionCall" if model => {
            let call = object(value, &["id", "name", "args"], &format!("{path}.function_call"))?;
            with_id(call, &format!("{path}.function_call"), s)?;
            name(&value["name"], path)?;
            match &value["args"] {
                Value::Null | Value::Object(_) => Ok(()),
                other => Err(invalid(format!("Invalid value at '{path}.function_call.args' (Struct), {other}"))),
            }
        }
        "functionResponse" if !model => response(value, &format!("{path}.function_response"), s),
        "executableCode" | "codeExecutionResult" if model => Ok(()),
        _ => Err(invalid(format!("{path}: this role cannot have a part of this kind ({kind})"))),
    }
}

fn with_id(object: &Map<String, Value>, path: &str, s: &Strictness) -> Check {
    if s.ids { Ok(()) } else { known(object, &["name", "args", "response", "parts"], path) }
}

fn blob(value: &Value, path: &str) -> Check {
    object(value, &["mimeType", "data", "displayName"], &format!("{path}.inline_data"))?;
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_');
    match (value["mimeType"].as_str(), value["data"].as_str()) {
        (Some(kind), Some(data)) if kind.contains('/') && !data.is_empty() && data.chars().all(base64) => Ok(()),
        _ => Err(invalid(format!("Invalid value at '{path}.inline_data' (TYPE_BYTES), Base64 decoding failed"))),
    }
}

fn response(value: &Value, path: &str, s: &Strictness) -> Check {
    let fields = object(value, &["id", "name", "response", "parts"], path)?;
    with_id(fields, path, s)?;
    name(&value["name"], path)?;
    if !value["response"].is_object() {
        return Err(invalid(format!("Invalid value at '{path}.response' (Struct), {}", value["response"])));
    }
    if !s.media_in_responses {
        return known(fields, &["id", "name", "response"], path);
    }
    list(&value["parts"], path)?.iter().try_for_each(|part| blob(&part["inlineData"], path))
}

/// The calls of one content are answered in the next one: all, and nothing else.
fn answers(calls: &[&Value], responses: &[&Value], s: &Strictness) -> Check {
    if calls.is_empty() && !responses.is_empty() {
        return Err(invalid("Please ensure that function response turn comes immediately after a function call turn."));
    }
    if calls.len() != responses.len() {
        return Err(invalid(
            "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
        ));
    }
    let fits = |call: &Value, response: &Value| {
        call["name"] == response["name"] && (!s.ids || call["id"].is_null() || call["id"] == response["id"])
    };
    match calls.iter().all(|call| responses.iter().any(|response| fits(call, response))) {
        true => Ok(()),
        false => Err(invalid("Please ensure that function responses match the names and ids of the function calls.")),
    }
}

/// Since the user's last words, the first call of each content has the signature that was given with it, or the documented
/// word for none. Signatures of other calls are no calls' of ours either.
fn signatures(contents: &[Value], s: &Strictness) -> Check {
    let parts = |content: &Value| content["parts"].as_array().cloned().unwrap_or_default();
    let says = |content: &Value| content["role"] == "user" && parts(content).iter().any(|p| p.get("text").is_some());
    let current = contents.iter().rposition(says).unwrap_or(0);
    for (i, content) in contents.iter().enumerate() {
        let mut first = true;
        for (j, part) in parts(content).iter().enumerate() {
            let given = part["thoughtSignature"].as_str();
            let Some(call) = part.get("functionCall") else {
                if given == Some(NO_SIGNATURE) {
                    return Err(invalid("Thought signature is not valid."));
                }
                continue;
            };
            let own = s.call_signature(call["name"].as_str().unwrap_or(""), &call["args"]);
            match given {
                None if std::mem::take(&mut first) && i > current => {
                    return Err(invalid(format!(
                        "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance. Additional data, function call `default_api:{}` , position {j}.",
                        call["name"].as_str().unwrap_or("")
                    )));
                }
                None => {}
                Some(given) if given == own || given == NO_SIGNATURE => first = false,
                Some(_) if s.vertex => {
                    return Err(invalid("Unable to submit request because Thought signature is not valid."));
                }
                Some(_) => return Err(invalid("Thought signature is not valid.")),
            }
        }
    }
    Ok(())
}
