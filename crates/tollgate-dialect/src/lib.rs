//! Wire formats of model providers: bytes to canonical requests, answers and errors, and back. No I/O.
//!
//! The whole interface is this file. A dialect is a folder whose files always come in the same order: `mod` (where the format
//! is specified, what is lossy), `wire` (shapes as on the wire), `request`, `forward` (the same-dialect lane), `response` (one
//! piece, errors, usage), `stream`.

pub mod answer;
mod anthropic_messages;
mod bedrock_converse;
pub mod error;
pub mod event;
pub mod frame;
mod gemini;
pub mod json;
pub mod names;
mod openai_chat;
mod openai_responses;
pub mod operation;
mod overflow;
mod page;
pub mod quirks;
pub mod request;
mod scan;
pub mod schema;
mod scope;
pub mod sealed;
pub mod thoughts;
pub mod usage;

pub use anthropic_messages::hosted;
/// Answers that Responses clients refer to later.
pub use openai_responses::kept;

use std::borrow::Cow;

use error::{AnswerError, Change, Invalid, PublicError, Unsupported, UpstreamError};
use event::Event;
use frame::sse::Frame;
use quirks::Quirks;
use request::Request;
use sealed::Seal;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Anthropic Messages.
    Messages,
    /// OpenAI chat completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Google's Gemini, `generateContent`.
    Gemini,
    /// Amazon Bedrock's Converse. Upstreams speak it, no client does.
    Converse,
}

impl Dialect {
    pub const ALL: [Dialect; 5] =
        [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Gemini, Dialect::Converse];

    /// Those that clients speak.
    pub const CLIENTS: [Dialect; 4] = [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Gemini];

    pub fn of_name(name: &str) -> Option<Dialect> {
        Dialect::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Dialect::Messages => "messages",
            Dialect::Chat => "chat",
            Dialect::Responses => "responses",
            Dialect::Gemini => "gemini",
            Dialect::Converse => "converse",
        }
    }

    /// Where a provider of this dialect takes requests, under its base URL.
    pub fn path(self) -> &'static str {
        match self {
            Dialect::Messages => "/v1/messages",
            Dialect::Chat => "/chat/completions",
            Dialect::Responses => "/responses",
            // What comes behind it says what is asked of which model: `path_for`.
            Dialect::Gemini => "/v1beta/models",
            Dialect::Converse => "/model",
        }
    }

    /// The path, and the query, of a call of a model.
    pub fn path_for(self, model: &str, stream: bool) -> Cow<'static, str> {
        match self {
            Dialect::Gemini => {
                let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                Cow::Owned(format!("{}/{model}:{method}", self.path()))
            }
            Dialect::Converse => {
                let method = if stream { "converse-stream" } else { "converse" };
                Cow::Owned(format!("{}/{}/{method}", self.path(), in_path(model)))
            }
            Dialect::Messages | Dialect::Chat | Dialect::Responses => Cow::Borrowed(self.path()),
        }
    }
}

/// One segment of a path: all but the unreserved characters of RFC 3986 are percent-encoded, as AWS wants the ids of models.
pub fn in_path(segment: &str) -> String {
    let mut encoded = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// All that an encoder must know of the deployment it writes for.
#[derive(Clone, Copy, Debug)]
pub struct Target<'t> {
    /// The provider's name for the model.
    pub model: &'t str,
    /// For messages to people: `provider/model`.
    pub label: &'t str,
    pub quirks: &'t Quirks,
    /// Unsupported parameters are dropped and reported, else refused.
    pub drop_params: bool,
    /// Output tokens are cut to this.
    pub max_output_tokens: Option<u64>,
    /// What goes up, whatever the client asked for.
    pub stream: bool,
    pub seal: &'t Seal,
}

/// A body for an upstream and what became different on the way.
#[derive(Clone, Debug, Default)]
pub struct Encoded {
    pub body: Vec<u8>,
    pub changes: Vec<Change>,
}

