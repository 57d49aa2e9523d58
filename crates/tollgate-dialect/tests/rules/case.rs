//! Fixture folders, read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use tollgate_dialect::Dialect;
use tollgate_dialect::json::Json;
use tollgate_dialect::quirks::Quirks;
use tollgate_dialect::sealed::{Seal, SealedState};

use crate::play::Outcome;

/// `meta.json`. What the fields mean is said in `RULES.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    pub rules: Vec<String>,
    pub kind: Kind,
    pub from: Side,
    pub to: Side,
    #[serde(default)]
    pub quirks: Quirks,
    #[serde(default)]
    pub drop_params: bool,
    pub max_output_tokens: Option<u64>,
    pub stream: Option<bool>,
    /// The client's request that an answer belongs to.
    pub request: Option<Box<RawValue>>,
    #[serde(default)]
    pub sealed: BTreeMap<String, Sealed>,
    #[serde(default)]
    pub changes: Vec<String>,
    pub error: Option<String>,
    /// The input's white space is part of the case.
    #[serde(default)]
    pub spaced: bool,
    /// Where a rule leaves a choice: which one is made.
    #[serde(rename = "choice")]
    pub _choice: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A client's request to the upstream's body.
    Request,
    /// An upstream's one-piece answer to the client's body.
    Answer,
    /// An upstream's stream to the client's.
    Stream,
    /// An error as the client is told it.
    Error,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Messages,
    Chat,
    Responses,
    Gemini,
    Converse,
}

impl Side {
    pub fn dialect(self) -> Dialect {
        match self {
            Side::Messages => Dialect::Messages,
            Side::Chat => Dialect::Chat,
            Side::Responses => Dialect::Responses,
            Side::Gemini => Dialect::Gemini,
            Side::Converse => Dialect::Converse,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    family: String,
    details: Option<Box<RawValue>>,
}

pub struct Case {
    /// `<rule folder>/<case>`.
    pub name: String,
    pub folder: String,
    pub meta: Meta,
    pub input: String,
    output: String,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules")
}

pub fn seal() -> Seal {
    Seal::new(b"a secret of the fixtures")
}

/// All cases, sorted by name.
pub fn all() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for folder in folders(&root()) {
        for case in folders(&root().join(&folder)) {
            cases.push(Case::read(&folder, &case));
        }
    }
    cases
}

/// Names of the folders in a folder, sorted.
pub fn folders(path: &Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry"))
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

impl Case {
    fn read(folder: &str, case: &str) -> Case {
        let name = format!("{folder}/{case}");
        let path = root().join(&name);
        let file = |file: &str| fs::read_to_string(path.join(file)).ok();
        let meta = file("meta.json").unwrap_or_else(|| panic!("{name} has no meta.json"));
        let meta: Meta = serde_json::from_str(&meta).unwrap_or_else(|e| panic!("{name}/meta.json: {e}"));
        let (input, output) = if meta.kind == Kind::Stream {
            (file("input.sse"), file("expected.sse").unwrap_or_default())
        } else {
            let input = file("input.json").map(|input| if meta.spaced { input } else { compact(&input) });
            (input, compact(&file("expected.json").unwrap_or_default()))
        };
        let input = input.unwrap_or_else(|| panic!("{name} has no input"));
        assert!(!output.is_empty() || meta.error.is_some(), "{name} expects nothing");
        let unseal = |text: String| meta.unsealed(text);
        Case { folder: folder.into(), input: unseal(input), output: unseal(output), meta, name }
    }

    pub fn expected(&self) -> Outcome {
        Outcome { body: self.output.clone(), changes: self.meta.changes.clone(), error: self.meta.error.clone() }
    }
}

impl Meta {
    /// `{{sealed:NAME}}` stands for a signature of ours, which nobody can write by hand; `{{sealed:plain}}` for one that holds
    /// only whose thoughts they are.
    fn unsealed(&self, mut text: String) -> String {
        let mut put = |name: &str, family: &str, details: Option<&RawValue>| {
            let details = details.map(|details| compact(details.get()));
            let details = details.as_deref().map(|details| Json::parse(details).expect("it was JSON"));
            let state = SealedState { family: family.into(), details };
            text = text.replace(&format!("{{{{sealed:{name}}}}}"), seal().seal(&state).escaped());
        };
        put("plain", crate::play::FAMILY, None);
        for (name, sealed) in &self.sealed {
            put(name, &sealed.family, sealed.details.as_deref());
        }
        text
    }
}

/// JSON without its insignificant white space. Escapes and numbers stay as they are written.
pub fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut quoted, mut escaped) = (false, false);
    for c in json.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if !quoted && c.is_ascii_whitespace() => continue,
            _ => {}
        }
        out.push(c);
    }
    out
}
