//! A client's body, read without copying. What is wrong is refused in Anthropic's words, with its place.

use crate::anthropic_messages::wire::{
    Content, Members, Raw, WireBlock, WireSource, WireTool, cache_of, is_client_tool, is_server_block, parse, text_of,
    word,
};
use crate::error::Invalid;
use crate::json::{Json, Text};
use crate::request::{
    Effort, Media, MediaKind, Message, OutputFormat, Part, Reasoning, ReasoningMode, Request, Role, Source, TextPart,
    Thinking, Tool, ToolCall, ToolChoice, ToolInput, ToolKind, ToolResult,
};
use crate::scan::{Bad, Cursor, items};

/// Stands for tools that Claude Code has not loaded yet. It cannot be called, so it is no tool to any other model.
const PLACEHOLDER_TOOL: &str = "DeferredToolPlaceholder";

const FIELD_REQUIRED: &str = "Field required";
const NOT_AN_OBJECT: &str = "Input should be an object";

pub fn decode(body: &[u8]) -> Result<Request<'_>, Invalid> {
    let request = decode_count(body)?;
    if request.max_tokens.is_none() {
        return Err(Invalid::new("max_tokens", FIELD_REQUIRED));
    }
    Ok(request)
}

/// The body of `count_tokens`: the same, but `max_tokens` may be missing.
pub fn decode_count(body: &[u8]) -> Result<Request<'_>, Invalid> {
    let body = std::str::from_utf8(body)
        .map_err(|e| Invalid::new("", format!("The request body is not valid UTF-8 at byte {}", e.valid_up_to())))?;
    let mut fields = Fields::default();
    let mut cursor = Cursor::new(body);
    let read = cursor.members(|c, key| fields.read(c, key)).and_then(|()| Ok(cursor.end()?));
    if let Err(invalid) = read {
        // A mistake in the JSON itself comes first, and with its line.
        serde_json::from_str::<serde::de::IgnoredAny>(body)?;
        return Err(invalid);
    }
    fields.into_request()
}

impl From<Bad> for Invalid {
    fn from(bad: Bad) -> Invalid {
        Invalid::new("", format!("The request body is not valid JSON for this endpoint: {bad}"))
    }
}

/// The body's fields on the way to a request.
#[derive(Default)]
struct Fields<'a> {
    request: Request<'a>,
    has_model: bool,
    has_messages: bool,
    mode: Option<ReasoningMode>,
    effort: Option<Effort>,
    visible: Option<bool>,
}

impl<'a> Fields<'a> {
    fn read(&mut self, cursor: &mut Cursor<'a>, key: Text<'a>) -> Result<(), Invalid> {
        // The long ones are read in place, the others as tokens first.
        match key.escaped() {
            "messages" if cursor.peek() != b'n' => {
                self.request.messages = messages(cursor)?;
                self.has_messages = true;
                return Ok(());
            }
            "tools" if cursor.peek() != b'n' => {
                self.request.tools = tools(cursor)?;
                return Ok(());
            }
            "system" => {
                self.request.system = system(Content::read(cursor, 0)?)?;
                return Ok(());
            }
            _ => {}
        }
        let value = cursor.value()?;
        if !self.known(key.escaped(), value)? {
            self.request.extra.push((key, value.json()));
        }
        Ok(())
    }

