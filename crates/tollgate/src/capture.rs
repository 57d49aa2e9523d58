//! Captures: requests stored with their bodies, where the configuration says so. A thread of its own takes the secrets out and
//! writes; no request waits for it.

mod frames;
mod keys;
mod media;
pub mod redact;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use bytes::Bytes;
use tollgate_dialect::Dialect;
use tollgate_store::capture::{Answer, Body, Capture, Exchange, VERSION};
use tollgate_store::captures::Captures as Folder;
use tollgate_store::record::Record;

use crate::app::Live;
use crate::config::model::{Config, Deployment};
use crate::config::secret::Secret;
use media::Removed;
use redact::{REDACTED, Redactor};

/// Requests that may wait to be written, and their bytes; more are not captured.
const QUEUE: usize = 64;
const QUEUE_BYTES: usize = 128 << 20;

/// A request as it was, secrets and all: only ever in memory.
pub struct Taken {
    /// The configuration that the request had.
    pub live: Arc<Live>,
    /// Keys that came with the request.
    pub keys: Vec<Secret>,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub exchanges: Vec<TakenExchange>,
    pub record: Record,
}

pub struct TakenExchange {
    pub dialect: Dialect,
    pub body: Bytes,
    pub answer: Option<TakenAnswer>,
}

#[derive(Clone, Default)]
pub struct TakenAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub raw: Vec<u8>,
    pub left_out_bytes: u64,
    pub broke_off: bool,
}

impl Taken {
    fn bytes(&self) -> usize {
        let answer = |answer: &TakenAnswer| answer.raw.len();
        let exchange = |e: &TakenExchange| e.body.len() + e.answer.as_ref().map_or(0, answer);
        self.body.len() + self.exchanges.iter().map(exchange).sum::<usize>()
    }
}

/// Where captures go.
pub struct Captures {
    target: Target,
    /// From the first capture on.
    writer: OnceLock<Option<Writer>>,
    waiting_bytes: Arc<AtomicUsize>,
}

#[derive(Clone)]
enum Target {
    Nowhere,
    Folder(Box<Path>),
    /// To someone in this process, who wants each one.
    Handed(Sender<Capture>),
}

struct Writer {
    queue: SyncSender<Taken>,
    thread: JoinHandle<()>,
}

impl Captures {
    /// `data_dir`: in whose folder they are kept; `None`: there is no such place.
    pub fn new(data_dir: Option<&Path>) -> Captures {
        Captures::to(data_dir.map_or(Target::Nowhere, |dir| Target::Folder(dir.into())))
    }

    /// Every capture goes to the receiver, and none to a disk.
    pub fn handed_to(sender: Sender<Capture>) -> Captures {
        Captures::to(Target::Handed(sender))
    }

    fn to(target: Target) -> Captures {
        Captures { target, writer: OnceLock::new(), waiting_bytes: Arc::default() }
    }

    /// Takes a request that is over. Where it would have to wait, it is not captured.
    pub fn take(&self, taken: Taken) {
        let Some(writer) = self.writer.get_or_init(|| self.start()) else { return };
        let (id, bytes) = (taken.record.id.clone(), taken.bytes());
        if self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > QUEUE_BYTES {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            tracing::warn!(request_id = %id, bytes, "not captured: too much waits to be written");
            return;
        }
        if writer.queue.try_send(taken).is_err() {
            self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            tracing::warn!(request_id = %id, "not captured: too many wait to be written");
        }
    }

    fn start(&self) -> Option<Writer> {
        let keep: Box<dyn FnMut(Capture, u64) + Send> = match self.target.clone() {
            Target::Nowhere => {
                tracing::warn!("nothing is captured: there is no data directory; name one with --data-dir");
                return None;
            }
            Target::Folder(dir) => {
                let mut folder = Folder::of_data_dir(&dir);
                tracing::info!(folder = %folder.folder().display(), "bodies of requests are captured");
                Box::new(move |capture, most| {
                    if let Err(error) = folder.keep(&capture, most) {
                        tracing::warn!(request_id = %capture.record.id, %error, "not captured");
                    }
                })
            }
            // Whoever wanted it may have gone.
            Target::Handed(sender) => Box::new(move |capture, _| drop(sender.send(capture))),
        };
        let (queue, taken) = sync_channel(QUEUE);
        let waiting = self.waiting_bytes.clone();
        let run = move || write(&taken, &waiting, keep);
        match std::thread::Builder::new().name("captures".into()).spawn(run) {
            Ok(thread) => Some(Writer { queue, thread }),
            Err(error) => {
                tracing::warn!(%error, "nothing is captured: no thread can be had");
                None
            }
        }
    }
}

