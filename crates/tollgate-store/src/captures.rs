//! The folder of captures: one file a request, readable by its owner alone, the oldest removed when they are too many.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::capture::Capture;

#[cfg(test)]
mod tests;

/// Its name in the data directory.
pub const FOLDER: &str = "captures";
/// What an id begins with, and so the name of each file. What follows grows with time.
const PREFIX: &str = "req_";
const SUFFIX: &str = ".json";

pub struct Captures {
    folder: PathBuf,
    /// What the files take, as far as known; `None`: not looked yet.
    bytes: Option<u64>,
}

impl Captures {
    pub fn of_data_dir(dir: &Path) -> Captures {
        Captures { folder: dir.join(FOLDER), bytes: None }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Keeps a capture; the oldest make room, so that all files together stay below `most` bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::FileTooLarge`]: it alone is larger. Others: the disk's.
    pub fn keep(&mut self, capture: &Capture, most: u64) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(capture).map_err(io::Error::other)?;
        let size = text.len() as u64;
        if size > most {
            let why = format!("it takes {size} bytes, and all captures together may take {most}");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        create_private(&self.folder)?;
        let path = self.path(&capture.record.id).ok_or(io::ErrorKind::InvalidFilename)?;
        if self.bytes.is_none_or(|bytes| bytes + size > most) {
            self.bytes = Some(self.make_room(size, most)?);
        }
        let fresh = path.with_extension("json.new");
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&fresh)?.write_all(&text)?;
        fs::rename(&fresh, &path)?;
        self.bytes = self.bytes.map(|bytes| bytes + size);
        Ok(())
    }

    /// Removes the oldest files until `size` more bytes fit, and a tenth of everything, so that not every capture has to look.
    fn make_room(&self, size: u64, most: u64) -> io::Result<u64> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(PREFIX) {
                files.push((name, entry.metadata().map_or(0, |metadata| metadata.len())));
            }
        }
        files.sort();
        let mut bytes: u64 = files.iter().map(|(_, size)| size).sum();
        let target = if bytes + size > most { most - size.max(most / 10) } else { bytes };
        for (name, size) in files {
            if bytes <= target {
                break;
            }
            match fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => bytes -= size,
            }
        }
        Ok(bytes)
    }

    /// `None`: no id of a request.
    fn path(&self, id: &str) -> Option<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        (id.starts_with(PREFIX) && id.chars().all(plain)).then(|| self.folder.join(format!("{id}{SUFFIX}")))
    }

    /// The file of a request, if there is one.
    pub fn find(&self, id: &str) -> Option<PathBuf> {
        self.path(id).filter(|path| path.is_file())
    }

    /// The ids of all captures, oldest first.
    pub fn ids(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let ids = names.filter_map(|name| Some(name.strip_suffix(SUFFIX)?.to_string()));
        let mut ids: Vec<String> = ids.filter(|id| id.starts_with(PREFIX)).collect();
        ids.sort();
        ids
    }
}

/// A folder for its owner alone.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
