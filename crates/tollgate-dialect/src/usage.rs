//! Token counts in one form: disjoint parts of the input, and an output that includes thinking.

/// `None` means that the upstream did not say. The parts of the input do not overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input tokens neither read from nor written to a cache.
    pub input: Option<u64>,
    pub cache_read: Option<u64>,
    /// Written to a cache, whatever its life time.
    pub cache_write: Option<u64>,
    /// The part of `cache_write` that lives an hour.
    pub cache_write_long: Option<u64>,
    /// Output tokens, thinking included.
    pub output: Option<u64>,
    /// The part of `output` that was thinking.
    pub reasoning: Option<u64>,
    pub web_searches: Option<u64>,
    /// At least one count is our own, not the upstream's.
    pub estimated: bool,
}

impl Usage {
    /// Takes over what `later` knows.
    pub fn update(&mut self, later: &Usage) {
        let pick = |old: &mut Option<u64>, new: Option<u64>| *old = new.or(*old);
        pick(&mut self.input, later.input);
        pick(&mut self.cache_read, later.cache_read);
        pick(&mut self.cache_write, later.cache_write);
        pick(&mut self.cache_write_long, later.cache_write_long);
        pick(&mut self.output, later.output);
        pick(&mut self.reasoning, later.reasoning);
        pick(&mut self.web_searches, later.web_searches);
        self.estimated |= later.estimated;
    }

    /// The whole prompt: fresh, read from a cache and written to one.
    pub fn total_input(&self) -> u64 {
        self.input.unwrap_or(0) + self.cache_read.unwrap_or(0) + self.cache_write.unwrap_or(0)
    }

    /// From counts in which the input total includes what the caches had (OpenAI, Gemini). Never negative.
    pub fn from_totals(
        input_total: Option<u64>,
        cache_read: Option<u64>,
        cache_write: Option<u64>,
        output: Option<u64>,
    ) -> Usage {
        let cached = cache_read.unwrap_or(0) + cache_write.unwrap_or(0);
        Usage {
            input: input_total.map(|t| t.saturating_sub(cached)),
            cache_read,
            cache_write,
            output,
            ..Usage::default()
        }
    }
}