    /// False for a field without a canonical form.
    fn known(&mut self, key: &str, value: Raw<'a>) -> Result<bool, Invalid> {
        let request = &mut self.request;
        let absent = value.is_null();
        match key {
            "model" | "messages" | "tools" | "tool_choice" | "max_tokens" | "stop_sequences" | "temperature"
            | "top_p" | "top_k" | "stream" | "metadata" | "thinking" | "output_config" | "output_format"
                if absent => {}
            "model" => {
                request.model = string(value, "model")?;
                self.has_model = true;
            }
            "tool_choice" => tool_choice(value, request)?,
            "max_tokens" => request.max_tokens = Some(integer(value, "max_tokens")?),
            "stop_sequences" => request.stop = stop_sequences(value)?,
            "temperature" => request.temperature = Some(number(value, "temperature")?),
            "top_p" => request.top_p = Some(number(value, "top_p")?),
            "top_k" => request.top_k = Some(number(value, "top_k")?),
            "stream" => request.stream = boolean(value, "stream")?,
            "metadata" => request.user = text_of(object(value, "metadata")?.get("user_id")),
            "thinking" => self.thinking(value)?,
            "output_config" => {
                let config = object(value, "output_config")?;
                if let Some(v) = present(config.get("effort")) {
                    self.effort = Some(effort(v)?);
                }
                if let Some(v) = present(config.get("format")) {
                    request.output_format = Some(output_format(v, "output_config.format")?);
                }
            }
            "output_format" => {
                let format = output_format(value, "output_format")?;
                request.output_format.get_or_insert(format);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn thinking(&mut self, raw: Raw<'a>) -> Result<(), Invalid> {
        let fields = object(raw, "thinking")?;
        let kind = fields.get("type").ok_or_else(|| Invalid::new("thinking.type", FIELD_REQUIRED))?;
        self.mode = Some(match string(kind, "thinking.type")?.escaped() {
            "disabled" => ReasoningMode::Off,
            "between_tools" => ReasoningMode::BetweenTools,
            "enabled" => {
                let path = "thinking.enabled.budget_tokens";
                let budget = fields.get("budget_tokens").ok_or_else(|| Invalid::new(path, FIELD_REQUIRED))?;
                ReasoningMode::Budget(integer(budget, path)?)
            }
            // Also any later form: thinking is wanted, the model decides how much.
            _ => ReasoningMode::Adaptive,
        });
        self.visible = text_of(fields.get("display")).map(|display| display.escaped() != "omitted");
        Ok(())
    }

    fn into_request(self) -> Result<Request<'a>, Invalid> {
        if !self.has_model {
            return Err(Invalid::new("model", FIELD_REQUIRED));
        }
        if !self.has_messages {
            return Err(Invalid::new("messages", FIELD_REQUIRED));
        }
        let mut request = self.request;
        if self.mode.is_some() || self.effort.is_some() {
            let mode = self.mode.unwrap_or_default();
            request.reasoning = Some(Reasoning { mode, effort: self.effort, visible: self.visible });
        }
        Ok(request)
    }
}

fn messages<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<Message<'a>>, Invalid> {
    if cursor.peek() != b'[' {
        return Err(Invalid::new("messages", "Input should be a valid list"));
    }
    let mut messages = Vec::new();
    cursor.items(|c| {
        messages.push(message(c, messages.len())?);
        Ok::<(), Invalid>(())
    })?;
    if messages.is_empty() {
        return Err(Invalid::new("messages", "at least one message is required"));
    }
    Ok(messages)
}

fn message<'a>(cursor: &mut Cursor<'a>, index: usize) -> Result<Message<'a>, Invalid> {
    let at = |field: &str| format!("messages.{index}.{field}");
    if cursor.peek() != b'{' {
        return Err(Invalid::new(format!("messages.{index}"), NOT_AN_OBJECT));
    }
    let mut role = None;
    let mut content = None;
    cursor.members(|c, key| {
        match key.escaped() {
            "role" => role = Some(c.value()?),
            "content" => content = Some(Content::read(c, 0)?),
            _ => _ = c.value()?,
        }
        Ok::<(), Bad>(())
    })?;
    let role = role.ok_or_else(|| Invalid::new(at("role"), FIELD_REQUIRED))?;
    let role = match word(Some(role)) {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(Invalid::new(at("role"), "Input should be 'user', 'assistant' or 'system'")),
    };
    let content = content.ok_or_else(|| Invalid::new(at("content"), FIELD_REQUIRED))?;
    if let Content::Missing = content {
        return Err(Invalid::new(at("content"), "Input should be a valid string or a list of content blocks"));
    }
    Ok(Message { role, parts: parts(content, &|| at("content"))? })
}

/// Where something stands. Only made when something is wrong there.
type Path<'p> = &'p dyn Fn() -> String;

/// A string, or an array of blocks.
fn parts<'a>(content: Content<'a>, path: Path<'_>) -> Result<Vec<Part<'a>>, Invalid> {
    match content {
        Content::Missing => Ok(Vec::new()),
        Content::Text(text) => Ok(vec![Part::Text(TextPart { text, cache: None })]),
        Content::Other => Err(Invalid::new(path(), "Input should be a valid string or a list of content blocks")),
        Content::Blocks(blocks) => {
            blocks.into_iter().enumerate().map(|(i, block)| part(block, &|| format!("{}.{i}", path()))).collect()
        }
    }
}

