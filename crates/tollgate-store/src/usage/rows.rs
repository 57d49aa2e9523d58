//! Rows of the ledger, the latest first, a page at a time. A page goes on behind a row, not behind a number of rows, so that the
//! thousandth costs what the first does.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::statement::Statement;
use super::{Filter, UsageError};
use crate::database::Database;

const HOUR_MS: i64 = 3_600_000;
/// Rows in one page at most.
pub const MOST: usize = 1000;

#[derive(Clone, Debug, Default)]
pub struct RowQuestion {
    pub from_ms: u64,
    pub to_ms: u64,
    pub filter: Filter,
    /// Where the last page ended.
    pub after: Option<Cursor>,
    pub most: usize,
}

/// The last row of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    at_ms: u64,
    charge: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at_ms, self.charge)
    }
}

impl FromStr for Cursor {
    type Err = UsageError;

    fn from_str(text: &str) -> Result<Cursor, UsageError> {
        let no_cursor = || UsageError::NoCursor(text.to_string());
        let (at_ms, charge) = text.split_once('.').ok_or_else(no_cursor)?;
        Ok(Cursor { at_ms: at_ms.parse().map_err(|_| no_cursor())?, charge: charge.to_string() })
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    pub rows: Vec<Row>,
    /// `None`: there are no more.
    pub next: Option<Cursor>,
}

/// A request in the ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Row {
    /// When it began.
    pub at_ms: u64,
    pub charge: String,
    pub request_id: String,
    pub key_hash: String,
    pub team_id: String,
    pub user_id: String,
    pub organisation_id: String,
    pub end_user: String,
    pub model: String,
    pub deployment: String,
    pub provider: String,
    pub upstream_model: String,
    pub status: String,
    #[serde(flatten)]
    pub tokens: RowTokens,
    pub cost_nanos: u64,
    pub estimated: bool,
    pub duration_ms: u64,
    pub first_token_ms: Option<u64>,
    pub attempts: u64,
    pub tags: Vec<String>,
}

/// As they are called outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RowTokens {
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    pub reasoning_tokens: u64,
}

const SELECT: &str = "SELECT u.at_ms, u.charge, u.request_id, p.key_hash, p.team_id, p.user_id, p.organisation_id, \
     p.end_user, p.model, p.deployment, p.provider, p.upstream_model, u.status, u.input_tokens, u.output_tokens, \
     u.cache_read_tokens, u.cache_write_tokens, u.reasoning_tokens, u.cost_nanos, u.estimated, u.duration_ms, \
     u.first_token_ms, u.attempts, u.tags FROM ledger u JOIN parties p ON p.id = u.party WHERE ";

/// The rows of one request: more than one if it was charged more than once.
pub async fn row(database: &Database, request_id: &str) -> Result<Vec<Row>, UsageError> {
    let mut statement = Statement::new(SELECT);
    statement.push("u.request_id = ");
    statement.text(request_id);
    statement.push(" ORDER BY u.at_ms, u.charge");
    read(statement, database).await
}

pub async fn page(database: &Database, question: &RowQuestion) -> Result<Page, UsageError> {
    let most = question.most.clamp(1, MOST);
    let mut rows: Vec<Row> = Vec::new();
    let mut after = question.after.clone();
    for (from_ms, to_ms) in stretches(database, question, most).await? {
        let found = stretch(database, question, from_ms, to_ms, after.as_ref(), most - rows.len()).await?;
        rows.extend(found);
        after = rows.last().map(cursor).or(after);
        if rows.len() >= most {
            break;
        }
    }
    let next = rows.last().map(cursor).filter(|_| rows.len() >= most);
    Ok(Page { rows, next })
}

fn cursor(row: &Row) -> Cursor {
    Cursor { at_ms: row.at_ms, charge: row.charge.clone() }
}

