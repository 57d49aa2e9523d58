//! Tools and the choice among them.

use super::config::schema_form;
use super::encode::Out;
use crate::error::{ChangeKind, Unsupported};
use crate::json::{Json, Text, Writer};
use crate::names::safe_tool_name;
use crate::openai_chat::request::tools::{documented, no_such_tool, note_of, sort_out};
use crate::quirks::SchemaForm;
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use crate::schema;
use crate::search::{self, Wish};

/// What a tool of free text takes as a function.
const FREE_TEXT: Json<'static> =
    Json::literal(r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#);

/// Writes tools and choice. Gives sentences for the system prompt about tools that do not exist here.
pub fn write(out: &mut Out<'_>, request: &Request<'_>) -> Result<Vec<String>, Unsupported> {
    let (kept, missing) = sort_out(&request.tools, |_| false);
    if !out.quirks().tools && !request.tools.is_empty() {
        out.refused("tools", "")?;
        return Ok(Vec::new());
    }
    if kept.is_empty()
        && let Some(first) = missing.first()
        && !request.tools.iter().all(search::is_search)
    {
        return Err(no_such_tool(first, out.target.label));
    }
    let searches = request.extra.iter().any(|(name, value)| name.escaped() == search::OPTIONS && !value.is_null());
    if kept.is_empty() {
        // Google's search goes alone: most models refuse it beside functions.
        if searches || !missing.is_empty() {
            out.writer.key("tools").raw(r#"[{"googleSearch":{}}]"#);
            let wish = Wish::of(request, search::is_search);
            let limits: Vec<&str> = wish.iter().flat_map(Wish::limits).collect();
            limits.into_iter().for_each(|limit| out.change(ChangeKind::Dropped, limit));
        }
        return Ok(Vec::new());
    }
    if searches {
        out.refused(search::OPTIONS, "")?;
    }
    for tool in &missing {
        out.change(ChangeKind::Dropped, &tool.name);
    }
    out.writer.key("tools").open_array().open_object().key("functionDeclarations").open_array();
    for tool in &kept {
        if tool.has_grammar() {
            out.change(ChangeKind::Dropped, "grammar");
        }
        if tool.strict == Some(true) {
            out.change(ChangeKind::Dropped, "strict");
        }
        declaration(out, tool);
    }
    out.writer.close_array().close_object().close_array();
    choice(out, request, &kept);
    if request.parallel_tool_calls == Some(false) {
        out.change(ChangeKind::Dropped, "parallel_tool_calls");
    }
    Ok(note_of(&missing).into_iter().collect())
}

fn declaration(out: &mut Out<'_>, tool: &Tool<'_>) {
    let quirks = out.quirks();
    let form = schema_form(out.target);
    let writer = &mut out.writer;
    writer.open_object().key("name");
    let described = |writer: &mut Writer, name: &Text<'_>, description: Option<&Text<'_>>| {
        writer.text(&safe_tool_name(name, quirks.tool_names));
        if let Some(description) = description {
            writer.key("description").text(description);
        }
    };
    let documented = match &tool.kind {
        ToolKind::Client { kind, .. } | ToolKind::Server { kind, .. } => documented(kind),
        _ => None,
    };
    let schema = match (&tool.kind, documented) {
        (_, Some(known)) => {
            let name = if tool.name.is_empty() { &Text::literal(known.name) } else { &tool.name };
            described(writer, name, Some(&Text::literal(known.description)));
            Json::literal(known.schema)
        }
        (ToolKind::Function { schema }, _) => {
            described(writer, &tool.name, tool.description.as_ref());
            schema.as_ref().filter(|schema| !schema.is_null()).map_or(schema::EMPTY, Json::borrowed)
        }
        _ => {
            described(writer, &tool.name, tool.description.as_ref());
            FREE_TEXT
        }
    };
    let cleaned = schema::clean(&schema, form, &quirks.schema_drops);
    if form == SchemaForm::GeminiJson {
        writer.key("parametersJsonSchema").json(&cleaned);
    } else if !takes_nothing(&cleaned) {
        // The subset knows no object without properties: such a function has no parameters.
        writer.key("parameters").json(&cleaned);
    }
    writer.close_object();
}

fn takes_nothing(schema: &Json<'_>) -> bool {
    schema.to_value()["properties"].as_object().is_none_or(serde_json::Map::is_empty)
}

fn choice(out: &mut Out<'_>, request: &Request<'_>, kept: &[&Tool<'_>]) {
    let Some(choice) = &request.tool_choice else { return };
    let quirks = out.quirks();
    let named = match choice {
        ToolChoice::Named(name) => Some(name).filter(|name| kept.iter().any(|tool| tool.name == **name)),
        _ => None,
    };
    let mode = match choice {
        ToolChoice::Auto => "AUTO",
        ToolChoice::None => "NONE",
        ToolChoice::Required => "ANY",
        ToolChoice::Named(_) if named.is_some() => "ANY",
        ToolChoice::Named(_) => {
            out.change(ChangeKind::Softened, "tool_choice");
            "AUTO"
        }
    };
    let writer = &mut out.writer;
    writer.key("toolConfig").open_object().key("functionCallingConfig").open_object().key("mode").str(mode);
    if let Some(name) = named {
        writer.key("allowedFunctionNames").open_array().text(&safe_tool_name(name, quirks.tool_names)).close_array();
    }
    writer.close_object().close_object();
}
