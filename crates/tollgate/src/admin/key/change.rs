//! Changing keys: fields, a new secret, what was spent.

use serde_json::{Value, json};
use tollgate_policy::access::ScopeKind;
use tollgate_store::entity::{EntityKind, VirtualKey};

use super::fields;
use super::secret::{NewKey, id_of};
use crate::admin::desk::{Asked, Desk};
use crate::admin::error::ApiError;
use crate::admin::field::Fields;
use crate::admin::permit::{Reach, Right, Subject};
use crate::admin::{money, time};

/// `POST /key/update`
pub async fn update(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let named = asked.fields.needed("key")?;
    let key = change(desk, &named, asked.fields).await?;
    let mut row = desk.one_key_row(&key).await?;
    row.insert("key".into(), json!(named));
    Ok(Value::Object(row))
}

async fn change(desk: &Desk, named: &str, mut fields: Fields) -> Result<VirtualKey, ApiError> {
    let reach = desk.reach().await?;
    let spend = fields.nanos("spend")?.value();
    let old = desk.key(named).await?;
    reach.check(Right::Change, Subject::Key(&old))?;
    let mut key = old.clone();
    fields::read(fields.clone(), &mut key, desk.now_ms)?;
    if (&key.user_id, &key.team_id, &key.organisation_id, &key.budget_id)
        != (&old.user_id, &old.team_id, &old.organisation_id, &old.budget_id)
    {
        desk.check_owner(&key, &reach).await?;
    }
    may_widen(desk, &reach, &old, &key, spend)?;
    let key = desk.rewrite::<VirtualKey>(&old.hash, |key| fields::read(fields, key, desk.now_ms)).await?;
    if let Some(nanos) = spend {
        desk.set_spent(ScopeKind::Key, key.account(), nanos).await?;
    }
    Ok(key)
}

/// Who was given a key with bounds does not move them.
fn may_widen(
    desk: &Desk,
    reach: &Reach,
    old: &VirtualKey,
    new: &VirtualKey,
    spend: Option<u64>,
) -> Result<(), ApiError> {
    let Some(own) = reach.own() else { return Ok(()) };
    if spend.is_some() {
        return Err(ApiError::Forbidden("only an administrator may say what a key has spent".to_string()));
    }
    let leads = old.team_id.as_ref().is_some_and(|team| own.admin_of_teams.contains(team))
        || old.organisation_id.as_ref().is_some_and(|id| own.admin_of_organisations.contains(id));
    let made_it = old.stamps.created_by.is_some() && old.stamps.created_by.as_deref() == desk.user_id();
    let same = old.limits == new.limits
        && old.grants == new.grants
        && old.budget_id == new.budget_id
        && old.access_groups == new.access_groups
        && old.key_type == new.key_type;
    if leads || made_it || same {
        return Ok(());
    }
    Err(ApiError::Forbidden(
        "the limits, models and end of this key were set by an administrator, who alone may change them".to_string(),
    ))
}

/// `POST /key/{key}/regenerate` and `/key/regenerate`: another secret for the same key, which goes on with its budget.
pub async fn regenerate(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let in_body = asked.fields.text("key")?.value();
    let named = asked.path.pop().or(in_body).ok_or_else(|| ApiError::invalid("key", "is missing"))?;
    let secret = NewKey::new(asked.fields.text("new_key")?.value())?;
    let grace = asked.fields.expiry("grace_period", desk.now_ms)?.value();
    asked.fields.json("new_master_key");
    let reach = desk.reach().await?;
    let old = desk.key(&named).await?;
    reach.check(Right::Change, Subject::Key(&old))?;
    let mut key = VirtualKey {
        hash: secret.hash.clone(),
        name: Some(secret.name),
        account: Some(old.account().to_string()),
        ..old.clone()
    };
    fields::read(asked.fields, &mut key, desk.now_ms)?;
    may_widen(desk, &reach, &old, &key, None)?;
    desk.check_owner(&key, &reach).await?;
    let mut write = desk.write().await?;
    match grace {
        Some(until_ms) => {
            let mut old = old;
            old.alias = None;
            old.grants.expires_at_ms = Some(old.grants.expires_at_ms.map_or(until_ms, |end| end.min(until_ms)));
            write.put(old).await?;
        }
        None => {
            write.delete::<VirtualKey>(&old.hash).await?;
        }
    }
    let key = write.create(key).await?;
    desk.commit(write).await?;
    let mut row = desk.one_key_row(&key).await?;
    row.insert("key".into(), json!(secret.clear));
    row.insert("token_id".into(), json!(key.hash));
    Ok(Value::Object(row))
}

