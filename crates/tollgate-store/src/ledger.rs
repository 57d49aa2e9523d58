//! The ledger: one row per request, which says who used what and what it cost. Rows are only ever added.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollgate_policy::budget::PotKey;

pub mod apply;
mod many;
pub(crate) mod opening;
mod party;
pub mod retention;

pub use party::Parties;

/// What is known of a request when it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Begun {
    /// Unlike any other, for ever: with it a charge is applied once.
    pub charge: String,
    pub request_id: String,
    /// The windows that the charge falls in are those of this moment, whenever it ends. Milliseconds since 1970.
    pub at_ms: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub payer: Payer,
    /// The route's name.
    pub model: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pots: Vec<Counted>,
}

/// Who pays. Empty: nobody of that kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Payer {
    #[serde(skip_serializing_if = "is_default")]
    pub key_hash: Arc<str>,
    #[serde(skip_serializing_if = "is_default")]
    pub team_id: Arc<str>,
    #[serde(skip_serializing_if = "is_default")]
    pub user_id: Arc<str>,
    #[serde(skip_serializing_if = "is_default")]
    pub organisation_id: Arc<str>,
    #[serde(skip_serializing_if = "is_default")]
    pub end_user: Arc<str>,
}

/// A pot that a request counts in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub key: PotKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_ms: Option<u64>,
    /// The request was held against its cap.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_nanos: Option<u64>,
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Charge {
    pub deployment: String,
    pub provider: String,
    /// The provider's name for the model.
    pub upstream_model: String,
    #[serde(skip_serializing_if = "is_default")]
    pub tokens: Tokens,
    #[serde(skip_serializing_if = "is_default")]
    pub cost_nanos: u64,
    /// At least one count is our own.
    #[serde(skip_serializing_if = "is_default")]
    pub estimated: bool,
    #[serde(skip_serializing_if = "is_default")]
    pub status: Status,
    pub duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u64>,
    pub attempts: u32,
}

/// Disjoint, but for thinking, which is a part of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tokens {
    #[serde(skip_serializing_if = "is_default")]
    pub input: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub output: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub cache_read: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub cache_write: u64,
    #[serde(skip_serializing_if = "is_default")]
    pub reasoning: u64,
}

impl From<&tollgate_dialect::usage::Usage> for Tokens {
    fn from(usage: &tollgate_dialect::usage::Usage) -> Tokens {
        Tokens {
            input: usage.input.unwrap_or(0),
            output: usage.output.unwrap_or(0),
            cache_read: usage.cache_read.unwrap_or(0),
            cache_write: usage.cache_write.unwrap_or(0),
            reasoning: usage.reasoning.unwrap_or(0),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Answered,
    Failed,
    /// The client went away; what was seen until then is paid for.
    Aborted,
    /// The gateway ended in the middle; what was held is taken as spent.
    Interrupted,
}

impl Status {
    pub const ALL: [Status; 4] = [Status::Answered, Status::Failed, Status::Aborted, Status::Interrupted];

    pub fn word(self) -> &'static str {
        match self {
            Status::Answered => "answered",
            Status::Failed => "failed",
            Status::Aborted => "aborted",
            Status::Interrupted => "interrupted",
        }
    }

    pub fn from_word(word: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// Left out of the journal, of which every line is written and read once for each request.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A line of the ledger: a request from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub begun: Begun,
    pub charge: Charge,
}
