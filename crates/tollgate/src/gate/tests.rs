use std::sync::atomic::AtomicU32;
use std::task::Wake;

use tollgate_policy::access::ScopeKind;
use tollgate_policy::health::{Limits, Rest, RestFailure, RestReason};
use tollgate_policy::limit::{Denial, Dimension};
use tollgate_policy::queue::Class;

use super::*;

const LONG: Duration = Duration::from_secs(3600);

fn standing(parallel: u32) -> SharedHealth {
    let standing = SharedHealth::default();
    lock(&standing).limit(Limits { parallel: Some(parallel), ..Limits::default() });
    standing
}

fn gate() -> Arc<Gate> {
    Arc::new(Gate::new(Clock::start()))
}

fn enter(gate: &Arc<Gate>, all: &[&SharedHealth]) -> Option<Slot> {
    gate.enter(all.iter().copied().enumerate(), 0)
}

fn wait(gate: &Arc<Gate>, tenant: u64, all: &[&SharedHealth]) -> Place {
    wait_for(gate, tenant, all, LONG)
}

fn wait_for(gate: &Arc<Gate>, tenant: u64, all: &[&SharedHealth], patience: Duration) -> Place {
    let doors =
        all.iter().enumerate().map(|(index, standing)| Door { index, standing: (*standing).clone(), limited: None });
    let arrival = Arrival { tenant, weight: 1, class: Class::Interactive, priority: 0 };
    gate.wait(doors.collect(), arrival, patience, 1000).unwrap_or_else(|Full| panic!("the queue is full"))
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls once. Further wakes are counted.
fn poll(place: &mut Place) -> (Option<Result<Slot, Left>>, Arc<Woken>) {
    let woken = Arc::new(Woken::default());
    let outcome = match place.poll_turn(&mut Context::from_waker(&Waker::from(woken.clone()))) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    };
    (outcome, woken)
}

fn has_turn(place: &mut Place) -> bool {
    matches!(poll(place).0, Some(Ok(_)))
}

fn rests(standing: &SharedHealth, reason: RestReason, until_ms: u64) {
    lock(standing).begin_rest(Rest { until_ms, reason, failure: RestFailure::default() });
}

#[test]
fn where_nothing_is_limited_everybody_goes_in() {
    let (gate, free) = (gate(), SharedHealth::default());
    let slots: Vec<Option<Slot>> = (0..10_000).map(|_| enter(&gate, &[&free])).collect();
    assert!(slots.iter().all(Option::is_some));
    assert_eq!(lock(&free).in_flight(), 10_000);
    drop(slots);
    assert_eq!(lock(&free).in_flight(), 0);
}

#[test]
fn a_freed_slot_wakes_the_one_whose_turn_it_is_and_nobody_else() {
    let (gate, one) = (gate(), standing(1));
    let slot = enter(&gate, &[&one]).unwrap();
    assert!(enter(&gate, &[&one]).is_none());
    let mut places = [1, 1, 2].map(|tenant| wait(&gate, tenant, &[&one]));
    let woken = places.each_mut().map(|place| poll(place).1);
    let counts = || woken.each_ref().map(|woken| woken.0.load(Ordering::Relaxed));
    drop(slot);
    assert_eq!(counts(), [1, 0, 0]);
    assert_eq!(lock(&one).in_flight(), 1, "it is given, though not yet taken");
    // Who comes now does not go before those that wait.
    assert!(enter(&gate, &[&one]).is_none());
    let first = poll(&mut places[0]).0.unwrap().unwrap();
    drop(first);
    assert_eq!(counts(), [1, 0, 1], "the other tenant");
    assert_eq!(gate.waiting(), 1);
}

#[test]
fn who_leaves_gives_the_place_up_and_a_slot_that_it_was_given() {
    let (gate, one) = (gate(), standing(1));
    let slot = enter(&gate, &[&one]).unwrap();
    let [leaves, given, mut last] = [1, 2, 3].map(|tenant| wait(&gate, tenant, &[&one]));
    assert_eq!(last.position(), Some(2));
    drop(leaves);
    assert_eq!(last.position(), Some(1));
    drop(slot);
    assert!(!has_turn(&mut last));
    drop(given);
    assert!(has_turn(&mut last));
    drop(last);
    assert_eq!((lock(&one).in_flight(), gate.waiting()), (0, 0));
    assert!(enter(&gate, &[&one]).is_some());
}

#[test]
fn a_slot_that_is_freed_while_somebody_joins_is_not_lost() {
    let (gate, one) = (gate(), standing(1));
    drop(enter(&gate, &[&one]).unwrap());
    assert!(has_turn(&mut wait(&gate, 1, &[&one])));
}

