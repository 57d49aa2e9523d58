//! The wording of a signature: literal words, `#` for a number, `*` for anything short.
//!
//! `requests with max_tokens > # must have stream` holds in a text that has these words in this order, whatever stands between
//! them for quotes, brackets and line ends. A status or an error code is written as it is. `= Connection error.` must be the whole
//! text: a sentence that is telling alone, and anybody's inside another text.

use memchr::memmem::Finder;
use serde::Deserialize;

use super::text::Text;

/// A `*` stands for at most so many letters and digits: names and lists, but not another message further down.
const REACH: usize = 240;

#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub struct Pattern {
    steps: Vec<Step>,
    /// It is the whole text, from its first letter to its last.
    whole: bool,
}

#[derive(Debug)]
enum Step {
    Words(Finder<'static>),
    Number,
    Gap,
}

impl From<String> for Pattern {
    fn from(written: String) -> Pattern {
        let mut steps = Vec::new();
        let whole = written.starts_with('=');
        for piece in written.split_inclusive(['*', '#']) {
            let words = Text::new(piece.trim_end_matches(['*', '#']));
            if !words.letters().is_empty() {
                steps.push(Step::Words(Finder::new(words.letters()).into_owned()));
            }
            match piece.chars().next_back() {
                Some('*') => steps.push(Step::Gap),
                Some('#') => steps.push(Step::Number),
                _ => {}
            }
        }
        Pattern { steps, whole }
    }
}

impl Pattern {
    /// The literal letters: what tells one pattern from another.
    pub fn weight(&self) -> usize {
        self.steps.iter().map(|step| if let Step::Words(words) = step { words.needle().len() } else { 0 }).sum()
    }

    /// The word is part of the wording.
    #[cfg(test)]
    pub fn names(&self, word: &str) -> bool {
        let word = Text::new(word);
        let word = Finder::new(word.letters());
        self.steps.iter().any(|step| matches!(step, Step::Words(words) if word.find(words.needle()).is_some()))
    }

    /// All ways through the text are followed side by side, so that no text, however it repeats itself, makes this long.
    pub fn is_in(&self, text: &Text) -> bool {
        let length = text.letters().len();
        let mut reached = vec![0];
        let mut reach = if self.whole { 0 } else { length };
        for step in &self.steps {
            let mut next = Vec::new();
            match step {
                Step::Gap => {
                    reach = reach.max(REACH);
                    continue;
                }
                Step::Words(words) => reached.iter().for_each(|at| next.extend(text.find(words, *at, reach))),
                Step::Number => reached.iter().for_each(|at| next.extend(text.numbers(*at, reach))),
            }
            next.sort_unstable();
            next.dedup();
            if next.is_empty() {
                return false;
            }
            (reached, reach) = (next, 0);
        }
        !self.whole || reached.iter().any(|at| at + reach >= length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(pattern: &str, text: &str) -> bool {
        Pattern::from(pattern.to_string()).is_in(&Text::new(text))
    }

    #[test]
    fn words_must_stand_in_their_order_and_whole() {
        assert!(holds("max_tokens > # must have stream", "Requests with `max_tokens > 4,096` must have stream=true"));
        assert!(!holds("max_tokens > # must have stream", "must have stream if max_tokens > 4096"));
        assert!(!holds("no model", "no models"));
        assert!(!holds("ring ring", "string ring"));
    }

    #[test]
    fn a_gap_is_short_and_a_number_is_only_a_number() {
        assert!(holds("model * not found", "model 'org/name:free' not found"));
        assert!(!holds("model * not found", &format!("model {} not found", "x".repeat(300))));
        assert!(!holds("limit # reached", "limit many reached"));
        assert!(holds("limit * # reached", "limit of the day: 12 of 500 reached"));
        assert!(holds("max_tokens: # > #", "max_tokens: 64,000 > 8192"));
        assert!(holds("status 429", "last status: 429 Too Many Requests") && !holds("status 429", "status 4290"));
    }

    #[test]
    fn a_sentence_that_must_stand_alone_does() {
        assert!(holds("= connection error", "\"Connection error.\"\n"));
        assert!(!holds("= connection error", "the connection error of yesterday"));
        assert!(!holds("= connection error", "connection"));
        assert!(holds("= *: extra inputs are not permitted", "thinking.display: Extra inputs are not permitted"));
        assert!(!holds("= *: extra inputs are not permitted", "x: Extra inputs are not permitted, they say"));
        assert!(
            holds("= unknown parameter: *", "Unknown parameter: 'seed'.")
                && !holds("= unknown parameter: *", "an unknown parameter: x")
        );
    }

    #[test]
    fn a_later_place_is_tried_when_an_earlier_one_leads_nowhere() {
        let text = format!("model a {} model b not found", "y ".repeat(200));
        assert!(holds("model * not found", &text));
    }

    #[test]
    fn how_a_text_was_wrapped_quoted_or_coloured_does_not_count() {
        let pattern = "`tool_use` ids were found without";
        for text in [
            "`tool_use` ids were found without",
            "tool_use ids were fo\nund wit\n  hout",
            r#""message":"`tool_use`\nids were \"found\" without""#,
            r#"\\"tool_use\\" ids\\nwere found\\u0020without"#,
            "\u{1b}[31mtool_use\u{1b}[0m ids \u{1b}[1;33mwere found without",
            "[31mtool_use[0m ids were found without",
            r"\u001b[31mtool_use\x1b[0m ids \033[2mwere found without",
            "&quot;tool_use&quot; ids&nbsp;were&#32;found without",
            "│ “tool_use” ids were │\n│ found without       │",
            "TOOL_USE IDS WERE FOUND WITHOUT",
        ] {
            assert!(holds(pattern, text), "{text}");
        }
    }

    #[test]
    fn scripts_without_spaces_have_a_border_at_every_character() {
        assert!(holds("余额不足", "错误：余额不足或无可用资源包"));
        assert!(holds("余额不足", "error余额不足1113"));
    }
}
