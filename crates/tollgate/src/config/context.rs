//! What reading a configuration needs everywhere: the environment, and a list of what was found wrong.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use tollgate_policy::nearest::nearest;

use super::known::Keys;
use super::problem::{Pos, Problem, Severity};
use super::secret::Secret;
use super::yaml::{Entry, Node, Value};

pub type Env<'e> = &'e dyn Fn(&str) -> Option<String>;

/// A kind of block and a key in it.
type KeyOfBlock = (&'static str, String);

pub struct Context<'e> {
    env: Env<'e>,
    /// `environment_variables:`, which go before the process environment.
    own: RefCell<BTreeMap<String, Secret>>,
    files: RefCell<Vec<PathBuf>>,
    problems: RefCell<Vec<Problem>>,
    /// Keys without effect that were already reported: the index of the report, and how often they were met again.
    repeated: RefCell<BTreeMap<KeyOfBlock, (usize, usize)>>,
    /// Where a missing variable was reported: an anchor brings the same place into many entries.
    missing: RefCell<BTreeSet<(usize, usize, usize)>>,
}

/// A scalar after `os.environ/NAME` was followed.
#[derive(Debug, PartialEq)]
pub enum Resolved {
    Text(String),
    /// The variable is not set, or empty.
    Missing(String),
    /// A list or a map.
    Structure,
}

impl<'e> Context<'e> {
    pub fn new(env: Env<'e>) -> Context<'e> {
        Context {
            env,
            own: RefCell::default(),
            files: RefCell::default(),
            problems: RefCell::default(),
            repeated: RefCell::default(),
            missing: RefCell::default(),
        }
    }

    /// The index of a file for [`Pos`].
    pub fn add_file(&self, path: &Path) -> usize {
        let mut files = self.files.borrow_mut();
        files.push(path.to_path_buf());
        files.len() - 1
    }

    pub fn set_own_environment(&self, own: BTreeMap<String, Secret>) {
        self.own.replace(own);
    }

    pub fn own_environment(&self) -> BTreeMap<String, Secret> {
        self.own.borrow().clone()
    }

    /// A variable's value, unless it is empty.
    pub fn variable(&self, name: &str) -> Option<String> {
        let own = self.own.borrow().get(name).map(|secret| secret.expose().to_string());
        own.or_else(|| (self.env)(name)).filter(|value| !value.trim().is_empty())
    }

    pub fn report(&self, severity: Severity, at: Pos, path: &str, message: impl Into<String>, hint: Option<String>) {
        let files = self.files.borrow();
        let file = files.get(at.file).map(|path| path.display().to_string()).unwrap_or_default();
        let (path, message) = (path.to_string(), message.into());
        self.problems.borrow_mut().push(Problem {
            severity,
            file,
            line: at.line,
            column: at.column,
            path,
            message,
            hint,
        });
    }

    pub fn error(&self, at: Pos, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Severity::Error, at, path, message, Some(hint.into()));
    }

    pub fn warning(&self, at: Pos, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.report(Severity::Warning, at, path, message, Some(hint.into()));
    }

    pub fn note(&self, at: Pos, path: &str, message: impl Into<String>) {
        self.report(Severity::Note, at, path, message, None);
    }

    /// A known key that has no effect yet: reported where it is first met, then counted.
    pub fn not_implemented(&self, keys: &Keys, entry: &Entry, path: &str) {
        let mut repeated = self.repeated.borrow_mut();
        let index = self.problems.borrow().len();
        let (_, times) = repeated.entry((keys.block, entry.key.clone())).and_modify(|r| r.1 += 1).or_insert((index, 1));
        if *times == 1 {
            self.warning(entry.at, path, "is accepted but has no effect yet", "it may stay, but do not count on it");
        }
    }

    pub fn unknown_key(&self, keys: &Keys, entry: &Entry, path: &str) {
        let hint = match keys.nearest(&entry.key) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "remove it, or look up its name in docs/config.md".to_string(),
        };
        self.report(Severity::Warning, entry.at, path, "is not a known key and has no effect", Some(hint));
    }

    /// A key of a small block that has only these.
    pub fn unknown_part(&self, parts: &[&str], entry: &Entry, path: &str) {
        let hint = match nearest(&entry.key, parts.iter().copied(), 1).first() {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys here are {}", parts.join(", ")),
        };
        self.warning(entry.at, path, "is not a known key and has no effect", hint);
    }

    pub fn resolve(&self, node: &Node) -> Resolved {
        match &node.value {
            Value::Null => Resolved::Text(String::new()),
            Value::Bool(value) => Resolved::Text(value.to_string()),
            Value::Number(digits) => Resolved::Text(digits.clone()),
            Value::Text(text) => match text.strip_prefix("os.environ/") {
                Some(name) => self.variable(name).map_or(Resolved::Missing(name.to_string()), Resolved::Text),
                None => Resolved::Text(text.clone()),
            },
            Value::List(_) | Value::Map(_) => Resolved::Structure,
        }
    }

    /// A variable without which something can still be done.
    pub fn missing_variable(&self, at: Pos, path: &str, name: &str) {
        if self.missing.borrow_mut().insert((at.file, at.line, at.column)) {
            self.warning(
                at,
                path,
                format!("the environment variable {name} is not set"),
                format!("set {name}, or remove this key"),
            );
        }
    }

    /// Everything that was found, in the order of the files; `true` if there is an error among it.
    pub fn finish(self) -> (Vec<Problem>, bool) {
        let mut problems = self.problems.into_inner();
        for (index, times) in self.repeated.into_inner().into_values().filter(|(_, times)| *times > 1) {
            let more = if times == 2 { "1 more place".to_string() } else { format!("{} more places", times - 1) };
            problems[index].message.push_str(&format!(" (nor in {more})"));
        }
        let files = self.files.into_inner();
        let order = |p: &Problem| files.iter().position(|f| f.display().to_string() == p.file);
        problems.sort_by_key(|p| (order(p), p.line, p.column));
        let failed = problems.iter().any(|p| p.severity == Severity::Error);
        (problems, failed)
    }
}
