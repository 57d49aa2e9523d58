use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use serde_json::json;

use super::*;
use crate::faults::{Ending, Faults, Piece, Shape};
use crate::script::{Answer, Match};

/// What came back on a connection of its own.
struct Got {
    raw: String,
    reset: bool,
}

impl Got {
    fn status(&self) -> u16 {
        self.raw.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// The body without chunk lengths; good for bodies whose lines do not look like lengths.
    fn events(&self) -> Vec<&str> {
        self.raw.split('\n').filter(|line| line.starts_with("data:") || line.starts_with("event:")).collect()
    }

    fn complete(&self) -> bool {
        self.raw.ends_with("0\r\n\r\n")
    }
}

async fn send(sim: &Sim, path: &str, body: &str) -> Got {
    let mut socket = TcpStream::connect(sim.addr()).await.unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: sim\r\nauthorization: Bearer k\r\nanthropic-version: 2023-06-01\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let reset = socket.read_to_end(&mut bytes).await.is_err();
    Got { raw: String::from_utf8_lossy(&bytes).into_owned(), reset }
}

const CHAT: &str = "/v1/chat/completions";
const ASK: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
const STREAM: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}"#;
const ASK_MESSAGES: &str = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;

async fn sim(step: Step) -> Sim {
    Sim::start(SimConfig::default().step(step)).await
}

fn faulty(faults: Faults) -> Step {
    Step::text("one two three").faults(faults)
}

