//! What a deployment can do: the provider's row, overlaid by the model's rows, overlaid by the configuration.

use tollgate_dialect::quirks::{Quirks, ReasoningControl};
use tollgate_policy::price::Price;
use toml::{Table, Value as Toml};

use crate::registry::{self, catalogue, merge, quirks_of};

use super::model::Deployment;
use super::section::Section;
use super::yaml::{Node, Value};

#[derive(Debug)]
pub struct Capabilities {
    pub quirks: Quirks,
    pub max_output_tokens: Option<u64>,
    pub context_window: Option<u64>,
    pub price: Option<Price>,
}

/// For a model that is known; `overlay` is valid, as [`overlay`] makes sure.
pub fn of_model(provider: &str, model: &str, overlay: &Table) -> Capabilities {
    let registry = registry::embedded();
    let facts = registry.model(provider, model);
    let listed = catalogue::find(provider, model).unwrap_or_default();
    let table = merge(merge(registry.row(provider).quirks.clone(), &facts.quirks), overlay);
    Capabilities {
        quirks: quirks_of(table).unwrap_or_default(),
        max_output_tokens: facts.max_output_tokens.or(listed.max_output_tokens),
        context_window: facts.context_window.or(listed.context_window),
        price: listed.price,
    }
}

impl Deployment {
    /// For a deployment behind a wildcard, whose model is only known with the request.
    pub fn capabilities_for(&self, model: &str) -> Capabilities {
        let known = of_model(&self.provider, model, &self.overlay);
        Capabilities {
            quirks: known.quirks,
            max_output_tokens: self.max_output_tokens.or(known.max_output_tokens),
            context_window: self.context_window.or(known.context_window),
            price: self.price.or(known.price),
        }
    }

    /// What a model costs that this deployment is asked for. Behind a wildcard it is only known with the request.
    pub fn price_of(&self, model: impl FnOnce() -> String) -> Option<Price> {
        let listed = || catalogue::find(&self.provider, &model())?.price;
        self.price.or_else(|| self.model.contains('*').then(listed).flatten())
    }
}

/// The word for thoughts in `litellm_params`.
#[derive(Clone, Copy)]
enum Reasoning {
    Auto,
    None,
    Effort,
    Budget,
    Toggle,
}

/// What the configuration says about capabilities. Problems are reported.
pub fn overlay(params: &Section<'_, '_>, info: Option<&Section<'_, '_>>, provider: &str, model: &str) -> Table {
    let mut table = info.map(of_model_info).unwrap_or_default();
    let words = [
        ("auto", Reasoning::Auto),
        ("none", Reasoning::None),
        ("effort", Reasoning::Effort),
        ("budget", Reasoning::Budget),
        ("toggle", Reasoning::Toggle),
    ];
    // A map is the provider's own parameter of that name (OpenRouter's) and goes on with the other parameters.
    let ours = params.map.get("reasoning").is_some_and(|node| !matches!(node.value, Value::Map(_)));
    if let Some(word) = ours.then(|| params.choice("reasoning", &words)).flatten() {
        let known = of_model(provider, model, &Table::new()).quirks.reasoning;
        if let Some(control) = control(word, known) {
            table.insert("reasoning".into(), control.into());
        }
    }
    if let Some(section) = params.section("quirks") {
        let quirks = toml_table(&section);
        match quirks_of(quirks.clone()) {
            Ok(_) => table = merge(table, &quirks),
            Err(error) => {
                let hint = "docs/config.md lists the quirks and their values";
                params.cx.error(section.at, &section.path, error.message().to_string(), hint);
            }
        }
    }
    table
}

/// The control that a word stands for, given what the provider and model are known to have.
fn control(word: Reasoning, known: ReasoningControl) -> Option<&'static str> {
    use ReasoningControl as Known;
    match (word, known) {
        (Reasoning::Auto, _) => None,
        (Reasoning::None, _) => Some("none"),
        (Reasoning::Effort, Known::Reasoning | Known::ThinkingEffort) => None,
        (Reasoning::Effort, _) => Some("effort"),
        (Reasoning::Budget, Known::Reasoning) => None,
        (Reasoning::Budget, _) => Some("enable_thinking"),
        (Reasoning::Toggle, Known::None | Known::Effort) => Some("thinking"),
        (Reasoning::Toggle, _) => None,
    }
}

fn of_model_info(info: &Section<'_, '_>) -> Table {
    let mut table = Table::new();
    let mut messages = Table::new();
    for (key, quirk) in [
        ("supports_vision", "images"),
        ("supports_pdf_input", "pdf"),
        ("supports_function_calling", "tools"),
        ("supports_parallel_function_calling", "parallel_tool_calls"),
    ] {
        if let Some(value) = info.bool(key) {
            table.insert(quirk.into(), value.into());
        }
    }
    if let Some(value) = info.bool("supports_assistant_prefill") {
        table.insert("prefill".into(), value.into());
        messages.insert("prefill".into(), value.into());
    }
    if info.bool("supports_reasoning") == Some(false) {
        table.insert("reasoning".into(), "none".into());
    }
    if info.bool("supports_response_schema") == Some(false) {
        table.insert("response_format".into(), "json_object".into());
    }
    if info.bool("supports_tool_choice") == Some(false) {
        table.insert("tool_choice".into(), "auto_none".into());
        messages.insert("forced_tool".into(), false.into());
    }
    if !messages.is_empty() {
        table.insert("messages".into(), messages.into());
    }
    table
}

fn toml_table(section: &Section<'_, '_>) -> Table {
    section.map.entries.iter().filter_map(|entry| Some((entry.key.clone(), toml_value(&entry.node)?))).collect()
}

fn toml_value(node: &Node) -> Option<Toml> {
    Some(match &node.value {
        Value::Null => return None,
        Value::Bool(value) => Toml::Boolean(*value),
        Value::Number(digits) => match digits.parse::<i64>() {
            Ok(integer) => Toml::Integer(integer),
            Err(_) => Toml::Float(digits.parse().ok()?),
        },
        Value::Text(text) => Toml::String(text.clone()),
        Value::List(items) => Toml::Array(items.iter().filter_map(toml_value).collect()),
        Value::Map(map) => {
            Toml::Table(map.entries.iter().filter_map(|e| Some((e.key.clone(), toml_value(&e.node)?))).collect())
        }
    })
}
