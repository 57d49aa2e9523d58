//! What happened to a request: everything that is needed to explain it, bounded in size, without its content.

use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// One request, finished or under way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    pub id: String,
    /// Milliseconds since 1970.
    pub began_at_ms: u64,
    /// From here on all times are milliseconds since the request began. `None`: it is under way.
    pub ended_ms: Option<u64>,
    pub method: String,
    pub path: String,
    /// The client's own name for itself: its `user-agent`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
    pub dialect: String,
    /// The name that the client asked for.
    pub model: String,
    pub stream: bool,
    pub request_bytes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteTaken>,
    /// `None`: it did not have to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// Attempts that were left out because there were too many.
    #[serde(skip_serializing_if = "is_zero")]
    pub attempts_left_out: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// When the first content went to the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_content_ms: Option<u64>,
    pub outcome: Outcome,
    /// What the client was answered; 499 if it went away before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// One word for the failure that the client was told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The entry of the catalogue of errors that the message is known as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The message of the error that the client got.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub usage: Usage,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_nanos: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    #[default]
    UnderWay,
    Answered,
    Failed,
    ClientWentAway,
}

impl Outcome {
    pub fn word(self) -> &'static str {
        match self {
            Outcome::UnderWay => "under_way",
            Outcome::Answered => "answered",
            Outcome::Failed => "failed",
            Outcome::ClientWentAway => "client_went_away",
        }
    }

    pub fn from_word(word: &str) -> Option<Outcome> {
        use Outcome::*;
        [UnderWay, Answered, Failed, ClientWentAway].into_iter().find(|outcome| outcome.word() == word)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cached_tokens: u64,
    /// At least one count is our own.
    pub estimated: bool,
}

/// How a request waited for its turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Queue {
    /// The route for whose deployments it waited last.
    pub route: String,
    /// In all.
    pub waited_ms: u64,
    /// While it waits, how many go before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<usize>,
}

/// A route that was asked, and how its deployments stood.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RouteTaken {
    /// The route's name as configured.
    pub route: String,
    /// Why this route: the name asked for, or a fallback and of what.
    pub why: String,
    pub at_ms: u64,
    pub candidates: Vec<Candidate>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub deployment: String,
    pub provider: String,
    pub model: String,
    /// Why it has its place, or why it was not asked.
    pub verdict: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempt {
    pub deployment: String,
    pub provider: String,
    /// The provider's name for the model.
    pub model: String,
    /// Without credentials and query.
    pub url: String,
    pub began_ms: u64,
    pub body_bytes: u64,
    /// The upstream was asked for a stream.
    pub stream: bool,
    /// What was cured in this attempt after a refusal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cures: Vec<String>,
    /// It goes on where another attempt broke off.
    #[serde(skip_serializing_if = "is_false")]
    pub continues: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<u64>,
    /// `None`: it is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// `None`: it answered, or is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<AttemptFailure>,
    /// What was done next: tried another deployment, waited, gave up.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub then: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttemptFailure {
    /// A word of ours: `rate_limited`, `unreachable`, `timed_out_first_byte` …
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The upstream's own words.
    pub words: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The upstream's own id for the request, for its support.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_request_id: Option<String>,
}

/// The most of each list and text that a record holds: about 64 KB in all.
pub const MAX_ATTEMPTS: usize = 32;
pub const MAX_CANDIDATES: usize = 64;
pub const MAX_ROUTES: usize = 16;
pub const MAX_TEXT: usize = 1000;

impl Record {
    /// Adds an attempt; of too many the latest are kept, but for the first.
    pub fn push_attempt(&mut self, attempt: Attempt) {
        if self.attempts.len() >= MAX_ATTEMPTS {
            self.attempts.remove(1);
            self.attempts_left_out += 1;
        }
        self.attempts.push(attempt);
    }

    pub fn push_route(&mut self, mut route: RouteTaken) {
        route.candidates.truncate(MAX_CANDIDATES);
        if self.routes.len() < MAX_ROUTES {
            self.routes.push(route);
        }
    }
}

/// A text of bounded length.
pub fn bounded(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_false(value: &bool) -> bool {
    !*value
}