#[tokio::test]
async fn every_path_of_both_providers_answers() {
    let sim = Sim::start(SimConfig::default()).await;
    for path in [CHAT, "/any/prefix/chat/completions", "/chat/completions"] {
        let got = send(&sim, path, ASK).await;
        assert_eq!(got.status(), 200);
        assert!(got.raw.contains("Hello from the simulated model."));
    }
    for path in ["/v1/messages", "/anthropic/v1/messages", "/v1/messages?beta=true"] {
        assert!(send(&sim, path, ASK_MESSAGES).await.raw.contains(r#""stop_reason":"end_turn""#));
    }
    let counted =
        send(&sim, "/v1/messages/count_tokens", r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#).await;
    assert!(counted.raw.contains(r#"{"input_tokens":6}"#), "a block of 27 bytes: {}", counted.raw);
    assert_eq!(sim.requests().len(), 7);
    assert_eq!(sim.requests()[5].query.as_deref(), Some("beta=true"));
}

#[tokio::test]
async fn other_paths_are_recorded_and_not_found() {
    let sim = Sim::start(SimConfig::default()).await;
    assert_eq!(send(&sim, "/v1/responses", "{}").await.status(), 404);
    assert_eq!(sim.requests_to("/responses").len(), 1);
    assert!(sim.requests()[0].refused.as_deref().unwrap().contains("/v1/responses"));
}

#[tokio::test]
async fn a_refusal_is_recorded_and_costs_no_step() {
    let sim = sim(Step::text("scripted")).await;
    let got = send(&sim, CHAT, r#"{"model":"m","messages":[],"thinking":{}}"#).await;
    assert_eq!(got.status(), 400);
    assert!(sim.requests()[0].refused.as_deref().unwrap().contains("thinking"));
    assert!(send(&sim, CHAT, ASK).await.raw.contains("scripted"));
    assert_eq!(sim.requests()[1].json()["messages"][0]["content"], "hi");
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let sim = Sim::start(SimConfig::default().key("other")).await;
    let got = send(&sim, CHAT, ASK).await;
    assert_eq!(got.status(), 401);
    assert!(got.raw.contains("invalid_api_key"));
    assert!(send(&sim, "/v1/messages", ASK_MESSAGES).await.raw.contains("authentication_error"));
}

#[tokio::test]
async fn steps_are_taken_by_their_conditions() {
    let for_model = |model: &str| Match { model: Some(model.to_owned()), ..Match::default() };
    let config = SimConfig::default()
        .step(Step::text("for n").when(for_model("n")))
        .step(Step::text("second").when(Match { nth: Some(2), ..Match::default() }))
        .step(Step::text("twice").times(2))
        .step(Step::text("always").always());
    let sim = Sim::start(config).await;
    for expected in ["twice", "second", "twice", "always", "always"] {
        assert!(send(&sim, CHAT, ASK).await.raw.contains(expected));
    }
    assert!(send(&sim, CHAT, &ASK.replace("\"m\"", "\"n\"")).await.raw.contains("for n"));
}

#[tokio::test]
async fn http_errors_come_with_their_headers_and_bodies() {
    let step = Step::http(502, "text/html", "<html>Bad gateway</html>").header("retry-after", "30");
    let got = send(&sim(step).await, CHAT, ASK).await;
    assert_eq!(got.status(), 502);
    assert!(got.raw.contains("retry-after: 30") && got.raw.ends_with("<html>Bad gateway</html>"));
    assert!(send(&sim(Step::http(500, "text/plain", "")).await, CHAT, ASK).await.raw.ends_with("\r\n\r\n"));
}

#[tokio::test]
async fn a_connection_can_end_before_any_header() {
    let got = send(&sim(Step::refused(Ending::Reset)).await, CHAT, ASK).await;
    assert!(got.raw.is_empty() && got.reset);
    let got = send(&sim(Step::refused(Ending::Close)).await, CHAT, ASK).await;
    assert!(got.raw.is_empty() && !got.reset);
}

#[tokio::test]
async fn a_stream_can_be_cut_in_three_ways() {
    for (ending, reset, complete) in
        [(Ending::Reset, true, false), (Ending::Close, false, false), (Ending::Clean, false, true)]
    {
        let sim = sim(faulty(Faults { cut_after: Some((1, ending)), ..Faults::default() })).await;
        let got = send(&sim, CHAT, STREAM).await;
        assert_eq!(got.events().len(), 1, "{ending:?}: {}", got.raw);
        assert_eq!((got.reset, got.complete()), (reset, complete), "{ending:?}");
        assert!(sim.requests()[0].closed_early.is_none() && sim.requests()[0].finished.is_some());
    }
}

#[tokio::test]
async fn a_json_answer_can_be_cut_in_its_middle() {
    let got =
        send(&sim(faulty(Faults { cut_after: Some((1, Ending::Close)), ..Faults::default() })).await, CHAT, ASK).await;
    assert_eq!(got.status(), 200);
    assert!(got.raw.contains("chat.completion") && !got.raw.ends_with('}'));
}

#[tokio::test]
async fn an_error_frame_ends_a_stream() {
    let error = json!({"error": {"message": "boom"}});
    let step = || faulty(Faults { error_after: Some((2, error.clone())), ..Faults::default() });
    let got = send(&sim(step()).await, CHAT, STREAM).await;
    assert_eq!(got.events().last(), Some(&r#"data: {"error":{"message":"boom"}}"#));
    assert_eq!(got.events().len(), 3);
    let stream = ASK_MESSAGES.replace("\"max_tokens\":9", "\"max_tokens\":9,\"stream\":true");
    let got = send(&sim(step()).await, "/v1/messages", &stream).await;
    assert_eq!(got.events()[4..], ["event: error", r#"data: {"error":{"message":"boom"}}"#]);
}

#[tokio::test]
async fn framing_can_be_odd() {
    let got = send(&sim(faulty(Faults { no_end_marker: true, ..Faults::default() })).await, CHAT, STREAM).await;
    assert!(got.complete() && !got.raw.contains("[DONE]"));
    let odd = Faults { comment: Some("keep-alive".to_owned()), crlf: true, no_space: true, ..Faults::default() };
    let got = send(&sim(faulty(odd)).await, CHAT, STREAM).await;
    assert!(got.raw.contains(":keep-alive\r\n\r\ndata:{") && got.raw.contains("data:[DONE]\r\n\r\n"));
    let got = send(&sim(faulty(Faults { split_bytes: Some(7), ..Faults::default() })).await, CHAT, STREAM).await;
    assert!(got.raw.contains("\r\n7\r\ndata: {\r\n"), "chunks of seven bytes");
    let stream = ASK_MESSAGES.replace("\"max_tokens\":9", "\"max_tokens\":9,\"stream\":true");
    let got =
        send(&sim(faulty(Faults { no_event_names: true, ..Faults::default() })).await, "/v1/messages", &stream).await;
    assert!(!got.raw.contains("event:") && got.raw.contains("message_stop"));
}

#[tokio::test]
async fn the_form_of_the_answer_can_be_the_wrong_one() {
    let shaped = |shape| faulty(Faults { shape: Some(shape), ..Faults::default() });
    let got = send(&sim(shaped(Shape::Json)).await, CHAT, STREAM).await;
    assert!(got.raw.contains("content-type: application/json") && got.raw.ends_with('}'));
    let got = send(&sim(shaped(Shape::Sse)).await, CHAT, ASK).await;
    assert!(got.raw.contains("text/event-stream") && got.raw.contains("[DONE]"));
}

#[tokio::test]
async fn raw_bytes_are_played_as_they_are() {
    let pieces = vec![Piece::text("data: {\"a\""), Piece::Pause(Duration::from_millis(1)), Piece::text(":1}\n\n")];
    let got = send(&sim(Step::sse(pieces)).await, CHAT, STREAM).await;
    assert!(got.raw.contains("data: {\"a\"\r\n") && got.complete());
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_in_silence() {
    for faults in [
        Faults { before_headers: Duration::from_secs(3600), ..Faults::default() },
        Faults { silence: Some((1, Duration::from_secs(3600))), ..Faults::default() },
    ] {
        let sim = sim(faulty(faults)).await;
        let mut socket = TcpStream::connect(sim.addr()).await.unwrap();
        let head = format!("POST {CHAT} HTTP/1.1\r\nhost: sim\r\ncontent-length: {}\r\n\r\n{STREAM}", STREAM.len());
        socket.write_all(head.as_bytes()).await.unwrap();
        sim.wait_until(|requests| requests.first().is_some_and(|request| !request.body.is_empty())).await;
        assert!(sim.requests()[0].closed_early.is_none());
        drop(socket);
        let noticed = sim.wait_until(|requests| requests[0].closed_early.is_some());
        tokio::time::timeout(Duration::from_secs(20), noticed).await.expect("the close is noticed");
        assert!(sim.requests()[0].finished.is_none());
    }
}

#[tokio::test]
async fn headers_come_before_the_silence_that_follows_them() {
    let sim = sim(faulty(Faults { silence: Some((0, Duration::from_secs(3600))), ..Faults::default() })).await;
    let mut socket = TcpStream::connect(sim.addr()).await.unwrap();
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: sim\r\ncontent-length: {}\r\n\r\n{STREAM}", STREAM.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0; 15];
    socket.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_huge_stream_is_made_while_it_is_sent() {
    let part = crate::Part::HugeTool { id: "c".to_owned(), name: "Write".to_owned(), bytes: 1 << 40 };
    let sim = sim(Step::answer(Answer::default().and(part))).await;
    let mut socket = TcpStream::connect(sim.addr()).await.unwrap();
    let head = format!("POST {CHAT} HTTP/1.1\r\nhost: sim\r\ncontent-length: {}\r\n\r\n{STREAM}", STREAM.len());
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut some = vec![0; 1 << 20];
    socket.read_exact(&mut some).await.unwrap();
    assert!(String::from_utf8_lossy(&some).contains("aaaa"));
}

#[tokio::test]
async fn models_are_listed_in_the_dialect_of_the_caller() {
    let sim = Sim::start(SimConfig::default()).await;
    for (header, expected) in [("x: y", r#""object":"list""#), ("anthropic-version: 2023-06-01", r#""has_more":false"#)]
    {
        let mut socket = TcpStream::connect(sim.addr()).await.unwrap();
        let head = format!("GET /v1/models HTTP/1.1\r\nhost: sim\r\n{header}\r\nconnection: close\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(expected) && answer.contains("sim-1"), "{answer}");
    }
}

#[tokio::test]
async fn the_coding_agent_writes_and_then_says_so() {
    let sim = Sim::start(SimConfig::default().steps(crate::coding_agent("/tmp/x", "hello"))).await;
    let tools =
        r#""tools":[{"type":"function","function":{"name":"Write","parameters":{"type":"object","properties":{}}}}]"#;
    let first = format!(r#"{{"model":"m","stream":true,{tools},"messages":[{{"role":"user","content":"go"}}]}}"#);
    let got = send(&sim, CHAT, &first).await;
    assert!(got.raw.contains("\"name\":\"Write\"") && got.raw.contains("\"finish_reason\":\"tool_calls\""));
    let call = r#"{"id":"call_write_1","type":"function","function":{"name":"Write","arguments":"{}"}}"#;
    let second = format!(
        r#"{{"model":"m",{tools},"messages":[{{"role":"user","content":"go"}},{{"role":"assistant","content":null,"tool_calls":[{call}]}},{{"role":"tool","tool_call_id":"call_write_1","content":"ok"}}]}}"#
    );
    assert!(send(&sim, CHAT, &second).await.raw.contains("Done: /tmp/x holds 5 bytes."));
}

#[tokio::test]
async fn only_so_many_calls_at_once_are_answered_and_the_others_are_told_in_the_given_words() {
    let slow = Step::text("slow").faults(Faults { before_headers: Duration::from_millis(200), ..Faults::default() });
    let sim = Sim::start(SimConfig::default().step(slow.always()).at_once(2, "too many at once")).await;
    let (chat, stream, messages) =
        tokio::join!(send(&sim, CHAT, ASK), send(&sim, CHAT, STREAM), send(&sim, "/v1/messages", ASK_MESSAGES));
    let refused: Vec<&Got> = [&chat, &stream, &messages].into_iter().filter(|got| got.status() == 429).collect();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].raw.contains("too many at once"), "{}", refused[0].raw);
    assert_eq!(sim.most_at_once(), 2);
    // The places are free again.
    assert_eq!(send(&sim, CHAT, ASK).await.status(), 200);
}
