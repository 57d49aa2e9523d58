//! Lists of entities, a page at a time.

use sqlx::{AssertSqlSafe, Row};

use crate::access::unsigned;
use crate::database::{Database, Kind, StoreError};
use crate::entity::{Column, Entity};

/// Which entities, in which order, and which page of them.
#[derive(Clone, Debug)]
pub struct Query {
    /// Every element has to hold; of its conditions one is enough.
    pub filter: Vec<Vec<Condition>>,
    pub sort: Column,
    pub descending: bool,
    /// Counted from 1.
    pub page: u32,
    /// Entities a page.
    pub size: u32,
}

impl Default for Query {
    fn default() -> Query {
        Query { filter: Vec::new(), sort: Column::CreatedAt, descending: true, page: 1, size: 25 }
    }
}

impl Query {
    /// One more condition that has to hold.
    #[must_use]
    pub fn and(mut self, condition: Condition) -> Query {
        self.filter.push(vec![condition]);
        self
    }

    /// One of the conditions has to hold.
    #[must_use]
    pub fn and_any(mut self, conditions: Vec<Condition>) -> Query {
        self.filter.push(conditions);
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Is(Column, String),
    OneOf(Column, Vec<String>),
    /// In any case of letters, of those in ASCII at least.
    Contains(Column, String),
    /// There is no value.
    Absent(Column),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Page<E> {
    pub items: Vec<E>,
    /// Of all pages.
    pub total: u64,
}

impl Database {
    pub async fn list<E: Entity>(&self, query: &Query) -> Result<Page<E>, StoreError> {
        let mut values = Vec::new();
        let filter = filter_text(self.kind, &query.filter, &mut values);
        let table = E::KIND.table();
        let order = if query.descending { "DESC" } else { "ASC" };
        let offset = u64::from(query.page.max(1) - 1) * u64::from(query.size);
        // A page beyond the last has no row to bring the total along, so the total is asked for by itself.
        let count = format!("SELECT COUNT(*) FROM {table}{filter}");
        let select = format!(
            "SELECT document FROM {table}{filter} ORDER BY {} {order}, id {order} LIMIT {} OFFSET {offset}",
            query.sort.name(),
            query.size
        );
        let mut count = sqlx::query(AssertSqlSafe(count));
        let mut select = sqlx::query(AssertSqlSafe(select));
        for value in values {
            count = count.bind(value.clone());
            select = select.bind(value);
        }
        let total: i64 = count.fetch_one(&self.pool).await?.try_get(0)?;
        let rows = select.fetch_all(&self.pool).await?;
        let items = rows.iter().map(|row| Ok(serde_json::from_str(&row.try_get::<String, _>(0)?)?));
        Ok(Page { items: items.collect::<Result<_, StoreError>>()?, total: unsigned(total) })
    }
}

/// ` WHERE …` with numbered places for the values, or nothing.
fn filter_text(kind: Kind, filter: &[Vec<Condition>], values: &mut Vec<String>) -> String {
    let all: Vec<String> = filter
        .iter()
        .map(|any| {
            let any: Vec<String> = any.iter().map(|condition| condition.text(kind, values)).collect();
            if any.is_empty() { "1 = 0".to_string() } else { format!("({})", any.join(" OR ")) }
        })
        .collect();
    if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
}

impl Condition {
    fn text(&self, kind: Kind, values: &mut Vec<String>) -> String {
        let mut place = |value: &str| {
            values.push(value.to_string());
            format!("${}", values.len())
        };
        match self {
            Condition::Is(column, value) => format!("{} = {}", column.name(), place(value)),
            Condition::OneOf(column, among) => {
                let places: Vec<String> = among.iter().map(|value| place(value)).collect();
                if places.is_empty() {
                    return "1 = 0".to_string();
                }
                format!("{} IN ({})", column.name(), places.join(", "))
            }
            Condition::Contains(column, part) => {
                // SQLite's LIKE takes no notice of case.
                let like = if kind == Kind::Postgres { "ILIKE" } else { "LIKE" };
                let escaped = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
                format!("{} {like} {} ESCAPE '\\'", column.name(), place(&format!("%{escaped}%")))
            }
            Condition::Absent(column) => format!("{} IS NULL", column.name()),
        }
    }
}
