use tollgate_dialect::usage::Usage;

use super::*;
use crate::registry;

fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    TABLE.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

#[test]
fn every_row_is_found_by_its_provider_and_model_and_is_whole() {
    let mut count = 0;
    for row in rows() {
        assert_eq!(row.len(), 16, "{row:?}");
        let entry = find(row[0], row[1]).unwrap_or_else(|| panic!("{row:?} is not found"));
        assert_eq!((entry.mode, entry.abilities), (row[2], row[15]), "{row:?}");
        assert!(entry.price.is_some() || entry.context_window.is_some(), "{row:?}");
        // A number that cannot be read must not look like one that is missing.
        for (n, text) in row.iter().enumerate().skip(3).take(12) {
            assert!(text.is_empty() || nanos(text).is_ok(), "column {n} of {row:?}");
        }
        count += 1;
    }
    assert!(count > 500, "{count} models");
}

#[test]
fn providers_are_rows_of_the_registry() {
    let providers: std::collections::BTreeSet<&str> = rows().map(|row| row[0]).collect();
    for provider in providers {
        assert!(!matches!(registry::embedded().find(provider), registry::Known::Unknown), "{provider}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    for (provider, model) in [("", ""), ("openai", ""), ("openai", "gpt-4o-of-nobody"), ("zzz", "zzz"), ("#", "x")] {
        assert_eq!(find(provider, model), None, "{provider}/{model}");
    }
    assert!(find("anthropic", "Claude-Opus-5-5").is_some(), "capitals do not matter");
}

/// The package's own figures (litellm 1.109.1): 4e-06 and 2e-05 dollars per token, 2e-07 for cache reads, 5e-06 and 8e-06 for writes.
#[test]
fn a_price_is_exact() {
    let entry = find("anthropic", "claude-opus-5-5").unwrap();
    let price = entry.price.unwrap();
    assert_eq!((price.input, price.output), (4_000_000_000, 20_000_000_000));
    assert_eq!(
        (price.cache_read, price.cache_write, price.cache_write_long),
        (200_000_000, 5_000_000_000, 8_000_000_000)
    );
    assert_eq!((entry.context_window, entry.max_output_tokens), (Some(1_000_000), Some(128_000)));
    assert!(entry.can("tools") && !entry.can("audio"));
}

#[test]
fn a_long_prompt_costs_what_its_row_says() {
    let row = rows().find(|row| row[0] == "gemini" && row[10] == "200000").expect("a model with two prices");
    let price = find(row[0], row[1]).unwrap().price.unwrap();
    let cost = |input| price.cost_nanos(&Usage { input: Some(input), output: Some(0), ..Usage::default() });
    let per_million = |column: usize| nanos(row[column]).unwrap();
    // Nano-dollars for 200,000 tokens are a fifth of those for a million.
    assert_eq!(cost(200_000), per_million(5) / 5);
    assert_eq!(cost(400_000), per_million(11) * 2 / 5);
    assert!(per_million(11) > per_million(5));
}
