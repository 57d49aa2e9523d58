//! `/organization/member_*`: who is in an organisation.

use serde_json::{Value, json};
use tollgate_policy::access::Role;
use tollgate_store::access::Write;
use tollgate_store::entity::{Column, EntityKind, Organisation, OrganisationMember, User};

use crate::admin::desk::{Asked, Desk, new_id};
use crate::admin::error::ApiError;
use crate::admin::field::{Field, Fields};
use crate::admin::limits;
use crate::admin::permit::{Right, Subject};

const ROLES: [(&str, Role); 3] = [
    ("org_admin", Role::OrgAdmin),
    ("internal_user", Role::InternalUser),
    ("internal_user_viewer", Role::InternalUserViewer),
];

/// `POST /organization/member_add`
pub async fn add(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.needed("organization_id")?;
    desk.reach().await?.check(Right::Change, Subject::Organisation(&id))?;
    let organisation = desk.get::<Organisation>(&id).await?;
    let members = match asked.fields.json("member") {
        Field::Value(Value::Array(items)) => items,
        Field::Value(item) => vec![item],
        Field::Absent | Field::Null => return Err(ApiError::invalid("member", "is missing")),
    };
    let mut own = OrganisationMember { organisation_id: id.clone(), ..OrganisationMember::default() };
    read(&mut asked.fields, &mut own)?;
    let mut joining = Vec::with_capacity(members.len());
    for member in members {
        let Value::Object(fields) = member else {
            return Err(ApiError::invalid(
                "member",
                r#"must be an object such as {"role": "internal_user", "user_id": "…"}"#,
            ));
        };
        let mut fields = Fields::new(fields);
        let role = fields.choice("role", &ROLES)?.value().unwrap_or_default();
        joining.push((role, user(desk, &mut fields).await?));
    }
    let mut write = desk.write().await?;
    let (mut users, mut memberships) = (Vec::new(), Vec::new());
    for (role, (user, known)) in joining {
        let user = if known { user } else { write.create(user).await? };
        let user = raised(&mut write, user, role).await?;
        let member = OrganisationMember { user_id: user.id.clone(), role, ..own.clone() };
        memberships.push(desk.organisation_member_row(&write.create(member).await?));
        users.push(json!({"user_id": user.id, "user_email": user.email, "user_role": user.role}));
    }
    desk.commit(write).await?;
    Ok(json!({
        "organization_id": organisation.id,
        "updated_users": users,
        "updated_organization_memberships": memberships,
    }))
}

/// Who administers an organisation needs the role to reach the paths for it; what it may do there, its memberships say.
async fn raised(write: &mut Write, mut user: User, role: Role) -> Result<User, ApiError> {
    if role == Role::OrgAdmin && [Role::InternalUser, Role::InternalUserViewer].contains(&user.role) {
        user.role = Role::OrgAdmin;
        user = write.put(user).await?;
    }
    Ok(user)
}

/// The user that is named, and whether there is one already.
async fn user(desk: &Desk, fields: &mut Fields) -> Result<(User, bool), ApiError> {
    let (id, email) = (fields.text("user_id")?.value(), fields.text("user_email")?.value());
    let found = match (&id, &email) {
        (Some(id), _) => desk.database.get::<User>(id).await?,
        (None, Some(email)) => desk.database.find::<User>(Column::Email, email).await?.into_iter().next(),
        (None, None) => return Err(ApiError::invalid("user_id", "is missing; user_email does as well")),
    };
    Ok(match found {
        Some(user) => (user, true),
        None => (User { id: id.unwrap_or_else(new_id), email, ..User::default() }, false),
    })
}

fn read(fields: &mut Fields, member: &mut OrganisationMember) -> Result<(), ApiError> {
    let (max, duration) = (fields.nanos("max_budget_in_organization")?, fields.window("budget_duration")?);
    limits::budget(max, duration, &mut member.limits, &mut member.extra);
    fields.text("budget_id")?.set(&mut member.budget_id);
    Ok(())
}

/// `PATCH /organization/member_update`
pub async fn update(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = member_id(desk, &mut asked.fields).await?;
    let mut fields = asked.fields;
    let role = fields.choice("role", &ROLES)?;
    let mut write = desk.write().await?;
    let member = write.get::<OrganisationMember>(&id).await?;
    let mut member = member.ok_or_else(|| ApiError::not_found(EntityKind::OrganisationMember, &id))?;
    role.put(&mut member.role);
    read(&mut fields, &mut member)?;
    if let Some(user) = write.get::<User>(&member.user_id).await? {
        raised(&mut write, user, member.role).await?;
    }
    let member = write.put(member).await?;
    desk.commit(write).await?;
    Ok(desk.organisation_member_row(&member))
}

/// `DELETE /organization/member_delete`
pub async fn delete(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = member_id(desk, &mut asked.fields).await?;
    let mut write = desk.write().await?;
    let gone = write.delete::<OrganisationMember>(&id).await?;
    let gone = gone.ok_or_else(|| ApiError::not_found(EntityKind::OrganisationMember, &id))?;
    desk.commit(write).await?;
    Ok(desk.organisation_member_row(&gone))
}

async fn member_id(desk: &Desk, fields: &mut Fields) -> Result<String, ApiError> {
    let organisation = fields.needed("organization_id")?;
    desk.reach().await?.check(Right::Change, Subject::Organisation(&organisation))?;
    let (user, _) = user(desk, fields).await?;
    Ok(OrganisationMember::id_of(&organisation, &user.id))
}
