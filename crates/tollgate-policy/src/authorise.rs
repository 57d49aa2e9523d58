//! Whether a caller may do what it asks for: one function for calls and for lists of models, so that they cannot disagree.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::access::{Grants, Role, Scope, ScopeKind};
use crate::address::any_contains;
use crate::glob::Glob;
use crate::paths::{PathClass, listed};
use crate::route::RouteTable;

mod denial;
#[cfg(test)]
mod tests;

pub use denial::Denial;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Caller<'a> {
    pub role: Role,
    /// All of them have to allow it. None: what the role allows, as with the master key.
    pub scopes: &'a [Scope],
    /// `None`: not known.
    pub address: Option<IpAddr>,
}

/// Names of access groups, each with names of routes and wildcards.
pub type AccessGroups = BTreeMap<String, Vec<String>>;

/// What names mean at present.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    pub routes: &'a RouteTable,
    pub groups: &'a AccessGroups,
}

/// Whether the caller may use the path at this time, and the model if the request names one.
///
/// # Errors
/// What forbids it; of several the first in the order of [`Denial`].
pub fn may_call(
    caller: &Caller<'_>,
    path: &str,
    model: Option<&str>,
    names: Names<'_>,
    now_ms: u64,
) -> Result<(), Denial> {
    for scope in caller.scopes {
        let grants = &scope.grants;
        if grants.blocked {
            return Err(Denial::Blocked { scope: scope.kind });
        }
        if let Some(at_ms) = grants.expires_at_ms.filter(|at_ms| *at_ms <= now_ms) {
            return Err(Denial::Expired { scope: scope.kind, at_ms });
        }
        let from_listed = |address| any_contains(&grants.addresses, address);
        if !grants.addresses.is_empty() && !caller.address.is_some_and(from_listed) {
            return Err(Denial::Address { scope: scope.kind, address: caller.address });
        }
    }
    if !PathClass::of(path).open_to(caller.role) {
        return Err(Denial::Role { role: caller.role, path: path.to_string() });
    }
    for scope in caller.scopes.iter().filter(|scope| !scope.grants.routes.is_empty()) {
        if !listed(&scope.grants.routes, path) {
            return Err(Denial::route(scope.kind, path, &scope.grants.routes));
        }
    }
    model.map_or(Ok(()), |model| may_use(caller, model, names))
}

/// The names that the caller may call: of routes, of models behind wildcards that its grants name, and its own aliases. In the order of
/// the configuration.
pub fn callable(caller: &Caller<'_>, path: &str, names: Names<'_>, now_ms: u64) -> Vec<String> {
    let granted = caller.scopes.iter().flat_map(|scope| &scope.grants.models).flat_map(|entry| {
        std::iter::once(entry.as_str()).chain(names.groups.get(entry).into_iter().flatten().map(String::as_str))
    });
    let hidden: Vec<&str> =
        names.routes.aliases().into_iter().filter(|alias| alias.hidden).map(|alias| alias.name.as_str()).collect();
    let behind_wildcards = granted.filter(|name| !name.contains('*') && !hidden.contains(name));
    let aliases = caller.scopes.iter().flat_map(|scope| scope.grants.aliases.keys().map(String::as_str));
    let mut listed: Vec<String> = Vec::new();
    for name in names.routes.names().chain(behind_wildcards).chain(aliases) {
        let leads_somewhere = names.routes.resolve(aliased(caller.scopes, name).model).is_ok();
        if leads_somewhere
            && !listed.iter().any(|known| known == name)
            && may_call(caller, path, Some(name), names, now_ms).is_ok()
        {
            listed.push(name.to_string());
        }
    }
    listed
}

/// What a name stands for to a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aliased<'a> {
    /// What the route table is asked for.
    pub model: &'a str,
    /// Whose alias it is; `None`: of none, and the model is the name that was asked for.
    pub by: Option<ScopeKind>,
}

/// The innermost scope's alias wins. The target is not looked up again.
pub fn aliased<'a>(scopes: &'a [Scope], asked: &'a str) -> Aliased<'a> {
    let own = scopes.iter().rev().find_map(|scope| Some((scope.kind, scope.grants.aliases.get(asked)?)));
    own.map_or(Aliased { model: asked, by: None }, |(kind, target)| Aliased { model: target, by: Some(kind) })
}

fn may_use(caller: &Caller<'_>, asked: &str, names: Names<'_>) -> Result<(), Denial> {
    let in_team = caller.scopes.iter().any(|scope| scope.kind == ScopeKind::Team);
    let asked = asked.strip_suffix("[1m]").unwrap_or(asked);
    let aliased = aliased(caller.scopes, asked);
    let wanted = Wanted::new(aliased.model, names.routes);
    for scope in caller.scopes {
        // A scope's own alias may be granted by its name. Another's may not: whoever makes a key chooses its aliases, and they
        // must not lead around what the team allows.
        let by_alias = aliased.by == Some(scope.kind) && scope.grants.models.iter().any(|entry| entry == asked);
        if !by_alias && !allows(&scope.grants, &wanted, names.groups, in_team) {
            return Err(Denial::model(scope.kind, asked, &scope.grants.models));
        }
    }
    Ok(())
}

/// A model under the names by which grants may mean it.
struct Wanted<'a> {
    asked: &'a str,
    /// Names that patterns are compared with, too.
    names: Vec<String>,
}

impl<'a> Wanted<'a> {
    fn new(asked: &'a str, routes: &RouteTable) -> Wanted<'a> {
        let Ok(route) = routes.resolve(asked) else { return Wanted { asked, names: vec![asked.to_string()] } };
        let full_name = route.full_name().into_owned();
        let mut names = vec![route.group.to_string()];
        // A discovery name (`claude-` before any route's) and a name that the catch-all took are no names of the route: a
        // pattern that they fit, such as `claude-*`, says nothing of it.
        if full_name == asked || routes.follow(asked) == Some(full_name.as_str()) {
            names.push(asked.to_string());
        }
        names.push(full_name);
        Wanted { asked, names }
    }

    fn meant_by(&self, entry: &str) -> bool {
        if !entry.contains('*') {
            return entry == self.asked || self.names.iter().any(|name| name == entry);
        }
        let pattern = Glob::new(entry);
        self.names.iter().any(|name| pattern.matches(name))
    }
}

fn allows(grants: &Grants, wanted: &Wanted<'_>, groups: &AccessGroups, in_team: bool) -> bool {
    let entry_allows = |entry: &String| match entry.as_str() {
        "all-proxy-models" => true,
        // The team says itself what they are.
        "all-team-models" => in_team,
        "no-default-models" => false,
        name => {
            let in_group = || groups.get(name).is_some_and(|models| models.iter().any(|model| wanted.meant_by(model)));
            wanted.meant_by(name) || in_group()
        }
    };
    grants.models.is_empty() || grants.models.iter().any(entry_allows)
}
