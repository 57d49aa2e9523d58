//! The two numbers of a context overflow: what was sent and what is allowed.

/// The limit stands behind one of these.
const LIMIT_LEADS: [&str; 14] = [
    "maximum context length is",
    "maximum context length of",
    "maximum prompt length is",
    "maximum model length of",
    "maximum number of tokens allowed",
    "context size (",
    "model token limit:",
    "context limit is",
    "limit is",
    "limit of",
    "limit:",
    "max size:",
    "must be <=",
    ">",
];

/// Smaller numbers are parts of names, positions or statuses.
const SMALLEST: u64 = 100;

pub fn numbers(words: &str) -> Option<(u64, u64)> {
    let text = words.to_ascii_lowercase();
    let all = counts(&text);
    let after = |lead: &str| {
        let at = text.find(lead)? + lead.len();
        all.iter().find(|(start, _)| *start >= at).filter(|(start, _)| start - at <= 3).map(|(_, n)| *n)
    };
    let limit = LIMIT_LEADS.iter().find_map(|lead| after(lead)).or_else(|| match all.as_slice() {
        [(_, a), (_, b)] => Some(*a.min(b)),
        _ => None,
    })?;
    let sent = all.iter().map(|(_, n)| *n).max()?;
    (sent > limit).then_some((sent, limit))
}

/// Whole numbers with their places; `200,000` is one. Digits inside names such as `gpt-4-0125` are none.
fn counts(text: &str) -> Vec<(usize, u64)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len()
            && (bytes[at].is_ascii_digit()
                || (matches!(bytes[at], b',' | b'_') && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)))
        {
            at += 1;
        }
        let named = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'/' | b'_');
        let inside_name = start > 0 && named(bytes[start - 1])
            || bytes.get(at).is_some_and(|b| b.is_ascii_alphabetic() || *b == b'-');
        let digits: String = text[start..at].chars().filter(char::is_ascii_digit).collect();
        if !inside_name
            && let Ok(number) = digits.parse::<u64>()
            && number >= SMALLEST
        {
            found.push((start, number));
        }
    }
    found
}
