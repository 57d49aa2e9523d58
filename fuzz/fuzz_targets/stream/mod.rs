use tollgate_dialect::answer::{Context, Shaper};
use tollgate_dialect::error::AnswerError;
use tollgate_dialect::frame::FrameReader;
use tollgate_dialect::frame::sse::{Piece, SseReader};
use tollgate_dialect::quirks::Quirks;
use tollgate_dialect::sealed::Seal;
use tollgate_dialect::{AnswerHead, Collector, Dialect, StreamDecoder, StreamEncoder};

struct Client {
    dialect: Dialect,
    stream: StreamEncoder,
    whole: Collector,
    out: Vec<u8>,
}

/// An upstream's bytes go through decoder and shaper to clients of all dialects. Whatever is sent must be well-formed
/// server-sent events of JSON, and the collected answer must be JSON.
pub fn relay(from: Dialect, bytes: &[u8]) {
    let mut clients = Dialect::CLIENTS.map(|dialect| Client {
        dialect,
        stream: StreamEncoder::new(dialect, AnswerHead::default(), Seal::new(b"a key for fuzzing")),
        whole: Collector::new(dialect, AnswerHead::default(), Seal::new(b"a key for fuzzing")),
        out: Vec::new(),
    });
    let complete = decode(from, bytes, &mut clients).is_ok();
    for mut client in clients {
        if complete {
            client.stream.finish(&mut client.out);
            let body = client.whole.finish();
            assert!(is_json(&body), "{:?}: {}", client.dialect, String::from_utf8_lossy(&body));
        }
        check_frames(&client.out);
    }
}

fn decode(from: Dialect, bytes: &[u8], clients: &mut [Client]) -> Result<(), AnswerError> {
    let mut reader = FrameReader::of(bytes);
    let mut decoder = StreamDecoder::new(from, &Quirks { think_tags: true, ..Quirks::default() });
    let context = Context { stop: vec!["stop".into()], tool_ids: ["a".to_string()].into(), ..Context::default() };
    let mut shaper = Shaper::new(Context { keep_thoughts: true, ..context });
    let mut emit = |event: tollgate_dialect::event::Event<'_>| {
        for client in clients.iter_mut() {
            client.stream.push(&event, &mut client.out);
            client.whole.push(&event);
        }
    };
    reader.feed(bytes);
    while let Some(piece) = reader.finish() {
        let Piece::Frame(frame) = piece? else { continue };
        let mut shaped = Ok(());
        decoder.push(&frame, &mut |event| {
            if shaped.is_ok() {
                shaped = shaper.push(event, &mut emit);
            }
        })?;
        shaped?;
    }
    let mut shaped = Ok(());
    decoder.finish(&mut |event| {
        if shaped.is_ok() {
            shaped = shaper.push(event, &mut emit);
        }
    })?;
    shaped?;
    shaper.finish(&mut emit)
}

fn is_json(body: &[u8]) -> bool {
    // The raw form, because strings may hold lone surrogates.
    serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok()
}

fn check_frames(sent: &[u8]) {
    let mut reader = SseReader::default();
    reader.feed(sent);
    while let Some(piece) = reader.next() {
        let Ok(Piece::Frame(frame)) = piece else { continue };
        assert!(frame.data == b"[DONE]" || is_json(frame.data), "{}", String::from_utf8_lossy(frame.raw));
    }
    assert_eq!(reader.finish(), None, "the last frame is whole");
}