/// `POST /key/block` and `/key/unblock`
pub async fn block(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    set_blocked(desk, asked, true).await
}

pub async fn unblock(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    set_blocked(desk, asked, false).await
}

async fn set_blocked(desk: &Desk, mut asked: Asked, blocked: bool) -> Result<Value, ApiError> {
    let key = desk.key(&asked.fields.needed("key")?).await?;
    let reach = desk.reach().await?;
    reach.check(Right::Change, Subject::Key(&key))?;
    // An administrator's block is not for its owner to lift.
    let changed =
        VirtualKey { grants: tollgate_policy::access::Grants { blocked, ..key.grants.clone() }, ..key.clone() };
    if !blocked {
        may_widen(desk, &reach, &key, &changed, None)?;
    }
    let key = desk.rewrite::<VirtualKey>(&key.hash, |key| {
        key.grants.blocked = blocked;
        Ok(())
    });
    let key = key.await?;
    Ok(Value::Object(desk.one_key_row(&key).await?))
}

/// `POST /key/{key}/reset_spend`
pub async fn reset_spend(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    if !desk.is_admin() {
        return Err(ApiError::Forbidden("only an administrator may say what a key has spent".to_string()));
    }
    let key = desk.key(&asked.path.pop().unwrap_or_default()).await?;
    let nanos = asked.fields.nanos("reset_to")?.value().unwrap_or(0);
    let before = desk.one_key_row(&key).await?;
    desk.set_spent(ScopeKind::Key, key.account(), nanos).await?;
    Ok(json!({
        "key_hash": key.hash,
        "spend": money::dollars(nanos),
        "previous_spend": before.get("spend"),
        "max_budget": before.get("max_budget"),
        "budget_reset_at": before.get("budget_reset_at"),
        "reset_at": time::iso(desk.now_ms),
    }))
}

/// `POST /key/delete`
pub async fn delete(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let named = asked.fields.texts("keys")?.value().unwrap_or_default();
    let aliases = asked.fields.texts("key_aliases")?.value().unwrap_or_default();
    if named.is_empty() && aliases.is_empty() {
        return Err(ApiError::invalid("keys", "is missing: a list of keys, or of their aliases as `key_aliases`"));
    }
    let mut keys = Vec::new();
    for key in &named {
        keys.push(desk.key(key).await?);
    }
    for alias in &aliases {
        keys.push(desk.key_by_alias(alias).await?);
    }
    let reach = desk.reach().await?;
    for key in &keys {
        reach.check(Right::Change, Subject::Key(key))?;
    }
    let mut write = desk.write().await?;
    for key in &keys {
        write.delete::<VirtualKey>(&key.hash).await?;
    }
    desk.commit(write).await?;
    let deleted: Vec<String> =
        named.iter().cloned().chain(keys[named.len()..].iter().map(|key| key.hash.clone())).collect();
    Ok(json!({"deleted_keys": deleted}))
}

impl Desk {
    /// A key by itself or by its hash.
    pub async fn key(&self, named: &str) -> Result<VirtualKey, ApiError> {
        let hash = id_of(named);
        self.database.get(&hash).await?.ok_or_else(|| ApiError::not_found(EntityKind::Key, &hash))
    }

    async fn key_by_alias(&self, alias: &str) -> Result<VirtualKey, ApiError> {
        let found = self.database.find(tollgate_store::entity::Column::Alias, alias).await?;
        found.into_iter().next().ok_or_else(|| ApiError::not_found(EntityKind::Key, alias))
    }
}
