//! Whom a key stands for: the key with its team, user, organisation and membership, read at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};
use tollgate_policy::access::{Grants, Limits, Role, Scope, ScopeKind};

use crate::access::{signed, unsigned};
use crate::database::{Database, StoreError};
use crate::entity::{
    AccessGroup, EndUser, Entity, EntityKind, Membership, NamedBudget, Organisation, Team, User, VirtualKey,
};

/// A caller, as the gateway keeps it per key.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    pub key: VirtualKey,
    pub team: Option<Team>,
    pub user: Option<User>,
    /// The key's, else the team's.
    pub organisation: Option<Organisation>,
    /// The user in the team. Its document may be missing while the team's defaults hold for its members.
    pub membership: Option<Membership>,
    /// Organisation, team, user, member, key: those that there are, in this order, with the limits of named budgets and the
    /// models of access groups that they refer to by id.
    pub scopes: Vec<Scope>,
    /// What the key has spent.
    pub spent: Spent,
}

/// Nano-dollars since the beginning, as far as this gateway knows: what the database had when the caller was read, and what was paid
/// here since then.
#[derive(Clone, Debug, Default)]
pub struct Spent(Arc<AtomicU64>);

impl Spent {
    pub fn nanos(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn add(&self, nanos: u64) {
        self.0.fetch_add(nanos, Ordering::Relaxed);
    }
}

/// What was spent does not tell callers apart.
impl PartialEq for Spent {
    fn eq(&self, _: &Spent) -> bool {
        true
    }
}

impl Chain {
    /// What the caller may do beside calling models.
    pub fn role(&self) -> Role {
        // A key of nobody calls models, and sees what it is.
        self.user.as_ref().map_or(Role::Team, |user| user.role)
    }

    /// Whether a change of this entity may change the chain.
    pub fn depends_on(&self, kind: EntityKind, id: &str) -> bool {
        let is = |own: Option<&String>| own.is_some_and(|own| own == id);
        match kind {
            EntityKind::Key => self.key.hash == id,
            EntityKind::Team => is(self.key.team_id.as_ref()),
            EntityKind::User => is(self.key.user_id.as_ref()),
            EntityKind::Organisation => is(self.organisation_id()),
            EntityKind::Membership => match (&self.key.team_id, &self.key.user_id) {
                (Some(team), Some(user)) => Membership::id_of(team, user) == id,
                _ => false,
            },
            EntityKind::Budget | EntityKind::AccessGroup => true,
            EntityKind::OrganisationMember | EntityKind::EndUser | EntityKind::Model => false,
        }
    }

