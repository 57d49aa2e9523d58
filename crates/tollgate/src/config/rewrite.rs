//! `tollgate_settings.rewrite`: what is changed in a client's request before anything else reads it.
//!
//! Within a rule the order is rename, drop, set, default, cap; rules apply one after the other, each to what the one before
//! left. What no rule touches keeps its place and its bytes.

use tollgate_dialect::error::{Change, ChangeKind};
use tollgate_dialect::json::Json;
use tollgate_policy::glob::Glob;

mod object;
mod read;
#[cfg(test)]
mod tests;

use object::Object;
pub use read::read;

#[derive(Clone, Debug)]
pub struct RewriteRule {
    model: Option<Glob>,
    /// On the `user-agent`.
    client: Option<Glob>,
    actions: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq)]
enum Action {
    /// To another name in the same object. Where that is taken, the old one goes.
    Rename(Path, String),
    Drop(Path),
    Set(Path, Json<'static>),
    /// Only where there is none.
    Default(Path, Json<'static>),
    /// A number above this becomes this.
    Cap(Path, f64, Json<'static>),
}

/// `thinking.budget_tokens`: objects within objects.
#[derive(Clone, Debug, PartialEq)]
struct Path {
    parents: Vec<String>,
    key: String,
}

impl RewriteRule {
    fn matches(&self, model: &str, client: &str) -> bool {
        self.model.as_ref().is_none_or(|glob| glob.matches(model))
            && self.client.as_ref().is_none_or(|glob| glob.matches(client))
    }
}

/// The new body and what became different; `None` if nothing did, or if the body is no JSON object.
pub fn apply(rules: &[RewriteRule], body: &[u8], model: &str, client: &str) -> Option<(Vec<u8>, Vec<Change>)> {
    let mut actions = rules.iter().filter(|rule| rule.matches(model, client)).flat_map(|rule| &rule.actions).peekable();
    actions.peek()?;
    let mut object = Object::parse(body)?;
    let changes: Vec<Change> = actions.filter_map(|action| action.apply(&mut object)).collect();
    (!changes.is_empty()).then(|| (object.to_bytes(), changes))
}

/// The body with this value at the first of the places (`parent.key`) that has one. Where none has, it goes to the last whose
/// parents are there, or to the last of all. With the place; `None`: the body is no JSON object.
pub fn set_first_of<'p>(places: &[&'p str], value: &Json<'static>, body: &[u8]) -> Option<(Vec<u8>, &'p str)> {
    let mut object = Object::parse(body)?;
    let paths: Vec<(&str, Path)> = places.iter().filter_map(|place| Some((*place, Path::parse(place)?))).collect();
    let mut put = |(place, path): &(&'p str, Path), creates: bool, replaces: bool| {
        let set = &mut |object: &mut Object<'_>| match replaces {
            true => object.replace_if(&path.key, value, |old| !old.is_null()),
            false => object.set(&path.key, value),
        };
        object.within(&path.parents, creates, set).then_some(*place)
    };
    let there = paths.iter().find_map(|path| put(path, false, true));
    let beside = || paths.iter().rev().find_map(|path| put(path, false, false));
    let place = there.or_else(beside).or_else(|| put(paths.last()?, true, false))?;
    Some((object.to_bytes(), place))
}

impl Action {
    fn apply(&self, root: &mut Object<'_>) -> Option<Change> {
        let (path, kind) = match self {
            Action::Rename(path, _) => (path, ChangeKind::Renamed),
            Action::Drop(path) => (path, ChangeKind::Dropped),
            Action::Set(path, _) | Action::Default(path, _) => (path, ChangeKind::Rewritten),
            Action::Cap(path, ..) => (path, ChangeKind::Clamped),
        };
        let creates = matches!(self, Action::Set(..) | Action::Default(..));
        let changed = root.within(&path.parents, creates, &mut |object| self.apply_here(object, &path.key));
        changed.then(|| Change::new(kind, path.to_string()))
    }

    fn apply_here(&self, object: &mut Object<'_>, key: &str) -> bool {
        match self {
            Action::Rename(_, to) => object.rename(key, to),
            Action::Drop(_) => object.remove(key),
            Action::Set(_, value) => object.set(key, value),
            Action::Default(_, value) => !object.has(key) && object.set(key, value),
            Action::Cap(_, most, value) => object.replace_if(key, value, |old| old.as_f64().is_some_and(|n| n > *most)),
        }
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for parent in &self.parents {
            write!(f, "{parent}.")?;
        }
        f.write_str(&self.key)
    }
}
