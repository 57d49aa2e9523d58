//! The queue before a few slots, over simulated time and under chance.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A tenant that always has so many requests waiting.
#[derive(Clone, Copy, Debug)]
struct Tenant {
    class: Class,
    burst: usize,
    comes_at_ms: u64,
    /// How long each of its requests takes.
    takes_ms: u64,
}

const MINUTE_MS: u64 = 60_000;

/// A minute with so many slots: who went, and when.
fn minute(slots: usize, tenants: &[Tenant]) -> Vec<(u64, usize)> {
    let mut queue = FairQueue::default();
    let mut names = HashMap::new();
    let mut waiting: Vec<usize> = vec![0; tenants.len()];
    let mut busy_until: Vec<u64> = vec![0; slots];
    let mut went = Vec::new();
    for now_ms in (0..MINUTE_MS).step_by(10) {
        for (name, tenant) in tenants.iter().enumerate().filter(|(_, tenant)| tenant.comes_at_ms <= now_ms) {
            for _ in waiting[name]..tenant.burst {
                let arrival = Arrival { tenant: name, weight: 1, class: tenant.class, priority: 0 };
                names.insert(queue.push(arrival, u64::MAX, MANY).expect("there is room").ticket, name);
            }
            waiting[name] = tenant.burst;
        }
        for slot in busy_until.iter_mut().filter(|until| **until <= now_ms) {
            let Some(ticket) = queue.pop(|_| true) else { break };
            let name = names.remove(&ticket).expect("a ticket goes once");
            waiting[name] -= 1;
            *slot = now_ms + tenants[name].takes_ms;
            went.push((now_ms, name));
        }
    }
    went
}

fn tenants(class: Class, most: usize) -> impl Strategy<Value = Vec<Tenant>> {
    let tenant = (1..200usize, 0..20_000u64, 50..2000u64).prop_map(move |(burst, comes_at_ms, takes_ms)| Tenant {
        class,
        burst,
        comes_at_ms,
        takes_ms,
    });
    vec(tenant, 1..=most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn s20_each_of_n_active_tenants_gets_its_part_of_the_slots(
        slots in 1..9usize,
        mut all in tenants(Class::Interactive, 12),
        background in tenants(Class::Batch, 3),
    ) {
        let interactive = all.len();
        all.extend(background);
        let went = minute(slots, &all);
        let all_there_ms = all.iter().map(|tenant| tenant.comes_at_ms).max().unwrap_or(0);
        let counted: Vec<usize> = went.iter().filter(|(at_ms, _)| *at_ms >= all_there_ms).map(|(_, name)| *name).collect();
        // What is cut off at either end of the time is one round at most.
        let of = |name: usize| counted.iter().filter(|other| **other == name).count() + 1;
        for name in 0..interactive {
            prop_assert!(of(name) * (interactive + 1) >= counted.len(), "{name}: {} of {}", of(name), counted.len());
        }
        let batch = counted.iter().filter(|name| **name >= interactive).count() + 1;
        prop_assert!(batch * (interactive.max(8) + 1) >= counted.len(), "batch: {batch} of {}", counted.len());
    }

    #[test]
    fn s20_a_newcomer_waits_for_one_turn_of_each_other_at_most(slots in 1..9usize, mut all in tenants(Class::Interactive, 6)) {
        let newcomer = all.len();
        all.push(Tenant { class: Class::Interactive, burst: 1, comes_at_ms: 30_000, takes_ms: 100 });
        let went = minute(slots, &all);
        let before = went.iter().filter(|(at_ms, _)| *at_ms >= 30_000).take_while(|(_, name)| *name != newcomer).count();
        prop_assert!(before <= newcomer, "{before} went before");
    }

    #[test]
    fn a_place_goes_once_or_is_given_up_once_and_none_is_lost(steps in vec((0..8u8, 0..5u8, 1..4u32, 0..400u64), 1..300)) {
        let (mut queue, mut there, mut now_ms) = (FairQueue::<u8>::default(), HashMap::<Ticket, u64>::new(), 0);
        let mut out = HashSet::new();
        for (step, tenant, weight, number) in steps {
            match step {
                0..=3 => {
                    let class = if number % 3 == 0 { Class::Batch } else { Class::Interactive };
                    let arrival = Arrival { tenant, weight, class, priority: (number % 2) as i64 };
                    if let Ok(taken) = queue.push(arrival, now_ms + number, 20) {
                        prop_assert!(there.insert(taken.ticket, now_ms + number).is_none());
                        if let Some(gone) = taken.gave_way {
                            prop_assert!(there.remove(&gone).is_some() && out.insert(gone));
                        }
                    } else {
                        prop_assert_eq!(queue.len(), 20);
                    }
                }
                4 | 5 => match queue.pop(|ticket| ticket.0 % 7 != number % 7) {
                    Some(gone) => prop_assert!(there.remove(&gone).is_some() && out.insert(gone)),
                    None => prop_assert!(there.keys().all(|ticket| ticket.0 % 7 == number % 7), "somebody could go"),
                },
                6 => {
                    let chosen = there.keys().nth(number as usize % there.len().max(1)).copied();
                    if let Some(gone) = chosen {
                        prop_assert!(queue.cancel(gone) && !queue.cancel(gone));
                        prop_assert!(there.remove(&gone).is_some() && out.insert(gone));
                    }
                }
                _ => {
                    now_ms += number;
                    for gone in queue.expire(now_ms) {
                        prop_assert!(there.remove(&gone).is_some_and(|deadline_ms| deadline_ms <= now_ms) && out.insert(gone));
                    }
                    prop_assert!(there.values().all(|deadline_ms| *deadline_ms > now_ms), "a deadline was missed");
                }
            }
            prop_assert_eq!(queue.len(), there.len());
            prop_assert!(queue.len() <= 20);
        }
        while let Some(gone) = queue.pop(|_| true) {
            prop_assert!(there.remove(&gone).is_some() && out.insert(gone));
        }
        prop_assert!(there.is_empty() && queue.is_empty());
    }

    #[test]
    fn a_place_is_as_many_as_then_go_before(arrivals in vec((0..5u8, 1..4u32, 0..3i64), 1..60), gone_before in 0..20usize) {
        let mut queue = FairQueue::default();
        let mut weights = HashMap::new();
        for (tenant, weight, priority) in arrivals {
            let weight = *weights.entry(tenant).or_insert(weight);
            let arrival = Arrival { tenant, weight, class: Class::Interactive, priority };
            queue.push(arrival, u64::MAX, MANY).expect("there is room");
        }
        (0..gone_before).for_each(|_| {
            queue.pop(|_| true);
        });
        let places: HashMap<Ticket, usize> =
            queue.waiting.keys().map(|ticket| (*ticket, queue.position(*ticket).expect("it waits"))).collect();
        let order = std::iter::from_fn(|| queue.pop(|_| true));
        for (before, ticket) in order.enumerate() {
            prop_assert_eq!(places[&ticket], before);
        }
    }
}
