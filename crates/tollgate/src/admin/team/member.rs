//! `/team/member_*`: who is in a team.

use serde_json::{Map, Value, json};
use tollgate_policy::access::ScopeKind;
use tollgate_store::access::Write;
use tollgate_store::database::StoreError;
use tollgate_store::entity::{Column, EntityKind, Extra, Membership, Team, TeamRole, User, VirtualKey};

use crate::admin::desk::{Account, Asked, Desk, new_id};
use crate::admin::error::ApiError;
use crate::admin::field::{Field, Fields};
use crate::admin::permit::{Right, Subject};
use crate::admin::{limits, money, row};

const ROLES: [(&str, TeamRole); 2] = [("admin", TeamRole::Admin), ("user", TeamRole::User)];

/// A member as a request names it: by id, by address or by both.
#[derive(Clone, Debug, Default)]
pub struct Member {
    pub user_id: Option<String>,
    pub email: Option<String>,
    pub role: TeamRole,
    /// What the member may use of the team's.
    own: Membership,
}

impl Member {
    pub fn of(user_id: &str, role: TeamRole) -> Member {
        Member { user_id: Some(user_id.to_string()), role, ..Member::default() }
    }

    fn read(param: &str, value: Value) -> Result<Member, ApiError> {
        let Value::Object(fields) = value else {
            return Err(ApiError::invalid(param, r#"must be an object such as {"role": "user", "user_id": "…"}"#));
        };
        let mut fields = Fields::new(fields);
        let member = Member {
            role: fields.choice("role", &ROLES)?.value().unwrap_or_default(),
            user_id: fields.text("user_id")?.value(),
            email: fields.text("user_email")?.value(),
            own: Membership::default(),
        };
        if member.user_id.is_none() && member.email.is_none() {
            return Err(ApiError::invalid(param, "must have a user_id or a user_email"));
        }
        Ok(member)
    }
}

/// The members that `/team/new` names.
pub fn listed(fields: &mut Fields) -> Result<Vec<Member>, ApiError> {
    let mut members = match fields.json("members_with_roles") {
        Field::Value(Value::Array(items)) => {
            items.into_iter().map(|item| Member::read("members_with_roles", item)).collect::<Result<Vec<_>, _>>()?
        }
        Field::Value(_) => return Err(ApiError::invalid("members_with_roles", "must be a list of members")),
        Field::Absent | Field::Null => Vec::new(),
    };
    for (name, role) in [("admins", TeamRole::Admin), ("members", TeamRole::User)] {
        for id in fields.texts(name)?.value().unwrap_or_default() {
            if !members.iter().any(|member| member.user_id.as_ref() == Some(&id)) {
                members.push(Member::of(&id, role));
            }
        }
    }
    Ok(members)
}

/// The users of members, as far as there are such; others are made when they join.
pub async fn known(desk: &Desk, members: &[Member]) -> Result<Vec<Option<User>>, ApiError> {
    let mut users = Vec::with_capacity(members.len());
    for member in members {
        users.push(match (&member.user_id, &member.email) {
            (Some(id), _) => desk.database.get::<User>(id).await?,
            (None, Some(email)) => desk.database.find::<User>(Column::Email, email).await?.into_iter().next(),
            (None, None) => None,
        });
    }
    Ok(users)
}

/// Puts a member into a team, and makes the user if there is none.
pub async fn join(
    write: &mut Write,
    team: &Team,
    member: &Member,
    user: Option<User>,
) -> Result<(User, Membership), ApiError> {
    let user = match user {
        Some(user) => user,
        None => {
            let id = member.user_id.clone().unwrap_or_else(new_id);
            write.create(User { id, email: member.email.clone(), ..User::default() }).await?
        }
    };
    let id = Membership::id_of(&team.id, &user.id);
    if write.get::<Membership>(&id).await?.is_some() {
        return Err(ApiError::AlreadyMember { user_id: user.id, team_id: team.id.clone() });
    }
    let membership =
        Membership { team_id: team.id.clone(), user_id: user.id.clone(), role: member.role, ..member.own.clone() };
    let membership = write.create(membership).await?;
    Ok((user, membership))
}

/// A team with a role and limits in it, as `/user/new` names one.
pub fn membership(mut fields: Fields) -> Result<Membership, ApiError> {
    let mut membership = Membership {
        team_id: fields.needed("team_id")?,
        role: fields.choice("user_role", &ROLES)?.value().unwrap_or_default(),
        ..Membership::default()
    };
    read(&mut fields, &mut membership)?;
    Ok(membership)
}

/// `POST /team/member_add`
pub async fn add(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let members = match asked.fields.json("member") {
        Field::Value(Value::Array(items)) => items,
        Field::Value(item) => vec![item],
        Field::Absent | Field::Null => return Err(ApiError::invalid("member", "is missing")),
    };
    add_all(desk, asked.fields, "member", members).await
}

/// `POST /team/bulk_member_add`
pub async fn add_many(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let Field::Value(Value::Array(members)) = asked.fields.json("members") else {
        return Err(ApiError::invalid("members", "must be a list of members"));
    };
    add_all(desk, asked.fields, "members", members).await
}

async fn add_all(desk: &Desk, mut fields: Fields, param: &str, members: Vec<Value>) -> Result<Value, ApiError> {
    let team_id = fields.needed("team_id")?;
    desk.reach().await?.check(Right::Change, Subject::Team(&team_id))?;
    let team = desk.get::<Team>(&team_id).await?;
    let mut own = Membership::default();
    read(&mut fields, &mut own)?;
    let mut members: Vec<Member> =
        members.into_iter().map(|member| Member::read(param, member)).collect::<Result<_, _>>()?;
    members.iter_mut().for_each(|member| member.own = own.clone());
    let known = known(desk, &members).await?;
    let mut write = desk.write().await?;
    let (mut users, mut memberships) = (Vec::new(), Vec::new());
    for (member, user) in members.iter().zip(known) {
        let (user, membership) = join(&mut write, &team, member, user).await?;
        users.push(json!({"user_id": user.id, "user_email": user.email, "user_role": user.role}));
        memberships.push(membership);
    }
    desk.commit(write).await?;
    let mut shown = desk.team_row(&team).await?;
    shown.insert("updated_users".into(), json!(users));
    let rows: Vec<Value> = memberships.iter().map(|membership| self::row(desk, membership, 0)).collect();
    shown.insert("updated_team_memberships".into(), json!(rows));
    Ok(Value::Object(shown))
}

/// The limits of a member have names of their own for the budget.
fn read(fields: &mut Fields, membership: &mut Membership) -> Result<(), ApiError> {
    let (max, duration) = (fields.nanos("max_budget_in_team")?, fields.window("budget_duration")?);
    limits::budget(max, duration, &mut membership.limits, &mut membership.extra);
    limits::read(fields, &mut membership.limits, &mut membership.extra)?;
    fields.text("budget_id")?.set(&mut membership.budget_id);
    fields.texts("allowed_models")?.put(&mut membership.models);
    Ok(())
}

/// `POST /team/member_update`
pub async fn update(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let (team_id, user) = named(desk, &mut asked.fields).await?;
    desk.reach().await?.check(Right::Change, Subject::Team(&team_id))?;
    let mut fields = asked.fields;
    let role = fields.choice("role", &ROLES)?;
    let spend = fields.nanos("spend")?.value();
    if spend.is_some() && !desk.is_admin() {
        return Err(ApiError::Forbidden("only an administrator may say what a member has spent".to_string()));
    }
    let id = Membership::id_of(&team_id, &user.id);
    let membership = desk.rewrite::<Membership>(&id, |membership| {
        role.put(&mut membership.role);
        read(&mut fields, membership)
    });
    let membership = membership.await?;
    if let Some(nanos) = spend {
        desk.set_spent(ScopeKind::Member, &id, nanos).await?;
    }
    let window = limits::window_of(&membership.limits, None);
    let spent = desk.spent_by(Account { kind: ScopeKind::Member, id: &id, window }).await?;
    let mut shown = row::begin(self::row(desk, &membership, spent));
    shown.insert("user_email".into(), json!(user.email));
    shown.insert("max_budget_in_team".into(), shown.get("max_budget").cloned().unwrap_or(Value::Null));
    Ok(Value::Object(shown))
}

/// `POST /team/member_delete`: with the keys that the member has in the team.
pub async fn delete(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let (team_id, user) = named(desk, &mut asked.fields).await?;
    desk.reach().await?.check(Right::Change, Subject::Team(&team_id))?;
    let team = desk.get::<Team>(&team_id).await?;
    let id = Membership::id_of(&team_id, &user.id);
    let mut write = desk.write().await?;
    if write.delete::<Membership>(&id).await?.is_none() {
        return Err(ApiError::not_found(EntityKind::Membership, &id));
    }
    for key in write.find::<VirtualKey>(Column::UserId, &user.id).await? {
        if key.team_id.as_ref() == Some(&team_id) {
            write.delete::<VirtualKey>(&key.hash).await?;
        }
    }
    desk.commit(write).await?;
    Ok(Value::Object(desk.team_row(&team).await?))
}

/// The team and the user that a request is about.
async fn named(desk: &Desk, fields: &mut Fields) -> Result<(String, User), ApiError> {
    let team_id = fields.needed("team_id")?;
    let (id, email) = (fields.text("user_id")?.value(), fields.text("user_email")?.value());
    let user = match (&id, &email) {
        (Some(id), _) => {
            desk.database.get::<User>(id).await?.or_else(|| Some(User { id: id.clone(), ..User::default() }))
        }
        (None, Some(email)) => desk.database.find::<User>(Column::Email, email).await?.into_iter().next(),
        (None, None) => return Err(ApiError::invalid("user_id", "is missing; user_email does as well")),
    };
    let user = user.ok_or_else(|| ApiError::not_found(EntityKind::User, email.as_deref().unwrap_or_default()))?;
    Ok((team_id, user))
}

/// The memberships of a team with what each member has spent in it.
pub async fn rows(desk: &Desk, team_id: &str) -> Result<Vec<Value>, StoreError> {
    let members = desk.database.find::<Membership>(Column::TeamId, team_id).await?;
    let ids: Vec<String> = members.iter().map(|member| Membership::id_of(&member.team_id, &member.user_id)).collect();
    let accounts: Vec<Account<'_>> = members
        .iter()
        .zip(&ids)
        .map(|(member, id)| Account { kind: ScopeKind::Member, id, window: limits::window_of(&member.limits, None) })
        .collect();
    let spent = desk.spent(&accounts).await?;
    Ok(members.iter().zip(spent).map(|(member, spent)| row(desk, member, spent)).collect())
}

fn row(desk: &Desk, member: &Membership, spent: u64) -> Value {
    let mut budget = Map::new();
    limits::write(&mut budget, &member.limits, &member.extra, desk.now_ms, &desk.zone);
    let mut shown = row::begin(json!({
        "user_id": member.user_id,
        "team_id": member.team_id,
        "role": member.role,
        "budget_id": member.budget_id,
        "allowed_models": member.models,
        "spend": money::dollars(spent),
    }));
    for name in ["max_budget", "budget_duration", "tpm_limit", "rpm_limit"] {
        shown.insert(name.into(), budget.get(name).cloned().unwrap_or(Value::Null));
    }
    shown.insert("litellm_budget_table".into(), Value::Object(budget));
    row::extra(&mut shown, &Extra::new(), &[]);
    Value::Object(shown)
}
