use std::sync::atomic::{AtomicUsize, Ordering};

use tollgate_policy::health::{RestFailure, RestReason};

use super::*;

fn rest(reason: RestReason, until_ms: u64) -> Rest {
    Rest { until_ms, reason, failure: RestFailure::default() }
}

/// What would be told now, `-` for the end of a guess.
fn untold(rests: &SharedRests, now_ms: u64) -> Vec<String> {
    let one = |(key, own): (Key, Own)| {
        let over = if own.over { "-" } else { "" };
        let rest = own.rest.map_or(String::new(), |rest| format!("{} {}", rest.reason.word(), rest.until_ms));
        format!("{} {over}{rest}", key.name)
    };
    rests.untold(now_ms).into_iter().map(one).collect()
}

#[test]
fn what_is_not_told_yet_waits_as_long_as_it_is_true() {
    let rests = SharedRests::default();
    rests.begun("a", &rest(RestReason::Failing, 1_000));
    rests.begun("b", &rest(RestReason::Gone, 9_000));
    assert_eq!(untold(&rests, 0), ["a failing 1000", "b model_gone 9000"]);
    assert_eq!(untold(&rests, 1_000), ["b model_gone 9000"]);
}

#[test]
fn what_was_told_is_told_once_and_again_to_a_redis_that_may_have_forgotten() {
    let rests = SharedRests::default();
    rests.begun("a", &rest(RestReason::Gone, 9_000));
    rests.told(&rests.untold(0));
    assert_eq!(untold(&rests, 0), [""; 0]);
    // Nothing new.
    rests.begun("a", &rest(RestReason::Gone, 8_000));
    assert_eq!(untold(&rests, 0), [""; 0]);
    rests.tell_all_again();
    assert_eq!(untold(&rests, 0), ["a model_gone 9000"]);
}

#[test]
fn what_changes_while_it_is_told_is_told_again() {
    let rests = SharedRests::default();
    rests.begun("a", &rest(RestReason::Failing, 1_000));
    let news = rests.untold(0);
    rests.begun("a", &rest(RestReason::Failing, 2_000));
    rests.told(&news);
    assert_eq!(untold(&rests, 0), ["a failing 2000"]);
}

#[test]
fn the_end_of_a_guess_is_told_also_when_another_begins_before_that() {
    let rests = SharedRests::default();
    rests.begun("a", &rest(RestReason::Gone, 600_000));
    rests.begun("a", &rest(RestReason::Asked, 30_000));
    rests.told(&rests.untold(0));
    rests.over("a");
    rests.begun("a", &rest(RestReason::Failing, 5_000));
    assert_eq!(untold(&rests, 0), ["a -failing 5000"]);
    rests.told(&rests.untold(0));
    rests.tell_all_again();
    // What the upstream asked for stays, and an end is told once.
    assert_eq!(untold(&rests, 0), ["a retry_after 30000", "a failing 5000"]);
}

/// A replica without Redis at its address.
struct Lonely {
    address: Address,
    began: tokio::time::Instant,
    rounds: AtomicUsize,
}

impl Replica for Lonely {
    fn address(&self) -> Option<Address> {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        Some(self.address.clone())
    }
    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
    fn names(&self) -> Vec<String> {
        vec!["a".into()]
    }
    fn told(&self, _: &str, _: Rest) {
        panic!("nobody is there to tell");
    }
    fn told_over(&self, _: &str) {
        panic!("nobody is there to tell");
    }
}

#[tokio::test(start_paused = true)]
async fn while_redis_is_away_nothing_is_lost_and_it_is_asked_for_with_growing_pauses() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let address = Address::of_url(&format!("redis://127.0.0.1:{port}")).unwrap();
    let replica = Lonely { address, began: tokio::time::Instant::now(), rounds: AtomicUsize::new(0) };
    let rests = SharedRests::default();
    rests.begun("a", &rest(RestReason::Gone, 600_000));
    assert!(timeout(Duration::from_secs(60), share(&rests, &replica)).await.is_err());
    assert_eq!(untold(&rests, replica.now_ms()), ["a model_gone 600000"]);
    // Pauses of 0.5, 1, 2, 4, then 8 seconds: tried at most at 0, 0.5, 1.5, 3.5, 7.5, 15.5, … 55.5 seconds.
    let rounds = replica.rounds.load(Ordering::Relaxed);
    assert!((5..=11).contains(&rounds), "{rounds}");
}
