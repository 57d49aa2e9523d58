//! Counts that are not whole, exactly: in billionths.

const DIGITS: i64 = 9;
const ONE: u64 = 1_000_000_000;

/// A JSON number, or one in a string, in billionths: `12.5` is 12,500,000,000. What is finer is rounded. `None`: it is no number of 0
/// or more, or one that nothing real has.
pub fn amount(json: &str) -> Option<u64> {
    let text = json.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(json);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, i64::from(exponent.parse::<i16>().ok()?)),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let scale = DIGITS + exponent - fraction.len() as i64;
    let Ok(cut) = usize::try_from(-scale) else {
        let number: u64 = digits.parse().ok()?;
        let factor = 10u64.checked_pow(u32::try_from(scale).ok()?);
        return if number == 0 { Some(0) } else { number.checked_mul(factor?) };
    };
    let Some(kept) = digits.len().checked_sub(cut) else { return Some(0) };
    let (kept, rest) = digits.split_at(kept);
    let kept: u64 = if kept.is_empty() { 0 } else { kept.parse().ok()? };
    kept.checked_add(u64::from(rest.as_bytes().first().is_some_and(|digit| *digit >= b'5')))
}

/// To the nearest whole, a half upwards.
pub fn whole(amount: u64) -> u64 {
    amount / ONE + u64::from(amount % ONE >= ONE / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_exact_in_billionths() {
        for (text, billionths) in [
            ("0", 0),
            ("12", 12_000_000_000),
            ("12.5", 12_500_000_000),
            ("\"12.5\"", 12_500_000_000),
            ("33.333333333333336", 33_333_333_333),
            ("0.0000000005", 1),
            ("0.0000000004", 0),
            ("1.5e3", 1_500_000_000_000),
            ("15e-1", 1_500_000_000),
            ("1e-30", 0),
            ("0e300", 0),
        ] {
            assert_eq!(amount(text), Some(billionths), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for text in ["", "-1", "null", "\"many\"", "1e300", "99999999999999999999", "NaN", "[1]"] {
            assert_eq!(amount(text), None, "{text}");
        }
    }

    #[test]
    fn a_half_is_rounded_upwards() {
        assert_eq!([12_499_999_999, 12_500_000_000, 13_000_000_000].map(whole), [12, 13, 13]);
    }
}
