//! The table of refusals. The words of vendors stand here and nowhere else.
//!
//! The first row whose words fit, whose condition on what was sent holds, and that finds in the words what it needs, decides.

use super::words::{Found, find_all};
use super::{Fact, Refusal};

mod api;
mod converse;
mod gemini;
mod messages;
mod parameters;
mod reasoning;
mod size;
mod tools;

pub struct Row {
    /// Unique; what tests and documents call it.
    pub id: &'static str,
    pub words: Words,
    /// What the request must have had: a cure for what was not sent is none.
    pub sent: fn(&Refusal<'_>) -> bool,
    pub teaches: fn(&Refusal<'_>, &Found) -> Option<Fact>,
    /// What is done, in the words of the documentation.
    pub repair: &'static str,
    /// The name in `x-tollgate-changes`; `*` stands for a name out of the request.
    pub reports: &'static str,
    /// Refusals as vendors wrote them, each with the vendor and where and when it was seen.
    pub seen: &'static [(&'static str, &'static str)],
}

pub enum Words {
    /// One of these [patterns](super::words).
    Any(&'static [&'static str]),
    /// Any of the ways to say that a parameter is not known or not taken: [`REFUSALS`], or a code and a `param`.
    Parameter,
}

impl Row {
    pub fn teaches(&self, refusal: &Refusal<'_>) -> Option<Fact> {
        let (patterns, coded) = match &self.words {
            Words::Any(patterns) => (*patterns, None),
            Words::Parameter => (REFUSALS, refusal.coded_param()),
        };
        let found = patterns.iter().flat_map(|pattern| find_all(pattern, &refusal.words));
        let mut found = coded.into_iter().chain(found).peekable();
        found.peek()?;
        if !(self.sent)(refusal) {
            return None;
        }
        found.find_map(|found| (self.teaches)(refusal, &found))
    }
}

impl Refusal<'_> {
    /// OpenAI's `param`, where the code says that it is the parameter that is refused.
    fn coded_param(&self) -> Option<Found> {
        let codes = ["unsupported_parameter", "unsupported_value", "unknown_parameter"];
        let coded = self.error.code.as_deref().is_some_and(|code| codes.contains(&code));
        let name = self.error.param.as_deref().filter(|_| coded)?;
        Some(Found { name: super::words::plain(name), ..Found::default() })
    }
}

/// Ways in which a body says "this parameter is not for me".
const REFUSALS: &[&str] = &[
    "unrecognized request argument supplied: {}",
    "unrecognized request arguments supplied: {}",
    "unsupported parameter: {}",
    "unsupported value: {} does not",
    "extra inputs are not permitted, field: {}",
    "validation error at {}: extra inputs",
    "unknown parameter: {}",
    "unknown parameter {}",
    "unknown field: {}",
    "unknown field {}",
    "unexpected field {}",
    "unexpected keyword argument {}",
    "unknown name {}",
    "property {} is unsupported",
    "parameter {} is not supported",
    "parameter {} not supported",
    "parameter: {} is not supported",
    "argument not supported: {}",
    "argument not supported on this model: {}",
    "does not support parameter {}",
    "does not support the parameter {}",
    "does not support the {} parameter",
    "does not support parameters: {}",
    "additional properties are not allowed ({} was unexpected)",
    "{}: extra inputs are not permitted",
    "{} is not supported",
    "{} does not support",
    "{} is not allowed",
];

const GROUPS: [&[Row]; 8] = [
    api::ROWS,
    converse::ROWS,
    size::ROWS,
    gemini::ROWS,
    tools::ROWS,
    reasoning::ROWS,
    messages::ROWS,
    parameters::ROWS,
];

/// All rows, in the order in which they are tried.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    GROUPS.into_iter().flatten()
}

fn anything(_: &Refusal<'_>) -> bool {
    true
}

/// The table as the documentation shows it.
pub fn markdown() -> String {
    let mut page = String::from("| refusal, for example | repair | reported as |\n|---|---|---|\n");
    for row in rows() {
        let (words, source) = row.seen[0];
        let words = words.replace('\n', " ").replace('|', "\\|");
        let quoted = if words.contains('`') { format!("`` {words} ``") } else { format!("`{words}`") };
        page.push_str(&format!("| {quoted} ({source}) | {} | `repaired:{}` |\n", row.repair, row.reports));
    }
    page
}