/// Reads a client's request.
pub fn decode_request(dialect: Dialect, body: &[u8]) -> Result<Request<'_>, Invalid> {
    match dialect {
        Dialect::Messages => anthropic_messages::request::decode(body),
        Dialect::Chat => openai_chat::request::decode(body),
        Dialect::Responses => openai_responses::request::decode(body),
        Dialect::Gemini => gemini::request::decode(body),
        Dialect::Converse => Err(no_client()),
    }
}

fn no_client() -> Invalid {
    Invalid::new("", "Bedrock's Converse is spoken to providers only")
}

/// Writes a request for an upstream.
pub fn encode_request(dialect: Dialect, request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    match dialect {
        Dialect::Messages => anthropic_messages::request::encode(request, target),
        Dialect::Chat => openai_chat::request::encode(request, target),
        Dialect::Responses => openai_responses::request::encode(request, target),
        Dialect::Gemini => gemini::request::encode(request, target),
        Dialect::Converse => bedrock_converse::request::encode(request, target),
    }
}

/// The same-dialect lane: the client's own bytes with named edits.
pub fn forward_request(dialect: Dialect, body: &[u8], target: &Target<'_>) -> Result<Encoded, ForwardError> {
    match dialect {
        Dialect::Messages => anthropic_messages::forward::request(body, target),
        Dialect::Chat => openai_chat::forward::request(body, target),
        Dialect::Responses => openai_responses::forward::request(body, target),
        Dialect::Gemini => gemini::forward::request(body, target),
        Dialect::Converse => Err(no_client().into()),
    }
}

/// Reads the body of a token count: a request of which only what is counted must be there.
pub fn decode_count_request(dialect: Dialect, body: &[u8]) -> Result<Request<'_>, Invalid> {
    match dialect {
        Dialect::Messages => anthropic_messages::request::decode_count(body),
        Dialect::Chat => openai_chat::request::decode(body),
        Dialect::Responses => openai_responses::request::decode_count(body),
        Dialect::Gemini => gemini::request::decode_count(body),
        Dialect::Converse => Err(no_client()),
    }
}

/// The answer to it.
pub fn encode_count(dialect: Dialect, tokens: u64) -> Vec<u8> {
    match dialect {
        Dialect::Messages | Dialect::Chat | Dialect::Converse => format!(r#"{{"input_tokens":{tokens}}}"#).into_bytes(),
        Dialect::Responses => openai_responses::response::encode_count(tokens),
        Dialect::Gemini => gemini::response::encode_count(tokens),
    }
}

/// What becomes of a frame on the same-dialect lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarded {
    AsIs,
    Replace(Vec<u8>),
    Drop,
}

/// Looks at one frame of a stream that goes through unchanged but for what a client cannot take. `stream_usage`: a chat client
/// asked for the usage chunk. `known`: the counts so far, which stand in for those that the frame lacks.
pub fn forward_frame(
    dialect: Dialect,
    frame: &Frame<'_>,
    stream_usage: bool,
    known: &dyn Fn() -> usage::Usage,
) -> Forwarded {
    match dialect {
        Dialect::Messages => anthropic_messages::forward::frame(frame, known),
        Dialect::Chat => openai_chat::forward::frame(frame, stream_usage),
        Dialect::Responses | Dialect::Converse => Forwarded::AsIs,
        Dialect::Gemini => gemini::forward::frame(frame),
    }
}

