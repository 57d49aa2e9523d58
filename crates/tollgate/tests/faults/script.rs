//! What a simulated provider does for each fault.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Answer, Ending, Faults, Step};

use crate::support::stage::Upstream;
use crate::table::{Fault, Form, WORDS};

/// Longer than any test waits.
const FOREVER: Duration = Duration::from_secs(600);
/// Frames that both dialects need until the client has seen content.
const INTO_CONTENT: usize = 5;

/// How the connection of a cut answer may end. A reset may overtake what was sent before it, so it is left to tests that bear
/// both outcomes.
pub fn endings(fault: Fault, form: Form) -> &'static [Ending] {
    match (fault, form) {
        (Fault::CutBeforeContent | Fault::CutAfterText | Fault::CutInToolCall | Fault::CutInThinking, Form::Stream) => {
            &[Ending::Clean, Ending::Close]
        }
        _ => &[Ending::Close],
    }
}

pub fn step(fault: Fault, form: Form, upstream: Upstream, ending: Ending) -> Step {
    let stream = form == Form::Stream;
    let in_the_middle = if stream { INTO_CONTENT } else { 1 };
    let cut = |answer: Answer| cut_after(answer, in_the_middle, ending);
    match fault {
        // Never asked: nobody listens there.
        Fault::Refused => Step::text(""),
        Fault::ResetBeforeHeaders => Step::refused(Ending::Reset),
        Fault::Status(status) => Step::json(status, &error(upstream, status)),
        Fault::RateLimitWithWait => Step::json(429, &error(upstream, 429)).header("retry-after", "30"),
        Fault::HtmlPage => Step::http(
            502,
            "text/html",
            "<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>",
        ),
        Fault::SilentBeforeHeaders => text().faults(Faults { before_headers: FOREVER, ..Faults::default() }),
        Fault::SilentInTheMiddle => {
            text().faults(Faults { silence: Some((in_the_middle, FOREVER)), ..Faults::default() })
        }
        Fault::CutBeforeAnything => cut_after(words(), 0, ending),
        Fault::CutBeforeContent => cut_after(words(), 1, ending),
        Fault::CutAfterText => cut(words()),
        Fault::CutInToolCall => cut(Answer::tool("call_1", "Bash", &json!({"command": "rm -r build && make all"}))),
        Fault::CutInThinking => cut(Answer::thinking("Let me think about it for long").and_text("So.")),
        Fault::ErrorBeforeContent if stream => error_after(1, upstream),
        Fault::ErrorBeforeContent => Step::json(200, &error(upstream, 529)),
        Fault::ErrorAfterContent => error_after(INTO_CONTENT, upstream),
        Fault::Empty => Step::http(200, "application/json", ""),
        Fault::Garbage => Step::http(200, "text/plain", WORDS),
    }
}

fn words() -> Answer {
    Answer::text("Words that come in many small pieces.")
}

fn text() -> Step {
    Step::answer(Answer { piece_chars: 4, ..words() })
}

fn cut_after(answer: Answer, frames: usize, ending: Ending) -> Step {
    // The pause lets the frames before the cut arrive ahead of it.
    let faults = Faults { cut_after: Some((frames, ending)), pace: Duration::from_millis(2), ..Faults::default() };
    Step::answer(Answer { piece_chars: 4, ..answer }).faults(faults)
}

fn error_after(frames: usize, upstream: Upstream) -> Step {
    text().faults(Faults { error_after: Some((frames, error(upstream, 529))), ..Faults::default() })
}

/// An error in the upstream's own form.
pub fn error(upstream: Upstream, status: u16) -> Value {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 => "timeout_error",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        _ => "api_error",
    };
    match upstream {
        Upstream::Messages => {
            json!({"type": "error", "error": {"type": kind, "message": WORDS}, "request_id": "req_sim"})
        }
        // Where a 200 holds the error, its status stands in `code` (OpenRouter).
        Upstream::Chat => json!({"error": {"message": WORDS, "type": "server_error", "code": status}}),
    }
}
