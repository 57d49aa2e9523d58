//! Whose things a caller may see and change. Which paths its role may use at all is decided before, by
//! [`tollgate_policy::authorise`].

use tollgate_policy::access::Role;
use tollgate_store::database::StoreError;
use tollgate_store::entity::{Column, Membership, OrganisationMember, Team, TeamRole, VirtualKey};

use super::desk::Desk;
use super::error::ApiError;

#[cfg(test)]
mod tests;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    See,
    Change,
}

/// What is to be seen or changed.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    Key(&'a VirtualKey),
    Team(&'a str),
    User(&'a str),
    Organisation(&'a str),
}

/// How far a caller's hands reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    Everything,
    SeesEverything,
    Some(Box<Own>),
}

/// What is a caller's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    pub key: String,
    pub user: Option<String>,
    /// Of the key, and those that the user is in.
    pub teams: Vec<String>,
    pub admin_of_teams: Vec<String>,
    pub organisations: Vec<String>,
    pub admin_of_organisations: Vec<String>,
    /// In the organisations that it is an admin of.
    pub users: Vec<String>,
    /// The teams in which members may make keys for themselves.
    pub makes_keys_in: Vec<String>,
}

/// LiteLLM's word for a permission of all members of a team.
const MAKE_KEYS: &str = "/key/generate";

impl Reach {
    pub fn may(&self, right: Right, subject: Subject<'_>) -> bool {
        match self {
            Reach::Everything => true,
            Reach::SeesEverything => right == Right::See,
            Reach::Some(own) => own.may(right, subject),
        }
    }

    /// # Errors
    /// [`ApiError::Forbidden`], with what it is that the caller may not do.
    pub fn check(&self, right: Right, subject: Subject<'_>) -> Result<(), ApiError> {
        if self.may(right, subject) {
            return Ok(());
        }
        let verb = if right == Right::See { "see" } else { "change" };
        Err(ApiError::Forbidden(match subject {
            Subject::Key(_) => {
                format!("you may not {verb} this key: it is neither yours nor one of a team that you are an admin of")
            }
            Subject::Team(id) => format!("you may not {verb} team {id}"),
            Subject::User(id) => format!("you may not {verb} user {id}"),
            Subject::Organisation(id) => format!("you may not {verb} organisation {id}"),
        }))
    }

    /// For what is nobody's own.
    pub fn check_overview(&self, what: &str) -> Result<(), ApiError> {
        match self {
            Reach::Everything | Reach::SeesEverything => Ok(()),
            Reach::Some(_) => Err(ApiError::Forbidden(format!("only administrators see {what}"))),
        }
    }

    pub fn is_everything(&self) -> bool {
        *self == Reach::Everything
    }

    /// `None`: everything is to be seen.
    pub fn own(&self) -> Option<&Own> {
        match self {
            Reach::Some(own) => Some(own),
            Reach::Everything | Reach::SeesEverything => None,
        }
    }
}

impl Own {
    fn may(&self, right: Right, subject: Subject<'_>) -> bool {
        match subject {
            Subject::Key(key) => {
                let mine = key.user_id.is_some() && key.user_id == self.user;
                let of_team = key.team_id.as_ref().is_some_and(|team| self.admin_of_teams.contains(team));
                let of_organisation =
                    key.organisation_id.as_ref().is_some_and(|id| self.admin_of_organisations.contains(id));
                mine || of_team || of_organisation || (right == Right::See && key.hash == self.key)
            }
            Subject::Team(id) => {
                self.admin_of_teams.iter().any(|team| team == id)
                    || (right == Right::See && self.teams.iter().any(|team| team == id))
            }
            Subject::User(id) => {
                (right == Right::See && self.user.as_deref() == Some(id)) || self.users.iter().any(|user| user == id)
            }
            Subject::Organisation(id) => {
                self.admin_of_organisations.iter().any(|organisation| organisation == id)
                    || (right == Right::See && self.organisations.iter().any(|organisation| organisation == id))
            }
        }
    }
}

impl Desk {
    pub async fn reach(&self) -> Result<Reach, StoreError> {
        match self.caller.role {
            Role::ProxyAdmin => return Ok(Reach::Everything),
            Role::ProxyAdminViewer => return Ok(Reach::SeesEverything),
            _ => {}
        }
        let mut own = Own::default();
        if let Some(chain) = &self.caller.chain {
            own.key.clone_from(&chain.key.hash);
            own.user.clone_from(&chain.key.user_id);
            own.teams.extend(chain.key.team_id.clone());
        }
        if let Some(user) = own.user.clone() {
            self.teams_of(&user, &mut own).await?;
            self.organisations_of(&user, &mut own).await?;
        }
        Ok(Reach::Some(Box::new(own)))
    }

    async fn teams_of(&self, user: &str, own: &mut Own) -> Result<(), StoreError> {
        for membership in self.database.find::<Membership>(Column::UserId, user).await? {
            if membership.role == TeamRole::Admin {
                own.admin_of_teams.push(membership.team_id.clone());
            } else if let Some(team) = self.database.get::<Team>(&membership.team_id).await?
                && team.member_defaults.permissions.iter().any(|permission| permission == MAKE_KEYS)
            {
                own.makes_keys_in.push(membership.team_id.clone());
            }
            own.teams.push(membership.team_id);
        }
        Ok(())
    }

    async fn organisations_of(&self, user: &str, own: &mut Own) -> Result<(), StoreError> {
        for member in self.database.find::<OrganisationMember>(Column::UserId, user).await? {
            let id = member.organisation_id;
            if member.role == Role::OrgAdmin {
                let teams = self.database.find::<Team>(Column::OrganisationId, &id).await?;
                own.admin_of_teams.extend(teams.into_iter().map(|team| team.id));
                let members = self.database.find::<OrganisationMember>(Column::OrganisationId, &id).await?;
                own.users.extend(members.into_iter().map(|member| member.user_id));
                own.admin_of_organisations.push(id.clone());
            }
            own.organisations.push(id);
        }
        Ok(())
    }
}
