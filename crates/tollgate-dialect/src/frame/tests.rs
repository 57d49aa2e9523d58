use super::eventstream::wire;
use super::*;
use crate::error::ErrorKind;

/// Names and data of the frames, and how the stream ended.
fn read(bytes: &[u8], cut: usize) -> (Vec<(String, String)>, Option<AnswerError>) {
    let mut reader = FrameReader::of(bytes);
    let mut frames = Vec::new();
    let mut take = |piece: Result<Piece<'_>, AnswerError>| match piece {
        Ok(Piece::Frame(f)) => {
            frames.push((f.event.to_string(), String::from_utf8_lossy(f.data).into_owned()));
            None
        }
        Ok(Piece::KeepAlive(_)) => None,
        Err(error) => Some(error),
    };
    let mut failed = None;
    for chunk in [&bytes[..cut], &bytes[cut..]] {
        reader.feed(chunk);
        while let Some(piece) = reader.next() {
            failed = failed.or(take(piece));
        }
    }
    while let Some(piece) = reader.finish() {
        failed = failed.or(take(piece));
    }
    (frames, failed)
}

fn frame(event: &str, data: &str) -> (String, String) {
    (event.into(), data.into())
}

#[test]
fn either_transport_gives_the_same_frames_wherever_it_is_cut() {
    let text = b"event: a\ndata: {}\n\nevent: b\ndata: 1\n\n".to_vec();
    let binary = [wire::event("a", "{}"), wire::event("b", "1")].concat();
    for bytes in [text, binary] {
        for cut in 0..=bytes.len() {
            assert_eq!(read(&bytes, cut), (vec![frame("a", "{}"), frame("b", "1")], None), "{cut}");
        }
    }
}

#[test]
fn an_event_stream_that_ends_within_a_message_is_cut() {
    let bytes = [wire::event("a", "{}"), wire::event("b", "1")].concat();
    let first = wire::event("a", "{}").len();
    for length in first + 1..bytes.len() {
        assert_eq!(read(&bytes[..length], length), (vec![frame("a", "{}")], Some(AnswerError::Cut)), "{length}");
    }
}

#[test]
fn exceptions_and_errors_end_a_stream_as_the_upstreams_errors() {
    let unhandled = wire::message(
        &[
            wire::string(":message-type", "error"),
            wire::string(":error-code", "InternalFailure"),
            wire::string(":error-message", "it broke"),
        ]
        .concat(),
        b"",
    );
    let rows = [
        (wire::exception("serviceUnavailableException", r#"{"message":"away"}"#), 503, ErrorKind::Overloaded, "away"),
        (unhandled, 500, ErrorKind::Api, "it broke"),
    ];
    for (bytes, status, kind, words) in rows {
        let (_, Some(AnswerError::Upstream(error))) = read(&bytes, 0) else { panic!("an error") };
        assert_eq!((error.status, error.kind, error.message.as_str()), (status, kind, words));
    }
}

#[test]
fn a_wrong_checksum_is_an_answer_that_cannot_be_read() {
    let mut bytes = wire::event("a", "{}");
    *bytes.last_mut().expect("a byte") ^= 1;
    assert!(matches!(read(&bytes, 0), (_, Some(AnswerError::Malformed(words))) if words.contains("checksum")));
}

#[test]
fn the_events_of_a_models_own_api_come_out_of_their_chunks() {
    // "{\"type\":\"ping\"}" and "{}" in base64 (RFC 4648).
    let bytes = [
        wire::event("chunk", r#"{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"abc"}"#),
        wire::event("chunk", r#"{"p":"a","bytes":"e30="}"#),
    ]
    .concat();
    for cut in 0..=bytes.len() {
        assert_eq!(read(&bytes, cut), (vec![frame("", "{\"type\":\"ping\"}"), frame("", "{}")], None), "{cut}");
    }
    for broken in [r#"{"bytes":"e3"}"#, r#"{"p":"a"}"#, "none"] {
        let (frames, failed) = read(&wire::event("chunk", broken), 0);
        assert!(frames.is_empty() && matches!(failed, Some(AnswerError::Malformed(_))), "{broken}");
    }
}
