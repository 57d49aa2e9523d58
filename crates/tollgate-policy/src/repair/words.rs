//! Matching of vendors' words.
//!
//! A pattern is looked for anywhere in the text, in lower case and without quotes. In it `*` is any text, `{}` a name and `#` a
//! number; both are captured, of several numbers the last.

/// What a pattern captured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    pub number: String,
}

impl Found {
    /// Thousands separators are removed.
    pub fn count(&self) -> Option<u64> {
        self.number.chars().filter(char::is_ascii_digit).collect::<String>().parse().ok()
    }

    pub fn decimal(&self) -> Option<f64> {
        self.number.parse().ok()
    }

    /// The fields on the way to the one that is named, without positions in lists: `tools.0.custom.strict` is `tools`,
    /// `custom`, `strict`.
    pub fn path(&self) -> Vec<&str> {
        let parts = self.name.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$')));
        parts.filter(|p| !p.is_empty() && *p != "body" && !p.bytes().all(|b| b.is_ascii_digit())).collect()
    }
}

/// Lower case, without quotes, with single spaces.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\'' | '"' | '`' | '\\' | '“' | '”' | '‘' | '’' => {}
            c if c.is_whitespace() => {
                if !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            c => plain.push(c.to_ascii_lowercase()),
        }
    }
    plain
}

/// Every place where the pattern fits, first to last.
pub fn find_all<'p>(pattern: &'p str, text: &'p str) -> impl Iterator<Item = Found> + 'p {
    // What no name or number can stand for is looked for first: most patterns fit nowhere.
    let lead = pattern.split(['{', '#', '*']).next().unwrap_or("");
    let rest = pattern.strip_prefix("{}").map_or("", |rest| rest.split(['{', '#', '*']).next().unwrap_or(""));
    let text = if text.contains(rest) { text } else { "" };
    text.match_indices(lead).filter_map(move |(at, _)| {
        let inside_name = lead.is_empty() && text[..at].ends_with(is_name);
        if inside_name { None } else { fits(pattern, text.get(at..)?, Found::default()) }
    })
}

/// The text begins with the pattern.
fn fits(pattern: &str, text: &str, found: Found) -> Option<Found> {
    let Some(first) = pattern.chars().next() else { return Some(found) };
    if let Some(rest) = pattern.strip_prefix("{}") {
        let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
        let name = text[..end].trim_end_matches(['.', ':', '-']);
        return if name.is_empty() {
            None
        } else {
            fits(rest, &text[name.len()..], Found { name: name.into(), ..found })
        };
    }
    if let Some(rest) = pattern.strip_prefix('#') {
        let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, ',' | '_' | '.'))).unwrap_or(text.len());
        let number = text[..end].trim_end_matches([',', '_', '.']);
        let starts = number.starts_with(|c: char| c.is_ascii_digit());
        return if starts { fits(rest, &text[number.len()..], Found { number: number.into(), ..found }) } else { None };
    }
    if let Some(rest) = pattern.strip_prefix('*') {
        return text.char_indices().map(|(at, _)| &text[at..]).chain([""]).find_map(|t| fits(rest, t, found.clone()));
    }
    let rest = text.strip_prefix(first)?;
    fits(&pattern[first.len_utf8()..], rest, found)
}

/// Characters of names and of paths to them.
fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '$' | '[' | ']' | '/' | '#')
}

/// The whole numbers in a text, thousands separators removed.
pub fn numbers(words: &str) -> impl Iterator<Item = u64> + '_ {
    words.split(|c: char| !c.is_ascii_digit() && c != ',' && c != '_').filter_map(|run| {
        let digits: String = run.trim_matches(|c| c == ',' || c == '_').chars().filter(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(pattern: &str, text: &str) -> Option<Found> {
        find_all(pattern, &plain(text)).next()
    }

    #[test]
    fn a_pattern_finds_words_names_and_numbers() {
        let found = first("unknown parameter: {}", "Unknown parameter: 'tools[0].strict'.").unwrap();
        assert_eq!(found.path(), ["tools", "strict"]);
        assert_eq!(first("at most #", "at most 16,384 tokens").unwrap().count(), Some(16384));
        assert_eq!(first("between # and #", "Between 0 and 1.5").unwrap().decimal(), Some(1.5));
        let found = first("{}: extra inputs", "tools.0.custom.defer_loading: Extra inputs are not permitted").unwrap();
        assert_eq!(found.path(), ["tools", "custom", "defer_loading"]);
    }

    #[test]
    fn a_pattern_with_parts_in_another_order_does_not_fit() {
        assert_eq!(first("a*b*c", "a c b"), None);
        assert_eq!(first("at most #", "at most a few"), None);
        assert_eq!(first("{} is new", " is new"), None);
    }

    #[test]
    fn quotes_line_breaks_and_case_do_not_count() {
        assert!(first("chat template", "CHAT\n  `template`").is_some());
    }
}
