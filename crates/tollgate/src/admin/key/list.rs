//! `GET /key/list` and `/key/aliases`.

use serde_json::{Value, json};
use tollgate_store::entity::{Column, VirtualKey};
use tollgate_store::list::{Condition, Query};

use super::secret::id_of;
use crate::admin::desk::{Asked, Desk};
use crate::admin::error::ApiError;
use crate::admin::permit::Reach;
use crate::admin::sort;

/// Keys on a page.
pub const MOST: u32 = 100;

const SORTS: &[(&str, Column)] = &[
    ("created_at", Column::CreatedAt),
    ("updated_at", Column::UpdatedAt),
    ("key_alias", Column::Alias),
    ("key_name", Column::Name),
    ("user_id", Column::UserId),
    ("team_id", Column::TeamId),
    ("organization_id", Column::OrganisationId),
    ("token", Column::Id),
];

/// `GET /key/list`
pub async fn list(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let paging = asked.query.paging("size", 10, MOST)?;
    let mut query = visible(&desk.reach().await?);
    for (name, column) in [
        ("user_id", Column::UserId),
        ("team_id", Column::TeamId),
        ("organization_id", Column::OrganisationId),
        ("project_id", Column::ProjectId),
        ("key_alias", Column::Alias),
    ] {
        if let Some(value) = asked.query.text(name) {
            query = query.and(Condition::Is(column, value.to_string()));
        }
    }
    if let Some(key) = asked.query.text("key_hash") {
        query = query.and(Condition::Is(Column::Id, id_of(key)));
    }
    query.sort = sort(&asked.query, SORTS, Column::CreatedAt)?;
    query.descending = asked.query.descending(true)?;
    (query.page, query.size) = (paging.page, paging.size);
    let page = desk.database.list::<VirtualKey>(&query).await?;
    let keys: Vec<Value> = if asked.query.flag("return_full_object") {
        desk.key_rows(&page.items).await?.into_iter().map(Value::Object).collect()
    } else {
        page.items.into_iter().map(|key| Value::String(key.hash)).collect()
    };
    Ok(json!({
        "keys": keys, "total_count": page.total, "current_page": paging.page, "total_pages": paging.pages(page.total),
    }))
}

/// `GET /key/aliases`
pub async fn aliases(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let paging = asked.query.paging("size", 50, MOST)?;
    let mut query = visible(&desk.reach().await?);
    query = query.and(Condition::Contains(Column::Alias, asked.query.text("search").unwrap_or_default().to_string()));
    (query.sort, query.descending, query.page, query.size) = (Column::Alias, false, paging.page, paging.size);
    let page = desk.database.list::<VirtualKey>(&query).await?;
    let aliases: Vec<String> = page.items.into_iter().filter_map(|key| key.alias).collect();
    Ok(json!({
        "aliases": aliases, "total_count": page.total, "current_page": paging.page, "size": paging.size,
        "total_pages": paging.pages(page.total),
    }))
}

fn visible(reach: &Reach) -> Query {
    let Some(own) = reach.own() else { return Query::default() };
    let mut any = vec![
        Condition::OneOf(Column::TeamId, own.admin_of_teams.clone()),
        Condition::OneOf(Column::OrganisationId, own.admin_of_organisations.clone()),
        Condition::Is(Column::Id, own.key.clone()),
    ];
    any.extend(own.user.clone().map(|user| Condition::Is(Column::UserId, user)));
    Query::default().and_any(any)
}
