//! `GET /spend/logs` and `/spend/logs/v2`: requests one by one, or summed up by day.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tollgate_store::ledger::Status;
use tollgate_store::usage::{By, Cursor, Filter, Row, RowQuestion, SumQuestion, page, row, sums};

use super::{MOST_LINES, Range, date, ended, filter};
use crate::admin::desk::{Asked, Desk};
use crate::admin::error::ApiError;
use crate::admin::permit::{Right, Subject};
use crate::admin::query::Query;
use crate::admin::row::provider;
use crate::admin::{money, time};

/// Rows that `/spend/logs` gives: the latest. The pages of `/spend/logs/v2` have all.
const MOST_ROWS: usize = 1000;
/// Pages that are looked through for one answer; a cursor reaches any.
const MOST_PAGES: u32 = 100;

/// `GET /spend/logs`
pub async fn logs(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let query = &asked.query;
    if let Some(id) = query.text("request_id") {
        return Ok(json!(of_request(desk, id).await?));
    }
    let filter = filter(desk, query).await?;
    let dated = query.text("start_date").is_some() && query.text("end_date").is_some();
    if dated && query.text("summarize").is_none_or(|text| text != "false") {
        return by_day(desk, query, filter).await;
    }
    let Range { from_ms, to_ms } = match dated {
        true => Range::of(query, desk)?,
        false => Range { from_ms: 0, to_ms: desk.now_ms + 1 },
    };
    let question = RowQuestion { from_ms, to_ms, filter, after: None, most: MOST_ROWS };
    let found = page(&desk.database, &question).await?;
    Ok(found.rows.iter().map(|row| shown(desk, row)).collect())
}

async fn of_request(desk: &Desk, id: &str) -> Result<Vec<Value>, ApiError> {
    let reach = desk.reach().await?;
    let mut shown_rows = Vec::new();
    for row in row(&desk.database, id).await? {
        let mine = reach.own().is_none_or(|own| {
            own.user.as_deref() == Some(row.user_id.as_str()).filter(|user| !user.is_empty()) || own.key == row.key_hash
        });
        if mine || reach.may(Right::Change, Subject::Team(&row.team_id)) {
            shown_rows.push(shown(desk, &row));
        }
    }
    Ok(shown_rows)
}

#[derive(Default)]
struct Day {
    spent: u64,
    users: Map<String, Value>,
    models: Map<String, Value>,
}

/// `[{"startTime", "spend", "users": {}, "models": {}}]`, the earliest day first.
async fn by_day(desk: &Desk, query: &Query, filter: Filter) -> Result<Value, ApiError> {
    let Range { from_ms, to_ms } = Range::of(query, desk)?;
    let mut days: BTreeMap<u64, Day> = BTreeMap::new();
    for (by, of_models) in [(By::User, false), (By::Model, true)] {
        let question =
            SumQuestion { from_ms, to_ms, by: vec![By::Day, by], filter: filter.clone(), most: Some(MOST_LINES) };
        for line in sums(&desk.database, &desk.zone, &question).await? {
            let day = days.entry(line.of[0].parse().unwrap_or(0)).or_default();
            let into = if of_models {
                day.spent += line.sums.cost_nanos;
                &mut day.models
            } else {
                &mut day.users
            };
            into.insert(line.of[1].clone(), money::dollars(line.sums.cost_nanos));
        }
    }
    let days = days.into_iter().map(|(start, day)| {
        let date = date(&start.to_string(), &desk.zone);
        json!({"startTime": date, "spend": money::dollars(day.spent), "users": day.users, "models": day.models})
    });
    Ok(days.collect())
}

