//! `tollgate_settings.capture`: which requests are stored with their bodies. Without it none is.

use tollgate_policy::glob::Glob;

use super::context::Resolved;
use super::model::CaptureRules;
use super::section::Section;
use super::yaml::{Node, Value};

const KEY: &str = "capture";

const SHAPE: &str =
    "write true, false, on_request, or `{models: [GLOB, …], failures_only: true, on_request: true, max_mb: 64}`";

pub fn read(settings: &Section<'_, '_>) -> Option<CaptureRules> {
    let node = settings.take(KEY)?;
    let rules = match &node.value {
        Value::Map(_) => Some(rules(&settings.section(KEY)?)),
        _ => word(settings, node),
    };
    if rules.is_some() {
        let note = "bodies of requests and answers, without keys, are stored in the folder `captures` of the data directory \
                    (--data-dir, TOLLGATE_DATA_DIR, else ~/.local/share/tollgate)";
        settings.cx.note(node.at, &settings.path_of(KEY), note);
    }
    rules
}

fn word(settings: &Section<'_, '_>, node: &Node) -> Option<CaptureRules> {
    let text = match settings.cx.resolve(node) {
        Resolved::Text(text) => text.trim().to_lowercase(),
        Resolved::Missing(name) => {
            settings.cx.missing_variable(node.at, &settings.path_of(KEY), &name);
            return None;
        }
        Resolved::Structure => String::new(),
    };
    match text.as_str() {
        "true" | "1" | "yes" | "on" => Some(CaptureRules::default()),
        "false" | "0" | "no" | "off" => None,
        "on_request" => Some(CaptureRules { on_request: true, ..CaptureRules::default() }),
        _ => {
            settings.cx.error(
                node.at,
                &settings.path_of(KEY),
                "says neither what to capture nor that nothing is",
                SHAPE,
            );
            None
        }
    }
}

fn rules(section: &Section<'_, '_>) -> CaptureRules {
    let standard = CaptureRules::default();
    let glob = |node: &Node| match section.cx.resolve(node) {
        Resolved::Text(text) if !text.trim().is_empty() => Some(Glob::new(text.trim())),
        _ => {
            section.wrong(node, "models", "a list of patterns");
            None
        }
    };
    if let Some(Node { at, value: Value::List(items) }) = section.map.get("models")
        && items.is_empty()
    {
        section.cx.error(
            *at,
            &section.path_of("models"),
            "lists no model",
            "leave `models` out for all, or write `capture: false`",
        );
    }
    let rules = CaptureRules {
        models: section.list("models").iter().filter_map(glob).collect(),
        failures_only: section.bool("failures_only").unwrap_or(standard.failures_only),
        on_request: section.bool("on_request").unwrap_or(standard.on_request),
        max_bytes: section.count("max_mb").map_or(standard.max_bytes, |mb| mb.saturating_mul(1 << 20)),
    };
    for entry in section.rest() {
        section.cx.error(entry.at, &section.path_of(&entry.key), "is no part of `capture`", SHAPE);
    }
    rules
}
