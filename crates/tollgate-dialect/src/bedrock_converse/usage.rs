//! Token counts in Bedrock's fields: the input leaves out what the caches had.

use crate::scan::Raw;
use crate::usage::Usage;

use super::wire::{self, CacheDetail, count_of};

/// `None` where nothing can be read from it: a usage must never fail an answer.
pub fn decode(raw: Raw<'_>) -> Option<Usage> {
    let wire = wire::Usage::parse(raw.get()).ok()?;
    let long = wire::each(wire.cache_details, CacheDetail::parse);
    let long = long.iter().filter(|detail| detail.ttl.is_some_and(|ttl| ttl.word() == "1h"));
    let long = long.filter_map(|detail| count_of(detail.input_tokens)).fold(0, u64::saturating_add);
    let usage = Usage {
        input: count_of(wire.input_tokens),
        cache_read: count_of(wire.cache_read_input_tokens),
        cache_write: count_of(wire.cache_write_input_tokens),
        cache_write_long: Some(long).filter(|&long| long > 0),
        output: count_of(wire.output_tokens),
        ..Usage::default()
    };
    (usage != Usage::default()).then_some(usage)
}
