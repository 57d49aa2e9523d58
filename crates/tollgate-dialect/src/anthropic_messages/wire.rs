//! Shapes as they are on the wire. Every field may be missing and every type may be wrong: whoever reads one says so, with
//! its place.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::{Text, Writer};
use crate::request::CacheMark;
pub use crate::scan::Raw;
use crate::scan::{Bad, Cursor};
use crate::usage::Usage;

/// The members of an object, in their order.
#[derive(Default)]
pub struct Members<'a>(pub Vec<(Text<'a>, Raw<'a>)>);

impl<'a> Members<'a> {
    pub fn parse(json: &'a str) -> Option<Members<'a>> {
        parse(json, Members::read).ok()
    }

    pub fn read(cursor: &mut Cursor<'a>) -> Result<Members<'a>, Bad> {
        let mut members = Vec::new();
        cursor.members(|c, key| {
            members.push((key, c.value()?));
            Ok::<(), Bad>(())
        })?;
        Ok(Members(members))
    }

    /// The last one of that name, as JSON readers have it.
    pub fn get(&self, name: &str) -> Option<Raw<'a>> {
        self.0.iter().rev().find(|(key, _)| key.escaped() == name).map(|(_, value)| *value)
    }
}

/// Reads all of `json`.
pub fn parse<'a, T>(json: &'a str, read: impl FnOnce(&mut Cursor<'a>) -> Result<T, Bad>) -> Result<T, Bad> {
    let mut cursor = Cursor::new(json);
    let found = read(&mut cursor)?;
    cursor.end()?;
    Ok(found)
}

/// An object of which some fields are wanted, each as it stands; `null` counts as missing.
macro_rules! wire_object {
    ($(#[$about:meta])* $name:ident { $($field:ident: $key:literal,)* }) => {
        $(#[$about])*
        #[derive(Default)]
        pub struct $name<'a> {
            $(pub $field: Option<Raw<'a>>,)*
        }

        impl<'a> $name<'a> {
            pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Bad> {
                let mut object = Self::default();
                cursor.members(|c, key| {
                    match key.escaped() {
                        $($key => object.$field = c.present()?,)*
                        _ => _ = c.value()?,
                    }
                    Ok::<(), Bad>(())
                })?;
                Ok(object)
            }
        }
    };
}

/// The content of a message or of a block.
#[derive(Default)]
pub enum Content<'a> {
    #[default]
    Missing,
    Text(Text<'a>),
    Blocks(Vec<WireBlock<'a>>),
    /// Neither; or deeper than blocks go.
    Other,
}

/// Blocks within blocks: a document in a tool result, and its own content. Nothing goes deeper.
const DEEPEST: u8 = 2;

impl<'a> Content<'a> {
    pub fn read(cursor: &mut Cursor<'a>, depth: u8) -> Result<Content<'a>, Bad> {
        match cursor.peek() {
            b'[' if depth <= DEEPEST => {
                let mut blocks = Vec::new();
                cursor.items(|c| {
                    blocks.push(WireBlock::read(c, depth)?);
                    Ok::<(), Bad>(())
                })?;
                Ok(Content::Blocks(blocks))
            }
            _ => {
                let raw = cursor.value()?;
                Ok(match raw.text() {
                    Some(text) => Content::Text(text),
                    None if raw.is_null() => Content::Missing,
                    None => Content::Other,
                })
            }
        }
    }

    pub fn parse(json: &'a str) -> Option<Content<'a>> {
        parse(json, |c| Content::read(c, 0)).ok()
    }
}

/// A content block of any type, in a request or an answer. Nothing in it if it is no object.
#[derive(Default)]
pub struct WireBlock<'a> {
    pub whole: Raw<'a>,
    pub kind: Option<Raw<'a>>,
    pub text: Option<Raw<'a>>,
    pub citations: Option<Raw<'a>>,
    pub source: Option<Raw<'a>>,
    pub title: Option<Raw<'a>>,
    pub context: Option<Raw<'a>>,
    pub content: Content<'a>,
    pub thinking: Option<Raw<'a>>,
    pub signature: Option<Raw<'a>>,
    pub data: Option<Raw<'a>>,
    pub id: Option<Raw<'a>>,
    pub name: Option<Raw<'a>>,
    pub input: Option<Raw<'a>>,
    pub tool_use_id: Option<Raw<'a>>,
    pub is_error: Option<Raw<'a>>,
    pub tool_name: Option<Raw<'a>>,
    pub cache_control: Option<Raw<'a>>,
}

impl<'a> WireBlock<'a> {
    pub fn parse(json: &'a str) -> Result<WireBlock<'a>, Bad> {
        parse(json, |c| WireBlock::read(c, 0))
    }

    fn read(cursor: &mut Cursor<'a>, depth: u8) -> Result<WireBlock<'a>, Bad> {
        let (mut block, whole) = cursor.whole(|c| {
            let mut block = WireBlock::default();
            if c.peek() != b'{' {
                c.value()?;
                return Ok(block);
            }
            c.members(|c, key| {
                match key.escaped() {
                    "type" => block.kind = c.present()?,
                    "text" => block.text = c.present()?,
                    "citations" => block.citations = c.present()?,
                    "source" => block.source = c.present()?,
                    "title" => block.title = c.present()?,
                    "context" => block.context = c.present()?,
                    "content" => block.content = Content::read(c, depth + 1)?,
                    "thinking" => block.thinking = c.present()?,
                    "signature" => block.signature = c.present()?,
                    "data" => block.data = c.present()?,
                    "id" => block.id = c.present()?,
                    "name" => block.name = c.present()?,
                    "input" => block.input = c.present()?,
                    "tool_use_id" => block.tool_use_id = c.present()?,
                    "is_error" => block.is_error = c.present()?,
                    "tool_name" => block.tool_name = c.present()?,
                    "cache_control" => block.cache_control = c.present()?,
                    _ => _ = c.value()?,
                }
                Ok::<(), Bad>(())
            })?;
            Ok(block)
        })?;
        block.whole = whole;
        Ok(block)
    }

    /// The type as it is written; types need no escapes.
    pub fn kind(&self) -> &'a str {
        word(self.kind)
    }
}

wire_object!(WireSource {
    kind: "type",
    media_type: "media_type",
    data: "data",
    url: "url",
    file_id: "file_id",
    content: "content",
});

wire_object!(WireTool {
    kind: "type",
    name: "name",
    description: "description",
    input_schema: "input_schema",
    strict: "strict",
    defer_loading: "defer_loading",
    mcp_server_name: "mcp_server_name",
    input_examples: "input_examples",
    cache_control: "cache_control",
});

wire_object!(
    /// A whole answer, or the `message` of `message_start`.
    WireAnswer {
        id: "id",
        model: "model",
        content: "content",
        usage: "usage",
        stop_reason: "stop_reason",
        stop_sequence: "stop_sequence",
        stop_details: "stop_details",
    }
);

wire_object!(
    /// The data of a stream's event.
    WireEvent {
        kind: "type",
        index: "index",
        delta: "delta",
        content_block: "content_block",
        message: "message",
        usage: "usage",
        error: "error",
    }
);

wire_object!(WireDelta {
    kind: "type",
    text: "text",
    partial_json: "partial_json",
    thinking: "thinking",
    signature: "signature",
    citation: "citation",
    content: "content",
    encrypted_content: "encrypted_content",
    stop_reason: "stop_reason",
    stop_sequence: "stop_sequence",
    stop_details: "stop_details",
});

wire_object!(WireUsage {
    input_tokens: "input_tokens",
    output_tokens: "output_tokens",
    cache_creation_input_tokens: "cache_creation_input_tokens",
    cache_read_input_tokens: "cache_read_input_tokens",
    cache_creation: "cache_creation",
    output_tokens_details: "output_tokens_details",
    server_tool_use: "server_tool_use",
});

/// The usage as far as it can be read: nothing in it makes a finished answer fail.
pub fn usage_of(raw: Option<Raw<'_>>) -> Usage {
    let Some(wire) = raw.and_then(|r| parse(r.get(), WireUsage::read).ok()) else {
        return Usage::default();
    };
    Usage {
        input: count_of(wire.input_tokens),
        cache_read: count_of(wire.cache_read_input_tokens),
        cache_write: count_of(wire.cache_creation_input_tokens),
        cache_write_long: count_in(wire.cache_creation, "ephemeral_1h_input_tokens"),
        output: count_of(wire.output_tokens),
        reasoning: count_in(wire.output_tokens_details, "thinking_tokens"),
        web_searches: count_in(wire.server_tool_use, "web_search_requests"),
        estimated: false,
    }
}

/// More tokens than this no model can count: such a number is an upstream's mistake, and sums must not overflow.
const MOST_TOKENS: u64 = 1 << 48;

pub fn count_of(raw: Option<Raw<'_>>) -> Option<u64> {
    raw?.json().as_count().filter(|&n| n <= MOST_TOKENS)
}

fn count_in(object: Option<Raw<'_>>, name: &str) -> Option<u64> {
    count_of(Members::parse(object?.get())?.get(name))
}

/// Writes the usage object. `input_fallback` counts the whole prompt, for upstreams that do not say; so does
/// `output_fallback` for the output. All four counts that clients add up are always integers.
pub fn write_usage(w: &mut Writer, usage: &Usage, input_fallback: u64, output_fallback: u64) {
    let cache_read = usage.cache_read.unwrap_or(0);
    let cache_write = usage.cache_write.unwrap_or(0);
    let input = usage.input.unwrap_or_else(|| input_fallback.saturating_sub(cache_read + cache_write));
    w.open_object().key("input_tokens").number(input);
    w.key("cache_creation_input_tokens").number(cache_write);
    w.key("cache_read_input_tokens").number(cache_read);
    if let Some(long) = usage.cache_write_long {
        w.key("cache_creation").open_object();
        w.key("ephemeral_5m_input_tokens").number(cache_write.saturating_sub(long));
        w.key("ephemeral_1h_input_tokens").number(long).close_object();
    }
    w.key("output_tokens").number(usage.output.unwrap_or(output_fallback));
    if let Some(reasoning) = usage.reasoning {
        w.key("output_tokens_details").open_object().key("thinking_tokens").number(reasoning).close_object();
    }
    if let Some(searches) = usage.web_searches {
        w.key("server_tool_use").open_object().key("web_search_requests").number(searches).close_object();
    }
    w.close_object();
}

/// The inside of a string token; `None` for anything else.
pub fn text_of<'a>(raw: Option<Raw<'a>>) -> Option<Text<'a>> {
    Text::of_token(raw?.get())
}

/// A word of the format's own, such as a type or a role: it has no escapes. Empty for anything but a string.
pub fn word<'a>(raw: Option<Raw<'a>>) -> &'a str {
    raw.and_then(|r| r.get().strip_prefix('"')?.strip_suffix('"')).unwrap_or("")
}

/// A string, without its escapes.
pub fn word_of<'a>(raw: Option<Raw<'a>>) -> Option<Cow<'a, str>> {
    let token = raw?.get();
    let inside = token.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') { serde_json::from_str(token).ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inside)) }
}

