//! What models cost and allow, as their makers and hosts say: `catalogue.tsv` beside this file, made by `cargo xtask catalogue` with the date
//! in its head. The configuration goes before it, and so do the rows of `models.toml`.

use std::cmp::Ordering;

use tollgate_policy::price::{Price, Units, nanos};

#[cfg(test)]
mod tests;

/// Sorted by provider and model, so that nothing has to be read but the rows that are looked at.
const TABLE: &str = include_str!("catalogue.tsv");

#[derive(Clone, Debug, Default, PartialEq)]
pub struct CatalogueEntry {
    /// `chat`, `responses`, `embedding`, `completion`, `image_generation`, `rerank`.
    pub mode: &'static str,
    /// Tokens of the prompt, or of prompt and answer together.
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u64>,
    pub price: Option<Price>,
    pub abilities: &'static str,
}

impl CatalogueEntry {
    /// It answers in words.
    pub fn converses(&self) -> bool {
        matches!(self.mode, "chat" | "responses" | "completion")
    }

    pub fn can(&self, ability: &str) -> bool {
        self.abilities.split(',').any(|own| own == ability)
    }
}

/// `provider`: the name of its row in `providers.toml`.
pub fn find(provider: &str, model: &str) -> Option<CatalogueEntry> {
    let model = model.to_lowercase();
    let wanted = [provider, &model];
    let (mut from, mut to) = (0, TABLE.len());
    while from < to {
        let line = line_at(from + (to - from) / 2);
        let mut columns = TABLE[line.clone()].split('\t');
        let key = [columns.next().unwrap_or(""), columns.next().unwrap_or("")];
        match key.cmp(&wanted) {
            Ordering::Equal => return Some(entry(columns)),
            Ordering::Less => from = line.end + 1,
            Ordering::Greater => to = line.start,
        }
    }
    None
}

/// The line that this byte belongs to, without its end.
fn line_at(at: usize) -> std::ops::Range<usize> {
    let start = memchr::memrchr(b'\n', &TABLE.as_bytes()[..at]).map_or(0, |end| end + 1);
    let end = memchr::memchr(b'\n', &TABLE.as_bytes()[at..]).map_or(TABLE.len(), |length| at + length);
    start..end
}

fn entry(mut columns: std::str::Split<'static, char>) -> CatalogueEntry {
    let mut next = || columns.next().unwrap_or("");
    let mode = next();
    let limits = [next(), next()].map(|count| count.parse().ok());
    // Dollars per million tokens have the digits of femto-dollars per token where they are read as nano-dollars.
    let prices: [Option<u64>; 5] = [next(), next(), next(), next(), next()].map(|text| nanos(text).ok());
    let above = next().parse().ok();
    let long: [Option<u64>; 4] = [next(), next(), next(), next()].map(|text| nanos(text).ok());
    let [input, output, read, write, write_long] = prices;
    let abilities = next();
    let [image_up, image_back, image, query] = [next(), next(), next(), next()].map(|text| nanos(text).ok());
    let priced = [input, output, image_back, image, query].iter().any(Option::is_some);
    let price = priced.then(|| {
        // What makes nothing but images has one price for all that comes back.
        let plain = Price::new(input.unwrap_or(0), output.or(image_back).unwrap_or(0));
        let cache_write = write.unwrap_or(plain.cache_write);
        let units = Units {
            input_image_token: image_up,
            output_image_token: image_back,
            image: image.unwrap_or(0),
            query: query.unwrap_or(0),
            ..Units::default()
        };
        let plain = Price {
            cache_read: read.unwrap_or(plain.cache_read),
            cache_write,
            cache_write_long: write_long.unwrap_or(cache_write),
            units,
            ..plain
        };
        above.map_or(plain, |above| plain.beyond(above, long))
    });
    CatalogueEntry { mode, context_window: limits[0], max_output_tokens: limits[1], price, abilities }
}
