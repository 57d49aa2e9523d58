//! `/spend/*`, `/global/spend*` and `/…/daily/activity`: what was used, and what it cost.
//!
//! Sums come from the hours that the ledger is summed up by, so no answer reads rows in number. Everybody sees what is theirs.

mod activity;
mod export;
mod logs;
mod report;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tollgate_policy::access::ScopeKind;
use tollgate_policy::window::Window;
use tollgate_store::entity::{Column, Entity, Team, VirtualKey};
use tollgate_store::ledger::Status;
use tollgate_store::list::Query as ListQuery;
use tollgate_store::usage::{By, Filter, SumQuestion, sums};

use super::desk::{Asked, Desk};
use super::error::ApiError;
use super::permit::{Reach, Right, Subject};
use super::query::Query;
use super::{key, money};

pub use activity::{of_customers, of_organisations, of_tags, of_teams, of_users};
pub use export::{File, export};
pub use logs::{logs, pages};
pub use report::report;

/// Lines of one answer that are summed up.
const MOST_LINES: u32 = 5_000;
/// Where no dates are given: so many days back.
const USUAL_DAYS: u64 = 30;
const DAY_MS: u64 = 86_400_000;

/// From when to when, in milliseconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Range {
    from_ms: u64,
    to_ms: u64,
}

impl Range {
    /// `start_date` and `end_date`; a day that ends the range is in it.
    fn of(query: &Query, desk: &Desk) -> Result<Range, ApiError> {
        let usual = desk.now_ms.saturating_sub(USUAL_DAYS * DAY_MS);
        let from_ms = match query.text("start_date") {
            Some(text) => moment("start_date", text, &desk.zone)?.0,
            None => usual,
        };
        let to_ms = match query.text("end_date") {
            Some(text) => moment("end_date", text, &desk.zone)?.1,
            None => desk.now_ms + 1,
        };
        if from_ms >= to_ms {
            return Err(ApiError::invalid("end_date", "must not be before start_date"));
        }
        // Of the future there is nothing to ask.
        Ok(Range { from_ms, to_ms: to_ms.min(desk.now_ms + 1) })
    }
}

/// The first moment of a day or of a time of day, and the first one after it.
fn moment(param: &str, text: &str, zone: &TimeZone) -> Result<(u64, u64), ApiError> {
    let wrong = || ApiError::invalid(param, "must be a date or a time, such as 2026-12-31 or 2026-12-31 23:59:59");
    let milliseconds = |at: jiff::Timestamp| u64::try_from(at.as_millisecond()).map_err(|_| wrong());
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && text.len() == 10
    {
        let start = milliseconds(date.to_zoned_datetime(zone.clone()).map_err(|_| wrong())?.timestamp())?;
        return Ok((start, Window::Day.span(start, zone).end_ms.ok_or_else(wrong)?));
    }
    let at = match text.parse::<jiff::Timestamp>() {
        Ok(at) => at,
        Err(_) => {
            let civil: jiff::civil::DateTime = text.parse().map_err(|_| wrong())?;
            civil.to_zoned_datetime(zone.clone()).map_err(|_| wrong())?.timestamp()
        }
    };
    let at = milliseconds(at)?;
    Ok((at, at + 1000))
}

/// The day that [`By::Day`] names.
fn date(day: &str, zone: &TimeZone) -> String {
    let at = day.parse::<i64>().ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(String::new, |at| at.to_zoned_datetime(zone.clone()).date().to_string())
}

/// What the query restricts, and what the caller may see at all.
async fn filter(desk: &Desk, query: &Query) -> Result<Filter, ApiError> {
    let reach = desk.reach().await?;
    let mut filter = Filter {
        user_id: query.text("user_id").or(query.text("internal_user_id")).map(str::to_string),
        team_id: query.text("team_id").map(str::to_string),
        end_user: query.text("end_user").or(query.text("customer_id")).map(str::to_string),
        organisation_id: query.text("organization_id").map(str::to_string),
        model: query.text("model").or(query.text("model_group")).map(str::to_string),
        ..Filter::default()
    };
    if let Some(named) = query.text("api_key") {
        let stored = desk.database.get::<VirtualKey>(&key::secret::id_of(named)).await?;
        if let Some(stored) = &stored {
            reach.check(Right::See, Subject::Key(stored))?;
        }
        filter.key_hash = Some(stored.map_or_else(|| key::secret::id_of(named), |stored| stored.account().to_string()));
    }
    restrict(&reach, &mut filter)?;
    Ok(filter)
}

