//! What an answer says that it took. Nothing here can fail: what cannot be read is not known.

use std::ops::Range;

use super::Operation;
use super::amount::{amount, whole};
use crate::json::members;
use crate::scan::items;
use crate::usage::Usage;

/// All in billionths, since some servers count in fractions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// Input tokens of all kinds.
    pub input: Option<u64>,
    /// The parts of it that come from a cache, go into one, are of images, are of sound.
    pub cached: u64,
    pub cache_written: u64,
    pub input_image: u64,
    pub input_audio: u64,
    /// Output tokens of all kinds.
    pub output: Option<u64>,
    /// The parts of it that are of images and of sound.
    pub output_image: u64,
    pub output_audio: u64,
    pub images: u64,
    pub queries: u64,
    pub seconds: u64,
    pub characters: u64,
    /// At least one count is our own.
    pub estimated: bool,
}

pub(super) const ONE: u64 = 1_000_000_000;

impl Took {
    /// What is known from the request alone: the characters to be spoken, and the query.
    pub fn asked(operation: Operation, body: &str) -> Took {
        let mut took = Took::default();
        match operation {
            Operation::Speech => {
                let text = member(body, "input").and_then(crate::json::Text::of_token);
                took.characters = (text.map_or(0, |text| text.decode().chars().count()) as u64).saturating_mul(ONE);
            }
            Operation::Rerank => took.queries = ONE,
            _ => {}
        }
        took
    }

    /// So many whole tokens of input, and nothing else.
    pub fn tokens(input: Option<u64>) -> Took {
        Took { input: input.map(|tokens| tokens.saturating_mul(ONE)), ..Took::default() }
    }

    /// What two calls of one request took together. Where one of them does not tell, nobody knows.
    #[must_use]
    pub fn and(self, other: &Took) -> Took {
        let both = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        Took {
            input: both(self.input, other.input),
            cached: self.cached.saturating_add(other.cached),
            cache_written: self.cache_written.saturating_add(other.cache_written),
            input_image: self.input_image.saturating_add(other.input_image),
            input_audio: self.input_audio.saturating_add(other.input_audio),
            output: both(self.output, other.output),
            output_image: self.output_image.saturating_add(other.output_image),
            output_audio: self.output_audio.saturating_add(other.output_audio),
            images: self.images.saturating_add(other.images),
            queries: self.queries.saturating_add(other.queries),
            seconds: self.seconds.saturating_add(other.seconds),
            characters: self.characters.saturating_add(other.characters),
            estimated: self.estimated || other.estimated,
        }
    }

    /// Adds what an answer or an event of a stream says.
    pub fn read(&mut self, operation: Operation, answer: &str) {
        if let Some(usage) = member(answer, "usage") {
            self.usage(usage);
        }
        let billed = member(answer, "meta").and_then(|meta| member(meta, "billed_units"));
        if let Some(units) = billed.and_then(|units| number(units, &["search_units"])) {
            self.queries = units;
        }
        if operation == Operation::Transcriptions
            && let Some(seconds) = number(answer, &["duration"])
        {
            self.seconds = seconds;
        }
        if operation.makes_images() {
            let whole = member(answer, "data").and_then(items).map_or(0, |images| images.len() as u64);
            let streamed = member(answer, "type").is_some_and(|kind| kind.ends_with(".completed\""));
            self.images = self.images.saturating_add((whole + u64::from(streamed)).saturating_mul(ONE));
            // Where nothing is said of kinds, an image is all there is.
            if self.output_image == 0 {
                self.output_image = self.output.unwrap_or(0);
            }
        }
    }

