//! A case, played through the crate.

use std::time::Duration;

use serde::Deserialize;
use tollgate_dialect::answer::{Context, Shaper};
use tollgate_dialect::error::{AnswerError, ErrorKind, PublicError};
use tollgate_dialect::event::Event;
use tollgate_dialect::frame::sse::{Piece, SseReader};
use tollgate_dialect::request::Request;
use tollgate_dialect::{
    AnswerHead, Collector, Dialect, StreamDecoder, StreamEncoder, Target, answer_context, decode_request,
    decode_response, encode_error, encode_request,
};

use crate::case::{Case, Kind, compact, seal};

/// The upstream's provider in every case.
pub const FAMILY: &str = "acme";

#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    pub body: String,
    pub changes: Vec<String>,
    pub error: Option<String>,
}

impl Outcome {
    fn failed(error: impl ToString) -> Outcome {
        Outcome { error: Some(error.to_string()), ..Outcome::default() }
    }
}

pub fn whole(case: &Case) -> Outcome {
    match case.meta.kind {
        Kind::Request => request(case),
        Kind::Answer => answer(case),
        Kind::Stream => stream(case, case.input.len()),
        Kind::Error => error(case),
    }
}

pub fn byte_by_byte(case: &Case) -> Outcome {
    stream(case, 1)
}

fn with_target<T>(case: &Case, asked: Option<&Request<'_>>, use_it: impl FnOnce(&Target<'_>) -> T) -> T {
    let seal = seal();
    use_it(&Target {
        model: "up",
        label: "acme/up",
        quirks: &case.meta.quirks,
        drop_params: case.meta.drop_params,
        max_output_tokens: case.meta.max_output_tokens,
        stream: case.meta.stream.unwrap_or(asked.is_some_and(|request| request.stream)),
        seal: &seal,
    })
}

fn request(case: &Case) -> Outcome {
    let request = match decode_request(case.meta.from.dialect(), case.input.as_bytes()) {
        Ok(request) => request,
        Err(invalid) => return Outcome::failed(invalid),
    };
    match with_target(case, Some(&request), |target| encode_request(case.meta.to.dialect(), &request, target)) {
        Ok(encoded) => Outcome {
            body: utf8(encoded.body),
            changes: encoded.changes.iter().map(ToString::to_string).collect(),
            error: None,
        },
        Err(unsupported) => Outcome::failed(unsupported),
    }
}

/// What is known of the conversation that the answer belongs to: nothing, unless the case tells its request.
fn context(case: &Case) -> (Context, bool) {
    let Some(raw) = &case.meta.request else {
        return (Context { id_seed: "seed".into(), ..Context::default() }, false);
    };
    let body = compact(raw.get());
    let request = decode_request(case.meta.to.dialect(), body.as_bytes()).expect("the case's request");
    let context =
        with_target(case, Some(&request), |target| answer_context(case.meta.from.dialect(), &request, target));
    (context, request.stream_usage)
}

fn head(case: &Case, stream_usage: bool) -> AnswerHead {
    let id = match case.meta.to.dialect() {
        Dialect::Messages => "msg_ours",
        Dialect::Chat => "chatcmpl-ours",
        Dialect::Responses => "resp_ours",
        Dialect::Gemini | Dialect::Converse => "ours",
    };
    AnswerHead {
        id: id.into(),
        model: "asked".into(),
        estimated_input: 77,
        created: 1_700_000_000,
        stream_usage,
        family: FAMILY.into(),
        json_array: false,
    }
}

fn answer(case: &Case) -> Outcome {
    let (context, stream_usage) = context(case);
    let mut shaper = Shaper::new(context);
    let mut collector = Collector::new(case.meta.to.dialect(), head(case, stream_usage), seal());
    let mut broken = Ok(());
    let decoded =
        decode_response(case.meta.from.dialect(), case.input.as_bytes(), &case.meta.quirks, &mut |event: Event<'_>| {
            let pushed = shaper.push(event, &mut |event| collector.push(&event));
            broken = std::mem::replace(&mut broken, Ok(())).and(pushed);
        });
    let shaped = decoded.and(broken).and_then(|()| shaper.finish(&mut |event| collector.push(&event)));
    match shaped.and_then(|()| collector.check()) {
        Ok(()) => Outcome { body: utf8(collector.finish()), ..Outcome::default() },
        Err(error) => Outcome::failed(error),
    }
}

