use serde_json::json;

use super::*;

#[test]
fn dollars_are_read_as_the_decimal_that_was_written() {
    for (value, nanos) in [
        (json!(0.1), 100_000_000),
        (json!(0), 0),
        (json!(10), 10_000_000_000),
        (json!(19.99), 19_990_000_000),
        (json!(0.000000001), 1),
        (json!(1e-7), 100),
        (json!("0.0000001"), 100),
        (json!(1.5e3), 1_500_000_000_000),
        (json!(123456.789012345), 123_456_789_012_345),
        // Less than half a nano-dollar is nothing, half of one is one.
        (json!(1e-11), 0),
        (json!(5e-10), 1),
        (json!("1e-400"), 0),
    ] {
        assert_eq!(super::nanos(&value), Some(nanos), "{value}");
    }
}

#[test]
fn what_is_no_amount_is_refused() {
    for value in [json!(-1), json!(-0.5), json!("ten"), json!(""), json!(true), json!([1]), json!(1e12), json!("1e400")]
    {
        assert_eq!(super::nanos(&value), None, "{value}");
    }
}

#[test]
fn an_amount_comes_back_as_it_was_given() {
    for text in ["0.1", "19.99", "1e-9", "123456.789012345", "0.000002", "4.0"] {
        let value: Value = serde_json::from_str(text).unwrap();
        let again = dollars(super::nanos(&value).unwrap());
        assert_eq!(again.as_f64(), value.as_f64(), "{text}");
    }
}
