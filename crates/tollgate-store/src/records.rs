//! The records of requests: those under way, the latest in memory, and more of them in two files.
//!
//! Files are written by a thread of their own, so that no request waits for a disk. When one is full it replaces the older
//! one: there is never more than twice [`MAX_FILE_BYTES`] on disk.

use std::collections::{HashMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::record::Record;

#[cfg(test)]
mod tests;

/// Bytes of records that are kept in memory.
const MAX_MEMORY_BYTES: usize = 8 << 20;
const MAX_FILE_BYTES: u64 = 16 << 20;
/// Records that may wait to be written; more are only kept in memory.
const QUEUE: usize = 4096;

/// So long records are gathered for one write.
const GATHER: Duration = Duration::from_millis(50);

const CURRENT: &str = "records.jsonl";
const OLDER: &str = "records.older.jsonl";

/// A request under way, as its owner changes it.
pub type Shared = Arc<Mutex<Record>>;

pub struct Records {
    under_way: [Mutex<HashMap<String, Shared>>; SHARDS],
    latest: Mutex<Latest>,
    file: Option<Written>,
}

/// The way to the files.
struct Written {
    folder: PathBuf,
    /// `None`: nothing more is written.
    queue: Option<SyncSender<Arc<Record>>>,
    writer: Option<JoinHandle<()>>,
}

const SHARDS: usize = 16;

#[derive(Default)]
struct Latest {
    records: VecDeque<(Arc<Record>, usize)>,
    bytes: usize,
}

impl Records {
    /// `folder`: where files are kept; `None`: nowhere.
    pub fn open(folder: Option<&Path>) -> io::Result<Records> {
        let file = match folder {
            Some(folder) => {
                let writer = Writer::open(folder, MAX_FILE_BYTES)?;
                let (to_writer, queue) = sync_channel(QUEUE);
                let writer = std::thread::Builder::new().name("records".into()).spawn(move || writer.run(&queue))?;
                Some(Written { folder: folder.to_path_buf(), queue: Some(to_writer), writer: Some(writer) })
            }
            None => None,
        };
        Ok(Records { under_way: Default::default(), latest: Mutex::default(), file })
    }

    fn shard(&self, id: &str) -> MutexGuard<'_, HashMap<String, Shared>> {
        // The end of an id is its random part.
        let byte = id.bytes().last().unwrap_or(0);
        lock(&self.under_way[usize::from(byte) % SHARDS])
    }

    pub fn begin(&self, record: Record) -> Shared {
        let id = record.id.clone();
        let shared = Arc::new(Mutex::new(record));
        self.shard(&id).insert(id, shared.clone());
        shared
    }

    /// The request is over: its record is kept.
    pub fn end(&self, record: Shared) {
        let id = lock(&record).id.clone();
        self.shard(&id).remove(&id);
        // Copied only where somebody looks at it.
        let record = match Arc::try_unwrap(record) {
            Ok(record) => record.into_inner().unwrap_or_else(PoisonError::into_inner),
            Err(shared) => lock(&shared).clone(),
        };
        let record = Arc::new(record);
        lock(&self.latest).push(record.clone());
        if let Some(queue) = self.file.as_ref().and_then(|file| file.queue.as_ref()) {
            // A queue that is full is behind a disk that hangs: the record is still in memory.
            let _ = queue.try_send(record);
        }
    }

    /// Not worth keeping.
    pub fn forget(&self, id: &str) {
        self.shard(id).remove(id);
    }

    /// A request under way or finished. Reads files: not for a thread that serves requests.
    pub fn find(&self, id: &str) -> Option<Record> {
        let under_way = self.shard(id).get(id).cloned();
        if let Some(shared) = under_way {
            return Some(lock(&shared).clone());
        }
        if let Some(record) = lock(&self.latest).records.iter().rev().find(|(r, _)| r.id == id).map(|(r, _)| r.clone())
        {
            return Some((*record).clone());
        }
        find_in_files(&self.file.as_ref()?.folder, id).ok().flatten()
    }

    /// The latest requests for which `wanted` holds, newest first, those under way before the others.
    pub fn latest(&self, most: usize, wanted: impl Fn(&Record) -> bool) -> Vec<Record> {
        let mut under_way: Vec<Record> = Vec::new();
        for shard in &self.under_way {
            let all: Vec<Shared> = lock(shard).values().cloned().collect();
            under_way.extend(all.iter().map(|shared| lock(shared).clone()).filter(|record| wanted(record)));
        }
        under_way.sort_by_key(|record| std::cmp::Reverse(record.began_at_ms));
        let finished = lock(&self.latest);
        let finished = finished.records.iter().rev().map(|(record, _)| record).filter(|record| wanted(record));
        let room = most.saturating_sub(under_way.len());
        under_way.truncate(most);
        under_way.extend(finished.take(room).map(|record| (**record).clone()));
        under_way
    }
}

