//! `GET /model/info`, `/v2/model/info` and `/model_group/info`: the models that the caller may call.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use tollgate_store::entity::StoredModel;

use crate::admin::desk::{Asked, Desk};
use crate::admin::error::ApiError;
use crate::admin::row::provider;
use crate::config::model::Deployment;
use crate::registry::catalogue;

/// Deployments on a page.
const MOST: u32 = 1000;
/// The path for which the caller has to have the models.
const CALLS: &str = "/v1/chat/completions";

/// `GET /model/info`, `/v1/model/info`
pub async fn info(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    Ok(json!({"data": rows(desk, &asked).await?}))
}

/// `GET /v2/model/info`
pub async fn pages(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let paging = asked.query.paging("size", 50, MOST)?;
    let rows = rows(desk, &asked).await?;
    let (total, from) = (rows.len() as u64, (paging.page as usize - 1).saturating_mul(paging.size as usize));
    let data: Vec<Value> = rows.into_iter().skip(from).take(paging.size as usize).collect();
    Ok(json!({
        "data": data, "total_count": total, "current_page": paging.page, "size": paging.size,
        "total_pages": paging.pages(total),
    }))
}

async fn rows(desk: &Desk, asked: &Asked) -> Result<Vec<Value>, ApiError> {
    let wanted = asked.query.text("litellm_model_id").or(asked.query.text("modelId"));
    let named = asked.query.text("model");
    let stored: HashMap<String, StoredModel> =
        desk.database.all::<StoredModel>().await?.into_iter().map(|model| (model.id.clone(), model)).collect();
    let callable = callable(desk);
    let chosen = callable.filter(|deployment| {
        wanted.is_none_or(|id| deployment.id == id) && named.is_none_or(|name| deployment.group == name)
    });
    let rows: Vec<Value> = chosen.map(|deployment| row(deployment, stored.get(&deployment.id))).collect();
    match wanted {
        Some(id) if rows.is_empty() => Err(ApiError::not_found(tollgate_store::entity::EntityKind::Model, id)),
        _ => Ok(rows),
    }
}

fn callable(desk: &Desk) -> impl Iterator<Item = &Deployment> {
    desk.live
        .config
        .deployments
        .iter()
        .filter(|deployment| desk.caller.may(&desk.live, CALLS, Some(&deployment.group)).is_ok())
}

/// Femto-dollars per token as the nearest number of dollars.
fn dollars_per_token(femto: u64) -> Value {
    format!("{femto}e-15").parse::<f64>().map_or(Value::Null, |dollars| json!(dollars))
}

fn row(deployment: &Deployment, stored: Option<&StoredModel>) -> Value {
    let price = |of: fn(&tollgate_policy::price::Price) -> u64| {
        deployment.price.map_or(Value::Null, |price| dollars_per_token(of(&price)))
    };
    let listed = catalogue::find(&deployment.provider, &deployment.model);
    let can = |ability: &str| listed.as_ref().map_or(Value::Null, |listed| json!(listed.can(ability)));
    let mut info = json!({
        "id": deployment.id,
        "db_model": stored.is_some(),
        "key": deployment.model,
        "max_tokens": deployment.max_output_tokens,
        "max_input_tokens": deployment.context_window,
        "max_output_tokens": deployment.max_output_tokens,
        "input_cost_per_token": price(|price| price.input),
        "output_cost_per_token": price(|price| price.output),
        "cache_read_input_token_cost": price(|price| price.cache_read),
        "cache_creation_input_token_cost": price(|price| price.cache_write),
        "litellm_provider": provider(&deployment.provider),
        "mode": listed.as_ref().map_or("chat", |listed| listed.mode),
        "access_groups": deployment.access_groups,
        "supported_openai_params": [],
        "supports_function_calling": can("tools"),
        "supports_vision": can("vision"),
        "supports_pdf_input": can("pdf"),
        "supports_audio_input": can("audio"),
        "supports_prompt_caching": can("caching"),
        "supports_reasoning": can("reasoning"),
        "supports_response_schema": can("schema"),
        "supports_web_search": can("web_search"),
    });
    let mut params = json!({
        "model": format!("{}/{}", provider(&deployment.provider), deployment.model),
        "api_base": deployment.shown_url(),
    });
    let limits = &deployment.limits;
    for (name, limit) in
        [("rpm", limits.requests), ("tpm", limits.tokens), ("max_parallel_requests", limits.parallel.map(u64::from))]
    {
        if let Some(limit) = limit {
            params[name] = json!(limit);
        }
    }
    if let Some(stored) = stored {
        fill(&mut info, &stored.model_info);
        fill(&mut params, &stored.litellm_params.without_credentials());
    }
    json!({"model_name": deployment.group, "litellm_params": params, "model_info": info})
}

/// What was stored is shown as it was given.
fn fill(fields: &mut Value, given: &tollgate_store::entity::Extra) {
    for (name, value) in given {
        fields[name] = value.clone();
    }
}

/// `GET /model_group/info`
pub async fn group_info(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let named = asked.query.text("model_group");
    let mut groups: BTreeMap<&str, Vec<&Deployment>> = BTreeMap::new();
    for deployment in callable(desk).filter(|deployment| named.is_none_or(|name| deployment.group == name)) {
        groups.entry(&deployment.group).or_default().push(deployment);
    }
    let groups = groups.into_iter().map(|(name, members)| {
        let mut providers: Vec<&str> = members.iter().map(|member| provider(&member.provider)).collect();
        providers.sort_unstable();
        providers.dedup();
        let most = |of: fn(&Deployment) -> Option<u64>| members.iter().filter_map(|member| of(member)).max();
        let sum = |of: fn(&Deployment) -> Option<u64>| {
            let parts: Option<Vec<u64>> = members.iter().map(|member| of(member)).collect();
            parts.map(|parts| parts.iter().sum::<u64>())
        };
        let price = |of: fn(&tollgate_policy::price::Price) -> u64| {
            let highest = members.iter().filter_map(|member| member.price.as_ref()).map(of).max();
            highest.map_or(Value::Null, dollars_per_token)
        };
        json!({
            "model_group": name,
            "providers": providers,
            "max_input_tokens": most(|member| member.context_window),
            "max_output_tokens": most(|member| member.max_output_tokens),
            "input_cost_per_token": price(|price| price.input),
            "output_cost_per_token": price(|price| price.output),
            "mode": "chat",
            "rpm": sum(|member| member.limits.requests),
            "tpm": sum(|member| member.limits.tokens),
            "supports_function_calling": null,
            "supports_vision": null,
            "supports_parallel_function_calling": null,
            "supported_openai_params": [],
            "configurable_clientside_auth_params": null,
        })
    });
    Ok(json!({"data": groups.collect::<Vec<_>>()}))
}
