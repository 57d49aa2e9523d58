//! Tools and the choice among them.

use crate::anthropic_messages::request::Form;
use crate::error::{ChangeKind, Unsupported};
use crate::json::{Json, Text};
use crate::names::safe_tool_name;
use crate::openai_chat::request::tools::{FREE_TEXT, documented, no_such_tool, note_of, sort_out};
use crate::quirks::{Maker, ToolChoiceForms};
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use crate::schema;

use super::encode::Out;
use super::native::Native;
use super::thinking::Thinking;

/// A conversation with calls is refused without tools, and there are none any more. LiteLLM 1.109.1 adds one, too.
const STAND_IN: &str = r#"{"toolSpec":{"name":"unavailable","description":"Stands for the tools of earlier turns, which are gone. Never call it.","inputSchema":{"json":{"type":"object","properties":{}}}}}"#;

/// Anthropic's tools of this kind have no schema: they go to Claude as they are, under a beta.
const COMPUTER: &str = "computer_";

/// What goes into `toolConfig`, and what the model is told beside it.
pub struct Offer<'r, 'a> {
    tools: Vec<&'r Tool<'a>>,
    stand_in: bool,
    choice: Option<&'r ToolChoice<'a>>,
    /// Tools in their maker's form.
    native: Vec<(&'r Text<'a>, &'r Json<'a>)>,
    pub notes: Vec<Text<'static>>,
}

/// `history`: the conversation has calls or results.
pub fn choose<'r, 'a>(
    out: &mut Out<'_>,
    request: &'r Request<'a>,
    history: bool,
    thinking: &Thinking,
) -> Result<Offer<'r, 'a>, Unsupported> {
    let quirks = out.quirks();
    let mut offer = Offer { tools: Vec::new(), stand_in: false, choice: None, native: Vec::new(), notes: Vec::new() };
    if !quirks.tools && !request.tools.is_empty() {
        out.refused("tools", "")?;
    } else {
        offered(out, request, &mut offer)?;
    }
    let none = request.tool_choice == Some(ToolChoice::None);
    if none && !history {
        offer.tools.clear();
        offer.native.clear();
    }
    let called = if none { None } else { request.tool_choice.as_ref() };
    if offer.tools.is_empty() {
        offer.stand_in = history;
        if history && offer.native.is_empty() {
            out.change(ChangeKind::Rewritten, "tools");
        }
        return Ok(offer);
    }
    if none {
        out.change(ChangeKind::Softened, "tool_choice");
        offer.notes.push(Text::literal("Do not call any tool in this answer."));
    }
    choice(out, called, &mut offer, thinking);
    if request.parallel_tool_calls == Some(false) {
        out.change(ChangeKind::Dropped, "parallel_tool_calls");
    }
    Ok(offer)
}

fn offered<'r, 'a>(out: &mut Out<'_>, request: &'r Request<'a>, offer: &mut Offer<'r, 'a>) -> Result<(), Unsupported> {
    let claude = out.quirks().converse.maker == Maker::Anthropic;
    let (kept, mut missing) = sort_out(&request.tools, |_| false);
    for tool in request.tools.iter().filter(|_| claude) {
        if let ToolKind::Client { kind, fields } = &tool.kind
            && kind.escaped().starts_with(COMPUTER)
        {
            missing.retain(|lost| lost.name != *tool.name.decode());
            offer.native.push((kind, fields));
        }
    }
    if kept.is_empty()
        && offer.native.is_empty()
        && let Some(first) = missing.first()
    {
        return Err(no_such_tool(first, out.target.label));
    }
    for tool in &missing {
        out.change(ChangeKind::Dropped, &tool.name);
    }
    offer.tools = kept;
    offer.notes.extend(note_of(&missing).map(|note| Text::plain(&note)));
    Ok(())
}

