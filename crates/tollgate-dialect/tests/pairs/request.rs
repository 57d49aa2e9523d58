//! A request of one dialect is written for another, read there, and written for the first again.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tollgate_dialect::json::{Json, Text};
use tollgate_dialect::quirks::{Quirks, ReasoningControl};
use tollgate_dialect::request::{
    Effort, Media, MediaKind, Message, OutputFormat, Part, Reasoning, Request, Role, Source, TextPart, Tool, ToolCall,
    ToolChoice, ToolInput, ToolKind, ToolResult,
};
use tollgate_dialect::{Dialect, Encoded, Target, decode_request, encode_request};

use crate::facts::{self, Facts};
use crate::{pairs, seal};

/// What the page on translation says of a pair without a change being reported, with the fact that it is about.
const SILENT: &[(&str, &[Dialect], &str)] = &[
    (
        "stop",
        &[Dialect::Responses, Dialect::Chat, Dialect::Gemini],
        "the gateway looks for what the target does not take",
    ),
    ("user", &[Dialect::Gemini], "it has no field for the end user"),
];

/// Names that a change may give to a fact.
const NAMES: &[(&str, &[&str])] = &[
    ("tool_choice", &["tool_choice"]),
    ("one_call", &["parallel_tool_calls", "disable_parallel_tool_use"]),
    ("max_tokens", &["max_tokens", "max_output_tokens", "maxOutputTokens"]),
    ("temperature", &["temperature"]),
    ("top_p", &["top_p"]),
    ("top_k", &["top_k"]),
    ("effort", &["thinking", "reasoning_effort", "reasoning", "effort"]),
    ("format", &["response_format", "output_format"]),
    ("user", &["user"]),
];

/// A model that takes whatever its dialect can say.
fn quirks() -> Quirks {
    Quirks {
        pdf: true,
        media_in_tool_result: true,
        reasoning: ReasoningControl::Effort,
        efforts: Effort::ALL.into(),
        ..Quirks::default()
    }
}

fn written(dialect: Dialect, request: &Request<'_>) -> Encoded {
    let (quirks, seal) = (quirks(), seal());
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

fn text(text: &str) -> TextPart<'static> {
    TextPart { text: Text::plain(text), cache: None }
}

fn media(kind: MediaKind, media_type: &str, data: &str) -> Part<'static> {
    let source = Source::Base64 { media_type: Text::plain(media_type), data: Text::plain(data) };
    Part::Media(Media { kind, source, name: None, context: None, detail: None, cache: None })
}

fn said() -> impl Strategy<Value = Part<'static>> {
    prop_oneof![
        4 => words().prop_map(|words| Part::Text(text(&words))),
        1 => Just(media(MediaKind::Image, "image/png", "iVBORw0KGgoAAAAN")),
        1 => Just(media(MediaKind::Document, "application/pdf", "JVBERi0xLjcKJcfs")),
    ]
}

#[derive(Clone, Debug)]
struct Turn {
    /// What the assistant said.
    spoken: Option<String>,
    /// The arguments of its calls, what they gave, and whether with a picture.
    calls: Vec<(String, String, bool)>,
    /// What the user says then.
    user: Vec<Part<'static>>,
}

prop_compose! {
    fn turn()(
        spoken in prop::option::of(words()),
        calls in prop::collection::vec((words(), words(), any::<bool>()), 0..3),
        user in prop::collection::vec(said(), 0..3),
    ) -> Turn {
        Turn { spoken, calls, user }
    }
}

/// Turns of a conversation, with calls numbered through.
fn messages(first: Vec<Part<'static>>, turns: Vec<Turn>) -> Vec<Message<'static>> {
    let mut messages = vec![Message { role: Role::User, parts: first }];
    let mut number = 0;
    for Turn { spoken, calls, user } in turns {
        let mut made: Vec<Part<'static>> = spoken.iter().map(|words| Part::Text(text(words))).collect();
        let mut answered = Vec::new();
        for (argument, result, picture) in calls {
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
            let mut content = vec![Part::Text(text(&result))];
            content.extend(picture.then(|| media(MediaKind::Image, "image/png", "iVBORw0KGgoAAAAN")));
            answered.push(Part::ToolResult(ToolResult { id, content, is_error: false, cache: None }));
        }
        if made.is_empty() {
            made.push(Part::Text(text("so")));
        }
        // A conversation ends with the user.
        answered.extend(user);
        if answered.is_empty() {
            answered.push(Part::Text(text("and")));
        }
        messages.push(Message { role: Role::Assistant, parts: made });
        messages.push(Message { role: Role::User, parts: answered });
    }
    messages
}

fn look() -> Tool<'static> {
    let schema =
        serde_json::json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
    Tool {
        name: Text::plain("look"),
        description: Some(Text::plain("Looks at a file.")),
        kind: ToolKind::Function { schema: Some(Json::of(&schema)) },
        strict: None,
        deferred: false,
        namespace: None,
        cache: None,
    }
}

