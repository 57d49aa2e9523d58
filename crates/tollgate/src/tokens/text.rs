//! Tokens of a text, in bounded time, each text counted once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{LazyLock, Mutex, Once, PoisonError};

use tollgate_dialect::json::Text;

use super::hash::Seed;
use super::pieces::Pieces;
use super::vocabulary::Vocabulary;

static PIECES: LazyLock<Pieces> = LazyLock::new(|| Pieces::new(Vocabulary::load()));

/// True once the vocabulary is loaded. Loading is 0.1 s of work and tens of megabytes, so it is done neither at start nor on a
/// thread that serves requests: the first to ask sets it off.
pub fn is_warm() -> bool {
    static ASKED: Once = Once::new();
    let warm = LazyLock::get(&PIECES).is_some();
    if !warm {
        ASKED.call_once(|| drop(std::thread::spawn(|| LazyLock::force(&PIECES))));
    }
    warm
}

pub(super) fn count_text(text: &Text<'_>) -> u64 {
    remembered(text.escaped(), 0, || count(&text.decode()))
}

pub(super) fn count_json(json: &str) -> u64 {
    remembered(json, 1, || count(json))
}

/// The count of a text if it is known or takes no time.
pub(super) fn known_text(text: &Text<'_>) -> Option<u64> {
    known(text.escaped(), 0).or_else(|| (text.escaped().len() < SMALL_BYTES).then(|| count(&text.decode())))
}

pub(super) fn known_json(json: &str) -> Option<u64> {
    known(json, 1).or_else(|| (json.len() < SMALL_BYTES).then(|| count(json)))
}

fn known(bytes: &str, domain: u64) -> Option<u64> {
    if bytes.len() < SMALL_BYTES { None } else { MEMO.get(MEMO.seed.key(bytes.as_bytes(), domain)) }
}

/// Texts below this are counted faster than they are looked up.
const SMALL_BYTES: usize = 64;

fn remembered(bytes: &str, domain: u64, count: impl FnOnce() -> u64) -> u64 {
    if bytes.len() < SMALL_BYTES {
        return count();
    }
    let key = MEMO.seed.key(bytes.as_bytes(), domain);
    if let Some(known) = MEMO.get(key) {
        return known;
    }
    let counted = count();
    MEMO.put(key, counted);
    counted
}

static MEMO: LazyLock<Memo> = LazyLock::new(|| Memo::new(4096));

const SHARDS: usize = 16;

/// Counts by the key of the text. In each shard a young generation fills up and then replaces the old one, so the memo is
/// bounded and texts in use stay.
struct Memo {
    seed: Seed,
    shards: [Mutex<Shard>; SHARDS],
    shard_entries: usize,
}

#[derive(Default)]
struct Shard {
    young: HashMap<u64, u64>,
    old: HashMap<u64, u64>,
}

impl Memo {
    fn new(shard_entries: usize) -> Memo {
        Memo { seed: Seed::random(), shards: Default::default(), shard_entries }
    }

    fn shard(&self, key: u64) -> std::sync::MutexGuard<'_, Shard> {
        let shard = &self.shards[(key >> 60) as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, key: u64) -> Option<u64> {
        let mut shard = self.shard(key);
        if let Some(count) = shard.young.get(&key) {
            return Some(*count);
        }
        let count = shard.old.remove(&key)?;
        shard.put(key, count, self.shard_entries);
        Some(count)
    }

    fn put(&self, key: u64, count: u64) {
        self.shard(key).put(key, count, self.shard_entries);
    }
}

impl Shard {
    fn put(&mut self, key: u64, count: u64, entries: usize) {
        if self.young.len() >= entries {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, count);
    }
}

/// Of a longer run of one class of characters (base64, spaces, a ruler of dashes) only this much is counted.
const RUN_BYTES: usize = 1 << 10;