/// `auto` is what is done without a choice.
fn choice<'r, 'a>(
    out: &mut Out<'_>,
    wanted: Option<&'r ToolChoice<'a>>,
    offer: &mut Offer<'r, 'a>,
    thinking: &Thinking,
) {
    let quirks = out.quirks();
    let Some(wanted) = wanted.filter(|choice| matches!(choice, ToolChoice::Required | ToolChoice::Named(_))) else {
        return;
    };
    let gone = matches!(wanted, ToolChoice::Named(name) if !offer.tools.iter().any(|tool| tool.name == *name));
    let claude = quirks.converse.maker == Maker::Anthropic;
    let while_thinking = match thinking.form {
        // Claude refuses a forced choice while it thinks on a budget.
        Some(Form::Enabled(_)) => false,
        Some(form) if form.is_on() => quirks.forced_tool_while_thinking,
        _ => true,
    };
    let refused =
        quirks.tool_choice == ToolChoiceForms::AutoNone || (claude && !(quirks.messages.forced_tool && while_thinking));
    if gone || refused {
        out.change(ChangeKind::Softened, "tool_choice");
        offer.notes.extend(Some(wanted).filter(|_| !gone).and_then(|choice| choice.in_words(quirks.tool_names)));
        return;
    }
    offer.choice = Some(wanted);
}

pub fn add_native(offer: &Offer<'_, '_>, native: &mut Native) {
    if offer.native.is_empty() {
        return;
    }
    let tools: Vec<&str> = offer.native.iter().map(|(_, fields)| fields.get()).collect();
    native.add("tools", format!("[{}]", tools.join(",")));
    for (kind, _) in &offer.native {
        // `computer_20251124` under `computer-use-2025-11-24`.
        let date = kind.escaped().trim_start_matches(COMPUTER);
        if let (Some(year), Some(month), Some(day)) = (date.get(..4), date.get(4..6), date.get(6..8)) {
            native.beta(&format!("computer-use-{year}-{month}-{day}"));
        }
    }
}

pub fn write(out: &mut Out<'_>, offer: &Offer<'_, '_>) {
    if offer.tools.is_empty() && !offer.stand_in {
        return;
    }
    out.writer.key("toolConfig").open_object().key("tools").open_array();
    if offer.tools.is_empty() {
        out.writer.raw(STAND_IN);
    }
    for tool in &offer.tools {
        if tool.has_grammar() {
            out.change(ChangeKind::Dropped, "grammar");
        }
        if tool.strict == Some(true) {
            out.change(ChangeKind::Dropped, "strict");
        }
        specification(out, tool);
        out.cache_point(tool.cache);
    }
    out.writer.close_array();
    let limit = out.quirks().tool_names;
    match offer.choice {
        Some(ToolChoice::Named(name)) if out.quirks().tool_choice != ToolChoiceForms::Words => {
            let writer = out.writer.key("toolChoice").open_object().key("tool").open_object();
            writer.key("name").text(&safe_tool_name(name, limit)).close_object().close_object();
        }
        Some(_) => _ = out.writer.key("toolChoice").raw(r#"{"any":{}}"#),
        None => {}
    }
    out.writer.close_object();
}

fn specification(out: &mut Out<'_>, tool: &Tool<'_>) {
    let quirks = out.quirks();
    let known = match &tool.kind {
        ToolKind::Client { kind, .. } | ToolKind::Server { kind, .. } => documented(kind),
        _ => None,
    };
    let (name, description, schema) = match (&tool.kind, known) {
        (_, Some(known)) => {
            let name = if tool.name.is_empty() { Text::literal(known.name) } else { tool.name.borrowed() };
            (name, Some(Text::literal(known.description)), Json::literal(known.schema))
        }
        (ToolKind::Function { schema }, _) => {
            let schema = schema.as_ref().filter(|schema| !schema.is_null()).map_or(schema::EMPTY, Json::borrowed);
            (tool.name.borrowed(), tool.description.as_ref().map(Text::borrowed), schema)
        }
        _ => (tool.name.borrowed(), tool.description.as_ref().map(Text::borrowed), FREE_TEXT),
    };
    let cleaned = schema::clean(&schema, quirks.schema, &quirks.schema_drops);
    let writer = out.writer.open_object().key("toolSpec").open_object();
    writer.key("name").text(&safe_tool_name(&name, quirks.tool_names));
    if let Some(description) = description.filter(|description| !description.is_blank()) {
        writer.key("description").text(&description);
    }
    writer.key("inputSchema").open_object().key("json").json(&cleaned).close_object();
    writer.close_object().close_object();
}
