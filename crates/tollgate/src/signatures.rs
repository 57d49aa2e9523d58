//! Error texts that people meet, of clients, providers and gateways, and what is behind each.
//!
//! The catalogue is data: one file of `signatures/` per topic, with the columns explained in [`Signature`]. A pasted text is
//! brought to a form in which wrapping, quoting and punctuation do not count ([`text`]), and held against every pattern
//! ([`pattern`]). The pages under `docs/errors` are made of the same data ([`page`]).

use std::cmp::Reverse;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub mod page;
mod pattern;
#[cfg(test)]
mod tests;
mod text;

use pattern::Pattern;
use text::Text;

/// The topics in the order of the index; within a topic the file's order counts.
const TOPICS: [&str; 15] = [
    include_str!("signatures/clients.toml"),
    include_str!("signatures/litellm.toml"),
    include_str!("signatures/tollgate.toml"),
    include_str!("signatures/keys.toml"),
    include_str!("signatures/money.toml"),
    include_str!("signatures/rates.toml"),
    include_str!("signatures/models.toml"),
    include_str!("signatures/network.toml"),
    include_str!("signatures/context.toml"),
    include_str!("signatures/output.toml"),
    include_str!("signatures/messages.toml"),
    include_str!("signatures/thinking.toml"),
    include_str!("signatures/tools.toml"),
    include_str!("signatures/policy.toml"),
    include_str!("signatures/statuses.toml"),
];

/// Read with the first error that is told or explained: 6 ms, and 10 MB that a gateway without errors does without.
static CATALOGUE: LazyLock<Vec<Topic>> = LazyLock::new(|| {
    let parse = |toml| toml::from_str(toml).expect("the embedded catalogue is read by a test");
    TOPICS.into_iter().map(parse).collect()
});

/// A file of the catalogue: a chapter of the index.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    pub title: String,
    #[serde(rename = "signature")]
    pub signatures: Vec<Signature>,
}

/// A kind of failure that can be told by its words.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// In kebab-case; also the name of its page.
    pub id: String,
    pub title: String,
    /// The acceptance rows that it answers.
    #[serde(default, skip_serializing)]
    pub rows: Vec<String>,
    /// The programs and services that say it.
    pub who: Vec<String>,
    /// The wording, see [`Pattern`]. One of them is enough.
    #[serde(skip_serializing)]
    patterns: Vec<Pattern>,
    #[serde(default, skip_serializing)]
    says: Says,
    pub meaning: String,
    /// The likeliest first.
    pub causes: Vec<String>,
    /// The one command or observation that tells the causes apart.
    pub check: String,
    pub fix: String,
    /// What Tollgate does about it by itself.
    pub tollgate: String,
    /// Texts as people paste them.
    pub examples: Vec<String>,
    /// Pages under `docs/`, with anchors.
    #[serde(default, skip_serializing)]
    see: Vec<String>,
}

/// How much the words of a signature tell; what tells more goes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Says {
    /// One kind of failure.
    #[default]
    Cause,
    /// A class of failures; often a wrapper around words that tell more.
    Class,
    /// No more than a status, which is not worth naming beside anything else.
    Status,
}

pub fn topics() -> &'static [Topic] {
    &CATALOGUE
}

/// What a text is known as, the most telling signature first.
pub fn matching(text: &str) -> Vec<&'static Signature> {
    let text = Text::new(text);
    let signatures = topics().iter().flat_map(|topic| &topic.signatures);
    let mut found: Vec<(usize, &Signature)> =
        signatures.filter_map(|signature| Some((signature.weight_in(&text)?, signature))).collect();
    found.sort_by_key(|(weight, signature)| (signature.says, Reverse(*weight)));
    if found.first().is_some_and(|(_, first)| first.says < Says::Status) {
        found.retain(|(_, signature)| signature.says < Says::Status);
    }
    found.into_iter().map(|(_, signature)| signature).collect()
}

/// The most telling signature of a text.
pub fn best(text: &str) -> Option<&'static Signature> {
    matching(text).into_iter().next()
}

impl Signature {
    /// How much of the text its longest matching pattern accounts for.
    fn weight_in(&self, text: &Text) -> Option<usize> {
        self.patterns.iter().filter(|pattern| pattern.is_in(text)).map(Pattern::weight).max()
    }
}
