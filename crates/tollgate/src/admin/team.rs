//! `/team/*`: teams.

mod fields;
mod list;
mod member;
mod permissions;
mod row;

use serde_json::{Value, json};
use tollgate_policy::access::ScopeKind;
use tollgate_store::entity::{Column, EntityKind, Membership, Organisation, Team, TeamRole, VirtualKey};

use super::desk::{Asked, Desk, new_id};
use super::error::ApiError;
use super::field::Fields;
use super::money;
use super::permit::{Right, Subject};

pub use list::{available, list, pages};
pub use member::{
    add as member_add, add_many as member_add_many, delete as member_delete, membership, update as member_update,
};
pub use permissions::{show as permissions_show, update as permissions_update};

/// So many keys are shown with a team.
const KEYS: u32 = 100;

/// `POST /team/new`
pub async fn create(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.text("team_id")?.value().unwrap_or_else(new_id);
    let mut members = member::listed(&mut asked.fields)?;
    let spend = asked.fields.nanos("spend")?.value();
    let mut team = Team { id, ..Team::default() };
    fields::read(asked.fields, &mut team)?;
    check_organisation(desk, &team).await?;
    if let Some(creator) = desk.user_id()
        && !members.iter().any(|member| member.user_id.as_deref() == Some(creator))
    {
        members.push(member::Member::of(creator, TeamRole::Admin));
    }
    let known = member::known(desk, &members).await?;
    let mut write = desk.write().await?;
    let team = write.create(team).await?;
    for (member, user) in members.iter().zip(known) {
        member::join(&mut write, &team, member, user).await?;
    }
    desk.commit(write).await?;
    if let Some(nanos) = spend {
        desk.set_spent(ScopeKind::Team, &team.id, nanos).await?;
    }
    Ok(Value::Object(desk.team_row(&team).await?))
}

/// An organisation's teams are made by its admins; others by administrators.
async fn check_organisation(desk: &Desk, team: &Team) -> Result<(), ApiError> {
    let reach = desk.reach().await?;
    match &team.organisation_id {
        Some(id) => {
            desk.get::<Organisation>(id).await?;
            reach.check(Right::Change, Subject::Organisation(id))
        }
        None if reach.is_everything() => Ok(()),
        None => Err(ApiError::Forbidden("name the organisation that the team is of: you are no admin of all".into())),
    }
}

/// `GET /team/info?team_id=`
pub async fn info(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let id = asked.query.needed("team_id")?;
    let team = desk.get::<Team>(id).await?;
    let reach = desk.reach().await?;
    reach.check(Right::See, Subject::Team(id))?;
    let query = tollgate_store::list::Query { size: KEYS, ..Default::default() };
    let query = query.and(tollgate_store::list::Condition::Is(Column::TeamId, id.to_string()));
    let keys = desk.database.list::<VirtualKey>(&query).await?.items;
    let seen: Vec<VirtualKey> = keys.into_iter().filter(|key| reach.may(Right::See, Subject::Key(key))).collect();
    let memberships = member::rows(desk, id).await?;
    Ok(json!({
        "team_id": id,
        "team_info": desk.team_row(&team).await?,
        "keys": desk.key_rows(&seen).await?,
        "team_memberships": memberships,
    }))
}

/// `POST /team/update`
pub async fn update(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.needed("team_id")?;
    let reach = desk.reach().await?;
    reach.check(Right::Change, Subject::Team(&id))?;
    let spend = asked.fields.nanos("spend")?.value();
    let old = desk.get::<Team>(&id).await?;
    let mut team = old.clone();
    fields::read(asked.fields.clone(), &mut team)?;
    if team.organisation_id != old.organisation_id {
        check_organisation(desk, &team).await?;
    }
    let leads_organisation = old
        .organisation_id
        .as_ref()
        .is_some_and(|organisation| reach.may(Right::Change, Subject::Organisation(organisation)));
    let bounds_stay = team.limits == old.limits
        && team.grants == old.grants
        && team.budget_id == old.budget_id
        && team.access_groups == old.access_groups;
    if !reach.is_everything() && (spend.is_some() || !(bounds_stay || leads_organisation)) {
        return Err(ApiError::Forbidden(
            "the limits and models of a team are changed by an administrator or an admin of its organisation"
                .to_string(),
        ));
    }
    let team = desk.rewrite::<Team>(&id, |team| fields::read(asked.fields, team)).await?;
    if let Some(nanos) = spend {
        desk.set_spent(ScopeKind::Team, &id, nanos).await?;
    }
    Ok(json!({"team_id": id, "data": desk.team_row(&team).await?}))
}

/// `POST /team/delete`: with its keys and memberships.
pub async fn delete(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let ids = needed_ids(&mut asked.fields, "team_ids")?;
    let reach = desk.reach().await?;
    for id in &ids {
        let team = desk.get::<Team>(id).await?;
        let organisation = team.organisation_id.as_deref();
        let allowed = organisation.is_some_and(|id| reach.may(Right::Change, Subject::Organisation(id)));
        if !allowed && !reach.is_everything() {
            return Err(ApiError::Forbidden(format!("you may not delete team {id}")));
        }
    }
    let mut write = desk.write().await?;
    for id in &ids {
        write.delete_where::<VirtualKey>(Column::TeamId, id).await?;
        write.delete_where::<Membership>(Column::TeamId, id).await?;
        write.delete::<Team>(id).await?;
    }
    desk.commit(write).await?;
    Ok(json!({"deleted_teams": ids}))
}

/// A list of ids of which there is at least one.
pub fn needed_ids(fields: &mut Fields, name: &str) -> Result<Vec<String>, ApiError> {
    let ids = fields.texts(name)?.value().unwrap_or_default();
    if ids.is_empty() { Err(ApiError::invalid(name, "is missing: a list of ids")) } else { Ok(ids) }
}

/// `POST /team/block` and `/team/unblock`
pub async fn block(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    set_blocked(desk, asked, true).await
}

pub async fn unblock(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    set_blocked(desk, asked, false).await
}

async fn set_blocked(desk: &Desk, mut asked: Asked, blocked: bool) -> Result<Value, ApiError> {
    let id = asked.fields.needed("team_id")?;
    desk.reach().await?.check(Right::Change, Subject::Team(&id))?;
    let team = desk.rewrite::<Team>(&id, |team| {
        team.grants.blocked = blocked;
        Ok(())
    });
    let team = team.await?;
    Ok(Value::Object(desk.team_row(&team).await?))
}

/// `POST /team/{team_id}/reset_spend`
pub async fn reset_spend(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    if !desk.is_admin() {
        return Err(ApiError::Forbidden("only an administrator may say what a team has spent".to_string()));
    }
    let id = asked.path.pop().unwrap_or_default();
    let team = desk.database.get::<Team>(&id).await?.ok_or_else(|| ApiError::not_found(EntityKind::Team, &id))?;
    let nanos = asked.fields.nanos("reset_to")?.value().unwrap_or(0);
    let before = desk.team_row(&team).await?;
    desk.set_spent(ScopeKind::Team, &id, nanos).await?;
    Ok(json!({"team_id": id, "spend": money::dollars(nanos), "previous_spend": before.get("spend")}))
}
