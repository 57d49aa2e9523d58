//! Every field of the canonical request before every dialect: it is written, or the client is told, or there is a reason to say
//! nothing. By hand from the vendors' formats; `docs/translation.md` has the rule.

use std::collections::BTreeSet;

use tollgate_dialect::json::{Json, Text};
use tollgate_dialect::quirks::{Maker, Quirks, ReasoningControl};
use tollgate_dialect::request::{
    CacheMark, Effort, Media, MediaKind, Message, OutputFormat, Part, Reasoning, ReasoningMode, Request, Role, Source,
    TextPart, Thinking, Tool, ToolCall, ToolChoice, ToolInput, ToolKind, ToolResult,
};
use tollgate_dialect::{Dialect, Target, encode_request};

use crate::fields::Fate::{Refused, Told, Unsaid, Written};
use crate::seal;

#[derive(Clone, Copy)]
enum Fate {
    /// It changes the body, which has the row's mark.
    Written,
    /// `x-tollgate-changes` has this.
    Told(&'static str),
    /// Nobody is told, for this reason.
    Unsaid(&'static str),
    /// The request is not sent.
    Refused,
}

struct Row {
    /// The field, or the variant.
    of: &'static str,
    set: fn(&mut Request<'static>),
    /// What only a body with the field has; empty: the body is another one.
    mark: &'static str,
    /// By Messages, chat, Responses, Gemini, Converse.
    fates: [Fate; 5],
}

// Why nothing is said.
const COST: Fate = Unsaid("it is about price and speed, not about the answer");
const BOOKS: Fate = Unsaid("it is the provider's bookkeeping");
const OURS: Fate = Unsaid("the gateway does it");
const NAMED: Fate = Unsaid("the name of the tool has it");
const EAGER: Fate = Unsaid("all tools are sent, so there is nothing to load");
const MAKER: Fate = Unsaid("only its maker can read it");
const MORE: Fate = Unsaid("the client sees more than it asked for");
const STRICT: Fate = Unsaid("the format is always kept to");
const LABEL: Fate = Unsaid("no model is given it");
const DEFAULT: Fate = Unsaid("it says what is done without it");

const EVERYWHERE: [Fate; 5] = [Written; 5];

macro_rules! fields {
    ($($type:ident $(<$life:lifetime>)? { $($field:ident),* $(,)? })*) => {
        /// Does not compile while a field is missing.
        #[allow(dead_code, reason = "it is there to be compiled")]
        fn complete() {
            $(let _ = |value: &$type $(<$life>)?| { let $type { $($field: _),* } = value; };)*
        }

        const FIELDS: &[&str] = &[$($(concat!(stringify!($type), ".", stringify!($field))),*),*];
    };
}

fields! {
    Request<'static> {
        model, system, messages, tools, tool_choice, parallel_tool_calls, max_tokens, stop, temperature, top_p, top_k, reasoning,
        output_format, stream, stream_usage, user, extra,
    }
    Message<'static> { role, parts }
    TextPart<'static> { text, cache }
    Media<'static> { kind, source, name, context, detail, cited, cache }
    Thinking<'static> { text, signature, redacted }
    ToolCall<'static> { id, name, input, namespace, state, cache }
    ToolResult<'static> { id, content, is_error, cache }
    Tool<'static> { name, description, kind, strict, deferred, namespace, cache }
    Reasoning { mode, effort, visible }
}

macro_rules! variants {
    ($($function:ident: $type:ident { $($variant:ident $shape:tt),* $(,)? })*) => {
        $(
            /// Does not compile while a variant is missing.
            #[allow(dead_code, reason = "it is there to be compiled")]
            fn $function(value: &$type<'_>) {
                match value { $($type::$variant $shape => {})* }
            }
        )*

        const VARIANTS: &[&str] = &[$($(concat!(stringify!($type), "::", stringify!($variant))),*),*];
    };
}

variants! {
    parts: Part {
        Text(..), Media(..), Thinking(..), ToolCall(..), ToolResult(..), SearchResult{..}, ToolReference{..}, Server{..},
        Refusal(..), Unknown{..},
    }
    sources: Source { Base64{..}, Url(..), File(..), Text(..), Blocks(..) }
    inputs: ToolInput { Object(..), Arguments(..), Freeform(..) }
    kinds: ToolKind { Function{..}, Custom{..}, Client{..}, Server{..} }
    choices: ToolChoice { Auto{..}, Required{..}, Named(..), None{..} }
    formats: OutputFormat { JsonObject{..}, JsonSchema{..} }
}

fn user(request: &mut Request<'static>, parts: Vec<Part<'static>>) {
    request.messages.push(Message { role: Role::User, parts });
}

/// The assistant said this, and the user goes on.
fn assistant(request: &mut Request<'static>, mut parts: Vec<Part<'static>>) {
    parts.push(words("so"));
    request.messages.push(Message { role: Role::Assistant, parts });
    user(request, vec![words("on")]);
}

fn words(text: &str) -> Part<'static> {
    Part::Text(TextPart { text: Text::plain(text), cache: None })
}

fn marked(cache: CacheMark) -> TextPart<'static> {
    TextPart { text: Text::plain("words"), cache: Some(cache) }
}

