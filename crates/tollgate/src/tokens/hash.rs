//! Keys of texts for what is remembered about them.

use std::hash::{BuildHasher, RandomState};

/// A random seed: collisions cannot be made on purpose, and chance ones (64 bits) only cost an estimate.
pub(super) struct Seed([u64; 2]);

const BLOCK: usize = 16;

impl Seed {
    pub(super) fn random() -> Seed {
        let random = RandomState::new();
        Seed([random.hash_one(0), random.hash_one(1)])
    }

    /// Multiplies and folds 16 bytes at a time, because the standard hasher would take longer than the rest of a request.
    pub(super) fn key(&self, bytes: &[u8], domain: u64) -> u64 {
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        let mut last = [0; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        let hash = blocks.iter().fold(self.start(bytes.len(), domain), |hash, block| self.step(hash, *block));
        self.end(self.step(hash, last))
    }

    /// The [`Seed::key`] of the first bytes of a text in domain 0. Faster where they are few and not at the very end: a load and
    /// a mask.
    #[inline]
    pub(super) fn key_of_first(&self, text: &[u8], len: usize) -> u64 {
        match text.first_chunk::<BLOCK>() {
            Some(block) if len < BLOCK => {
                let masked = u128::from_le_bytes(*block) & !(u128::MAX << (8 * len));
                self.end(self.step(self.start(len, 0), masked.to_le_bytes()))
            }
            _ => self.key(&text[..len], 0),
        }
    }

    #[inline]
    fn start(&self, len: usize, domain: u64) -> u64 {
        fold(self.0[1] ^ domain, self.0[0] ^ len as u64)
    }

    #[inline]
    fn step(&self, hash: u64, block: [u8; BLOCK]) -> u64 {
        let block = u128::from_le_bytes(block);
        fold(block as u64 ^ self.0[0], (block >> 64) as u64 ^ hash)
    }

    #[inline]
    fn end(&self, hash: u64) -> u64 {
        fold(hash ^ self.0[1], self.0[0] | 1)
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_texts_apart() {
        let seed = Seed::random();
        let base = vec![b'x'; 100];
        let mut keys = std::collections::HashSet::new();
        for at in 0..100 {
            for bit in 0..8 {
                let mut text = base.clone();
                text[at] ^= 1 << bit;
                keys.insert(seed.key(&text, 0));
            }
        }
        for length in 0..100 {
            keys.insert(seed.key(&vec![0; length], 0));
        }
        keys.insert(seed.key(&base, 0));
        keys.insert(seed.key(&base, 1));
        assert_eq!(keys.len(), 100 * 8 + 100 + 2);
    }

    #[test]
    fn a_text_has_the_same_key_wherever_it_stands() {
        let seed = Seed::random();
        let text = b"0123456789abcdefghijklmnop";
        for len in 0..text.len() {
            let alone = seed.key(&text[..len], 0);
            assert_eq!(seed.key_of_first(text, len), alone, "{len}");
            assert_eq!(seed.key_of_first(&text[..len], len), alone, "{len}");
        }
    }
}
