//! Tools and the choice among them.

use crate::error::{ChangeKind, Unsupported};
use crate::json::{Json, Text};
use crate::names::safe_tool_name;
use crate::openai_responses::wire::is_hosted_tool;
use crate::quirks::ToolChoiceForms;
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use crate::schema;
use crate::search::{self, Wish};

use super::encode::Out;
use super::params;

/// Claude Code's stand-in for tools that it loads on demand. It cannot be called.
const PLACEHOLDER: &str = "DeferredToolPlaceholder";

/// What stands for the free text of a custom tool where there are only functions.
pub const FREE_TEXT: Json<'static> =
    Json::literal(r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#);

/// A tool that runs in the client and has no schema on Anthropic's wire, with the input that its documentation gives it
/// (<https://platform.claude.com/docs/en/agents-and-tools/tool-use>, 2026-11-21).
pub struct ClientTool {
    kind: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub schema: &'static str,
}

const CLIENT_TOOLS: [ClientTool; 4] = [
    ClientTool {
        kind: "bash_",
        name: "bash",
        description: "Runs a command in a persistent bash session and gives its output.",
        schema: r#"{"type":"object","properties":{"command":{"type":"string","description":"The command to run. Required unless the session is restarted."},"restart":{"type":"boolean","description":"True restarts the session."}}}"#,
    },
    // The first that fits counts: these older versions come before their kin.
    ClientTool {
        kind: "text_editor_20250124",
        name: "str_replace_editor",
        description: "Views, creates and edits text files.",
        schema: r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","undo_edit"]},"path":{"type":"string","description":"The file or directory."},"file_text":{"type":"string","description":"For create: the whole content."},"old_str":{"type":"string","description":"For str_replace: the text to replace, exactly once in the file."},"new_str":{"type":"string","description":"For str_replace: the new text. For insert: the text to insert."},"insert_line":{"type":"integer","description":"For insert: the line after which to insert; 0 for the beginning."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: first and last line, counted from 1; -1 is the last line."}},"required":["command","path"]}"#,
    },
    ClientTool {
        kind: "text_editor_",
        name: "str_replace_based_edit_tool",
        description: "Views, creates and edits text files.",
        schema: r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert"]},"path":{"type":"string","description":"The file or directory."},"file_text":{"type":"string","description":"For create: the whole content."},"old_str":{"type":"string","description":"For str_replace: the text to replace, exactly once in the file."},"new_str":{"type":"string","description":"For str_replace: the new text."},"insert_line":{"type":"integer","description":"For insert: the line after which to insert; 0 for the beginning."},"insert_text":{"type":"string","description":"For insert: the text to insert."},"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: first and last line, counted from 1; -1 is the last line."}},"required":["command","path"]}"#,
    },
    ClientTool {
        kind: "memory_",
        name: "memory",
        description: "Keeps notes in files under /memories that outlast the conversation.",
        schema: r#"{"type":"object","properties":{"command":{"type":"string","enum":["view","create","str_replace","insert","delete","rename"]},"path":{"type":"string","description":"The file or directory, under /memories."},"view_range":{"type":"array","items":{"type":"integer"}},"file_text":{"type":"string","description":"For create: the whole content."},"old_str":{"type":"string"},"new_str":{"type":"string"},"insert_line":{"type":"integer"},"insert_text":{"type":"string"},"old_path":{"type":"string","description":"For rename."},"new_path":{"type":"string","description":"For rename."}},"required":["command"]}"#,
    },
];

/// Writes tools and choice. Gives sentences for the system prompt: about tools that do not exist here, and about a choice that
/// the target refuses.
pub fn write(out: &mut Out<'_>, request: &Request<'_>) -> Result<Vec<String>, Unsupported> {
    // It searches in every request, whether or not the model would: not beside tools that the model chooses among.
    let plugin = out.quirks().web_plugin && request.tools.iter().all(search::is_search);
    let own = if plugin { |kind: &str| kind.starts_with("web_search") } else { |_: &str| false };
    let Some((kept, mut notes)) = available(out, request, own)? else { return Ok(Vec::new()) };
    if plugin {
        search_plugin(out, request);
        return Ok(notes);
    }
    out.writer.key("tools").open_array();
    for tool in &kept {
        if tool.has_grammar() {
            out.change(ChangeKind::Dropped, "grammar");
        }
        write_tool(out, tool);
    }
    out.writer.close_array();
    let (choice, note) = fitting_choice(out, request, &kept)?;
    if let Some(choice) = choice {
        write_choice(out, choice);
    }
    parallel(out, request)?;
    notes.extend(note);
    Ok(notes)
}

