//! `GET /global/spend/report`: what teams, customers, keys or a user spent, for charging them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tollgate_store::entity::Team;
use tollgate_store::usage::{By, Line, SumQuestion, Sums, sums};

use super::{MOST_LINES, Range, date, filter};
use crate::admin::desk::{Asked, Desk};
use crate::admin::error::ApiError;
use crate::admin::money;

pub async fn report(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let query = &asked.query;
    let group = match query.text("group_by") {
        None | Some("team") => Some((By::Team, "teams", "team_name")),
        Some("customer") => Some((By::EndUser, "customers", "customer")),
        Some("api_key") => None,
        Some(_) => return Err(ApiError::invalid("group_by", "must be team, customer or api_key")),
    };
    let Range { from_ms, to_ms } = Range::of(query, desk)?;
    let filter = filter(desk, query).await?;
    let of_one = ["api_key", "internal_user_id", "customer_id"].iter().any(|name| query.text(name).is_some());
    let by = match group {
        Some((of, ..)) if !of_one => vec![By::Day, of, By::Key, By::Model],
        _ => vec![By::Key, By::Model],
    };
    let question = SumQuestion { from_ms, to_ms, by, filter, most: Some(MOST_LINES) };
    let lines = sums(&desk.database, &desk.zone, &question).await?;
    match group {
        Some((of, several, one)) if !of_one => by_day(desk, &lines, of, several, one).await,
        _ => Ok(by_key(&lines)),
    }
}

/// `[{"group_by_day", "teams": [{"team_name", "total_spend", "metadata": [{"model", "spend", "total_tokens", "api_key"}]}]}]`
async fn by_day(desk: &Desk, lines: &[Line], of: By, several: &str, one: &str) -> Result<Value, ApiError> {
    let mut days: BTreeMap<&str, BTreeMap<&str, (u64, Vec<Value>)>> = BTreeMap::new();
    for Line { of, sums } in lines {
        let [day, group, key, model] = of.as_slice() else { continue };
        let (spent, details) = days.entry(day).or_default().entry(group).or_default();
        *spent += sums.cost_nanos;
        details.push(json!({
            "model": model, "spend": money::dollars(sums.cost_nanos), "total_tokens": tokens(sums), "api_key": key,
        }));
    }
    let mut shown = Vec::with_capacity(days.len());
    for (day, groups) in days {
        let mut of_day = Vec::with_capacity(groups.len());
        for (group, (spent, details)) in groups {
            let name = name(desk, of, group).await?;
            let mut fields = Map::new();
            fields.insert(one.into(), json!(name));
            fields.insert("id".into(), json!(group));
            fields.insert("total_spend".into(), money::dollars(spent));
            fields.insert("metadata".into(), Value::Array(details));
            of_day.push(Value::Object(fields));
        }
        let day = format!("{}T00:00:00+00:00", date(day, &desk.zone));
        shown.push(json!({"group_by_day": day, several: of_day}));
    }
    Ok(Value::Array(shown))
}

async fn name(desk: &Desk, of: By, id: &str) -> Result<String, ApiError> {
    if of != By::Team {
        return Ok(id.to_string());
    }
    if id.is_empty() {
        return Ok("Unassigned Team".to_string());
    }
    let team = desk.database.get::<Team>(id).await?;
    Ok(team.and_then(|team| team.alias).unwrap_or_else(|| id.to_string()))
}

/// `[{"api_key", "total_cost", "total_input_tokens", "total_output_tokens", "model_details": […]}]`
fn by_key(lines: &[Line]) -> Value {
    let mut keys: BTreeMap<&str, Vec<(&str, &Sums)>> = BTreeMap::new();
    for Line { of, sums } in lines {
        if let [.., key, model] = of.as_slice() {
            keys.entry(key).or_default().push((model, sums));
        }
    }
    let keys = keys.into_iter().map(|(key, models)| {
        let sum = |part: fn(&Sums) -> u64| models.iter().map(|(_, sums)| part(sums)).sum::<u64>();
        let details: Vec<Value> = models
            .iter()
            .map(|(model, sums)| {
                json!({
                    "model": model,
                    "total_cost": money::dollars(sums.cost_nanos),
                    "total_input_tokens": input(sums),
                    "total_output_tokens": sums.output_tokens,
                })
            })
            .collect();
        json!({
            "api_key": key,
            "total_cost": money::dollars(sum(|sums| sums.cost_nanos)),
            "total_input_tokens": sum(input),
            "total_output_tokens": sum(|sums| sums.output_tokens),
            "model_details": details,
        })
    });
    keys.collect()
}

/// LiteLLM counts what came from a cache as input.
fn input(sums: &Sums) -> u64 {
    sums.input_tokens + sums.cache_read_tokens + sums.cache_write_tokens
}

fn tokens(sums: &Sums) -> u64 {
    input(sums) + sums.output_tokens
}
