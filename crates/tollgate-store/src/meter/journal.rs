//! The journal on disk: everything that costs money is in a file of this process before it is anywhere else.
//!
//! A process has a folder of its own, `journal/<replica>`, with segments `000001.log`, `000002.log` … and a lock file. A line is one
//! `write` into the page cache: it survives the process at once, and the machine after the next `sync`. A segment that is in
//! the database is deleted; before that, holds without an end were written into a later one. A folder whose lock is free was left by a
//! process that died: whoever finds it brings it to an end.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::line::Line;
use crate::database::StoreError;
use crate::ledger::{Begun, Entry};

/// Large enough that few are made, small enough that applying one again after a crash is quick.
const SEGMENT_BYTES: u64 = 4 << 20;
const LOCK: &str = "lock";

pub struct Journal {
    pub replica: String,
    folder: PathBuf,
    most_bytes: u64,
    inner: Mutex<Inner>,
    _lock: File,
}

struct Inner {
    file: File,
    segment: u32,
    /// Bytes in the present segment, and in all that still exist.
    length: u64,
    total: u64,
    /// The last write was cut short.
    torn: bool,
    /// Lines that could not be written, to be tried again.
    unwritten: Vec<u8>,
    /// Lines of holds without an end.
    open: HashMap<String, Vec<u8>>,
    closed: bool,
}

