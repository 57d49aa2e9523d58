//! Logs. Lines are formatted where they arise and written by a thread of their own: no request waits for a log write.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::time::SystemTime;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Warnings and errors.
    Quiet,
    #[default]
    Normal,
    Detailed,
}

/// Lines for people on a terminal, JSON elsewhere. `filter` (TOLLGATE_LOG) overrides the level.
pub fn start(level: Level, filter: Option<&str>) {
    let default = match level {
        Level::Quiet => "warn",
        Level::Normal => "info,hyper=warn,rustls=warn",
        Level::Detailed => "debug,hyper=info,rustls=info",
    };
    let filter = filter.and_then(|f| EnvFilter::try_new(f).ok()).unwrap_or_else(|| EnvFilter::new(default));
    begin(filter, io::stderr(), !io::stderr().is_terminal());
}

/// Logs to a file, for commands whose terminal belongs to another program. Without a file nothing is logged.
pub fn start_file(file: Option<&Path>) {
    let Some(file) = file else { return };
    let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
    if let Ok(opened) = folder.and_then(|()| OpenOptions::new().create(true).append(true).open(file)) {
        begin::<File>(EnvFilter::new("info,hyper=warn,rustls=warn"), opened, true);
    }
}

/// Waits until the lines so far are written. For the end of the program.
pub fn flush() {
    let Some(lines) = LINES.get() else { return };
    let (written, done) = channel();
    if lines.0.lock().unwrap_or_else(PoisonError::into_inner).send(Entry::Flush(written)).is_ok() {
        let _ = done.recv_timeout(Duration::from_secs(2));
    }
}

static LINES: OnceLock<Lines> = OnceLock::new();

struct Lines(Mutex<Sender<Entry>>);

enum Entry {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

fn begin<W: Write + Send + 'static>(filter: EnvFilter, to: W, json: bool) {
    let (sender, receiver) = channel();
    // A second start in one process (tests, `demo`) keeps the first.
    if LINES.set(Lines(Mutex::new(sender))).is_err() {
        return;
    }
    std::thread::spawn(move || write_lines(&receiver, to));
    let lines: &'static Lines = LINES.get().expect("was just set");
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(lines).with_timer(SystemTime).with_target(false);
    let _ = if json { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
}

/// What has come together is written at once.
fn write_lines(receiver: &Receiver<Entry>, mut to: impl Write) {
    let mut batch = Vec::new();
    while let Ok(first) = receiver.recv() {
        let mut waiting = Vec::new();
        for entry in std::iter::once(first).chain(receiver.try_iter()) {
            match entry {
                Entry::Line(line) => batch.extend_from_slice(&line),
                Entry::Flush(written) => waiting.push(written),
            }
        }
        // A log that cannot be written must not end the gateway.
        let _ = to.write_all(&batch).and_then(|()| to.flush());
        batch.clear();
        for written in waiting {
            let _ = written.send(());
        }
    }
}

impl<'a> MakeWriter<'a> for &'static Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Vec::with_capacity(512))
    }
}

/// One line while it is formatted; it is handed over when it is dropped.
pub struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(lines) = LINES.get() {
            let line = Entry::Line(std::mem::take(&mut self.0));
            let _ = lines.0.lock().unwrap_or_else(PoisonError::into_inner).send(line);
        }
    }
}