pub fn cache_of(raw: Option<Raw<'_>>) -> Option<CacheMark> {
    let control = Members::parse(raw?.get())?;
    let long = text_of(control.get("ttl")).is_some_and(|ttl| ttl.escaped() == "1h");
    Some(if long { CacheMark::Long } else { CacheMark::Short })
}

pub fn write_cache(w: &mut Writer, cache: Option<CacheMark>) {
    match cache {
        None => {}
        Some(CacheMark::Short) => _ = w.key("cache_control").raw(r#"{"type":"ephemeral"}"#),
        Some(CacheMark::Long) => _ = w.key("cache_control").raw(r#"{"type":"ephemeral","ttl":"1h"}"#),
    }
}

/// How Claude Code's attribution block begins. It differs from turn to turn and would cost any other service its prompt
/// cache; only Anthropic reads it.
pub const ATTRIBUTION: &str = "x-anthropic-billing-header:";

/// Where `part`, which was borrowed from `whole`, lies in it.
pub fn span(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.len()
}

/// Blocks that Anthropic's own services leave in a conversation. Only they can read them.
pub fn is_server_block(kind: &str) -> bool {
    matches!(
        kind,
        "server_tool_use"
            | "mcp_tool_use"
            | "mcp_tool_listing"
            | "container_upload"
            | "compaction"
            | "fallback"
            | "browser_state"
            | "tool_addition"
            | "tool_removal"
    ) || (kind.ends_with("_tool_result") && kind != "tool_result")
}

/// Tools that run in the client although Anthropic defines them: they have no schema on the wire.
pub fn is_client_tool(kind: &str) -> bool {
    ["bash_", "text_editor_", "memory_", "computer_", "browser_toolset_"].iter().any(|prefix| kind.starts_with(prefix))
}
