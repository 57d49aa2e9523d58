//! Reading a row of LiteLLM's: every field that is taken is taken out, so that what is left can be kept.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tollgate_policy::access::{Budget, Limits, Rates};
use tollgate_policy::window::Window;

use crate::entity::{Extra, Stamps};

const NANOS: f64 = 1e9;

#[derive(Clone)]
pub struct Row(pub Map<String, Value>);

impl Row {
    pub fn text(&mut self, field: &str) -> Option<String> {
        match self.0.shift_remove(field)? {
            Value::String(text) if !text.is_empty() => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub fn texts(&mut self, field: &str) -> Vec<String> {
        match self.json(field) {
            Some(Value::Array(items)) => {
                items.into_iter().filter_map(|item| item.as_str().map(str::to_string)).collect()
            }
            _ => Vec::new(),
        }
    }

    pub fn flag(&mut self, field: &str) -> bool {
        self.0.shift_remove(field).is_some_and(|value| value == Value::Bool(true))
    }

    pub fn count(&mut self, field: &str) -> Option<u64> {
        whole(&self.0.shift_remove(field)?)
    }

    pub fn nanos(&mut self, field: &str) -> Option<u64> {
        nanos(&self.0.shift_remove(field)?)
    }

    /// Milliseconds since 1970.
    pub fn time(&mut self, field: &str) -> Option<u64> {
        let text = self.text(field)?;
        // LiteLLM's columns have no zone: they are UTC.
        let at = text.parse::<jiff::Timestamp>().or_else(|_| format!("{text}Z").parse()).ok()?;
        u64::try_from(at.as_millisecond()).ok()
    }

    /// Some versions wrote JSON into a JSON text.
    pub fn json(&mut self, field: &str) -> Option<Value> {
        match self.0.shift_remove(field)? {
            Value::String(text) => serde_json::from_str(&text).ok(),
            value => Some(value),
        }
    }

    pub fn object(&mut self, field: &str) -> Extra {
        match self.json(field) {
            Some(Value::Object(fields)) => fields,
            _ => Extra::new(),
        }
    }

    pub fn stamps(&mut self) -> Stamps {
        Stamps {
            created_at_ms: self.time("created_at").unwrap_or(0),
            created_by: self.text("created_by"),
            updated_at_ms: self.time("updated_at").unwrap_or(0),
            updated_by: self.text("updated_by"),
        }
    }

    /// The limits that LiteLLM's tables write in the same columns. Rates by model are in the metadata.
    pub fn limits(&mut self, metadata: &mut Extra) -> Limits {
        let window = self.text("budget_duration").map_or(Window::Total, |duration| window(&duration));
        let max_nanos = self.nanos("max_budget");
        let budgets = match self.json("budget_limits") {
            Some(Value::Array(budgets)) => budgets.iter().filter_map(budget).collect(),
            _ => Vec::new(),
        };
        let by_model = self.object("model_max_budget");
        Limits {
            budget: max_nanos.map(|max_nanos| Budget { max_nanos, window }),
            budgets,
            model_budgets: by_model.iter().filter_map(|(model, value)| Some((model.clone(), budget(value)?))).collect(),
            soft_budget_nanos: self.nanos("soft_budget"),
            increase: None,
            rates: Rates {
                requests_per_minute: self.count("rpm_limit"),
                tokens_per_minute: self.count("tpm_limit"),
                requests_per_day: self.count("rpd_limit"),
                tokens_per_day: self.count("tpd_limit"),
                parallel_requests: self.count("max_parallel_requests"),
                ..Rates::default()
            },
            model_rates: model_rates(metadata),
        }
    }

    /// What nobody took and that says something.
    pub fn rest(mut self) -> Extra {
        // How LiteLLM counts, not what was set.
        for field in ["spend", "model_spend", "soft_budget_cooldown", "total_spend", "budget_reset_at"] {
            self.0.shift_remove(field);
        }
        self.0.retain(|_, value| !says_nothing(value));
        self.0
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty() || text == "{}" || text == "[]",
        Value::Number(_) | Value::Bool(true) => false,
    }
}

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().filter(|number| *number >= 0.0).map(|number| number as u64))
}

/// Dollars as nano-dollars.
pub fn nanos(value: &Value) -> Option<u64> {
    let dollars = value.as_f64().filter(|dollars| *dollars >= 0.0 && dollars.is_finite())?;
    Some((dollars * NANOS).round() as u64)
}

/// An element of `budget_limits` or of `model_max_budget`. Older versions called its fields `budget_limit` and `time_period`,
/// and knew a number alone.
fn budget(value: &Value) -> Option<Budget> {
    let field = |names: [&str; 2]| names.into_iter().find_map(|name| value.get(name).filter(|value| !value.is_null()));
    let max = if value.is_number() { Some(value) } else { field(["max_budget", "budget_limit"]) };
    let duration = field(["budget_duration", "time_period"]).and_then(Value::as_str);
    Some(Budget { max_nanos: nanos(max?)?, window: duration.map_or(Window::Total, window) })
}

fn model_rates(metadata: &mut Extra) -> BTreeMap<String, Rates> {
    let mut rates: BTreeMap<String, Rates> = BTreeMap::new();
    for (field, set) in [
        ("model_rpm_limit", (|rates, limit| rates.requests_per_minute = limit) as fn(&mut Rates, Option<u64>)),
        ("model_tpm_limit", |rates, limit| rates.tokens_per_minute = limit),
    ] {
        if let Some(Value::Object(models)) = metadata.shift_remove(field) {
            for (model, limit) in &models {
                set(rates.entry(model.clone()).or_default(), whole(limit));
            }
        }
    }
    rates
}

/// LiteLLM's `budget_duration`: `30s`, `30m`, `24h`, `7d`, `1mo`. A day, a week and a month are those of the calendar.
fn window(duration: &str) -> Window {
    let digits = duration.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = duration.split_at(digits);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 604_800,
        "mo" => 2_592_000,
        _ => return Window::Total,
    };
    match number.parse::<u64>().unwrap_or(0).saturating_mul(seconds) {
        0 => Window::Total,
        86_400 => Window::Day,
        604_800 => Window::Week,
        2_592_000 => Window::Month,
        seconds => Window::Every(seconds),
    }
}
