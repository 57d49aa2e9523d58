//! `/user/*`: users.

mod fields;
mod list;
mod row;

use serde_json::{Map, Value, json};
use tollgate_policy::access::{Role, ScopeKind};
use tollgate_store::access::Write;
use tollgate_store::entity::{
    Column, EntityKind, Membership, Organisation, OrganisationMember, Team, User, VirtualKey,
};
use tollgate_store::list::{Condition, Query};

use super::desk::{Asked, Desk, new_id};
use super::error::ApiError;
use super::field::{Field, Fields};
use super::permit::{Reach, Right, Subject};
use super::team::needed_ids;

pub use list::{list, roles};

/// So many keys are shown with a user.
const KEYS: u32 = 100;

/// `POST /user/new`: a user, its memberships, and a key for it unless `auto_create_key` is false.
pub async fn create(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let fields = &mut asked.fields;
    let id = fields.text("user_id")?.value().unwrap_or_else(new_id);
    let with_key = fields.flag("auto_create_key")?.value().unwrap_or(true);
    let key = key_fields(fields, &id)?;
    let mut teams = teams(fields)?;
    if let Some(team) = key.get("team_id").and_then(Value::as_str)
        && !teams.iter().any(|member| member.team_id == team)
        && desk.database.get::<Team>(team).await?.is_some()
    {
        teams.push(Membership { team_id: team.to_string(), ..Membership::default() });
    }
    let organisations = fields.texts("organizations")?.value().unwrap_or_default();
    let mut user = User { id, ..User::default() };
    fields::read(asked.fields, &mut user)?;
    may_make(desk, &user, &teams, &organisations).await?;
    let mut write = desk.write().await?;
    let user = write.create(user).await?;
    join(&mut write, &user.id, teams, organisations).await?;
    desk.commit(write).await?;
    let mut shown = Map::new();
    if with_key {
        shown = desk.make_key(Fields::new(key)).await?;
    }
    for (name, value) in desk.user_row(&user).await? {
        shown.insert(name, value);
    }
    for name in ["key", "token", "token_id", "key_name", "key_alias", "expires", "team_id"] {
        shown.entry(name).or_insert(Value::Null);
    }
    Ok(Value::Object(shown))
}

/// What of the request is for the key: the limits are the user's.
fn key_fields(fields: &mut Fields, user_id: &str) -> Result<Map<String, Value>, ApiError> {
    let mut key = Map::new();
    key.insert("user_id".into(), json!(user_id));
    for name in
        ["key", "key_alias", "duration", "aliases", "config", "permissions", "allowed_cache_controls", "team_id"]
    {
        if let Field::Value(value) = fields.json(name) {
            key.insert(name.into(), value);
        }
    }
    fields.json("send_invite_email");
    Ok(key)
}

/// Ids of teams, or objects with a role and limits.
fn teams(fields: &mut Fields) -> Result<Vec<Membership>, ApiError> {
    let wrong = || ApiError::invalid("teams", "must be a list of ids of teams, or of objects with a team_id");
    let Field::Value(teams) = fields.json("teams") else { return Ok(Vec::new()) };
    let mut memberships = Vec::new();
    for team in teams.as_array().ok_or_else(wrong)? {
        let membership = match team {
            Value::String(id) => Membership { team_id: id.clone(), ..Membership::default() },
            Value::Object(team) => super::team::membership(Fields::new(team.clone()))?,
            _ => return Err(wrong()),
        };
        memberships.push(membership);
    }
    Ok(memberships)
}

/// Admins of organisations make plain users of theirs.
async fn may_make(desk: &Desk, user: &User, teams: &[Membership], organisations: &[String]) -> Result<(), ApiError> {
    for team in teams {
        desk.get::<Team>(&team.team_id).await?;
    }
    for id in organisations {
        desk.get::<Organisation>(id).await?;
    }
    let reach = desk.reach().await?;
    check_role(&reach, user.role)?;
    if reach.is_everything() {
        return Ok(());
    }
    if organisations.is_empty() {
        return Err(ApiError::Forbidden("name the organisations that the user is of in `organizations`".to_string()));
    }
    for id in organisations {
        reach.check(Right::Change, Subject::Organisation(id))?;
    }
    for team in teams {
        reach.check(Right::Change, Subject::Team(&team.team_id))?;
    }
    Ok(())
}

