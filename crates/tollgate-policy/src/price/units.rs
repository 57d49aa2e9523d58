//! Prices of what is not a plain token: images, sound, queries, characters.

use tollgate_dialect::operation::{Took, whole};

use super::{FEMTO_PER_NANO, Price};

const AMOUNT: u128 = 1_000_000_000;

/// Femto-dollars per unit. `None`: such a token costs what others cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    pub input_image_token: Option<u64>,
    pub input_audio_token: Option<u64>,
    pub output_image_token: Option<u64>,
    pub output_audio_token: Option<u64>,
    /// An image that was made.
    pub image: u64,
    pub query: u64,
    /// A second of sound.
    pub second: u64,
    /// A character to be spoken.
    pub character: u64,
}

impl Units {
    /// Of each kind the higher price.
    #[must_use]
    pub fn or_higher(&self, other: &Units) -> Units {
        Units {
            input_image_token: self.input_image_token.max(other.input_image_token),
            input_audio_token: self.input_audio_token.max(other.input_audio_token),
            output_image_token: self.output_image_token.max(other.output_image_token),
            output_audio_token: self.output_audio_token.max(other.output_audio_token),
            image: self.image.max(other.image),
            query: self.query.max(other.query),
            second: self.second.max(other.second),
            character: self.character.max(other.character),
        }
    }
}

impl Price {
    /// Nano-dollars for all that an answer took, fractions of units included. Rounded once, half a nano-dollar upwards.
    pub fn cost_of(&self, took: &Took) -> u64 {
        let (input, output) = (took.input.unwrap_or(0), took.output.unwrap_or(0));
        let other_input = [took.cached, took.cache_written, took.input_image, took.input_audio];
        let plain_input = other_input.into_iter().fold(input, u64::saturating_sub);
        let plain_output = output.saturating_sub(took.output_image).saturating_sub(took.output_audio);
        let (price, units) = (self.at(whole(input)), &self.units);
        let sum: u128 = [
            (plain_input, price.input),
            (took.cached, price.cache_read),
            (took.cache_written, price.cache_write),
            (took.input_image, units.input_image_token.unwrap_or(price.input)),
            (took.input_audio, units.input_audio_token.unwrap_or(price.input)),
            (plain_output, price.output),
            (took.output_image, units.output_image_token.unwrap_or(price.output)),
            (took.output_audio, units.output_audio_token.unwrap_or(price.output)),
            (took.images, units.image),
            (took.queries, units.query),
            (took.seconds, units.second),
            (took.characters, units.character),
        ]
        .into_iter()
        .map(|(amount, price)| u128::from(amount) * u128::from(price))
        .fold(0, u128::saturating_add);
        let per_nano = AMOUNT * FEMTO_PER_NANO;
        u64::try_from(sum.saturating_add(per_nano / 2) / per_nano).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: u64 = 1_000_000_000;

    /// OpenAI's gpt-image-1: $5 per million text tokens in, $10 of images in, $40 of images out (2026-11).
    /// 12.5 - 2.5 text = 10 × 5,000 nano-dollars, 2.5 × 10,000, 1056.25 × 40,000.
    #[test]
    fn s33_fractions_of_tokens_are_paid_for_exactly() {
        let units = Units { input_image_token: Some(10_000_000_000), ..Units::default() };
        let price = Price { units, ..Price::new(5_000_000_000, 40_000_000_000) };
        let took = Took {
            input: Some(12_500_000_000),
            input_image: 2_500_000_000,
            output: Some(1_056_250_000_000),
            ..Took::default()
        };
        assert_eq!(price.cost_of(&took), 50_000 + 25_000 + 42_250_000);
    }

    /// At $2, $0.50 of a cache, $3 into it and $10 per million: 50 × 2,000 + 30 × 500 + 20 × 3,000 + 7 × 10,000 nano-dollars. With a prompt
    /// above 99 tokens at $4, $1, $6 and $20.
    #[test]
    fn caches_and_long_prompts_have_prices_of_their_own() {
        let price =
            Price { cache_read: 500_000_000, cache_write: 3_000_000_000, ..Price::new(2_000_000_000, 10_000_000_000) };
        let took = Took {
            input: Some(100 * T),
            cached: 30 * T,
            cache_written: 20 * T,
            output: Some(7 * T),
            ..Took::default()
        };
        assert_eq!(price.cost_of(&took), 100_000 + 15_000 + 60_000 + 70_000);
        let long = [4_000_000_000, 20_000_000_000, 1_000_000_000, 6_000_000_000].map(Some);
        assert_eq!(price.beyond(99, long).cost_of(&took), 200_000 + 30_000 + 120_000 + 140_000);
        assert_eq!(price.beyond(100, long).cost_of(&took), 245_000);
    }

    /// An image of $0.04, two queries of $0.002, 3.5 s of $0.0001, 1000 characters of $0.000015.
    #[test]
    fn every_unit_has_its_price() {
        let units = Units {
            image: 40_000_000_000_000,
            query: 2_000_000_000_000,
            second: 100_000_000_000,
            character: 15_000_000_000,
            ..Units::default()
        };
        let price = Price { units, ..Price::default() };
        let cost = |took: Took| price.cost_of(&took);
        assert_eq!(cost(Took { images: T, ..Took::default() }), 40_000_000);
        assert_eq!(cost(Took { queries: 2 * T, ..Took::default() }), 4_000_000);
        assert_eq!(cost(Took { seconds: 3_500_000_000, ..Took::default() }), 350_000);
        assert_eq!(cost(Took { characters: 1000 * T, ..Took::default() }), 15_000_000);
        assert_eq!(cost(Took { input: Some(u64::MAX), ..Took::default() }), 0);
    }
}
