//! Paragraphs and lists for a terminal.

use std::io::IsTerminal;

/// Lines longer than this are hard to read, however wide the terminal is.
const WIDEST: usize = 100;
const NARROWEST: usize = 40;
/// Where nobody says how wide the terminal is.
const USUAL: usize = 80;
const INDENT: &str = "  ";

#[derive(Clone, Copy, Debug)]
pub struct Layout {
    width: usize,
    bold: bool,
}

impl Layout {
    #[cfg(test)]
    pub fn plain(width: usize) -> Layout {
        Layout { width, bold: false }
    }

    pub fn of_terminal() -> Layout {
        let width = terminal_size::terminal_size().map_or(USUAL, |(width, _)| usize::from(width.0));
        let bold = std::io::stdout().is_terminal() && crate::cli::environment("NO_COLOR").is_none();
        Layout { width: width.clamp(NARROWEST, WIDEST), bold }
    }

    pub fn title(self, title: &str) -> String {
        let title = wrapped(title, "", "", self.width);
        if self.bold { format!("\x1b[1m{}\x1b[0m\n", title.trim_end()) } else { title }
    }

    pub fn line(self, text: &str) -> String {
        wrapped(text, "", "", self.width)
    }

    /// A heading and paragraphs; lines that begin with four spaces are commands or settings, and stay as they are.
    pub fn section(self, heading: &str, text: &str) -> String {
        let mut out = format!("\n{}", self.title(heading));
        for line in text.trim_end().lines() {
            out += &match line {
                "" => "\n".to_string(),
                line if line.starts_with("    ") => format!("{INDENT}{line}\n"),
                line => wrapped(line, INDENT, INDENT, self.width),
            };
        }
        out
    }

    pub fn numbered(self, heading: &str, items: &[String]) -> String {
        let mut out = format!("\n{}", self.title(heading));
        for (i, item) in items.iter().enumerate() {
            out += &wrapped(item, &format!("{INDENT}{}. ", i + 1), "     ", self.width);
        }
        out
    }
}

/// Words in lines of at most `width` characters; a longer one has a line of its own. What stands between backticks is one word,
/// so that a command can be copied.
fn wrapped(text: &str, first: &str, rest: &str, width: usize) -> String {
    let mut out = String::new();
    let mut line = first.to_string();
    let mut empty = true;
    for word in words(text) {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            out += &line;
            out.push('\n');
            line = rest.to_string();
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line += &word;
        empty = false;
    }
    out + &line + "\n"
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut in_code = false;
    for word in text.split_whitespace() {
        match words.last_mut().filter(|_| in_code) {
            Some(last) => *last = format!("{last} {word}"),
            None => words.push(word.to_string()),
        }
        in_code ^= word.matches('`').count() % 2 == 1;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_wider_than_asked_and_settings_stay_as_they_are() {
        let setting = format!("    key: {}", "x".repeat(60));
        let text = format!("{}\n\n{setting}", "several words ".repeat(20));
        let section = Layout::plain(40).section("Fix", &text);
        assert!(
            section.lines().filter(|line| !line.contains("key:")).all(|line| line.chars().count() <= 40),
            "{section}"
        );
        assert!(section.contains(&setting));
        assert!(section.starts_with("\nFix\n  several words"));
    }

    #[test]
    fn a_command_is_not_broken() {
        assert_eq!(
            Layout::plain(40).line("one two three four five sixteen `a b c d e` x"),
            "one two three four five sixteen\n`a b c d e` x\n"
        );
    }

    #[test]
    fn items_are_numbered_and_hang() {
        let list =
            Layout::plain(40).numbered("Causes", &["one two three four five six seven eight".into(), "b".into()]);
        assert_eq!(list, "\nCauses\n  1. one two three four five six seven\n     eight\n  2. b\n");
    }
}
