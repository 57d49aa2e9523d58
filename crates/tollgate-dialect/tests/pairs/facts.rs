//! What a request says, apart from how it is cut into blocks: named facts that can be compared between dialects.

use std::collections::BTreeMap;

use tollgate_dialect::request::{
    Media, Message, OutputFormat, Part, ReasoningMode, Request, Role, Source, TextPart, Tool, ToolChoice, ToolInput,
    ToolKind,
};

pub type Facts = BTreeMap<&'static str, String>;

pub fn of(request: &Request<'_>) -> Facts {
    let mut facts = Facts::new();
    let mut put = |name, value: String| {
        if !value.is_empty() {
            facts.insert(name, value);
        }
    };
    put("system", joined(&request.system));
    put("conversation", conversation(&request.messages));
    put("tools", request.tools.iter().map(tool).collect::<Vec<_>>().join("; "));
    put("tool_choice", request.tool_choice.as_ref().map(choice).unwrap_or_default());
    // Where no tool may be called, two cannot be.
    let one_call = request.parallel_tool_calls == Some(false) && request.tool_choice != Some(ToolChoice::None);
    put("one_call", if one_call { "yes".into() } else { String::new() });
    put("max_tokens", request.max_tokens.map(|n| n.to_string()).unwrap_or_default());
    put("stop", request.stop.iter().map(|stop| stop.decode().into_owned()).collect::<Vec<_>>().join(", "));
    for (name, value) in [("temperature", &request.temperature), ("top_p", &request.top_p), ("top_k", &request.top_k)] {
        put(name, value.as_ref().map(|json| json.get().to_owned()).unwrap_or_default());
    }
    put("effort", effort(request));
    put("format", request.output_format.as_ref().map(format).unwrap_or_default());
    put("user", request.user.as_ref().map(|user| user.decode().into_owned()).unwrap_or_default());
    facts
}

/// White space between blocks is the dialects' own.
fn words(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn joined(parts: &[TextPart<'_>]) -> String {
    parts.iter().map(|part| words(&part.text.decode())).collect()
}

fn effort(request: &Request<'_>) -> String {
    match &request.reasoning {
        Some(reasoning) => match (reasoning.mode, reasoning.effort) {
            (ReasoningMode::Off, _) => "none".into(),
            (_, effort) => effort.map(|effort| effort.name().to_owned()).unwrap_or_default(),
        },
        None => String::new(),
    }
}

fn tool(tool: &Tool<'_>) -> String {
    let schema = match &tool.kind {
        ToolKind::Function { schema } => {
            schema.as_ref().map(|schema| schema.to_value().to_string()).unwrap_or_default()
        }
        other => format!("{other:?}"),
    };
    let description = tool.description.as_ref().map(|text| text.decode().into_owned()).unwrap_or_default();
    format!("{}: {description} {schema}", tool.name.decode())
}

fn choice(choice: &ToolChoice<'_>) -> String {
    match choice {
        // The default everywhere.
        ToolChoice::Auto => String::new(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => format!("the tool {}", name.decode()),
        ToolChoice::None => "none".into(),
    }
}

fn format(format: &OutputFormat<'_>) -> String {
    match format {
        OutputFormat::JsonObject => "an object".into(),
        OutputFormat::JsonSchema { schema, .. } => schema.to_value().to_string(),
    }
}

/// One line for each thing said; texts of one speaker in a row are one.
fn conversation(messages: &[Message<'_>]) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    for message in messages {
        for part in &message.parts {
            let (who, what) = said(message.role, part);
            match lines.last_mut() {
                Some((last, text)) if *last == who && (who == "user" || who == "assistant") => text.push_str(&what),
                _ => lines.push((who, what)),
            }
        }
    }
    lines.iter().map(|(who, what)| format!("{who}: {what}\n")).collect()
}

fn said(role: Role, part: &Part<'_>) -> (String, String) {
    match part {
        Part::Text(text) => {
            let who = if role == Role::Assistant { "assistant" } else { "user" };
            (who.into(), words(&text.text.decode()))
        }
        Part::Media(media) => ("media".into(), data(media)),
        Part::ToolCall(call) => {
            let input = match &call.input {
                ToolInput::Object(json) => json.to_value(),
                ToolInput::Arguments(text) | ToolInput::Freeform(text) => {
                    serde_json::from_str(&text.decode()).unwrap_or_default()
                }
            };
            ("call".into(), format!("{} {} {input}", call.id.decode(), call.name.decode()))
        }
        Part::ToolResult(result) => {
            let content: Vec<String> = result.content.iter().map(|part| said(Role::User, part).1).collect();
            ("result".into(), format!("{} {}", result.id.decode(), content.join(" ")))
        }
        other => ("other".into(), format!("{other:?}")),
    }
}

fn data(media: &Media<'_>) -> String {
    match &media.source {
        Source::Base64 { media_type, data } => format!("{} {}", media_type.decode(), data.decode()),
        other => format!("{other:?}"),
    }
}
