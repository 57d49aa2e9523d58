//! `/team/permissions_*`: what members of a team may do with its keys.

use serde_json::{Value, json};
use tollgate_store::entity::Team;

use crate::admin::desk::{Asked, Desk};
use crate::admin::error::ApiError;
use crate::admin::permit::{Right, Subject};

/// LiteLLM's words for them (1.109.1); the gateway acts on `/key/generate`.
const ALL: [&str; 9] = [
    "/key/generate",
    "/key/service-account/generate",
    "/key/update",
    "/key/delete",
    "/key/regenerate",
    "/key/{key_id}/regenerate",
    "/key/info",
    "/key/list",
    "/key/health",
];

/// `GET /team/permissions_list?team_id=`
pub async fn show(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let id = asked.query.needed("team_id")?;
    desk.reach().await?.check(Right::See, Subject::Team(id))?;
    Ok(row(&desk.get::<Team>(id).await?))
}

/// `POST /team/permissions_update`
pub async fn update(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.needed("team_id")?;
    desk.reach().await?.check(Right::Change, Subject::Team(&id))?;
    let permissions = asked.fields.texts("team_member_permissions")?;
    let team = desk.rewrite::<Team>(&id, |team| {
        permissions.put(&mut team.member_defaults.permissions);
        Ok(())
    });
    Ok(row(&team.await?))
}

fn row(team: &Team) -> Value {
    json!({
        "team_id": team.id,
        "team_member_permissions": team.member_defaults.permissions,
        "all_available_permissions": ALL,
    })
}