#[test]
fn each_goes_where_it_may_and_the_first_in_its_order_goes_first() {
    let (gate, a, b) = (gate(), standing(1), standing(1));
    assert_eq!(enter(&gate, &[&b, &a]).unwrap().index, 0);
    let (slot_a, slot_b) = (enter(&gate, &[&a]).unwrap(), enter(&gate, &[&b]).unwrap());
    let mut only_b = wait(&gate, 1, &[&b]);
    let mut both = wait(&gate, 2, &[&a, &b]);
    drop(slot_a);
    assert!(poll(&mut only_b).0.is_none());
    let slot = poll(&mut both).0.unwrap().unwrap();
    assert_eq!(slot.index, 0);
    drop(slot_b);
    assert!(has_turn(&mut only_b));
}

#[tokio::test(start_paused = true)]
async fn what_rests_is_left_alone_while_another_may_have_room_and_taken_when_its_rest_is_over() {
    let (gate, full, resting) = (gate(), standing(1), standing(1));
    let slot = enter(&gate, &[&full]).unwrap();
    rests(&resting, RestReason::Failing, 5000);
    assert!(enter(&gate, &[&resting, &full]).is_none());
    let mut place = wait(&gate, 1, &[&resting, &full]);
    place.look();
    assert!(poll(&mut place).0.is_none());
    tokio::time::advance(Duration::from_secs(5)).await;
    place.look();
    assert_eq!(poll(&mut place).0.unwrap().unwrap().index, 0);
    drop(slot);
    // Where all rest on a guess they are a last resort, within their limits.
    rests(&resting, RestReason::Failing, 50_000);
    let last_resort = enter(&gate, &[&resting]).unwrap();
    assert!(enter(&gate, &[&resting]).is_none());
    let mut place = wait(&gate, 1, &[&resting]);
    drop(last_resort);
    assert!(has_turn(&mut place));
}

#[tokio::test(start_paused = true)]
async fn nobody_goes_to_what_asked_to_be_left_alone() {
    let (gate, one) = (gate(), standing(1));
    let slot = enter(&gate, &[&one]).unwrap();
    let mut place = wait(&gate, 1, &[&one]);
    assert!(!place.is_barred());
    rests(&one, RestReason::Asked, 2000);
    drop(slot);
    assert!(poll(&mut place).0.is_none() && place.is_barred());
    tokio::time::advance(Duration::from_secs(2)).await;
    place.look();
    assert!(!place.is_barred() && has_turn(&mut place));
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let (gate, one) = (gate(), standing(1));
    let slot = enter(&gate, &[&one]).unwrap();
    let mut short = wait_for(&gate, 1, &[&one], Duration::from_secs(3));
    let mut long = wait(&gate, 1, &[&one]);
    tokio::time::advance(Duration::from_millis(2999)).await;
    long.look();
    assert!(poll(&mut short).0.is_none());
    tokio::time::advance(Duration::from_millis(1)).await;
    long.look();
    assert!(matches!(poll(&mut short).0, Some(Err(Left::TooLong))));
    assert_eq!((gate.waiting(), gate.counts.refused_too_long.load(Ordering::Relaxed)), (1, 1));
    drop(slot);
    assert!(has_turn(&mut long));
    assert_eq!(gate.usual_wait(), Duration::from_secs(3));
}

#[test]
fn who_must_give_way_is_told() {
    let (gate, one) = (gate(), standing(1));
    let _slot = enter(&gate, &[&one]).unwrap();
    let doors: Arc<[Door]> = [Door { index: 0, standing: one.clone(), limited: None }].into();
    let arrival = |tenant| Arrival { tenant, weight: 1, class: Class::Interactive, priority: 0 };
    let mut places: Vec<Place> =
        (0..3).map(|_| gate.wait(doors.clone(), arrival(1), LONG, 3).unwrap_or_else(|_| panic!("room"))).collect();
    assert!(gate.wait(doors.clone(), arrival(1), LONG, 3).is_err());
    let other = gate.wait(doors.clone(), arrival(2), LONG, 3);
    assert!(other.is_ok() && matches!(poll(&mut places[2]).0, Some(Err(Left::GaveWay))));
    assert_eq!((gate.waiting(), gate.counts.refused_full.load(Ordering::Relaxed)), (3, 2));
}

#[test]
fn a_limit_that_was_raised_is_used() {
    let (gate, one) = (gate(), standing(1));
    let _slot = enter(&gate, &[&one]).unwrap();
    let mut place = wait(&gate, 1, &[&one]);
    lock(&one).limit(Limits::default());
    place.look();
    assert!(has_turn(&mut place));
}

