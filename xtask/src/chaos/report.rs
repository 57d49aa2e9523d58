//! What a run showed.

use std::fmt;

#[derive(Debug, Default)]
pub struct Report {
    figures: Vec<(String, String)>,
    /// What does not add up.
    pub problems: Vec<String>,
}

impl Report {
    pub fn figure(&mut self, name: impl Into<String>, value: impl fmt::Display) {
        self.figures.push((name.into(), value.to_string()));
    }

    pub fn problem(&mut self, what: impl Into<String>) {
        self.problems.push(what.into());
    }

    /// A problem unless it holds.
    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.problem(what());
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.figures {
            writeln!(f, "{name:<58} {value}")?;
        }
        for problem in self.problems.iter().take(SHOWN) {
            writeln!(f, "DOES NOT ADD UP: {problem}")?;
        }
        match self.problems.len() {
            0 => writeln!(f, "All of it adds up."),
            more if more > SHOWN => writeln!(f, "… and {} more", more - SHOWN),
            _ => Ok(()),
        }
    }
}

/// Of many problems the first are enough to begin with.
const SHOWN: usize = 30;