/// The one-piece answer in the same-dialect lane; `None`: as it is. `known`: its counts, which stand in for those that it lacks.
pub fn forward_response(dialect: Dialect, body: &[u8], known: &usage::Usage) -> Option<Vec<u8>> {
    match dialect {
        Dialect::Messages => anthropic_messages::forward::response(body, known),
        Dialect::Chat => openai_chat::forward::response(body),
        Dialect::Responses | Dialect::Converse => None,
        Dialect::Gemini => gemini::forward::response(body),
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// Reads a one-piece answer of status 200. An error in place of an answer is found here too.
pub fn decode_response<'a>(
    dialect: Dialect,
    body: &'a [u8],
    quirks: &Quirks,
    emit: &mut dyn FnMut(Event<'a>),
) -> Result<(), AnswerError> {
    match dialect {
        Dialect::Messages => anthropic_messages::response::decode(body, emit),
        Dialect::Chat => openai_chat::response::decode(body, quirks, emit),
        Dialect::Responses => openai_responses::response::decode(body, emit),
        Dialect::Gemini => gemini::response::decode(body, emit),
        Dialect::Converse => bedrock_converse::response::decode(body, quirks.converse.maker, emit),
    }
}

/// Reads an upstream's stream, frame by frame.
#[derive(Debug)]
pub enum StreamDecoder {
    Messages(anthropic_messages::stream::Decoder),
    Chat(openai_chat::stream::Decoder),
    Responses(openai_responses::stream::Decoder),
    Gemini(gemini::stream::Decoder),
    Converse(bedrock_converse::stream::Decoder),
}

impl StreamDecoder {
    pub fn new(dialect: Dialect, quirks: &Quirks) -> StreamDecoder {
        match dialect {
            Dialect::Messages => StreamDecoder::Messages(anthropic_messages::stream::Decoder::default()),
            Dialect::Chat => StreamDecoder::Chat(openai_chat::stream::Decoder::new(quirks)),
            Dialect::Responses => StreamDecoder::Responses(openai_responses::stream::Decoder::default()),
            Dialect::Gemini => StreamDecoder::Gemini(gemini::stream::Decoder::default()),
            Dialect::Converse => StreamDecoder::Converse(bedrock_converse::stream::Decoder::new(quirks.converse.maker)),
        }
    }

    pub fn push<'a>(&mut self, frame: &Frame<'a>, emit: &mut dyn FnMut(Event<'a>)) -> Result<(), AnswerError> {
        match self {
            StreamDecoder::Messages(d) => d.push(frame, emit),
            StreamDecoder::Chat(d) => d.push(frame, emit),
            StreamDecoder::Responses(d) => d.push(frame, emit),
            StreamDecoder::Gemini(d) => d.push(frame, emit),
            StreamDecoder::Converse(d) => d.push(frame, emit),
        }
    }

    /// The answer is whole, and what may follow is not looked at. Dialects whose end is a frame of its own need no asking.
    pub fn is_over(&self) -> bool {
        matches!(self, StreamDecoder::Converse(d) if d.is_over())
    }

    /// The end marker that did not come, where the rest of the answer says that it is whole. Clients wait for it, or take the answer for cut.
    pub fn missing_end(&self) -> &'static [u8] {
        match self {
            StreamDecoder::Messages(d) if !d.saw_end() => anthropic_messages::stream::END,
            StreamDecoder::Chat(d) if !d.saw_end() => openai_chat::stream::END,
            _ => b"",
        }
    }

    /// The upstream closed the stream. Fails unless the end marker was seen, so that a cut can never look complete.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Event<'static>)) -> Result<(), AnswerError> {
        match self {
            StreamDecoder::Messages(d) => d.finish(emit),
            StreamDecoder::Chat(d) => d.finish(emit),
            StreamDecoder::Responses(d) => d.finish(emit),
            StreamDecoder::Gemini(d) => d.finish(emit),
            StreamDecoder::Converse(d) => d.finish(emit),
        }
    }
}

/// What an encoder tells the client about the answer as a whole.
#[derive(Clone, Debug, Default)]
pub struct AnswerHead {
    /// Ours: used where the upstream's id has the wrong form for the client.
    pub id: String,
    /// The name the client asked for.
    pub model: String,
    /// The tokens of the prompt, counted by us; for clients that want them before the upstream tells.
    pub estimated_input: u64,
    /// Seconds since 1970, for dialects that date their answers.
    pub created: u64,
    /// A chat client wants a usage chunk.
    pub stream_usage: bool,
    /// The upstream provider's name: whose state a sealed signature holds.
    pub family: String,
    /// A Gemini client that did not ask for server-sent events: its stream is one JSON array.
    pub json_array: bool,
}

/// Writes a stream for a client. No client speaks Converse: where one is named all the same, it gets Messages.
pub enum StreamEncoder {
    Messages(anthropic_messages::stream::Encoder),
    Chat(openai_chat::stream::Encoder),
    Responses(openai_responses::stream::Encoder),
    Gemini(gemini::stream::Encoder),
}