/// OpenRouter's (openrouter.ai/docs, web search, 2026-11): it searches for any model, and cites what it found.
fn search_plugin(out: &mut Out<'_>, request: &Request<'_>) {
    out.writer.key("plugins").raw(r#"[{"id":"web"}]"#);
    let wish = Wish::of(request, search::is_search);
    let limits: Vec<&str> = wish.iter().flat_map(Wish::limits).collect();
    limits.into_iter().for_each(|limit| out.change(ChangeKind::Dropped, limit));
}

/// The tools that are sent, and sentences for the system prompt.
pub type Available<'r, 'a> = (Vec<&'r Tool<'a>>, Vec<String>);

/// The tools that are sent, and a sentence about those that do not exist here. `None`: there are no tools. `own` knows the
/// types of tools that the target runs itself.
pub fn available<'r, 'a>(
    out: &mut Out<'_>,
    request: &'r Request<'a>,
    own: fn(&str) -> bool,
) -> Result<Option<Available<'r, 'a>>, Unsupported> {
    let (kept, missing) = sort_out(&request.tools, own);
    if kept.is_empty() {
        return match missing.first() {
            Some(first) => Err(no_such_tool(first, out.target.label)),
            None => Ok(None),
        };
    }
    if !out.quirks().tools {
        out.refused("tools", "")?;
        return Ok(None);
    }
    for tool in &missing {
        out.change(ChangeKind::Dropped, &tool.name);
    }
    Ok(Some((kept, note_of(&missing).into_iter().collect())))
}

/// The sentence for the system prompt about tools that are not there.
pub fn note_of(missing: &[Missing]) -> Option<String> {
    let names: Vec<&str> = missing.iter().map(|tool| tool.name.as_str()).collect();
    let note =
        || format!("These tools are not available in this session, whatever else you were told: {}.", names.join(", "));
    (!names.is_empty()).then(note)
}

/// A tool that only its maker can run, and who that is.
pub struct Missing {
    pub name: String,
    home: &'static str,
}

/// Tools that a model can be given, and those that it cannot.
pub fn sort_out<'r, 'a>(tools: &'r [Tool<'a>], own: fn(&str) -> bool) -> (Vec<&'r Tool<'a>>, Vec<Missing>) {
    let mut kept = Vec::with_capacity(tools.len());
    let mut missing = Vec::new();
    for tool in tools {
        match &tool.kind {
            _ if tool.name.escaped() == PLACEHOLDER => {}
            ToolKind::Function { .. } | ToolKind::Custom { .. } => kept.push(tool),
            ToolKind::Client { kind, .. } if documented(kind).is_some() => kept.push(tool),
            ToolKind::Server { kind, .. } if own(kind.escaped()) => kept.push(tool),
            // Every tool is sent, so there is nothing to search for.
            ToolKind::Server { kind, .. } if kind.escaped().starts_with("tool_search") => {}
            ToolKind::Client { kind, .. } | ToolKind::Server { kind, .. } => {
                let name = if tool.name.is_empty() { kind } else { &tool.name };
                let home = match kind.escaped() {
                    kind if is_hosted_tool(kind) => "OpenAI",
                    // Only Google writes `codeExecution`, `urlContext`.
                    kind if kind.contains(char::is_uppercase) => "Google",
                    _ => "Anthropic",
                };
                missing.push(Missing { name: name.decode().into_owned(), home });
            }
        }
    }
    (kept, missing)
}

