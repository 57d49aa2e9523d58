//! When each deployment is checked next.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

/// Due times are drawn within a tenth of the interval, so that neither deployments nor replicas are checked all at once.
const SPREAD: u32 = 10;

#[derive(Default)]
pub struct Schedule {
    next: HashMap<String, Instant>,
}

impl Schedule {
    /// The deployments whose time has come; their next one is an interval later, more or less. Those that are new have theirs
    /// soon. `chance` gives a new number each time.
    pub fn due<'i>(
        &mut self,
        now: Instant,
        interval: Duration,
        deployments: impl Iterator<Item = (usize, &'i str)>,
        chance: &mut dyn FnMut() -> u64,
    ) -> Vec<usize> {
        let spread = interval / SPREAD;
        let mut drawn = || spread.mul_f64(chance() as f64 / u64::MAX as f64);
        let mut next = HashMap::new();
        let mut due = Vec::new();
        for (index, id) in deployments {
            let mut at = self.next.get(id).copied().unwrap_or_else(|| now + drawn());
            if at <= now {
                due.push(index);
                at = now + interval - spread / 2 + drawn();
            }
            next.insert(id.to_string(), at);
        }
        self.next = next;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(300);
    const IDS: [(usize, &str); 2] = [(0, "a"), (1, "b")];

    /// At which seconds after the start deployment `a` is checked, looked at every second, where every draw is `chance`.
    fn times(chance: u64, seconds: u64) -> Vec<u64> {
        let began = Instant::now();
        let mut schedule = Schedule::default();
        let looks = (0..seconds).filter(|second| {
            let now = began + Duration::from_secs(*second);
            schedule.due(now, INTERVAL, IDS.into_iter(), &mut || chance).contains(&0)
        });
        looks.collect()
    }

    #[test]
    fn the_first_check_comes_within_a_tenth_of_the_interval_and_the_next_about_an_interval_later() {
        assert_eq!(times(0, 700), [0, 285, 570]);
        assert_eq!(times(u64::MAX, 700), [30, 345, 660]);
    }

    #[test]
    fn deployments_draw_their_times_each_for_itself() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        // `a` for its first time and for the next, `b` for its first.
        let mut draws = [0, 0, u64::MAX].into_iter();
        assert_eq!(schedule.due(now, INTERVAL, IDS.into_iter(), &mut || draws.next().unwrap()), [0]);
        let mut later =
            |seconds| schedule.due(now + Duration::from_secs(seconds), INTERVAL, IDS.into_iter(), &mut || 0);
        assert_eq!((later(29), later(30)), (vec![], vec![1]));
    }

    #[test]
    fn what_is_configured_later_is_checked_soon_and_the_others_keep_their_times() {
        let now = Instant::now();
        let mut schedule = Schedule::default();
        assert_eq!(schedule.due(now, INTERVAL, IDS[..1].iter().copied(), &mut || 0), [0]);
        assert_eq!(schedule.due(now, INTERVAL, IDS.into_iter(), &mut || 0), [1]);
    }
}
