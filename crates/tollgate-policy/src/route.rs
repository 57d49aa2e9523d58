//! Which deployments a client-visible name stands for.
//!
//! The first of these that knows the name decides: an alias, a route of that very name, a discovery name of a route, the most
//! specific wildcard, the catch-all for `claude-*` names, and last the wildcard `*`.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::glob::Glob;
use crate::nearest::nearest;

#[cfg(test)]
mod tests;

/// An alias may name another alias; longer chains than this are circles.
const MAX_ALIAS_STEPS: usize = 8;

/// Routes for `claude-*` names that no route has: clients call small Claude models for side work without being asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatchAll {
    pub haiku: Option<String>,
    pub sonnet: Option<String>,
    pub opus: Option<String>,
    pub default: Option<String>,
}

impl CatchAll {
    fn route_for(&self, claude_name: &str) -> Option<&str> {
        let tiers = [("haiku", &self.haiku), ("sonnet", &self.sonnet), ("opus", &self.opus)];
        let tier =
            tiers.into_iter().find(|(tier, _)| claude_name.contains(tier)).and_then(|(_, route)| route.as_deref());
        tier.or(self.default.as_deref())
    }

    /// The routes it names.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        [&self.haiku, &self.sonnet, &self.opus, &self.default].into_iter().flatten().map(String::as_str)
    }
}

/// Another name for a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    pub name: String,
    pub target: String,
    /// Works, but is not listed.
    pub hidden: bool,
}

#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    exact: HashMap<String, Vec<usize>>,
    /// Most specific first, `*` left out.
    wildcards: Vec<Wildcard>,
    everything: Option<Wildcard>,
    aliases: HashMap<String, Alias>,
    catch_all: CatchAll,
    /// What is listed, in the order of the configuration.
    names: Vec<String>,
}

#[derive(Clone, Debug)]
struct Wildcard {
    pattern: String,
    glob: Glob,
    deployments: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved<'t> {
    /// The route's name as configured: a wildcard's pattern, an alias's target.
    pub group: &'t str,
    pub deployments: &'t [usize],
    /// The text that the wildcard stood for; of several stars, the first.
    pub matched: Option<String>,
    further: Vec<String>,
}

impl Resolved<'_> {
    /// The name that the route was found by: the asked one, an alias's target, what a discovery name stands for.
    pub fn full_name(&self) -> Cow<'_, str> {
        self.upstream_model(self.group)
    }

    /// A deployment's model name with its stars filled in.
    pub fn upstream_model<'m>(&self, model: &'m str) -> Cow<'m, str> {
        let Some(matched) = &self.matched else { return Cow::Borrowed(model) };
        if !model.contains('*') {
            return Cow::Borrowed(model);
        }
        let mut pieces = model.split('*');
        let mut filled = pieces.next().unwrap_or_default().to_string();
        let mut texts = std::iter::once(matched).chain(&self.further);
        for piece in pieces {
            filled.push_str(texts.next().map_or("", String::as_str));
            filled.push_str(piece);
        }
        Cow::Owned(filled)
    }
}

/// No route has the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Up to three listed names that it may be a slip of.
    pub nearest: Vec<String>,
}