fn count(text: &str) -> u64 {
    let mut tokens = 0;
    let mut plain = 0;
    for run in long_runs(text.as_bytes()) {
        tokens += PIECES.count(&text[plain..run.start]);
        let sample = PIECES.count(&text[run.start..run.start + RUN_BYTES]);
        tokens += (sample * run.len() as u64).div_ceil(RUN_BYTES as u64);
        plain = run.end;
    }
    tokens + PIECES.count(&text[plain..])
}

/// Runs of more than [`RUN_BYTES`] of white space, of letters and digits as in base64, or of other ASCII. Text beyond ASCII
/// is cheap to count.
///
/// A byte that far behind a run's begin tells whether it can be long, so ordinary text is hardly looked at.
fn long_runs(text: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        while let Some(probe) = text.get(start + RUN_BYTES) {
            let class = class(*probe);
            let is_other = |byte: &u8| self::class(*byte) != class;
            match text[start..start + RUN_BYTES].iter().rposition(is_other) {
                Some(before) => start += before + 1,
                None => {
                    let begin = start;
                    let rest = &text[begin + RUN_BYTES..];
                    start += RUN_BYTES + rest.iter().position(is_other).unwrap_or(rest.len());
                    if class != Class::Other {
                        return Some(begin..start);
                    }
                }
            }
        }
        None
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Blank,
    Word,
    Mark,
    Other,
}

fn class(byte: u8) -> Class {
    match byte {
        b' ' | b'\t' | b'\n' | b'\r' => Class::Blank,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'+' | b'/' | b'=' | b'_' => Class::Word,
        0x80.. => Class::Other,
        _ => Class::Mark,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memo_is_bounded_and_keeps_what_is_used() {
        let memo = Memo::new(8);
        let often = memo.seed.key(b"used all the time", 0);
        memo.put(often, 42);
        for n in 0u64..10_000 {
            memo.put(memo.seed.key(&n.to_le_bytes(), 0), n);
            assert_eq!(memo.get(often), Some(42));
        }
        let entries: usize = memo.shards.iter().map(|s| s.lock().unwrap()).map(|s| s.young.len() + s.old.len()).sum();
        assert!(entries <= 2 * 8 * SHARDS, "{entries}");
        assert_eq!(memo.get(memo.seed.key(&0u64.to_le_bytes(), 0)), None);
    }

    /// The count of the whole by OpenAI's algorithm as the library has it.
    fn reference(text: &str) -> u64 {
        tiktoken::get_encoding("o200k_base").unwrap().count(text) as u64
    }

    #[test]
    fn a_long_run_is_sampled_and_its_neighbours_are_counted() {
        let run = "ab12".repeat(20_000);
        let text = format!("Before it. {run} After it.");
        let (whole, sampled) = (reference(&text), count(&text));
        assert!(sampled.abs_diff(whole) * 50 <= whole, "{sampled} against {whole}");
        assert!(long_runs(text.as_bytes()).eq(std::iter::once(11..11 + run.len())));
    }

    #[test]
    fn long_runs_are_found_wherever_they_stand() {
        let blank = |n: usize| " ".repeat(n);
        let word = |n: usize| "x".repeat(n);
        let text = [word(1024), blank(1025), word(1023), blank(1), "é".repeat(2000), word(1030), blank(7)].concat();
        let runs: Vec<_> = long_runs(text.as_bytes()).collect();
        assert_eq!(runs, [1024..2049, 7073..8103]);
        assert_eq!(long_runs(word(1024).as_bytes()).count(), 0);
        assert!(long_runs(word(1025).as_bytes()).eq(std::iter::once(0..1025)));
    }

    #[test]
    fn text_without_borders_is_cut_between_characters() {
        for text in ["世".repeat(10_000), "🦀".repeat(10_000), format!("x{}", "é".repeat(10_000))] {
            let whole = reference(&text);
            assert!(count(&text).abs_diff(whole) * 100 <= whole);
        }
    }
}