    fn organisation_id(&self) -> Option<&String> {
        self.key.organisation_id.as_ref().or(self.team.as_ref().and_then(|team| team.organisation_id.as_ref()))
    }
}

/// Everything that hangs on a key, by primary keys alone. `$key`: the row, or what takes its place.
macro_rules! resolve {
    ($key:literal) => {
        concat!(
            "SELECT k.document, t.document, u.document, o.document, m.document,
                    kb.document, tb.document, ub.document, ob.document, mb.document
             FROM (",
            $key,
            ") k
             LEFT JOIN teams t ON t.id = k.team_id
             LEFT JOIN users u ON u.id = k.user_id
             LEFT JOIN organisations o ON o.id = COALESCE(k.organisation_id, t.organisation_id)
             LEFT JOIN memberships m ON m.id = k.team_id || '/' || k.user_id AND m.team_id = k.team_id
             LEFT JOIN budgets kb ON kb.id = k.budget_id
             LEFT JOIN budgets tb ON tb.id = t.budget_id
             LEFT JOIN budgets ub ON ub.id = u.budget_id
             LEFT JOIN budgets ob ON ob.id = o.budget_id
             LEFT JOIN budgets mb ON mb.id = m.budget_id"
        )
    };
}

const RESOLVE: &str =
    resolve!("SELECT document, team_id, user_id, organisation_id, budget_id FROM virtual_keys WHERE id = $1");
const RESOLVE_UNSTORED: &str = resolve!(
    "SELECT CAST(NULL AS TEXT) AS document, CAST($1 AS TEXT) AS team_id, CAST($2 AS TEXT) AS user_id,
            CAST($3 AS TEXT) AS organisation_id, CAST(NULL AS TEXT) AS budget_id"
);

impl Database {
    /// Whom the key with this hash stands for; `None`: there is no such key.
    ///
    /// One question to the database; one more where members of a team share a named budget, and one where access groups are
    /// referred to by id.
    pub async fn resolve(&self, hash: &str) -> Result<Option<Chain>, StoreError> {
        let Some(row) = sqlx::query(RESOLVE).bind(hash).fetch_optional(&self.pool).await? else { return Ok(None) };
        let Some(key) = document::<VirtualKey>(&row, 0)? else { return Ok(None) };
        Ok(Some(self.chain(key, &row).await?))
    }

    /// The same of a key that is stored nowhere: its bearer has shown otherwise of which team, user and organisation it is.
    pub async fn resolve_unstored(&self, key: &VirtualKey) -> Result<Chain, StoreError> {
        let query = sqlx::query(RESOLVE_UNSTORED).bind(&key.team_id).bind(&key.user_id).bind(&key.organisation_id);
        let row = query.fetch_one(&self.pool).await?;
        self.chain(key.clone(), &row).await
    }

    async fn chain(&self, key: VirtualKey, row: &AnyRow) -> Result<Chain, StoreError> {
        let team: Option<Team> = document(row, 1)?;
        let user: Option<User> = document(row, 2)?;
        let organisation: Option<Organisation> = document(row, 3)?;
        let membership: Option<Membership> = document(row, 4)?;
        let [key_budget, team_budget, user_budget, organisation_budget, member_budget] =
            [5, 6, 7, 8, 9].map(|column| document::<NamedBudget>(row, column));
        let groups = self.groups_of(&key, team.as_ref()).await?;
        let mut scopes = Vec::with_capacity(5);
        if let Some(organisation) = &organisation {
            scopes.push(Scope {
                kind: ScopeKind::Organisation,
                id: organisation.id.clone(),
                grants: organisation.grants.clone(),
                limits: with_named(&organisation.limits, organisation_budget?.as_ref()),
            });
        }
        if let Some(team) = &team {
            scopes.push(Scope {
                kind: ScopeKind::Team,
                id: team.id.clone(),
                grants: with_groups(&team.grants, &team.access_groups, &groups),
                limits: with_named(&team.limits, team_budget?.as_ref()),
            });
        }
        if let Some(user) = &user {
            let limits = with_named(&user.limits, user_budget?.as_ref());
            scopes.push(user_scope(user, limits, team.is_some()));
        }
        if let (Some(team), Some(user_id)) = (&team, &key.user_id) {
            let default = match &team.member_defaults.budget_id {
                Some(id) if membership.as_ref().is_none_or(|m| m.budget_id.is_none()) => self.get(id).await?,
                _ => None,
            };
            scopes.push(member_scope(team, user_id, membership.as_ref(), member_budget?.or(default).as_ref()));
        }
        let mut grants = with_groups(&key.grants, &key.access_groups, &groups);
        if grants.routes.is_empty() {
            grants.routes = key.key_type.routes().iter().map(|route| route.to_string()).collect();
        }
        scopes.push(Scope {
            kind: ScopeKind::Key,
            id: key.account().to_string(),
            grants,
            limits: with_named(&key.limits, key_budget?.as_ref()),
        });
        Ok(Chain { key, team, user, organisation, membership, scopes, spent: Spent::default() })
    }

    /// The scope of an end user; of one who is not known, or who has no budget, with the limits of `default_budget`.
    pub async fn end_user(&self, id: &str, default_budget: Option<&str>) -> Result<Scope, StoreError> {
        let end_user: Option<EndUser> = self.get(id).await?;
        let end_user = end_user.unwrap_or_else(|| EndUser { id: id.to_string(), ..EndUser::default() });
        let budget = match end_user.budget_id.as_deref().or(default_budget) {
            Some(budget) => self.get::<NamedBudget>(budget).await?,
            None => None,
        };
        let limits = with_named(&end_user.limits, budget.as_ref());
        Ok(Scope { kind: ScopeKind::EndUser, id: end_user.id, grants: end_user.grants, limits })
    }

    async fn groups_of(&self, key: &VirtualKey, team: Option<&Team>) -> Result<Vec<AccessGroup>, StoreError> {
        let of_team = team.map_or(&[][..], |team| &team.access_groups);
        if key.access_groups.is_empty() && of_team.is_empty() {
            return Ok(Vec::new());
        }
        self.all().await
    }

    /// Notes when keys were last used: hash and milliseconds since 1970. No change of the keys, so nobody is told.
    pub async fn touch(&self, used: &[(String, u64)]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin().await?;
        // Always in the same order, so that replicas that write at the same time cannot wait for each other.
        let mut used: Vec<_> = used.iter().collect();
        used.sort();
        for (hash, at_ms) in used {
            sqlx::query(
                "UPDATE virtual_keys SET last_used_at_ms = $2
                 WHERE id = $1 AND (last_used_at_ms IS NULL OR last_used_at_ms < $2)",
            )
            .bind(hash)
            .bind(signed(*at_ms))
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// When keys were last used, by hash, in milliseconds since 1970. Those that never were are missing.
    pub async fn last_used(&self, hashes: &[&str]) -> Result<HashMap<String, u64>, StoreError> {
        if hashes.is_empty() {
            return Ok(HashMap::new());
        }
        let places: Vec<String> = (1..=hashes.len()).map(|n| format!("${n}")).collect();
        let statement = format!(
            "SELECT id, last_used_at_ms FROM virtual_keys WHERE last_used_at_ms IS NOT NULL AND id IN ({})",
            places.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(statement));
        for hash in hashes {
            query = query.bind(hash.to_string());
        }
        let rows = query.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, unsigned(row.try_get(1)?)))).collect()
    }
}
/// As with LiteLLM, the models and budgets of a user are for keys without a team; within one, those of the team and the member
/// hold. The user's rates always hold.
fn user_scope(user: &User, limits: Limits, in_team: bool) -> Scope {
    let scope = Scope { kind: ScopeKind::User, id: user.id.clone(), grants: user.grants.clone(), limits };
    if !in_team {
        return scope;
    }
    let grants = Grants { models: Vec::new(), ..scope.grants };
    let limits = Limits { rates: scope.limits.rates, model_rates: scope.limits.model_rates, ..Limits::default() };
    Scope { grants, limits, ..scope }
}

fn member_scope(team: &Team, user_id: &str, membership: Option<&Membership>, budget: Option<&NamedBudget>) -> Scope {
    let own = membership.map(|membership| &membership.limits);
    let limits = with_named(own.unwrap_or(&Limits::default()), budget).or(&team.member_defaults.limits);
    let models = [
        membership.map(|membership| &membership.models),
        budget.map(|budget| &budget.models),
        Some(&team.member_defaults.models),
    ];
    let models = models.into_iter().flatten().find(|models| !models.is_empty()).cloned().unwrap_or_default();
    Scope {
        kind: ScopeKind::Member,
        id: Membership::id_of(&team.id, user_id),
        grants: Grants { models, ..Grants::default() },
        limits,
    }
}

fn with_named(own: &Limits, named: Option<&NamedBudget>) -> Limits {
    match named {
        Some(named) => own.clone().or(&named.limits),
        None => own.clone(),
    }
}

/// Grants that name no models allow all of them already; groups are added to the others.
fn with_groups(grants: &Grants, ids: &[String], groups: &[AccessGroup]) -> Grants {
    let mut grants = grants.clone();
    if !grants.models.is_empty() {
        let named = groups.iter().filter(|group| ids.contains(&group.id));
        grants.models.extend(named.flat_map(|group| group.models.iter().cloned()));
    }
    grants
}

fn document<E: Entity>(row: &AnyRow, column: usize) -> Result<Option<E>, StoreError> {
    let text: Option<String> = row.try_get(column)?;
    Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
}
