//! A request of one dialect is written for another, read there, and written for the first again.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tollgate_dialect::json::{Json, Text};
use tollgate_dialect::quirks::{Quirks, ReasoningControl};
use tollgate_dialect::request::{
    CacheMark, Effort, Media, MediaKind, Message, OutputFormat, Part, Reasoning, Request, Role, Source, TextPart,
    Thinking, Tool, ToolCall, ToolChoice, ToolInput, ToolKind, ToolResult,
};
use tollgate_dialect::{Dialect, Encoded, Target, decode_request, encode_request};

use crate::facts::{self, Facts, Kind};
use crate::{BOTH, pairs, seal};

/// What the page on translation says of a pair without a change being reported, with the fact that it is about.
const SILENT: &[(&str, &[Dialect], &str)] = &[
    (
        "stop",
        &[Dialect::Responses, Dialect::Chat, Dialect::Gemini],
        "the gateway looks for what the target does not take",
    ),
    ("user", &[Dialect::Gemini], "it is the provider's bookkeeping"),
    ("store", &BOTH, "it is the provider's bookkeeping"),
    ("metadata", &BOTH, "it is the provider's bookkeeping"),
    ("service_tier", &BOTH, "it is about price and speed"),
    ("refusals", &BOTH, "an earlier refusal is the assistant's words"),
];

/// Names that a change may give to a fact. All others have the fact's own. What the client said and called is never lost.
const NAMES: &[(&str, &[&str])] = &[
    ("conversation", &[]),
    ("media", &["image", "document"]),
    ("one_call", &["parallel_tool_calls"]),
    ("effort", &["thinking", "effort"]),
    ("format", &["response_format"]),
    ("described format", &["response_format.description", "response_format"]),
    ("thoughts", &["thinking", "thinking.text"]),
    ("errors", &["is_error"]),
    ("places of images", &["image"]),
    ("places of documents", &["document"]),
    ("documents of text", &["document"]),
    ("middle system", &["system"]),
    ("search results", &["search_result"]),
    ("server blocks", &["server_tool_use"]),
    ("references", &["tool_reference"]),
    ("details", &["detail"]),
    // A title or context of a document that became words is in these words.
    ("titles", &["title", "document"]),
    ("contexts", &["context", "document"]),
    ("custom tools", &["grammar"]),
    ("unknown", &["thing"]),
];

/// Models that take whatever their dialect can say, and models that take no more than the most of them do.
fn quirks(dialect: Dialect, able: bool) -> Quirks {
    let mut quirks = Quirks { pdf: true, ..Quirks::default() };
    quirks.messages.genuine = dialect == Dialect::Messages;
    if able {
        quirks.media_in_tool_result = true;
        quirks.strict_tools = true;
        quirks.reasoning = ReasoningControl::Effort;
        quirks.efforts = Effort::ALL.into();
    } else {
        quirks.messages.mid_system = false;
        quirks.messages.media_in_tool_result = false;
        quirks.gemini.media_in_tool_result = false;
        quirks.parallel_tool_calls = false;
    }
    quirks
}

fn written(dialect: Dialect, able: bool, request: &Request<'_>) -> Encoded {
    let (quirks, seal) = (quirks(dialect, able), seal());
    let target = Target {
        model: "up",
        label: "acme/up",
        quirks: &quirks,
        drop_params: true,
        max_output_tokens: None,
        stream: request.stream,
        seal: &seal,
    };
    encode_request(dialect, request, &target).unwrap_or_else(|error| panic!("{dialect:?}: {error}"))
}

fn words() -> impl Strategy<Value = String> {
    "[a-z\"\\\\é🦀]{1,8}"
}

fn text(kind: Kind, words: &str, cache: Option<CacheMark>) -> TextPart<'static> {
    TextPart { text: Text::plain(&kind.marked(words)), cache }
}

fn said(words: &str) -> Part<'static> {
    Part::Text(text(Kind::Said, words, None))
}

fn marked(kind: Kind, words: &str) -> Text<'static> {
    Text::plain(&kind.marked(words))
}

