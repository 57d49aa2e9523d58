//! OpenAI's o200k vocabulary: which byte strings are tokens, and which of two is merged first.

use super::hash::Seed;

/// The ranks of all tokens by the key of their bytes. A place is one number, a key with its low bits replaced by the rank plus
/// one; zero is empty. A token stands at the first place from its key's on that was free.
///
/// The bytes themselves are not kept: that two strings share a key is as improbable as in [`Seed`]'s other uses.
pub(super) struct Vocabulary {
    pub(super) seed: Seed,
    places: Box<[u64]>,
}

/// 4 MB, two fifths of it taken.
const PLACES: usize = 1 << 19;
/// The low bits: the vocabulary has 199,998 tokens.
const RANK: u64 = (1 << 18) - 1;

impl Vocabulary {
    /// Takes 0.1 s, most of it for unpacking the library's form of the vocabulary.
    pub(super) fn load() -> Vocabulary {
        let packed = tiktoken::get_encoding("o200k_base").expect("the vocabulary is built in");
        let mut vocabulary = Vocabulary { seed: Seed::random(), places: vec![0; PLACES].into() };
        for rank in 0..packed.vocab_size() as u32 {
            vocabulary.insert(&packed.decode(&[rank]), rank);
        }
        vocabulary
    }

    fn insert(&mut self, token: &[u8], rank: u32) {
        let key = self.seed.key(token, 0);
        let mut at = start(key);
        while self.places[at] != 0 {
            at = (at + 1) % PLACES;
        }
        self.places[at] = key & !RANK | u64::from(rank + 1);
    }

    /// The rank of the token whose bytes have this key; lower ones are merged first.
    #[inline]
    pub(super) fn rank(&self, key: u64) -> Option<u32> {
        let mut at = start(key);
        loop {
            let place = self.places[at];
            if place == 0 {
                return None;
            }
            if (place ^ key) & !RANK == 0 {
                return Some((place & RANK) as u32 - 1);
            }
            at = (at + 1) % PLACES;
        }
    }
}

/// From the bits that a place does not keep, and some more.
fn start(key: u64) -> usize {
    key as usize % PLACES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_has_its_rank() {
        let packed = tiktoken::get_encoding("o200k_base").unwrap();
        let vocabulary = Vocabulary::load();
        // The number of tokens that are not special, from OpenAI's o200k_base.tiktoken.
        assert_eq!(packed.vocab_size(), 199_998);
        for rank in 0..packed.vocab_size() as u32 {
            assert_eq!(vocabulary.rank(vocabulary.seed.key(&packed.decode(&[rank]), 0)), Some(rank));
        }
        assert_eq!(vocabulary.rank(vocabulary.seed.key(b"no token of any vocabulary", 0)), None);
    }
}
