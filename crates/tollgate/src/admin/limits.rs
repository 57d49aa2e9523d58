//! Limits as LiteLLM's fields: the same for keys, teams, users, customers, members and named budgets.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use tollgate_policy::access::{Budget, Increase, Limits, Rates};
use tollgate_policy::window::Window;
use tollgate_store::entity::Extra;

use super::error::ApiError;
use super::field::{Field, Fields, count};
use super::{money, time};

#[cfg(test)]
mod tests;

/// The duration as it was given: `1mo` and `30d` mean the same window. It is kept while there is no budget, too.
const DURATION: &str = "budget_duration";

type Rate = fn(&mut Rates) -> &mut Option<u64>;

const RATES: [(&str, Rate); 7] = [
    ("rpm_limit", |rates| &mut rates.requests_per_minute),
    ("tpm_limit", |rates| &mut rates.tokens_per_minute),
    ("input_tpm_limit", |rates| &mut rates.input_tokens_per_minute),
    ("output_tpm_limit", |rates| &mut rates.output_tokens_per_minute),
    ("rpd_limit", |rates| &mut rates.requests_per_day),
    ("tpd_limit", |rates| &mut rates.tokens_per_day),
    ("max_parallel_requests", |rates| &mut rates.parallel_requests),
];

const MODEL_RATES: [(&str, Rate); 2] = [
    ("model_rpm_limit", |rates| &mut rates.requests_per_minute),
    ("model_tpm_limit", |rates| &mut rates.tokens_per_minute),
];

/// Takes the fields over: what is absent stays, null and an empty list or object clear.
pub fn read(fields: &mut Fields, limits: &mut Limits, extra: &mut Extra) -> Result<(), ApiError> {
    let max = fields.nanos("max_budget")?;
    let duration = fields.window(DURATION)?;
    budget(max, duration, limits, extra);
    for (name, rate) in RATES {
        fields.count(name)?.set(rate(&mut limits.rates));
    }
    fields.nanos("soft_budget")?.set(&mut limits.soft_budget_nanos);
    fields.json("budget_limits").try_map(|value| windows(&value))?.put(&mut limits.budgets);
    fields.object("model_max_budget")?.try_map(by_model)?.put(&mut limits.model_budgets);
    for (name, rate) in MODEL_RATES {
        model_rates(name, fields.object(name)?, rate, &mut limits.model_rates)?;
    }
    increase(fields, limits)
}

/// An amount and the window that it is for.
pub fn budget(max: Field<u64>, duration: Field<(Window, String)>, limits: &mut Limits, extra: &mut Extra) {
    let mut max_nanos = limits.budget.map(|budget| budget.max_nanos);
    max.set(&mut max_nanos);
    let window = match duration {
        Field::Absent => {
            let given = extra.get(DURATION).and_then(Value::as_str).and_then(time::window);
            limits.budget.map(|budget| budget.window).or(given).unwrap_or_default()
        }
        Field::Null => {
            extra.shift_remove(DURATION);
            Window::Total
        }
        Field::Value((window, text)) => {
            extra.insert(DURATION.to_string(), Value::String(text));
            window
        }
    };
    limits.budget = max_nanos.map(|max_nanos| Budget { max_nanos, window });
}

const ONE_BUDGET: &str = "each budget must have `max_budget` in dollars, and may have `budget_duration` such as 1d";

/// `[{"max_budget": 10, "budget_duration": "1d"}, …]`
fn windows(value: &Value) -> Result<Vec<Budget>, ApiError> {
    let budgets = value.as_array().and_then(|items| items.iter().map(one).collect::<Option<_>>());
    budgets.ok_or_else(|| ApiError::invalid("budget_limits", format!("must be a list; {ONE_BUDGET}")))
}

fn by_model(models: Map<String, Value>) -> Result<BTreeMap<String, Budget>, ApiError> {
    let budgets = models.into_iter().map(|(model, value)| Some((model, one(&value)?)));
    let wrong = || ApiError::invalid("model_max_budget", format!("must be an object by model; {ONE_BUDGET}"));
    budgets.collect::<Option<_>>().ok_or_else(wrong)
}