impl StreamEncoder {
    pub fn new(dialect: Dialect, head: AnswerHead, seal: Seal) -> StreamEncoder {
        match dialect {
            Dialect::Messages | Dialect::Converse => {
                StreamEncoder::Messages(anthropic_messages::stream::Encoder::new(head, seal))
            }
            Dialect::Chat => StreamEncoder::Chat(openai_chat::stream::Encoder::new(head)),
            Dialect::Responses => StreamEncoder::Responses(openai_responses::stream::Encoder::new(head, seal)),
            Dialect::Gemini => StreamEncoder::Gemini(gemini::stream::Encoder::new(head, seal)),
        }
    }

    /// Opens the answer, before any event is known. Does nothing the second time.
    pub fn open(&mut self, out: &mut Vec<u8>) {
        match self {
            StreamEncoder::Messages(e) => e.open(out),
            StreamEncoder::Chat(e) => e.open(out),
            StreamEncoder::Responses(e) => e.open(out),
            StreamEncoder::Gemini(e) => e.open(out),
        }
    }

    pub fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        match self {
            StreamEncoder::Messages(e) => e.push(event, out),
            StreamEncoder::Chat(e) => e.push(event, out),
            StreamEncoder::Responses(e) => e.push(event, out),
            StreamEncoder::Gemini(e) => e.push(event, out),
        }
    }

    /// Something harmless that shows the stream is alive.
    pub fn ping(&mut self, out: &mut Vec<u8>) {
        match self {
            StreamEncoder::Messages(e) => e.ping(out),
            StreamEncoder::Chat(e) => e.ping(out),
            StreamEncoder::Responses(e) => e.ping(out),
            StreamEncoder::Gemini(e) => e.ping(out),
        }
    }

    /// The end, only after a `Finish` event: final usage and end marker.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            StreamEncoder::Messages(e) => e.finish(out),
            StreamEncoder::Chat(e) => e.finish(out),
            StreamEncoder::Responses(e) => e.finish(out),
            StreamEncoder::Gemini(e) => e.finish(out),
        }
    }

    /// An error as the last of a stream that was already opened, here or with an upstream's own bytes. `request_id`: ours.
    pub fn fail(&mut self, error: &PublicError, request_id: &str, out: &mut Vec<u8>) {
        match self {
            StreamEncoder::Messages(_) => anthropic_messages::stream::encode_error(error, request_id, out),
            StreamEncoder::Chat(_) => openai_chat::stream::encode_error(error, out),
            StreamEncoder::Responses(e) => e.fail(error, request_id, out),
            StreamEncoder::Gemini(e) => e.fail(error, out),
        }
    }
}

/// Collects the events of an answer into one body.
pub enum Collector {
    Messages(anthropic_messages::response::Collector),
    Chat(openai_chat::response::Collector),
    Responses(openai_responses::response::Collector),
    Gemini(gemini::response::Collector),
}

impl Collector {
    pub fn new(dialect: Dialect, head: AnswerHead, seal: Seal) -> Collector {
        match dialect {
            Dialect::Messages | Dialect::Converse => {
                Collector::Messages(anthropic_messages::response::Collector::new(head, seal))
            }
            Dialect::Chat => Collector::Chat(openai_chat::response::Collector::new(head)),
            Dialect::Responses => Collector::Responses(openai_responses::response::Collector::new(head, seal)),
            Dialect::Gemini => Collector::Gemini(gemini::response::Collector::new(head, seal)),
        }
    }

    pub fn push(&mut self, event: &Event<'_>) {
        match self {
            Collector::Messages(c) => c.push(event),
            Collector::Chat(c) => c.push(event),
            Collector::Responses(c) => c.push(event),
            Collector::Gemini(c) => c.push(event),
        }
    }

    /// Whether the events make an answer that the dialect can hold in one piece. Call it before [`finish`](Self::finish).
    ///
    /// # Errors
    /// [`AnswerError::Malformed`]: the arguments of a call are no JSON, and the dialect has only JSON for them.
    pub fn check(&self) -> Result<(), AnswerError> {
        match self {
            Collector::Messages(c) => c.check(),
            // Arguments are text there, whatever they are.
            Collector::Chat(_) | Collector::Responses(_) => Ok(()),
            Collector::Gemini(c) => c.check(),
        }
    }

