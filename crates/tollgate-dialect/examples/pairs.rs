//! CPU of the codecs for one request of each pair of dialects: `cargo xtask bench pairs`.
//!
//! A coding agent's request of about 120 KB is read and written for the upstream, and an answer of 100 pieces of text and a call
//! with its arguments in 20 pieces is read from the upstream's stream and written for the client. Where both speak one dialect it
//! is that lane. Time is that of the thread on a core, so it hardly depends on what else the machine does.
//!
//! With the names of client and upstream and a number it does one pair's work so often and prints nothing, for a program that counts
//! instructions.

use std::hint::black_box;

use serde_json::{Value, json};
use tollgate_dialect::answer::Shaper;
use tollgate_dialect::event::{Event, StopReason};
use tollgate_dialect::frame::sse::{Piece, SseReader};
use tollgate_dialect::json::Text;
use tollgate_dialect::quirks::Quirks;
use tollgate_dialect::sealed::Seal;
use tollgate_dialect::usage::Usage;
use tollgate_dialect::{
    AnswerHead, Dialect, Forwarded, StreamDecoder, StreamEncoder, Target, answer_context, decode_request,
    encode_request, forward_frame, forward_request,
};

/// Those that both clients and upstreams speak: their streams can be made here.
const DIALECTS: [Dialect; 4] = [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Gemini];

const ROUNDS: u32 = 100;
/// Of so many batches the cheapest counts.
const BATCHES: u32 = 7;

fn main() {
    let conversation = conversation().to_string();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [client, upstream, times] = &arguments[..] {
        let named = |name: &str| DIALECTS.into_iter().find(|dialect| dialect.name() == name).expect("a dialect's name");
        let (client, upstream) = (named(client), named(upstream));
        let (body, stream) = (client_body(client, &conversation), upstream_stream(upstream));
        for _ in 0..times.parse().expect("a number") {
            black_box(request(client, upstream, &body) + answer(client, upstream, &stream));
        }
        return;
    }
    println!("{} bytes of request", conversation.len());
    println!("| client | {} |", DIALECTS.map(Dialect::name).join(" | "));
    println!("|---|{}", "---:|".repeat(DIALECTS.len()));
    for client in DIALECTS {
        let body = client_body(client, &conversation);
        let cells = DIALECTS.map(|upstream| {
            let stream = upstream_stream(upstream);
            let request = cheapest(|| request(client, upstream, &body));
            let answer = cheapest(|| answer(client, upstream, &stream));
            format!("{:.0} + {:.0} = {:.0}", request, answer, request + answer)
        });
        println!("| {} | {} |", client.name(), cells.join(" | "));
    }
}

/// The conversation in the client's words.
fn client_body(client: Dialect, conversation: &str) -> Vec<u8> {
    let asked = decode_request(Dialect::Messages, conversation.as_bytes()).expect("a request");
    with_target(|target| encode_request(client, &asked, target).expect("a body").body)
}

fn with_target<T>(work: impl FnOnce(&Target<'_>) -> T) -> T {
    let (quirks, seal) = (Quirks::default(), Seal::new(b"a key for measuring"));
    work(&Target {
        model: "model",
        label: "provider/model",
        quirks: &quirks,
        drop_params: true,
        max_output_tokens: None,
        stream: true,
        seal: &seal,
    })
}

fn request(client: Dialect, upstream: Dialect, body: &[u8]) -> usize {
    with_target(|target| {
        let encoded = if client == upstream {
            forward_request(client, body, target).expect("a body")
        } else {
            let request = decode_request(client, body).expect("a request");
            black_box(answer_context(upstream, &request, target));
            encode_request(upstream, &request, target).expect("a body")
        };
        encoded.body.len()
    })
}

fn answer(client: Dialect, upstream: Dialect, stream: &[u8]) -> usize {
    let seal = Seal::new(b"a key for measuring");
    let head = AnswerHead { id: "ours".into(), model: "asked".into(), stream_usage: true, ..AnswerHead::default() };
    let (mut reader, mut decoder) = (SseReader::default(), StreamDecoder::new(upstream, &Quirks::default()));
    let (mut shaper, mut encoder) = (Shaper::new(Default::default()), StreamEncoder::new(client, head, seal));
    let mut out = Vec::new();
    reader.feed(stream);
    let own_bytes = client == upstream;
    let mut write = |event: Event<'_>, out: &mut Vec<u8>| {
        if !own_bytes {
            encoder.push(&event, out);
        }
    };
    while let Some(piece) = reader.finish() {
        let Piece::Frame(frame) = piece.expect("a frame") else { continue };
        let read = decoder.push(&frame, &mut |event| {
            shaper.push(event, &mut |event| write(event, &mut out)).expect("an answer");
        });
        read.expect("an answer");
        if own_bytes && forward_frame(upstream, &frame, true, &Usage::default) == Forwarded::AsIs {
            out.extend_from_slice(frame.raw);
        }
    }
    let end = decoder.finish(&mut |event| {
        shaper.push(event, &mut |event| write(event, &mut out)).expect("an answer");
    });
    end.expect("the end");
    shaper.finish(&mut |event| write(event, &mut out)).expect("an answer");
    if !own_bytes {
        encoder.finish(&mut out);
    }
    out.len()
}

