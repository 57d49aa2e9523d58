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
        let by_unit = matches!(row[2], "image_generation" | "rerank");
        assert_eq!(row.len(), if by_unit { 20 } else { 16 }, "{row:?}");
        let entry = find(row[0], row[1]).unwrap_or_else(|| panic!("{row:?} is not found"));
        assert_eq!((entry.mode, entry.abilities), (row[2], row[15]), "{row:?}");
        assert!(entry.price.is_some() || entry.context_window.is_some(), "{row:?}");
        // A number that cannot be read must not look like one that is missing.
        for (n, text) in row.iter().enumerate().filter(|(n, _)| (3..15).contains(n) || *n > 15) {
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

/// The package's own figures (litellm 1.109.1): 3e-07 and 2.5e-06 dollars per token and 3e-05 for those of images; 0.04 for an image of
/// Imagen 3; 0.001 for a search.
#[test]
fn images_and_searches_have_prices_of_their_own() {
    let price = |provider, model| find(provider, model).unwrap().price.unwrap();
    let gemini = price("gemini", "gemini-2.5-flash-image");
    assert_eq!((gemini.input, gemini.output), (300_000_000, 2_500_000_000));
    assert_eq!((gemini.units.output_image_token, gemini.units.image), (Some(30_000_000_000), 0));
    assert_eq!(price("gemini", "imagen-3.0-generate-001").units.image, 40_000_000_000_000);
    assert_eq!(price("bedrock", "amazon.rerank-v1:0").units.query, 1_000_000_000_000);
    // 4e-05 for all that gpt-image-1 gives.
    assert_eq!(price("openai", "gpt-image-1").output, 40_000_000_000);
    assert!(!find("bedrock", "amazon.titan-embed-text-v2:0").unwrap().converses());
}
