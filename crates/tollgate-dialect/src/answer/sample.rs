//! A bounded look at an answer's output, for estimating tokens.

use super::stop::characters;
use crate::json::Text;

/// The first bytes of the output that are kept.
pub const SAMPLE_BYTES: usize = 64 << 10;

/// The beginning of the output, and how long all of it is: tokens of the sample times length over sample length.
#[derive(Debug, Default)]
pub struct OutputSample {
    text: Text<'static>,
    bytes: u64,
}

impl OutputSample {
    /// Texts, thoughts, tool names and inputs, joined; at most [`SAMPLE_BYTES`] of the escaped form.
    pub fn text(&self) -> &Text<'static> {
        &self.text
    }

    /// Bytes of the whole output, in the escaped form.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn add(&mut self, text: &Text<'_>) {
        let length = text.escaped().len();
        self.bytes += length as u64;
        let room = SAMPLE_BYTES - self.text.escaped().len();
        if length <= room {
            self.text.push(text);
        } else if room > 0 {
            let ends = characters(text.escaped()).map(|(place, _)| place.end);
            let fits = ends.take_while(|end| *end <= room).last().unwrap_or(0);
            self.text.push(&text.slice(0..fits));
        }
    }
}
