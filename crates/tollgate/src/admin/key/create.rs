//! Making a key, and for whom one may make one.

use serde_json::json;
use tollgate_policy::access::ScopeKind;
use tollgate_store::entity::{EntityKind, Membership, NamedBudget, Team, VirtualKey};

use super::fields;
use super::row::Row;
use super::secret::NewKey;
use crate::admin::desk::Desk;
use crate::admin::error::ApiError;
use crate::admin::field::Fields;
use crate::admin::permit::Reach;
use crate::admin::time;

impl Desk {
    /// Makes the key that the fields describe. The answer is the only one that has it in clear.
    pub async fn make_key(&self, mut fields: Fields) -> Result<Row, ApiError> {
        let duration = fields.peek("duration");
        let secret = NewKey::new(fields.text("key")?.value())?;
        let spend = fields.nanos("spend")?.value();
        let mut key = VirtualKey {
            hash: secret.hash.clone(),
            name: Some(secret.name.clone()),
            user_id: self.user_id().map(str::to_string),
            ..VirtualKey::default()
        };
        let lasts = fields.has("duration");
        fields::read(fields, &mut key, self.now_ms)?;
        let reach = self.reach().await?;
        self.check_owner(&key, &reach).await?;
        if spend.is_some() && !reach.is_everything() {
            return Err(ApiError::Forbidden("only an administrator may say what a key has spent".to_string()));
        }
        if !lasts {
            self.expire_as_team_says(&mut key).await?;
        }
        let key = self.create(key).await?;
        if let Some(nanos) = spend {
            self.set_spent(ScopeKind::Key, key.account(), nanos).await?;
        }
        let mut row = self.one_key_row(&key).await?;
        row.insert("key".into(), json!(secret.clear));
        row.insert("token_id".into(), json!(key.hash));
        row.insert("duration".into(), duration);
        Ok(row)
    }

    /// Whether the caller may have a key of this user, team and organisation; also asked when a key changes hands.
    pub async fn check_owner(&self, key: &VirtualKey, reach: &Reach) -> Result<(), ApiError> {
        if let Some(id) = &key.budget_id
            && self.database.get::<NamedBudget>(id).await?.is_none()
        {
            return Err(ApiError::not_found(EntityKind::Budget, id));
        }
        let Some(own) = reach.own() else {
            return if reach.is_everything() { Ok(()) } else { Err(no_keys()) };
        };
        let mine = key.user_id.is_some() && key.user_id == own.user;
        if let Some(id) = &key.organisation_id
            && !own.admin_of_organisations.contains(id)
        {
            return Err(ApiError::Forbidden(format!("you are no admin of organisation {id}")));
        }
        match &key.team_id {
            Some(team) if own.admin_of_teams.contains(team) => match &key.user_id {
                Some(user)
                    if !mine && self.database.get::<Membership>(&Membership::id_of(team, user)).await?.is_none() =>
                {
                    Err(ApiError::Forbidden(format!("user {user} is not in team {team}; add it with /team/member_add")))
                }
                _ => Ok(()),
            },
            Some(team) if mine && own.makes_keys_in.contains(team) => Ok(()),
            Some(team) => Err(ApiError::Forbidden(format!(
                "you may not have keys of team {team}: its admins may, and its members with the permission /key/generate"
            ))),
            None if mine => Ok(()),
            None => Err(ApiError::Forbidden(
                "you may have keys for yourself, and for teams that you are an admin of".into(),
            )),
        }
    }

    async fn expire_as_team_says(&self, key: &mut VirtualKey) -> Result<(), ApiError> {
        if let (Some(team), Some(_)) = (&key.team_id, &key.user_id)
            && let Some(team) = self.database.get::<Team>(team).await?
            && let Some(duration) = team.member_defaults.key_duration
        {
            key.grants.expires_at_ms = time::after(&duration, self.now_ms);
        }
        Ok(())
    }
}

fn no_keys() -> ApiError {
    ApiError::Forbidden("your role sees keys and makes none".to_string())
}
