//! An upstream that costs next to nothing: four answers, made once.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

use super::load::Connection;

pub const CHAT: &str = "/v1/chat/completions";
/// For the plain hop: the same answers in the dialect in which they are asked for.
pub const MESSAGES: &str = "/v1/messages";
/// A text that every good answer holds.
pub const MARK: &str = "mock-says-7f3a";

const EVENTS: usize = 100;

struct Answers {
    chat: Vec<u8>,
    chat_stream: Vec<u8>,
    messages: Vec<u8>,
    messages_stream: Vec<u8>,
}

/// Starts on a free port; it runs as long as this process.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let addr = listener.local_addr()?;
    let answers = Arc::new(Answers::new());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = Arc::clone(&answers);
            // A connection ends with an error when its gateway goes away.
            thread::spawn(move || drop(serve(stream, &answers)));
        }
    });
    Ok(addr)
}

fn serve(stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let mut connection = Connection::new(stream)?;
    loop {
        let request = connection.read_message()?;
        let messages = request.starts_with(b"POST /v1/messages");
        // The field stands at the start or at the end of a body, whoever wrote it.
        let ends = [&request[..request.len().min(2048)], &request[request.len().saturating_sub(2048)..]];
        let streams = ends.iter().any(|end| end.windows(13).any(|part| part == b"\"stream\":true"));
        connection.write(match (messages, streams) {
            (false, false) => &answers.chat,
            (false, true) => &answers.chat_stream,
            (true, false) => &answers.messages,
            (true, true) => &answers.messages_stream,
        })?;
    }
}

impl Answers {
    fn new() -> Self {
        let text = format!("{MARK} {}", "the answer of a model goes on for some time ".repeat(26));
        let usage = json!({"prompt_tokens": 250, "completion_tokens": 300, "total_tokens": 550});
        let chat = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1_795_000_000, "model": "mock", "choices":
            [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}], "usage": usage});
        let messages = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "mock",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 250, "output_tokens": 300}});
        Self {
            chat: whole(&chat),
            chat_stream: stream(&chat_events(&usage)),
            messages: whole(&messages),
            messages_stream: stream(&messages_events()),
        }
    }
}

fn whole(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn stream(events: &[String]) -> Vec<u8> {
    let mut out = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for event in events {
        out += &format!("{:x}\r\n{event}\r\n", event.len());
    }
    (out + "0\r\n\r\n").into_bytes()
}

fn chat_events(usage: &Value) -> Vec<String> {
    let chunk = |choices: Value, usage: &Value| {
        let chunk = json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": "mock",
            "choices": choices, "usage": usage});
        format!("data: {chunk}\n\n")
    };
    let delta = |delta: Value, finish: Value| {
        chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]), &Value::Null)
    };
    let mut events = vec![delta(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend((0..EVENTS).map(|i| delta(json!({"content": format!("{MARK} {i} ")}), Value::Null)));
    events.push(delta(json!({}), json!("stop")));
    events.push(chunk(json!([]), usage));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn messages_events() -> Vec<String> {
    let event = |event: Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    let start = json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "mock",
        "content": [], "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 250, "output_tokens": 1}}});
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let text = |i: usize| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": format!("{MARK} {i} ")}});
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": 300}});
    let mut events = vec![event(start), event(block)];
    events.extend((0..EVENTS).map(|i| event(text(i))));
    events.push(event(json!({"type": "content_block_stop", "index": 0})));
    events.extend([event(end), event(json!({"type": "message_stop"}))]);
    events
}
