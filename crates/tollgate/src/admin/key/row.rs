//! A key as LiteLLM shows it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use tollgate_policy::access::ScopeKind;
use tollgate_store::database::StoreError;
use tollgate_store::entity::{NamedBudget, VirtualKey};

use super::fields::type_word;
use crate::admin::desk::{Account, Desk};
use crate::admin::{budget, limits, money, row, time};

pub type Row = Map<String, Value>;

impl Desk {
    /// The rows of some keys, in the same order.
    pub async fn key_rows(&self, keys: &[VirtualKey]) -> Result<Vec<Row>, StoreError> {
        let budgets = self.named_budgets(keys.iter().filter_map(|key| key.budget_id.as_deref())).await?;
        let named = |key: &VirtualKey| budgets.get(key.budget_id.as_ref()?);
        let accounts: Vec<Account<'_>> = keys
            .iter()
            .map(|key| Account {
                kind: ScopeKind::Key,
                id: key.account(),
                window: limits::window_of(&key.limits, named(key).map(|named| &named.limits)),
            })
            .collect();
        let spent = self.spent(&accounts).await?;
        let hashes: Vec<&str> = keys.iter().map(|key| key.hash.as_str()).collect();
        let used = self.database.last_used(&hashes).await?;
        let rows = keys.iter().zip(spent).map(|(key, spent)| {
            let mut row = self.key_row(key, spent, named(key));
            let here = self.app.store().and_then(|store| store.uses.last(&key.hash));
            row.insert("last_active".into(), time::iso_or_null(here.max(used.get(&key.hash).copied())));
            row
        });
        Ok(rows.collect())
    }

    pub async fn one_key_row(&self, key: &VirtualKey) -> Result<Row, StoreError> {
        Ok(self.key_rows(std::slice::from_ref(key)).await?.pop().unwrap_or_default())
    }

    /// Named budgets by id.
    pub async fn named_budgets(
        &self,
        ids: impl Iterator<Item = &str>,
    ) -> Result<HashMap<String, NamedBudget>, StoreError> {
        let mut budgets = HashMap::new();
        for id in ids {
            if !budgets.contains_key(id)
                && let Some(budget) = self.database.get::<NamedBudget>(id).await?
            {
                budgets.insert(id.to_string(), budget);
            }
        }
        Ok(budgets)
    }

    fn key_row(&self, key: &VirtualKey, spent: u64, named: Option<&NamedBudget>) -> Row {
        let grants = &key.grants;
        let mut shown = row::begin(json!({
            "token": key.hash,
            "key_name": key.name,
            "key_alias": key.alias,
            "spend": money::dollars(spent),
            "expires": time::iso_or_null(grants.expires_at_ms),
            "models": grants.models,
            "aliases": grants.aliases,
            "user_id": key.user_id,
            "team_id": key.team_id,
            "organization_id": key.organisation_id,
            "project_id": key.project_id,
            "budget_id": key.budget_id,
            "end_user_budget_id": key.end_user_budget_id,
            "key_type": type_word(key.key_type),
            "blocked": grants.blocked,
            "allowed_routes": grants.routes,
            "allowed_ips": grants.addresses,
            "access_group_ids": key.access_groups,
            "tags": key.tags,
            "metadata": key.metadata,
        }));
        limits::write(&mut shown, &key.limits, &key.extra, self.now_ms, &self.zone);
        row::stamps(&mut shown, &key.stamps);
        let budget = named.map_or(Value::Null, |named| Value::Object(budget::row(named, self)));
        shown.insert("litellm_budget_table".into(), budget);
        let object = || json!({});
        row::extra(
            &mut shown,
            &key.extra,
            &[
                ("config", object()),
                ("permissions", object()),
                ("model_spend", object()),
                ("allowed_cache_controls", json!([])),
                ("guardrails", json!([])),
                ("object_permission", Value::Null),
            ],
        );
        shown
    }
}
