//! What a request costs, in integers.
//!
//! A price is kept in femto-dollars per token (10⁻¹⁵ $): LiteLLM's `input_cost_per_token: 0.000001` and the usual dollars per
//! million tokens are exact in it, down to a billionth of a dollar per million.

use tollgate_dialect::usage::Usage;

#[cfg(test)]
mod tests;
mod units;

pub use units::Units;

const FEMTO_DIGITS: i32 = 15;
const NANO_DIGITS: i32 = 9;
const FEMTO_PER_NANO: u128 = 1_000_000;

/// Femto-dollars per token of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Input neither read from nor written to a cache.
    pub input: u64,
    /// Thinking included.
    pub output: u64,
    pub cache_read: u64,
    /// Written to a cache for the provider's usual time.
    pub cache_write: u64,
    /// Written to a cache for an hour.
    pub cache_write_long: u64,
    /// Of what is no plain token.
    pub units: Units,
    /// Of requests with a long prompt.
    pub long: Option<LongContext>,
}

/// What all tokens of a request cost whose prompt has more than so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LongContext {
    pub above_tokens: u64,
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub cache_write_long: u64,
}

impl Price {
    /// Cached input costs what fresh input costs until told otherwise: too much rather than too little.
    pub fn new(input: u64, output: u64) -> Price {
        Price {
            input,
            output,
            cache_read: input,
            cache_write: input,
            cache_write_long: input,
            units: Units::default(),
            long: None,
        }
    }

    /// With other prices, of input, output, cache reads and writes, for prompts of more than so many tokens. What is not given costs the same, but
    /// that everything cached follows the price of plain input.
    #[must_use]
    pub fn beyond(self, above_tokens: u64, [input, output, read, write]: [Option<u64>; 4]) -> Price {
        let input = input.unwrap_or(self.input);
        let like_input = |price: u64| match self.input {
            0 => price,
            plain => u64::try_from(u128::from(price) * u128::from(input) / u128::from(plain)).unwrap_or(u64::MAX),
        };
        let long = LongContext {
            above_tokens,
            input,
            output: output.unwrap_or(self.output),
            cache_read: read.unwrap_or_else(|| like_input(self.cache_read)),
            cache_write: write.unwrap_or_else(|| like_input(self.cache_write)),
            cache_write_long: like_input(self.cache_write_long),
        };
        Price { long: Some(long), ..self }
    }

    /// What holds for a prompt of so many tokens, cached ones included.
    #[must_use]
    pub fn at(&self, input_tokens: u64) -> Price {
        match self.long.filter(|long| input_tokens > long.above_tokens) {
            Some(LongContext { input, output, cache_read, cache_write, cache_write_long, .. }) => {
                Price { input, output, cache_read, cache_write, cache_write_long, ..*self }
            }
            None => *self,
        }
    }

    /// Of each kind the higher price.
    #[must_use]
    pub fn or_higher(&self, other: &Price) -> Price {
        Price {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cache_read: self.cache_read.max(other.cache_read),
            cache_write: self.cache_write.max(other.cache_write),
            cache_write_long: self.cache_write_long.max(other.cache_write_long),
            units: self.units.or_higher(&other.units),
            long: self.long_or_higher(other),
        }
    }

    fn long_or_higher(&self, other: &Price) -> Option<LongContext> {
        let above_tokens = [self.long, other.long].into_iter().flatten().map(|long| long.above_tokens).min()?;
        let (a, b) = (self.at(u64::MAX), other.at(u64::MAX));
        Some(LongContext {
            above_tokens,
            input: a.input.max(b.input),
            output: a.output.max(b.output),
            cache_read: a.cache_read.max(b.cache_read),
            cache_write: a.cache_write.max(b.cache_write),
            cache_write_long: a.cache_write_long.max(b.cache_write_long),
        })
    }

    /// Nano-dollars (10⁻⁹ $). Summed exactly and rounded once, half a nano-dollar upwards.
    pub fn cost_nanos(&self, usage: &Usage) -> u64 {
        let written = usage.cache_write.unwrap_or(0);
        let long = usage.cache_write_long.unwrap_or(0).min(written);
        let price = self.at(usage.total_input());
        let femto: u128 = [
            (usage.input.unwrap_or(0), price.input),
            (usage.output.unwrap_or(0), price.output),
            (usage.cache_read.unwrap_or(0), price.cache_read),
            (written - long, price.cache_write),
            (long, price.cache_write_long),
        ]
        .into_iter()
        .map(|(tokens, price)| u128::from(tokens) * u128::from(price))
        .fold(0, u128::saturating_add);
        u64::try_from((femto + FEMTO_PER_NANO / 2) / FEMTO_PER_NANO).unwrap_or(u64::MAX)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("a price is a decimal number of dollars, such as 0.0000025 or 2.5e-6")]
    NotDecimal,
    #[error("a price cannot be negative")]
    Negative,
    #[error("it has too many digits after the point: at most 15 for a price per token, 9 for an amount")]
    TooFine,
    #[error("it is too high: a price per token is below 18,000 dollars, an amount below 18 thousand million")]
    TooHigh,
}

/// Reads dollars per token, `0.000001` or `1e-06`, without a binary fraction in between.
pub fn per_token(text: &str) -> Result<u64, PriceError> {
    decimal(text, FEMTO_DIGITS)
}

/// Reads dollars as nano-dollars. What is finer than that is an error.
pub fn nanos(text: &str) -> Result<u64, PriceError> {
    decimal(text, NANO_DIGITS)
}

fn decimal(text: &str, unit_digits: i32) -> Result<u64, PriceError> {
    let text = text.trim().replace('_', "");
    let text = text.strip_prefix('+').unwrap_or(&text);
    if text.starts_with('-') {
        return Err(PriceError::Negative);
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().map_err(|_| PriceError::NotDecimal)?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(PriceError::NotDecimal);
    }
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    let trailing = digits.len() - digits.trim_end_matches('0').len();
    let scale = unit_digits + i32::from(exponent) - fraction.len() as i32 + trailing as i32;
    let scale = u32::try_from(scale).map_err(|_| PriceError::TooFine)?;
    let number: u64 = significant.parse().map_err(|_| PriceError::TooHigh)?;
    10u64.checked_pow(scale).and_then(|factor| number.checked_mul(factor)).ok_or(PriceError::TooHigh)
}

/// Nano-dollars as a decimal number of dollars, exact: `0.000123`.
pub fn dollars(nanos: u64) -> String {
    let text = format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
