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
