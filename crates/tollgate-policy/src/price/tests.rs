use tollgate_dialect::usage::Usage;

use super::{Price, PriceError, per_token};

#[test]
fn a_price_is_read_exactly_in_every_way_people_write_it() {
    for (text, femto) in [
        ("0.000001", 1_000_000_000),
        ("1e-06", 1_000_000_000),
        ("1E-6", 1_000_000_000),
        ("0.00000125", 1_250_000_000),
        ("1.25e-06", 1_250_000_000),
        ("2.5e-8", 25_000_000),
        ("0.000000000000001", 1),
        ("0", 0),
        ("0.0", 0),
        (".5", 500_000_000_000_000),
        ("+3", 3_000_000_000_000_000),
        ("0.000_001", 1_000_000_000),
        ("10e-6", 10_000_000_000),
    ] {
        assert_eq!(per_token(text), Ok(femto), "{text}");
    }
}

#[test]
fn what_is_no_price_is_refused() {
    assert_eq!(per_token("-0.1"), Err(PriceError::Negative));
    assert_eq!(per_token("1e-16"), Err(PriceError::TooFine));
    assert_eq!(per_token("20000"), Err(PriceError::TooHigh));
    for text in ["", "free", "1,5", "1e", "e5", ".", "0x10", "1.2.3", "nan", "inf"] {
        assert_eq!(per_token(text), Err(PriceError::NotDecimal), "{text}");
    }
}

/// 1,000 × $3/M + 200 × $15/M + 5,000 × $0.30/M + 300 × $3.75/M + 100 × $6/M
/// = 3,000,000 + 3,000,000 + 1,500,000 + 1,125,000 + 600,000 nano-dollars.
#[test]
fn every_kind_of_token_has_its_own_price() {
    let price = Price {
        input: 3_000_000_000,
        output: 15_000_000_000,
        cache_read: 300_000_000,
        cache_write: 3_750_000_000,
        cache_write_long: 6_000_000_000,
        ..Price::default()
    };
    let usage = Usage {
        input: Some(1000),
        output: Some(200),
        reasoning: Some(150),
        cache_read: Some(5000),
        cache_write: Some(400),
        cache_write_long: Some(100),
        ..Usage::default()
    };
    assert_eq!(price.cost_nanos(&usage), 9_225_000);
}

#[test]
fn the_sum_is_rounded_once_half_a_nano_dollar_upwards() {
    let price = Price { input: 400_000, output: 100_000, ..Price::default() };
    let of = |input, output| price.cost_nanos(&Usage { input: Some(input), output: Some(output), ..Usage::default() });
    assert_eq!(of(1, 0), 0);
    assert_eq!(of(1, 1), 1);
    assert_eq!(of(3, 0), 1);
}

#[test]
fn unknown_counts_cost_nothing_and_huge_ones_saturate() {
    let price = Price::new(1_000_000_000, 1_000_000_000);
    assert_eq!(price.cost_nanos(&Usage::default()), 0);
    assert_eq!(price.cost_nanos(&Usage { input: Some(u64::MAX), ..Usage::default() }), u64::MAX);
}

#[test]
fn cached_input_costs_as_much_as_fresh_until_told_otherwise() {
    let price = Price::new(2_000_000, 0);
    let usage = Usage { cache_read: Some(7), cache_write: Some(5), cache_write_long: Some(2), ..Usage::default() };
    assert_eq!(price.cost_nanos(&usage), 24);
}

#[test]
fn all_of_a_long_prompt_costs_the_price_of_long_prompts() {
    // Three dollars a million below 200,000 tokens, six above; cached ones follow.
    let price = Price {
        cache_read: 300_000_000,
        cache_write: 3_750_000_000,
        cache_write_long: 6_000_000_000,
        ..Price::new(3_000_000_000, 15_000_000_000)
    };
    let price = price.beyond(200_000, [Some(6_000_000_000), Some(22_500_000_000), None, None]);
    let usage =
        |input, read| Usage { input: Some(input), cache_read: Some(read), output: Some(1000), ..Usage::default() };
    // 100,000 × 3 $ + 100,000 × 0.30 $ + 1000 × 15 $, each per million.
    assert_eq!(price.cost_nanos(&usage(100_000, 100_000)), 300_000_000 + 30_000_000 + 15_000_000);
    // One token more: 100,001 × 6 $ + 100,000 × 0.60 $ + 1000 × 22.50 $.
    assert_eq!(price.cost_nanos(&usage(100_001, 100_000)), 600_006_000 + 60_000_000 + 22_500_000);
    assert_eq!(price.at(200_001).cache_write_long, 12_000_000_000);
}

#[test]
fn of_two_prices_the_higher_counts_for_long_prompts_too() {
    let one = Price::new(3, 30).beyond(200, [Some(6), Some(60), None, None]);
    let other = Price::new(5, 10);
    for price in [one.or_higher(&other), other.or_higher(&one)] {
        assert_eq!((price.at(200).input, price.at(200).output), (5, 30));
        assert_eq!((price.at(201).input, price.at(201).output), (6, 60));
    }
}
