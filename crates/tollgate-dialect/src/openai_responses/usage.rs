//! Token counts. The input includes what the caches had.

use crate::json::Writer;
use crate::scan::{Raw, object};
use crate::usage::Usage;

object! {
    Wire {
        input_tokens,
        output_tokens,
        total_tokens,
        input_tokens_details,
        output_tokens_details,
    }
}

object! {
    Details {
        cached_tokens,
        cache_write_tokens,
        cache_write_tokens_details,
        reasoning_tokens,
    }
}

object! {
    Writes {
        ttl_12h_tokens,
    }
}

/// More tokens than this no model can count: such a number is an upstream's mistake, and sums must not overflow.
const MOST_TOKENS: u64 = 1 << 48;

fn count(raw: Option<Raw<'_>>) -> Option<u64> {
    raw?.json().as_count().filter(|&n| n <= MOST_TOKENS)
}

fn details(raw: Option<Raw<'_>>) -> Details<'_> {
    raw.and_then(|raw| Details::parse(raw.get()).ok()).unwrap_or_default()
}

/// `None` where nothing can be read from it: a usage must never fail an answer.
pub fn decode(raw: Raw<'_>) -> Option<Usage> {
    let wire = Wire::parse(raw.get()).ok()?;
    let (given, made) = (details(wire.input_tokens_details), details(wire.output_tokens_details));
    let writes = given.cache_write_tokens_details.and_then(|raw| Writes::parse(raw.get()).ok()).unwrap_or_default();
    let (mut input, mut output) = (count(wire.input_tokens), count(wire.output_tokens));
    if let Some(total) = count(wire.total_tokens) {
        match (input, output) {
            (None, Some(output)) => input = total.checked_sub(output),
            (Some(input), None) => output = total.checked_sub(input),
            _ => {}
        }
    }
    let usage = Usage {
        cache_write_long: count(writes.ttl_12h_tokens),
        reasoning: count(made.reasoning_tokens),
        ..Usage::from_totals(input, count(given.cached_tokens), count(given.cache_write_tokens), output)
    };
    (usage != Usage::default()).then_some(usage)
}

/// `estimated_input` stands in for an unknown prompt.
pub fn encode(writer: &mut Writer, usage: &Usage, estimated_input: u64) {
    let known = usage.input.or(usage.cache_read).or(usage.cache_write).is_some();
    let input = if known { usage.total_input() } else { estimated_input };
    let output = usage.output.unwrap_or(0);
    writer.open_object().key("input_tokens").number(input).key("input_tokens_details").open_object();
    writer.key("cached_tokens").number(usage.cache_read.unwrap_or(0));
    if let Some(written) = usage.cache_write {
        writer.key("cache_write_tokens").number(written);
    }
    writer.close_object().key("output_tokens").number(output).key("output_tokens_details").open_object();
    writer.key("reasoning_tokens").number(usage.reasoning.unwrap_or(0)).close_object();
    writer.key("total_tokens").number(input.saturating_add(output)).close_object();
}
