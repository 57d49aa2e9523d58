//! How many requests at once a deployment takes, learned from its refusals.
//!
//! A rate limit while n requests are under way says that n are too many: from then on it is n - 1 at most. That is held for a while, then
//! one more is tried after each round of answers; refused again at once, it is held twice as long. So an upstream with a fixed number of places is found out
//! by one burst, and asked in vain ever more seldom after it; one whose limit was that of a minute is soon used in full again.

/// A limit above this is none.
const NO_LIMIT: f64 = 512.0;

/// So long a number that was refused is not tried again: at first, and at most.
const HELD_MS: u64 = 30_000;
const LONGEST_HELD_MS: u64 = 600_000;

/// Without a refusal there is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct LearnedLimit {
    most: Option<f64>,
    refused: Option<Refused>,
}

/// The smallest number that was refused of late.
#[derive(Clone, Copy, Debug)]
struct Refused {
    at: u32,
    held_ms: u64,
    until_ms: u64,
}

impl LearnedLimit {
    /// Requests at once.
    pub fn most(&self) -> Option<u32> {
        self.most.map(|most| most as u32)
    }

    /// A rate limit, with so many under way, the refused one among them.
    pub fn refused(&mut self, now_ms: u64, under_way: u32) {
        if under_way < 2 {
            // One alone cannot be too many at once: it was too many in a time.
            return;
        }
        let fresh = |held_ms| Refused { at: under_way, held_ms, until_ms: now_ms + held_ms };
        self.refused = Some(match self.refused {
            None => fresh(HELD_MS),
            // The same burst, or what was sent before it was known.
            Some(known) if now_ms < known.until_ms => Refused { at: known.at.min(under_way), ..fresh(known.held_ms) },
            Some(known) => fresh((known.held_ms * 2).min(LONGEST_HELD_MS)),
        });
        let most = f64::from(under_way - 1);
        self.most = Some(self.most.map_or(most, |known| known.min(most)));
    }

    /// An answer, with so many under way, the answered one among them.
    pub fn answered(&mut self, now_ms: u64, under_way: u32) {
        let Some(most) = self.most else { return };
        // What was not put to the test says nothing.
        if under_way < most as u32 {
            return;
        }
        let held = self.refused.filter(|refused| now_ms < refused.until_ms);
        if self.refused.is_some_and(|refused| held.is_none() && under_way >= refused.at) {
            self.refused = None;
        }
        // One more for each round of as many answers as the limit.
        let grown = most + 1.0 / most;
        let grown = held.map_or(grown, |refused| grown.min(f64::from(refused.at - 1)));
        self.most = Some(grown).filter(|most| *most < NO_LIMIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many answers with the limit in use; the limit then.
    fn answers(limit: &mut LearnedLimit, now_ms: u64, count: u32) -> Option<u32> {
        for _ in 0..count {
            limit.answered(now_ms, limit.most().unwrap_or(0));
        }
        limit.most()
    }

    #[test]
    fn a_burst_finds_out_how_many_places_there_are() {
        let mut limit = LearnedLimit::default();
        // Twenty at once where four are taken: sixteen refusals, one after the other.
        (5..=20).rev().for_each(|under_way| limit.refused(0, under_way));
        assert_eq!(limit.most(), Some(4));
    }

    #[test]
    fn what_was_refused_is_held_and_then_tried_with_one_more_at_a_time() {
        let mut limit = LearnedLimit::default();
        limit.refused(0, 5);
        assert_eq!(answers(&mut limit, HELD_MS - 1, 1000), Some(4));
        // A round of four answers, and one, for one more: 4 + 1/4 + 1/4.25 + 1/4.49 + 1/4.71 = 4.92.
        assert_eq!(answers(&mut limit, HELD_MS, 4), Some(4));
        assert_eq!(answers(&mut limit, HELD_MS, 1), Some(5));
    }

    #[test]
    fn what_is_refused_again_is_held_twice_as_long_and_what_is_taken_is_forgotten() {
        let mut limit = LearnedLimit::default();
        limit.refused(0, 5);
        answers(&mut limit, HELD_MS, 5);
        limit.refused(HELD_MS, 5);
        assert_eq!(answers(&mut limit, 3 * HELD_MS - 1, 1000), Some(4));
        assert_eq!(answers(&mut limit, 3 * HELD_MS, 5), Some(5));
        // Five are taken this time: the next refusal is a new one.
        limit.answered(3 * HELD_MS, 5);
        limit.refused(3 * HELD_MS, 6);
        assert_eq!(answers(&mut limit, 4 * HELD_MS - 1, 1000), Some(5));
        assert_eq!(answers(&mut limit, 4 * HELD_MS, 6), Some(6));
    }

    #[test]
    fn a_limit_that_is_not_in_use_stays_and_one_that_grows_large_goes() {
        let mut limit = LearnedLimit::default();
        limit.refused(0, 9);
        (0..1000).for_each(|_| limit.answered(HELD_MS, 3));
        assert_eq!(limit.most(), Some(8));
        assert_eq!(answers(&mut limit, HELD_MS, 200_000), None);
    }

    #[test]
    fn one_request_alone_is_never_too_many_at_once() {
        let mut limit = LearnedLimit::default();
        limit.refused(0, 1);
        limit.refused(0, 0);
        assert_eq!(limit.most(), None);
        limit.refused(0, 2);
        assert_eq!(limit.most(), Some(1));
        limit.refused(0, 1);
        assert_eq!(limit.most(), Some(1));
    }
}
