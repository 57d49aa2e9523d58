//! `GET /team/list`, `/v2/team/list` and `/team/available`.

use serde_json::{Value, json};
use tollgate_store::entity::{Column, Membership, Team};
use tollgate_store::list::{Condition, Query};

use crate::admin::desk::{Asked, Desk};
use crate::admin::error::ApiError;
use crate::admin::permit::{Reach, Right, Subject};
use crate::admin::sort;

const MOST: u32 = 100;
/// Teams in the list that has no pages.
const ALL: u32 = 1000;

const SORTS: &[(&str, Column)] = &[
    ("created_at", Column::CreatedAt),
    ("updated_at", Column::UpdatedAt),
    ("team_alias", Column::Alias),
    ("team_id", Column::Id),
    ("organization_id", Column::OrganisationId),
];

/// `GET /team/list`: the first thousand; more are in `/v2/team/list`.
pub async fn list(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let query = Query { size: ALL, ..wanted(desk, &asked).await? };
    let teams = desk.database.list::<Team>(&query).await?.items;
    Ok(json!(desk.team_rows(&teams).await?))
}

/// `GET /v2/team/list`
pub async fn pages(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let paging = asked.query.paging("page_size", 10, MOST)?;
    let mut query = wanted(desk, &asked).await?;
    query.sort = sort(&asked.query, SORTS, Column::CreatedAt)?;
    query.descending = asked.query.descending(true)?;
    (query.page, query.size) = (paging.page, paging.size);
    let page = desk.database.list::<Team>(&query).await?;
    Ok(json!({
        "teams": desk.team_rows(&page.items).await?,
        "total": page.total,
        "page": paging.page,
        "page_size": paging.size,
        "total_pages": paging.pages(page.total),
    }))
}

/// `GET /team/available`: teams that anybody may join. There are none.
pub async fn available(_: &Desk, _: Asked) -> Result<Value, ApiError> {
    Ok(json!([]))
}

async fn wanted(desk: &Desk, asked: &Asked) -> Result<Query, ApiError> {
    let reach = desk.reach().await?;
    let mut query = visible(&reach);
    if let Some(user) = asked.query.text("user_id") {
        if reach.own().is_none_or(|own| own.user.as_deref() != Some(user)) {
            reach.check(Right::See, Subject::User(user))?;
        }
        let of = desk.database.find::<Membership>(Column::UserId, user).await?;
        let ids = of.into_iter().map(|membership| membership.team_id).collect();
        query = query.and(Condition::OneOf(Column::Id, ids));
    }
    for (name, column) in [("organization_id", Column::OrganisationId), ("team_id", Column::Id)] {
        if let Some(value) = asked.query.text(name) {
            query = query.and(Condition::Is(column, value.to_string()));
        }
    }
    if let Some(alias) = asked.query.text("team_alias") {
        query = query.and(Condition::Contains(Column::Alias, alias.to_string()));
    }
    Ok(query)
}

fn visible(reach: &Reach) -> Query {
    let Some(own) = reach.own() else { return Query::default() };
    let seen = own.teams.iter().chain(&own.admin_of_teams).cloned().collect();
    Query::default().and(Condition::OneOf(Column::Id, seen))
}
