use proptest::prelude::*;

use super::*;
use crate::bedrock_converse::response;
use crate::bedrock_converse::testing::{read, told};
use crate::error::ErrorKind;
use crate::frame::FrameReader;
use crate::frame::eventstream::wire;
use crate::frame::sse::Piece;

/// As Bedrock streams an answer that thinks, says something and calls twice: texts and thoughts have no beginning.
const USUAL: [(&str, &str); 15] = [
    ("messageStart", r#"{"p":"abcd","role":"assistant"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"h"}},"p":"abcdefgh"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"m"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"Eq+/="}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"text":"Hel\u00e9\n"}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
    ("contentBlockStart", r#"{"contentBlockIndex":2,"start":{"toolUse":{"name":"f","toolUseId":"tooluse_a"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"x\""}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolUse":{"input":":1}"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
    ("contentBlockStart", r#"{"contentBlockIndex":3,"start":{"toolUse":{"name":"g","toolUseId":"tooluse_b"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":3}"#),
    ("messageStop", r#"{"stopReason":"tool_use"}"#),
    (
        "metadata",
        r#"{"metrics":{"latencyMs":9},"usage":{"cacheReadInputTokens":60,"inputTokens":40,"outputTokens":10,"totalTokens":110}}"#,
    ),
];

const TOLD: &str = "(h)(m)<Eq+/=>Hel\u{e9}\n[tooluse_a=f{\"x\":1}][tooluse_b=g]|ToolUse";

/// The bytes on the wire.
fn bytes(events: &[(&str, &str)]) -> Vec<u8> {
    events.iter().flat_map(|(name, data)| wire::event(name, data)).collect()
}

/// Through framer and decoder, in these chunks.
fn relayed<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> (Vec<Event<'static>>, Result<(), AnswerError>) {
    let mut reader = FrameReader::of(b"\0");
    let mut decoder = Decoder::new(Maker::Anthropic);
    let mut events = Vec::new();
    let mut take = |piece: Result<Piece<'_>, AnswerError>| match piece? {
        Piece::Frame(frame) => decoder.push(&frame, &mut |event| events.push(event.into_owned())),
        Piece::KeepAlive(_) => Ok(()),
    };
    let mut result = Ok(());
    for chunk in chunks {
        reader.feed(chunk);
        while let Some(piece) = reader.next() {
            result = result.and_then(|()| take(piece));
        }
    }
    while let Some(piece) = reader.finish() {
        result = result.and_then(|()| take(piece));
    }
    let result = result.and_then(|()| decoder.finish(&mut |event| events.push(event)));
    (events, result)
}

#[test]
fn the_usual_stream_gives_thoughts_text_calls_usage_and_finish_in_this_order() {
    let events = read(&USUAL, Maker::Anthropic).expect("a good stream");
    assert_eq!(told(&events), TOLD);
    let usages: Vec<Usage> =
        events.iter().filter_map(|e| if let Event::Usage(u) = e { Some(*u) } else { None }).collect();
    let expected = Usage { input: Some(40), cache_read: Some(60), output: Some(10), ..Usage::default() };
    assert_eq!(usages, [expected], "usage comes behind the stop");
    assert!(matches!(events.last(), Some(Event::Finish { .. })));
}

#[test]
fn a_cut_before_the_stop_is_never_a_complete_answer() {
    for n in 0..USUAL.len() - 1 {
        let expected = if n == 0 { AnswerError::Empty } else { AnswerError::Cut };
        assert_eq!(read(&USUAL[..n], Maker::Anthropic), Err(expected), "{n}");
    }
    let without_stop = [USUAL[0], USUAL[14]];
    assert_eq!(read(&without_stop, Maker::Anthropic), Err(AnswerError::Cut));
}

#[test]
fn s09_metadata_may_be_missing_or_come_before_the_stop() {
    let without = read(&USUAL[..14], Maker::Anthropic).expect("a whole answer");
    assert_eq!(told(&without), TOLD);
    assert!(!without.iter().any(|event| matches!(event, Event::Usage(_))), "the gateway's own count takes its place");
    let mut swapped = USUAL;
    swapped.swap(13, 14);
    let swapped = read(&swapped, Maker::Anthropic).expect("a whole answer");
    assert_eq!(told(&swapped), TOLD);
    assert!(swapped.iter().any(|event| matches!(event, Event::Usage(usage) if usage.output == Some(10))));
}

#[test]
fn arguments_as_an_object_are_not_lost() {
    let stream = [
        ("contentBlockStart", r#"{"contentBlockIndex":0,"start":{"toolUse":{"name":"f","toolUseId":"a"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":{"x":"y\"z"}}}}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        ("messageStop", r#"{"stopReason":"tool_use"}"#),
    ];
    assert_eq!(told(&read(&stream, Maker::Anthropic).expect("good")), r#"[a=f{"x":"y\"z"}]|ToolUse"#);
}

#[test]
fn bytes_that_are_cut_anywhere_give_the_same_events() {
    let wire = bytes(&USUAL);
    for cut in 0..=wire.len() {
        let (events, end) = relayed([&wire[..cut], &wire[cut..]]);
        assert_eq!((told(&events).as_str(), end), (TOLD, Ok(())), "cut at {cut}");
    }
    let (events, end) = relayed(wire.chunks(1));
    assert_eq!((told(&events).as_str(), end), (TOLD, Ok(())));
}

#[test]
fn bytes_that_end_early_are_an_error() {
    let wire = bytes(&USUAL);
    let stopped = bytes(&USUAL[..14]).len();
    for length in (0..wire.len()).filter(|length| *length != stopped) {
        let (_, end) = relayed([&wire[..length]]);
        assert!(end.is_err(), "{length}");
    }
}

#[test]
fn an_exception_in_the_stream_is_the_upstreams_error() {
    let mut stream = bytes(&USUAL[..6]);
    stream.extend(wire::exception("throttlingException", r#"{"message":"Too many tokens, please wait"}"#));
    let (events, end) = relayed([&stream[..]]);
    assert_eq!(told(&events), "(h)(m)<Eq+/=>Hel\u{e9}\n");
    let Err(AnswerError::Upstream(error)) = end else { panic!("an error") };
    assert_eq!((error.status, error.kind, error.temporary), (429, ErrorKind::RateLimited, true));
    let broken = wire::exception("modelStreamErrorException", r#"{"message":"it broke","originalStatusCode":500}"#);
    let (_, end) = relayed([&broken[..]]);
    let Err(AnswerError::Upstream(error)) = end else { panic!("an error") };
    assert_eq!((error.status, error.kind, error.message.as_str()), (424, ErrorKind::Api, "it broke"));
}

#[test]
fn odd_streams_are_read_or_refused_and_never_misread() {
    let ends = [("messageStop", r#"{"stopReason":"end_turn"}"#), ("metadata", r#"{"usage":null}"#)];
    let good = [
        // A signature in pieces, and one that the next block ends.
        (
            vec![
                ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"a"}}}"#),
                ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"b"}}}"#),
                ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"text":"x"}}"#),
            ],
            "<ab>x|EndTurn",
        ),
        (
            vec![(
                "contentBlockDelta",
                r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"redactedContent":"Em"}}}"#,
            )],
            "#Em#|EndTurn",
        ),
        // Nothing begins a call but its start; the service's own are none.
        (vec![("contentBlockDelta", r#"{"contentBlockIndex":4,"delta":{"toolUse":{"input":"{}"}}}"#)], "|EndTurn"),
        (
            vec![
                ("contentBlockStart", r#"{"start":{"toolUse":{"name":"w","toolUseId":"a","type":"server_tool_use"}}}"#),
                ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"toolUse":{"input":"{}"}}}"#),
            ],
            "|EndTurn",
        ),
        // Events and fields of a later version.
        (
            vec![
                ("initial-response", "{}"),
                ("novelty", "no JSON"),
                ("contentBlockDelta", r#"{"delta":{"video":{}}}"#),
            ],
            "|EndTurn",
        ),
        (vec![("contentBlockDelta", r#"{"delta":{"text":"a"},"contentBlockIndex":"x"}"#)], "a|EndTurn"),
    ];
    for (events, expected) in good {
        let all = [&events[..], &ends].concat();
        assert_eq!(told(&read(&all, Maker::Anthropic).expect("good")), expected, "{events:?}");
    }
    for data in ["", "{", "[]", "<html>", r#"{"delta":[]}"#] {
        let result = read(&[("contentBlockDelta", data)], Maker::Anthropic);
        assert!(matches!(result, Err(AnswerError::Malformed(_))), "{data}");
    }
    let nameless = read(&[("contentBlockStart", r#"{"start":{"toolUse":{"toolUseId":"a"}}}"#)], Maker::Anthropic);
    assert!(matches!(nameless, Err(AnswerError::Malformed(_))));
    let spoilt = read(&[("messageStop", r#"{"stopReason":"malformed_tool_use"}"#)], Maker::Anthropic);
    assert!(matches!(spoilt, Err(AnswerError::Upstream(error)) if error.temporary));
}

#[test]
fn a_stream_and_a_whole_answer_give_the_same_events() {
    let whole = r#"{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"Eq+/="}}},{"text":"Hel\u00e9\n"},{"toolUse":{"toolUseId":"tooluse_a","name":"f","input":{"x":1}}},{"toolUse":{"toolUseId":"tooluse_b","name":"g","input":{}}}]}},"stopReason":"tool_use","usage":{"cacheReadInputTokens":60,"inputTokens":40,"outputTokens":10,"totalTokens":110}}"#;
    let mut one = Vec::new();
    response::decode(whole.as_bytes(), Maker::Anthropic, &mut |event| one.push(event.into_owned())).expect("good");
    assert_eq!(told(&one).replace("(hm)", "(h)(m)").replace("=g{}", "=g"), TOLD);
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(which in 0usize..7, data in ".{0,200}") {
        let names = ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata", "x"];
        _ = read(&[(names[which], &data)], Maker::Other);
    }

    #[test]
    fn no_mangled_event_makes_the_decoder_panic(which in 0usize..15, at in 0usize..200, c in any::<char>()) {
        let (name, data) = USUAL[which];
        let mut chars: Vec<char> = data.chars().collect();
        let at = at % chars.len();
        chars[at] = c;
        let data: String = chars.into_iter().collect();
        _ = read(&[(name, &data), (name, &data)], Maker::Amazon);
    }
}