    pub fn finish(self) -> Vec<u8> {
        match self {
            Collector::Messages(c) => c.finish(),
            Collector::Chat(c) => c.finish(),
            Collector::Responses(c) => c.finish(),
            Collector::Gemini(c) => c.finish(),
        }
    }
}

/// Reads an upstream's error answer. `retry_after` is the header's value, already read.
pub fn decode_error(dialect: Dialect, status: u16, body: &[u8]) -> UpstreamError {
    match dialect {
        Dialect::Messages => anthropic_messages::response::decode_error(status, body),
        // OpenAI's two APIs have one form of errors.
        Dialect::Chat | Dialect::Responses => openai_chat::response::decode_error(status, body),
        Dialect::Gemini => gemini::response::decode_error(status, body),
        Dialect::Converse => decode_aws_error(status, "", body),
    }
}

/// Reads an error answer of AWS, in whatever dialect the request was. `name` is `x-amzn-errortype`.
pub fn decode_aws_error(status: u16, name: &str, body: &[u8]) -> UpstreamError {
    bedrock_converse::decode_error(status, name, body)
}

/// True if clients of the dialect understand this error body of an upstream as it is: it has the dialect's shape, and where
/// the prompt did not fit, the words or the code that clients compact on.
pub fn is_plain_error(dialect: Dialect, body: &[u8], kind: error::ErrorKind) -> bool {
    match dialect {
        Dialect::Messages => anthropic_messages::response::is_plain_error(body, kind),
        Dialect::Chat | Dialect::Responses => openai_chat::response::is_plain_error(body, kind),
        Dialect::Gemini => gemini::response::is_plain_error(body, kind),
        Dialect::Converse => false,
    }
}

/// The HTTP status under which a client of the dialect is told of an error.
pub fn status_of(dialect: Dialect, error: &PublicError) -> u16 {
    match (dialect, error.status) {
        (Dialect::Gemini, _) => gemini::response::status_of(error),
        // 529 is Anthropic's own; what knows OpenAI's errors expects 503.
        (Dialect::Chat | Dialect::Responses, 529) => 503,
        (_, status) => status,
    }
}

/// An error body in the client's dialect.
pub fn encode_error(dialect: Dialect, error: &PublicError, request_id: &str) -> Vec<u8> {
    match dialect {
        Dialect::Messages | Dialect::Converse => anthropic_messages::response::encode_error(error, request_id),
        Dialect::Chat | Dialect::Responses => openai_chat::response::encode_error(error),
        Dialect::Gemini => gemini::response::encode_error(error),
    }
}

/// What the [`answer::Shaper`] must know of a request to shape its answer.
pub fn answer_context(dialect: Dialect, request: &Request<'_>, target: &Target<'_>) -> answer::Context {
    let stop = match dialect {
        Dialect::Messages => &[],
        Dialect::Chat => openai_chat::request::excess_stops(&request.stop, target.quirks),
        Dialect::Responses => &request.stop,
        Dialect::Gemini => gemini::request::excess_stops(&request.stop, target),
        Dialect::Converse => bedrock_converse::request::excess_stops(&request.stop, target),
    };
    let calls = request.messages.iter().flat_map(|m| &m.parts).filter_map(|part| match part {
        request::Part::ToolCall(call) => Some(call.id.decode().into_owned()),
        _ => None,
    });
    let tool_ids: std::collections::HashSet<String> = calls.collect();
    let freeform = request.tools.iter().filter(|tool| matches!(tool.kind, request::ToolKind::Custom { .. }));
    answer::Context {
        // A repeated turn gets the same ids again: they depend on how far the conversation is, not on chance.
        id_seed: format!("{} {}", target.label, tool_ids.len()),
        tool_ids,
        names: names::NameMap::of(request, target.quirks.tool_names),
        freeform: freeform.map(|tool| tool.name.decode().into_owned()).collect(),
        stop: stop.iter().map(|stop| stop.decode().into_owned()).collect(),
        keep_thoughts: false,
    }
}
