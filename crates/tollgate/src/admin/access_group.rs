//! `/access_group/*`: names for several models, which keys and teams can be granted.

use serde_json::{Map, Value, json};
use tollgate_store::entity::{AccessGroup, Column, EntityKind, StoredModel};

use super::desk::{Asked, Desk, new_id};
use super::error::ApiError;
use super::field::Fields;
use super::row;

/// `POST /access_group/new`
pub async fn create(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let name = asked.fields.needed("access_group")?;
    let models = models(desk, &mut asked.fields).await?;
    let group = desk.create(AccessGroup { id: new_id(), name, models, ..AccessGroup::default() }).await?;
    Ok(changed(&group))
}

/// `PUT /access_group/{access_group}/update`: these models in place of those that it had.
pub async fn update(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = by_name(desk, &asked).await?.id;
    let models = models(desk, &mut asked.fields).await?;
    let group = desk.rewrite::<AccessGroup>(&id, |group| {
        group.models = models;
        Ok(())
    });
    Ok(changed(&group.await?))
}

/// `GET /access_group/{access_group}/info`; groups of the configuration have one, too.
pub async fn info(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let name = asked.path.first().map(String::as_str).unwrap_or_default();
    let groups = desk.live.groups.load();
    let models = groups.get(name).ok_or_else(|| ApiError::not_found(EntityKind::AccessGroup, name))?;
    Ok(described(desk, name, models))
}

/// `GET /access_group/list`
pub async fn list(desk: &Desk, _: Asked) -> Result<Value, ApiError> {
    let groups = desk.live.groups.load();
    let groups: Vec<Value> = groups.iter().map(|(name, models)| described(desk, name, models)).collect();
    Ok(json!({"access_groups": groups}))
}

/// `DELETE /access_group/{access_group}/delete`
pub async fn delete(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let group = by_name(desk, &asked).await?;
    remove(desk, &group.id).await?;
    let message = format!("Access group {} deleted successfully", group.name);
    Ok(json!({"access_group": group.name, "models_updated": group.models.len(), "message": message}))
}

/// `POST /v1/access_group`
pub async fn create_by_id(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let mut group = AccessGroup { id: new_id(), ..AccessGroup::default() };
    group.name = asked.fields.needed("access_group_name")?;
    read(asked.fields, &mut group)?;
    Ok(Value::Object(row_of(&desk.create(group).await?)))
}

/// `GET /v1/access_group`
pub async fn list_by_id(desk: &Desk, _: Asked) -> Result<Value, ApiError> {
    let groups = desk.database.all::<AccessGroup>().await?;
    Ok(groups.iter().map(|group| Value::Object(row_of(group))).collect())
}

/// `GET /v1/access_group/{id}`
pub async fn info_by_id(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let group = desk.get::<AccessGroup>(asked.path.first().map(String::as_str).unwrap_or_default()).await?;
    Ok(Value::Object(row_of(&group)))
}

/// `PUT /v1/access_group/{id}`
pub async fn update_by_id(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.path.pop().unwrap_or_default();
    let name = asked.fields.text("access_group_name")?.value();
    let group = desk.rewrite::<AccessGroup>(&id, |group| {
        group.name = name.unwrap_or_else(|| group.name.clone());
        read(asked.fields, group)
    });
    Ok(Value::Object(row_of(&group.await?)))
}

/// `DELETE /v1/access_group/{id}`
pub async fn delete_by_id(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let group = remove(desk, &asked.path.pop().unwrap_or_default()).await?;
    Ok(Value::Object(row_of(&group)))
}

fn read(mut fields: Fields, group: &mut AccessGroup) -> Result<(), ApiError> {
    fields.text("description")?.set(&mut group.description);
    fields.texts("access_model_names")?.put(&mut group.models);
    fields.keep_rest(&mut group.extra);
    Ok(())
}

/// Names of routes, or ids of deployments that stand for the names of theirs.
async fn models(desk: &Desk, fields: &mut Fields) -> Result<Vec<String>, ApiError> {
    let mut names = fields.texts("model_names")?.value().unwrap_or_default();
    for id in fields.texts("model_ids")?.value().unwrap_or_default() {
        let own = desk.live.config.deployments.iter().find(|deployment| deployment.id == id);
        names.push(match own {
            Some(deployment) => deployment.group.clone(),
            None => desk.get::<StoredModel>(&id).await?.model_name,
        });
    }
    if names.is_empty() {
        return Err(ApiError::invalid("model_names", "is missing: a list of names of models"));
    }
    for name in &names {
        if !name.contains('*') && desk.live.config.routes.resolve(name).is_err() {
            return Err(ApiError::invalid("model_names", format!("there is no model {name}")));
        }
    }
    Ok(names)
}

async fn by_name(desk: &Desk, asked: &Asked) -> Result<AccessGroup, ApiError> {
    let name = asked.path.first().map(String::as_str).unwrap_or_default();
    let found = desk.database.find::<AccessGroup>(Column::Name, name).await?;
    found.into_iter().next().ok_or_else(|| ApiError::not_found(EntityKind::AccessGroup, name))
}

async fn remove(desk: &Desk, id: &str) -> Result<AccessGroup, ApiError> {
    let mut write = desk.write().await?;
    let group =
        write.delete::<AccessGroup>(id).await?.ok_or_else(|| ApiError::not_found(EntityKind::AccessGroup, id))?;
    desk.commit(write).await?;
    Ok(group)
}

fn changed(group: &AccessGroup) -> Value {
    json!({"access_group": group.name, "model_names": group.models, "models_updated": group.models.len()})
}

fn described(desk: &Desk, name: &str, models: &[String]) -> Value {
    let deployments =
        desk.live.config.deployments.iter().filter(|deployment| models.contains(&deployment.group)).count();
    json!({"access_group": name, "model_names": models, "deployment_count": deployments})
}

fn row_of(group: &AccessGroup) -> Map<String, Value> {
    let mut shown = row::begin(json!({
        "access_group_id": group.id,
        "access_group_name": group.name,
        "description": group.description,
        "access_model_names": group.models,
    }));
    row::stamps(&mut shown, &group.stamps);
    row::extra(&mut shown, &group.extra, &[("access_mcp_server_ids", json!([])), ("access_agent_ids", json!([]))]);
    shown
}
