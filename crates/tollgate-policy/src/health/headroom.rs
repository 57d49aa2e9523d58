//! How many more requests an upstream takes, as its rate-limit headers say.
//!
//! Providers fill their limits up steadily, and name the time until they are full again (OpenAI: "the time until the rate limit resets to its
//! initial state"; Anthropic: "will be fully replenished"; 2026-11). So one more request fits after the reset divided by the limit. It is sent
//! alone, and what its answer's headers say decides how it goes on: nobody waits for the whole reset, and no burst runs into a refusal.
//!
//! Headers that never named anything but nothing are no evidence: some compatible servers send a constant 0.

use std::collections::BTreeSet;
use std::time::Duration;

/// What the headers of one answer say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// The least number of requests that is left, where a number of requests is given.
    pub requests: Option<u64>,
    /// Some limit, of requests or tokens, has nothing left.
    pub spent: Option<Spent>,
}

/// A limit that has nothing left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Until it is whole again.
    pub reset: Duration,
    /// Until one more request may fit.
    pub next: Duration,
}

/// Between two requests that ask whether something is left again: longer than this nobody is kept from asking.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

fn ms(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Clone, Debug, Default)]
pub struct Headroom {
    /// Requests that have begun: each has its number.
    begun: u64,
    /// The headers have named something else than nothing: they count.
    counts: bool,
    /// Those whose answers have not told anything yet.
    awaited: BTreeSet<u64>,
    told: Option<Told>,
}

/// The least that was told by requests that were under way together: the upstream took them in an order of its own.
#[derive(Clone, Copy, Debug)]
struct Told {
    requests: u64,
    /// With nothing left: one request alone may go from then on.
    next_ms: u64,
    /// The last request that had begun when this was told. A later one may tell of more.
    last_begun: u64,
}

impl Headroom {
    /// The answer to this request says so.
    pub fn told(&mut self, now_ms: u64, nth: u64, remaining: &Remaining) {
        self.awaited.remove(&nth);
        self.counts |= remaining.spent.is_none() && remaining.requests.is_some_and(|requests| requests > 0);
        let next_ms = remaining.spent.map_or(now_ms, |spent| now_ms + ms(spent.next.min(LONGEST_PAUSE)));
        let requests = if remaining.spent.is_some() { Some(0) } else { remaining.requests };
        let told = requests.map(|requests| Told { requests, next_ms, last_begun: self.begun });
        match (&mut self.told, told) {
            (Some(known), Some(told)) if nth <= known.last_begun => {
                known.requests = known.requests.min(told.requests);
                known.next_ms = known.next_ms.max(told.next_ms);
            }
            (known, Some(told)) => *known = Some(told),
            // It says nothing: what was known before may be long over.
            (known, None) => *known = None,
        }
    }

    /// One more may be sent.
    pub fn has_room(&self, now_ms: u64) -> bool {
        let Some(told) = self.told.filter(|_| self.counts) else { return true };
        let awaited = self.awaited.len() as u64;
        let asks_alone = awaited == 0 && now_ms >= told.next_ms;
        // Where those that are awaited tell nothing for long, nothing is known any more.
        awaited < told.requests || asks_alone || now_ms >= told.next_ms + ms(LONGEST_PAUSE)
    }

    /// One more is sent: its number.
    pub fn began(&mut self) -> u64 {
        self.begun += 1;
        if self.counts {
            self.awaited.insert(self.begun);
        }
        self.begun
    }

    /// A request came to an end, with or without an answer.
    pub fn ended(&mut self, nth: u64) {
        self.awaited.remove(&nth);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(reset_ms: u64, next_ms: u64) -> Remaining {
        let spent = Spent { reset: Duration::from_millis(reset_ms), next: Duration::from_millis(next_ms) };
        Remaining { requests: Some(0), spent: Some(spent) }
    }

    fn left(requests: u64) -> Remaining {
        Remaining { requests: Some(requests), spent: None }
    }

    /// Two are left, and two have gone.
    fn with_two_under_way() -> (Headroom, u64, u64) {
        let mut headroom = Headroom::default();
        let first = headroom.began();
        headroom.told(0, first, &left(2));
        let gone = [(); 2].map(|()| {
            assert!(headroom.has_room(0));
            headroom.began()
        });
        assert!(!headroom.has_room(0));
        (headroom, gone[0], gone[1])
    }

    #[test]
    fn as_many_go_as_are_left_and_then_one_alone_after_the_pause() {
        let (mut headroom, second, third) = with_two_under_way();
        headroom.told(50, second, &left(1));
        assert!(!headroom.has_room(50), "the third is not counted in that");
        headroom.told(100, third, &spent(2_000, 500));
        assert!(!headroom.has_room(599));
        assert!(headroom.has_room(600));
        let fourth = headroom.began();
        assert!(!headroom.has_room(1_000), "one asks already");
        headroom.told(1_100, fourth, &left(1));
        assert!(headroom.has_room(1_100));
    }

    #[test]
    fn of_requests_that_were_under_way_together_the_least_that_is_told_counts() {
        for spent_first in [true, false] {
            let (mut headroom, second, third) = with_two_under_way();
            let mut tells = [(second, spent(2_000, 500)), (third, left(1))];
            if !spent_first {
                tells.reverse();
            }
            tells.iter().for_each(|(nth, remaining)| headroom.told(100, *nth, remaining));
            assert!(!headroom.has_room(599) && headroom.has_room(600), "{spent_first}");
        }
    }

    #[test]
    fn one_that_ends_without_an_answer_is_awaited_no_more() {
        let (mut headroom, second, third) = with_two_under_way();
        headroom.ended(second);
        assert!(headroom.has_room(1), "of the two places one is free again");
        headroom.began();
        headroom.ended(third);
        assert!(headroom.has_room(1));
    }

    #[test]
    fn a_constant_nothing_keeps_nobody_away() {
        let mut headroom = Headroom::default();
        for now_ms in 0..5 {
            let nth = headroom.began();
            headroom.told(now_ms, nth, &spent(60_000, 60_000));
            assert!(headroom.has_room(now_ms));
        }
    }

    #[test]
    fn no_pause_is_longer_than_ten_seconds_and_no_answer_is_waited_for_longer() {
        let mut headroom = Headroom::default();
        let first = headroom.began();
        headroom.told(0, first, &left(5));
        headroom.told(0, first, &spent(3_600_000, 3_600_000));
        assert!(!headroom.has_room(9_999));
        assert!(headroom.has_room(10_000));
        headroom.began();
        assert!(!headroom.has_room(19_999));
        assert!(headroom.has_room(20_000));
    }

    #[test]
    fn answers_without_such_headers_say_that_nothing_is_known() {
        let mut headroom = Headroom::default();
        headroom.told(0, 0, &left(5));
        headroom.told(0, 0, &spent(60_000, 1_000));
        assert!(!headroom.has_room(1));
        headroom.told(1, 0, &Remaining::default());
        assert!(headroom.has_room(1));
    }
}