/// `GET /spend/logs/v2`: by pages, or on and on with the `next_cursor` of the page before as `cursor`.
pub async fn pages(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let query = &asked.query;
    for unknown in ["min_spend", "max_spend", "error_code", "error_message"] {
        if query.text(unknown).is_some() {
            return Err(ApiError::invalid(
                unknown,
                "is no filter here; filter by model, status, key, user, team or time",
            ));
        }
    }
    let paging = query.paging("page_size", 50, 100)?;
    if paging.page > MOST_PAGES {
        return Err(ApiError::invalid("page", format!("must be at most {MOST_PAGES}; go on with `cursor`")));
    }
    let Range { from_ms, to_ms } = Range::of(query, desk)?;
    let mut filter = filter(desk, query).await?;
    filter.status = ended(query)?;
    let counted = SumQuestion { from_ms, to_ms, by: Vec::new(), filter: filter.clone(), most: None };
    let total = sums(&desk.database, &desk.zone, &counted).await?.first().map_or(0, |line| line.sums.requests);
    let after = query.text("cursor").map(str::parse::<Cursor>).transpose()?;
    let skipped = if after.is_some() { 1 } else { paging.page };
    let mut question = RowQuestion { from_ms, to_ms, filter, after, most: paging.size as usize };
    let mut found = page(&desk.database, &question).await?;
    for _ in 1..skipped {
        let Some(next) = found.next.take() else {
            found.rows.clear();
            break;
        };
        question.after = Some(next);
        found = page(&desk.database, &question).await?;
    }
    let rows: Vec<Value> = found.rows.iter().map(|row| shown(desk, row)).collect();
    Ok(json!({
        "data": rows,
        "total": total,
        "page": paging.page,
        "page_size": paging.size,
        "total_pages": paging.pages(total),
        "next_cursor": found.next.map(|next| next.to_string()),
    }))
}

fn shown(desk: &Desk, row: &Row) -> Value {
    let tokens = &row.tokens;
    let prompt = tokens.input_tokens + tokens.cache_read_tokens + tokens.cache_write_tokens;
    let deployment = desk.live.config.deployments.iter().find(|deployment| deployment.id == row.deployment);
    let end_ms = row.at_ms + row.duration_ms;
    json!({
        "request_id": row.request_id,
        "call_type": "acompletion",
        "api_key": row.key_hash,
        "spend": money::dollars(row.cost_nanos),
        "total_tokens": prompt + tokens.output_tokens,
        "prompt_tokens": prompt,
        "completion_tokens": tokens.output_tokens,
        "startTime": time::iso(row.at_ms),
        "endTime": time::iso(end_ms),
        "request_duration_ms": row.duration_ms,
        "completionStartTime": time::iso_or_null(row.first_token_ms.map(|after| row.at_ms + after)),
        "model": row.upstream_model,
        "model_id": row.deployment,
        "model_group": row.model,
        "custom_llm_provider": provider(&row.provider),
        "api_base": deployment.map(|deployment| deployment.shown_url()),
        "user": row.user_id,
        "metadata": {
            "cache_read_input_tokens": tokens.cache_read_tokens,
            "cache_creation_input_tokens": tokens.cache_write_tokens,
            "reasoning_tokens": tokens.reasoning_tokens,
            "estimated": row.estimated,
            "attempts": row.attempts,
        },
        "cache_hit": "False",
        "cache_key": "Cache OFF",
        "request_tags": row.tags,
        "team_id": row.team_id,
        "organization_id": row.organisation_id,
        "end_user": row.end_user,
        "requester_ip_address": null,
        "messages": {},
        "response": {},
        "session_id": null,
        "mcp_namespaced_tool_name": null,
        "agent_id": null,
        "billing_agent_id": null,
        "proxy_server_request": {},
        "litellm_call_id": row.request_id,
        "created_at": time::iso(end_ms),
        "updated_at": time::iso(end_ms),
        "status": status(&row.status),
    })
}

/// LiteLLM knows two; a client that went away had its answer as far as it wanted it.
fn status(word: &str) -> &'static str {
    if word == Status::Answered.word() || word == Status::Aborted.word() { "success" } else { "failure" }
}
