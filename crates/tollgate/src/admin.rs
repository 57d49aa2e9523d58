//! The management API: keys, teams, users, budgets and what belongs to them, over LiteLLM's paths with LiteLLM's fields.
//!
//! A request is an object of fields. A handler takes those that it knows, one by one ([`field`]); of each, absent keeps what is
//! there, null clears it. What no handler knows is kept with the entity and shown again. Read `routes.rs` first.

mod access_group;
mod audit;
mod budget;
mod customer;
pub(crate) mod desk;
pub(crate) mod error;
pub(crate) mod field;
mod key;
mod limits;
mod model;
mod money;
mod organisation;
mod permit;
pub(crate) mod query;
pub(crate) mod routes;
mod row;
mod spend;
mod team;
mod time;
mod user;

use tollgate_store::entity::Column;

use error::ApiError;
use query::Query;
pub(crate) use spend::File;

/// The column that `sort_by` names.
fn sort(query: &Query, columns: &[(&str, Column)], usual: Column) -> Result<Column, ApiError> {
    let Some(wanted) = query.text("sort_by") else { return Ok(usual) };
    let found = columns.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, column)| *column).ok_or_else(|| {
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        ApiError::invalid("sort_by", format!("must be one of {}", names.join(", ")))
    })
}
