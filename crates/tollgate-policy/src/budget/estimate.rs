//! The most that a request can cost.

use crate::price::Price;

const FEMTO_PER_NANO: u128 = 1_000_000;

/// Whether the request makes the provider write to its prompt cache, which can cost more than plain input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheWrites {
    #[default]
    No,
    Usual,
    /// For an hour.
    Long,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Femto-dollars: of the whole input, and whatever else is paid for however long the answer is.
    input_femto: u128,
    /// Femto-dollars per input token.
    input_token_femto: u64,
    /// Held already, and so not asked for.
    covered_femto: u128,
    /// Femto-dollars per output token.
    output_femto: u64,
    /// The output that the request allows.
    output_tokens: u64,
    /// With less output than this it is not worth asking.
    least_output_tokens: u64,
}

impl Estimate {
    /// That the input is read from a cache is never assumed: whether it is only the provider knows.
    pub fn new(price: &Price, input_tokens: u64, writes: CacheWrites, output_tokens: u64, least: u64) -> Estimate {
        let price = price.at(input_tokens);
        let written = match writes {
            CacheWrites::No => 0,
            CacheWrites::Usual => price.cache_write,
            CacheWrites::Long => price.cache_write.max(price.cache_write_long),
        };
        Estimate {
            input_femto: u128::from(input_tokens) * u128::from(price.input.max(written)),
            input_token_femto: price.input.max(written),
            covered_femto: 0,
            output_femto: price.output,
            output_tokens,
            least_output_tokens: least.min(output_tokens),
        }
    }

    /// Of what costs the same whatever the answer is, such as an image.
    pub fn flat(nanos: u64) -> Estimate {
        Estimate { input_femto: u128::from(nanos) * FEMTO_PER_NANO, ..Estimate::default() }
    }

    /// The same with an amount on top: of a web search, say.
    pub fn plus(mut self, nanos: u64) -> Estimate {
        self.input_femto += u128::from(nanos) * FEMTO_PER_NANO;
        self
    }

    /// Less output than is allowed will not do.
    pub fn or_nothing(self) -> Estimate {
        Estimate { least_output_tokens: self.output_tokens, ..self }
    }

    /// With so many input tokens more.
    pub fn longer(mut self, input_tokens: u64) -> Estimate {
        self.input_femto += u128::from(input_tokens) * u128::from(self.input_token_femto);
        self
    }

    /// With so much output at most.
    pub fn up_to(mut self, output_tokens: u64) -> Estimate {
        self.output_tokens = self.output_tokens.min(output_tokens);
        self.least_output_tokens = self.least_output_tokens.min(output_tokens);
        self
    }

    /// What is needed beside an amount that is held already.
    pub fn beside(mut self, held_nanos: u64) -> Estimate {
        self.covered_femto = u128::from(held_nanos) * FEMTO_PER_NANO;
        self
    }

    pub fn output_tokens(&self) -> u64 {
        self.output_tokens
    }

    pub fn whole_nanos(&self) -> u64 {
        self.nanos(self.output_tokens)
    }

    pub fn least_nanos(&self) -> u64 {
        self.nanos(self.least_output_tokens)
    }

    /// Rounded up: what is settled is rounded to the nearest.
    pub fn nanos(&self, output_tokens: u64) -> u64 {
        let femto = self.input_femto.saturating_add(u128::from(output_tokens) * u128::from(self.output_femto));
        let femto = femto.saturating_sub(self.covered_femto);
        u64::try_from(femto.div_ceil(FEMTO_PER_NANO)).unwrap_or(u64::MAX)
    }

    /// The output tokens that so much pays for. `None`: too few to ask at all.
    pub fn affordable(&self, nanos: u64) -> Option<u64> {
        if self.whole_nanos() <= nanos {
            return Some(self.output_tokens);
        }
        let left = (u128::from(nanos) * FEMTO_PER_NANO + self.covered_femto).checked_sub(self.input_femto)?;
        let tokens = u64::try_from(left.checked_div(u128::from(self.output_femto))?).unwrap_or(u64::MAX);
        (tokens >= self.least_output_tokens.max(1)).then(|| tokens.min(self.output_tokens))
    }
}
