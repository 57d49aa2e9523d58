//! From the journal into the ledger.

use super::{BATCH, Banker};
use crate::database::StoreError;
use crate::ledger::Entry;
use crate::ledger::apply::{Applied, PotCharged};
use crate::meter::bank;
use crate::meter::journal::{Left, put_aside, segments};
use crate::meter::patience::{is_about_data, patiently};
use crate::meter::reader::Reader;
use tollgate_policy::price::dollars;

/// How far a journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There may be more.
    More,
    /// All of it is in the database.
    Done,
    /// It cannot go on now.
    Stuck,
}

impl Banker {
    /// Brings a batch into the database.
    pub(super) async fn apply(&mut self) -> Progress {
        let mut progress = Progress::More;
        if self.batch.is_empty() {
            match self.reader.read(BATCH, self.shared.journal.present().0) {
                Ok(batch) => self.batch = batch,
                Err(error) => {
                    tracing::error!(%error, "the journal of spending cannot be read");
                    return Progress::Stuck;
                }
            }
            if self.batch.len() < BATCH {
                progress = Progress::Done;
            }
        }
        let mut batch = std::mem::take(&mut self.batch);
        let rest = batch.split_off(batch.len().min(self.size));
        let brought = self.bring(&self.shared.clone().journal.replica, &batch).await;
        self.resize(brought.is_ok());
        match brought {
            Ok(applied) => {
                let mut book = self.shared.book();
                applied.iter().for_each(|pot| book.applied(&pot.key, pot.cost_nanos, pot.covered_nanos));
            }
            Err(error) => {
                batch.extend(rest);
                self.batch = batch;
                self.away(&error);
                return Progress::Stuck;
            }
        }
        if !rest.is_empty() {
            self.batch = rest;
            return Progress::More;
        }
        while self.kept < self.reader.segment() {
            if let Err(error) = self.shared.journal.delete(self.kept) {
                tracing::warn!(%error, "a file of the journal of spending cannot be deleted");
            }
            self.kept += 1;
        }
        if progress == Progress::Done {
            self.flushes.drain(..).for_each(|done| _ = done.send(()));
        }
        progress
    }

    /// A database that is slow, or far away, does half of it in the time, or a half of that.
    fn resize(&mut self, done: bool) {
        self.size = if done { self.size * 2 } else { self.size / 2 }.clamp(1, BATCH);
    }

    /// Into the database, and tells of soft budgets. What the database will never take is put aside, so that the rest goes on.
    async fn bring(&mut self, replica: &str, entries: &[Entry]) -> Result<Vec<PotCharged>, StoreError> {
        let together = patiently!(self.applier.apply(replica, entries));
        let mut held = Vec::new();
        match together {
            Err(error) if is_about_data(&error) => {
                for entry in entries.chunks(1) {
                    match patiently!(self.applier.apply(replica, entry)) {
                        Ok(applied) => held.extend(self.tell(applied)),
                        Err(error) if is_about_data(&error) => put_aside(&self.settings.journal, entry, &error),
                        Err(error) => return Err(error),
                    }
                }
            }
            applied => held.extend(self.tell(applied?)),
        }
        Ok(held)
    }

    fn tell(&self, applied: Applied) -> Vec<PotCharged> {
        for alert in applied.alerts {
            let (kind, id, model) = (alert.key.kind.word(), &alert.key.id, &alert.key.model);
            let (window, soft) = (alert.key.window.word(), dollars(alert.soft_nanos));
            tracing::warn!(kind, %id, %model, window, "the soft budget of ${soft} is spent");
            // Nobody may be listening.
            let _ = self.shared.alerts.send(alert);
        }
        applied.held
    }

    /// A batch of a journal that a dead process left, as if it had lived; at its end what it had open is settled at what was held.
    pub(super) async fn adopt(&mut self) {
        let Some((left, mut reader)) = self.left.take() else { return };
        match self.adopt_batch(&left, &mut reader).await {
            Ok(Progress::Done) => {
                if let Err(error) = left.remove() {
                    tracing::warn!(%error, folder = %left.folder.display(), "a journal of spending cannot be deleted");
                }
                tracing::info!(replica = left.replica, "spending that an earlier process left is in the ledger");
                // Perhaps there is another one.
                self.last.adopt = None;
            }
            Ok(Progress::More) => self.left = Some((left, reader)),
            // It stays, for another time.
            Ok(Progress::Stuck) => {}
            // From the beginning, another time: what is in the ledger already stays there once.
            Err(error) => {
                self.resize(false);
                self.away(&error);
            }
        }
    }

    async fn adopt_batch(&mut self, left: &Left, reader: &mut Reader) -> Result<Progress, StoreError> {
        let last = segments(&left.folder).map(|all| all.last().copied().unwrap_or(0));
        let entries = match last.and_then(|last| reader.read(self.size, last)) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(%error, folder = %left.folder.display(), "a journal of spending cannot be read");
                return Ok(Progress::Stuck);
            }
        };
        if !entries.is_empty() {
            self.bring(&left.replica, &entries).await?;
            self.resize(true);
            return Ok(Progress::More);
        }
        for entries in reader.interrupted().chunks(self.size) {
            self.bring(&left.replica, entries).await?;
        }
        patiently!(bank::give_back_all(&self.database, &left.replica))?;
        Ok(Progress::Done)
    }
}
