//! `/budget/*`: limits with a name.

use serde_json::{Map, Value, json};
use tollgate_store::entity::{EntityKind, NamedBudget};

use super::desk::{Asked, Desk, new_id};
use super::error::ApiError;
use super::field::Fields;
use super::team::needed_ids;
use super::{limits, row};

fn read(mut fields: Fields, budget: &mut NamedBudget) -> Result<(), ApiError> {
    limits::read(&mut fields, &mut budget.limits, &mut budget.extra)?;
    fields.texts("allowed_models")?.put(&mut budget.models);
    // The window says when it begins anew.
    fields.json("budget_reset_at");
    fields.keep_rest(&mut budget.extra);
    Ok(())
}

pub fn row(budget: &NamedBudget, desk: &Desk) -> Map<String, Value> {
    let mut shown = row::begin(json!({"budget_id": budget.id, "allowed_models": budget.models}));
    limits::write(&mut shown, &budget.limits, &budget.extra, desk.now_ms, &desk.zone);
    row::stamps(&mut shown, &budget.stamps);
    row::extra(&mut shown, &budget.extra, &[]);
    shown
}

/// `POST /budget/new`
pub async fn create(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.text("budget_id")?.value().unwrap_or_else(new_id);
    let mut budget = NamedBudget { id, ..NamedBudget::default() };
    read(asked.fields, &mut budget)?;
    Ok(Value::Object(row(&desk.create(budget).await?, desk)))
}

/// `POST /budget/update`
pub async fn update(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.needed("budget_id")?;
    let budget = desk.rewrite::<NamedBudget>(&id, |budget| read(asked.fields, budget)).await?;
    Ok(Value::Object(row(&budget, desk)))
}

/// `POST /budget/info` with `{"budgets": [id, …]}`
pub async fn info(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    overview(desk).await?;
    let mut rows = Vec::new();
    for id in needed_ids(&mut asked.fields, "budgets")? {
        rows.push(row(&desk.get::<NamedBudget>(&id).await?, desk));
    }
    Ok(json!(rows))
}

/// `GET /budget/list`
pub async fn list(desk: &Desk, _: Asked) -> Result<Value, ApiError> {
    overview(desk).await?;
    let budgets = desk.database.all::<NamedBudget>().await?;
    Ok(budgets.iter().map(|budget| Value::Object(row(budget, desk))).collect())
}

/// `GET /budget/settings?budget_id=`: the fields one by one, for pages.
pub async fn settings(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    overview(desk).await?;
    let shown = row(&desk.get::<NamedBudget>(asked.query.needed("budget_id")?).await?, desk);
    let fields = [
        ("max_budget", "Float", "Dollars that may be spent"),
        ("soft_budget", "Float", "Dollars after which it is told"),
        ("budget_duration", "String", "After how long it begins anew: 30s, 30m, 24h, 7d, 1mo"),
        ("max_parallel_requests", "Integer", "Requests at once"),
        ("tpm_limit", "Integer", "Tokens per minute"),
        ("rpm_limit", "Integer", "Requests per minute"),
    ];
    let settings = fields.into_iter().map(|(name, kind, description)| {
        let value = shown.get(name);
        json!({
            "field_name": name, "field_type": kind, "field_description": description, "field_value": value,
            "stored_in_db": value.is_some_and(|value| !value.is_null()), "field_default_value": null,
        })
    });
    Ok(settings.collect())
}

/// `POST /budget/delete` with `{"id": …}`. Who referred to it has no limits from it any more.
pub async fn delete(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.needed("id")?;
    let mut write = desk.write().await?;
    let deleted =
        write.delete::<NamedBudget>(&id).await?.ok_or_else(|| ApiError::not_found(EntityKind::Budget, &id))?;
    desk.commit(write).await?;
    Ok(Value::Object(row(&deleted, desk)))
}

/// Named budgets are everybody's, so who sees all sees them.
async fn overview(desk: &Desk) -> Result<(), ApiError> {
    desk.reach().await?.check_overview("budgets")
}
