use proptest::prelude::*;

use super::*;
use crate::AnswerHead;
use crate::error::ErrorKind;
use crate::openai_chat::response::{self, Collector};

fn frame(data: &str) -> Frame<'_> {
    Frame { event: "", data: data.as_bytes(), raw: data.as_bytes() }
}

/// All events of a stream with the given data lines, or how it failed.
fn read(quirks: &Quirks, lines: &[&str]) -> Result<Vec<Event<'static>>, AnswerError> {
    let mut decoder = Decoder::new(quirks);
    let mut events = Vec::new();
    for line in lines {
        decoder.push(&frame(line), &mut |event| events.push(event.into_owned()))?;
    }
    decoder.finish(&mut |event| events.push(event))?;
    Ok(events)
}

fn events(lines: &[&str]) -> Vec<Event<'static>> {
    read(&Quirks::default(), lines).expect("a good stream")
}

/// What a client sees of the answer: thoughts, text, calls and reason, as one line.
fn told(events: &[Event<'_>]) -> String {
    let mut calls: Vec<(u32, String)> = Vec::new();
    let (mut thoughts, mut text, mut end) = (String::new(), String::new(), String::new());
    for event in events {
        match event {
            Event::Thinking(t) => thoughts.push_str(&t.decode()),
            Event::ThinkingState(ThinkingState::Details(d)) => thoughts.push_str(&format!("<{}>", d.get())),
            Event::Text(t) => text.push_str(&t.decode()),
            Event::Refusal(t) => text.push_str(&format!("!{}", t.decode())),
            Event::ToolStart { slot, id, name } => calls.push((*slot, format!("{}={}", id.decode(), name.decode()))),
            Event::ToolInput { slot, json } => {
                let call = calls.iter_mut().find(|(s, _)| s == slot).expect("input after its start");
                call.1.push_str(&json.decode());
            }
            Event::Finish { reason, .. } => end = format!("{reason:?}"),
            _ => {}
        }
    }
    let calls: Vec<String> = calls.into_iter().map(|(_, call)| call).collect();
    format!("{thoughts}|{text}|{}|{end}", calls.join(" "))
}

fn delta(delta: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-1","object":"chat.completion.chunk","model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#
    )
}

const USUAL: [&str; 5] = [
    r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
    r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hel\u00e9\n"},"finish_reason":null}],"usage":null}"#,
    r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#,
    r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":7,"total_tokens":107,"prompt_tokens_details":{"cached_tokens":60,"cache_write_tokens":10},"completion_tokens_details":{"reasoning_tokens":3}}}"#,
    "[DONE]",
];

#[test]
fn the_usual_stream_gives_start_text_usage_finish_in_this_order() {
    let usage = Usage {
        input: Some(30),
        cache_read: Some(60),
        cache_write: Some(10),
        output: Some(7),
        reasoning: Some(3),
        ..Usage::default()
    };
    assert_eq!(
        events(&USUAL),
        [
            Event::Start {
                id: Some(Text::plain("chatcmpl-1")),
                model: Some(Text::plain("m")),
                usage: Usage::default()
            },
            Event::Text(Text::literal("Hel\\u00e9\\n")),
            Event::Usage(usage),
            Event::Finish { reason: StopReason::EndTurn, stop_sequence: None },
        ]
    );
}