/// Where to look, the latest first. Of all requests everywhere; of some in the hours that have any: each has at least one, so there
/// are as many as rows are wanted at most, but for one that was read in part.
async fn stretches(database: &Database, question: &RowQuestion, most: usize) -> Result<Vec<(i64, i64)>, UsageError> {
    let (from_ms, to_ms) = (question.from_ms as i64, question.to_ms.min(i64::MAX as u64) as i64);
    let to_ms = question.after.as_ref().map_or(to_ms, |after| to_ms.min(after.at_ms as i64 + 1));
    let filter = &question.filter;
    if *filter == Filter::default() {
        return Ok(vec![(from_ms, to_ms)]);
    }
    let mut statement = Statement::new("SELECT u.hour_ms FROM ");
    // A tag's hours are of all who use it; the rows are then looked at one by one.
    statement.push(match (&filter.tag, filter.names_parties()) {
        (Some(_), false) => "tag_hours u",
        (_, true) => "usage_hours u JOIN parties p ON p.id = u.party",
        (None, false) => "usage_hours u",
    });
    statement.push(" WHERE u.hour_ms > ");
    statement.number(from_ms - HOUR_MS);
    statement.push(" AND u.hour_ms < ");
    statement.number(to_ms);
    filter.restrict(&mut statement);
    if let (Some(tag), false) = (&filter.tag, filter.names_parties()) {
        statement.push(" AND u.tag = ");
        statement.text(tag);
    }
    statement.push(" GROUP BY u.hour_ms ORDER BY u.hour_ms DESC LIMIT ");
    // With a tag and a party an hour need not have a row of both.
    statement.number(if filter.tag.is_some() { 10 * most as i64 } else { most as i64 + 1 });
    let hours = statement.rows(&database.pool).await?;
    let hours = hours.iter().map(|row| row.try_get::<i64, _>(0)).collect::<Result<Vec<_>, _>>()?;
    Ok(hours.into_iter().map(|hour| (hour.max(from_ms), (hour + HOUR_MS).min(to_ms))).collect())
}

async fn stretch(
    database: &Database,
    question: &RowQuestion,
    from_ms: i64,
    to_ms: i64,
    after: Option<&Cursor>,
    most: usize,
) -> Result<Vec<Row>, UsageError> {
    let mut statement = Statement::new(SELECT);
    statement.push("u.at_ms >= ");
    statement.number(from_ms);
    statement.push(" AND u.at_ms < ");
    statement.number(to_ms);
    if let Some(after) = after {
        statement.push(" AND (u.at_ms < ");
        statement.number(after.at_ms as i64);
        statement.push(" OR (u.at_ms = ");
        statement.number(after.at_ms as i64);
        statement.push(" AND u.charge < ");
        statement.text(&after.charge);
        statement.push("))");
    }
    question.filter.restrict(&mut statement);
    if let Some(tag) = &question.filter.tag {
        statement.push(" AND u.tags LIKE ");
        statement.text(&contains(tag)?);
        statement.push(" ESCAPE '!'");
    }
    statement.push(" ORDER BY u.at_ms DESC, u.charge DESC LIMIT ");
    statement.number(most as i64);
    read(statement, database).await
}

/// A pattern for a JSON list that has the text.
fn contains(tag: &str) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(tag)?;
    Ok(format!("%{}%", json.replace('!', "!!").replace('%', "!%").replace('_', "!_")))
}

async fn read(statement: Statement, database: &Database) -> Result<Vec<Row>, UsageError> {
    statement.rows(&database.pool).await?.iter().map(from_row).collect()
}

fn from_row(row: &AnyRow) -> Result<Row, UsageError> {
    let text = |index: usize| row.try_get::<String, _>(index);
    let number = |index: usize| row.try_get::<i64, _>(index).map(|number| number.max(0) as u64);
    let first_token_ms: i64 = row.try_get(21)?;
    Ok(Row {
        at_ms: number(0)?,
        charge: text(1)?,
        request_id: text(2)?,
        key_hash: text(3)?,
        team_id: text(4)?,
        user_id: text(5)?,
        organisation_id: text(6)?,
        end_user: text(7)?,
        model: text(8)?,
        deployment: text(9)?,
        provider: text(10)?,
        upstream_model: text(11)?,
        status: text(12)?,
        tokens: RowTokens {
            input_tokens: number(13)?,
            output_tokens: number(14)?,
            cache_read_tokens: number(15)?,
            cache_write_tokens: number(16)?,
            reasoning_tokens: number(17)?,
        },
        cost_nanos: number(18)?,
        estimated: number(19)? != 0,
        duration_ms: number(20)?,
        first_token_ms: u64::try_from(first_token_ms).ok(),
        attempts: number(22)?,
        tags: serde_json::from_str(&text(23)?)?,
    })
}