pub fn documented(kind: &Text<'_>) -> Option<&'static ClientTool> {
    CLIENT_TOOLS.iter().find(|tool| kind.escaped().starts_with(tool.kind))
}

pub fn no_such_tool(Missing { name, home }: &Missing, label: &str) -> Unsupported {
    let what = name.replace('_', " ");
    Unsupported {
        param: "tools".into(),
        message: format!(
            "{name}: {label} has no {what}; it runs at {home} only. Route this request to {home}, or switch the tool off in the client."
        ),
    }
}

fn write_tool(out: &mut Out<'_>, tool: &Tool<'_>) {
    let quirks = out.quirks();
    let writer = &mut out.writer;
    let limit = quirks.tool_names;
    writer.open_object().key("type").text(&Text::literal("function")).key("function").open_object();
    writer.key("name");
    let described = |writer: &mut crate::json::Writer, name: &Text<'_>, description: Option<&Text<'_>>| {
        writer.text(&safe_tool_name(name, limit));
        if let Some(description) = description {
            writer.key("description").text(description);
        }
    };
    match &tool.kind {
        ToolKind::Function { schema } => {
            described(writer, &tool.name, tool.description.as_ref());
            let empty = schema::EMPTY;
            let schema = schema.as_ref().filter(|s| !s.is_null()).unwrap_or(&empty);
            let cleaned = schema::clean(schema, quirks.schema, &quirks.schema_drops);
            writer.key("parameters").json(&cleaned);
            if let Some(strict) = tool.strict
                && quirks.strict_tools
                && (!strict || schema::is_strict(&cleaned))
            {
                writer.key("strict").bool(strict);
            } else if tool.strict == Some(true) {
                out.change(ChangeKind::Dropped, "strict");
            }
        }
        ToolKind::Custom { .. } => {
            described(writer, &tool.name, tool.description.as_ref());
            writer.key("parameters").json(&FREE_TEXT);
        }
        ToolKind::Client { kind, .. } | ToolKind::Server { kind, .. } => {
            let known = documented(kind).unwrap_or(&CLIENT_TOOLS[0]);
            let name = if tool.name.is_empty() { &Text::literal(known.name) } else { &tool.name };
            described(writer, name, Some(&Text::literal(known.description)));
            writer.key("parameters").raw(known.schema);
        }
    }
    out.writer.close_object().close_object();
}

/// The choice as the target takes it, and the sentence that stands in for a forced one that it refuses. `None`: none is
/// written.
pub fn fitting_choice<'r, 'a>(
    out: &mut Out<'_>,
    request: &'r Request<'a>,
    kept: &[&Tool<'_>],
) -> Result<(Option<&'r ToolChoice<'a>>, Option<String>), Unsupported> {
    let forms = out.quirks().tool_choice;
    let limit = out.quirks().tool_names;
    let mut choice = request.tool_choice.as_ref();
    let forced = matches!(choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    let gone = matches!(choice, Some(ToolChoice::Named(name)) if !kept.iter().any(|t| t.name == *name));
    let while_thinking = !out.quirks().forced_tool_while_thinking && params::thinks(request);
    let mut note = None;
    if (forced && (forms == ToolChoiceForms::AutoNone || while_thinking)) || gone {
        out.change(ChangeKind::Softened, "tool_choice");
        note =
            choice.filter(|_| !gone).and_then(|choice| choice.in_words(limit)).map(|words| words.decode().into_owned());
        choice = Some(&ToolChoice::Auto);
    } else if forms == ToolChoiceForms::Words && matches!(choice, Some(ToolChoice::Named(_))) {
        out.change(ChangeKind::Softened, "tool_choice");
        choice = Some(&ToolChoice::Required);
    }
    let Some(wanted) = choice else { return Ok((None, note)) };
    let idle = *wanted == ToolChoice::Auto && out.quirks().refuses.iter().any(|r| r == "tool_choice");
    let written = !idle && out.takes("tool_choice", "")?;
    Ok((choice.filter(|_| written), note))
}

fn write_choice(out: &mut Out<'_>, choice: &ToolChoice<'_>) {
    let quirks = out.quirks();
    let writer = out.writer.key("tool_choice");
    match choice {
        ToolChoice::Auto => writer.str("auto"),
        ToolChoice::None => writer.str("none"),
        ToolChoice::Required if quirks.tool_choice == ToolChoiceForms::Any => writer.str("any"),
        ToolChoice::Required => writer.str("required"),
        ToolChoice::Named(name) => writer
            .open_object()
            .key("type")
            .str("function")
            .key("function")
            .open_object()
            .key("name")
            .text(&safe_tool_name(name, quirks.tool_names))
            .close_object()
            .close_object(),
    };
}

/// Whether an answer may have several calls.
pub fn parallel(out: &mut Out<'_>, request: &Request<'_>) -> Result<(), Unsupported> {
    let Some(parallel) = request.parallel_tool_calls else { return Ok(()) };
    if !out.quirks().parallel_tool_calls {
        if !parallel {
            out.change(ChangeKind::Dropped, "parallel_tool_calls");
        }
    } else if out.takes("parallel_tool_calls", "")? {
        out.writer.key("parallel_tool_calls").bool(parallel);
    }
    Ok(())
}
