//! Sums over hours and days, by whatever requests have in common.

use jiff::tz::TimeZone;
use serde::Serialize;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::parts::{Part, parts};
use super::statement::Statement;
use super::{Filter, UsageError};
use crate::database::Database;

/// What requests have in common in a line of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The day's first moment, in milliseconds since 1970: of the zone's calendar.
    Day,
    Key,
    Team,
    User,
    Organisation,
    EndUser,
    /// The route's name.
    Model,
    Deployment,
    Provider,
    UpstreamModel,
    Status,
    /// A request with two tags is in two lines.
    Tag,
}

impl By {
    fn column(self) -> &'static str {
        match self {
            By::Day => "CAST(u.day_ms AS TEXT)",
            By::Key => "p.key_hash",
            By::Team => "p.team_id",
            By::User => "p.user_id",
            By::Organisation => "p.organisation_id",
            By::EndUser => "p.end_user",
            By::Model => "p.model",
            By::Deployment => "p.deployment",
            By::Provider => "p.provider",
            By::UpstreamModel => "p.upstream_model",
            By::Status => "u.status",
            By::Tag => "u.tag",
        }
    }

    fn is_of_a_party(self) -> bool {
        self.column().starts_with("p.")
    }
}

/// Whole hours count: those that begin in the range, and the one that it begins in. They are hours of the zone's clocks, so days are
/// exact in a zone whose offset is not whole hours too.
#[derive(Clone, Debug, Default)]
pub struct SumQuestion {
    pub from_ms: u64,
    pub to_ms: u64,
    pub by: Vec<By>,
    pub filter: Filter,
    /// The most expensive lines only.
    pub most: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// One text for each `by`, in the same order.
    pub of: Vec<String>,
    pub sums: Sums,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    pub requests: u64,
    /// Of these.
    pub failed: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    pub reasoning_tokens: u64,
    pub cost_nanos: u64,
}

/// Lines in the order of what they cost, the most expensive first.
pub async fn sums(database: &Database, zone: &TimeZone, question: &SumQuestion) -> Result<Vec<Line>, UsageError> {
    let Some(statement) = statement(question, zone)? else { return Ok(Vec::new()) };
    let rows = statement.rows(&database.pool).await?;
    Ok(rows.iter().map(|row| line(row, question.by.len())).collect::<Result<_, sqlx::Error>>()?)
}

/// `None`: the range is empty.
fn statement(question: &SumQuestion, zone: &TimeZone) -> Result<Option<Statement>, UsageError> {
    let SumQuestion { by, filter, .. } = question;
    let of_parties = by.iter().any(|by| by.is_of_a_party()) || filter.names_parties();
    let of_tags = by.contains(&By::Tag) || filter.tag.is_some();
    if of_tags && of_parties {
        return Err(UsageError::TagsStandAlone);
    }
    let parts = parts(question.from_ms, question.to_ms, zone);
    if parts.is_empty() {
        return Ok(None);
    }
    let columns: Vec<&str> = by.iter().map(|by| by.column()).collect();
    let mut statement = Statement::new("SELECT ");
    columns.iter().for_each(|column| statement.push(&format!("{column}, ")));
    statement.push(
        "CAST(COALESCE(SUM(u.requests), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN u.status = 'failed' THEN u.requests ELSE 0 END), 0) AS BIGINT), \
         CAST(COALESCE(SUM(u.input_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(u.output_tokens), 0) AS BIGINT), \
         CAST(COALESCE(SUM(u.cache_read_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(u.cache_write_tokens), 0) AS BIGINT), \
         CAST(COALESCE(SUM(u.reasoning_tokens), 0) AS BIGINT), CAST(COALESCE(SUM(u.cost_nanos), 0) AS BIGINT) AS cost \
         FROM (",
    );
    for (index, part) in parts.iter().enumerate() {
        statement.push(if index == 0 { "" } else { " UNION ALL " });
        select_part(&mut statement, part, of_tags);
    }
    statement.push(") u");
    if of_parties {
        statement.push(" JOIN parties p ON p.id = u.party");
    }
    statement.push(" WHERE 1 = 1");
    filter.restrict(&mut statement);
    if let Some(tag) = &filter.tag {
        statement.push(" AND u.tag = ");
        statement.text(tag);
    }
    if !columns.is_empty() {
        statement.push(&format!(" GROUP BY {}", columns.join(", ")));
    }
    statement.push(" ORDER BY cost DESC");
    columns.iter().for_each(|column| statement.push(&format!(", {column}")));
    if let Some(most) = question.most {
        statement.push(" LIMIT ");
        statement.number(i64::from(most));
    }
    Ok(Some(statement))
}

fn select_part(statement: &mut Statement, part: &Part, of_tags: bool) {
    statement.push("SELECT ");
    match part.day_ms {
        Some(day_ms) => statement.number(day_ms as i64),
        None => statement.push("day_ms"),
    }
    let of = if of_tags { "tag" } else { "party" };
    let (table, time) = match (of_tags, part.day_ms) {
        (false, None) => ("usage_days", "day_ms"),
        (false, Some(_)) => ("usage_hours", "hour_ms"),
        (true, None) => ("tag_days", "day_ms"),
        (true, Some(_)) => ("tag_hours", "hour_ms"),
    };
    statement.push(&format!(
        " AS day_ms, {of}, status, requests, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, \
         reasoning_tokens, cost_nanos FROM {table} WHERE {time} >= "
    ));
    statement.number(part.from_ms as i64);
    statement.push(&format!(" AND {time} < "));
    statement.number(part.to_ms as i64);
}

fn line(row: &AnyRow, by: usize) -> Result<Line, sqlx::Error> {
    let of = (0..by).map(|index| row.try_get(index)).collect::<Result<_, _>>()?;
    let sum = |index: usize| row.try_get::<i64, _>(by + index).map(|sum| sum.max(0) as u64);
    let sums = Sums {
        requests: sum(0)?,
        failed: sum(1)?,
        input_tokens: sum(2)?,
        output_tokens: sum(3)?,
        cache_read_tokens: sum(4)?,
        cache_write_tokens: sum(5)?,
        reasoning_tokens: sum(6)?,
        cost_nanos: sum(7)?,
    };
    Ok(Line { of, sums })
}
