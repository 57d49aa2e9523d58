//! `/organization/*`: organisations, which have teams and users.

mod member;
mod row;

use serde_json::{Value, json};
use tollgate_policy::access::ScopeKind;
use tollgate_store::entity::{Column, EntityKind, NamedBudget, Organisation, OrganisationMember, Team};
use tollgate_store::list::{Condition, Query};

use super::desk::{Asked, Desk, new_id};
use super::error::ApiError;
use super::field::Fields;
use super::limits;
use super::permit::{Right, Subject};
use super::team::needed_ids;

pub use member::{add as member_add, delete as member_delete, update as member_update};

/// Organisations in one answer.
const MOST: u32 = 1000;

fn read(mut fields: Fields, organisation: &mut Organisation) -> Result<(), ApiError> {
    fields.text("organization_alias")?.set(&mut organisation.alias);
    fields.text("budget_id")?.set(&mut organisation.budget_id);
    fields.texts("models")?.put(&mut organisation.grants.models);
    fields.names("model_aliases")?.put(&mut organisation.grants.aliases);
    fields.flag("blocked")?.put(&mut organisation.grants.blocked);
    limits::read(&mut fields, &mut organisation.limits, &mut organisation.extra)?;
    fields.object("metadata")?.put(&mut organisation.metadata);
    fields.keep_rest(&mut organisation.extra);
    Ok(())
}

/// `POST /organization/new`
pub async fn create(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.text("organization_id")?.value().unwrap_or_else(new_id);
    let mut organisation = Organisation { id, ..Organisation::default() };
    read(asked.fields, &mut organisation)?;
    check_budget(desk, &organisation).await?;
    let organisation = desk.create(organisation).await?;
    Ok(Value::Object(desk.organisation_row(&organisation).await?))
}

async fn check_budget(desk: &Desk, organisation: &Organisation) -> Result<(), ApiError> {
    if let Some(id) = &organisation.budget_id {
        desk.get::<NamedBudget>(id).await?;
    }
    Ok(())
}

/// `PATCH /organization/update`
pub async fn update(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.needed("organization_id")?;
    let reach = desk.reach().await?;
    reach.check(Right::Change, Subject::Organisation(&id))?;
    let spend = asked.fields.nanos("spend")?.value();
    let old = desk.get::<Organisation>(&id).await?;
    let mut new = old.clone();
    read(asked.fields.clone(), &mut new)?;
    check_budget(desk, &new).await?;
    let bounds_stay = new.limits == old.limits && new.grants == old.grants && new.budget_id == old.budget_id;
    if !reach.is_everything() && (spend.is_some() || !bounds_stay) {
        return Err(ApiError::Forbidden(
            "the limits and models of an organisation are changed by an administrator".into(),
        ));
    }
    let organisation = desk.rewrite::<Organisation>(&id, |organisation| read(asked.fields, organisation)).await?;
    if let Some(nanos) = spend {
        desk.set_spent(ScopeKind::Organisation, &id, nanos).await?;
    }
    Ok(Value::Object(desk.organisation_row(&organisation).await?))
}

/// `GET /organization/info?organization_id=`
pub async fn info(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let id = asked.query.needed("organization_id")?;
    desk.reach().await?.check(Right::See, Subject::Organisation(id))?;
    Ok(Value::Object(desk.organisation_row(&desk.get(id).await?).await?))
}

/// `POST /organization/info` with `{"organizations": [id, …]}`
pub async fn infos(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let reach = desk.reach().await?;
    let mut rows = Vec::new();
    for id in needed_ids(&mut asked.fields, "organizations")? {
        reach.check(Right::See, Subject::Organisation(&id))?;
        rows.push(desk.organisation_row(&desk.get(&id).await?).await?);
    }
    Ok(json!(rows))
}

/// `GET /organization/list`
pub async fn list(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let mut query = Query { size: MOST, ..Query::default() };
    if let Some(own) = desk.reach().await?.own() {
        query = query.and(Condition::OneOf(Column::Id, own.organisations.clone()));
    }
    if let Some(alias) = asked.query.text("org_alias") {
        query = query.and(Condition::Contains(Column::Alias, alias.to_string()));
    }
    let mut rows = Vec::new();
    for organisation in desk.database.list::<Organisation>(&query).await?.items {
        rows.push(desk.organisation_row(&organisation).await?);
    }
    Ok(json!(rows))
}

/// `DELETE /organization/delete`
pub async fn delete(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let ids = needed_ids(&mut asked.fields, "organization_ids")?;
    let mut rows = Vec::new();
    for id in &ids {
        let teams = desk.database.count::<Team>(Column::OrganisationId, id).await?;
        if teams > 0 {
            return Err(ApiError::invalid(
                "organization_ids",
                format!("organisation {id} has teams; delete those first"),
            ));
        }
        rows.push(desk.organisation_row(&desk.get(id).await?).await?);
    }
    let mut write = desk.write().await?;
    for id in &ids {
        write.delete_where::<OrganisationMember>(Column::OrganisationId, id).await?;
        write.delete::<Organisation>(id).await?.ok_or_else(|| ApiError::not_found(EntityKind::Organisation, id))?;
    }
    desk.commit(write).await?;
    Ok(json!(rows))
}
