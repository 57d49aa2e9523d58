//! A closed-loop load generator: each connection sends its next request when the last answer is complete.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The key that the gateway takes.
pub const KEY: &str = "sk-bench";

pub struct Load {
    pub to: SocketAddr,
    pub path: &'static str,
    pub body: String,
    /// A text that a good answer holds.
    pub mark: &'static str,
    pub end: &'static str,
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    pub good: u64,
    pub bad: u64,
}

impl Load {
    /// One request, to see that the whole works; the error holds the answer.
    pub fn once(&self) -> Result<(), String> {
        self.timed(|| ()).map(drop)
    }

    /// The time that one request takes on an open connection; it is sent after `ready`.
    pub fn timed(&self, ready: impl FnOnce()) -> Result<Duration, String> {
        let request = self.request();
        let connection = Connection::open(self.to);
        ready();
        let start = Instant::now();
        let answer = connection.and_then(|mut open| open.exchange(&request)).map_err(|error| error.to_string())?;
        let time = start.elapsed();
        if self.is_good(&answer) { Ok(time) } else { Err(String::from_utf8_lossy(&answer).chars().take(600).collect()) }
    }

    pub fn run(&self, connections: usize, time: Duration) -> Outcome {
        let until = Instant::now() + time;
        self.work_at(connections, || Instant::now() < until)
    }

    /// So many requests altogether, however long they take.
    pub fn run_count(&self, connections: usize, requests: usize) -> Outcome {
        let begun = AtomicUsize::new(0);
        self.work_at(connections, || begun.fetch_add(1, Ordering::Relaxed) < requests)
    }

    fn work_at(&self, connections: usize, goes_on: impl Fn() -> bool + Sync) -> Outcome {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..connections).map(|_| scope.spawn(|| self.work(&goes_on))).collect();
            let outcomes = workers.into_iter().filter_map(|worker| worker.join().ok());
            outcomes.fold(Outcome::default(), |sum, one| Outcome { good: sum.good + one.good, bad: sum.bad + one.bad })
        })
    }

    fn work(&self, goes_on: impl Fn() -> bool) -> Outcome {
        let (request, mut outcome) = (self.request(), Outcome::default());
        let mut connection = None;
        while goes_on() {
            let open = match connection.take() {
                Some(open) => Ok(open),
                None => Connection::open(self.to),
            };
            let answer = open.and_then(|mut open| {
                let answer = open.exchange(&request)?;
                connection = Some(open);
                Ok(answer)
            });
            match answer {
                Ok(answer) if self.is_good(&answer) => outcome.good += 1,
                _ => outcome.bad += 1,
            }
        }
        outcome
    }

    fn request(&self) -> Vec<u8> {
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {KEY}\r\nanthropic-version: 2023-06-01\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.path,
            self.body.len()
        );
        [head.as_bytes(), self.body.as_bytes()].concat()
    }

    fn is_good(&self, answer: &[u8]) -> bool {
        let mark = self.mark.as_bytes();
        let end = answer.trim_ascii_end();
        answer.starts_with(b"HTTP/1.1 200")
            && end.ends_with(self.end.as_bytes())
            && answer.windows(mark.len()).any(|part| part == mark)
    }
}

/// A kept HTTP/1.1 connection, for the requests here and for those that the mock reads.
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Self::new(stream)
    }

    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::with_capacity(64 * 1024, stream)))
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)
    }

    fn exchange(&mut self, request: &[u8]) -> io::Result<Vec<u8>> {
        self.write(request)?;
        self.read_message()
    }

    /// The head and the body, without chunk lengths.
    pub fn read_message(&mut self) -> io::Result<Vec<u8>> {
        let (mut message, mut length, mut chunked) = (Vec::new(), 0, false);
        loop {
            let line = self.line()?;
            message.extend_from_slice(line.as_bytes());
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
            }
            chunked |= header == "transfer-encoding: chunked";
        }
        if !chunked {
            self.body(length, &mut message)?;
            return Ok(message);
        }
        loop {
            let size = usize::from_str_radix(self.line()?.trim_end(), 16).map_err(|_| io::ErrorKind::InvalidData)?;
            self.body(size, &mut message)?;
            self.line()?;
            if size == 0 {
                return Ok(message);
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(line),
        }
    }

    fn body(&mut self, length: usize, to: &mut Vec<u8>) -> io::Result<()> {
        let start = to.len();
        to.resize(start + length, 0);
        self.0.read_exact(&mut to[start..])
    }
}

#[cfg(test)]
mod tests;