fn check_role(reach: &Reach, role: Role) -> Result<(), ApiError> {
    if reach.is_everything() || [Role::InternalUser, Role::InternalUserViewer].contains(&role) {
        return Ok(());
    }
    Err(ApiError::Forbidden(format!("only an administrator gives the role {}", role.word())))
}

async fn join(
    write: &mut Write,
    user_id: &str,
    teams: Vec<Membership>,
    organisations: Vec<String>,
) -> Result<(), ApiError> {
    for membership in teams {
        write.create(Membership { user_id: user_id.to_string(), ..membership }).await?;
    }
    for organisation_id in organisations {
        let member = OrganisationMember { organisation_id, user_id: user_id.to_string(), ..Default::default() };
        write.create(member).await?;
    }
    Ok(())
}

/// `GET /user/info?user_id=`; without it, the user who asks.
pub async fn info(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let own = desk.user_id();
    let id =
        asked.query.text("user_id").or(own).ok_or_else(|| ApiError::invalid("user_id", "is missing in the query"))?;
    let reach = desk.reach().await?;
    reach.check(Right::See, Subject::User(id))?;
    let user = desk.get::<User>(id).await?;
    let query = Query { size: KEYS, ..Query::default() }.and(Condition::Is(Column::UserId, id.to_string()));
    let keys = desk.database.list::<VirtualKey>(&query).await?.items;
    let teams = desk.teams_of_user(id).await?;
    Ok(json!({
        "user_id": id,
        "user_info": desk.user_row(&user).await?,
        "keys": desk.key_rows(&keys).await?,
        "teams": desk.team_rows(&teams).await?,
    }))
}

/// `GET /v2/user/info?user_id=`: the row alone.
pub async fn row_alone(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let own = desk.user_id();
    let id =
        asked.query.text("user_id").or(own).ok_or_else(|| ApiError::invalid("user_id", "is missing in the query"))?;
    desk.reach().await?.check(Right::See, Subject::User(id))?;
    let user = desk.get::<User>(id).await?;
    Ok(Value::Object(desk.user_row(&user).await?))
}

/// `POST /user/update`: of the user with this id or address.
pub async fn update(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = match asked.fields.text("user_id")?.value() {
        Some(id) => id,
        None => {
            let email = asked.fields.text("user_email")?.value();
            let email = email.ok_or_else(|| ApiError::invalid("user_id", "is missing; user_email does as well"))?;
            let found = desk.database.find::<User>(Column::Email, &email).await?.into_iter().next();
            found.ok_or_else(|| ApiError::not_found(EntityKind::User, &email))?.id
        }
    };
    let reach = desk.reach().await?;
    let spend = asked.fields.nanos("spend")?.value();
    let mut user = desk.get::<User>(&id).await?;
    reach.check(Right::Change, Subject::User(&id))?;
    let role = user.role;
    fields::read(asked.fields.clone(), &mut user)?;
    if user.role != role {
        check_role(&reach, role)?;
        check_role(&reach, user.role)?;
    }
    if spend.is_some() && !reach.is_everything() {
        return Err(ApiError::Forbidden("only an administrator may say what a user has spent".to_string()));
    }
    let user = desk.rewrite::<User>(&id, |user| fields::read(asked.fields, user)).await?;
    if let Some(nanos) = spend {
        desk.set_spent(ScopeKind::User, &id, nanos).await?;
    }
    Ok(json!({"user_id": id, "data": desk.user_row(&user).await?}))
}

/// `POST /user/delete`: with their keys and memberships. The answer is how many there were.
pub async fn delete(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let ids = needed_ids(&mut asked.fields, "user_ids")?;
    let reach = desk.reach().await?;
    for id in &ids {
        let user = desk.get::<User>(id).await?;
        reach.check(Right::Change, Subject::User(id))?;
        check_role(&reach, user.role)?;
    }
    let mut write = desk.write().await?;
    for id in &ids {
        write.delete_where::<VirtualKey>(Column::UserId, id).await?;
        write.delete_where::<Membership>(Column::UserId, id).await?;
        write.delete_where::<OrganisationMember>(Column::UserId, id).await?;
        write.delete::<User>(id).await?;
    }
    desk.commit(write).await?;
    Ok(json!(ids.len()))
}