fn media(kind: MediaKind) -> Media<'static> {
    let media_type = match kind {
        MediaKind::Image => "image/png",
        MediaKind::Document => "application/pdf",
        MediaKind::Audio => "audio/wav",
        MediaKind::Video => "video/mp4",
    };
    let source = Source::Base64 { media_type: Text::plain(media_type), data: Text::plain("Y2FuYXJ5") };
    Media { kind, source, name: None, context: None, detail: None, cited: false, cache: None }
}

fn document(source: Source<'static>) -> Part<'static> {
    Part::Media(Media { source, ..media(MediaKind::Document) })
}

fn thought(text: &'static str, signature: Option<&'static str>, redacted: bool) -> Part<'static> {
    Part::Thinking(Thinking { text: Text::plain(text), signature: signature.map(Text::literal), redacted })
}

/// A call and its result, changed.
fn called(request: &mut Request<'static>, change: impl FnOnce(&mut ToolCall<'static>, &mut ToolResult<'static>)) {
    tool(request, |_| {});
    let input = ToolInput::Object(Json::literal(r#"{"a":1}"#));
    let (id, name) = (Text::plain("call_1"), Text::plain("look"));
    let mut call = ToolCall { id: id.clone(), name, input, namespace: None, state: None, cache: None };
    let mut result = ToolResult { id, content: vec![words("seen")], is_error: false, cache: None };
    change(&mut call, &mut result);
    request.messages.push(Message { role: Role::Assistant, parts: vec![Part::ToolCall(call)] });
    user(request, vec![Part::ToolResult(result)]);
}

fn tool(request: &mut Request<'static>, change: impl FnOnce(&mut Tool<'static>)) {
    let schema =
        r#"{"type":"object","properties":{"a":{"type":"string"}},"required":["a"],"additionalProperties":false}"#;
    let mut tool = Tool {
        name: Text::plain("look"),
        description: None,
        kind: ToolKind::Function { schema: Some(Json::literal(schema)) },
        strict: None,
        deferred: false,
        namespace: None,
        cache: None,
    };
    change(&mut tool);
    request.tools.push(tool);
}

fn format(request: &mut Request<'static>, named: Option<&'static str>, described: Option<&'static str>) {
    let schema = Json::literal(
        r#"{"type":"object","properties":{"canary":{"type":"string"}},"required":["canary"],"additionalProperties":false}"#,
    );
    let (name, description) = (named.map(Text::literal), described.map(Text::literal));
    request.output_format = Some(OutputFormat::JsonSchema { name, description, schema, strict: Some(false) });
}

fn thinks(request: &mut Request<'static>, mode: ReasoningMode, effort: Option<Effort>, visible: Option<bool>) {
    request.max_tokens = Some(9000);
    request.reasoning = Some(Reasoning { mode, effort, visible });
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    Row { of: "Request.model", set: |r| r.model = Text::literal("canary"), mark: "", fates: [Unsaid("the deployment's model is asked"); 5] },
    Row { of: "Request.system", set: |r| r.system.push(TextPart { text: Text::literal("canary"), cache: None }), mark: "canary", fates: EVERYWHERE },
    Row { of: "Request.messages", set: |r| user(r, vec![words("canary")]), mark: "canary", fates: EVERYWHERE },
    Row { of: "Request.tools", set: |r| tool(r, |t| t.name = Text::literal("canary")), mark: "canary", fates: EVERYWHERE },
    Row { of: "Request.tool_choice", set: |r| { tool(r, |_| {}); r.tool_choice = Some(ToolChoice::Required) }, mark: "", fates: EVERYWHERE },
    Row { of: "Request.parallel_tool_calls", set: |r| { tool(r, |_| {}); r.parallel_tool_calls = Some(false) }, mark: "",
        fates: [Written, Written, Written, Told("dropped:parallel_tool_calls"), Told("dropped:parallel_tool_calls")] },
    Row { of: "Request.max_tokens", set: |r| r.max_tokens = Some(777), mark: "777", fates: EVERYWHERE },
    Row { of: "Request.stop", set: |r| r.stop.push(Text::literal("canary")), mark: "canary", fates: [Written, Written, OURS, Written, Written] },
    Row { of: "Request.temperature", set: |r| r.temperature = Some(Json::literal("0.25")), mark: "0.25", fates: EVERYWHERE },
    Row { of: "Request.top_p", set: |r| r.top_p = Some(Json::literal("0.25")), mark: "0.25", fates: EVERYWHERE },
    Row { of: "Request.top_k", set: |r| r.top_k = Some(Json::literal("77")), mark: "77",
        fates: [Written, Told("dropped:top_k"), Told("dropped:top_k"), Written, Written] },
    Row { of: "Request.reasoning", set: |r| thinks(r, ReasoningMode::Adaptive, Some(Effort::High), None), mark: "", fates: EVERYWHERE },
    Row { of: "Request.output_format", set: |r| format(r, None, None), mark: "canary", fates: EVERYWHERE },
    Row { of: "Request.stream", set: |r| r.stream = true, mark: "", fates: [OURS; 5] },
    Row { of: "Request.stream_usage", set: |r| r.stream_usage = true, mark: "", fates: [OURS; 5] },
    Row { of: "Request.user", set: |r| r.user = Some(Text::literal("canary")), mark: "canary", fates: [Written, Written, Written, BOOKS, Written] },
    Row { of: "Request.extra", set: |r| r.extra.push((Text::literal("who_knows"), Json::literal("1"))), mark: "",
        fates: [Told("dropped:who_knows"); 5] },

    Row { of: "Message.role", set: |r| r.messages.push(Message { role: Role::System, parts: vec![words("canary")] }), mark: "canary",
        fates: [Written, Told("moved:system"), Told("moved:system"), Told("moved:system"), Told("moved:system")] },
    Row { of: "Message.parts", set: |r| user(r, vec![words("a"), words("canary")]), mark: "canary", fates: EVERYWHERE },

    Row { of: "TextPart.text", set: |r| user(r, vec![words("canary")]), mark: "canary", fates: EVERYWHERE },
    Row { of: "Part::Text", set: |r| assistant(r, vec![words("canary")]), mark: "canary", fates: EVERYWHERE },
    Row { of: "TextPart.cache", set: |r| user(r, vec![Part::Text(marked(CacheMark::Short))]), mark: "cache", fates: [Written, COST, COST, COST, Written] },
    Row { of: "Part::Media", set: |r| user(r, vec![Part::Media(media(MediaKind::Image))]), mark: "Y2FuYXJ5", fates: EVERYWHERE },
    Row { of: "Part::Refusal", set: |r| assistant(r, vec![Part::Refusal(Text::literal("canary"))]), mark: "canary", fates: EVERYWHERE },
    Row { of: "Part::Unknown", set: |r| user(r, vec![Part::Unknown { kind: Text::literal("canary") }]), mark: "", fates: [Told("dropped:canary"); 5] },
    Row { of: "Part::Server", set: |r| assistant(r, vec![Part::Server { kind: Text::literal("server_tool_use"),
            fields: Json::literal(r#"{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"canary"}}"#) }]),
        mark: "canary", fates: [Written, Told("textualised:server_tool_use"), Told("textualised:server_tool_use"),
            Told("textualised:server_tool_use"), Told("textualised:server_tool_use")] },
    Row { of: "Part::SearchResult", set: |r| user(r, vec![Part::SearchResult { title: Text::literal("t"), source: Text::literal("s"),
            content: vec![TextPart { text: Text::literal("canary"), cache: None }], cited: false, cache: None }]),
        mark: "canary", fates: [Written, Told("textualised:search_result"), Told("textualised:search_result"),
            Told("textualised:search_result"), Told("textualised:search_result")] },
    Row { of: "Part::ToolReference", set: |r| user(r, vec![Part::ToolReference { name: Text::literal("canary") }]), mark: "canary",
        fates: [Written, Told("textualised:tool_reference"), Told("textualised:tool_reference"),
            Told("textualised:tool_reference"), Told("textualised:tool_reference")] },

    Row { of: "Media.kind", set: |r| user(r, vec![Part::Media(media(MediaKind::Document))]), mark: "Y2FuYXJ5", fates: EVERYWHERE },
    Row { of: "Media.kind", set: |r| user(r, vec![Part::Media(media(MediaKind::Audio))]), mark: "Y2FuYXJ5", fates: [Refused, Written, Written, Written, Refused] },
    Row { of: "Media.kind", set: |r| user(r, vec![Part::Media(media(MediaKind::Video))]), mark: "Y2FuYXJ5", fates: [Refused, Refused, Refused, Written, Refused] },
    Row { of: "Media.source", set: |r| user(r, vec![Part::Media(media(MediaKind::Image))]), mark: "Y2FuYXJ5", fates: EVERYWHERE },
    Row { of: "Source::Base64", set: |r| user(r, vec![Part::Media(media(MediaKind::Image))]), mark: "Y2FuYXJ5", fates: EVERYWHERE },
    Row { of: "Source::Url", set: |r| user(r, vec![Part::Media(Media { source: Source::Url(Text::literal("https://x.test/canary.png")), ..media(MediaKind::Image) })]),
        mark: "canary", fates: [Written, Written, Written, Written, Refused] },
    Row { of: "Source::File", set: |r| user(r, vec![document(Source::File(Text::literal("file_1")))]), mark: "", fates: [Refused; 5] },
    Row { of: "Source::Text", set: |r| user(r, vec![document(Source::Text(Text::literal("canary")))]), mark: "",
        fates: [Written, Told("textualised:document"), Told("textualised:document"), Told("textualised:document"), Written] },
    Row { of: "Source::Blocks", set: |r| user(r, vec![document(Source::Blocks(vec![words("canary")]))]), mark: "",
        fates: [Written, Told("textualised:document"), Told("textualised:document"), Told("textualised:document"), Written] },
    Row { of: "Media.name", set: |r| user(r, vec![Part::Media(Media { name: Some(Text::literal("canary")), ..media(MediaKind::Document) })]),
        mark: "canary", fates: [Written, Written, Written, Told("textualised:title"), Written] },
    Row { of: "Media.context", set: |r| user(r, vec![Part::Media(Media { context: Some(Text::literal("canary")), ..media(MediaKind::Document) })]),
        mark: "canary", fates: [Written, Told("textualised:context"), Told("textualised:context"), Told("textualised:context"), Told("textualised:context")] },
    Row { of: "Media.detail", set: |r| user(r, vec![Part::Media(Media { detail: Some(Text::literal("low")), ..media(MediaKind::Image) })]),
        mark: "\"low\"", fates: [Told("dropped:detail"), Written, Written, Told("dropped:detail"), Told("dropped:detail")] },
    Row { of: "Media.cited", set: |r| user(r, vec![Part::Media(Media { cited: true, ..media(MediaKind::Document) })]), mark: "citations",
        fates: [Written, Told("dropped:citations"), Told("dropped:citations"), Told("dropped:citations"), Told("dropped:citations")] },
    Row { of: "Media.cache", set: |r| user(r, vec![Part::Media(Media { cache: Some(CacheMark::Short), ..media(MediaKind::Image) })]),
        mark: "cache", fates: [Written, COST, COST, COST, Written] },

    Row { of: "Part::Thinking", set: |r| assistant(r, vec![thought("canary", Some("EqAnthropic"), false)]), mark: "canary",
        fates: [Written, Told("dropped:thinking"), Told("dropped:thinking"), Told("dropped:thinking"), Written] },
    Row { of: "Thinking.text", set: |r| assistant(r, vec![thought("canary", None, false)]), mark: "canary",
        fates: [Told("dropped:thinking"), Told("dropped:thinking"), Told("dropped:thinking"), Told("dropped:thinking.text"), Told("dropped:thinking")] },
    Row { of: "Thinking.signature", set: |r| assistant(r, vec![thought("", Some("EqCanary"), false)]), mark: "EqCanary",
        fates: [Written, MAKER, MAKER, MAKER, Written] },
    Row { of: "Thinking.redacted", set: |r| assistant(r, vec![thought("", Some("EqCanary"), true)]), mark: "EqCanary",
        fates: [Written, Told("dropped:thinking"), Told("dropped:thinking"), Told("dropped:thinking"), Written] },

    Row { of: "Part::ToolCall", set: |r| called(r, |_, _| {}), mark: "look", fates: EVERYWHERE },
    Row { of: "Part::ToolResult", set: |r| called(r, |_, _| {}), mark: "seen", fates: EVERYWHERE },
    Row { of: "ToolCall.id", set: |r| called(r, |c, s| { c.id = Text::literal("canary"); s.id = Text::literal("canary") }), mark: "canary", fates: EVERYWHERE },
    Row { of: "ToolResult.id", set: |r| called(r, |c, s| { c.id = Text::literal("canary"); s.id = Text::literal("canary") }), mark: "canary", fates: EVERYWHERE },
    Row { of: "ToolCall.name", set: |r| called(r, |c, _| c.name = Text::literal("canary")), mark: "canary", fates: EVERYWHERE },
    Row { of: "ToolCall.input", set: |r| called(r, |c, _| c.input = ToolInput::Object(Json::literal(r#"{"a":"canary"}"#))), mark: "canary", fates: EVERYWHERE },
    Row { of: "ToolInput::Object", set: |r| called(r, |c, _| c.input = ToolInput::Object(Json::literal(r#"{"a":"canary"}"#))), mark: "canary", fates: EVERYWHERE },
    Row { of: "ToolInput::Arguments", set: |r| called(r, |c, _| c.input = ToolInput::Arguments(Text::plain(r#"{"a":"canary"}"#))), mark: "canary", fates: EVERYWHERE },
    Row { of: "ToolInput::Freeform", set: |r| called(r, |c, _| c.input = ToolInput::Freeform(Text::plain("canary"))), mark: "canary", fates: EVERYWHERE },
    Row { of: "ToolCall.namespace", set: |r| called(r, |c, _| c.namespace = Some(Text::literal("canary"))), mark: "", fates: [Unsaid("the name has it"); 5] },
    Row { of: "ToolCall.state", set: |r| called(r, |c, _| c.state = Some(Text::literal("canary"))), mark: "canary", fates: [MAKER, MAKER, MAKER, Written, MAKER] },
    Row { of: "ToolCall.cache", set: |r| called(r, |c, _| c.cache = Some(CacheMark::Short)), mark: "cache", fates: [Written, COST, COST, COST, Written] },
    Row { of: "ToolResult.content", set: |r| called(r, |_, s| s.content = vec![words("canary")]), mark: "canary", fates: EVERYWHERE },
    Row { of: "ToolResult.content", set: |r| called(r, |_, s| s.content.push(Part::Media(media(MediaKind::Image)))), mark: "Y2FuYXJ5",
        fates: [Written, Told("moved:image"), Written, Written, Told("moved:image")] },
    Row { of: "ToolResult.content", set: |r| called(r, |_, s| s.content.push(Part::Media(media(MediaKind::Document)))), mark: "Y2FuYXJ5",
        fates: [Written, Told("moved:document"), Written, Written, Told("moved:document")] },
    Row { of: "ToolResult.is_error", set: |r| called(r, |_, s| s.is_error = true), mark: "rror",
        fates: [Written, Told("textualised:is_error"), Told("textualised:is_error"), Written, Written] },
    Row { of: "ToolResult.cache", set: |r| called(r, |_, s| s.cache = Some(CacheMark::Short)), mark: "cache", fates: [Written, COST, COST, COST, Written] },

    Row { of: "Tool.name", set: |r| tool(r, |t| t.name = Text::literal("canary")), mark: "canary", fates: EVERYWHERE },
    Row { of: "Tool.description", set: |r| tool(r, |t| t.description = Some(Text::literal("canary"))), mark: "canary", fates: EVERYWHERE },
    Row { of: "Tool.kind", set: |r| tool(r, |_| {}), mark: "look", fates: EVERYWHERE },
    Row { of: "ToolKind::Function", set: |r| tool(r, |t| t.kind = ToolKind::Function { schema: Some(Json::literal(r#"{"type":"object","properties":{"canary":{"type":"string"}}}"#)) }),
        mark: "canary", fates: EVERYWHERE },
    Row { of: "ToolKind::Custom", set: |r| tool(r, |t| t.kind = ToolKind::Custom { format: Some(Json::literal(r#"{"type":"grammar","syntax":"lark","definition":"canary"}"#)) }),
        mark: "canary", fates: [Told("dropped:grammar"), Told("dropped:grammar"), Written, Told("dropped:grammar"), Told("dropped:grammar")] },
    Row { of: "ToolKind::Client", set: |r| tool(r, |t| { t.name = Text::literal("bash"); t.kind = ToolKind::Client { kind: Text::literal("bash_20250124"),
            fields: Json::literal(r#"{"type":"bash_20250124","name":"bash"}"#) } }), mark: "bash", fates: EVERYWHERE },
    Row { of: "ToolKind::Server", set: |r| { tool(r, |_| {}); tool(r, |t| { t.name = Text::literal("code_execution"); t.kind = ToolKind::Server {
            kind: Text::literal("code_execution_20250825"), fields: Json::literal(r#"{"type":"code_execution_20250825","name":"code_execution"}"#) } }) },
        mark: "code_execution", fates: [Written, Told("dropped:code_execution"), Told("dropped:code_execution"), Told("dropped:code_execution"), Told("dropped:code_execution")] },
    Row { of: "Tool.strict", set: |r| tool(r, |t| t.strict = Some(true)), mark: "\"strict\":true",
        fates: [Told("dropped:strict"), Written, Written, Told("dropped:strict"), Told("dropped:strict")] },
    Row { of: "Tool.deferred", set: |r| tool(r, |t| t.deferred = true), mark: "defer_loading", fates: [Written, EAGER, EAGER, EAGER, EAGER] },
    Row { of: "Tool.namespace", set: |r| tool(r, |t| t.namespace = Some(Text::literal("canary"))), mark: "", fates: [NAMED; 5] },
    Row { of: "Tool.cache", set: |r| tool(r, |t| t.cache = Some(CacheMark::Short)), mark: "cache", fates: [Written, COST, COST, COST, Written] },

    Row { of: "ToolChoice::Auto", set: |r| { tool(r, |_| {}); r.tool_choice = Some(ToolChoice::Auto) }, mark: "", fates: [Written, Written, Written, Written, DEFAULT] },
    Row { of: "ToolChoice::Required", set: |r| { tool(r, |_| {}); r.tool_choice = Some(ToolChoice::Required) }, mark: "", fates: EVERYWHERE },
    Row { of: "ToolChoice::Named", set: |r| { tool(r, |_| {}); r.tool_choice = Some(ToolChoice::Named(Text::literal("look"))) }, mark: "", fates: EVERYWHERE },
    Row { of: "ToolChoice::None", set: |r| { called(r, |_, _| {}); r.tool_choice = Some(ToolChoice::None) }, mark: "",
        fates: [Written, Written, Written, Written, Told("softened:tool_choice")] },

    Row { of: "Reasoning.mode", set: |r| thinks(r, ReasoningMode::Off, None, None), mark: "", fates: [Written, Written, Written, Told("softened:thinking"), Written] },
    Row { of: "Reasoning.mode", set: |r| thinks(r, ReasoningMode::Budget(4000), None, None), mark: "", fates: EVERYWHERE },
    Row { of: "Reasoning.effort", set: |r| thinks(r, ReasoningMode::Adaptive, Some(Effort::Xhigh), None), mark: "",
        fates: [Written, Told("clamped:effort"), Told("clamped:effort"), Told("clamped:effort"), Written] },
    Row { of: "Reasoning.visible", set: |r| thinks(r, ReasoningMode::Adaptive, None, Some(false)), mark: "omitted", fates: [Written, MORE, OURS, OURS, Written] },

    Row { of: "OutputFormat::JsonObject", set: |r| r.output_format = Some(OutputFormat::JsonObject), mark: "",
        fates: [Told("textualised:response_format"), Written, Written, Written, Told("textualised:response_format")] },
    Row { of: "OutputFormat::JsonSchema", set: |r| format(r, None, None), mark: "canary", fates: EVERYWHERE },
    Row { of: "OutputFormat::JsonSchema name", set: |r| format(r, Some("named"), None), mark: "named", fates: [LABEL, Written, Written, LABEL, Written] },
    Row { of: "OutputFormat::JsonSchema description", set: |r| format(r, None, Some("described")), mark: "described",
        fates: [Told("dropped:response_format.description"), Written, Written, Told("dropped:response_format.description"), Written] },
    Row { of: "OutputFormat::JsonSchema strict", set: |r| format(r, None, None), mark: "\"strict\":false", fates: [STRICT, Written, Written, STRICT, STRICT] },
];

/// Fields without a canonical form, with a value that says something.
#[rustfmt::skip]
const EXTRA: &[(&str, &str, [Fate; 5])] = &[
    ("verbosity", r#""low""#, [Told("dropped:verbosity"), Written, Written, Told("dropped:verbosity"), Told("dropped:verbosity")]),
    ("metadata", r#"{"a":"b"}"#, [BOOKS, BOOKS, Written, BOOKS, Written]),
    ("store", "true", [BOOKS, Written, OURS, BOOKS, BOOKS]),
    ("safety_identifier", r#""x""#, [BOOKS, Written, Written, BOOKS, BOOKS]),
    ("prompt_cache_retention", r#""24h""#, [COST, Written, Written, COST, COST]),
    ("service_tier", r#""flex""#, [COST, Written, Written, COST, Written]),
    ("speed", r#""fast""#, [Written, COST, COST, COST, COST]),
    ("inference_geo", r#""eu""#, [Written, Told("dropped:inference_geo"), Told("dropped:inference_geo"), Told("dropped:inference_geo"), Told("dropped:inference_geo")]),
    ("seed", "7", [Told("dropped:seed"), Written, Told("dropped:seed"), Written, Told("dropped:seed")]),
    ("n", "2", [Told("dropped:n"), Written, Told("dropped:n"), Told("dropped:n"), Told("dropped:n")]),
    ("logprobs", "true", [Told("dropped:logprobs"), Written, Told("dropped:logprobs"), Told("dropped:logprobs"), Told("dropped:logprobs")]),
    ("logit_bias", r#"{"1":2}"#, [Told("dropped:logit_bias"), Written, Told("dropped:logit_bias"), Told("dropped:logit_bias"), Told("dropped:logit_bias")]),
    ("frequency_penalty", "0.5", [Told("dropped:frequency_penalty"), Written, Told("dropped:frequency_penalty"), Written, Told("dropped:frequency_penalty")]),
    ("presence_penalty", "0.5", [Told("dropped:presence_penalty"), Written, Told("dropped:presence_penalty"), Written, Told("dropped:presence_penalty")]),
    ("prediction", r#"{"type":"content","content":"x"}"#, [Told("dropped:prediction"), Written, Told("dropped:prediction"), Told("dropped:prediction"), Told("dropped:prediction")]),
    ("container", r#""c_1""#, [Written, Told("dropped:container"), Told("dropped:container"), Told("dropped:container"), Told("dropped:container")]),
    ("mcp_servers", "[]", [Written, Told("dropped:mcp_servers"), Told("dropped:mcp_servers"), Told("dropped:mcp_servers"), Told("dropped:mcp_servers")]),
    ("context_management", r#"{"edits":[]}"#, [Written, Told("dropped:context_management"), Told("dropped:context_management"), Told("dropped:context_management"), Told("dropped:context_management")]),
    ("truncation", r#""auto""#, [Told("dropped:truncation"), Told("dropped:truncation"), Written, Told("dropped:truncation"), Told("dropped:truncation")]),
    ("max_tool_calls", "3", [Told("dropped:max_tool_calls"), Told("dropped:max_tool_calls"), Written, Told("dropped:max_tool_calls"), Told("dropped:max_tool_calls")]),
    ("safetySettings", "[]", [Told("dropped:safetySettings"), Told("dropped:safetySettings"), Told("dropped:safetySettings"), Written, Told("dropped:safetySettings")]),
    ("guardrailConfig", r#"{"guardrailIdentifier":"g"}"#, [Told("dropped:guardrailConfig"), Told("dropped:guardrailConfig"), Told("dropped:guardrailConfig"), Told("dropped:guardrailConfig"), Written]),
    ("thread", "{}", [Written, Refused, Refused, Refused, Refused]),
    ("compaction", "{}", [Written, Refused, Refused, Refused, Refused]),
    ("cachedContent", r#""c""#, [Refused, Refused, Refused, Written, Refused]),
];

fn plain() -> Request<'static> {
    let mut request = Request { model: Text::literal("asked"), ..Request::default() };
    user(&mut request, vec![words("Hello.")]);
    request
}

/// A model of each dialect that takes what its maker's models take, on a plain server.
fn quirks(dialect: Dialect) -> Quirks {
    let mut quirks = Quirks { pdf: true, strict_tools: true, reasoning: ReasoningControl::Effort, ..Quirks::default() };
    quirks.efforts = vec![Effort::None, Effort::Low, Effort::Medium, Effort::High];
    match dialect {
        Dialect::Messages => {
            quirks.messages.genuine = true;
            quirks.efforts = Effort::ALL.into();
        }
        Dialect::Converse => {
            quirks.converse.maker = Maker::Anthropic;
            quirks.messages.genuine = true;
            quirks.cache_control = true;
            quirks.efforts = Effort::ALL.into();
        }
        Dialect::Chat | Dialect::Responses | Dialect::Gemini => {}
    }
    quirks
}

/// The body, and the changes; `None`: it is refused.
fn written(dialect: Dialect, request: &Request<'static>) -> Option<(String, BTreeSet<String>)> {
    let (quirks, seal) = (quirks(dialect), seal());
    let target = Target {
        model: "up",
        label: "acme/up",
        quirks: &quirks,
        drop_params: true,
        max_output_tokens: None,
        stream: false,
        seal: &seal,
    };
    let encoded = encode_request(dialect, request, &target).ok()?;
    let body = String::from_utf8(encoded.body).expect("UTF-8");
    Some((body, encoded.changes.iter().map(ToString::to_string).collect()))
}

/// What is not as the fate says.
fn wrong(dialect: Dialect, request: &Request<'static>, mark: &str, fate: Fate) -> Option<String> {
    let (before, _) = written(dialect, &plain()).expect("plain words");
    let Some((body, changes)) = written(dialect, request) else {
        return (!matches!(fate, Refused)).then(|| "refused".to_owned());
    };
    let none = BTreeSet::new();
    let (good, expected, why) = match fate {
        Refused => (false, none, "it is refused"),
        Written => (body.contains(mark) && body != before, none, "it is written"),
        Told(change) => (true, BTreeSet::from([change.to_owned()]), change),
        Unsaid(why) => (mark.is_empty() || !body.contains(mark), none, why),
    };
    (!good || changes != expected).then(|| format!("{changes:?}, but {why}\n    {body}"))
}

#[test]
fn every_field_reaches_every_dialect_or_the_client_is_told() {
    let mut failed = Vec::new();
    for Row { of, set, mark, fates } in ROWS {
        let mut request = plain();
        set(&mut request);
        for (dialect, fate) in Dialect::ALL.into_iter().zip(fates) {
            failed.extend(wrong(dialect, &request, mark, *fate).map(|why| format!("{of} to {dialect:?}: {why}")));
        }
    }
    for (name, value, fates) in EXTRA {
        let mut request = plain();
        request.extra.push((Text::literal(name), Json::literal(value)));
        for (dialect, fate) in Dialect::ALL.into_iter().zip(fates) {
            failed.extend(wrong(dialect, &request, "", *fate).map(|why| format!("{name} to {dialect:?}: {why}")));
        }
    }
    assert!(failed.is_empty(), "{} are other than the table says:\n{}", failed.len(), failed.join("\n"));
}

#[test]
fn the_table_has_every_field_and_every_variant() {
    let missing = FIELDS.iter().chain(VARIANTS).filter(|name| !ROWS.iter().any(|row| row.of == **name));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&&str>::new());
}
