//! Logs and metrics. Lines are formatted where they arise and written by a thread of their own: no request waits for a log write.

mod json;
pub mod metrics;
mod queue;

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::panic::{Location, PanicHookInfo};
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
        std::panic::set_hook(Box::new(tell_panic));
    }
}

/// A line for a panic: where it was and how it came there, and of its message only what stands in the program.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let at = panic.location().map(Location::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = match backtrace.status() {
        BacktraceStatus::Captured => backtrace.to_string(),
        _ => String::new(),
    };
    let (message, thread) = (written(panic.payload()), std::thread::current());
    tracing::error!(%at, error = message, backtrace, "a bug: what was being done ends here; please report this line");
    if thread.name() == Some("main") {
        flush();
    }
}

/// A message that was put together may quote anybody's text: a slice in the middle of a character does.
fn written(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(put together, and so not shown)")
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

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::written;

    #[test]
    fn of_a_panics_message_only_what_stands_in_the_program_is_told() {
        let told = |panics: fn()| written(&*catch_unwind(panics).unwrap_err());
        assert_eq!(told(|| panic!("the queue is gone")), "the queue is gone");
        assert_eq!(
            told(|| _ = std::hint::black_box(None::<u8>).unwrap()),
            "called `Option::unwrap()` on a `None` value"
        );
        // Its message quotes the text.
        assert_eq!(told(|| _ = &"a prompt that nobody is to see: é"[..33]), "(put together, and so not shown)");
        assert_eq!(told(|| panic!("{}", String::from("prompt"))), "(put together, and so not shown)");
    }
}