/// The pieces are of `size` bytes. After a failure the body is what the client had until then.
fn stream(case: &Case, size: usize) -> Outcome {
    let (context, stream_usage) = context(case);
    let mut shaper = Shaper::new(context);
    let mut encoder = StreamEncoder::new(case.meta.to.dialect(), head(case, stream_usage), seal());
    let mut decoder = StreamDecoder::new(case.meta.from.dialect(), &case.meta.quirks);
    let mut out = Vec::new();
    let played = relay(case, size, &mut decoder, &mut shaper, &mut |event| encoder.push(&event, &mut out));
    match played {
        Ok(()) => encoder.finish(&mut out),
        Err(error) => return Outcome { body: utf8(out), error: Some(error.to_string()), ..Outcome::default() },
    }
    Outcome { body: utf8(out), ..Outcome::default() }
}

fn relay(
    case: &Case,
    size: usize,
    decoder: &mut StreamDecoder,
    shaper: &mut Shaper,
    emit: &mut dyn FnMut(Event<'_>),
) -> Result<(), AnswerError> {
    let mut reader = SseReader::default();
    let mut chunks = case.input.as_bytes().chunks(size.max(1));
    loop {
        let chunk = chunks.next();
        if let Some(chunk) = chunk {
            reader.feed(chunk);
        }
        while let Some(piece) = if chunk.is_some() { reader.next() } else { reader.finish() } {
            let Piece::Frame(frame) = piece.expect("frames of these sizes") else { continue };
            let mut pushed = Ok(());
            let read = decoder.push(&frame, &mut |event| {
                pushed = std::mem::replace(&mut pushed, Ok(())).and(shaper.push(event, emit));
            });
            read.and(pushed)?;
        }
        if shaper.is_stopped() {
            return shaper.finish(emit);
        }
        if chunk.is_none() {
            break;
        }
    }
    let mut pushed = Ok(());
    let ended = decoder.finish(&mut |event| {
        pushed = std::mem::replace(&mut pushed, Ok(())).and(shaper.push(event, emit));
    });
    ended.and(pushed)?;
    shaper.finish(emit)
}

/// An error as the gateway decided to tell it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    status: u16,
    kind: String,
    message: String,
    param: Option<String>,
    retry_after_s: Option<u64>,
    /// As the last frame of a stream.
    #[serde(default)]
    in_stream: bool,
}

const KINDS: [ErrorKind; 12] = [
    ErrorKind::InvalidRequest,
    ErrorKind::ContextOverflow,
    ErrorKind::ContentPolicy,
    ErrorKind::Authentication,
    ErrorKind::Billing,
    ErrorKind::Permission,
    ErrorKind::NotFound,
    ErrorKind::TooLarge,
    ErrorKind::RateLimited,
    ErrorKind::Overloaded,
    ErrorKind::Timeout,
    ErrorKind::Api,
];

/// Frames have line ends of their own, which JSON in a file cannot show: they are written as one JSON string.
fn error(case: &Case) -> Outcome {
    let told: Told = serde_json::from_str(&case.input).unwrap_or_else(|e| panic!("{}: {e}", case.name));
    let kind = KINDS.into_iter().find(|kind| format!("{kind:?}") == told.kind);
    let mut public = PublicError::new(told.status, kind.expect("a kind of error"), told.message);
    public.param = told.param;
    public.retry_after = told.retry_after_s.map(Duration::from_secs);
    let dialect = case.meta.to.dialect();
    let body = if told.in_stream {
        let mut out = Vec::new();
        StreamEncoder::new(dialect, AnswerHead::default(), seal()).fail(&public, "req_1", &mut out);
        serde_json::to_string(&utf8(out)).expect("a string")
    } else {
        utf8(encode_error(dialect, &public, "req_1"))
    };
    Outcome { body, ..Outcome::default() }
}

fn utf8(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("what we write is UTF-8")
}