fn part<'a>(block: WireBlock<'a>, path: Path<'_>) -> Result<Part<'a>, Invalid> {
    let at = |field: &str| format!("{}.{field}", path());
    let required = |raw: Option<Raw<'a>>, field: &str| match raw {
        Some(raw) => raw.text().ok_or_else(|| Invalid::new(at(field), "Input should be a valid string")),
        None => Err(Invalid::new(at(field), FIELD_REQUIRED)),
    };
    if !block.whole.is_object() {
        return Err(Invalid::new(path(), NOT_AN_OBJECT));
    }
    let kind = required(block.kind, "type")?;
    let cache = cache_of(block.cache_control);
    Ok(match kind.escaped() {
        "text" => Part::Text(TextPart { text: required(block.text, "text")?, cache }),
        "image" => Part::Media(media(MediaKind::Image, &block, path)?),
        "document" => Part::Media(media(MediaKind::Document, &block, path)?),
        "thinking" => Part::Thinking(Thinking {
            text: text_of(block.thinking).unwrap_or_default(),
            signature: text_of(block.signature),
            redacted: false,
        }),
        "redacted_thinking" => {
            Part::Thinking(Thinking { text: Text::EMPTY, signature: text_of(block.data), redacted: true })
        }
        "tool_use" => {
            let input = block.input.ok_or_else(|| Invalid::new(at("input"), FIELD_REQUIRED))?;
            if !input.is_object() {
                return Err(Invalid::new(at("input"), NOT_AN_OBJECT));
            }
            Part::ToolCall(ToolCall {
                id: required(block.id, "id")?,
                name: required(block.name, "name")?,
                input: ToolInput::Object(input.json()),
                namespace: None,
                state: None,
                cache,
            })
        }
        "tool_result" => Part::ToolResult(ToolResult {
            id: required(block.tool_use_id, "tool_use_id")?,
            content: parts(block.content, &|| at("content"))?,
            is_error: block.is_error.is_some_and(|r| r.get() == "true"),
            cache,
        }),
        "search_result" => Part::SearchResult {
            title: required(block.title, "title")?,
            source: required(block.source, "source")?,
            content: text_blocks(block.content, &|| at("content"))?,
            cited: is_cited(block.citations),
            cache,
        },
        "tool_reference" => Part::ToolReference { name: required(block.tool_name, "tool_name")? },
        server if is_server_block(server) => Part::Server { kind, fields: block.whole.json() },
        _ => Part::Unknown { kind },
    })
}

fn media<'a>(kind: MediaKind, block: &WireBlock<'a>, path: Path<'_>) -> Result<Media<'a>, Invalid> {
    let at = |field: &str| format!("{}.source{field}", path());
    let raw = block.source.ok_or_else(|| Invalid::new(at(""), FIELD_REQUIRED))?;
    let wire = parse(raw.get(), WireSource::read).map_err(|_| Invalid::new(at(""), NOT_AN_OBJECT))?;
    let required = |raw: Option<Raw<'a>>, field: &str| match raw {
        Some(raw) => raw.text().ok_or_else(|| Invalid::new(at(field), "Input should be a valid string")),
        None => Err(Invalid::new(at(field), FIELD_REQUIRED)),
    };
    let source = match required(wire.kind, ".type")?.escaped() {
        "base64" => Source::Base64 {
            media_type: required(wire.media_type, ".media_type")?,
            data: required(wire.data, ".data")?,
        },
        "url" => Source::Url(required(wire.url, ".url")?),
        "file" => Source::File(required(wire.file_id, ".file_id")?),
        "text" if kind == MediaKind::Document => Source::Text(required(wire.data, ".data")?),
        "content" if kind == MediaKind::Document => {
            let raw = wire.content.ok_or_else(|| Invalid::new(at(".content"), FIELD_REQUIRED))?;
            // A document's content has no documents in it: this is as deep as it goes.
            let content = Content::parse(raw.get()).unwrap_or_default();
            Source::Blocks(inner_parts(content, &|| at(".content"))?)
        }
        other => {
            let message = format!("Input tag '{other}' found using 'type' does not match any of the expected tags");
            return Err(Invalid::new(at(""), message));
        }
    };
    Ok(Media {
        kind,
        source,
        name: text_of(block.title),
        context: text_of(block.context),
        detail: None,
        cited: is_cited(block.citations),
        cache: cache_of(block.cache_control),
    })
}

