//! Byte pair encoding: the tokens of one piece of text.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::vocabulary::Vocabulary;

/// Room for the work on one piece, kept for the next.
#[derive(Default)]
pub(super) struct Merge {
    bytes: Vec<u8>,
    parts: Vec<Part>,
    /// Where two parts can be merged: the rank of what they make, then the place of the first. Those of parts that have changed
    /// since stay in it.
    pairs: BinaryHeap<Reverse<(u32, u32)>>,
}

/// A token that may still grow, at the place of its first byte.
#[derive(Clone, Copy)]
struct Part {
    before: u32,
    end: u32,
    /// Of this part and the next as one token, or [`NONE`].
    rank: u32,
}

const NONE: u32 = u32::MAX;

impl Merge {
    /// Merges the two neighbours that make the token of lowest rank, the first of equal ones, until none do. Time grows with
    /// `n log n`.
    pub(super) fn count(&mut self, piece: &[u8], vocabulary: &Vocabulary) -> u64 {
        self.bytes.clear();
        self.bytes.extend_from_slice(piece);
        // So that a block can be loaded at every place.
        self.bytes.extend_from_slice(&[0; 16]);
        let len = piece.len() as u32;
        self.parts.clear();
        self.parts.extend((0..len).map(|at| Part { before: at.saturating_sub(1), end: at + 1, rank: NONE }));
        self.pairs.clear();
        for at in 0..len {
            self.look_at(at, vocabulary);
        }
        let mut tokens = u64::from(len);
        while let Some(Reverse((rank, at))) = self.pairs.pop() {
            let part = self.parts[at as usize];
            if part.rank != rank {
                continue;
            }
            let next = self.parts[part.end as usize];
            self.parts[part.end as usize].rank = NONE;
            self.parts[at as usize].end = next.end;
            if let Some(after) = self.parts.get_mut(next.end as usize) {
                after.before = at;
            }
            tokens -= 1;
            self.look_at(at, vocabulary);
            if at > 0 {
                self.look_at(part.before, vocabulary);
            }
        }
        tokens
    }

    /// What do the part here and the next make?
    fn look_at(&mut self, at: u32, vocabulary: &Vocabulary) {
        let part = self.parts[at as usize];
        let next = self.parts.get(part.end as usize);
        let rank = next.and_then(|next| {
            let len = (next.end - at) as usize;
            let bytes = &self.bytes[at as usize..];
            let key = vocabulary.seed.key_of_first(bytes, len);
            vocabulary.rank(key)
        });
        self.parts[at as usize].rank = rank.unwrap_or(NONE);
        if let Some(rank) = rank {
            self.pairs.push(Reverse((rank, at)));
        }
    }
}
