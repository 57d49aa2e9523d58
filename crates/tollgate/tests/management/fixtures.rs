//! The requests of LiteLLM's documentation, as it writes them, and the fields that an answer must have.
//!
//! Each file is a conversation: `{name}` stands for what an earlier answer was saved as; `<key>` and the like for what no document can
//! know beforehand.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::stage::{Stage, on_both};
use crate::support::stage::{MASTER_KEY, PROVIDER_KEY};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[allow(dead_code, reason = "for people")]
    source: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    does: String,
    request: String,
    #[serde(default)]
    body: Value,
    /// The key that asks; the master key, if none is named.
    #[serde(rename = "as")]
    by: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    /// What was used is told a moment later.
    #[serde(default)]
    eventually: bool,
    /// By JSON pointer.
    fields: BTreeMap<String, Value>,
    #[serde(default)]
    save: BTreeMap<String, String>,
}

fn ok() -> u16 {
    200
}

async fn play(stage: &Stage, page: &str) {
    let page: Page = serde_json::from_str(page).expect("a page of fixtures");
    let mut saved = BTreeMap::from([
        ("sim".to_string(), format!("{}/v1", stage.sim.base_url())),
        ("provider_key".to_string(), PROVIDER_KEY.to_string()),
    ]);
    for step in page.steps {
        let does = &step.does;
        let by = step.by.map_or(MASTER_KEY.to_string(), |by| filled(&by, &saved));
        let body = filled_value(step.body, &saved);
        let fields: Vec<(String, Value)> = step
            .fields
            .into_iter()
            .map(|(pointer, wanted)| (filled(&pointer, &saved), filled_value(wanted, &saved)))
            .collect();
        let mut tries = if step.eventually { 200 } else { 1 };
        let answer = loop {
            let answer = stage.call(&by, &filled(&step.request, &saved), &body).await;
            assert_eq!(answer.status, step.status, "{does}: {}", answer.text());
            let answer = answer.json();
            let wrong = fields.iter().find(|(pointer, wanted)| !fits(wanted, answer.pointer(pointer)));
            let Some((pointer, wanted)) = wrong else { break answer };
            tries -= 1;
            assert!(tries > 0, "{does}: {pointer} is {:?}, not {wanted}: {answer:#}", answer.pointer(pointer));
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        for (name, pointer) in step.save {
            let found =
                answer.pointer(&pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{does}: no {pointer}"));
            saved.insert(name, found.to_string());
        }
    }
}

fn filled(text: &str, saved: &BTreeMap<String, String>) -> String {
    saved.iter().fold(text.to_string(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

fn filled_value(value: Value, saved: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => Value::String(filled(&text, saved)),
        Value::Array(items) => items.into_iter().map(|item| filled_value(item, saved)).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, filled_value(value, saved))).collect())
        }
        other => other,
    }
}

fn fits(wanted: &Value, found: Option<&Value>) -> bool {
    let text = || found.and_then(Value::as_str);
    match wanted.as_str() {
        Some("<absent>") => found.is_none(),
        Some("<object>") => found.is_some_and(Value::is_object),
        Some("<list>") => found.is_some_and(Value::is_array),
        Some("<text>") => text().is_some_and(|text| !text.is_empty()),
        Some("<key>") => text().is_some_and(|text| text.starts_with("sk-") && text.len() > 20),
        Some("<hash>") => text().is_some_and(|text| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit())),
        Some("<time>") => {
            text().is_some_and(|text| text.len() == 32 && text.ends_with("+00:00") && &text[10..11] == "T")
        }
        _ => found == Some(wanted),
    }
}

#[test]
fn the_documented_requests_for_keys_work_unchanged() {
    on_both(|stage| async move { play(&stage, include_str!("fixtures/keys.json")).await });
}

#[test]
fn the_documented_requests_for_budgets_of_teams_users_and_keys_work_unchanged() {
    on_both(|stage| async move { play(&stage, include_str!("fixtures/budgets.json")).await });
}

#[test]
fn the_documented_requests_for_spending_work_unchanged() {
    on_both(|stage| async move { play(&stage, include_str!("fixtures/spend.json")).await });
}

#[test]
fn the_documented_requests_for_customers_work_unchanged() {
    on_both(|stage| async move { play(&stage, include_str!("fixtures/customers.json")).await });
}

#[test]
fn the_documented_requests_for_organisations_work_unchanged() {
    on_both(|stage| async move { play(&stage, include_str!("fixtures/organisations.json")).await });
}

#[test]
fn the_documented_requests_for_models_and_access_groups_work_unchanged_and_the_audit_log_has_every_change() {
    on_both(|stage| async move { play(&stage, include_str!("fixtures/models.json")).await });
}
