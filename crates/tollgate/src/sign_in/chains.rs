//! Whom the database knows of those that a token names.

use std::sync::Arc;

use tollgate_store::access::Author;
use tollgate_store::chain::Chain;
use tollgate_store::database::StoreError;
use tollgate_store::entity::{Entity, Team, User, VirtualKey};

use super::refused::{Nobody, Refused};
use super::who::Who;
use crate::app::App;
use crate::config::sign_in::SignIn;
use crate::failure::Failure;
use crate::store::Store;
use crate::unix_time::unix_ms;

/// One for each team that is known; for tokens without a team one without.
pub async fn of(app: &App, store: &Store, sign_in: &SignIn, who: &Who) -> Result<Vec<Arc<Chain>>, Failure> {
    let mut chains = Vec::new();
    let teams: Vec<Option<&String>> = match who.teams.as_slice() {
        [] => vec![None],
        teams => teams.iter().map(Some).collect(),
    };
    for team in teams {
        let key = VirtualKey {
            hash: account(who, team),
            user_id: who.user.clone(),
            team_id: team.cloned(),
            organisation_id: who.organisation.clone(),
            grants: who.grants.clone(),
            ..VirtualKey::default()
        };
        let name =
            serde_json::to_string(&key).map_err(|_| Failure::Internal("a token's claims cannot be told apart"))?;
        let mut chain = store.callers.find_unstored(&name, &key).await.map_err(Failure::Store)?;
        let new_user = chain.user.is_none() && who.user.is_some() && sign_in.adds_users && !who.admin;
        let new_team = chain.team.is_none() && team.is_some() && sign_in.adds_teams;
        if new_user || new_team {
            let user = User { id: who.user.clone().unwrap_or_default(), email: who.email.clone(), ..User::default() };
            let team = Team { id: team.cloned().unwrap_or_default(), ..Team::default() };
            add(app, store, new_user.then_some(user), new_team.then_some(team)).await.map_err(Failure::Store)?;
            chain = store.callers.find_unstored(&name, &key).await.map_err(Failure::Store)?;
        }
        if who.must_be_known && !who.admin {
            if let Some(user) = who.user.as_ref().filter(|_| chain.user.is_none()) {
                return Err(Failure::Token(Refused::Nobody(Nobody::User(user.clone()))));
            }
            if let Some(id) = who.organisation.as_ref().filter(|_| chain.organisation.is_none()) {
                return Err(Failure::Token(Refused::Nobody(Nobody::Organisation(id.clone()))));
            }
            if team.is_some() && chain.team.is_none() {
                continue;
            }
        }
        chains.push(chain);
    }
    if chains.is_empty() {
        return Err(Failure::Token(Refused::Nobody(Nobody::Teams(who.teams.clone()))));
    }
    Ok(chains)
}

/// What the ledger, and all that belongs to a key, knows the bearer by, whatever the token: the user, else the team.
fn account(who: &Who, team: Option<&String>) -> String {
    VirtualKey::hash_of(&match (&who.user, team) {
        (Some(user), _) => format!("token of the user {user}"),
        (None, team) => format!("token of the team {}", team.map_or("", String::as_str)),
    })
}

/// Makes known who was not. Another request, here or elsewhere, may have done so meanwhile.
async fn add(app: &App, store: &Store, user: Option<User>, team: Option<Team>) -> Result<(), StoreError> {
    async fn create<E: Entity>(store: &Store, entity: Option<E>) -> Result<(), StoreError> {
        let Some(entity) = entity else { return Ok(()) };
        match store.database.create(entity, &Author::default(), unix_ms()).await {
            Ok(_) | Err(StoreError::Exists { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
    create(store, user).await?;
    create(store, team).await?;
    store.catch_up(app).await
}
