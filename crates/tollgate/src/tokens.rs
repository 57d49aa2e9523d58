//! Token counts of our own: for clients that ask, for answers that begin before the upstream has told, and for upstreams that
//! never tell.
//!
//! Texts are counted with OpenAI's o200k vocabulary. For other models' tokens that is an estimate, which [`Calibration`]
//! corrects per deployment from what its upstream reports. Nothing here does I/O; the vocabulary is part of the program.

mod calibration;
mod classes;
mod hash;
mod media;
mod merge;
mod pieces;
mod split;
#[cfg(test)]
mod tests;
mod text;
mod vocabulary;

use std::cell::Cell;

use tollgate_dialect::answer::OutputSample;
use tollgate_dialect::json::Text;
use tollgate_dialect::request::{Message, OutputFormat, Part, Request, TextPart, Tool, ToolInput, ToolKind};

pub use calibration::Calibration;
pub use text::is_warm;

/// Per message and once for the beginning of the answer, as in OpenAI's "How to count tokens with tiktoken" (cookbook, read
/// 2026-11): role and separators.
const MESSAGE_TOKENS: u64 = 3;

/// Around a tool's or a call's own text. OpenAI's cookbook has 7 to 12 per function; other vendors do not say.
const TOOL_TOKENS: u64 = 8;

/// How long is a text, in tokens?
trait Measure {
    fn text(&self, text: &Text<'_>) -> u64;
    fn json(&self, json: &str) -> u64;
}

/// With the vocabulary; counts of texts seen before are remembered.
struct Exact;

impl Measure for Exact {
    fn text(&self, text: &Text<'_>) -> u64 {
        text::count_text(text)
    }

    fn json(&self, json: &str) -> u64 {
        text::count_json(json)
    }
}

/// Four bytes are a token.
struct Rough;

impl Measure for Rough {
    fn text(&self, text: &Text<'_>) -> u64 {
        text.escaped().len().div_ceil(4) as u64
    }

    fn json(&self, json: &str) -> u64 {
        json.len().div_ceil(4) as u64
    }
}

/// The tokens of the whole prompt. Loads the vocabulary if that was not done (0.1 s).
pub fn count_request(request: &Request<'_>) -> u64 {
    measure(request, &Exact)
}

/// The same from lengths alone, in microseconds; for limits, and while the vocabulary is not loaded.
pub fn estimate_request(request: &Request<'_>) -> u64 {
    measure(request, &Rough)
}

/// A count on the request path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub tokens: u64,
    /// Every text was counted; else some were estimated by their length.
    pub exact: bool,
}

/// So much text that was not seen before is counted at once (0.3 ms); a conversation's next turn seldom brings more.
const FRESH_BYTES: usize = 32 * 1024;

/// The tokens of the whole prompt, in bounded time: texts seen before and a limited amount of fresh text are counted, the rest
/// is estimated, and so is everything in the first moments of the process, in which the vocabulary is being loaded.
pub fn count_quickly(request: &Request<'_>) -> Counted {
    if !is_warm() {
        return Counted { tokens: estimate_request(request), exact: false };
    }
    let within = Within { fresh: Cell::new(FRESH_BYTES), exact: Cell::new(true) };
    Counted { tokens: measure(request, &within), exact: within.exact.get() }
}

/// The tokens of any JSON, its punctuation included, in bounded time.
pub fn count_json_quickly(json: &str) -> u64 {
    if is_warm() && json.len() <= FRESH_BYTES { Exact.json(json) } else { Rough.json(json) }
}

/// Counts fresh texts as long as the budget lasts.
struct Within {
    fresh: Cell<usize>,
    exact: Cell<bool>,
}

impl Within {
    fn spend(&self, bytes: usize) -> bool {
        let left = self.fresh.get().checked_sub(bytes);
        self.fresh.set(left.unwrap_or(self.fresh.get()));
        self.exact.set(self.exact.get() && left.is_some());
        left.is_some()
    }
}

impl Measure for Within {
    fn text(&self, text: &Text<'_>) -> u64 {
        text::known_text(text)
            .unwrap_or_else(|| if self.spend(text.escaped().len()) { text::count_text(text) } else { Rough.text(text) })
    }

    fn json(&self, json: &str) -> u64 {
        text::known_json(json)
            .unwrap_or_else(|| if self.spend(json.len()) { text::count_json(json) } else { Rough.json(json) })
    }
}

/// Tokens of an answer, from the beginning of it.
pub fn count_output(sample: &OutputSample) -> u64 {
    let seen = sample.text().escaped().len() as u64;
    if seen == 0 {
        return 0;
    }
    let tokens = u128::from(text::count_text(sample.text()));
    (tokens * u128::from(sample.bytes())).div_ceil(u128::from(seen)) as u64
}

fn measure(request: &Request<'_>, by: &dyn Measure) -> u64 {
    let system = if request.system.is_empty() { 0 } else { MESSAGE_TOKENS + texts(&request.system, by) };
    let messages: u64 = request.messages.iter().map(|message| measure_message(message, by)).sum();
    let tools: u64 = request.tools.iter().map(|tool| measure_tool(tool, by)).sum();
    let format = match &request.output_format {
        Some(OutputFormat::JsonSchema { schema, .. }) => by.json(schema.get()),
        Some(OutputFormat::JsonObject) | None => 0,
    };
    system + messages + tools + format + MESSAGE_TOKENS
}

fn measure_message(message: &Message<'_>, by: &dyn Measure) -> u64 {
    MESSAGE_TOKENS + parts(&message.parts, by)
}

fn texts(texts: &[TextPart<'_>], by: &dyn Measure) -> u64 {
    texts.iter().map(|part| by.text(&part.text)).sum()
}

fn parts(parts: &[Part<'_>], by: &dyn Measure) -> u64 {
    parts.iter().map(|part| measure_part(part, by)).sum()
}

fn measure_part(part: &Part<'_>, by: &dyn Measure) -> u64 {
    match part {
        Part::Text(part) => by.text(&part.text),
        Part::Media(media) => media::measure(media, by),
        // A signature is no part of the prompt that the model reads.
        Part::Thinking(thinking) => by.text(&thinking.text),
        Part::ToolCall(call) => {
            let input = match &call.input {
                ToolInput::Object(json) => by.json(json.get()),
                ToolInput::Arguments(text) | ToolInput::Freeform(text) => by.text(text),
            };
            TOOL_TOKENS + by.text(&call.name) + input
        }
        Part::ToolResult(result) => TOOL_TOKENS + parts(&result.content, by),
        Part::SearchResult { title, source, content, .. } => by.text(title) + by.text(source) + texts(content, by),
        Part::ToolReference { name } => by.text(name),
        Part::Server { fields, .. } => by.json(fields.get()),
        Part::Refusal(text) => by.text(text),
        Part::Unknown { .. } => 0,
    }
}

fn measure_tool(tool: &Tool<'_>, by: &dyn Measure) -> u64 {
    let form = match &tool.kind {
        ToolKind::Function { schema: form } | ToolKind::Custom { format: form } => form.as_ref(),
        ToolKind::Client { fields, .. } | ToolKind::Server { fields, .. } => Some(fields),
    };
    let description = tool.description.as_ref().map_or(0, |text| by.text(text));
    TOOL_TOKENS + by.text(&tool.name) + description + form.map_or(0, |json| by.json(json.get()))
}
