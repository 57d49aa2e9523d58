//! What the attempts of a request have used, whole answers and broken ones: an upstream bills both.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tollgate_dialect::Dialect;
use tollgate_dialect::answer::Shaper;
use tollgate_dialect::usage::Usage;
use tollgate_policy::price::Price;

use crate::tokens::{self, Calibration, Counted};

/// Usage and cost of attempts that gave no whole answer.
#[derive(Clone, Default)]
pub struct Broken(Arc<Mutex<Used>>);

#[derive(Clone, Copy, Default)]
pub struct Used {
    /// How many there were.
    pub attempts: u32,
    /// Of the last of them.
    pub usage: Usage,
    /// Of all of them. `None`: no price is known.
    pub cost_nanos: Option<u64>,
}

impl Broken {
    pub fn used(&self) -> Used {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, usage: Usage, price: Option<&Price>) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.usage = usage;
        used.attempts += 1;
        if let Some(price) = price {
            used.cost_nanos = Some(used.cost_nanos.unwrap_or(0).saturating_add(price.cost_nanos(&usage)));
        }
    }
}

/// What an attempt has been given to answer.
pub struct Prompt {
    pub dialect: Dialect,
    pub body: Bytes,
    /// Counted before it went up.
    pub counted: Option<Counted>,
    pub calibration: Arc<Calibration>,
}

impl Prompt {
    /// The count of every text, where it was made.
    pub fn exact(&self) -> Option<u64> {
        self.counted.filter(|counted| counted.exact).map(|counted| counted.tokens)
    }
}

/// An answer under way. Dropped before it is [whole](Tally::whole), what was seen of it is billed: the client went away, the
/// upstream broke off, or another attempt goes on from there.
pub struct Tally {
    pub shaper: Shaper,
    pub prompt: Prompt,
    price: Option<Price>,
    broken: Option<Broken>,
}

impl Tally {
    pub fn new(shaper: Shaper, prompt: Prompt, price: Option<Price>, broken: Broken) -> Tally {
        Tally { shaper, prompt, price, broken: Some(broken) }
    }

    /// The usage of the whole answer, which is billed by the caller from here on. Counts that the upstream did not give are our
    /// own.
    pub fn whole(&mut self) -> Usage {
        self.broken = None;
        let mut usage = self.shaper.usage();
        if usage.output.is_none() {
            usage.output = Some(tokens::count_output(self.shaper.sample()));
            usage.estimated = true;
        }
        if usage.input.is_none() {
            self.own_input(
                &mut usage,
                self.prompt.exact().or_else(|| count(self.prompt.dialect, &self.prompt.body)).unwrap_or(0),
            );
        }
        usage
    }

    /// The counts of an answer under way: what the upstream has not told is counted.
    pub fn so_far(&self) -> Usage {
        let mut usage = self.shaper.usage();
        usage.output.get_or_insert_with(|| tokens::count_output(self.shaper.sample()));
        if usage.input.is_none() {
            let counted = self.prompt.counted.map(|counted| counted.tokens);
            self.own_input(&mut usage, counted.unwrap_or_else(|| quick(&self.prompt)));
        }
        usage
    }

    /// Of an answer that broke off upstreams have told the input at most, and of the output only that it began.
    fn seen(&self) -> Usage {
        let mut usage = self.shaper.usage();
        let output = tokens::count_output(self.shaper.sample());
        if usage.output.is_none_or(|told| told < output) {
            usage.output = Some(output);
            usage.estimated = true;
        }
        if usage.input.is_none() {
            self.own_input(
                &mut usage,
                self.prompt.counted.map(|counted| counted.tokens).unwrap_or_else(|| quick(&self.prompt)),
            );
        }
        usage
    }

    fn own_input(&self, usage: &mut Usage, ours: u64) {
        let cached = usage.cache_read.unwrap_or(0) + usage.cache_write.unwrap_or(0);
        usage.input = Some(self.prompt.calibration.calibrated(ours).saturating_sub(cached));
        usage.estimated = true;
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        // An upstream that gave nothing is not known to bill anything.
        if let Some(broken) = self.broken.take().filter(|_| self.shaper.has_begun()) {
            broken.add(self.seen(), self.price.as_ref());
        }
    }
}

/// The prompt's tokens.
pub fn count(dialect: Dialect, body: &[u8]) -> Option<u64> {
    let request = tollgate_dialect::decode_request(dialect, body).ok()?;
    Some(tokens::count_request(&request))
}

fn quick(prompt: &Prompt) -> u64 {
    let request = tollgate_dialect::decode_request(prompt.dialect, &prompt.body);
    request.map_or(0, |request| tokens::count_quickly(&request).tokens)
}