/// Citations of a document or search result are asked for.
fn is_cited(citations: Option<Raw<'_>>) -> bool {
    let enabled = citations.and_then(|raw| raw.json().to_value()["enabled"].as_bool());
    enabled == Some(true)
}

/// Text and images.
fn inner_parts<'a>(content: Content<'a>, path: Path<'_>) -> Result<Vec<Part<'a>>, Invalid> {
    let Content::Blocks(blocks) = content else { return parts(content, path) };
    let inner = blocks.into_iter().enumerate().filter(|(_, block)| matches!(block.kind(), "text" | "image" | ""));
    inner.map(|(i, block)| part(block, &|| format!("{}.{i}", path()))).collect()
}

fn system(content: Content<'_>) -> Result<Vec<TextPart<'_>>, Invalid> {
    match content {
        Content::Text(text) if text.is_empty() => Ok(Vec::new()),
        Content::Text(text) => Ok(vec![TextPart { text, cache: None }]),
        content => text_blocks(content, &|| "system".to_string()),
    }
}

fn text_blocks<'a>(content: Content<'a>, path: Path<'_>) -> Result<Vec<TextPart<'a>>, Invalid> {
    let blocks = match content {
        Content::Missing => return Ok(Vec::new()),
        Content::Blocks(blocks) => blocks,
        _ => return Err(Invalid::new(path(), "Input should be a valid string or a list of text blocks")),
    };
    let text = |(i, block): (usize, WireBlock<'a>)| {
        if block.kind() != "text" {
            return Err(Invalid::new(format!("{}.{i}.type", path()), "Input should be 'text'"));
        }
        let at = || format!("{}.{i}.text", path());
        let raw = block.text.ok_or_else(|| Invalid::new(at(), FIELD_REQUIRED))?;
        let text = raw.text().ok_or_else(|| Invalid::new(at(), "Input should be a valid string"))?;
        Ok(TextPart { text, cache: cache_of(block.cache_control) })
    };
    blocks.into_iter().enumerate().map(text).collect()
}

fn tools<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<Tool<'a>>, Invalid> {
    if cursor.peek() != b'[' {
        return Err(Invalid::new("tools", "Input should be a valid list"));
    }
    let mut tools = Vec::new();
    let mut index = 0;
    cursor.items(|c| {
        if c.peek() != b'{' {
            return Err(Invalid::new(format!("tools.{index}"), NOT_AN_OBJECT));
        }
        let (wire, whole) = c.whole(WireTool::read)?;
        tools.extend(tool(wire, whole, index)?);
        index += 1;
        Ok(())
    })?;
    Ok(tools)
}

/// `None` for the placeholder.
fn tool<'a>(wire: WireTool<'a>, whole: Raw<'a>, index: usize) -> Result<Option<Tool<'a>>, Invalid> {
    let kind = text_of(wire.kind).filter(|kind| kind.escaped() != "custom");
    let (kind, name) = match kind {
        None => {
            let at = || format!("tools.{index}.name");
            let name = wire.name.ok_or_else(|| Invalid::new(at(), FIELD_REQUIRED))?;
            let name = string(name, &at())?;
            if name.escaped() == PLACEHOLDER_TOOL {
                return Ok(None);
            }
            if wire.input_schema.is_some_and(|s| !s.is_object()) {
                return Err(Invalid::new(format!("tools.{index}.input_schema"), NOT_AN_OBJECT));
            }
            (ToolKind::Function { schema: wire.input_schema.map(Raw::json) }, name)
        }
        Some(kind) => {
            let fields = whole.json();
            // Toolsets are nameless: the server's name, or the type, stands in.
            let name = text_of(wire.name).or(text_of(wire.mcp_server_name)).unwrap_or_else(|| kind.clone());
            if is_client_tool(kind.escaped()) {
                (ToolKind::Client { kind, fields }, name)
            } else {
                (ToolKind::Server { kind, fields }, name)
            }
        }
    };
    Ok(Some(Tool {
        name,
        description: described(text_of(wire.description), wire.input_examples),
        kind,
        strict: wire.strict.and_then(|r| r.json().as_bool()),
        deferred: wire.defer_loading.is_some_and(|r| r.get() == "true"),
        namespace: None,
        cache: cache_of(wire.cache_control),
    }))
}