#[test]
fn a_cut_before_the_end_is_never_a_complete_answer() {
    for n in 0..USUAL.len() {
        let result = read(&Quirks::default(), &USUAL[..n]);
        match n {
            0 => assert_eq!(result, Err(AnswerError::Empty)),
            1 | 2 => assert_eq!(result, Err(AnswerError::Cut), "{n}"),
            // The reason is known: a missing end mark is forgiven.
            _ => assert!(result.is_ok(), "{n}"),
        }
    }
    assert_eq!(read(&Quirks::default(), &["[DONE]"]), Err(AnswerError::Empty));
    let empty_reason = delta(r#"{"content":"x"}"#).replace("null", "\"\"");
    assert_eq!(read(&Quirks::default(), &[&empty_reason]), Err(AnswerError::Cut));
}

#[test]
fn thoughts_are_found_in_every_vendors_field() {
    let end = "[DONE]";
    let answer = delta(r#"{"content":"x"}"#);
    let cases = [
        (r#"{"reasoning_content":"hm"}"#, "hm|x||EndTurn"),
        (r#"{"reasoning":"hm","content":null}"#, "hm|x||EndTurn"),
        (r#"{"reasoning_content":"hm","reasoning":"hm"}"#, "hm|x||EndTurn"),
        (r#"{"reasoning_content":null,"reasoning":"hm"}"#, "hm|x||EndTurn"),
        (r#"{"reasoning_content":""}"#, "|x||EndTurn"),
        (r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#, "hm|x||EndTurn"),
        (r#"{"content":[{"type":"text","text":"a"},{"type":"reference","reference_ids":[1]}]}"#, "|ax||EndTurn"),
        (r#"{"reasoning_details":[{"type":"reasoning.text","text":"hm","index":0}]}"#, "hm|x||EndTurn"),
        (r#"{"refusal":"no"}"#, "|!nox||EndTurn"),
        (r#"{"role":"assistant","content":"","tool_calls":[]}"#, "|x||EndTurn"),
        (r#"{"content":null,"tool_calls":null}"#, "|x||EndTurn"),
    ];
    for (piece, expected) in cases {
        assert_eq!(told(&events(&[&delta(piece), &answer, end])), expected, "{piece}");
    }
}

fn usage_of(usage: &str) -> Option<Usage> {
    let line = format!(r#"{{"choices":[],"usage":{usage}}}"#);
    usage_in(&Quirks::default(), &line)
}

fn usage_in(quirks: &Quirks, line: &str) -> Option<Usage> {
    let got = read(quirks, &[&delta(r#"{"content":"x"}"#), line, "[DONE]"]).expect("a good stream");
    got.into_iter().rev().find_map(|e| if let Event::Usage(u) = e { Some(u) } else { None })
}

#[test]
fn s09_usage_of_every_shape_gives_whole_disjoint_counts() {
    let of =
        |input, read, write, output| Usage { input, cache_read: read, cache_write: write, output, ..Usage::default() };
    assert_eq!(usage_of("null"), None);
    assert_eq!(usage_of("{}"), None);
    assert_eq!(usage_of("\"none\""), None);
    assert_eq!(usage_of("[]"), None);
    assert_eq!(usage_of(r#"{"total_tokens":50}"#), None);
    assert_eq!(usage_of(r#"{"prompt_tokens":"10","completion_tokens":"5"}"#), Some(of(Some(10), None, None, Some(5))));
    assert_eq!(usage_of(r#"{"prompt_tokens":10.6,"completion_tokens":5.2}"#), Some(of(Some(11), None, None, Some(5))));
    assert_eq!(usage_of(r#"{"prompt_tokens":10,"completion_tokens":null}"#), Some(of(Some(10), None, None, None)));
    assert_eq!(usage_of(r#"{"prompt_tokens":10,"total_tokens":15}"#), Some(of(Some(10), None, None, Some(5))));
    assert_eq!(usage_of(r#"{"completion_tokens":5,"total_tokens":15}"#), Some(of(Some(10), None, None, Some(5))));
    assert_eq!(
        usage_of(
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":null,"completion_tokens_details":"x"}"#
        ),
        Some(of(Some(10), None, None, Some(5)))
    );
    assert_eq!(
        usage_of(
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":6}"#
        ),
        Some(of(Some(6), Some(4), None, Some(5)))
    );
    assert_eq!(
        usage_of(r#"{"prompt_tokens":10,"completion_tokens":5,"cached_tokens":4}"#),
        Some(of(Some(6), Some(4), None, Some(5)))
    );
    assert_eq!(
        usage_of(
            r#"{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4,"cache_creation_input_tokens":2}}"#
        ),
        Some(of(Some(4), Some(4), Some(2), Some(5)))
    );
    assert_eq!(
        usage_of(r#"{"prompt_tokens":3,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}"#),
        Some(of(Some(0), Some(4), None, Some(5))),
        "never negative"
    );
    assert_eq!(usage_of(r#"{"prompt_tokens":1e30,"completion_tokens":5}"#), Some(of(None, None, None, Some(5))));
    assert_eq!(usage_of(r#"{"prompt_tokens":18446744073709551615,"completion_tokens":18446744073709551615}"#), None);
}

#[test]
fn s09_usage_is_found_wherever_it_stands() {
    let plain = Some(Usage { input: Some(1), output: Some(2), ..Usage::default() });
    let default = Quirks::default();
    assert_eq!(
        usage_in(&default, r#"{"choices":[],"x_groq":{"id":"r","usage":{"prompt_tokens":1,"completion_tokens":2}}}"#),
        plain
    );
    assert_eq!(
        usage_in(
            &default,
            r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":1,"completion_tokens":2}}]}"#
        ),
        plain
    );
    assert_eq!(usage_in(&default, r#"{"usage":{"prompt_tokens":1,"completion_tokens":2}}"#), plain);
    let xai = Quirks { output_excludes_reasoning: true, ..Quirks::default() };
    let line = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":13,"completion_tokens_details":{"reasoning_tokens":10}}}"#;
    assert_eq!(
        usage_in(&xai, line),
        Some(Usage { input: Some(1), output: Some(12), reasoning: Some(10), ..Usage::default() })
    );
}

fn failure(line: &str) -> UpstreamErrorOf {
    match read(&Quirks::default(), &[&delta(r#"{"content":"x"}"#), line]) {
        Err(AnswerError::Upstream(e)) => UpstreamErrorOf(e.status, e.kind, e.message.clone(), e.temporary),
        other => panic!("{line}: {other:?}"),
    }
}

#[derive(Debug, PartialEq)]
struct UpstreamErrorOf(u16, ErrorKind, String, bool);

#[test]
fn an_error_anywhere_in_a_stream_is_found() {
    let of = |status, kind, message: &str, temporary| UpstreamErrorOf(status, kind, message.to_string(), temporary);
    assert_eq!(
        failure(
            r#"{"id":"gen-1","error":{"code":502,"message":"Upstream down"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#
        ),
        of(502, ErrorKind::Api, "Upstream down", true)
    );
    assert_eq!(failure(r#"{"error":"model crashed"}"#), of(500, ErrorKind::Api, "model crashed", true));
    assert_eq!(
        failure(r#"{"error":{"message":"slow","code":"rate_limit_exceeded"}}"#),
        of(429, ErrorKind::RateLimited, "slow", true)
    );
    assert_eq!(
        failure(r#"{"object":"error","message":"bad","type":"BadRequestError","code":400}"#),
        of(400, ErrorKind::InvalidRequest, "bad", false)
    );
    assert_eq!(failure(r#"{"detail":"Not here"}"#), of(500, ErrorKind::Api, "Not here", true));
    assert_eq!(
        failure(r#"{"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#),
        of(402, ErrorKind::Billing, "insufficient balance", false)
    );
    let event = Frame { event: "error", data: b"overloaded", raw: b"" };
    let mut decoder = Decoder::new(&Quirks::default());
    assert!(
        matches!(decoder.push(&event, &mut |_| ()), Err(AnswerError::Upstream(e)) if e.kind == ErrorKind::Overloaded)
    );
}

#[test]
fn fields_that_only_look_like_errors_are_none() {
    let fine = r#"{"error":null,"base_resp":{"status_code":0,"status_msg":""},"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}"#;
    assert_eq!(told(&events(&[fine])), "|x||EndTurn");
}

#[test]
fn another_dialect_or_no_json_is_named() {
    let text = |line: &str| match read(&Quirks::default(), &[line]) {
        Err(AnswerError::Malformed(text)) => text,
        other => panic!("{line}: {other:?}"),
    };
    assert!(text(r#"{"type":"message_start","message":{"id":"msg_1"}}"#).contains("Anthropic's Messages format"));
    assert!(text(r#"{"type":"response.created","response":{}}"#).contains("Responses format"));
    assert!(text("<html><head><title>502 Bad\n Gateway</title>").contains("502 Bad Gateway"));
    assert!(text("what?").contains("what?"));
    assert!(text(r#"{"choices":"x"}"#).contains("no chat completion"));
}

#[test]
fn a_key_given_twice_and_bytes_that_are_no_utf8_are_survived() {
    let twice =
        r#"{"id":"a","id":"b","choices":[{"index":0,"delta":{"role":"assistant","role":"assistant","content":"x"}}]}"#;
    assert_eq!(told(&events(&[twice, "[DONE]"])), "|x||EndTurn");
    let mut bytes = delta(r#"{"content":"?"}"#).into_bytes();
    let at = bytes.iter().position(|b| *b == b'?').expect("there");
    bytes[at] = 0xFF;
    let mut decoder = Decoder::new(&Quirks::default());
    let mut got = Vec::new();
    decoder.push(&Frame { event: "", data: &bytes, raw: &bytes }, &mut |e| got.push(e.into_owned())).expect("survived");
    assert!(got.contains(&Event::Text(Text::plain("\u{FFFD}"))));
}

fn thinking_quirk() -> Quirks {
    Quirks { think_tags: true, ..Quirks::default() }
}

#[test]
fn think_tags_only_at_the_head_are_thoughts() {
    let read_text = |text: &str| {
        let line = delta(&format!(r#"{{"content":{}}}"#, serde_json::json!(text)));
        told(&read(&thinking_quirk(), &[&line, "[DONE]"]).expect("good"))
    };
    assert_eq!(read_text("<think>\nhm\n</think>\n\nyes"), "hm\n|yes||EndTurn");
    assert_eq!(read_text("\n<think>hm</think>yes"), "hm|yes||EndTurn");
    assert_eq!(read_text("use <think>x</think>"), "|use <think>x</think>||EndTurn");
    assert_eq!(read_text("<th"), "|<th||EndTurn");
    assert_eq!(read_text("<think>never ends </thi"), "never ends </thi|||EndTurn");
    assert_eq!(
        told(&events(&[&delta(r#"{"content":"<think>a</think>b"}"#), "[DONE]"])),
        "|<think>a</think>b||EndTurn",
        "without the quirk"
    );
    let escaped = delta(r#"{"content":"\u003cthink\u003e\\u003c\u003c/think\u003eb"}"#);
    assert_eq!(told(&read(&thinking_quirk(), &[&escaped, "[DONE]"]).expect("good")), "\\u003c|b||EndTurn");
}

proptest! {
    #[test]
    fn think_tags_are_found_whatever_the_borders_cut(cuts in proptest::collection::vec(1usize..60, 0..8), body in "[a-c<>/\n]{0,8}") {
        let text = format!("<think>\n{}b</think>\n\n{}y", body.replace("</think>", ""), "<think>");
        let expected = format!("{}b", body.replace("</think>", "").trim_start_matches(['\n']));
        let mut cuts: Vec<usize> = cuts.into_iter().filter(|c| *c < text.len()).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let mut lines: Vec<String> = cuts.windows(2).map(|w| delta(&format!(r#"{{"content":{}}}"#, serde_json::json!(text[w[0]..w[1]])))).collect();
        lines.push("[DONE]".into());
        let got = read(&thinking_quirk(), &lines.iter().map(String::as_str).collect::<Vec<_>>()).expect("good");
        prop_assert_eq!(told(&got), format!("{}|<think>y||EndTurn", expected));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..6)) {
        let mut decoder = Decoder::new(&thinking_quirk());
        for line in &lines {
            let _ = decoder.push(&Frame { event: "", data: line, raw: line }, &mut |_| ());
        }
        let _ = decoder.finish(&mut |_| ());
    }

    #[test]
    fn no_mangled_chunk_makes_the_decoder_panic(which in 0usize..4, at in 0usize..500, byte in any::<u8>(), tags in any::<bool>()) {
        let pieces = [
            USUAL[3].to_string(),
            delta(r#"{"content":"<think>\u003c\\","tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"\"{\\\"x\\\""}}]}"#),
            delta(r#"{"reasoning_details":[{"type":"reasoning.text","text":"a","index":0}],"content":[{"type":"thinking","thinking":[{"text":"x"}]}]}"#),
            r#"{"error":{"code":502,"message":"maximum context length is 5,000 tokens","metadata":{"raw":"x"}}}"#.to_string(),
        ];
        let mut bytes = pieces[which].clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let quirks = Quirks { think_tags: tags, reasoning_field: ReasoningField::ReasoningDetails, ..Quirks::default() };
        let mut decoder = Decoder::new(&quirks);
        for _ in 0..2 {
            let _ = decoder.push(&Frame { event: "", data: &bytes, raw: &bytes }, &mut |_| ());
        }
        let _ = decoder.finish(&mut |_| ());
    }
}

fn head(stream_usage: bool) -> AnswerHead {
    AnswerHead {
        id: "req1".into(),
        model: "asked".into(),
        estimated_input: 11,
        created: 5,
        stream_usage,
        ..AnswerHead::default()
    }
}

fn sample() -> Vec<Event<'static>> {
    vec![
        Event::Start { id: Some(Text::plain("msg_1")), model: None, usage: Usage::default() },
        Event::Thinking(Text::plain("hm")),
        Event::Text(Text::literal("a\\n")),
        Event::Text(Text::plain("b")),
        Event::ToolStart { slot: 4, id: Text::plain("t1"), name: Text::plain("f") },
        Event::ToolInput { slot: 4, json: Text::plain("{\"x\"") },
        Event::ToolInput { slot: 4, json: Text::plain(":1}") },
        Event::ToolStart { slot: 2, id: Text::plain("t2"), name: Text::plain("g") },
        Event::ToolInput { slot: 2, json: Text::plain("{}") },
        Event::Usage(Usage {
            input: Some(30),
            cache_read: Some(60),
            cache_write: Some(10),
            output: Some(7),
            reasoning: Some(3),
            ..Usage::default()
        }),
        Event::Finish { reason: StopReason::ToolUse, stop_sequence: None },
    ]
}

fn written(stream_usage: bool, events: &[Event<'_>]) -> String {
    let mut encoder = Encoder::new(head(stream_usage));
    let mut out = Vec::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    encoder.finish(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

#[test]
fn an_answer_is_opened_once_and_kept_alive_by_comments() {
    let mut encoder = Encoder::new(head(false));
    let mut out = Vec::new();
    encoder.open(&mut out);
    encoder.open(&mut out);
    encoder.ping(&mut out);
    for event in sample() {
        encoder.push(&event, &mut out);
    }
    let text = String::from_utf8(out).expect("UTF-8");
    assert_eq!(text.matches("\"role\"").count(), 1);
    assert!(text.contains("\n\n: ping\n\n"));
}

#[test]
fn a_stream_and_a_whole_answer_give_the_same_body() {
    let whole = r#"{"id":"chatcmpl-9","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#;
    let lines = [
        delta(r#"{"role":"assistant","reasoning_content":"h"}"#).replace("chatcmpl-1", "chatcmpl-9"),
        delta(r#"{"reasoning_content":"m"}"#),
        delta(r#"{"content":"H"}"#),
        delta(r#"{"content":"i"}"#),
        delta(r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}]}"#),
        delta(r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#),
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}"#.into(),
        "[DONE]".into(),
    ];
    let fold = |events: &[Event<'_>]| {
        let mut collector = Collector::new(head(false));
        events.iter().for_each(|e| collector.push(e));
        String::from_utf8(collector.finish()).expect("UTF-8")
    };
    let mut one = Vec::new();
    response::decode(whole.as_bytes(), &Quirks::default(), &mut |e| one.push(e.into_owned())).expect("good");
    let streamed = fold(&events(&lines.iter().map(String::as_str).collect::<Vec<_>>()));
    assert_eq!(fold(&one), streamed);
    assert_eq!(
        streamed,
        r#"{"id":"chatcmpl-9","object":"chat.completion","created":5,"model":"asked","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","reasoning_content":"hm","refusal":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},"logprobs":null,"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#
    );
}

/// What we write as a server we read as a client.
#[test]
fn our_own_stream_reads_back_as_the_same_events() {
    let text = written(true, &sample());
    let lines: Vec<&str> = text.split("\n\n").filter_map(|f| f.strip_prefix("data: ")).collect();
    assert_eq!(told(&events(&lines)), told(&sample()));
}
