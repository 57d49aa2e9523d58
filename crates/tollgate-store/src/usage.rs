//! Questions about usage. Sums are read from hours and days, never from rows; rows are read a page at a time, from the hours that have any.

mod export;
mod parts;
mod rows;
mod statement;
mod sums;

pub use export::{Export, Format};
pub use rows::{Cursor, Page, Row, RowQuestion, page, row};
pub use sums::{By, Line, SumQuestion, Sums, sums};

use statement::Statement;

/// Which requests. What is not named matters not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub key_hash: Option<String>,
    pub team_id: Option<String>,
    pub user_id: Option<String>,
    pub organisation_id: Option<String>,
    pub end_user: Option<String>,
    /// The route's name.
    pub model: Option<String>,
    pub deployment: Option<String>,
    pub provider: Option<String>,
    pub status: Option<crate::ledger::Status>,
    pub tag: Option<String>,
}

impl Filter {
    /// The columns of `parties p` that are named.
    fn parties(&self) -> impl Iterator<Item = (&'static str, &String)> {
        [
            ("p.key_hash", &self.key_hash),
            ("p.team_id", &self.team_id),
            ("p.user_id", &self.user_id),
            ("p.organisation_id", &self.organisation_id),
            ("p.end_user", &self.end_user),
            ("p.model", &self.model),
            ("p.deployment", &self.deployment),
            ("p.provider", &self.provider),
        ]
        .into_iter()
        .filter_map(|(column, value)| Some((column, value.as_ref()?)))
    }

    fn names_parties(&self) -> bool {
        self.parties().next().is_some()
    }

    /// Conditions on `parties p` and on the status of `u`.
    fn restrict(&self, statement: &mut Statement) {
        for (column, value) in self.parties() {
            statement.push(&format!(" AND {column} = "));
            statement.text(value);
        }
        if let Some(status) = self.status {
            statement.push(" AND u.status = ");
            statement.text(status.word());
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    #[error(transparent)]
    Store(#[from] crate::database::StoreError),
    #[error("usage by tag can be asked for by day and status only: it is summed up for each tag alone")]
    TagsStandAlone,
    #[error("a page of usage cannot be continued from `{0}`")]
    NoCursor(String),
    #[error("usage cannot be written as Parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error("usage cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<sqlx::Error> for UsageError {
    fn from(error: sqlx::Error) -> UsageError {
        UsageError::Store(error.into())
    }
}