/// The description with the examples of input that no other dialect has a field for.
fn described<'a>(description: Option<Text<'a>>, examples: Option<Raw<'a>>) -> Option<Text<'a>> {
    let examples = examples.and_then(|raw| items(raw.get())).filter(|examples| !examples.is_empty());
    let Some(examples) = examples else { return description };
    let mut text = description.map_or(Text::EMPTY, Text::into_owned);
    if !text.is_empty() {
        text.push(&Text::literal(r"\n\n"));
    }
    text.push(&Text::literal("Examples of its input:"));
    for example in examples {
        text.push(&Text::literal(r"\n"));
        text.push(&Text::plain(example.get()));
    }
    Some(text)
}

fn tool_choice<'a>(raw: Raw<'a>, request: &mut Request<'a>) -> Result<(), Invalid> {
    let choice = object(raw, "tool_choice")?;
    let kind = choice.get("type").ok_or_else(|| Invalid::new("tool_choice.type", FIELD_REQUIRED))?;
    request.tool_choice = Some(match word(Some(kind)) {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => {
            let name = choice.get("name").ok_or_else(|| Invalid::new("tool_choice.tool.name", FIELD_REQUIRED))?;
            ToolChoice::Named(string(name, "tool_choice.tool.name")?)
        }
        _ => return Err(Invalid::new("tool_choice.type", "Input should be 'auto', 'any', 'tool' or 'none'")),
    });
    if let Some(raw) = present(choice.get("disable_parallel_tool_use")) {
        request.parallel_tool_calls = Some(!boolean(raw, "tool_choice.disable_parallel_tool_use")?);
    }
    Ok(())
}

fn effort(raw: Raw<'_>) -> Result<Effort, Invalid> {
    Effort::of_name(word(Some(raw))).ok_or_else(|| {
        Invalid::new("output_config.effort", "Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    })
}

fn output_format<'a>(raw: Raw<'a>, path: &str) -> Result<OutputFormat<'a>, Invalid> {
    let fields = object(raw, path)?;
    if word(fields.get("type")) != "json_schema" {
        return Err(Invalid::new(format!("{path}.type"), "Input should be 'json_schema'"));
    }
    let schema = fields.get("schema").ok_or_else(|| Invalid::new(format!("{path}.schema"), FIELD_REQUIRED))?;
    if !schema.is_object() {
        return Err(Invalid::new(format!("{path}.schema"), NOT_AN_OBJECT));
    }
    // The format is always enforced here, which is what `strict` means elsewhere.
    Ok(OutputFormat::JsonSchema {
        name: text_of(fields.get("name")),
        description: None,
        schema: schema.json(),
        strict: Some(true),
    })
}

fn stop_sequences(raw: Raw<'_>) -> Result<Vec<Text<'_>>, Invalid> {
    let items = items(raw.get()).ok_or_else(|| Invalid::new("stop_sequences", "Input should be a valid list"))?;
    items.into_iter().enumerate().map(|(i, item)| string(item, &format!("stop_sequences.{i}"))).collect()
}

fn present(raw: Option<Raw<'_>>) -> Option<Raw<'_>> {
    raw.filter(|r| !r.is_null())
}

fn string<'a>(raw: Raw<'a>, path: &str) -> Result<Text<'a>, Invalid> {
    raw.text().ok_or_else(|| Invalid::new(path, "Input should be a valid string"))
}

fn boolean(raw: Raw<'_>, path: &str) -> Result<bool, Invalid> {
    raw.json().as_bool().ok_or_else(|| Invalid::new(path, "Input should be a valid boolean"))
}

fn integer(raw: Raw<'_>, path: &str) -> Result<u64, Invalid> {
    let token = raw.get();
    let whole = || token.parse::<f64>().ok().filter(|n| n.fract() == 0.0 && (0.0..1e15).contains(n)).map(|n| n as u64);
    match token.parse().ok().or_else(whole) {
        Some(number) => Ok(number),
        None if token.starts_with('-') => Err(Invalid::new(path, "Input should be greater than or equal to 0")),
        None => Err(Invalid::new(path, "Input should be a valid integer")),
    }
}

fn number<'a>(raw: Raw<'a>, path: &str) -> Result<Json<'a>, Invalid> {
    let json = raw.json();
    match json.as_f64() {
        Some(_) => Ok(json),
        None => Err(Invalid::new(path, "Input should be a valid number")),
    }
}

fn object<'a>(raw: Raw<'a>, path: &str) -> Result<Members<'a>, Invalid> {
    Members::parse(raw.get()).ok_or_else(|| Invalid::new(path, NOT_AN_OBJECT))
}
