//! What looks like a key, whoever's it is.

use std::ops::Range;

use memchr::memmem;

/// How a vendor's keys look: a beginning, and at least so many characters after it.
struct Shape {
    begins: &'static str,
    least: usize,
    /// Characters beside letters and digits.
    also: &'static str,
}

const fn shape(begins: &'static str, least: usize, also: &'static str) -> Shape {
    Shape { begins, least, also }
}

/// OpenAI and all that copied it, Anthropic, OpenRouter (`sk-`), AWS, GitHub, GitLab, Slack, Google, Groq, Hugging Face, xAI, npm.
const SHAPES: [Shape; 17] = [
    shape("sk-", 16, "-_"),
    shape("pk-", 16, "-_"),
    shape("AKIA", 16, ""),
    shape("ASIA", 16, ""),
    shape("ghp_", 30, ""),
    shape("gho_", 30, ""),
    shape("ghs_", 30, ""),
    shape("ghu_", 30, ""),
    shape("github_pat_", 30, "_"),
    shape("glpat-", 16, "-_"),
    shape("xoxb-", 16, "-"),
    shape("xoxp-", 16, "-"),
    shape("AIza", 30, "-_"),
    shape("gsk_", 20, ""),
    shape("hf_", 20, ""),
    shape("xai-", 20, ""),
    shape("npm_", 30, ""),
];

/// A text shorter than the shortest of them holds none.
const SHORTEST: usize = 19;

const BEARER_LEAST: usize = 16;

/// Where keys stand in a text, in no order; ranges may overlap.
pub fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if text.len() < SHORTEST {
        return found;
    }
    for shape in &SHAPES {
        for at in memmem::find_iter(text.as_bytes(), shape.begins) {
            let key = run(text, at + shape.begins.len(), shape.also);
            if begins_a_word(text, at) && key.len() >= shape.least && has_digit(&text[key.clone()]) {
                found.push(at..key.end);
            }
        }
    }
    bearers(text, &mut found);
    web_tokens(text, &mut found);
    private_keys(text, &mut found);
    found
}

/// The letters, digits and `also` from here on.
fn run(text: &str, from: usize, also: &str) -> Range<usize> {
    let rest = &text[from..];
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !also.contains(c)).unwrap_or(rest.len());
    from..from + end
}

fn begins_a_word(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Keys are drawn by chance and hold digits; names made of words seldom do.
fn has_digit(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_digit())
}

/// `Bearer TOKEN`: the token alone.
fn bearers(text: &str, found: &mut Vec<Range<usize>>) {
    for at in memmem::find_iter(text.as_bytes(), "earer ") {
        let token = run(text, at + "earer ".len(), "-._~+/=");
        let scheme = text[..at].ends_with(['b', 'B']);
        if scheme && token.len() >= BEARER_LEAST && has_digit(&text[token.clone()]) {
            found.push(token);
        }
    }
}

/// JSON Web Tokens: three or more parts in base64 with dots between, of which the first is an object.
fn web_tokens(text: &str, found: &mut Vec<Range<usize>>) {
    for at in memmem::find_iter(text.as_bytes(), "eyJ") {
        let token = run(text, at, "-_.");
        let mut parts = text[token.clone()].split('.');
        let lengths = (parts.next().map_or(0, str::len), parts.next().map_or(0, str::len));
        if begins_a_word(text, at) && lengths.0 >= 10 && lengths.1 >= 8 && parts.next().is_some() {
            found.push(token);
        }
    }
}

/// A block that was cut off reaches to the end of the text.
fn private_keys(text: &str, found: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(at) = memmem::find(&text.as_bytes()[from..], b"-----BEGIN ").map(|at| from + at) {
        let name = at + "-----BEGIN ".len();
        let named = text[name..].find("-----").map(|end| name..name + end);
        from = name;
        let Some(named) = named.filter(|named| named.len() < 60 && text[named.clone()].contains("PRIVATE KEY")) else {
            continue;
        };
        let last = text[named.end..].find("-----END").map(|end| named.end + end + "-----END".len());
        let end = last.map_or(text.len(), |last| text[last..].find("-----").map_or(text.len(), |end| last + end + 5));
        found.push(at..end);
        from = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&str> {
        let mut ranges = find(text);
        ranges.sort_by_key(|range| range.start);
        ranges.into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn keys_of_vendors_are_found_wherever_they_stand() {
        for key in [
            "sk-proj-abcDEF0123456789xyz",
            "sk-ant-api03-Zx81_aaaaaaaa-AA",
            "AKIAIOSFODNN7EXAMPLE",
            "ghp_0123456789abcdefghij0123456789abcdef",
            "AIzaSyA1234567890abcdefghijklmnopqrstuv",
            "xoxb-1234567890-abcdefghij",
        ] {
            for text in [key.to_string(), format!("export KEY=\"{key}\"\n"), format!("({key}), and so on…")] {
                assert_eq!(found(&text), [key], "{text}");
            }
        }
    }

    #[test]
    fn tokens_lose_what_follows_the_scheme_or_all_three_parts() {
        assert_eq!(found("authorization: Bearer abcDEF0123456789.x~y"), ["abcDEF0123456789.x~y"]);
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
        assert_eq!(found(&format!("cookie={token};")), [token]);
    }

    #[test]
    fn a_private_key_goes_whole_and_a_cut_one_to_the_end() {
        let block = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----";
        assert_eq!(found(&format!("a {block} b {block}")), [block, block]);
        assert_eq!(found("see -----BEGIN PRIVATE KEY-----\nMIIE"), ["-----BEGIN PRIVATE KEY-----\nMIIE"]);
        assert_eq!(found("-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----"), [""; 0]);
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in [
            "risk-management-in-2026-and-later",
            "sk-learn is a library; sk-short1",
            "sk-a-name-made-of-words-alone",
            "task-0123456789abcdef0123",
            "Bearer authentication is required here",
            "eyJust.a.word and eyJ0ZXN0IjoxfQ",
            "AKIA is a prefix, AKIAIOSFODNN is too short",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }
}
