//! Answers that come compressed though nobody asked for it.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Value, json};
use tollgate_sim::{Faults, Step};

use crate::checker::{self, text};
use crate::stage::{Setup, ask};

const SAID: &str = "Hello, w\u{f6}rld";

fn packed(encoding: &str, plain: &str) -> Vec<u8> {
    match encoding {
        "deflate" => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(plain.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }
        _ => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(plain.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }
    }
}

fn step(status: u16, encoding: &str, kind: &str, plain: &str) -> Step {
    let tiny = Faults { split_bytes: Some(3), ..Faults::default() };
    Step::http(status, kind, packed(encoding, plain)).faults(tiny).header("content-encoding", encoding)
}

fn chat(choice: Value) -> Value {
    json!({"id": "c1", "object": "chat.completion", "created": 1, "model": "up", "choices": [choice]})
}

#[test]
fn a_compressed_answer_is_read_in_either_form() {
    Setup::default().play(|stage| async move {
        let delta = chat(json!({"index": 0, "delta": {"content": SAID}, "finish_reason": "stop"}));
        let stream = format!("data: {delta}\n\ndata: [DONE]\n\n");
        let whole =
            chat(json!({"index": 0, "message": {"role": "assistant", "content": SAID}, "finish_reason": "stop"}));
        for encoding in ["gzip", "x-gzip", "deflate"] {
            stage.sim.push(step(200, encoding, "text/event-stream", &stream));
            let answer = stage.messages(&ask(true)).await;
            assert_eq!(checker::stream(&answer.body).whole().blocks, [text(SAID)], "{encoding}");
            stage.sim.push(step(200, encoding, "application/json", &whole.to_string()));
            let answer = stage.messages(&ask(false)).await;
            assert_eq!(answer.json()["content"][0]["text"], SAID, "{encoding}");
        }
        let asked = stage.sim.requests();
        assert!(asked.iter().all(|request| request.header("accept-encoding") == Some("identity")));
    });
}

#[test]
fn a_compressed_refusal_is_told_in_its_words_and_an_unknown_encoding_by_its_name() {
    Setup::default().play(|stage| async move {
        let error = json!({"error": {"message": "packed words", "type": "invalid_request_error"}}).to_string();
        stage.sim.push(step(400, "gzip", "application/json", &error));
        let answer = stage.messages(&ask(false)).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["error"]["message"], "packed words");
        stage.sim.push(Step::http(200, "application/json", "xyz").header("content-encoding", "br").always());
        let answer = stage.messages(&ask(false)).await;
        assert_eq!(answer.status, 502);
        assert!(answer.text().contains("compressed (br)"), "{}", answer.text());
    });
}
