//! `GET /{user,team,tag,organization,customer}/daily/activity`: days with what made them up.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tollgate_store::usage::{By, Filter, SumQuestion, Sums, sums};

use super::{MOST_LINES, Range, date, filter, restrict};
use crate::admin::desk::{Asked, Desk};
use crate::admin::error::ApiError;
use crate::admin::money;
use crate::admin::row::provider;

/// Days on a page.
const MOST: u32 = 1000;

/// What a day is broken down by: LiteLLM's name for it.
const PARTS: [(&str, By); 4] =
    [("models", By::UpstreamModel), ("model_groups", By::Model), ("providers", By::Provider), ("api_keys", By::Key)];

pub async fn of_users(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    let filter = filter(desk, &asked.query).await?;
    days(desk, &asked, vec![filter], By::User).await
}

pub async fn of_teams(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    of_some(desk, asked, "team_ids", By::Team, |filter, id| filter.team_id = Some(id)).await
}

pub async fn of_organisations(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    of_some(desk, asked, "organization_ids", By::Organisation, |filter, id| filter.organisation_id = Some(id)).await
}

pub async fn of_customers(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    desk.reach().await?.check_overview("what customers have cost")?;
    of_some(desk, asked, "end_user_ids", By::EndUser, |filter, id| filter.end_user = Some(id)).await
}

/// Tags are summed up by themselves, so their days are broken down by tag alone.
pub async fn of_tags(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    desk.reach().await?.check_overview("what tags have cost")?;
    let tags = asked.query.texts("tags");
    let filters = match tags.is_empty() {
        true => vec![Filter::default()],
        false => tags.into_iter().map(|tag| Filter { tag: Some(tag), ..Filter::default() }).collect(),
    };
    days(desk, &asked, filters, By::Tag).await
}

async fn of_some(
    desk: &Desk,
    asked: Asked,
    param: &str,
    by: By,
    set: fn(&mut Filter, String),
) -> Result<Value, ApiError> {
    let reach = desk.reach().await?;
    let base = Filter { model: asked.query.text("model").map(str::to_string), ..Filter::default() };
    let mut filters = Vec::new();
    for id in asked.query.texts(param) {
        let mut filter = base.clone();
        set(&mut filter, id);
        restrict(&reach, &mut filter)?;
        filters.push(filter);
    }
    if filters.is_empty() {
        let mut filter = base;
        restrict(&reach, &mut filter)?;
        filters.push(filter);
    }
    days(desk, &asked, filters, by).await
}

#[derive(Default)]
struct Day {
    sums: Sums,
    parts: BTreeMap<&'static str, BTreeMap<String, Sums>>,
}

/// The latest first.
async fn days(desk: &Desk, asked: &Asked, filters: Vec<Filter>, entity: By) -> Result<Value, ApiError> {
    let Range { from_ms, to_ms } = Range::of(&asked.query, desk)?;
    let paging = asked.query.paging("page_size", MOST, MOST)?;
    let mut days: BTreeMap<u64, Day> = BTreeMap::new();
    let others = if entity == By::Tag { &[][..] } else { &PARTS[..] };
    for filter in filters {
        for (name, by) in std::iter::once(("entities", entity)).chain(others.iter().copied()) {
            let question =
                SumQuestion { from_ms, to_ms, by: vec![By::Day, by], filter: filter.clone(), most: Some(MOST_LINES) };
            for line in sums(&desk.database, &desk.zone, &question).await? {
                let day = days.entry(line.of[0].parse().unwrap_or(0)).or_default();
                if name == "entities" {
                    add(&mut day.sums, &line.sums);
                }
                let part = day.parts.entry(name).or_default();
                let of = if by == By::Provider { provider(&line.of[1]) } else { &line.of[1] };
                add(part.entry(of.to_string()).or_default(), &line.sums);
            }
        }
    }
    let mut all = Sums::default();
    days.values().for_each(|day| add(&mut all, &day.sums));
    let total = days.len() as u64;
    let from = (paging.page as usize - 1).saturating_mul(paging.size as usize);
    let page = days.into_iter().rev().skip(from).take(paging.size as usize);
    let results: Vec<Value> = page.map(|(start, day)| shown(desk, start, &day)).collect();
    let pages = paging.pages(total);
    let mut metadata = Map::new();
    for (name, value) in metrics(&all) {
        metadata.insert(format!("total_{}", name.trim_start_matches("total_")), value);
    }
    for (name, value) in [
        ("page", json!(paging.page)),
        ("total_pages", json!(pages)),
        ("has_more", json!(u64::from(paging.page) < pages)),
    ] {
        metadata.insert(name.into(), value);
    }
    Ok(json!({"results": results, "metadata": metadata}))
}

fn shown(desk: &Desk, start: u64, day: &Day) -> Value {
    let mut breakdown = Map::new();
    for name in ["models", "model_groups", "providers", "api_keys", "entities"] {
        let parts = day.parts.get(name).into_iter().flatten();
        let parts =
            parts.map(|(of, sums)| (of.clone(), json!({"metrics": Value::Object(metrics(sums)), "metadata": {}})));
        breakdown.insert(name.into(), Value::Object(parts.collect()));
    }
    json!({"date": date(&start.to_string(), &desk.zone), "metrics": Value::Object(metrics(&day.sums)), "breakdown": breakdown})
}

fn metrics(sums: &Sums) -> Map<String, Value> {
    let prompt = sums.input_tokens + sums.cache_read_tokens + sums.cache_write_tokens;
    let fields = [
        ("spend", money::dollars(sums.cost_nanos)),
        ("prompt_tokens", json!(prompt)),
        ("completion_tokens", json!(sums.output_tokens)),
        ("cache_read_input_tokens", json!(sums.cache_read_tokens)),
        ("cache_creation_input_tokens", json!(sums.cache_write_tokens)),
        ("total_tokens", json!(prompt + sums.output_tokens)),
        ("successful_requests", json!(sums.requests.saturating_sub(sums.failed))),
        ("failed_requests", json!(sums.failed)),
        ("api_requests", json!(sums.requests)),
    ];
    fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

fn add(into: &mut Sums, other: &Sums) {
    into.requests += other.requests;
    into.failed += other.failed;
    into.input_tokens += other.input_tokens;
    into.output_tokens += other.output_tokens;
    into.cache_read_tokens += other.cache_read_tokens;
    into.cache_write_tokens += other.cache_write_tokens;
    into.reasoning_tokens += other.reasoning_tokens;
    into.cost_nanos += other.cost_nanos;
}
