//! A user as LiteLLM shows it.

use serde_json::{Map, Value, json};
use tollgate_policy::access::ScopeKind;
use tollgate_store::database::StoreError;
use tollgate_store::entity::{Column, Membership, OrganisationMember, Team, User};

use crate::admin::desk::{Account, Desk};
use crate::admin::{limits, money, row};

impl Desk {
    pub async fn user_row(&self, user: &User) -> Result<Map<String, Value>, StoreError> {
        Ok(self.user_rows(std::slice::from_ref(user)).await?.pop().unwrap_or_default())
    }

    /// The rows of some users, in the same order.
    pub async fn user_rows(&self, users: &[User]) -> Result<Vec<Map<String, Value>>, StoreError> {
        let budgets = self.named_budgets(users.iter().filter_map(|user| user.budget_id.as_deref())).await?;
        let named = |user: &User| budgets.get(user.budget_id.as_ref()?);
        let accounts: Vec<Account<'_>> = users
            .iter()
            .map(|user| Account {
                kind: ScopeKind::User,
                id: &user.id,
                window: limits::window_of(&user.limits, named(user).map(|named| &named.limits)),
            })
            .collect();
        let spent = self.spent(&accounts).await?;
        let mut rows = Vec::with_capacity(users.len());
        for (user, spent) in users.iter().zip(spent) {
            let teams = self.database.find::<Membership>(Column::UserId, &user.id).await?;
            let organisations = self.database.find::<OrganisationMember>(Column::UserId, &user.id).await?;
            rows.push(self.row_of_user(user, spent, &teams, &organisations));
        }
        Ok(rows)
    }

    pub async fn teams_of_user(&self, id: &str) -> Result<Vec<Team>, StoreError> {
        let mut teams = Vec::new();
        for membership in self.database.find::<Membership>(Column::UserId, id).await? {
            teams.extend(self.database.get::<Team>(&membership.team_id).await?);
        }
        Ok(teams)
    }

    fn row_of_user(
        &self,
        user: &User,
        spent: u64,
        teams: &[Membership],
        organisations: &[OrganisationMember],
    ) -> Map<String, Value> {
        let teams: Vec<&str> = teams.iter().map(|member| member.team_id.as_str()).collect();
        let memberships: Vec<Value> = organisations
            .iter()
            .map(|member| json!({"organization_id": member.organisation_id, "user_role": member.role}))
            .collect();
        let mut shown = row::begin(json!({
            "user_id": user.id,
            "user_alias": user.alias,
            "user_email": user.email,
            "user_role": user.role,
            "sso_user_id": user.sso_id,
            "organization_id": user.organisation_id,
            "budget_id": user.budget_id,
            "teams": teams,
            "organization_memberships": memberships,
            "models": user.grants.models,
            "model_aliases": user.grants.aliases,
            "blocked": user.grants.blocked,
            "spend": money::dollars(spent),
            "metadata": user.metadata,
        }));
        limits::write(&mut shown, &user.limits, &user.extra, self.now_ms, &self.zone);
        row::stamps(&mut shown, &user.stamps);
        row::extra(&mut shown, &user.extra, &[("model_spend", json!({})), ("allowed_cache_controls", json!([]))]);
        shown
    }
}
