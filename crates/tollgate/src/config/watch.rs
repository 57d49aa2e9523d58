//! Configurations that follow their files. A broken file is reported, and the configuration in force stays.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::load::{Outcome, load_noting_files};
use super::model::Config;
use super::problem::Problem;

#[cfg(test)]
mod tests;

/// Often enough that nobody waits, seldom enough to cost nothing. Polled because file events do not cross every mount.
const POLL_EVERY: Duration = Duration::from_secs(1);

pub type SharedEnv = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A configuration's files, and how they were when they were last read.
pub struct Watch {
    path: PathBuf,
    env: SharedEnv,
    files: Vec<(PathBuf, Stamp)>,
}

/// What changes when a file does. The real path is part of it: Kubernetes replaces a mounted file by turning a link.
#[derive(Clone, Debug, Default, PartialEq)]
struct Stamp {
    real_path: Option<PathBuf>,
    modified: Option<SystemTime>,
    size: u64,
}

impl Stamp {
    fn of(path: &Path) -> Stamp {
        let metadata = std::fs::metadata(path).ok();
        Stamp {
            real_path: std::fs::canonicalize(path).ok(),
            modified: metadata.as_ref().and_then(|m| m.modified().ok()),
            size: metadata.map_or(0, |m| m.len()),
        }
    }
}

impl Watch {
    /// Reads the configuration, to be told of later ones.
    pub fn start(path: &Path, env: SharedEnv) -> (Watch, Outcome) {
        let mut watch = Watch { path: path.to_path_buf(), env, files: vec![(path.to_path_buf(), Stamp::default())] };
        let outcome = watch.read();
        (watch, outcome)
    }

    /// New configurations as their files change or SIGHUP arrives, until the receiver is dropped. Must be called in a runtime.
    pub fn changes(self) -> std::io::Result<mpsc::Receiver<Config>> {
        let mut hangup = signal(SignalKind::hangup())?;
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut watch = self;
            loop {
                let asked = tokio::select! {
                    () = sender.closed() => return,
                    () = tokio::time::sleep(POLL_EVERY) => false,
                    _ = hangup.recv() => true,
                };
                let polled = tokio::task::spawn_blocking(move || {
                    let outcome = watch.poll(asked);
                    (watch, outcome)
                });
                let Ok((returned, outcome)) = polled.await else { return };
                watch = returned;
                let Some(config) = outcome.and_then(|outcome| accept(&watch.path, outcome)) else { continue };
                if sender.send(config).await.is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }

    /// Reads again if a file changed, or if `asked` to.
    fn poll(&mut self, asked: bool) -> Option<Outcome> {
        let changed = self.files.iter().any(|(path, stamp)| Stamp::of(path) != *stamp);
        (changed || asked).then(|| self.read())
    }

    fn read(&mut self) -> Outcome {
        // Taken before reading: a change in between is seen at the next poll.
        let before: Vec<(PathBuf, Stamp)> =
            self.files.iter().map(|(path, _)| (path.clone(), Stamp::of(path))).collect();
        let mut files = Vec::new();
        let outcome = load_noting_files(&self.path, &*self.env, &mut files);
        self.files = files
            .into_iter()
            .map(|path| match before.iter().find(|(known, _)| *known == path) {
                Some(known) => known.clone(),
                None => (path.clone(), Stamp::of(&path)),
            })
            .collect();
        outcome
    }
}

/// Logs what was found.
fn accept(path: &Path, outcome: Outcome) -> Option<Config> {
    match outcome {
        Ok((config, problems)) => {
            problems.iter().for_each(Problem::log);
            tracing::info!(path = %path.display(), deployments = config.deployments.len(), "the configuration was read again");
            Some(config)
        }
        Err(problems) => {
            problems.iter().for_each(Problem::log);
            tracing::error!(path = %path.display(), "the changed configuration is broken: the one before stays in force");
            None
        }
    }
}
