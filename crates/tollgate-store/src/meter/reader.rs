//! Reads a journal from its beginning, and follows it while it grows. What is read here is what goes into the database; there is
//! no other way, after a crash or without one.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::journal::{segment_path, segments};
use super::line::Line;
use crate::ledger::{Begun, Charge, Entry, Status};

pub struct Reader {
    folder: PathBuf,
    segment: u32,
    file: Option<BufReader<File>>,
    /// Bytes of the segment that are read, whole lines only.
    length: u64,
    /// The beginning of a line whose end is not written yet.
    line: Vec<u8>,
    open: HashMap<String, (Begun, u64)>,
}

impl Reader {
    pub fn new(folder: &Path) -> Reader {
        let segment = segments(folder).ok().and_then(|all| all.first().copied()).unwrap_or(1);
        Reader { folder: folder.to_path_buf(), segment, file: None, length: 0, line: Vec::new(), open: HashMap::new() }
    }

    /// The segment that is being read: those before it are read to their end.
    pub fn segment(&self) -> u32 {
        self.segment
    }

    /// The next requests that ended, `most` of them, up to the end of segment `last`.
    pub fn read(&mut self, most: usize, last: u32) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        while entries.len() < most {
            if self.file.is_none() {
                self.file = Some(BufReader::new(File::open(segment_path(&self.folder, self.segment))?));
            }
            let Some(file) = &mut self.file else { break };
            file.read_until(b'\n', &mut self.line)?;
            if self.line.pop_if(|end| *end == b'\n').is_some() {
                let mut line = std::mem::take(&mut self.line);
                self.length += line.len() as u64 + 1;
                entries.extend(self.take(&line));
                line.clear();
                self.line = line;
            } else if self.segment < last {
                // Cut short for ever.
                self.line.clear();
                (self.file, self.segment, self.length) = (None, self.segment + 1, 0);
            } else {
                break;
            }
        }
        Ok(entries)
    }

    /// Segment, and bytes of it.
    pub fn position(&self) -> (u32, u64) {
        (self.segment, self.length)
    }

    /// What was begun and never ended, of a process that is dead: it is taken to have cost what was held for it.
    pub fn interrupted(&mut self) -> Vec<Entry> {
        let open = std::mem::take(&mut self.open).into_values();
        let interrupted =
            |cost_nanos| Charge { cost_nanos, estimated: true, status: Status::Interrupted, ..Charge::default() };
        open.map(|(begun, nanos)| Entry { begun, charge: interrupted(nanos) }).collect()
    }

    fn take(&mut self, line: &[u8]) -> Option<Entry> {
        match Line::read(line) {
            Some(Line::Hold { begun, nanos }) => {
                self.open.insert(begun.charge.clone(), (begun, nanos));
                None
            }
            Some(Line::Settle { charge, of }) => {
                let (begun, _) = self.open.remove(&charge)?;
                Some(Entry { begun, charge: of })
            }
            Some(Line::Release { charge }) => {
                self.open.remove(&charge);
                None
            }
            Some(Line::Free { begun, of }) => Some(Entry { begun, charge: of }),
            None => {
                if !line.is_empty() {
                    tracing::warn!(
                        segment = self.segment,
                        "a line of the journal of spending was cut short and is skipped"
                    );
                }
                None
            }
        }
    }
}