impl Drop for Written {
    /// What came last is written before the process ends.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(writer) = self.writer.take() {
            writer.thread().unpark();
            let _ = writer.join();
        }
    }
}

/// Looks for a record in the files of a data directory, without a running gateway.
pub fn find_in_files(folder: &Path, id: &str) -> io::Result<Option<Record>> {
    let needle = format!("\"id\":\"{id}\"");
    let mut found = None;
    for name in [OLDER, CURRENT] {
        let file = match File::open(folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in BufReader::new(file).lines() {
            let line = line?;
            // A line that was cut by a crash is no record.
            if line.contains(&needle)
                && let Ok(record) = serde_json::from_str::<Record>(&line)
                && record.id == id
            {
                found = Some(record);
            }
        }
    }
    Ok(found)
}

impl Latest {
    fn push(&mut self, record: Arc<Record>) {
        let bytes = size(&record);
        self.bytes += bytes;
        self.records.push_back((record, bytes));
        while self.bytes > MAX_MEMORY_BYTES {
            let Some((_, bytes)) = self.records.pop_front() else { break };
            self.bytes -= bytes;
        }
    }
}

/// About what a record takes in memory.
fn size(record: &Record) -> usize {
    let attempt = |a: &crate::record::Attempt| 400 + a.url.len() + a.failure.as_ref().map_or(0, |f| f.words.len());
    let route = |r: &crate::record::RouteTaken| 100 + 200 * r.candidates.len();
    800 + record.attempts.iter().map(attempt).sum::<usize>()
        + record.routes.iter().map(route).sum::<usize>()
        + record.error.as_ref().map_or(0, String::len)
}

struct Writer {
    folder: PathBuf,
    file: File,
    written: u64,
    most: u64,
}

impl Writer {
    fn open(folder: &Path, most: u64) -> io::Result<Writer> {
        let file = append(&folder.join(CURRENT))?;
        let written = file.metadata()?.len();
        Ok(Writer { folder: folder.to_path_buf(), file, written, most })
    }

    /// What comes within a short time is written at once: a thread that wakes for every request would cost more than the rest of
    /// its record.
    fn run(mut self, queue: &Receiver<Arc<Record>>) {
        let mut batch = Vec::new();
        while let Ok(first) = queue.recv() {
            for record in std::iter::once(first).chain(queue.try_iter()) {
                if serde_json::to_writer(&mut batch, &*record).is_ok() {
                    batch.push(b'\n');
                }
            }
            // A full disk must not end the gateway; what cannot be written is still in memory.
            let _ = self.write(&batch);
            batch.clear();
            std::thread::park_timeout(GATHER);
        }
    }

    fn write(&mut self, batch: &[u8]) -> io::Result<()> {
        if self.written > 0 && self.written + batch.len() as u64 > self.most {
            std::fs::rename(self.folder.join(CURRENT), self.folder.join(OLDER))?;
            self.file = append(&self.folder.join(CURRENT))?;
            self.written = 0;
        }
        self.file.write_all(batch)?;
        self.written += batch.len() as u64;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