/// What waits is written before the process ends.
impl Drop for Captures {
    fn drop(&mut self) {
        if let Some(Some(Writer { queue, thread })) = self.writer.take() {
            drop(queue);
            let _ = thread.join();
        }
    }
}

fn write(queue: &Receiver<Taken>, waiting: &AtomicUsize, mut keep: impl FnMut(Capture, u64)) {
    while let Ok(taken) = queue.recv() {
        let bytes = taken.bytes();
        let most = taken.live.config.settings.capture.as_ref().map_or(0, |rules| rules.max_bytes);
        let id = taken.record.id.clone();
        match without_secrets(taken) {
            Some(capture) => keep(capture, most),
            None => tracing::warn!(request_id = %id, "not captured: it cannot be written as JSON"),
        }
        waiting.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Makes what may be stored.
fn without_secrets(taken: Taken) -> Option<Capture> {
    let redactor = Redactor::new(secrets(&taken.live.config).chain(taken.keys.iter().map(|key| key.expose().into())));
    let Taken { headers, body, exchanges, mut record, .. } = taken;
    let mut removed = Removed::default();
    let body = without_media(&body, &mut removed);
    let attempts = std::mem::take(&mut record.attempts);
    let exchanges = exchanges.into_iter().zip(attempts).map(|(taken, attempt)| Exchange {
        attempt,
        dialect: taken.dialect.name().into(),
        // Its media are the client's.
        body: Body::new(&without_media(&taken.body, &mut Removed::default())),
        answer: taken.answer.map(|answer| answer_without_secrets(answer, &redactor)),
    });
    let capture = Capture {
        version: VERSION,
        record,
        notes: Vec::new(),
        headers,
        body: Body::new(&body),
        exchanges: exchanges.collect(),
    };
    // Every text of the capture, whatever it is, so that none can be forgotten.
    let before = serde_json::to_string(&capture).ok()?;
    let after = redactor.json(&before);
    let mut capture: Capture = serde_json::from_str(&after).ok()?;
    capture.notes.extend(removed.note());
    if after.contains(REDACTED) {
        capture.notes.push(format!("keys were replaced by {REDACTED}"));
    }
    Some(capture)
}

fn without_media(body: &[u8], removed: &mut Removed) -> String {
    let text = String::from_utf8_lossy(body);
    media::replace(&text, removed).unwrap_or_else(|| text.into_owned())
}

fn answer_without_secrets(taken: TakenAnswer, redactor: &Redactor) -> Answer {
    let raw = match frames::of_event_stream(&taken.raw) {
        Some(events) => events.into(),
        None => String::from_utf8_lossy(&taken.raw),
    };
    let raw = match raw.trim_start().as_bytes().first() {
        Some(b'{' | b'[') => redactor.json(&without_media(raw.as_bytes(), &mut Removed::default())),
        _ => frames::redact(&raw, redactor),
    };
    let TakenAnswer { status, headers, left_out_bytes, broke_off, .. } = taken;
    Answer { status, headers, raw, left_out_bytes, broke_off }
}

/// All that the configuration holds and nobody may read.
fn secrets(config: &Config) -> impl Iterator<Item = String> {
    let master = config.master_key.iter().map(|key| key.expose().to_string());
    let of_deployments = config.deployments.iter().flat_map(Deployment::secrets).map(str::to_string);
    let named_so = |name: &str| {
        let name = name.to_uppercase();
        ["KEY", "SECRET", "TOKEN", "PASSWORD"].iter().any(|word| name.contains(word))
    };
    let variables = config.environment.iter().filter(move |(name, _)| named_so(name));
    master.chain(of_deployments).chain(variables.map(|(_, value)| value.expose().to_string()))
}
