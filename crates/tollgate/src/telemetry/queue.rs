//! Lines on their way to the thread that writes them.

use std::io::Write;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

struct Waiting {
    lines: Vec<u8>,
    /// To be told when these lines are written.
    flushes: Vec<Sender<()>>,
    /// The writer sleeps until it is woken.
    idle: bool,
}

/// After each write the writer rests, so that a busy gateway does not wake it for every line.
const REST: Duration = Duration::from_millis(10);
/// Room that is kept for the next lines.
const ROOM: usize = 64 << 10;
const LONGEST_FLUSH: Duration = Duration::from_secs(2);

impl Queue {
    pub const fn new() -> Queue {
        let waiting = Waiting { lines: Vec::new(), flushes: Vec::new(), idle: false };
        Queue { waiting: Mutex::new(waiting), wake: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        waiting.lines.extend_from_slice(line);
        if std::mem::take(&mut waiting.idle) {
            drop(waiting);
            self.wake.notify_one();
        }
    }

    /// Waits until the lines so far are written, for a limited time.
    pub fn flush(&self) {
        let (written, done) = channel();
        self.lock().flushes.push(written);
        self.wake.notify_one();
        let _ = done.recv_timeout(LONGEST_FLUSH);
    }

    /// Writes lines for good; what has come together is written at once.
    pub fn write_to(&self, mut to: impl Write) -> ! {
        let mut batch = Vec::new();
        loop {
            let flushes = self.next(&mut batch);
            // A log that cannot be written must not end the gateway.
            let _ = to.write_all(&batch).and_then(|()| to.flush());
            batch.clear();
            batch.shrink_to(ROOM);
            for written in flushes {
                let _ = written.send(());
            }
            let rest = self.wake.wait_timeout_while(self.lock(), REST, |waiting| waiting.flushes.is_empty());
            drop(rest);
        }
    }

    fn next(&self, batch: &mut Vec<u8>) -> Vec<Sender<()>> {
        let mut waiting = self.lock();
        while waiting.lines.is_empty() && waiting.flushes.is_empty() {
            waiting.idle = true;
            waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.idle = false;
        std::mem::swap(&mut waiting.lines, batch);
        std::mem::take(&mut waiting.flushes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Memory(std::sync::Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_of_many_threads_come_out_whole_and_none_is_lost() {
        static QUEUE: Queue = Queue::new();
        let memory = Memory::default();
        let to = memory.clone();
        std::thread::spawn(|| QUEUE.write_to(to));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                scope.spawn(move || {
                    for line in 0..1000 {
                        QUEUE.push(format!("{thread} {line}\n").as_bytes());
                    }
                    QUEUE.flush();
                });
            }
        });
        let written = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        for thread in 0..4 {
            let own: Vec<&str> = written.lines().filter(|line| line.starts_with(&thread.to_string())).collect();
            let expected: Vec<String> = (0..1000).map(|line| format!("{thread} {line}")).collect();
            assert_eq!(own, expected);
        }
    }
}
