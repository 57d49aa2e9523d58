//! Token counts in every vendor's fields.

use crate::json::Writer;
use crate::scan::{Raw, object};
use crate::usage::Usage;

object! {
    Wire {
        prompt_tokens,
        completion_tokens,
        total_tokens,
        prompt_tokens_details,
        completion_tokens_details,
        /// DeepSeek.
        prompt_cache_hit_tokens,
        prompt_cache_miss_tokens,
        /// Moonshot.
        cached_tokens,
        /// Layers over Anthropic and Qwen.
        cache_read_input_tokens,
        cache_creation_input_tokens,
        reasoning_tokens,
        input_tokens,
        output_tokens,
    }
}

object! {
    Details {
        cached_tokens,
        cache_write_tokens,
        cache_creation_input_tokens,
        reasoning_tokens,
    }
}

/// More is no count of tokens, and its sums would overflow.
const MOST_TOKENS: u64 = 1 << 48;

fn count(raw: Option<Raw<'_>>) -> Option<u64> {
    raw?.json().as_count().filter(|&count| count <= MOST_TOKENS)
}

fn details(raw: Option<Raw<'_>>) -> Details<'_> {
    raw.and_then(|raw| Details::parse(raw.get()).ok()).unwrap_or_default()
}

/// `None` where nothing can be read from it: a usage must never fail an answer.
pub fn decode(raw: Raw<'_>, output_excludes_reasoning: bool) -> Option<Usage> {
    let wire = Wire::parse(raw.get()).ok()?;
    let prompt = details(wire.prompt_tokens_details);
    let completion = details(wire.completion_tokens_details);

    let hit = count(wire.prompt_cache_hit_tokens);
    let read = count(prompt.cached_tokens)
        .or(hit)
        .or_else(|| count(wire.cached_tokens))
        .or_else(|| count(wire.cache_read_input_tokens));
    let written = count(prompt.cache_write_tokens)
        .or_else(|| count(prompt.cache_creation_input_tokens))
        .or_else(|| count(wire.cache_creation_input_tokens));
    let reasoning = count(completion.reasoning_tokens).or_else(|| count(wire.reasoning_tokens));

    let mut output = count(wire.completion_tokens).or_else(|| count(wire.output_tokens));
    if output_excludes_reasoning && let (Some(output), Some(reasoning)) = (&mut output, reasoning) {
        *output = output.saturating_add(reasoning);
    }
    let mut input = count(wire.prompt_tokens).or_else(|| count(wire.input_tokens));
    if input.is_none()
        && let (Some(hit), Some(miss)) = (hit, count(wire.prompt_cache_miss_tokens))
    {
        input = Some(hit.saturating_add(miss));
    }
    if let Some(total) = count(wire.total_tokens) {
        match (input, output) {
            (None, Some(output)) => input = total.checked_sub(output),
            (Some(input), None) => output = total.checked_sub(input),
            _ => {}
        }
    }
    let usage = Usage { reasoning, ..Usage::from_totals(input, read, written, output) };
    (usage != Usage::default()).then_some(usage)
}

/// OpenAI's form, in which the prompt includes what the caches had. `estimated_input` stands in for an unknown prompt.
pub fn encode(writer: &mut Writer, usage: &Usage, estimated_input: u64) {
    let known = usage.input.or(usage.cache_read).or(usage.cache_write).is_some();
    let input = if known { usage.total_input() } else { estimated_input };
    let output = usage.output.unwrap_or(0);
    writer.open_object().key("prompt_tokens").number(input).key("completion_tokens").number(output);
    writer.key("total_tokens").number(input.saturating_add(output));
    writer.key("prompt_tokens_details").open_object().key("cached_tokens").number(usage.cache_read.unwrap_or(0));
    if let Some(written) = usage.cache_write {
        writer.key("cache_write_tokens").number(written);
    }
    writer.close_object();
    writer.key("completion_tokens_details").open_object();
    writer.key("reasoning_tokens").number(usage.reasoning.unwrap_or(0)).close_object().close_object();
}
