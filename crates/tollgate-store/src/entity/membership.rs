use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tollgate_policy::access::{Limits, Role};

use super::{Extra, Stamps, entity, text, word};

/// A user in a team.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Membership {
    pub team_id: String,
    pub user_id: String,
    pub role: TeamRole,
    pub budget_id: Option<String>,
    /// What this user may use of the team's.
    pub limits: Limits,
    /// Which of the team's models. Empty: all of them.
    pub models: Vec<String>,
    pub extra: Extra,
    pub stamps: Stamps,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TeamRole {
    /// Adds members and makes keys of the team.
    Admin,
    #[default]
    User,
}

impl Membership {
    /// What [`tollgate_policy::access::Scope::id`] is for it.
    pub fn id_of(team_id: &str, user_id: &str) -> String {
        format!("{team_id}/{user_id}")
    }

    fn id(&self) -> String {
        Membership::id_of(&self.team_id, &self.user_id)
    }
}

entity!(Membership, Membership, columns(member): {
    TeamId: Some(Cow::Borrowed(member.team_id.as_str())),
    UserId: Some(Cow::Borrowed(member.user_id.as_str())),
    Role: word(member.role),
    BudgetId: text(&member.budget_id),
});

/// A user in an organisation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrganisationMember {
    pub organisation_id: String,
    pub user_id: String,
    pub role: Role,
    pub budget_id: Option<String>,
    pub limits: Limits,
    pub extra: Extra,
    pub stamps: Stamps,
}

impl OrganisationMember {
    pub fn id_of(organisation_id: &str, user_id: &str) -> String {
        format!("{organisation_id}/{user_id}")
    }

    fn id(&self) -> String {
        OrganisationMember::id_of(&self.organisation_id, &self.user_id)
    }
}

entity!(OrganisationMember, OrganisationMember, columns(member): {
    OrganisationId: Some(Cow::Borrowed(member.organisation_id.as_str())),
    UserId: Some(Cow::Borrowed(member.user_id.as_str())),
    Role: word(member.role),
    BudgetId: text(&member.budget_id),
});
