//! The canonical form as a body for an upstream. Whatever comes before `messages` changes seldom, so that the next turn's
//! body begins with the same bytes.

use std::borrow::Cow;

use crate::anthropic_messages::wire::{ATTRIBUTION, is_client_tool, write_cache};
use crate::error::{Change, ChangeKind, Unsupported};
use crate::json::{Json, Text, Writer};
use crate::names::safe_tool_name;
use crate::quirks::{IdForm, Replay, ResponseFormat, is_idle};
use crate::request::{CacheMark, OutputFormat, Part, Reasoning, Request, Role, TextPart, Tool, ToolChoice, ToolKind};
use crate::schema::{EMPTY, clean, keeps};
use crate::search::{self, Wish};
use crate::{Encoded, Target};

use super::blocks::{Blocks, blank};
use super::carried;
use super::control::{Control, Form, choose, told};
use super::schema::output_schema;
use super::turns::{Item, Rules, Thoughts, Turn, leading_system, note_once, turns};

/// Anthropic insists on `max_tokens`; this is for a client that names none and a model of which none is known.
const DEFAULT_MAX_TOKENS: u64 = 8192;

/// Chat parameters that change the answer and that this dialect cannot say, with the values at which they change nothing.
const UNSUPPORTED: [(&str, &[&str]); 12] = [
    ("n", &["1"]),
    ("logprobs", &["false"]),
    ("top_logprobs", &["0"]),
    ("logit_bias", &["{}"]),
    ("seed", &[]),
    ("frequency_penalty", &["0", "0.0"]),
    ("presence_penalty", &["0", "0.0"]),
    ("prediction", &[]),
    ("audio", &[]),
    ("modalities", &[r#"["text"]"#]),
    ("web_search_options", &[]),
    ("min_p", &["0", "0.0"]),
];

/// Parameters that only give hints, or that concern the gateway: their loss changes no answer.
const HINTS: [&str; 11] = [
    "store",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "stream_options",
    "parallel_tool_calls",
    "moderation",
    "reasoning",
    "reasoning_effort",
];

/// Fields of this dialect alone, which can have come from nowhere else.
const NATIVE: [&str; 11] = [
    "cache_control",
    "compaction",
    "container",
    "context_management",
    "diagnostics",
    "fallbacks",
    "inference_geo",
    "mcp_servers",
    "speed",
    "thread",
    "user_profile_id",
];

/// A part of the conversation that Google keeps: without it the answer would be wrong.
const CACHED: &str = "cachedContent";

pub fn encode(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let quirks = &target.quirks.messages;
    let mut changes = Vec::new();
    let max_tokens = max_tokens(request, target, &mut changes);
    let leading = leading_system(&request.messages);
    let messages = &request.messages[leading..];
    let messages = if quirks.genuine { carried::unwrapped(messages, target) } else { Cow::Borrowed(messages) };
    let messages = &*messages;
    let wanted = request.reasoning.filter(|_| takes(target, "thinking"));
    let mut control = wanted.map_or_else(Control::default, |r| choose(&r, target.quirks, max_tokens));
    changes.extend(request.reasoning.and_then(|asked| told(&asked, &control, quirks)));
    let thinks = control.form.is_some_and(Form::is_on);
    let rules = Rules {
        thoughts: match quirks.genuine {
            _ if !quirks.earlier_thoughts => Thoughts::Strip,
            true => Thoughts::for_genuine(messages),
            false => Thoughts::Unsigned,
        },
        mid_system: quirks.mid_system,
        ids: if quirks.genuine { IdForm::Word } else { target.quirks.tool_ids },
        prefill: quirks.prefill && !thinks && request.output_format.is_none(),
        filler: target
            .quirks
            .reasoning_filler
            .as_deref()
            .filter(|_| !quirks.genuine && quirks.earlier_thoughts && target.quirks.replay != Replay::Never),
    };
    let turns = turns(messages, &rules, &mut changes);
    let needs_thoughts =
        (quirks.genuine && matches!(control.form, Some(Form::Enabled(_)))) || (quirks.loop_needs_thoughts && thinks);
    if needs_thoughts && continues_without_thoughts(&turns) {
        control.form = None;
        changes.push(Change::new(ChangeKind::Softened, "thinking"));
    }

    let mut w = Writer::with_capacity(1024 + size(request));
    w.open_object().key("model").str(target.model).key("max_tokens").number(max_tokens);
    if target.stream {
        w.key("stream").bool(true);
    }
    sampling(&mut w, request, target, control.form, &mut changes)?;
    stop(&mut w, request, &mut changes);
    if let Some(user) = user(request).filter(|_| takes(target, "metadata")) {
        w.key("metadata").open_object().key("user_id").text(&user).close_object();
    }
    extra(&mut w, request, target, &mut changes)?;
    if let Some(form) = control.form {
        let display = wanted.and_then(|r| display(&r)).filter(|_| quirks.genuine && takes(target, "thinking.display"));
        w.key("thinking");
        form.write(&mut w, display);
    }
    let mut instructions = output_config(&mut w, request, target, control, &mut changes);
    let tools = tools(&mut w, request, target, &mut changes);
    if tools > 0 {
        instructions.extend(tool_choice(&mut w, request, target, control.form, &mut changes));
    }

    let mut blocks = Blocks::new(w, target, rules.thoughts, changes);
    system(&mut blocks, request, leading, &instructions);
    blocks.w.key("messages").open_array();
    for turn in &turns {
        blocks.turn(turn)?;
    }
    blocks.w.close_array().close_object();
    Ok(Encoded { body: blocks.w.out, changes: blocks.changes })
}

fn max_tokens(request: &Request<'_>, target: &Target<'_>, changes: &mut Vec<Change>) -> u64 {
    let Some(wanted) = request.max_tokens else { return target.max_output_tokens.unwrap_or(DEFAULT_MAX_TOKENS) };
    let fitting = fitting_tokens(wanted, target);
    if fitting != wanted {
        changes.push(Change::new(ChangeKind::Clamped, "max_tokens"));
    }
    fitting
}

/// What is asked of the target for `wanted` output tokens. 0 asks for none, it warms the cache.
pub fn fitting_tokens(wanted: u64, target: &Target<'_>) -> u64 {
    let least = target.quirks.min_output_tokens.filter(|_| wanted > 0).unwrap_or(0);
    wanted.max(least).min(target.max_output_tokens.unwrap_or(u64::MAX))
}

/// The end user; where none is named, what a chat client keeps its caches apart by.
fn user<'r>(request: &'r Request<'_>) -> Option<Text<'r>> {
    let cache_key = || request.extra.iter().find(|(key, _)| key.escaped() == "prompt_cache_key")?.1.as_text();
    request.user.as_ref().map(Text::borrowed).or_else(cache_key)
}

fn takes(target: &Target<'_>, key: &str) -> bool {
    !target.quirks.messages.refuses.iter().any(|refused| refused == key)
}

/// A cache mark as far as the target takes one.
pub fn mark(mark: Option<CacheMark>, target: &Target<'_>) -> Option<CacheMark> {
    let mark = mark.filter(|_| takes(target, "cache_control"))?;
    Some(if takes(target, "cache_control.ttl") { mark } else { CacheMark::Short })
}

/// True where the tool loop that is under way began without thinking: with a thinking budget that is refused
/// ("Expected `thinking` or `redacted_thinking`, but found `tool_use`").
pub fn continues_without_thoughts(turns: &[Turn<'_>]) -> bool {
    let in_loop =
        turns.last().is_some_and(|t| t.items.iter().any(|i| matches!(i, Item::Result { .. } | Item::Missing { .. })));
    let latest = turns.iter().rev().find(|t| t.role == Role::Assistant);
    in_loop && latest.is_some_and(|t| !matches!(t.items.first(), Some(Item::Part { part: Part::Thinking(_), .. })))
}

fn sampling(
    w: &mut Writer,
    request: &Request<'_>,
    target: &Target<'_>,
    form: Option<Form>,
    changes: &mut Vec<Change>,
) -> Result<(), Unsupported> {
    let quirks = &target.quirks.messages;
    let thinks = form.is_some_and(Form::is_on);
    for (key, value) in [("temperature", &request.temperature), ("top_p", &request.top_p), ("top_k", &request.top_k)] {
        let Some(value) = value.as_ref().filter(|v| !v.is_null()) else { continue };
        // While it thinks, Claude refuses a temperature and a top_k; older ones refuse temperature and top_p together.
        let both = key == "top_p" && request.temperature.is_some();
        let one_only = both && (quirks.genuine || target.quirks.temperature_or_top_p);
        if !quirks.sampling || !takes(target, key) || (quirks.genuine && thinks) || one_only {
            changes.push(Change::dropped(key));
        } else if key == "temperature" && value.as_f64().is_some_and(|t| t > 1.0) {
            changes.push(Change::new(ChangeKind::Clamped, key));
            w.key(key).raw("1");
        } else {
            w.key(key).json(value);
        }
    }
    Ok(())
}

fn stop(w: &mut Writer, request: &Request<'_>, changes: &mut Vec<Change>) {
    let usable: Vec<_> = request.stop.iter().filter(|s| !blank(s)).collect();
    if usable.len() < request.stop.len() {
        changes.push(Change::dropped("stop"));
    }
    if !usable.is_empty() {
        w.key("stop_sequences").open_array();
        for sequence in usable {
            w.text(sequence);
        }
        w.close_array();
    }
}

fn extra(
    w: &mut Writer,
    request: &Request<'_>,
    target: &Target<'_>,
    changes: &mut Vec<Change>,
) -> Result<(), Unsupported> {
    for (key, value) in &request.extra {
        let key = key.escaped();
        let unsupported = UNSUPPORTED.iter().find(|(name, _)| *name == key);
        match unsupported {
            _ if value.is_null() || HINTS.contains(&key) => {}
            Some((_, idle)) if idle.contains(&value.get()) => {}
            Some(_) if key == search::OPTIONS && target.quirks.messages.genuine => {}
            Some(_) if target.drop_params => changes.push(Change::dropped(key)),
            Some(_) => return Err(Unsupported::param(key, target.label)),
            None if key == "service_tier" => match value.get() {
                tier @ (r#""auto""# | r#""standard_only""#) if takes(target, key) => _ = w.key(key).raw(tier),
                _ => {}
            },
            // Responses has a list of this name.
            None if key == "context_management" && value.is_array() => changes.push(Change::dropped(key)),
            None if key == CACHED => {
                return Err(Unsupported::content(key, format!("not supported by {}", target.label)));
            }
            None if NATIVE.contains(&key) && takes(target, key) => _ = w.key(key).json(value),
            None if is_idle(key, value.get()) => {}
            None => changes.push(Change::dropped(key)),
        }
    }
    Ok(())
}

fn display(reasoning: &Reasoning) -> Option<&'static str> {
    reasoning.visible.map(|visible| if visible { "summarized" } else { "omitted" })
}

/// Writes the effort and the format. Where the target has no formats, gives what to tell the model instead.
fn output_config(
    w: &mut Writer,
    request: &Request<'_>,
    target: &Target<'_>,
    control: Control,
    changes: &mut Vec<Change>,
) -> Vec<Text<'static>> {
    let can = takes(target, "output_config");
    let effort = control.effort.filter(|_| can);
    let mut instruction = None;
    let format = match &request.output_format {
        Some(OutputFormat::JsonSchema { schema, description, .. })
            if can
                && takes(target, "output_config.format")
                && target.quirks.response_format == ResponseFormat::JsonSchema =>
        {
            let closed = output_schema(schema);
            if !keeps(schema, &closed) {
                changes.push(Change::new(ChangeKind::Rewritten, "response_format"));
            }
            if description.is_some() {
                changes.push(Change::dropped("response_format.description"));
            }
            Some(closed)
        }
        Some(OutputFormat::JsonSchema { schema, .. }) => {
            let text = format!(
                "Answer with one JSON value that is valid for this JSON Schema, and with nothing else:\n{}",
                schema.get()
            );
            instruction = Some(text);
            None
        }
        Some(OutputFormat::JsonObject) => {
            instruction = Some("Answer with one JSON object and nothing else.".to_string());
            None
        }
        None => None,
    };
    if instruction.is_some() {
        changes.push(Change::new(ChangeKind::Textualised, "response_format"));
    }
    if effort.is_some() || format.is_some() {
        w.key("output_config").open_object();
        if let Some(effort) = effort {
            w.key("effort").str(effort.name());
        }
        if let Some(schema) = format {
            w.key("format").open_object().key("type").raw(r#""json_schema""#).key("schema").raw(&schema).close_object();
        }
        w.close_object();
    }
    instruction.iter().map(|text| Text::plain(text)).collect()
}

/// Returns how many were written.
fn tools(w: &mut Writer, request: &Request<'_>, target: &Target<'_>, changes: &mut Vec<Change>) -> usize {
    let quirks = &target.quirks.messages;
    let kept: Vec<&Tool<'_>> =
        request.tools.iter().filter(|tool| is_expressible(tool, quirks.genuine, changes)).collect();
    let search = Wish::of(request, search::is_openais).filter(|_| quirks.genuine).map(|wish| wish.for_anthropic());
    if kept.is_empty() && search.is_none() {
        return 0;
    }
    let allowed = |key: &str| !quirks.refuses_in_tools.iter().any(|refused| refused == key);
    let cache_allowed = allowed("cache_control");
    w.key("tools").open_array();
    for tool in &kept {
        if tool.has_grammar() {
            note_once(changes, Change::dropped("grammar"));
        }
        if tool.strict == Some(true) {
            note_once(changes, Change::dropped("strict"));
        }
        if let ToolKind::Client { fields, .. } | ToolKind::Server { fields, .. } = &tool.kind {
            w.json(fields);
            continue;
        }
        w.open_object().key("name").text(&safe_tool_name(&tool.name, target.quirks.tool_names));
        if let Some(description) = &tool.description {
            w.key("description").text(description);
        }
        w.key("input_schema");
        match &tool.kind {
            ToolKind::Function { schema: Some(schema) } => {
                w.json(&clean(schema, target.quirks.schema, &target.quirks.schema_drops))
            }
            ToolKind::Function { schema: None } => w.json(&EMPTY),
            _ => w.raw(r#"{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}"#),
        };
        if tool.deferred && quirks.genuine && allowed("defer_loading") {
            w.key("defer_loading").bool(true);
        }
        // `strict` is left out: its limits on schemas are not those under which the client wrote its own.
        if cache_allowed {
            write_cache(w, mark(tool.cache, target));
        }
        w.close_object();
    }
    if let Some(search) = &search {
        w.raw(search);
    }
    w.close_array();
    kept.len() + usize::from(search.is_some())
}

fn is_expressible(tool: &Tool<'_>, genuine: bool, changes: &mut Vec<Change>) -> bool {
    let dated = |kind: &Text<'_>| {
        let kind = kind.escaped();
        is_client_tool(kind)
            || kind == "mcp_toolset"
            || kind.rsplit('_').next().is_some_and(|d| d.len() == 8 && d.parse::<u32>().is_ok())
    };
    match &tool.kind {
        ToolKind::Server { .. } if genuine && search::is_openais(tool) => false,
        ToolKind::Client { kind, .. } | ToolKind::Server { kind, .. } if !genuine || !dated(kind) => {
            changes.push(Change::dropped(format!("tools.{}", kind.decode())));
            false
        }
        _ => true,
    }
}

/// Gives what to tell the model in place of a choice that it refuses.
fn tool_choice(
    w: &mut Writer,
    request: &Request<'_>,
    target: &Target<'_>,
    form: Option<Form>,
    changes: &mut Vec<Change>,
) -> Option<Text<'static>> {
    let forced = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    let thinks = form.is_some_and(Form::is_on);
    let refused = forced
        && (!target.quirks.messages.forced_tool
            || matches!(form, Some(Form::Enabled(_)))
            || (thinks && !target.quirks.forced_tool_while_thinking));
    let choice = if refused {
        changes.push(Change::new(ChangeKind::Softened, "tool_choice"));
        Some(&ToolChoice::Auto)
    } else {
        request.tool_choice.as_ref()
    };
    let single = request.parallel_tool_calls == Some(false);
    let kind = match choice {
        None if !single => return None,
        None | Some(ToolChoice::Auto) => r#""auto""#,
        Some(ToolChoice::Required) => r#""any""#,
        Some(ToolChoice::Named(_)) => r#""tool""#,
        Some(ToolChoice::None) => r#""none""#,
    };
    w.key("tool_choice").open_object().key("type").raw(kind);
    if let Some(ToolChoice::Named(name)) = choice {
        w.key("name").text(&safe_tool_name(name, target.quirks.tool_names));
    }
    if single && choice != Some(&ToolChoice::None) {
        w.key("disable_parallel_tool_use").bool(true);
    }
    w.close_object();
    let refused_choice = request.tool_choice.as_ref().filter(|_| refused);
    refused_choice.and_then(|choice| choice.in_words(target.quirks.tool_names))
}

fn system(blocks: &mut Blocks<'_>, request: &Request<'_>, leading: usize, instructions: &[Text<'static>]) {
    let early = request.messages[..leading].iter().flat_map(|m| &m.parts).filter_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    let instructions: Vec<TextPart<'_>> =
        instructions.iter().map(|text| TextPart { text: text.borrowed(), cache: None }).collect();
    let genuine = blocks.target.quirks.messages.genuine;
    let is_said = |t: &&TextPart<'_>| !blank(&t.text) && (genuine || !t.text.escaped().starts_with(ATTRIBUTION));
    let mut all = request.system.iter().chain(early).chain(&instructions).filter(is_said).peekable();
    if all.peek().is_none() {
        return;
    }
    blocks.w.key("system").open_array();
    for text in all {
        blocks.text(&text.text, text.cache);
    }
    blocks.w.close_array();
}

/// About the size of the body, so that the buffer grows seldom.
fn size(request: &Request<'_>) -> usize {
    let json = |j: &Json<'_>| j.get().len();
    let part = |p: &Part<'_>| match p {
        Part::Text(t) => t.text.escaped().len(),
        Part::ToolResult(r) => {
            r.content.iter().map(|p| if let Part::Text(t) = p { t.text.escaped().len() } else { 64 }).sum()
        }
        _ => 256,
    };
    let tool = |t: &Tool<'_>| match &t.kind {
        ToolKind::Function { schema } => 256 + schema.as_ref().map_or(0, json),
        _ => 256,
    };
    request.messages.iter().flat_map(|m| &m.parts).map(|p| part(p) + 48).sum::<usize>()
        + request.tools.iter().map(tool).sum::<usize>()
        + request.system.iter().map(|t| t.text.escaped().len()).sum::<usize>()
}
