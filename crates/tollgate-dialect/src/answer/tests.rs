use proptest::prelude::*;

use crate::names::{NameMap, safe_tool_name};
use crate::request::{Request, Tool, ToolKind};

use super::*;
use crate::event::ThinkingState;
use crate::json::Json;

fn text(s: &str) -> Event<'static> {
    Event::Text(Text::plain(s))
}

fn thinking(s: &str) -> Event<'static> {
    Event::Thinking(Text::plain(s))
}

fn start(slot: u32, id: &str, name: &str) -> Event<'static> {
    Event::ToolStart { slot, id: Text::plain(id), name: Text::plain(name) }
}

fn input(slot: u32, json: &str) -> Event<'static> {
    Event::ToolInput { slot, json: Text::plain(json) }
}

fn end(slot: u32) -> Event<'static> {
    Event::ToolEnd { slot }
}

fn finish(reason: StopReason) -> Event<'static> {
    Event::Finish { reason, stop_sequence: None }
}

fn begin() -> Event<'static> {
    Event::Start { id: None, model: None, usage: Usage::default() }
}

/// What comes out, and how it ended. Whatever comes out must keep the shaper's promises.
fn shape_with(context: Context, events: &[Event<'static>]) -> (Vec<Event<'static>>, Result<(), AnswerError>) {
    let known = context.tool_ids.clone();
    let mut shaper = Shaper::new(context);
    let mut out = Vec::new();
    let mut emit = |event: Event<'_>| out.push(event.into_owned());
    let mut result = events.iter().try_for_each(|event| shaper.push(event.clone(), &mut emit));
    if result.is_ok() {
        result = shaper.finish(&mut emit);
    }
    check(&out, &known, result.is_ok());
    (out, result)
}

fn shape(events: &[Event<'static>]) -> Vec<Event<'static>> {
    let (out, result) = shape_with(Context::default(), events);
    result.unwrap();
    out
}

fn check(events: &[Event<'_>], known: &HashSet<String>, complete: bool) {
    let mut open = None;
    let mut ids = known.clone();
    let mut calls = 0;
    for (i, event) in events.iter().enumerate() {
        match event {
            Event::Start { .. } => assert_eq!(i, 0, "a start is first"),
            Event::ToolStart { slot, id, name } => {
                assert_eq!((open, *slot), (None, calls), "one call at a time, counted");
                assert!(!id.is_empty() && !name.is_empty() && ids.insert(id.decode().into_owned()), "{id:?} is new");
                open = Some((*slot, 0));
                calls += 1;
            }
            Event::Freeform { slot, id, .. } => {
                assert_eq!((open, *slot), (None, calls), "a whole call, counted like any");
                assert!(ids.insert(id.decode().into_owned()), "{id:?} is new");
                calls += 1;
            }
            Event::ToolInput { slot, json } => {
                let (current, inputs) = open.as_mut().expect("input belongs to an open call");
                assert_eq!(slot, current);
                assert!(!json.is_empty());
                *inputs += 1;
            }
            Event::ToolEnd { slot } => {
                let (current, inputs) = open.take().expect("an end closes an open call");
                assert!(*slot == current && inputs > 0, "every call has an input");
            }
            Event::Finish { reason, .. } => {
                assert!(complete && i + 1 == events.len() && open.is_none(), "the finish is last");
                assert!((*reason == StopReason::ToolUse) <= (calls > 0) && *reason != StopReason::Failed);
            }
            Event::Usage(_) => assert_eq!(i + 2, events.len(), "usage is just before the finish"),
            other => {
                assert_eq!(open, None, "{other:?} inside a call");
                assert!(!matches!(other, Event::Text(t) | Event::Thinking(t) | Event::Refusal(t) if t.is_empty()));
            }
        }
    }
    assert_eq!(complete, matches!(events.last(), Some(Event::Finish { .. })));
}

/// The calls that came out: id, name and whole input.
fn calls(events: &[Event<'_>]) -> Vec<(String, String, String)> {
    let mut calls: Vec<(String, String, String)> = Vec::new();
    for event in events {
        match event {
            Event::ToolStart { id, name, .. } => {
                calls.push((id.decode().into_owned(), name.decode().into_owned(), String::new()));
            }
            Event::ToolInput { json, .. } => calls.last_mut().unwrap().2.push_str(&json.decode()),
            _ => {}
        }
    }
    calls
}

fn texts(events: &[Event<'_>]) -> String {
    events.iter().filter_map(|e| if let Event::Text(t) = e { Some(t.decode().into_owned()) } else { None }).collect()
}

fn call(id: &str, name: &str, input: &str) -> (String, String, String) {
    (id.into(), name.into(), input.into())
}

// ---- order

#[test]
fn an_ordinary_answer_passes_unchanged() {
    let events = [
        begin(),
        thinking("hm"),
        Event::ThinkingState(ThinkingState::Signature(Text::literal("sig"))),
        text("Hello "),
        text("world"),
        start(0, "call_1", "Read"),
        input(0, "{\"path\":"),
        input(0, "\"a\"}"),
        end(0),
        finish(StopReason::ToolUse),
    ];
    assert_eq!(shape(&events), events);
}

#[test]
fn only_the_first_start_counts_and_only_before_all_else() {
    let usage = Usage { input: Some(7), ..Usage::default() };
    let again = Event::Start { id: None, model: None, usage };
    assert_eq!(
        shape(&[begin(), again.clone(), text("x"), again.clone(), finish(StopReason::EndTurn)]),
        [begin(), text("x"), Event::Usage(usage), finish(StopReason::EndTurn)]
    );
    assert_eq!(
        shape(&[text("x"), again, finish(StopReason::EndTurn)]),
        [text("x"), Event::Usage(usage), finish(StopReason::EndTurn)]
    );
}

#[test]
fn empty_texts_are_dropped_and_do_not_close_a_call() {
    let out = shape(&[
        text(""),
        start(0, "a", "f"),
        input(0, "{"),
        text(""),
        thinking(""),
        input(0, ""),
        input(0, "}"),
        finish(StopReason::EndTurn),
    ]);
    assert_eq!(out, [start(0, "a", "f"), input(0, "{"), input(0, "}"), end(0), finish(StopReason::ToolUse)]);
}

#[test]
fn a_state_without_thinking_is_kept() {
    let state = Event::ThinkingState(ThinkingState::Details(Json::literal("[1]")));
    assert_eq!(shape(&[state.clone(), text("x"), finish(StopReason::EndTurn)])[0], state);
}

#[test]
fn text_closes_an_open_call_and_the_next_call_follows_it() {
    let out = shape(&[
        start(3, "a", "f"),
        input(3, "{}"),
        text("and"),
        start(4, "b", "g"),
        input(4, "{}"),
        finish(StopReason::EndTurn),
    ]);
    assert_eq!(
        out,
        [
            start(0, "a", "f"),
            input(0, "{}"),
            end(0),
            text("and"),
            start(1, "b", "g"),
            input(1, "{}"),
            end(1),
            finish(StopReason::ToolUse)
        ]
    );
}

#[test]
fn calls_that_waited_go_out_in_slot_order() {
    let out = shape(&[
        start(0, "a", "f"),
        start(2, "c", "h"),
        start(1, "b", "g"),
        input(2, "{\"c\":3}"),
        input(1, "{\"b\":2}"),
        input(0, "{\"a\":1}"),
        finish(StopReason::ToolUse),
    ]);
    assert_eq!(calls(&out), [call("a", "f", "{\"a\":1}"), call("b", "g", "{\"b\":2}"), call("c", "h", "{\"c\":3}")]);
}

#[test]
fn a_call_that_waited_streams_as_soon_as_the_one_before_it_ends() {
    let mut shaper = Shaper::new(Context::default());
    let mut out = Vec::new();
    for event in [start(0, "a", "f"), start(1, "b", "g"), input(1, "{\"x\""), input(0, "{}"), end(0), input(1, ":1}")] {
        shaper.push(event, &mut |e| out.push(e.into_owned())).unwrap();
    }
    assert_eq!(
        out,
        [start(0, "a", "f"), input(0, "{}"), end(0), start(1, "b", "g"), input(1, "{\"x\""), input(1, ":1}")]
    );
}

#[test]
fn a_start_that_is_repeated_in_every_delta_is_one_call() {
    let out = shape(&[
        start(0, "a", "f"),
        input(0, "{"),
        start(0, "a", "f"),
        input(0, "}"),
        start(0, "", ""),
        finish(StopReason::ToolUse),
    ]);
    assert_eq!(calls(&out), [call("a", "f", "{}")]);
}

#[test]
fn another_id_in_the_same_slot_is_another_call() {
    let out = shape(&[
        start(0, "a", "f"),
        input(0, "{\"n\":1}"),
        start(0, "b", "f"),
        input(0, "{\"n\":2}"),
        start(1, "c", "f"),
        input(1, "{\"n\":3}"),
        start(1, "d", "f"),
        input(1, "{\"n\":4}"),
        finish(StopReason::ToolUse),
    ]);
    let expected = ["a", "b", "c", "d"].iter().zip(1..).map(|(id, n)| call(id, "f", &format!("{{\"n\":{n}}}")));
    assert_eq!(calls(&out), expected.collect::<Vec<_>>());
}

#[test]
fn input_before_its_start_is_kept_for_it_and_input_without_a_start_is_dropped() {
    let out = shape(&[
        input(0, "{\"a\""),
        start(0, "x", ""),
        input(0, ":1}"),
        start(0, "", "f"),
        input(9, "{}"),
        finish(StopReason::ToolUse),
    ]);
    assert_eq!(calls(&out), [call("x", "f", "{\"a\":1}")]);
    let out = shape(&[input(9, "{}"), finish(StopReason::ToolUse)]);
    assert_eq!(out, [finish(StopReason::EndTurn)]);
}

#[test]
fn input_for_a_closed_call_is_an_error_rather_than_half_a_command() {
    let (_, result) =
        shape_with(Context::default(), &[start(0, "a", "f"), input(0, "{\"c"), text("x"), input(0, "\":1}")]);
    assert!(matches!(result, Err(AnswerError::Malformed(_))));
    let out = shape(&[start(0, "a", "f"), input(0, "{}"), text("x"), input(0, "\n"), finish(StopReason::ToolUse)]);
    assert_eq!(calls(&out), [call("a", "f", "{}")]);
}

proptest! {
    #[test]
    fn interleaved_calls_come_out_whole_and_one_by_one(
        inputs in prop::collection::vec("\\{\"[a-zé\"\\\\🦀]{0,12}\\}", 3),
        order in prop::collection::vec(0usize..3, 0..60),
        ends in any::<bool>(),
    ) {
        let mut rest: Vec<Vec<char>> = inputs.iter().map(|i| i.chars().rev().collect()).collect();
        let mut events: Vec<_> = (0..3).map(|i| start(i, &format!("id{i}"), "f")).collect();
        for &i in order.iter().chain([0, 1, 2].iter().cycle().take(60)) {
            if let Some(c) = rest[i].pop() {
                events.push(input(i as u32, &c.to_string()));
                if ends && rest[i].is_empty() { events.push(end(i as u32)); }
            }
        }
        events.push(finish(StopReason::ToolUse));
        let expected: Vec<_> = inputs.iter().enumerate().map(|(i, json)| call(&format!("id{i}"), "f", json)).collect();
        prop_assert_eq!(calls(&shape(&events)), expected);
    }

    #[test]
    fn the_promises_hold_for_any_events(
        events in prop::collection::vec(any_event(), 0..40),
        stop in prop::collection::vec("[ab]{0,3}", 0..3),
        known in prop::collection::hash_set("[a-c]{1}(_1)?", 0..4),
    ) {
        let context = Context { stop, tool_ids: known, ..Context::default() };
        let _ = shape_with(context, &events);
    }
}

fn any_event() -> impl Strategy<Value = Event<'static>> {
    let slot = 0u32..4;
    prop_oneof![
        Just(begin()),
        "[ab]{0,3}".prop_map(|s| text(&s)),
        "[ab]{0,1}".prop_map(|s| thinking(&s)),
        (slot.clone(), "[a-c]{0,1}(_1)?", "[fg]{0,1}").prop_map(|(slot, id, name)| start(slot, &id, &name)),
        (slot.clone(), "[{}\"nul ]{0,4}").prop_map(|(slot, json)| input(slot, &json)),
        slot.prop_map(end),
        Just(Event::Usage(Usage { output: Some(3), ..Usage::default() })),
        Just(Event::Refusal(Text::EMPTY)),
        prop_oneof![Just(StopReason::EndTurn), Just(StopReason::ToolUse), Just(StopReason::Failed)].prop_map(finish),
    ]
}

#[test]
fn inputs_that_wait_have_a_bound() {
    let piece = "x".repeat(1 << 20);
    for first in ["{", "\""] {
        let mut shaper = Shaper::new(Context::default());
        let mut push = |event| shaper.push(event, &mut |_| {});
        push(start(0, "a", "f")).unwrap();
        push(input(0, "{")).unwrap();
        push(start(1, "b", "g")).unwrap();
        push(input(1, first)).unwrap();
        let failed = (0..17).position(|_| push(input(1, &piece)).is_err());
        assert_eq!(failed, Some(15));
    }
}

#[test]
fn a_double_encoded_input_has_the_same_bound() {
    let mut shaper = Shaper::new(Context::default());
    shaper.push(start(0, "a", "f"), &mut |_| {}).unwrap();
    shaper.push(input(0, "\""), &mut |_| {}).unwrap();
    let piece = "x".repeat(1 << 20);
    let failed = (0..17).position(|_| shaper.push(input(0, &piece), &mut |_| {}).is_err());
    assert_eq!(failed, Some(15));
}

#[test]
fn s28_the_open_calls_input_streams_through_and_is_not_kept() {
    let mut shaper = Shaper::new(Context::default());
    let (mut out, piece) = (0, Text::plain(&"y".repeat(1 << 20)));
    shaper.push(start(0, "a", "f"), &mut |_| {}).unwrap();
    shaper.push(input(0, "{\"c\":\""), &mut |_| {}).unwrap();
    for _ in 0..1024 {
        let event = Event::ToolInput { slot: 0, json: piece.borrowed() };
        shaper
            .push(event, &mut |e| {
                if let Event::ToolInput { json, .. } = e {
                    out += json.escaped().len()
                }
            })
            .unwrap();
    }
    assert_eq!(out, 1 << 30);
    assert!(shaper.calls.buffered_bytes() == 0 && shaper.sample().text().escaped().len() <= SAMPLE_BYTES);
    assert!(shaper.sample().bytes() > 1 << 30);
}

#[test]
fn what_waited_is_not_counted_any_more_once_it_is_out() {
    let mut shaper = Shaper::new(Context::default());
    let events = [
        start(0, "a", "f"),
        start(1, "b", ""),
        input(1, "\"{}\""),
        start(1, "b", "long name"),
        input(0, "nul"),
        input(0, "l"),
        start(2, "c", "f"),
        input(2, "{}"),
        finish(StopReason::ToolUse),
    ];
    for event in events {
        shaper.push(event, &mut |_| {}).unwrap();
    }
    assert!(shaper.calls.buffered_bytes() > 0);
    shaper.finish(&mut |_| {}).unwrap();
    assert_eq!(shaper.calls.buffered_bytes(), 0);
}

// ---- inputs

#[test]
fn inputs_are_repaired_where_the_repair_is_certain() {
    for (sent, expected) in [
        ("", "{}"),
        (" ", "{}"),
        ("null", "{}"),
        ("nulls", "nulls"),
        ("nu", "nu"),
        (r#""{\"a\":1}""#, r#"{"a":1}"#),
        (r#" "{\"a\":\"x\\n\\\"\"}" "#, r#"{"a":"x\n\""}"#),
        (r#""{\"a\":\"\\ud83d\"}""#, r#"{"a":"\ud83d"}"#),
        (r#""just text""#, r#""just text""#),
        (r#""{broken""#, r#""{broken""#),
        (r#""[1]""#, r#""[1]""#),
        (r#"{"a":"\"b\""}"#, r#"{"a":"\"b\""}"#),
        ("[1]", "[1]"),
        ("{broken", "{broken"),
    ] {
        let chars: Vec<String> = sent.chars().map(String::from).collect();
        let one_by_one = chars.iter().map(|c| input(0, c)).collect::<Vec<_>>();
        for inputs in [vec![input(0, sent)], one_by_one] {
            let events = [vec![start(0, "a", "f")], inputs, vec![finish(StopReason::ToolUse)]].concat();
            assert_eq!(calls(&shape(&events)), [call("a", "f", expected)], "{sent}");
        }
    }
}

#[test]
fn an_object_streams_from_its_first_byte() {
    let mut shaper = Shaper::new(Context::default());
    let mut out = Vec::new();
    for event in [start(0, "a", "f"), input(0, " "), input(0, "{"), input(0, "\"k\"")] {
        shaper.push(event, &mut |e| out.push(e.into_owned())).unwrap();
    }
    assert_eq!(out, [start(0, "a", "f"), input(0, " {"), input(0, "\"k\"")]);
}

// ---- ids and names

fn given_ids(known: &[&str], sent: &[&str]) -> Vec<String> {
    let context = Context { tool_ids: known.iter().map(|s| s.to_string()).collect(), ..Context::default() };
    let mut events: Vec<_> =
        sent.iter().zip(0..).flat_map(|(id, slot)| [start(slot, id, "f"), input(slot, "{}"), end(slot)]).collect();
    events.push(finish(StopReason::ToolUse));
    let (out, result) = shape_with(context, &events);
    result.unwrap();
    calls(&out).into_iter().map(|(id, _, _)| id).collect()
}

#[test]
fn an_id_in_use_gets_a_suffix_that_claude_code_can_take() {
    assert_eq!(given_ids(&[], &["a", "a", "a"]), ["a", "a-u1", "a-u2"]);
    assert_eq!(
        given_ids(&["functions.Bash:0", "functions.Bash:0-u1"], &["functions.Bash:0", "functions.Bash:1"]),
        ["functions.Bash:0-u2", "functions.Bash:1"]
    );
    assert_eq!(given_ids(&["a"], &["a-u1", "a"]), ["a-u1", "a-u2"]);
}

#[test]
fn an_upstreams_own_id_that_claude_code_would_mistake_is_renamed() {
    assert_eq!(
        given_ids(&["call"], &["call_12", "call_x", "call12", "other_12"]),
        ["call_12-u1", "call_x", "call12", "other_12"]
    );
}

#[test]
fn ids_are_compared_unescaped_and_kept_as_they_are() {
    let context = Context { tool_ids: ["é".to_string()].into(), ..Context::default() };
    let sent = Event::ToolStart { slot: 0, id: Text::literal("\\u00e9"), name: Text::literal("f") };
    let (out, _) = shape_with(context, &[sent.clone(), finish(StopReason::ToolUse)]);
    assert_eq!(calls(&out)[0].0, "é-u1");
    assert_eq!(shape(&[sent.clone(), finish(StopReason::ToolUse)])[0], sent);
}

#[test]
fn a_missing_id_is_made_from_the_seed_and_the_place() {
    let made = |seed: &str| {
        let context = Context { id_seed: seed.into(), ..Context::default() };
        let (out, _) = shape_with(context, &[start(0, "", "f"), start(1, " ", "f"), finish(StopReason::ToolUse)]);
        calls(&out).into_iter().map(|c| c.0).collect::<Vec<_>>()
    };
    // The first 8 bytes of SHA-256 of "seed" and eight zero bytes.
    assert_eq!(made("seed")[0], SEED_ID);
    assert_ne!(made("seed")[1], SEED_ID);
    assert_eq!(made("seed"), made("seed"));
    assert_ne!(made("seed")[0], made("other")[0]);
    let context = Context { id_seed: "seed".into(), tool_ids: [SEED_ID.to_string()].into(), ..Context::default() };
    let (out, _) = shape_with(context, &[start(0, "", "f"), finish(StopReason::ToolUse)]);
    assert_eq!(calls(&out)[0].0, format!("{SEED_ID}-u1"));
}

const SEED_ID: &str = "call_1a30d3c0635d49b5";

proptest! {
    #[test]
    fn ids_stay_unique_over_a_growing_conversation(turns in prop::collection::vec(prop::collection::vec("[ab]?(_[12])?(-u1)?", 1..4), 1..12)) {
        let mut history: Vec<String> = Vec::new();
        for turn in turns {
            let known: Vec<&str> = history.iter().map(String::as_str).collect();
            let sent: Vec<&str> = turn.iter().map(String::as_str).collect();
            let given = given_ids(&known, &sent);
            for id in given {
                let stem = id.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('_');
                prop_assert!(!id.ends_with(|c: char| c.is_ascii_digit()) || !stem.is_some_and(|s| history.iter().any(|h| h == s)));
                prop_assert!(!history.contains(&id));
                history.push(id);
            }
        }
    }
}

#[test]
fn shortened_names_are_restored() {
    let long = Text::plain("mcp__a server with spaces__tool");
    let tool = Tool {
        name: long.clone(),
        description: None,
        kind: ToolKind::Function { schema: None },
        strict: None,
        deferred: false,
        namespace: None,
        cache: None,
    };
    let request = Request { tools: vec![tool], ..Request::default() };
    let sent = safe_tool_name(&long, None).into_owned();
    assert_ne!(sent, long);
    let context = Context { names: NameMap::of(&request, None), ..Context::default() };
    let events = [start(0, "a", sent.escaped()), start(1, "b", "other"), finish(StopReason::ToolUse)];
    let (out, _) = shape_with(context, &events);
    assert_eq!(calls(&out), [call("a", long.escaped(), "{}"), call("b", "other", "{}")]);
}

// ---- stop sequences

fn stopped(stop: &[&str], pieces: &[&str]) -> (String, Option<Event<'static>>) {
    let context = Context { stop: stop.iter().map(|s| s.to_string()).collect(), ..Context::default() };
    let mut events: Vec<_> = pieces.iter().map(|s| text(s)).collect();
    events.push(finish(StopReason::EndTurn));
    let (out, result) = shape_with(context, &events);
    result.unwrap();
    (texts(&out), out.last().cloned())
}

fn stop_event(sequence: &str) -> Option<Event<'static>> {
    Some(Event::Finish { reason: StopReason::StopSequence, stop_sequence: Some(Text::plain(sequence)) })
}

#[test]
fn text_is_cut_at_the_first_stop_sequence_at_every_split() {
    for (stop, whole, kept, found) in [
        (&["\n\nHuman:"][..], "Hello.\n\nHuman: hi\n\nHuman:", "Hello.", Some("\n\nHuman:")),
        (&["END", "STOP"], "a STO b STOP c END", "a STO b ", Some("STOP")),
        (&["aab"], "aaaab", "aa", Some("aab")),
        (&["ab", "xaby"], "1xaby", "1x", Some("ab")),
        (&["b", "ab"], "1ab", "1", Some("ab")),
        (&["🦀é"], "x🦀\"🦀é.", "x🦀\"", Some("🦀é")),
        (&["never", ""], "nev\\er neve", "nev\\er neve", None),
        (&["</a>"], "</a>", "", Some("</a>")),
    ] {
        let expected = (kept.to_string(), found.map_or(Some(finish(StopReason::EndTurn)), stop_event));
        let borders: Vec<usize> = (0..=whole.len()).filter(|at| whole.is_char_boundary(*at)).collect();
        for &a in &borders {
            for &b in borders.iter().filter(|b| **b >= a) {
                assert_eq!(stopped(stop, &[&whole[..a], &whole[a..b], &whole[b..]]), expected, "{whole:?} at {a}, {b}");
            }
        }
    }
}

#[test]
fn escapes_of_the_upstream_are_read_and_kept() {
    let context = Context { stop: vec!["🦀".into()], ..Context::default() };
    let sent = Event::Text(Text::literal("\\u00e9\\ud83d \\/\\n\\ud83e\\udd80 rest"));
    let (out, _) = shape_with(context, &[sent, finish(StopReason::EndTurn)]);
    assert_eq!(out[0], Event::Text(Text::literal("\\u00e9\\ud83d \\/\\n")));
    assert_eq!(out.last().cloned(), stop_event("🦀"));
}

#[test]
fn nothing_follows_a_stop_sequence_and_no_finish_is_needed() {
    let context = Context { stop: vec!["#".into()], ..Context::default() };
    let usage = Usage { output: Some(5), ..Usage::default() };
    let events =
        [text("a#b"), text("c"), thinking("d"), start(0, "x", "f"), input(0, "{}"), end(0), Event::Usage(usage)];
    let (out, result) = shape_with(context, &events);
    result.unwrap();
    assert_eq!(out[..2], [text("a"), Event::Usage(usage)]);
    assert_eq!(out.last().cloned(), stop_event("#"));
}

#[test]
fn a_stop_sequence_does_not_reach_over_a_thought_or_a_call() {
    let context = Context { stop: vec!["ab".into()], ..Context::default() };
    let events = [text("a"), thinking("t"), text("b"), text("a"), start(0, "x", "f"), finish(StopReason::EndTurn)];
    let (out, _) = shape_with(context, &events);
    assert_eq!(out[..4], [text("a"), thinking("t"), text("b"), text("a")]);
}

// ---- the end

#[test]
fn the_stop_reason_fits_the_content() {
    use StopReason::*;
    for (sent, with_call, without) in [
        (EndTurn, ToolUse, EndTurn),
        (ToolUse, ToolUse, EndTurn),
        (StopSequence, ToolUse, StopSequence),
        (MaxTokens, MaxTokens, MaxTokens),
        (ContextWindow, ContextWindow, ContextWindow),
        (Refusal, Refusal, Refusal),
        (PauseTurn, ToolUse, PauseTurn),
    ] {
        assert_eq!(shape(&[start(0, "a", "f"), finish(sent)]).last(), Some(&finish(with_call)));
        assert_eq!(shape(&[text("x"), finish(sent)]).last(), Some(&finish(without)));
    }
}

#[test]
fn an_upstreams_failure_is_an_error() {
    let (out, result) = shape_with(Context::default(), &[text("x"), start(0, "a", "f"), finish(StopReason::Failed)]);
    let Err(AnswerError::Upstream(error)) = result else { panic!("{result:?}") };
    assert!(error.status == 502 && error.temporary && error.message.contains("finish reason"));
    assert_eq!(out, [text("x"), start(0, "a", "f")], "a call that may be half is not closed");
}

#[test]
fn an_answer_without_a_finish_is_cut_or_empty() {
    assert_eq!(shape_with(Context::default(), &[text("x")]).1, Err(AnswerError::Cut));
    assert_eq!(shape_with(Context::default(), &[begin()]).1, Err(AnswerError::Cut));
    assert_eq!(shape_with(Context::default(), &[]).1, Err(AnswerError::Empty));
}

#[test]
fn usage_is_merged_and_given_once_even_if_it_comes_after_the_finish() {
    let with = |input, output| Usage { input, output, ..Usage::default() };
    let out = shape(&[
        Event::Start { id: None, model: None, usage: with(Some(1), None) },
        Event::Usage(with(Some(10), Some(1))),
        text("x"),
        finish(StopReason::EndTurn),
        Event::Usage(with(None, Some(2))),
    ]);
    assert_eq!(out[2..], [Event::Usage(with(Some(10), Some(2))), finish(StopReason::EndTurn)]);
}

#[test]
fn a_second_finish_does_nothing() {
    let mut shaper = Shaper::new(Context::default());
    shaper.push(finish(StopReason::EndTurn), &mut |_| {}).unwrap();
    let mut count = 0;
    shaper.finish(&mut |_| count += 1).unwrap();
    shaper.finish(&mut |_| count += 1).unwrap();
    assert_eq!(count, 1);
}

// ---- facts

#[test]
fn thoughts_are_kept_only_if_wanted_and_with_the_ids_that_the_client_has() {
    let led = |keep_thoughts| {
        let context = Context { keep_thoughts, tool_ids: ["a".to_string()].into(), ..Context::default() };
        let mut shaper = Shaper::new(context);
        // The second call waits for the end of the first.
        let events = [thinking("hm"), start(0, "a", "f"), start(1, "b", "f"), input(1, "{}"), end(0), thinking("so")];
        for event in events.into_iter().chain([start(2, "c", "f"), finish(StopReason::ToolUse)]) {
            shaper.push(event, &mut |_| {}).unwrap();
        }
        shaper.finish(&mut |_| {}).unwrap();
        shaper.led_calls().iter().map(|led| (led.id.clone(), led.thoughts.clone())).collect::<Vec<_>>()
    };
    let told = |words: &str| vec![Thought::Told { text: Text::plain(words), state: None }];
    assert_eq!(led(true), [("a-u1".to_string(), told("hm")), ("c".to_string(), told("so"))]);
    assert_eq!(led(false), []);
}

#[test]
fn the_sample_is_the_beginning_of_all_output_and_never_cuts_an_escape() {
    let mut shaper = Shaper::new(Context::default());
    for event in
        [text("ab"), thinking("cd"), start(0, "id", "name"), input(0, "{}"), Event::Refusal(Text::literal("no"))]
    {
        shaper.push(event, &mut |_| {}).unwrap();
    }
    assert_eq!((shaper.sample().text().escaped(), shaper.sample().bytes()), ("abcdname{}no", 12));
    shaper.push(text(&"\u{1}".repeat(SAMPLE_BYTES)), &mut |_| {}).unwrap();
    // 65,536 - 12 bytes hold 10,920 escapes of six bytes and leave four over.
    assert_eq!(shaper.sample().text().escaped().len(), SAMPLE_BYTES - 4);
    assert_eq!(shaper.sample().bytes(), 12 + 6 * SAMPLE_BYTES as u64);
}

#[test]
fn free_text_is_found_in_the_object_or_in_a_string_or_is_all_there_is() {
    let context = || Context { freeform: ["p".to_string()].into(), ..Context::default() };
    for (sent, expected) in [
        (r#"{"input":"a \"b\"\n"}"#, "a \"b\"\n"),
        (r#"{"other":1,"input":"x"}"#, "x"),
        (r#" "a \"b\"" "#, "a \"b\""),
        ("{\"patch\":1}", "{\"patch\":1}"),
        ("plain", "plain"),
    ] {
        let (out, result) = shape_with(context(), &[start(0, "a", "p"), input(0, sent), finish(StopReason::ToolUse)]);
        assert_eq!(result, Ok(()));
        let Event::Freeform { input, name, .. } = &out[0] else { panic!("{out:?}") };
        assert_eq!((&*name.decode(), &*input.decode()), ("p", expected), "{sent}");
    }
}
