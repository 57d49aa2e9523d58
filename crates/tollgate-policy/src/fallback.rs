//! Which routes are asked when a route has failed: LiteLLM's lists of fallbacks.

use crate::failover::Trouble;
use crate::glob::Glob;

#[cfg(test)]
mod tests;

/// LiteLLM 1.109.1's default for `max_fallbacks`.
pub const DEFAULT_MAX_FALLBACKS: usize = 5;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallbacks {
    general: Vec<Entry>,
    context_window: Vec<Entry>,
    content_policy: Vec<Entry>,
    /// `default_fallbacks`: for every route.
    default: Vec<String>,
    /// The most routes asked after the first.
    pub max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    /// A route, an alias, or a pattern.
    of: String,
    pattern: Glob,
    targets: Vec<String>,
}

impl Default for Fallbacks {
    fn default() -> Self {
        Fallbacks {
            general: Vec::new(),
            context_window: Vec::new(),
            content_policy: Vec::new(),
            default: Vec::new(),
            max: DEFAULT_MAX_FALLBACKS,
        }
    }
}

impl Fallbacks {
    pub fn add(&mut self, trouble: Trouble, of: &str, targets: Vec<String>) {
        let entry = Entry { of: of.to_string(), pattern: Glob::new(of), targets };
        match trouble {
            Trouble::General => self.general.push(entry),
            Trouble::ContextWindow => self.context_window.push(entry),
            Trouble::ContentPolicy => self.content_policy.push(entry),
        }
    }

    pub fn add_default(&mut self, targets: Vec<String>) {
        self.default.extend(targets);
    }

    /// The fallbacks of a route. `names` are all it is called by, the client's word first: a name in full goes before a
    /// pattern, the most specific pattern before others, `*` and the default last. As with LiteLLM, the general list serves for a
    /// trouble that no list was made for.
    pub fn of(&self, trouble: Trouble, names: &[&str]) -> &[String] {
        let own = match trouble {
            Trouble::General => &self.general,
            Trouble::ContextWindow => &self.context_window,
            Trouble::ContentPolicy => &self.content_policy,
        };
        let general = trouble == Trouble::General || own.is_empty();
        let entries = if general { &self.general } else { own };
        let exact = names.iter().find_map(|name| entries.iter().find(|entry| entry.of == *name));
        let by_pattern = || {
            let matching = entries.iter().filter(|entry| names.iter().any(|name| entry.pattern.matches(name)));
            matching.max_by_key(|entry| entry.pattern.specificity())
        };
        match exact.or_else(by_pattern) {
            Some(entry) => &entry.targets,
            None if general => &self.default,
            None => &[],
        }
    }
}
