//! Rules as they are written, checked while the file is read.

use tollgate_policy::glob::Glob;

use super::super::context::Context;
use super::super::section::{Section, json};
use super::super::yaml::{Entry, Node, Value};
use super::{Action, Path, RewriteRule};

const ACTIONS: [&str; 5] = ["rename", "drop", "set", "default", "cap"];

const SHAPE: &str =
    "a rule is `{match: {model: GLOB, client: GLOB}, set: {…}, default: {…}, cap: {…}, drop: […], rename: {…}}`";

pub fn read(cx: &Context<'_>, rules: &[Node], path: &str) -> Vec<RewriteRule> {
    rules.iter().enumerate().filter_map(|(index, node)| rule(cx, node, &format!("{path}[{index}]"))).collect()
}

fn rule(cx: &Context<'_>, node: &Node, path: &str) -> Option<RewriteRule> {
    let section = Section::of(cx, node, path)?;
    let (model, client) = globs(&section);
    let mut actions = Vec::new();
    each(&section, "rename", |entry, path, place| rename(cx, entry, path, place), &mut actions);
    actions.extend(section.list("drop").iter().filter_map(|item| dropped(&section, item)));
    each(&section, "set", |entry, path, place| Some(Action::Set(path, json(cx, &entry.node, place))), &mut actions);
    each(
        &section,
        "default",
        |entry, path, place| Some(Action::Default(path, json(cx, &entry.node, place))),
        &mut actions,
    );
    each(&section, "cap", |entry, path, place| cap(cx, entry, path, place), &mut actions);
    for entry in section.rest() {
        cx.error(entry.at, &section.path_of(&entry.key), "is no part of a rewrite rule", SHAPE);
    }
    if !section.map.entries.iter().any(|entry| ACTIONS.contains(&entry.key.as_str())) {
        cx.error(node.at, path, "does nothing", SHAPE);
    }
    Some(RewriteRule { model, client, actions })
}

fn globs(rule: &Section<'_, '_>) -> (Option<Glob>, Option<Glob>) {
    let Some(section) = rule.section("match") else { return (None, None) };
    let glob = |key: &str| section.text(key).map(|pattern| Glob::new(&pattern));
    let found = (glob("model"), glob("client"));
    for entry in section.rest() {
        section.cx.error(
            entry.at,
            &section.path_of(&entry.key),
            "cannot be matched on",
            "match on `model`, `client` or both",
        );
    }
    found
}

fn each(
    rule: &Section<'_, '_>,
    key: &str,
    action: impl Fn(&Entry, Path, &str) -> Option<Action>,
    actions: &mut Vec<Action>,
) {
    let Some(section) = rule.section(key) else { return };
    for entry in &section.map.entries {
        let place = section.path_of(&entry.key);
        match Path::parse(&entry.key) {
            Some(path) => actions.extend(action(entry, path, &place)),
            None => rule.cx.error(entry.at, &place, "is no path", "write a key, or keys joined by dots"),
        }
    }
}

fn rename(cx: &Context<'_>, entry: &Entry, from: Path, place: &str) -> Option<Action> {
    let to = match &entry.node.value {
        Value::Text(text) => Path::parse(text),
        _ => None,
    };
    match to {
        Some(to) if to.parents == from.parents || to.parents.is_empty() => Some(Action::Rename(from, to.key)),
        _ => {
            cx.error(
                entry.node.at,
                place,
                "is no name to rename to",
                "write the new name; it stays in the same object",
            );
            None
        }
    }
}

fn dropped(section: &Section<'_, '_>, item: &Node) -> Option<Action> {
    let path = match &item.value {
        Value::Text(text) => Path::parse(text),
        _ => None,
    };
    if path.is_none() {
        section.cx.error(item.at, &section.path_of("drop"), "is no path", "write `drop: [key, other.key]`");
    }
    path.map(Action::Drop)
}

fn cap(cx: &Context<'_>, entry: &Entry, path: Path, place: &str) -> Option<Action> {
    let value = json(cx, &entry.node, place);
    match value.as_f64() {
        Some(most) if most.is_finite() => Some(Action::Cap(path, most, value)),
        _ => {
            cx.error(
                entry.node.at,
                place,
                "must be a number: the most that is let through",
                "write `cap: {max_tokens: 4096}`",
            );
            None
        }
    }
}

impl Path {
    pub fn parse(text: &str) -> Option<Path> {
        let mut parents: Vec<String> = text.split('.').map(str::to_string).collect();
        if parents.iter().any(String::is_empty) {
            return None;
        }
        let key = parents.pop()?;
        Some(Path { parents, key })
    }
}