/// The next number of a linear congruential generator.
fn drawn(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// A thousand requests on several threads, a part of which go away at any time; no slot is lost and none given twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_slot_is_lost_or_given_twice_under_random_disconnects() {
    let (gate, a, b) = (gate(), standing(3), standing(2));
    let most = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
    let mut tasks = Vec::new();
    let mut seed = 7;
    for n in 0..1000u64 {
        let (gate, a, b, most) = (gate.clone(), a.clone(), b.clone(), most.clone());
        let (stays, holds) =
            (Duration::from_micros(drawn(&mut seed) % 30_000), Duration::from_micros(drawn(&mut seed) % 300));
        let leaves = drawn(&mut seed).is_multiple_of(3);
        tasks.push(tokio::spawn(async move {
            let request = async {
                let doors = if n % 2 == 0 { vec![&a, &b] } else { vec![&b] };
                let slot = match enter(&gate, &doors) {
                    Some(slot) => slot,
                    None => wait(&gate, n % 7, &doors).turn().await.unwrap_or_else(|left| panic!("{left:?}")),
                };
                let index = if n % 2 == 0 { slot.index } else { 1 };
                most[index].fetch_max(lock([&a, &b][index]).in_flight(), Ordering::Relaxed);
                tokio::time::sleep(holds).await;
            };
            if leaves {
                let _ = tokio::time::timeout(stays, request).await;
            } else {
                request.await;
            }
        }));
    }
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(60), task).await.expect("nobody waits for ever").unwrap();
    }
    assert_eq!((lock(&a).in_flight(), lock(&b).in_flight(), gate.waiting()), (0, 0, 0));
    assert_eq!((*most).each_ref().map(|most| most.load(Ordering::Relaxed)), [3, 2]);
}

/// So many requests of one tenant that wait for a deployment with limits of its own.
fn wait_limited(gate: &Arc<Gate>, tenant: u64, standing: &SharedHealth, tokens: u64) -> Place {
    let doors: Arc<[Door]> = [Door { index: 0, standing: standing.clone(), limited: Some(tokens) }].into();
    let arrival = Arrival { tenant, weight: 1, class: Class::Interactive, priority: 0 };
    gate.wait(doors, arrival, LONG, 1000).unwrap_or_else(|Full| panic!("the queue is full"))
}

fn spent(remaining: u64, needed: u64, until_ms: u64) -> Closed {
    let denial = Denial {
        kind: ScopeKind::Deployment,
        model: None,
        dimension: if remaining == 0 { Dimension::RequestsPerMinute } else { Dimension::TokensPerMinute },
        limit: 100,
        remaining,
        needed,
        resets_at_ms: Some(0),
    };
    Closed::by(denial, needed, until_ms)
}

#[tokio::test(start_paused = true)]
async fn one_at_a_time_finds_out_whether_a_limit_has_room_and_who_finds_none_keeps_its_turn() {
    let (gate, one) = (gate(), SharedHealth::default());
    lock(&one).close(0, spent(0, 1, 1000));
    assert!(gate.enter([(0, &one)].into_iter(), 1).is_none());
    let mut places = [1, 2, 1, 2].map(|tenant| wait_limited(&gate, tenant, &one, 1));
    tokio::time::advance(Duration::from_millis(999)).await;
    places[0].look();
    assert!(!places.iter_mut().any(has_turn));
    tokio::time::advance(Duration::from_millis(1)).await;
    places[3].look();
    let turns = |places: &mut [Place; 4]| places.each_mut().map(|place| poll(place).0.and_then(Result::ok));
    let [Some(mut first), None, None, None] = turns(&mut places) else { panic!("the first alone") };
    first.decided();
    let [None, Some(second), None, None] = turns(&mut places) else { panic!("the second, when the first is in") };
    // There was room for one.
    second.close(spent(0, 1, 2000));
    places[1].wait_on([Door { index: 0, standing: one.clone(), limited: Some(1) }].into());
    drop(second);
    assert!(turns(&mut places).iter().all(Option::is_none));
    tokio::time::advance(Duration::from_secs(1)).await;
    places[2].look();
    let [None, Some(mut second), None, None] = turns(&mut places) else { panic!("it is still its turn") };
    second.decided();
    let [None, None, Some(third), None] = turns(&mut places) else { panic!("then the next") };
    // Whoever leaves before it is known lets the next one try.
    drop(third);
    assert!(turns(&mut places)[3].is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_the_tokens_is_for_those_that_need_no_more() {
    let (gate, one) = (gate(), SharedHealth::default());
    lock(&one).close(0, spent(40, 70, 1000));
    assert!(gate.enter([(0, &one)].into_iter(), 70).is_none());
    let mut large = wait_limited(&gate, 1, &one, 70);
    let mut small = wait_limited(&gate, 2, &one, 40);
    assert!(!has_turn(&mut large));
    let Some(Ok(mut slot)) = poll(&mut small).0 else { panic!("it fits") };
    slot.decided();
    // What it did not need is there for the one that waits.
    slot.reopen();
    drop(slot);
    assert!(has_turn(&mut large));
}

#[test]
fn a_window_that_is_used_up_is_passed_over_and_places_elsewhere_are_waited_for() {
    let (gate, limited, resting) = (gate(), SharedHealth::default(), SharedHealth::default());
    rests(&resting, RestReason::Failing, u64::MAX);
    let both = || [(0, &limited), (1, &resting)].into_iter();
    lock(&limited).close(0, spent(0, 1, u64::MAX));
    assert_eq!(gate.enter(both(), 1).unwrap().index, 1, "a last resort");
    lock(&limited).reopen();
    let mut elsewhere = spent(0, 1, u64::MAX);
    elsewhere.denial.dimension = Dimension::ParallelRequests;
    lock(&limited).close(0, elsewhere);
    assert!(gate.enter(both(), 1).is_none());
}
