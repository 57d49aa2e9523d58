use serde::{Deserialize, Serialize};
use tollgate_policy::access::{Grants, Limits};

use super::{Extra, Stamps, entity, text};

/// A team. Its members are [`super::Membership`]s.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Team {
    pub id: String,
    pub alias: Option<String>,
    pub organisation_id: Option<String>,
    pub budget_id: Option<String>,
    pub grants: Grants,
    pub limits: Limits,
    /// Ids of access groups whose models the team may use beside those of its grants.
    pub access_groups: Vec<String>,
    pub member_defaults: MemberDefaults,
    pub tags: Vec<String>,
    pub metadata: Extra,
    pub extra: Extra,
    pub stamps: Stamps,
}

/// What holds for members that have no limits and models of their own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemberDefaults {
    pub budget_id: Option<String>,
    pub limits: Limits,
    /// Empty: the team's.
    pub models: Vec<String>,
    /// For how long keys of members are valid. LiteLLM's `team_member_key_duration`, as it was given (`30d`).
    pub key_duration: Option<String>,
    /// What members may do with the team's keys: LiteLLM's `team_member_permissions`.
    pub permissions: Vec<String>,
}

impl Team {
    fn id(&self) -> &str {
        &self.id
    }
}

entity!(Team, Team, columns(team): {
    Alias: text(&team.alias),
    OrganisationId: text(&team.organisation_id),
    BudgetId: text(&team.budget_id),
});
