//! `/key/*`: virtual keys.

mod change;
mod create;
mod fields;
mod list;
mod row;
pub mod secret;

use serde_json::{Value, json};

use super::desk::{Asked, Desk};
use super::error::ApiError;
use super::permit::{Right, Subject};

pub use change::{block, delete, regenerate, reset_spend, unblock, update};
pub use list::{aliases, list};

/// `POST /key/generate`
pub async fn generate(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    Ok(Value::Object(desk.make_key(asked.fields).await?))
}

/// `POST /key/service-account/generate`: a key of a team and of no user.
pub async fn generate_for_service(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let team = asked.fields.needed("team_id")?;
    asked.fields.set("team_id", json!(team));
    asked.fields.set("user_id", Value::Null);
    Ok(Value::Object(desk.make_key(asked.fields).await?))
}

/// `GET /key/info?key=`; without it, the key that asks.
pub async fn info(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let named = match (asked.query.text("key"), desk.key_hash()) {
        (Some(key), _) => key,
        (None, Some(own)) => own,
        (None, None) => return Err(ApiError::invalid("key", "is missing: the master key has no row of its own")),
    };
    let key = desk.key(named).await?;
    desk.reach().await?.check(Right::See, Subject::Key(&key))?;
    let mut row = desk.one_key_row(&key).await?;
    row.shift_remove("token");
    Ok(json!({"key": named, "info": row}))
}

/// `POST /v2/key/info`
pub async fn infos(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let named = asked.fields.texts("keys")?.value().unwrap_or_default();
    if named.len() > list::MOST as usize {
        return Err(ApiError::invalid("keys", format!("may name {} keys at once", list::MOST)));
    }
    let reach = desk.reach().await?;
    let mut keys = Vec::with_capacity(named.len());
    for key in &named {
        let key = desk.key(key).await?;
        reach.check(Right::See, Subject::Key(&key))?;
        keys.push(key);
    }
    let mut rows = desk.key_rows(&keys).await?;
    rows.iter_mut().for_each(|row| drop(row.shift_remove("token")));
    Ok(json!({"key": named, "info": rows}))
}
