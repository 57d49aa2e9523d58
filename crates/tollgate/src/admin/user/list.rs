//! `GET /user/list` and `/user/available_roles`.

use serde_json::{Map, Value, json};
use tollgate_store::entity::{Column, User, VirtualKey};
use tollgate_store::list::{Condition, Query};

use super::fields::ROLES;
use crate::admin::desk::{Asked, Desk};
use crate::admin::error::ApiError;
use crate::admin::sort;

const MOST: u32 = 100;

const SORTS: &[(&str, Column)] = &[
    ("created_at", Column::CreatedAt),
    ("updated_at", Column::UpdatedAt),
    ("user_id", Column::Id),
    ("user_email", Column::Email),
    ("user_alias", Column::Alias),
    ("user_role", Column::Role),
];

/// `GET /user/list`
pub async fn list(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let paging = asked.query.paging("page_size", 25, MOST)?;
    let mut query = Query::default();
    if let Some(own) = desk.reach().await?.own() {
        let seen = own.users.iter().cloned().chain(own.user.clone()).collect();
        query = query.and(Condition::OneOf(Column::Id, seen));
    }
    let ids = asked.query.texts("user_ids");
    if !ids.is_empty() {
        query = query.and(Condition::OneOf(Column::Id, ids));
    }
    if let Some(role) = asked.query.text("role") {
        query = query.and(Condition::Is(Column::Role, role.to_string()));
    }
    for (name, column) in [("user_email", Column::Email), ("user_alias", Column::Alias)] {
        if let Some(part) = asked.query.text(name) {
            query = query.and(Condition::Contains(column, part.to_string()));
        }
    }
    query.sort = sort(&asked.query, SORTS, Column::CreatedAt)?;
    query.descending = asked.query.descending(true)?;
    (query.page, query.size) = (paging.page, paging.size);
    let page = desk.database.list::<User>(&query).await?;
    let mut rows = desk.user_rows(&page.items).await?;
    for (row, user) in rows.iter_mut().zip(&page.items) {
        let keys = desk.database.count::<VirtualKey>(Column::UserId, &user.id).await?;
        row.insert("key_count".into(), json!(keys));
    }
    Ok(json!({
        "users": rows,
        "total": page.total,
        "page": paging.page,
        "page_size": paging.size,
        "total_pages": paging.pages(page.total),
    }))
}

/// `GET /user/available_roles`
pub async fn roles(_: &Desk, _: Asked) -> Result<Value, ApiError> {
    let described = |word: &str| match word {
        "proxy_admin" => ("Admin (All Permissions)", "administers the gateway"),
        "proxy_admin_viewer" => ("Admin (View Only)", "sees everything, changes nothing"),
        "org_admin" => ("Organisation Admin", "administers the teams and users of organisations"),
        "internal_user" => ("Internal User (Create/Delete/View)", "makes and sees its own keys, sees its own spend"),
        "internal_user_viewer" => ("Internal User (View Only)", "sees its own keys and spend"),
        "team" => ("Team", "keys of a team without a user"),
        _ => ("Customer", "calls models only"),
    };
    let roles = ROLES.iter().map(|(word, _)| {
        let (label, description) = described(word);
        (word.to_string(), json!({"description": description, "ui_label": label}))
    });
    Ok(Value::Object(roles.collect::<Map<_, _>>()))
}
