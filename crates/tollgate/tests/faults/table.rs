//! What happens upstream, and what comes of it.
//!
//! Written by hand from the rules: INTERFACE.md (errors keep the upstream's words and status; a refused credential of ours is
//! a 502; nothing is committed before content; after it there is an error event and no second request), what clients do with
//! each status (Claude Code 2.1.329, Anthropic and OpenAI SDKs), and the vendors' pages on errors.

use Ends::{Answered, Told as ToldAfter};
use Fault::*;

/// What an upstream does to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Refused,
    ResetBeforeHeaders,
    Status(u16),
    RateLimitWithWait,
    HtmlPage,
    SilentBeforeHeaders,
    SilentInTheMiddle,
    CutBeforeAnything,
    CutBeforeContent,
    CutAfterText,
    CutInToolCall,
    CutInThinking,
    ErrorBeforeContent,
    ErrorAfterContent,
    Empty,
    Garbage,
}

/// What the client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Stream,
    Piece,
}

/// The error that reaches a client when nobody else answers.
#[derive(Clone, Debug)]
pub struct Told {
    pub how: How,
    /// The error's type: Anthropic's, and OpenAI's.
    pub kinds: (&'static str, &'static str),
    /// Part of the message.
    pub words: &'static str,
    /// `x-tollgate-reason`
    pub reason: &'static str,
    /// `x-tollgate-upstream-status`
    pub upstream: Option<u16>,
    /// `retry-after`
    pub wait: Option<u16>,
    /// `x-should-retry: false`: clients that know the header do not try again.
    pub for_good: bool,
    /// A client that speaks the upstream's dialect gets the upstream's status and body as they came.
    pub unmodified: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// An HTTP error, with this status for Messages clients and that for chat clients.
    Status(u16, u16),
    /// The last event of a stream that had begun, with status 200.
    Event,
}

/// How a request ends where something could be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The second request is answered, and the client sees nothing of the first.
    Answered,
    /// The client is told the error, after so many requests.
    Told(u32),
}

pub struct Row {
    pub fault: Fault,
    /// What the page calls it.
    pub name: &'static str,
    pub forms: &'static [Form],
    pub told: Told,
    /// One deployment, and one retry is allowed.
    pub retry: Ends,
    /// Another deployment of the route is well.
    pub other: Ends,
    /// A fallback of the route is well.
    pub fallback: Ends,
}

/// The words of every simulated upstream that has any.
pub const WORDS: &str = "the very words of the upstream";

const EITHER: &[Form] = &[Form::Stream, Form::Piece];
const STREAM: &[Form] = &[Form::Stream];
const PIECE: &[Form] = &[Form::Piece];

type Kinds = (&'static str, &'static str);
const API: Kinds = ("api_error", "server_error");
const GONE: Kinds = ("not_found_error", "invalid_request_error");
const RATE: Kinds = ("rate_limit_error", "rate_limit_error");
const OVERLOADED: Kinds = ("overloaded_error", "server_error");
const TIMEOUT: Kinds = ("timeout_error", "timeout_error");

fn told(how: How, kinds: Kinds, reason: &'static str, words: &'static str) -> Told {
    Told { how, kinds, words, reason, upstream: None, wait: None, for_good: false, unmodified: false }
}

fn status(status: u16, kinds: Kinds, reason: &'static str, words: &'static str) -> Told {
    told(How::Status(status, status), kinds, reason, words)
}

/// The upstream answered with an error of its own.
fn said(upstream: u16, told: Told) -> Told {
    Told { upstream: Some(upstream), unmodified: true, ..told }
}

fn event(kinds: Kinds, reason: &'static str, words: &'static str) -> Told {
    told(How::Event, kinds, reason, words)
}

fn for_good(told: Told) -> Told {
    Told { for_good: true, ..told }
}

