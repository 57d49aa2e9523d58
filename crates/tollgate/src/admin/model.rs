//! `/model/*`: deployments that are added while the gateway runs, and what is known of all.

mod view;

use serde_json::{Map, Value, json};
use tollgate_store::entity::{EntityKind, Extra, Params, StoredModel};

use super::desk::{Asked, Desk, new_id};
use super::error::ApiError;
use super::field::Fields;
use super::row;
use crate::config::problem::{Problem, Severity};
use crate::config::{self, added};
use crate::store::entry;

pub use view::{group_info, info, pages};

/// `POST /model/new`
pub async fn create(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let fields = &mut asked.fields;
    let model_name = fields.needed("model_name")?;
    let params = fields.object("litellm_params")?.value();
    let params =
        params.ok_or_else(|| ApiError::invalid("litellm_params", "is missing: an object with `model` in it"))?;
    let mut info = fields.object("model_info")?.value().unwrap_or_default();
    let id = given_id(&mut info).unwrap_or_else(new_id);
    if desk.live.config.deployments[..desk.live.config.own].iter().any(|deployment| deployment.id == id) {
        return Err(ApiError::invalid("model_info", format!("the configuration has a model with the id {id}")));
    }
    let model = StoredModel { id, model_name, model_info: info, ..StoredModel::default() };
    let model = desk.create(sealed(desk, model, params)?).await?;
    Ok(shown(&model))
}

/// `POST /model/update`: the model is named by `model_info.id`. What the request does not name stays.
pub async fn update(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.object("model_info")?.value();
    let id = id.clone().and_then(|mut info| given_id(&mut info).map(|id| (id, info)));
    let (id, info) = id.ok_or_else(|| ApiError::invalid("model_info", "must have the model's `id`"))?;
    asked.fields.set("model_info", Value::Object(info));
    change(desk, &id, asked.fields).await
}

/// `PATCH /model/{model_id}/update`
pub async fn patch(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.path.pop().unwrap_or_default();
    change(desk, &id, asked.fields).await
}

async fn change(desk: &Desk, id: &str, mut fields: Fields) -> Result<Value, ApiError> {
    of_the_database(desk, id)?;
    let name = fields.text("model_name")?.value();
    let changed = fields.object("litellm_params")?.value().unwrap_or_default();
    let mut info = fields.object("model_info")?.value().unwrap_or_default();
    given_id(&mut info);
    let model = desk.rewrite::<StoredModel>(id, |model| {
        let mut params = model.litellm_params.open(&desk.vault, id)?;
        merge(&mut params, changed);
        merge(&mut model.model_info, info);
        if let Some(name) = name {
            model.model_name = name;
        }
        *model = sealed(desk, model.clone(), params)?;
        Ok(())
    });
    Ok(shown(&model.await?))
}

/// `POST /model/delete` with `{"id": …}`
pub async fn delete(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.needed("id")?;
    of_the_database(desk, &id)?;
    let mut write = desk.write().await?;
    write.delete::<StoredModel>(&id).await?.ok_or_else(|| ApiError::not_found(EntityKind::Model, &id))?;
    desk.commit(write).await?;
    Ok(json!({"message": format!("Model: {id} deleted successfully")}))
}

fn of_the_database(desk: &Desk, id: &str) -> Result<(), ApiError> {
    let config = &desk.live.config;
    if config.deployments[..config.own].iter().any(|deployment| deployment.id == id) {
        return Err(ApiError::invalid("id", format!("model {id} is in the configuration file; change it there")));
    }
    Ok(())
}

/// What is no deployment is refused before it is stored.
fn sealed(desk: &Desk, model: StoredModel, params: Extra) -> Result<StoredModel, ApiError> {
    if model.model_info.get("team_id").is_some_and(|team| !team.is_null()) {
        let hint =
            "models of one team are not there; give the model a name of its own and put it into the team's `models`";
        return Err(ApiError::invalid("model_info", hint));
    }
    if let Err(problems) = added::read(&desk.live.config, &entry(&model, params.clone()), &config::env) {
        return Err(refused(&problems));
    }
    let litellm_params = Params::seal(&desk.vault, &model.id, params)?;
    Ok(StoredModel { litellm_params, ..model })
}

fn refused(problems: &[Problem]) -> ApiError {
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
    let told: Vec<(String, String)> = errors
        .map(|problem| {
            let place = problem.path.trim_start_matches("model_list[0]").trim_start_matches('.').to_string();
            let hint = problem.hint.as_ref().map_or(String::new(), |hint| format!("; {hint}"));
            let words = format!("{place} {}{hint}", problem.message);
            (place, words)
        })
        .collect();
    let param = told.first().map(|(place, _)| place.clone()).unwrap_or_default();
    let message = told.into_iter().map(|(_, words)| words).collect::<Vec<_>>().join(". ");
    ApiError::Invalid { param, message }
}

fn given_id(info: &mut Map<String, Value>) -> Option<String> {
    info.shift_remove("id")?.as_str().filter(|id| !id.is_empty()).map(str::to_string)
}

/// Null takes a field away.
fn merge(fields: &mut Extra, changed: Map<String, Value>) {
    for (name, value) in changed {
        if value.is_null() {
            fields.shift_remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
}

/// Without credentials, sealed or not.
fn shown(model: &StoredModel) -> Value {
    let mut info = model.model_info.clone();
    info.insert("id".into(), json!(model.id));
    info.insert("db_model".into(), json!(true));
    let mut shown = row::begin(json!({
        "model_id": model.id,
        "model_name": model.model_name,
        "litellm_params": model.litellm_params.without_credentials(),
        "model_info": info,
    }));
    row::stamps(&mut shown, &model.stamps);
    Value::Object(shown)
}