fn image() -> Media<'static> {
    let source = Source::Base64 { media_type: Text::literal("image/png"), data: Text::literal("iVBORw0KGgoAAAAN") };
    Media { kind: MediaKind::Image, source, name: None, context: None, detail: None, cited: false, cache: None }
}

fn document() -> Media<'static> {
    let source =
        Source::Base64 { media_type: Text::literal("application/pdf"), data: Text::literal("JVBERi0xLjcKJcfs") };
    Media { kind: MediaKind::Document, source, ..image() }
}

fn a_document() -> impl Strategy<Value = Part<'static>> {
    let inside = prop_oneof![
        Just(None),
        words().prop_map(|words| Some(Source::Text(marked(Kind::Document, &words)))),
        words().prop_map(|words| Some(Source::Blocks(vec![Part::Text(text(Kind::Document, &words, None))]))),
    ];
    let names = (prop::option::of("[a-z]{3}"), prop::option::of(words()));
    (inside, names, any::<bool>()).prop_map(|(inside, (name, context), cited)| {
        let whole = document();
        Part::Media(Media {
            source: inside.unwrap_or(whole.source),
            name: name.map(|name| marked(Kind::Title, &name)),
            context: context.map(|context| marked(Kind::Context, &context)),
            cited,
            ..document()
        })
    })
}

/// What a user says.
fn spoken() -> impl Strategy<Value = Part<'static>> {
    let mark = prop::option::of(prop::sample::select(vec![CacheMark::Short, CacheMark::Long]));
    prop_oneof![
        6 => (words(), mark).prop_map(|(words, cache)| Part::Text(text(Kind::Said, &words, cache))),
        1 => prop::option::of(prop::sample::select(vec!["low", "high"])).prop_map(|detail| {
            Part::Media(Media { detail: detail.map(Text::literal), ..image() })
        }),
        1 => Just(Part::Media(Media { source: Source::Url(Text::literal("https://x.test/a.png")), ..image() })),
        2 => a_document(),
        1 => (words(), any::<bool>()).prop_map(|(words, cited)| Part::SearchResult {
            title: Text::literal("A page"), source: Text::literal("https://x.test"),
            content: vec![text(Kind::Search, &words, None)], cited, cache: None,
        }),
        1 => Just(Part::ToolReference { name: Text::literal("look") }),
        1 => Just(Part::Unknown { kind: Text::literal("thing") }),
    ]
}

/// What the assistant thought and said before it called tools.
fn made() -> impl Strategy<Value = Part<'static>> {
    let thinking = |text: String, signature: Option<&'static str>, redacted| {
        Part::Thinking(Thinking { text: Text::plain(&text), signature: signature.map(Text::literal), redacted })
    };
    prop_oneof![
        4 => words().prop_map(|words| said(&words)),
        1 => "[a-z]{1,6}".prop_map(move |text| thinking(text, Some("EqAnthropic"), false)),
        1 => "[a-z]{1,6}".prop_map(move |text| thinking(text, None, false)),
        1 => Just(thinking(String::new(), Some("EqRedacted"), true)),
        1 => "[a-z]{1,6}".prop_map(|words| {
            let query = Kind::Server.marked(&words);
            let block = serde_json::json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": query}});
            Part::Server { kind: Text::literal("server_tool_use"), fields: Json::of(&block) }
        }),
        1 => words().prop_map(|words| Part::Refusal(marked(Kind::Refusal, &words))),
    ]
}

#[derive(Clone, Debug)]
struct Called {
    argument: String,
    result: String,
    media: Option<Media<'static>>,
    is_error: bool,
}

#[derive(Clone, Debug)]
struct Turn {
    made: Vec<Part<'static>>,
    calls: Vec<Called>,
    /// What the user says then, and the system.
    user: Vec<Part<'static>>,
    system: Option<String>,
}

prop_compose! {
    fn called()(
        argument in words(), result in words(), media in prop_oneof![2 => Just(None), 1 => Just(Some(image())), 1 => Just(Some(document()))],
        is_error in prop::bool::weighted(0.2),
    ) -> Called {
        Called { argument, result, media, is_error }
    }
}

