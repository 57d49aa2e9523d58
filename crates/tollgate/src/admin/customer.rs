//! `/customer/*` and `/end_user/*`: the customers of customers, whom requests name.

use serde_json::{Map, Value, json};
use tollgate_policy::access::ScopeKind;
use tollgate_store::database::StoreError;
use tollgate_store::entity::{Column, EndUser, EntityKind, NamedBudget};
use tollgate_store::list::Query;

use super::desk::{Account, Asked, Desk};
use super::error::ApiError;
use super::field::Fields;
use super::team::needed_ids;
use super::{budget, limits, money, row};

/// Customers in one answer.
const MOST: u32 = 1000;

fn read(mut fields: Fields, customer: &mut EndUser) -> Result<(), ApiError> {
    fields.text("alias")?.set(&mut customer.alias);
    fields.text("budget_id")?.set(&mut customer.budget_id);
    fields.text("default_model")?.set(&mut customer.default_model);
    fields.text("allowed_model_region")?.set(&mut customer.allowed_model_region);
    fields.flag("blocked")?.put(&mut customer.grants.blocked);
    fields.texts("models")?.put(&mut customer.grants.models);
    limits::read(&mut fields, &mut customer.limits, &mut customer.extra)?;
    fields.object("metadata")?.put(&mut customer.metadata);
    fields.keep_rest(&mut customer.extra);
    Ok(())
}

/// `POST /customer/new`
pub async fn create(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.needed("user_id")?;
    let spend = asked.fields.nanos("spend")?.value();
    let mut customer = EndUser { id, ..EndUser::default() };
    read(asked.fields, &mut customer)?;
    check_budget(desk, &customer).await?;
    let customer = desk.create(customer).await?;
    if let Some(nanos) = spend {
        desk.set_spent(ScopeKind::EndUser, &customer.id, nanos).await?;
    }
    one(desk, &customer).await
}

/// `POST /customer/update`
pub async fn update(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let id = asked.fields.needed("user_id")?;
    let spend = asked.fields.nanos("spend")?.value();
    let mut changed = desk.get::<EndUser>(&id).await?;
    read(asked.fields.clone(), &mut changed)?;
    check_budget(desk, &changed).await?;
    let customer = desk.rewrite::<EndUser>(&id, |customer| read(asked.fields, customer)).await?;
    if let Some(nanos) = spend {
        desk.set_spent(ScopeKind::EndUser, &id, nanos).await?;
    }
    one(desk, &customer).await
}

async fn check_budget(desk: &Desk, customer: &EndUser) -> Result<(), ApiError> {
    if let Some(id) = &customer.budget_id {
        desk.get::<NamedBudget>(id).await?;
    }
    Ok(())
}

/// `GET /customer/info?end_user_id=`. One who has spent and was never set up has a row, too.
pub async fn info(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    desk.reach().await?.check_overview("customers")?;
    let id = asked.query.needed("end_user_id")?;
    let customer = match desk.database.get::<EndUser>(id).await? {
        Some(customer) => customer,
        None if desk.meter.totals(ScopeKind::EndUser, &[id]).await?.contains_key(id) => {
            EndUser { id: id.to_string(), ..EndUser::default() }
        }
        None => return Err(ApiError::not_found(EntityKind::EndUser, id)),
    };
    one(desk, &customer).await
}

/// `GET /customer/list`: a thousand at most; `page` shows the next.
pub async fn list(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    desk.reach().await?.check_overview("customers")?;
    let paging = asked.query.paging("page_size", MOST, MOST)?;
    let query = Query { sort: Column::CreatedAt, page: paging.page, size: paging.size, ..Query::default() };
    let customers = desk.database.list::<EndUser>(&query).await?.items;
    Ok(json!(rows(desk, &customers).await?))
}

/// `POST /customer/delete`
pub async fn delete(desk: &Desk, mut asked: Asked) -> Result<Value, ApiError> {
    let ids = needed_ids(&mut asked.fields, "user_ids")?;
    let mut write = desk.write().await?;
    for id in &ids {
        write.delete::<EndUser>(id).await?.ok_or_else(|| ApiError::not_found(EntityKind::EndUser, id))?;
    }
    desk.commit(write).await?;
    Ok(json!({
        "deleted_customers": ids.len(),
        "message": format!("Successfully deleted customers with ids: {}", ids.join(", ")),
    }))
}

/// `POST /customer/block` and `/customer/unblock`
pub async fn block(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    set_blocked(desk, asked, true).await
}

pub async fn unblock(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    set_blocked(desk, asked, false).await
}

/// One who was never set up is, so that there is something to block.
async fn set_blocked(desk: &Desk, mut asked: Asked, blocked: bool) -> Result<Value, ApiError> {
    let ids = needed_ids(&mut asked.fields, "user_ids")?;
    let mut write = desk.write().await?;
    let mut changed = Vec::with_capacity(ids.len());
    for id in ids {
        changed.push(match write.get::<EndUser>(&id).await? {
            Some(mut customer) => {
                customer.grants.blocked = blocked;
                write.put(customer).await?
            }
            None => {
                let mut customer = EndUser { id, ..EndUser::default() };
                customer.grants.blocked = blocked;
                write.create(customer).await?
            }
        });
    }
    desk.commit(write).await?;
    Ok(json!({"blocked_users": rows(desk, &changed).await?}))
}

async fn one(desk: &Desk, customer: &EndUser) -> Result<Value, ApiError> {
    let row = rows(desk, std::slice::from_ref(customer)).await?.pop();
    Ok(row.map_or(Value::Null, Value::Object))
}

async fn rows(desk: &Desk, customers: &[EndUser]) -> Result<Vec<Map<String, Value>>, StoreError> {
    let budgets = desk.named_budgets(customers.iter().filter_map(|customer| customer.budget_id.as_deref())).await?;
    let named = |customer: &EndUser| budgets.get(customer.budget_id.as_ref()?);
    let accounts: Vec<Account<'_>> = customers
        .iter()
        .map(|customer| Account {
            kind: ScopeKind::EndUser,
            id: &customer.id,
            window: limits::window_of(&customer.limits, named(customer).map(|named| &named.limits)),
        })
        .collect();
    let spent = desk.spent(&accounts).await?;
    Ok(customers.iter().zip(spent).map(|(customer, spent)| shown(desk, customer, spent, named(customer))).collect())
}

fn shown(desk: &Desk, customer: &EndUser, spent: u64, named: Option<&NamedBudget>) -> Map<String, Value> {
    let mut shown = row::begin(json!({
        "user_id": customer.id,
        "alias": customer.alias,
        "blocked": customer.grants.blocked,
        "spend": money::dollars(spent),
        "allowed_model_region": customer.allowed_model_region,
        "default_model": customer.default_model,
        "models": customer.grants.models,
        "budget_id": customer.budget_id,
        "metadata": customer.metadata,
    }));
    let mut own = Map::new();
    limits::write(&mut own, &customer.limits, &customer.extra, desk.now_ms, &desk.zone);
    // LiteLLM keeps limits that a customer was given in a budget without a name.
    let table = match named {
        Some(named) => Value::Object(budget::row(named, desk)),
        None if customer.limits == Default::default() => Value::Null,
        None => Value::Object(own.clone()),
    };
    shown.insert("litellm_budget_table".into(), table);
    shown.extend(own);
    row::stamps(&mut shown, &customer.stamps);
    row::extra(&mut shown, &customer.extra, &[]);
    shown
}