    fn usage(&mut self, usage: &str) {
        let input = number(usage, &["input_tokens", "prompt_tokens"]);
        let output = number(usage, &["output_tokens", "completion_tokens"]);
        // Some count in one sum only (Jina).
        self.input = input.or_else(|| number(usage, &["total_tokens"]).filter(|_| output.is_none())).or(self.input);
        self.output = output.or(self.output);
        let details = |names: [&str; 2]| names.into_iter().find_map(|name| member(usage, name)).unwrap_or("");
        let part = |details: &str, name: &str| number(details, &[name]).unwrap_or(0);
        let of_input = details(["input_tokens_details", "prompt_tokens_details"]);
        self.cached = part(of_input, "cached_tokens");
        self.cache_written = part(of_input, "cache_write_tokens");
        self.input_image = part(of_input, "image_tokens");
        self.input_audio = part(of_input, "audio_tokens");
        let of_output = details(["output_tokens_details", "completion_tokens_details"]);
        self.output_image = part(of_output, "image_tokens");
        self.output_audio = part(of_output, "audio_tokens");
        self.seconds = number(usage, &["seconds"]).unwrap_or(self.seconds);
    }

    /// In whole tokens.
    pub fn rounded(&self) -> Usage {
        let some = |part: u64| Some(whole(part)).filter(|part| *part > 0);
        let (cached, written) = (some(self.cached), some(self.cache_written));
        let usage = Usage::from_totals(self.input.map(whole), cached, written, self.output.map(whole));
        Usage { estimated: self.estimated, ..usage }
    }
}

/// A stream's event, as far as it tells where the answer stands.
pub fn is_complete(event: &str) -> bool {
    let kind = member(event, "type").unwrap_or("");
    let finished = |choice: &str| member(choice, "finish_reason").is_some_and(|reason| reason != "null");
    kind.ends_with(".completed\"")
        || kind.ends_with(".done\"")
        || member(event, "choices").and_then(items).is_some_and(|all| all.iter().any(|choice| finished(choice.get())))
}

/// The text that an event or an answer of completions brings, in bytes.
pub fn text_bytes(answer: &str) -> u64 {
    let choices = member(answer, "choices").and_then(items).unwrap_or_default();
    choices
        .iter()
        .filter_map(|choice| member(choice.get(), "text"))
        .map(|text| text.len().saturating_sub(2) as u64)
        .sum()
}

/// The answer with whole counts of tokens, where it has others; `None`: it has none such. No other byte changes.
pub fn rounded(answer: &str) -> Option<Vec<u8>> {
    let mut edits = Vec::new();
    let usage = member(answer, "usage")?;
    fractions(usage, &mut edits);
    if edits.is_empty() {
        return None;
    }
    let base = usage.as_ptr().addr() - answer.as_ptr().addr();
    let mut out = Vec::with_capacity(answer.len());
    let mut done = 0;
    for (range, count) in edits {
        out.extend_from_slice(&answer.as_bytes()[done..base + range.start]);
        out.extend_from_slice(count.to_string().as_bytes());
        done = base + range.end;
    }
    out.extend_from_slice(&answer.as_bytes()[done..]);
    Some(out)
}

/// The counts of tokens in an object that are no whole numbers, where they stand in it, and what they become.
fn fractions(object: &str, edits: &mut Vec<(Range<usize>, u64)>) {
    for (name, value) in members(object).unwrap_or_default() {
        let at = value.as_ptr().addr() - object.as_ptr().addr();
        if value.starts_with('{') {
            let mut inside = Vec::new();
            fractions(value, &mut inside);
            edits.extend(inside.into_iter().map(|(range, count)| (at + range.start..at + range.end, count)));
        } else if name.ends_with("tokens")
            && !value.bytes().all(|b| b.is_ascii_digit())
            && let Some(count) = amount(value)
        {
            edits.push((at..at + value.len(), whole(count)));
        }
    }
}

/// The last of a name counts, as for most readers of JSON.
pub(super) fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let members = members(object).ok()?;
    members.into_iter().rev().find(|(own, _)| *own == name).map(|(_, value)| value)
}

fn number(object: &str, names: &[&str]) -> Option<u64> {
    names.iter().find_map(|name| amount(member(object, name)?))
}

#[cfg(test)]
mod tests;