/// Microseconds on a core for one time.
fn cheapest(mut work: impl FnMut() -> usize) -> f64 {
    let batch = |_| {
        let before = cpu_nanos();
        for _ in 0..ROUNDS {
            black_box(work());
        }
        (cpu_nanos() - before) as f64 / f64::from(ROUNDS) / 1000.0
    };
    (0..BATCHES).map(batch).fold(f64::INFINITY, f64::min)
}

/// What this thread has used of a core (`proc(5)`, `schedstat`).
fn cpu_nanos() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts the time of threads");
    stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("a number")
}

fn upstream_stream(upstream: Dialect) -> Vec<u8> {
    let mut events = vec![Event::Start { id: None, model: None, usage: Usage::default() }];
    events.extend((0..100).map(|_| Event::Text(Text::plain("some words of the answer "))));
    let call = |json: &str| Event::ToolInput { slot: 0, json: Text::plain(json) };
    events.push(Event::ToolStart { slot: 0, id: Text::plain("call_1"), name: Text::plain("tool_0") });
    events.push(call("{\"text\":\""));
    events.extend((0..18).map(|_| call("a piece of the arguments ")));
    events.extend([call("\"}"), Event::ToolEnd { slot: 0 }]);
    events.push(Event::Usage(Usage { input: Some(30_000), output: Some(300), ..Usage::default() }));
    events.push(Event::Finish { reason: StopReason::ToolUse, stop_sequence: None });
    let head = AnswerHead { id: "ours".into(), model: "model".into(), stream_usage: true, ..AnswerHead::default() };
    let (mut encoder, mut out) = (StreamEncoder::new(upstream, head, Seal::new(b"upstream")), Vec::new());
    events.iter().for_each(|event| encoder.push(event, &mut out));
    encoder.finish(&mut out);
    out
}

/// About this many bytes of text with line ends and quotes.
fn text(bytes: usize) -> String {
    const LINE: &str = "    let \"name\" = reader.next(buffer)?; // checks the limits of a request\n";
    LINE.repeat(bytes / LINE.len() + 1)
}

/// 20 KB of system text, 40 tools, 14 calls with their results.
fn conversation() -> Value {
    let field = |kind: &str| json!({"type": kind, "description": text(80)});
    let tool = |i: usize| {
        json!({"name": format!("tool_{i}"), "description": text(300), "input_schema": {"type": "object",
            "properties": {"file_path": field("string"), "count": field("integer"),
                "all": {"type": "array", "items": {"type": "string"}}},
            "required": ["file_path"], "additionalProperties": false}})
    };
    let mut messages = vec![json!({"role": "user", "content": [{"type": "text", "text": text(4000)}]})];
    for i in 0..14 {
        let id = format!("toolu_{i:022}");
        messages.push(json!({"role": "assistant", "content": [{"type": "text", "text": text(120)},
            {"type": "tool_use", "id": id, "name": "tool_0", "input": {"file_path": format!("/srv/app/src/mod_{i}.rs")}}]}));
        messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id,
            "content": [{"type": "text", "text": text(3400)}]}]}));
    }
    json!({"model": "model", "max_tokens": 32_000, "stream": true, "tools": (0..40).map(tool).collect::<Vec<_>>(),
        "system": [{"type": "text", "text": "You are a coding agent."}, {"type": "text", "text": text(20_000)}],
        "messages": messages})
}