prop_compose! {
    fn turn()(
        made in prop::collection::vec(made(), 0..3),
        calls in prop::collection::vec(called(), 0..3),
        user in prop::collection::vec(spoken(), 0..3),
        system in prop::option::weighted(0.2, words()),
    ) -> Turn {
        Turn { made, calls, user, system }
    }
}

/// Turns of a conversation, with calls numbered through.
fn messages(first: Vec<Part<'static>>, turns: Vec<Turn>) -> Vec<Message<'static>> {
    let mut messages = vec![Message { role: Role::User, parts: first }];
    let mut number = 0;
    for Turn { mut made, calls, user, system } in turns {
        // Thoughts alone are no message.
        made.push(said("so"));
        let mut answered = Vec::new();
        for Called { argument, result, media, is_error } in calls {
            number += 1;
            let id = Text::plain(&format!("call_{number}"));
            let input = Json::of(&serde_json::json!({"path": argument, "n": number}));
            made.push(Part::ToolCall(ToolCall {
                id: id.clone(),
                name: Text::plain("look"),
                input: ToolInput::Object(input),
                namespace: None,
                state: None,
                cache: None,
            }));
            let mut content = vec![said(&result)];
            content.extend(media.map(Part::Media));
            answered.push(Part::ToolResult(ToolResult { id, content, is_error, cache: None }));
        }
        answered.extend(user);
        // A conversation ends with the user.
        answered.push(said("and"));
        messages.push(Message { role: Role::Assistant, parts: made });
        messages.push(Message { role: Role::User, parts: answered });
        if let Some(words) = system {
            let parts = vec![Part::Text(text(Kind::Middle, &words, None))];
            messages.push(Message { role: Role::System, parts });
            messages.push(Message { role: Role::User, parts: vec![said("well")] });
        }
    }
    messages
}

fn tool(name: &'static str, kind: ToolKind<'static>, strict: Option<bool>) -> Tool<'static> {
    Tool {
        name: Text::literal(name),
        description: Some(Text::literal("Looks at a file.")),
        kind,
        strict,
        deferred: false,
        namespace: None,
        cache: None,
    }
}

fn tools(strict: bool, custom: bool) -> Vec<Tool<'static>> {
    let schema = serde_json::json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"],
        "additionalProperties": false});
    let look = ToolKind::Function { schema: Some(Json::of(&schema)) };
    let grammar = Json::literal(r#"{"type":"grammar","syntax":"lark","definition":"start: /a/"}"#);
    let mut tools = vec![tool("look", look, strict.then_some(true))];
    tools.extend(custom.then(|| tool("patch", ToolKind::Custom { format: Some(grammar) }, None)));
    tools
}

