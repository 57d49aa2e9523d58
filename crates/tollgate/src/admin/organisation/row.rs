//! An organisation as LiteLLM shows it.

use serde_json::{Map, Value, json};
use tollgate_policy::access::ScopeKind;
use tollgate_store::database::StoreError;
use tollgate_store::entity::{Column, NamedBudget, Organisation, OrganisationMember, Team};

use crate::admin::desk::{Account, Desk};
use crate::admin::{budget, limits, money, row};

impl Desk {
    pub async fn organisation_row(&self, organisation: &Organisation) -> Result<Map<String, Value>, StoreError> {
        let named = match &organisation.budget_id {
            Some(id) => self.database.get::<NamedBudget>(id).await?,
            None => None,
        };
        let window = limits::window_of(&organisation.limits, named.as_ref().map(|named| &named.limits));
        let spent = self.spent_by(Account { kind: ScopeKind::Organisation, id: &organisation.id, window }).await?;
        let teams = self.database.find::<Team>(Column::OrganisationId, &organisation.id).await?;
        let members = self.database.find::<OrganisationMember>(Column::OrganisationId, &organisation.id).await?;
        let teams: Vec<Value> =
            teams.iter().map(|team| json!({"team_id": team.id, "team_alias": team.alias})).collect();
        let members: Vec<Value> = members.iter().map(|member| self.organisation_member_row(member)).collect();
        let mut shown = row::begin(json!({
            "organization_id": organisation.id,
            "organization_alias": organisation.alias,
            "budget_id": organisation.budget_id,
            "models": organisation.grants.models,
            "blocked": organisation.grants.blocked,
            "spend": money::dollars(spent),
            "metadata": organisation.metadata,
            "teams": teams,
            "members": members,
        }));
        let mut own = Map::new();
        limits::write(&mut own, &organisation.limits, &organisation.extra, self.now_ms, &self.zone);
        let table = named.map_or_else(|| own.clone(), |named| budget::row(&named, self));
        shown.insert("litellm_budget_table".into(), Value::Object(table));
        shown.extend(own);
        row::stamps(&mut shown, &organisation.stamps);
        row::extra(&mut shown, &organisation.extra, &[]);
        Ok(shown)
    }

    pub fn organisation_member_row(&self, member: &OrganisationMember) -> Value {
        let mut budget = Map::new();
        limits::write(&mut budget, &member.limits, &member.extra, self.now_ms, &self.zone);
        let mut shown = row::begin(json!({
            "user_id": member.user_id,
            "organization_id": member.organisation_id,
            "user_role": member.role,
            "budget_id": member.budget_id,
            "litellm_budget_table": budget,
        }));
        row::stamps(&mut shown, &member.stamps);
        Value::Object(shown)
    }
}