fn row(
    (fault, name): (Fault, &'static str),
    forms: &'static [Form],
    told: Told,
    (retry, other, fallback): (Ends, Ends, Ends),
) -> Row {
    Row { fault, name, forms, told, retry, other, fallback }
}

/// It may pass: asked again, and others are asked.
const PASSES: (Ends, Ends, Ends) = (Answered, Answered, Answered);
/// Asking the same again is in vain; others may do better.
const STAYS: (Ends, Ends, Ends) = (ToldAfter(1), Answered, Answered);
/// Nobody else is asked.
const ENDS: (Ends, Ends, Ends) = (ToldAfter(1), ToldAfter(1), ToldAfter(1));
/// Asked again, it is still the same.
const IN_VAIN: (Ends, Ends, Ends) = (ToldAfter(2), Answered, Answered);

pub fn rows() -> Vec<Row> {
    const CUT: &str = "before the answer was complete";
    let credential = |upstream| Told {
        unmodified: false,
        ..for_good(said(upstream, status(502, API, "credential_refused", WORDS)))
    };
    let overloaded =
        |upstream| said(upstream, told(How::Status(529, 503), OVERLOADED, "temporarily_unavailable", WORDS));
    let rate = || said(429, status(429, RATE, "rate_limited", WORDS));
    let cut = || status(502, API, "broken_answer", CUT);
    let cut_event = || event(API, "broken_answer", CUT);
    vec![
        row((Refused, "connection refused"), EITHER, status(502, API, "unreachable", "could not be reached"), IN_VAIN),
        row(
            (ResetBeforeHeaders, "connection reset before the headers"),
            EITHER,
            status(502, API, "unreachable", "the connection closed before an answer"),
            PASSES,
        ),
        row((Status(401), "status 401"), EITHER, credential(401), STAYS),
        row((Status(403), "status 403"), EITHER, credential(403), STAYS),
        row((Status(404), "status 404"), EITHER, for_good(said(404, status(404, GONE, "model_gone", WORDS))), STAYS),
        row((Status(408), "status 408"), EITHER, said(408, status(504, TIMEOUT, "upstream_timeout", WORDS)), PASSES),
        row((Status(429), "status 429"), EITHER, rate(), PASSES),
        row((RateLimitWithWait, "status 429 with `retry-after: 30`"), EITHER, Told { wait: Some(30), ..rate() }, STAYS),
        row((Status(500), "status 500"), EITHER, said(500, status(500, API, "upstream_error", WORDS)), PASSES),
        row(
            (HtmlPage, "status 502 with a web page"),
            EITHER,
            Told { unmodified: false, ..said(502, status(502, API, "upstream_error", "502 Bad Gateway")) },
            PASSES,
        ),
        row((Status(503), "status 503"), EITHER, overloaded(503), PASSES),
        row((Status(529), "status 529"), EITHER, overloaded(529), PASSES),
        row(
            (SilentBeforeHeaders, "silence before the first byte"),
            STREAM,
            status(
                504,
                TIMEOUT,
                "first_byte_timeout",
                "waiting for the first byte of the stream after 3 s (litellm_params.stream_timeout decides)",
            ),
            PASSES,
        ),
        row(
            (SilentBeforeHeaders, "silence before the first byte"),
            PIECE,
            status(
                504,
                TIMEOUT,
                "first_byte_timeout",
                "waiting for the first byte of the answer after 3 s (litellm_params.timeout decides)",
            ),
            PASSES,
        ),
        row(
            (SilentInTheMiddle, "silence in the middle"),
            STREAM,
            event(
                TIMEOUT,
                "idle_timeout",
                "waiting for more of an idle stream after 3 s (litellm_params.stream_timeout decides)",
            ),
            ENDS,
        ),
        row(
            (SilentInTheMiddle, "silence in the middle"),
            PIECE,
            status(
                504,
                TIMEOUT,
                "total_timeout",
                "waiting for the end of the whole answer (total) after 3 s (litellm_params.timeout decides)",
            ),
            PASSES,
        ),
        row((CutBeforeAnything, "cut before the first byte of the body"), EITHER, cut(), PASSES),
        row((CutBeforeContent, "cut after the opening, before content"), STREAM, cut(), PASSES),
        row((CutAfterText, "cut after text"), STREAM, cut_event(), ENDS),
        row((CutAfterText, "cut after text"), PIECE, cut(), PASSES),
        row((CutInToolCall, "cut in a tool call"), STREAM, cut_event(), ENDS),
        row((CutInToolCall, "cut in a tool call"), PIECE, cut(), PASSES),
        row((CutInThinking, "cut in thinking"), STREAM, cut_event(), ENDS),
        row((CutInThinking, "cut in thinking"), PIECE, cut(), PASSES),
        row(
            (ErrorBeforeContent, "status 200, and an error in place of content"),
            EITHER,
            Told { unmodified: false, ..overloaded(529) },
            PASSES,
        ),
        row(
            (ErrorAfterContent, "status 200, and an error after content"),
            STREAM,
            event(OVERLOADED, "temporarily_unavailable", WORDS),
            ENDS,
        ),
        row(
            (Empty, "status 200 and nothing"),
            EITHER,
            status(502, API, "broken_answer", "the upstream sent an empty answer"),
            PASSES,
        ),
        row(
            (Garbage, "status 200 and no answer but plain text"),
            EITHER,
            status(502, API, "broken_answer", WORDS),
            PASSES,
        ),
    ]
}
