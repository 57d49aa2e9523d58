//! Dollars as LiteLLM writes them, and nano-dollars as they are kept.

use serde_json::{Number, Value};
use tollgate_policy::price;

#[cfg(test)]
mod tests;

pub const ALLOWED: &str = "must be a number of dollars of 0 or more, or null for none";

/// Reads the decimal that was written, so no binary fraction comes in between. Half a nano-dollar is rounded upwards.
pub fn nanos(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => parse(&number.to_string()),
        Value::String(text) => parse(text.trim()),
        _ => None,
    }
}

fn parse(text: &str) -> Option<u64> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: u128 = digits.parse().ok()?;
    let scale = 9 + i32::from(exponent) - i32::try_from(fraction.len()).ok()?;
    let power = 10u128.checked_pow(scale.unsigned_abs());
    let nanos = match (scale >= 0, power) {
        (true, Some(power)) => digits.checked_mul(power)?,
        (true, None) => return (digits == 0).then_some(0),
        (false, Some(power)) => digits.checked_add(power / 2)? / power,
        (false, None) => 0,
    };
    // What the ledger can hold.
    u64::try_from(nanos).ok().filter(|nanos| i64::try_from(*nanos).is_ok())
}

/// The number nearest to so many nano-dollars: with up to 15 digits, the same decimal.
pub fn dollars(nanos: u64) -> Value {
    let number = price::dollars(nanos).parse::<f64>().ok().and_then(Number::from_f64);
    number.map_or(Value::Null, Value::Number)
}

pub fn dollars_or_null(nanos: Option<u64>) -> Value {
    nanos.map_or(Value::Null, dollars)
}
