//! Facts learned about deployments, kept over restarts.
//!
//! One small JSON file in the data directory, written whole and renamed into place. A fact expires, because providers change.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tollgate_policy::repair::Fact;

/// How long a learned fact is believed.
pub const BELIEVED_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learned {
    pub fact: Fact,
    /// Seconds since 1970.
    pub expires_at_s: u64,
}

pub struct LearnedFacts {
    file: Option<PathBuf>,
    by_deployment: Mutex<BTreeMap<String, Vec<Learned>>>,
}

impl LearnedFacts {
    /// Facts for this process only.
    pub fn in_memory() -> LearnedFacts {
        LearnedFacts { file: None, by_deployment: Mutex::default() }
    }

    /// Reads the file if there is one. An unreadable file is an error: it is never overwritten unseen.
    pub fn open(file: PathBuf) -> io::Result<LearnedFacts> {
        let by_deployment = Mutex::new(read(&file)?);
        Ok(LearnedFacts { file: Some(file), by_deployment })
    }

    /// The same facts; what is learned from here on is for this process only.
    pub fn without_file(self) -> LearnedFacts {
        LearnedFacts { file: None, ..self }
    }

    /// The facts still believed, oldest first, and when the first of them expires.
    pub fn of(&self, deployment: &str, now: SystemTime) -> Vec<Learned> {
        let now = seconds(now);
        let facts = self.by_deployment.lock().unwrap_or_else(|e| e.into_inner());
        facts
            .get(deployment)
            .map(|all| all.iter().filter(|l| l.expires_at_s > now).cloned().collect())
            .unwrap_or_default()
    }

    /// Remembers a fact, newest last; a fact of the same kind is replaced.
    pub fn learn(&self, deployment: &str, fact: Fact, now: SystemTime) -> io::Result<()> {
        let now_s = seconds(now);
        let mut facts = self.by_deployment.lock().unwrap_or_else(|e| e.into_inner());
        // Another process, such as a probe beside a running gateway, may have written since.
        if let Some(file) = &self.file {
            for (other, theirs) in read(file)? {
                let ours = facts.entry(other).or_default();
                let new = theirs.into_iter().filter(|l| ours.iter().all(|known| known.fact.label() != l.fact.label()));
                let new: Vec<Learned> = new.collect();
                ours.extend(new);
            }
        }
        for all in facts.values_mut() {
            all.retain(|l| l.expires_at_s > now_s);
        }
        facts.retain(|_, all| !all.is_empty());
        let all = facts.entry(deployment.to_string()).or_default();
        all.retain(|known| known.fact.label() != fact.label());
        all.push(Learned { fact, expires_at_s: now_s + BELIEVED_FOR.as_secs() });
        let Some(file) = &self.file else { return Ok(()) };
        let written = serde_json::to_vec_pretty(&*facts).map_err(io::Error::other)?;
        let fresh = file.with_extension("json.new");
        std::fs::write(&fresh, written)?;
        std::fs::rename(&fresh, file)
    }
}

fn read(file: &Path) -> io::Result<BTreeMap<String, Vec<Learned>>> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(e) => Err(e),
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_a_restart_and_expire() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("learned.json");
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        LearnedFacts::open(file.clone()).unwrap().learn("d1", Fact::NonstreamMaxTokens(4096), now).unwrap();
        let again = LearnedFacts::open(file).unwrap();
        assert_eq!(again.of("d1", now).len(), 1);
        assert_eq!(again.of("d2", now), vec![]);
        assert_eq!(again.of("d1", now + BELIEVED_FOR), vec![]);
    }

    #[test]
    fn two_processes_on_one_file_keep_each_others_facts() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("learned.json");
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let gateway = LearnedFacts::open(file.clone()).unwrap();
        let probe = LearnedFacts::open(file.clone()).unwrap();
        probe.learn("d", Fact::NoPrefill, now).unwrap();
        gateway.learn("d", Fact::StreamOnly, now).unwrap();
        let known: Vec<Fact> = LearnedFacts::open(file).unwrap().of("d", now).into_iter().map(|l| l.fact).collect();
        assert!(known.contains(&Fact::NoPrefill) && known.contains(&Fact::StreamOnly), "{known:?}");
        assert_eq!(gateway.of("d", now).len(), 2);
    }

    #[test]
    fn a_newer_fact_of_the_same_kind_replaces_the_older() {
        let facts = LearnedFacts::in_memory();
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        facts.learn("d", Fact::MaxOutputTokens(8192), now).unwrap();
        facts.learn("d", Fact::MaxOutputTokens(4096), now).unwrap();
        let known: Vec<Fact> = facts.of("d", now).into_iter().map(|l| l.fact).collect();
        assert_eq!(known, vec![Fact::MaxOutputTokens(4096)]);
    }
}
