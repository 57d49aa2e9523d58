//! Logs and metrics. Lines are formatted where they arise and written by a thread of their own: no request waits for a log write.

mod json;
pub mod metrics;
mod queue;

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::time::SystemTime;

use queue::Queue;

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
    if BEGUN.load(Ordering::Relaxed) {
        QUEUE.flush();
    }
}

static QUEUE: Queue = Queue::new();
static BEGUN: AtomicBool = AtomicBool::new(false);

fn begin<W: Write + Send + 'static>(filter: EnvFilter, to: W, json: bool) {
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Lines).with_target(false);
    let builder = builder.with_timer(SystemTime);
    let begun = if json { builder.event_format(json::Lines).try_init() } else { builder.try_init() };
    // A second start in one process (tests, `demo`) keeps the first.
    if begun.is_ok() {
        BEGUN.store(true, Ordering::Relaxed);
        std::thread::spawn(|| QUEUE.write_to(to));
    }
}

struct Lines;

impl MakeWriter<'_> for Lines {
    type Writer = Line;

    fn make_writer(&self) -> Line {
        Line
    }
}

/// Takes a line whole, as the library hands it over.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        QUEUE.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