/// Why a request that costs money cannot be put down.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the journal of spending is full: the database was away for too long")]
    Full,
    #[error("the gateway is ending")]
    Closed,
    #[error("the journal of spending cannot be written: {0}")]
    Io(#[from] io::Error),
    #[error("a line of the journal of spending cannot be made: {0}")]
    Line(#[from] serde_json::Error),
}

impl Journal {
    /// `most_bytes`: when so much could not be brought to the database, nothing more that costs money is taken on.
    pub fn create(root: &Path, most_bytes: u64) -> io::Result<Journal> {
        let replica = format!("{:016x}", RandomState::new().hash_one(0));
        // Under another name until it is locked, so that nobody takes it for one that was left.
        let (making, folder) = (root.join(format!("new-{replica}")), root.join(&replica));
        std::fs::create_dir_all(&making)?;
        let lock = File::create(making.join(LOCK))?;
        lock.try_lock()?;
        std::fs::rename(&making, &folder)?;
        let file = append(&segment_path(&folder, 1))?;
        let inner = Inner {
            file,
            segment: 1,
            length: 0,
            total: 0,
            torn: false,
            unwritten: Vec::new(),
            open: HashMap::new(),
            closed: false,
        };
        Ok(Journal { replica, folder, most_bytes, inner: Mutex::new(inner), _lock: lock })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A request may cost money from here on.
    pub fn hold(&self, begun: &Begun, nanos: u64) -> Result<(), JournalError> {
        let line = Line::hold(begun, nanos)?;
        let mut inner = self.lock();
        if inner.closed {
            return Err(JournalError::Closed);
        }
        if inner.total + inner.unwritten.len() as u64 > self.most_bytes {
            return Err(JournalError::Full);
        }
        inner.retry()?;
        inner.write(&line)?;
        inner.open.insert(begun.charge.clone(), line);
        Ok(())
    }

    /// It ended, or was free. A disk that is full loses nothing as long as the process lives: the line is tried again.
    pub fn end(&self, charge: &str, line: &Line) {
        let line = match line.write() {
            Ok(line) => line,
            Err(error) => return tracing::error!(%error, charge, "a charge cannot be put down"),
        };
        let mut inner = self.lock();
        inner.open.remove(charge);
        if let Err(error) = inner.retry().and_then(|()| inner.write(&line)) {
            tracing::error!(%error, "the journal of spending cannot be written; it is tried again");
            inner.unwritten.extend_from_slice(&line);
        }
    }

    /// Begins a new segment when the present one is long. Holds without an end go into it, so that older ones are not needed.
    pub fn rotate(&self) -> io::Result<()> {
        let mut inner = self.lock();
        inner.retry()?;
        if inner.length < SEGMENT_BYTES {
            return Ok(());
        }
        let segment = inner.segment + 1;
        let path = segment_path(&self.folder, segment);
        let mut file = append(&path)?;
        let held: Vec<u8> = inner.open.values().flatten().copied().collect();
        file.write_all(&held).inspect_err(|_| _ = std::fs::remove_file(&path))?;
        (inner.file, inner.segment, inner.length) = (file, segment, held.len() as u64);
        inner.total += held.len() as u64;
        Ok(())
    }

    /// The segment that is written to, and how long it is.
    pub fn present(&self) -> (u32, u64) {
        let inner = self.lock();
        (inner.segment, inner.length)
    }

    /// Bytes of all segments that are still there.
    pub fn total(&self) -> u64 {
        self.lock().total
    }

    /// A file to be synced to disk.
    pub fn file(&self) -> io::Result<File> {
        self.lock().file.try_clone()
    }

    pub fn delete(&self, segment: u32) -> io::Result<()> {
        let path = segment_path(&self.folder, segment);
        let length = std::fs::metadata(&path)?.len();
        std::fs::remove_file(path)?;
        let mut inner = self.lock();
        inner.total = inner.total.saturating_sub(length);
        Ok(())
    }

    /// Takes nothing more, if it was read to its end and nothing is open.
    pub fn seal(&self, read: (u32, u64)) -> bool {
        let mut inner = self.lock();
        inner.closed = inner.open.is_empty() && inner.unwritten.is_empty() && read == (inner.segment, inner.length);
        inner.closed
    }

    /// After it was sealed.
    pub fn remove(&self) -> io::Result<()> {
        remove(&self.folder)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.torn {
            // What was cut short becomes a line of its own, which is skipped.
            self.file.write_all(b"\n")?;
            (self.torn, self.length, self.total) = (false, self.length + 1, self.total + 1);
        }
        let result = self.file.write_all(bytes);
        if result.is_err() {
            self.torn = true;
            let length = self.file.metadata().map_or(self.length, |data| data.len());
            (self.total, self.length) = (self.total + (length - self.length), length);
            return result;
        }
        (self.length, self.total) = (self.length + bytes.len() as u64, self.total + bytes.len() as u64);
        Ok(())
    }

    fn retry(&mut self) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        let lines = std::mem::take(&mut self.unwritten);
        let result = self.write(&lines);
        if result.is_err() {
            self.unwritten = lines;
        }
        result
    }
}

/// A folder that a process left when it died. Nobody else has it while this lives.
pub struct Left {
    pub replica: String,
    pub folder: PathBuf,
    _lock: File,
}

impl Left {
    pub fn find(root: &Path) -> Vec<Left> {
        let Ok(folders) = std::fs::read_dir(root) else { return Vec::new() };
        folders.flatten().filter_map(|folder| Left::take(folder.path())).collect()
    }

    fn take(folder: PathBuf) -> Option<Left> {
        let replica = folder.file_name()?.to_str().filter(|name| !name.starts_with("new-"))?.to_string();
        let lock = File::open(folder.join(LOCK)).ok()?;
        lock.try_lock().ok()?;
        // Somebody who had it before may have brought it to an end.
        folder.join(LOCK).exists().then_some(Left { replica, folder, _lock: lock })
    }

    pub fn remove(&self) -> io::Result<()> {
        remove(&self.folder)
    }
}

/// Keeps what the database refuses for what it is, for somebody to look at.
pub fn put_aside(root: &Path, entries: &[Entry], error: &StoreError) {
    for Entry { begun, charge } in entries {
        tracing::error!(%error, charge = begun.charge, "the ledger refuses a charge; it is put aside in refused.log");
        let line = Line::Free { begun: begun.clone(), of: charge.clone() };
        let written = line.write().map_err(io::Error::other);
        let kept = written.and_then(|line| append(&root.join("refused.log"))?.write_all(&line));
        if let Err(error) = kept {
            tracing::error!(%error, ?line, "it could not be put aside either");
        }
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    for segment in segments(folder)? {
        std::fs::remove_file(segment_path(folder, segment))?;
    }
    std::fs::remove_file(folder.join(LOCK))?;
    std::fs::remove_dir(folder)
}

/// The segments that are there, in order.
pub fn segments(folder: &Path) -> io::Result<Vec<u32>> {
    let number = |path: PathBuf| path.file_stem()?.to_str()?.parse().ok();
    let files = std::fs::read_dir(folder)?.flatten().map(|file| file.path());
    let mut segments: Vec<u32> =
        files.filter(|path| path.extension().is_some_and(|e| e == "log")).filter_map(number).collect();
    segments.sort_unstable();
    Ok(segments)
}

pub fn segment_path(folder: &Path, segment: u32) -> PathBuf {
    folder.join(format!("{segment:06}.log"))
}

fn append(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
