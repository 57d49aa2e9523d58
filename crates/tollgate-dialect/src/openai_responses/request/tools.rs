//! Tools and the choice among them.
//!
//! Namespaces are flattened: every server of this API takes functions, and the answer finds its way back by the name.

use crate::error::{ChangeKind, Unsupported};
use crate::json::{Json, Text, Writer};
use crate::names::safe_tool_name;
use crate::openai_chat::request::Out;
use crate::openai_chat::request::tools::{FREE_TEXT, available, documented, fitting_choice, parallel};
use crate::openai_responses::wire::is_hosted_tool;
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use crate::scan::{Raw, object};
use crate::schema;
use crate::search::{self, Wish};

/// Gives sentences for the system prompt.
pub fn write(out: &mut Out<'_>, request: &Request<'_>) -> Result<Vec<String>, Unsupported> {
    let plain = out.quirks().plain_tools;
    let own = if plain { |_: &str| false } else { |kind: &str| is_hosted_tool(kind) || search::is_anthropics(kind) };
    let searches = !plain && out.quirks().tools;
    let wish = Wish::of(request, |tool| search::is_search(tool) && !search::is_openais(tool)).filter(|_| searches);
    let (mut kept, mut notes) = match (available(out, request, own)?, &wish) {
        (Some(available), _) => available,
        (None, Some(_)) => (Vec::new(), Vec::new()),
        (None, None) => return Ok(Vec::new()),
    };
    let all = kept.clone();
    kept.retain(|tool| search::is_openais(tool) || !search::is_search(tool));
    out.writer.key("tools").open_array();
    for tool in &kept {
        if out.quirks().plain_tools && tool.has_grammar() {
            out.change(ChangeKind::Dropped, "grammar");
        }
        write_tool(out, tool);
    }
    if let Some(wish) = &wish {
        out.writer.raw(&wish.for_openai());
    }
    out.writer.close_array();
    if let Some(wish) = &wish {
        limits(out, wish);
    }
    let (choice, note) = fitting_choice(out, request, &all)?;
    if let Some(choice) = choice {
        write_choice(out, choice, &all);
    }
    parallel(out, request)?;
    notes.extend(note);
    Ok(notes)
}

/// What is asked of a search beside the tool.
fn limits(out: &mut Out<'_>, wish: &Wish<'_>) {
    if let Some(most) = wish.most() {
        out.writer.key("max_tool_calls").number(most);
    }
    if wish.limits().any(|limit| limit == "blocked_domains") {
        out.change(ChangeKind::Dropped, "blocked_domains");
    }
}

fn write_tool(out: &mut Out<'_>, tool: &Tool<'_>) {
    let quirks = out.quirks();
    let writer = &mut out.writer;
    let begin = |writer: &mut Writer, kind: &str, name: &Text<'_>, description: Option<&Text<'_>>| {
        writer.open_object().key("type").str(kind).key("name").text(&safe_tool_name(name, quirks.tool_names));
        if let Some(description) = description {
            writer.key("description").text(description);
        }
    };
    match &tool.kind {
        ToolKind::Function { schema } => {
            begin(writer, "function", &tool.name, tool.description.as_ref());
            let empty = schema::EMPTY;
            let schema = schema.as_ref().filter(|s| !s.is_null()).unwrap_or(&empty);
            let cleaned = schema::clean(schema, quirks.schema, &quirks.schema_drops);
            // Unless it is said, a tool is strict here.
            let strict = tool.strict == Some(true) && quirks.strict_tools && schema::is_strict(&cleaned);
            writer.key("parameters").json(&cleaned).key("strict").bool(strict).close_object();
            if tool.strict == Some(true) && !strict {
                out.change(ChangeKind::Dropped, "strict");
            }
        }
        ToolKind::Custom { .. } if quirks.plain_tools => {
            begin(writer, "function", &tool.name, tool.description.as_ref());
            writer.key("parameters").json(&FREE_TEXT).key("strict").bool(false).close_object();
        }
        ToolKind::Custom { format } => {
            begin(writer, "custom", &tool.name, tool.description.as_ref());
            if let Some(format) = format.as_ref().filter(|format| format.is_object()) {
                writer.key("format").raw(&flat(format));
            }
            writer.close_object();
        }
        ToolKind::Server { fields, .. } => _ = writer.json(fields),
        ToolKind::Client { kind, .. } => {
            let Some(known) = documented(kind) else { return };
            let name = if tool.name.is_empty() { &Text::literal(known.name) } else { &tool.name };
            begin(writer, "function", name, Some(&Text::literal(known.description)));
            writer.key("parameters").raw(known.schema).key("strict").bool(false).close_object();
        }
    }
}

/// Chat has a grammar one level deeper: `{type, grammar: {syntax, definition}}`.
fn flat(format: &Json<'_>) -> String {
    object! {
        Format {
            kind = "type",
            grammar,
        }
    }
    let inner = Format::parse(format.get()).ok().and_then(|f| Some((f.kind?, f.grammar.filter(|g| g.is_object())?)));
    match inner.map(|(kind, grammar): (Raw<'_>, Raw<'_>)| (kind.get(), grammar.get().trim_start_matches('{').trim())) {
        Some((kind, "}")) => format!("{{\"type\":{kind}}}"),
        Some((kind, members)) => format!("{{\"type\":{kind},{members}"),
        None => format.get().to_string(),
    }
}

fn write_choice(out: &mut Out<'_>, choice: &ToolChoice<'_>, kept: &[&Tool<'_>]) {
    let (limit, plain) = (out.quirks().tool_names, out.quirks().plain_tools);
    let writer = out.writer.key("tool_choice");
    match choice {
        ToolChoice::Auto => writer.str("auto"),
        ToolChoice::None => writer.str("none"),
        ToolChoice::Required => writer.str("required"),
        ToolChoice::Named(name) => {
            let kind = kept.iter().find(|tool| tool.name == *name).map(|tool| &tool.kind);
            writer.open_object().key("type");
            match kind {
                Some(ToolKind::Server { kind, .. }) if search::is_anthropics(kind.escaped()) => {
                    writer.str("web_search")
                }
                Some(ToolKind::Server { kind, .. }) => writer.text(kind),
                Some(ToolKind::Custom { .. }) if !plain => {
                    writer.str("custom").key("name").text(&safe_tool_name(name, limit))
                }
                _ => writer.str("function").key("name").text(&safe_tool_name(name, limit)),
            };
            writer.close_object()
        }
    };
}
