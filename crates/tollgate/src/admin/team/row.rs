//! A team as LiteLLM shows it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use tollgate_policy::access::ScopeKind;
use tollgate_store::database::StoreError;
use tollgate_store::entity::{Column, Membership, NamedBudget, Team, TeamRole, User};

use crate::admin::desk::{Account, Desk};
use crate::admin::{budget, limits, money, row, time};

impl Desk {
    pub async fn team_row(&self, team: &Team) -> Result<Map<String, Value>, StoreError> {
        Ok(self.team_rows(std::slice::from_ref(team)).await?.pop().unwrap_or_default())
    }

    /// The rows of some teams, in the same order.
    pub async fn team_rows(&self, teams: &[Team]) -> Result<Vec<Map<String, Value>>, StoreError> {
        let budgets = self.named_budgets(teams.iter().filter_map(|team| team.budget_id.as_deref())).await?;
        let named = |team: &Team| budgets.get(team.budget_id.as_ref()?);
        let accounts: Vec<Account<'_>> = teams
            .iter()
            .map(|team| Account {
                kind: ScopeKind::Team,
                id: &team.id,
                window: limits::window_of(&team.limits, named(team).map(|named| &named.limits)),
            })
            .collect();
        let spent = self.spent(&accounts).await?;
        let mut rows = Vec::with_capacity(teams.len());
        for (team, spent) in teams.iter().zip(spent) {
            let members = self.database.find::<Membership>(Column::TeamId, &team.id).await?;
            let emails = self.emails(&members).await?;
            rows.push(self.row_of_team(team, spent, named(team), &members, &emails));
        }
        Ok(rows)
    }

    /// Addresses of members by user, of those who have one.
    pub async fn emails(&self, members: &[Membership]) -> Result<HashMap<String, String>, StoreError> {
        let mut emails = HashMap::new();
        for ids in members.chunks(100) {
            let ids = ids.iter().map(|member| member.user_id.clone()).collect();
            let query = tollgate_store::list::Query { size: 100, ..Default::default() };
            let query = query.and(tollgate_store::list::Condition::OneOf(Column::Id, ids));
            let users = self.database.list::<User>(&query).await?.items;
            emails.extend(users.into_iter().filter_map(|user| Some((user.id, user.email?))));
        }
        Ok(emails)
    }

    fn row_of_team(
        &self,
        team: &Team,
        spent: u64,
        named: Option<&NamedBudget>,
        members: &[Membership],
        emails: &HashMap<String, String>,
    ) -> Map<String, Value> {
        let with_roles: Vec<Value> = members
            .iter()
            .map(|member| {
                json!({"role": member.role, "user_id": member.user_id, "user_email": emails.get(&member.user_id)})
            })
            .collect();
        let ids = |role: TeamRole| -> Vec<&str> {
            members.iter().filter(|member| member.role == role).map(|member| member.user_id.as_str()).collect()
        };
        let defaults = &team.member_defaults;
        let member_budget = defaults.limits.budget;
        let mut shown = row::begin(json!({
            "team_id": team.id,
            "team_alias": team.alias,
            "organization_id": team.organisation_id,
            "admins": ids(TeamRole::Admin),
            "members": ids(TeamRole::User),
            "members_with_roles": with_roles,
            "metadata": team.metadata,
            "models": team.grants.models,
            "model_aliases": team.grants.aliases,
            "blocked": team.grants.blocked,
            "spend": money::dollars(spent),
            "budget_id": team.budget_id,
            "access_group_ids": team.access_groups,
            "tags": team.tags,
            "team_member_budget": money::dollars_or_null(member_budget.map(|budget| budget.max_nanos)),
            "team_member_budget_duration": member_budget.and_then(|budget| time::duration(budget.window)),
            "team_member_rpm_limit": defaults.limits.rates.requests_per_minute,
            "team_member_tpm_limit": defaults.limits.rates.tokens_per_minute,
            "team_member_key_duration": defaults.key_duration,
            "team_member_budget_id": defaults.budget_id,
            "team_member_permissions": defaults.permissions,
            "default_team_member_models": defaults.models,
        }));
        limits::write(&mut shown, &team.limits, &team.extra, self.now_ms, &self.zone);
        row::stamps(&mut shown, &team.stamps);
        let budget = named.map_or(Value::Null, |named| Value::Object(budget::row(named, self)));
        shown.insert("litellm_budget_table".into(), budget);
        row::extra(
            &mut shown,
            &team.extra,
            &[
                ("model_id", Value::Null),
                ("litellm_model_table", Value::Null),
                ("object_permission", Value::Null),
                ("guardrails", json!([])),
            ],
        );
        shown
    }
}