/// Parameters without a canonical form that chat, or each of the others, knows.
const EXTRA: [(&str, &str); 8] = [
    ("seed", "7"),
    ("frequency_penalty", "0.5"),
    ("logit_bias", r#"{"1":2}"#),
    ("verbosity", r#""low""#),
    ("service_tier", r#""flex""#),
    ("store", "true"),
    ("metadata", r#"{"a":"b"}"#),
    ("max_tool_calls", "3"),
];

fn any_format() -> impl Strategy<Value = Option<OutputFormat<'static>>> {
    let schema = |least: bool, description: Option<&'static str>| {
        let mut number = serde_json::json!({"type": "integer"});
        if least {
            number["minimum"] = serde_json::json!(1);
        }
        let schema = serde_json::json!({"type": "object", "properties": {"n": number}, "required": ["n"],
            "additionalProperties": false});
        let description = description.map(Text::literal);
        OutputFormat::JsonSchema {
            name: Some(Text::literal("place")),
            description,
            schema: Json::of(&schema),
            strict: Some(true),
        }
    };
    let described = prop::option::of(Just("A number."));
    prop_oneof![
        2 => Just(None),
        1 => Just(Some(OutputFormat::JsonObject)),
        2 => (any::<bool>(), described).prop_map(move |(least, description)| Some(schema(least, description))),
    ]
}

prop_compose! {
    fn any_request()(
        system in prop::collection::vec(words(), 0..3),
        first in prop::collection::vec(spoken(), 1..4),
        turns in prop::collection::vec(turn(), 0..4),
        choice in prop_oneof![
            Just(None), Just(Some(ToolChoice::Auto)), Just(Some(ToolChoice::Required)), Just(Some(ToolChoice::None)),
            Just(Some(ToolChoice::Named(Text::literal("look")))),
        ],
        (one_call, strict, custom) in any::<(bool, bool, bool)>(),
        max_tokens in 16u64..4000,
        stop in prop::collection::vec("[A-Z]{3}", 0..7),
        sampling in prop::collection::vec(any::<bool>(), 3),
        effort in prop::option::of(prop::sample::select(vec![Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh])),
        format in any_format(),
        user in prop::option::of("[a-z]{4}"),
        extra in prop::sample::subsequence(EXTRA.to_vec(), 0..4),
        stream in any::<bool>(),
    ) -> Request<'static> {
        let given = |n: usize, value: &'static str| sampling[n].then(|| Json::literal(value));
        let mut first = first;
        first.push(said("go"));
        Request {
            model: Text::literal("asked"),
            system: system.iter().map(|words| text(Kind::Said, words, None)).collect(),
            messages: messages(first, turns),
            tools: tools(strict, custom),
            tool_choice: choice,
            parallel_tool_calls: one_call.then_some(false),
            max_tokens: Some(max_tokens),
            stop: stop.iter().map(|stop| Text::plain(stop)).collect(),
            temperature: given(0, "0.5"),
            top_p: given(1, "0.25"),
            top_k: given(2, "7"),
            reasoning: effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }),
            output_format: format,
            stream,
            user: user.map(|user| Text::plain(&user)),
            extra: extra.into_iter().map(|(name, value)| (Text::literal(name), Json::literal(value))).collect(),
            ..Request::default()
        }
    }
}

/// Facts that differ, each of which must be declared by one of these changes or by the table.
fn undeclared(before: &Facts, after: &Facts, changes: &[String], there: Dialect, back: Dialect) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let declared = |name: &str| {
        let own = [name];
        let aliases = NAMES.iter().find(|(fact, _)| *fact == name).map_or(&own[..], |(_, aliases)| *aliases);
        let told = aliases.iter().any(|alias| changes.iter().any(|change| change.ends_with(&format!(":{alias}"))));
        let silent = SILENT
            .iter()
            .any(|(fact, dialects, _)| *fact == name && (dialects.contains(&there) || dialects.contains(&back)));
        told || silent
    };
    let lost = names.into_iter().filter(|name| before.get(*name) != after.get(*name) && !declared(name));
    lost.map(|name| format!("{name}: {:?} became {:?}", before.get(name), after.get(name))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_request_that_goes_to_another_dialect_and_back_loses_only_what_is_declared(
        request in any_request(), able in any::<bool>(),
    ) {
        for (client, upstream) in pairs() {
            // What the client can say at all.
            let first = written(client, true, &request);
            let asked = decode_request(client, &first.body).expect("what we write we can read");
            let there = written(upstream, able, &asked);
            let read = decode_request(upstream, &there.body).expect("what we write we can read");
            let again = written(client, true, &read);
            let back = decode_request(client, &again.body).expect("what we write we can read");
            let changes: Vec<String> = there.changes.iter().chain(&again.changes).map(ToString::to_string).collect();
            let lost = undeclared(&facts::of(&asked), &facts::of(&back), &changes, upstream, client);
            prop_assert!(
                lost.is_empty(),
                "{client:?} to {upstream:?} and back, {changes:?}:\n{}\nfirst: {}\nthere: {}",
                lost.join("\n"),
                String::from_utf8_lossy(&first.body),
                String::from_utf8_lossy(&there.body)
            );
        }
    }
}
