//! What a dead process left in its journal, read without any of the gateway's code: a checksum, a space and a JSON object in
//! each line.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// What the journal says that a request is to cost in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It ended and cost so much.
    Ended(u64),
    /// It was under way with so much held.
    Open(u64),
    /// It is not to be in the ledger.
    Released,
}

/// By charge, of all folders of journals.
pub fn read(root: &Path) -> Result<BTreeMap<String, Word>, String> {
    let mut words = BTreeMap::new();
    for folder in list(root)?.into_iter().filter(|path| path.is_dir()) {
        for file in list(&folder)?.into_iter().filter(|path| path.extension().is_some_and(|end| end == "log")) {
            let text = std::fs::read(&file).map_err(|error| error.to_string())?;
            // A line without an end was being written when the process died.
            let whole = text.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
            for line in whole {
                take(line, &mut words).ok_or_else(|| format!("a line of {} is not known", file.display()))?;
            }
        }
    }
    Ok(words)
}

fn take(line: &[u8], words: &mut BTreeMap<String, Word>) -> Option<()> {
    let line: Value = serde_json::from_slice(line.get(9..)?).ok()?;
    let (kind, of) = line.as_object()?.iter().next()?;
    let text = |value: &Value| value.as_str().map(str::to_string);
    let (charge, word) = match kind.as_str() {
        "hold" => (text(&of["begun"]["charge"])?, Word::Open(of["nanos"].as_u64()?)),
        "settle" => (text(&of["charge"])?, Word::Ended(of["of"]["cost_nanos"].as_u64()?)),
        "release" => (text(&of["charge"])?, Word::Released),
        "free" => (text(&of["begun"]["charge"])?, Word::Ended(of["of"]["cost_nanos"].as_u64()?)),
        _ => return None,
    };
    words.insert(charge, word);
    Some(())
}

fn list(folder: &Path) -> Result<Vec<std::path::PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}
