use serde::{Deserialize, Serialize};
use tollgate_policy::access::{Grants, Limits, Role};

use super::{Extra, Stamps, entity, text, word};

/// Somebody who uses the gateway. The teams of a user are [`super::Membership`]s.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    pub id: String,
    pub alias: Option<String>,
    pub email: Option<String>,
    pub role: Role,
    /// What the identity provider calls the user. Unique.
    pub sso_id: Option<String>,
    pub organisation_id: Option<String>,
    pub budget_id: Option<String>,
    pub grants: Grants,
    pub limits: Limits,
    pub metadata: Extra,
    pub extra: Extra,
    pub stamps: Stamps,
}

impl User {
    fn id(&self) -> &str {
        &self.id
    }
}

entity!(User, User, columns(user): {
    Alias: text(&user.alias),
    Email: text(&user.email),
    Role: word(user.role),
    SsoId: text(&user.sso_id),
    OrganisationId: text(&user.organisation_id),
    BudgetId: text(&user.budget_id),
}, unique: [SsoId]);