/// LiteLLM's earlier names are `budget_limit` and `time_period`; still earlier it was a number alone.
fn one(value: &Value) -> Option<Budget> {
    let field = |names: [&str; 2]| names.into_iter().find_map(|name| value.get(name).filter(|value| !value.is_null()));
    let max = if value.is_object() { field(["max_budget", "budget_limit"])? } else { value };
    let window = match field(["budget_duration", "time_period"]) {
        Some(duration) => time::window(duration.as_str()?)?,
        None => Window::Total,
    };
    Some(Budget { max_nanos: money::nanos(max)?, window })
}

fn model_rates(
    name: &str,
    models: Field<Map<String, Value>>,
    rate: Rate,
    rates: &mut BTreeMap<String, Rates>,
) -> Result<(), ApiError> {
    if models.is_absent() {
        return Ok(());
    }
    for rates in rates.values_mut() {
        *rate(rates) = None;
    }
    for (model, limit) in models.value().unwrap_or_default() {
        let wrong = || ApiError::invalid(name, format!("the limit of {model} must be a whole number of 0 or more"));
        let limit = if limit.is_null() { None } else { Some(count(&limit).ok_or_else(wrong)?) };
        *rate(rates.entry(model).or_default()) = limit;
    }
    rates.retain(|_, rates| *rates != Rates::default());
    Ok(())
}

fn increase(fields: &mut Fields, limits: &mut Limits) -> Result<(), ApiError> {
    let (nanos, until) = (fields.nanos("temp_budget_increase")?, fields.moment("temp_budget_expiry")?);
    if nanos.is_absent() && until.is_absent() {
        return Ok(());
    }
    let mut more = limits.increase.map(|increase| increase.nanos);
    let mut until_ms = limits.increase.map(|increase| increase.until_ms);
    nanos.set(&mut more);
    until.set(&mut until_ms);
    limits.increase = match (more, until_ms) {
        (Some(nanos), Some(until_ms)) => Some(Increase { nanos, until_ms }),
        (Some(_), None) => return Err(ApiError::invalid("temp_budget_expiry", "is needed with temp_budget_increase")),
        (None, _) => None,
    };
    Ok(())
}

/// Writes the fields, all of them, so that a read shows what there is none of.
pub fn write(row: &mut Map<String, Value>, limits: &Limits, extra: &Extra, now_ms: u64, zone: &TimeZone) {
    let budget = limits.budget;
    row.insert("max_budget".into(), money::dollars_or_null(budget.map(|budget| budget.max_nanos)));
    let given = extra.get(DURATION).cloned();
    let derived = || budget.and_then(|budget| time::duration(budget.window)).map_or(Value::Null, Value::String);
    let duration = given.unwrap_or_else(derived);
    let window = budget.map(|budget| budget.window).or_else(|| time::window(duration.as_str()?));
    row.insert(DURATION.into(), duration);
    row.insert("budget_reset_at".into(), time::iso_or_null(window.and_then(|window| window.span(now_ms, zone).end_ms)));
    row.insert("soft_budget".into(), money::dollars_or_null(limits.soft_budget_nanos));
    let mut rates = limits.rates;
    for (name, rate) in RATES {
        row.insert(name.into(), json!(*rate(&mut rates)));
    }
    row.insert("budget_limits".into(), limits.budgets.iter().map(shown).collect());
    let models = limits.model_budgets.iter().map(|(model, budget)| (model.clone(), shown(budget)));
    row.insert("model_max_budget".into(), Value::Object(models.collect()));
    for (name, rate) in MODEL_RATES {
        let models = limits.model_rates.iter().filter_map(|(model, rates)| {
            let limit = *rate(&mut rates.clone());
            Some((model.clone(), json!(limit?)))
        });
        row.insert(name.into(), Value::Object(models.collect()));
    }
    if let Some(increase) = limits.increase {
        row.insert("temp_budget_increase".into(), money::dollars(increase.nanos));
        row.insert("temp_budget_expiry".into(), Value::String(time::iso(increase.until_ms)));
    }
}

fn shown(budget: &Budget) -> Value {
    json!({"max_budget": money::dollars(budget.max_nanos), "budget_duration": time::duration(budget.window)})
}

/// The window that the budget of some limits counts in.
pub fn window_of(own: &Limits, named: Option<&Limits>) -> Window {
    own.budget.or(named.and_then(|named| named.budget)).map_or(Window::Total, |budget| budget.window)
}