impl RouteTable {
    /// `groups` are the deployments' route names in order: the first is the route of deployment 0. A repeated name is one
    /// route of several deployments.
    pub fn new<'g>(groups: impl IntoIterator<Item = &'g str>, aliases: Vec<Alias>, catch_all: CatchAll) -> RouteTable {
        let mut table = RouteTable { catch_all, ..RouteTable::default() };
        for (index, group) in groups.into_iter().enumerate() {
            table.add(group, index);
        }
        table.wildcards.sort_by_key(|w| std::cmp::Reverse(w.glob.specificity()));
        for alias in aliases {
            if !alias.hidden && !alias.name.contains('*') && !table.names.contains(&alias.name) {
                table.names.push(alias.name.clone());
            }
            table.aliases.insert(alias.name.clone(), alias);
        }
        table
    }

    /// The same aliases and catch-all over other deployments.
    #[must_use]
    pub fn regrouped<'g>(&self, groups: impl IntoIterator<Item = &'g str>) -> RouteTable {
        let mut aliases: Vec<Alias> = self.aliases.values().cloned().collect();
        aliases.sort_by_key(|alias| (self.names.iter().position(|name| *name == alias.name), alias.name.clone()));
        RouteTable::new(groups, aliases, self.catch_all.clone())
    }

    fn add(&mut self, group: &str, index: usize) {
        if !group.contains('*') {
            if !self.exact.contains_key(group) {
                self.names.push(group.to_string());
            }
            self.exact.entry(group.to_string()).or_default().push(index);
            return;
        }
        let known = self.wildcards.iter_mut().chain(&mut self.everything).find(|w| w.pattern == group);
        if let Some(wildcard) = known {
            wildcard.deployments.push(index);
            return;
        }
        let wildcard = Wildcard { pattern: group.to_string(), glob: Glob::new(group), deployments: vec![index] };
        if wildcard.glob.matches_all() {
            self.everything = Some(wildcard);
        } else {
            self.wildcards.push(wildcard);
        }
    }

    pub fn resolve(&self, name: &str) -> Result<Resolved<'_>, Unknown> {
        // Claude Code's mark for a long context window; it means nothing to anyone else.
        let name = name.strip_suffix("[1m]").unwrap_or(name);
        self.configured(name)
            .or_else(|| self.discovered(name, |route| !route.starts_with("claude")))
            .or_else(|| self.by_wildcard(name))
            .or_else(|| self.discovered(name, |_| true))
            .or_else(|| self.caught(name))
            .or_else(|| self.everything.as_ref().and_then(|w| w.resolve(name)))
            .ok_or_else(|| Unknown { nearest: self.nearest(name) })
    }

    /// The names for a list of models: wildcards and hidden aliases left out.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Every alias, by name.
    pub fn aliases(&self) -> Vec<&Alias> {
        let mut aliases: Vec<&Alias> = self.aliases.values().collect();
        aliases.sort_by(|a, b| a.name.cmp(&b.name));
        aliases
    }

    pub fn nearest(&self, name: &str) -> Vec<String> {
        nearest(name, self.names(), 3).into_iter().map(str::to_string).collect()
    }

    fn configured(&self, name: &str) -> Option<Resolved<'_>> {
        match self.follow(name) {
            Some(target) => self
                .exact(target)
                .or_else(|| self.by_wildcard(target))
                .or_else(|| self.everything.as_ref()?.resolve(target)),
            None => self.exact(name),
        }
    }

    /// The end of a chain of aliases; `None` if the name is no alias.
    pub fn follow(&self, name: &str) -> Option<&str> {
        let mut target = self.aliases.get(name)?.target.as_str();
        for _ in 0..MAX_ALIAS_STEPS {
            match self.aliases.get(target) {
                Some(next) if next.target != target => target = &next.target,
                _ => break,
            }
        }
        Some(target)
    }

    fn exact(&self, name: &str) -> Option<Resolved<'_>> {
        let (group, deployments) = self.exact.get_key_value(name)?;
        Some(Resolved { group, deployments, matched: None, further: Vec::new() })
    }

    fn by_wildcard(&self, name: &str) -> Option<Resolved<'_>> {
        self.wildcards.iter().find_map(|w| w.resolve(name))
    }

    /// Claude Code offers only models whose name begins with `claude` or `anthropic/`, so every route answers to such a name
    /// too (Claude Code 2.1.329, model discovery).
    fn discovered(&self, name: &str, accepts: impl Fn(&str) -> bool) -> Option<Resolved<'_>> {
        ["claude-", "anthropic/"]
            .into_iter()
            .filter_map(|prefix| name.strip_prefix(prefix))
            .filter(|route| accepts(route))
            .find_map(|route| self.configured(route))
    }

    fn caught(&self, name: &str) -> Option<Resolved<'_>> {
        let claude_name = name.strip_prefix("anthropic/").unwrap_or(name);
        if !claude_name.starts_with("claude-") {
            return None;
        }
        let target = self.catch_all.route_for(claude_name)?;
        self.configured(target).or_else(|| self.by_wildcard(target))
    }
}

impl Wildcard {
    fn resolve(&self, name: &str) -> Option<Resolved<'_>> {
        let mut captured = self.glob.capture(name)?.into_iter().map(str::to_string);
        let matched = captured.next();
        Some(Resolved { group: &self.pattern, deployments: &self.deployments, matched, further: captured.collect() })
    }
}
