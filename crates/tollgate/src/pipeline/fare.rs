//! What a request that is no conversation has taken so far, and what that costs.

use tollgate_dialect::error::{Change, ChangeKind};
use tollgate_dialect::operation::{Operation, Took};
use tollgate_policy::price::Price;

use super::recorder::Recorder;

const ONE: u64 = 1_000_000_000;

pub struct Fare {
    pub operation: Operation,
    /// By our own count, for upstreams that do not tell.
    pub input_tokens: u64,
    /// As far as the upstream has told.
    pub took: Took,
    /// Of an answer of completions.
    pub text_bytes: u64,
    /// By attempts before this one.
    pub spent_before: Option<u64>,
    pub price: Option<Price>,
}

impl Fare {
    /// What the answer has taken so far is paid for, whether or not the client takes it. Where it says nothing of tokens, they are
    /// counted: roughly those of a text that was written.
    pub fn settle(&self, record: &mut Recorder, at_end: bool) {
        let took = self.so_far();
        record.usage = took.rounded();
        if at_end && took.estimated {
            record.change(Change::new(ChangeKind::Estimated, "usage"));
        }
        if let Some(price) = &self.price {
            let before = self.spent_before.unwrap_or(0);
            record.cost_nanos = Some(before.saturating_add(price.cost_of(&took)));
        }
    }

    /// With our own counts of what is not told.
    pub fn so_far(&self) -> Took {
        let mut took = self.took;
        let counts = matches!(self.operation, Operation::Completions | Operation::Embeddings | Operation::Compact);
        if counts && took.input.is_none() {
            took.input = Some(self.input_tokens.saturating_mul(ONE));
            took.estimated = true;
        }
        if self.operation.writes_text() && took.output.is_none() {
            took.output = Some(self.text_bytes.div_ceil(4).saturating_mul(ONE));
            took.estimated = true;
        }
        took
    }
}
