//! Token counts in Google's fields: the prompt includes what the cache had, the output is told without thoughts.

use crate::json::Writer;
use crate::usage::Usage;

use super::wire::{self, Raw, count_of};

/// `None` where nothing can be read from it: a usage must never fail an answer.
pub fn decode(raw: Raw<'_>) -> Option<Usage> {
    let wire = wire::parse(raw.get(), wire::Usage::read).ok()?;
    let prompt = count_of(wire.prompt_token_count);
    let of_tools = count_of(wire.tool_use_prompt_token_count);
    let input = prompt.or(of_tools).map(|_| prompt.unwrap_or(0) + of_tools.unwrap_or(0));
    let thoughts = count_of(wire.thoughts_token_count);
    let candidates = count_of(wire.candidates_token_count);
    let told = candidates.or(thoughts).map(|_| candidates.unwrap_or(0) + thoughts.unwrap_or(0));
    // The last word of some answers has a total and no candidates.
    let rest = || count_of(wire.total_token_count)?.checked_sub(input?);
    let output = if candidates.is_some() { told } else { rest().max(told) };
    let cached = count_of(wire.cached_content_token_count);
    let usage = Usage { reasoning: thoughts, ..Usage::from_totals(input, cached, None, output) };
    (usage != Usage::default()).then_some(usage)
}

/// `estimated_input` stands in for an unknown prompt.
pub fn encode(writer: &mut Writer, usage: &Usage, estimated_input: u64) {
    let known = usage.input.or(usage.cache_read).or(usage.cache_write).is_some();
    let input = if known { usage.total_input() } else { estimated_input };
    let output = usage.output.unwrap_or(0);
    let thoughts = usage.reasoning.unwrap_or(0).min(output);
    writer.open_object().key("promptTokenCount").number(input);
    if let Some(cached) = usage.cache_read.filter(|&cached| cached > 0) {
        writer.key("cachedContentTokenCount").number(cached);
    }
    writer.key("candidatesTokenCount").number(output - thoughts);
    if thoughts > 0 {
        writer.key("thoughtsTokenCount").number(thoughts);
    }
    writer.key("totalTokenCount").number(input.saturating_add(output)).close_object();
}
