//! Tokens of a text, in bounded time, each text counted once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{LazyLock, Mutex, Once, OnceLock, PoisonError};

use tiktoken::CoreBpe;
use tollgate_dialect::json::Text;

static ENCODING: OnceLock<&'static CoreBpe> = OnceLock::new();

/// True once the vocabulary is loaded. Loading is 0.1 s of work and tens of megabytes, so it is done neither at start nor on a
/// thread that serves requests: the first to ask sets it off.
pub fn is_warm() -> bool {
    static ASKED: Once = Once::new();
    let warm = ENCODING.get().is_some();
    if !warm {
        ASKED.call_once(|| drop(std::thread::spawn(encoding)));
    }
    warm
}

fn encoding() -> &'static CoreBpe {
    ENCODING.get_or_init(|| tiktoken::get_encoding("o200k_base").expect("the vocabulary is built in"))
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
    if bytes.len() < SMALL_BYTES { None } else { MEMO.get(MEMO.key(bytes.as_bytes(), domain)) }
}

/// Texts below this are counted faster than they are looked up.
const SMALL_BYTES: usize = 64;

fn remembered(bytes: &str, domain: u64, count: impl FnOnce() -> u64) -> u64 {
    if bytes.len() < SMALL_BYTES {
        return count();
    }
    let key = MEMO.key(bytes.as_bytes(), domain);
    if let Some(known) = MEMO.get(key) {
        return known;
    }
    let counted = count();
    MEMO.put(key, counted);
    counted
}

static MEMO: LazyLock<Memo> = LazyLock::new(|| Memo::new(4096));

const SHARDS: usize = 16;

/// Counts by a hash of the text. In each shard a young generation fills up and then replaces the old one, so the memo is
/// bounded and texts in use stay. The hash has a random seed: collisions cannot be made on purpose, and chance ones
/// (64 bits) only cost an estimate.
struct Memo {
    seed: [u64; 2],
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
        let random = RandomState::new();
        Memo { seed: [random.hash_one(0), random.hash_one(1)], shards: Default::default(), shard_entries }
    }

    /// Multiplies and folds 16 bytes at a time, because the standard hasher would take longer than the rest of a request.
    fn key(&self, bytes: &[u8], domain: u64) -> u64 {
        let fold = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            product as u64 ^ (product >> 64) as u64
        };
        let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let step = |hash: u64, block: &[u8]| fold(word(&block[..8]) ^ self.seed[0], word(&block[8..]) ^ hash);
        let blocks = bytes.chunks_exact(16);
        let mut last = [0; 16];
        last[..blocks.remainder().len()].copy_from_slice(blocks.remainder());
        let start = fold(self.seed[1] ^ domain, self.seed[0] ^ bytes.len() as u64);
        let hash = step(blocks.fold(start, step), &last);
        fold(hash ^ self.seed[1], self.seed[0] | 1)
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

/// The tokenizer takes more than linear time for long texts without a border, so it gets pieces of at most this size.
const PIECE_BYTES: usize = 8 << 10;

/// Of a longer run of one class of characters (base64, spaces, a ruler of dashes) only this much is counted.
const RUN_BYTES: usize = 1 << 10;

fn count(text: &str) -> u64 {
    if text.len() <= RUN_BYTES {
        return encoding().count(text) as u64;
    }
    let mut tokens = 0;
    let mut plain = 0;
    for run in long_runs(text) {
        tokens += count_pieces(&text[plain..run.start]);
        let sample = encoding().count(&text[run.start..run.start + RUN_BYTES]) as u64;
        tokens += (sample * run.len() as u64).div_ceil(RUN_BYTES as u64);
        plain = run.end;
    }
    tokens + count_pieces(&text[plain..])
}

/// Runs of more than [`RUN_BYTES`] of white space, of letters and digits as in base64, or of other ASCII. Text beyond ASCII
/// is cheap to count.
fn long_runs(text: &str) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
    let mut start = 0;
    text.as_bytes().chunk_by(|a, b| class(*a) == class(*b)).filter_map(move |run| {
        let range = start..start + run.len();
        start = range.end;
        (run.len() > RUN_BYTES && class(run[0]) != Class::Other).then_some(range)
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

fn count_pieces(mut text: &str) -> u64 {
    let mut tokens = 0;
    while text.len() > PIECE_BYTES {
        let end = text.floor_char_boundary(PIECE_BYTES);
        // Before a space: in this vocabulary a word's token begins with the space before it.
        let border = text.as_bytes()[PIECE_BYTES / 2..end].iter().rposition(|byte| class(*byte) == Class::Blank);
        let (piece, rest) = text.split_at(border.map_or(end, |at| PIECE_BYTES / 2 + at));
        tokens += encoding().count(piece) as u64;
        text = rest;
    }
    tokens + encoding().count(text) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memo_is_bounded_and_keeps_what_is_used() {
        let memo = Memo::new(8);
        let often = memo.key(b"used all the time", 0);
        memo.put(often, 42);
        for n in 0u64..10_000 {
            memo.put(memo.key(&n.to_le_bytes(), 0), n);
            assert_eq!(memo.get(often), Some(42));
        }
        let entries: usize = memo.shards.iter().map(|s| s.lock().unwrap()).map(|s| s.young.len() + s.old.len()).sum();
        assert!(entries <= 2 * 8 * SHARDS, "{entries}");
        assert_eq!(memo.get(memo.key(&0u64.to_le_bytes(), 0)), None);
    }

    #[test]
    fn keys_tell_texts_apart() {
        let memo = Memo::new(8);
        let base = vec![b'x'; 100];
        let mut keys = std::collections::HashSet::new();
        for at in 0..100 {
            for bit in 0..8 {
                let mut text = base.clone();
                text[at] ^= 1 << bit;
                keys.insert(memo.key(&text, 0));
            }
        }
        for length in 0..100 {
            keys.insert(memo.key(&vec![0; length], 0));
        }
        keys.insert(memo.key(&base, 0));
        keys.insert(memo.key(&base, 1));
        assert_eq!(keys.len(), 100 * 8 + 100 + 2);
    }

    #[test]
    fn pieces_count_as_the_whole() {
        let prose = "The quick brown fox jumps over the lazy dog, and then it rests for 12 minutes.\n".repeat(1000);
        let whole = encoding().count(&prose) as u64;
        let pieces = count(&prose);
        assert!(pieces.abs_diff(whole) * 1000 <= whole, "{pieces} against {whole}");
    }

    #[test]
    fn a_long_run_is_sampled_and_its_neighbours_are_counted() {
        let run = "ab12".repeat(20_000);
        let text = format!("Before it. {run} After it.");
        let whole = encoding().count(&text) as u64;
        let sampled = count(&text);
        assert!(sampled.abs_diff(whole) * 50 <= whole, "{sampled} against {whole}");
        assert!(long_runs(&text).eq(std::iter::once(11..11 + run.len())));
    }

    #[test]
    fn text_without_borders_is_cut_between_characters() {
        for text in ["世".repeat(10_000), "🦀".repeat(10_000), format!("x{}", "é".repeat(10_000))] {
            let whole = encoding().count(&text) as u64;
            assert!(count(&text).abs_diff(whole) * 100 <= whole);
        }
    }
}