/// How the requests ended, in LiteLLM's words and in ours.
fn ended(query: &Query) -> Result<Option<Status>, ApiError> {
    let unknown = || ApiError::invalid("status", "must be success, failure, aborted or interrupted");
    match query.text("status") {
        None => Ok(None),
        Some("success") => Ok(Some(Status::Answered)),
        Some("failure") => Ok(Some(Status::Failed)),
        Some(word) => Status::from_word(word).map(Some).ok_or_else(unknown),
    }
}

/// Others than administrators see what they, their teams and their organisations spent.
fn restrict(reach: &Reach, filter: &mut Filter) -> Result<(), ApiError> {
    let Some(own) = reach.own() else { return Ok(()) };
    if let Some(team) = &filter.team_id {
        if own.admin_of_teams.contains(team) {
            return Ok(());
        }
        reach.check(Right::See, Subject::Team(team))?;
    }
    if let Some(organisation) = &filter.organisation_id
        && own.admin_of_organisations.contains(organisation)
    {
        return Ok(());
    }
    match (&own.user, &filter.user_id) {
        (Some(user), None) => filter.user_id = Some(user.clone()),
        (_, Some(user)) => reach.check(Right::See, Subject::User(user))?,
        (None, None) => filter.key_hash = Some(own.key.clone()),
    }
    Ok(())
}

/// `GET /global/spend`: what the gateway spent since the beginning, and its budget.
pub async fn global(desk: &Desk, _: Asked) -> Result<Value, ApiError> {
    let totals = desk.meter.totals(ScopeKind::Gateway, &[""]).await?;
    let budget = desk.live.config.settings.limits.budget.map(|budget| budget.max_nanos);
    Ok(json!({
        "spend": money::dollars(totals.get("").copied().unwrap_or(0)),
        "max_budget": money::dollars_or_null(budget),
    }))
}

/// `GET /spend/tags` and `/global/spend/tags`
pub async fn tags(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    desk.reach().await?.check_overview("what tags have cost")?;
    let Range { from_ms, to_ms } = Range::of(&asked.query, desk)?;
    let question = SumQuestion { from_ms, to_ms, by: vec![By::Tag], filter: Filter::default(), most: Some(MOST_LINES) };
    let lines = sums(&desk.database, &desk.zone, &question).await?;
    let tags = lines.iter().map(|line| {
        json!({
            "individual_request_tag": line.of[0],
            "log_count": line.sums.requests,
            "total_spend": money::dollars(line.sums.cost_nanos),
        })
    });
    Ok(tags.collect())
}

/// `POST /global/spend/reset`: keys and teams have spent nothing; the ledger stays.
pub async fn reset(desk: &Desk, _: Asked) -> Result<Value, ApiError> {
    if !desk.is_admin() {
        return Err(ApiError::Forbidden("only an administrator may set back what was spent".to_string()));
    }
    desk.meter.flush().await;
    reset_all::<VirtualKey>(desk, ScopeKind::Key, |key| key.account()).await?;
    reset_all::<Team>(desk, ScopeKind::Team, |team| &team.id).await?;
    Ok(json!({"message": "Spend for all API Keys and Teams reset successfully", "status": "success"}))
}

async fn reset_all<E: Entity>(desk: &Desk, kind: ScopeKind, id: fn(&E) -> &str) -> Result<(), ApiError> {
    let mut query = ListQuery { sort: Column::Id, descending: false, size: 500, ..ListQuery::default() };
    loop {
        let page = desk.database.list::<E>(&query).await?;
        let ids: Vec<&str> = page.items.iter().map(id).collect();
        for (scope, nanos) in desk.meter.totals(kind, &ids).await? {
            let less = i64::try_from(nanos).unwrap_or(i64::MAX);
            if less > 0 {
                let adjustment = format!("reset {}", super::desk::new_id());
                desk.meter.adjust(&adjustment, kind, &scope, "", -less, desk.now_ms).await?;
            }
        }
        if page.items.len() < 500 {
            return Ok(());
        }
        query.page += 1;
    }
}