prop_compose! {
    fn any_request()(
        system in prop::collection::vec(words(), 0..3),
        first in prop::collection::vec(said(), 1..4),
        turns in prop::collection::vec(turn(), 0..4),
        choice in prop_oneof![
            Just(None), Just(Some(ToolChoice::Auto)), Just(Some(ToolChoice::Required)), Just(Some(ToolChoice::None)),
            Just(Some(ToolChoice::Named(Text::literal("look")))),
        ],
        one_call in any::<bool>(),
        max_tokens in 16u64..4000,
        stop in prop::collection::vec("[A-Z]{3}", 0..7),
        sampling in prop::collection::vec(any::<bool>(), 3),
        effort in prop::option::of(prop::sample::select(vec![Effort::Low, Effort::Medium, Effort::High])),
        shaped in any::<bool>(),
        user in prop::option::of("[a-z]{4}"),
        stream in any::<bool>(),
    ) -> Request<'static> {
        let given = |n: usize, value: &'static str| sampling[n].then(|| Json::literal(value));
        let schema = serde_json::json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
            "additionalProperties": false});
        Request {
            model: Text::literal("asked"),
            system: system.iter().map(|words| text(words)).collect(),
            messages: messages(first, turns),
            tools: vec![look()],
            tool_choice: choice,
            parallel_tool_calls: one_call.then_some(false),
            max_tokens: Some(max_tokens),
            stop: stop.iter().map(|stop| Text::plain(stop)).collect(),
            temperature: given(0, "0.5"),
            top_p: given(1, "0.25"),
            top_k: given(2, "7"),
            reasoning: effort.map(|effort| Reasoning { effort: Some(effort), ..Reasoning::default() }),
            output_format: shaped.then(|| OutputFormat::JsonSchema {
                name: Some(Text::literal("place")), description: None, schema: Json::of(&schema), strict: Some(true),
            }),
            stream,
            user: user.map(|user| Text::plain(&user)),
            ..Request::default()
        }
    }
}

/// Facts that differ, each of which must be declared by one of these changes or by the table.
fn undeclared(before: &Facts, after: &Facts, changes: &[String], there: Dialect, back: Dialect) -> Vec<String> {
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    let declared = |name: &str| {
        let aliases = NAMES.iter().find(|(fact, _)| *fact == name).map_or(&[][..], |(_, aliases)| *aliases);
        let told = aliases.iter().any(|alias| changes.iter().any(|change| change.ends_with(&format!(":{alias}"))));
        let silent = SILENT
            .iter()
            .any(|(fact, dialects, _)| *fact == name && (dialects.contains(&there) || dialects.contains(&back)));
        told || silent
    };
    let lost = names.into_iter().filter(|name| before.get(name) != after.get(name) && !declared(name));
    lost.map(|name| format!("{name}: {:?} became {:?}", before.get(name), after.get(name))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_request_that_goes_to_another_dialect_and_back_loses_only_what_is_declared(request in any_request()) {
        for (client, upstream) in pairs() {
            let first = written(client, &request);
            let asked = decode_request(client, &first.body).expect("what we write we can read");
            let there = written(upstream, &asked);
            let read = decode_request(upstream, &there.body).expect("what we write we can read");
            let again = written(client, &read);
            let back = decode_request(client, &again.body).expect("what we write we can read");
            let changes: Vec<String> = there.changes.iter().chain(&again.changes).map(ToString::to_string).collect();
            let lost = undeclared(&facts::of(&asked), &facts::of(&back), &changes, upstream, client);
            prop_assert!(
                lost.is_empty(),
                "{client:?} to {upstream:?} and back, {changes:?}:\n{}\nthere: {}",
                lost.join("\n"),
                String::from_utf8_lossy(&there.body)
            );
        }
    }
}
