use super::*;
use crate::health::{Rest, RestFailure};

fn candidate(id: &str) -> Candidate<'_> {
    Candidate { id, order: 0, share: 1, price: None, standing: Standing::default() }
}

fn resting(id: &str, reason: RestReason) -> Candidate<'_> {
    let mut candidate = candidate(id);
    candidate.standing.rest = Some(Rest { until_ms: 1, reason, failure: RestFailure::default() });
    candidate
}

fn busy(id: &str, in_flight: u32) -> Candidate<'_> {
    let mut candidate = candidate(id);
    candidate.standing.in_flight = in_flight;
    candidate
}

fn order_of(candidates: &[Candidate<'_>], strategy: Strategy, session: Session<'_>, chance: u64) -> String {
    rank(candidates, strategy, session, chance).iter().map(|r| candidates[r.index].id).collect()
}

const NONE: Session<'static> = Session { key: None, last: None };

#[test]
fn shares_are_kept_in_the_long_run() {
    let all = [Candidate { share: 3, ..candidate("a") }, candidate("b")];
    let first = (0..8000).filter(|n| order_of(&all, Strategy::Shuffle, NONE, mixed(*n, "")).starts_with('a')).count();
    // 6000 expected, with a standard deviation of 39.
    assert!((5800..6200).contains(&first), "{first}");
}

#[test]
fn a_deployment_without_a_share_is_only_asked_when_the_others_failed() {
    let all = [Candidate { share: 0, ..candidate("a") }, candidate("b")];
    for chance in 0..200 {
        assert_eq!(order_of(&all, Strategy::Shuffle, NONE, chance), "ba");
    }
}

#[test]
fn lower_orders_go_first_and_what_rests_goes_last_whatever_its_order() {
    for chance in 0..50 {
        let all = [
            Candidate { order: 2, ..candidate("c") },
            Candidate { order: 0, ..resting("r", RestReason::Failing) },
            Candidate { order: 1, ..candidate("b") },
            Candidate { order: 0, ..resting("x", RestReason::Asked) },
        ];
        assert_eq!(order_of(&all, Strategy::Shuffle, NONE, chance), "bcrx");
    }
}

#[test]
fn s26_only_a_rest_that_the_upstream_asked_for_bars() {
    use RestReason::*;
    for reason in [Asked, RateLimited, Failing, Credential, Account, CredentialFailing, Gone] {
        let all = [resting("a", reason)];
        let verdict = rank(&all, Strategy::Shuffle, NONE, 0)[0].verdict;
        assert_eq!((verdict.is_usable(), verdict.is_available()), (reason != Asked, false), "{reason:?}");
    }
}

#[test]
fn each_strategy_has_its_own_first() {
    let all = [
        Candidate { price: Some(5), ..busy("a", 1) },
        Candidate { price: None, ..busy("b", 0) },
        Candidate { price: Some(2), ..busy("c", 7) },
    ];
    for chance in 0..50 {
        assert_eq!(order_of(&all, Strategy::LeastBusy, NONE, chance), "bac");
        assert_eq!(order_of(&all, Strategy::Cost, NONE, chance), "cab");
    }
    let mut used = [candidate("a"), candidate("b")];
    used[0].standing.tokens_this_minute = 1000;
    assert_eq!(order_of(&used, Strategy::Usage, NONE, 3), "ba");
}

#[test]
fn the_slowest_of_many_is_never_chosen_by_latency_and_the_choice_varies() {
    let mut all: Vec<Candidate<'_>> = ["a", "b", "c", "d"].map(candidate).into();
    for (n, candidate) in all.iter_mut().enumerate() {
        candidate.standing.latency_ms = 100.0 * (n + 1) as f64;
    }
    let mut firsts = std::collections::BTreeSet::new();
    for n in 0..500 {
        firsts.insert(order_of(&all, Strategy::Latency, NONE, mixed(n, "")).remove(0));
    }
    assert_eq!(firsts.into_iter().collect::<String>(), "abc");
    // A fast one that is busy is expected to answer later than a slow one that is idle.
    let mut two = [busy("a", 9), busy("b", 0)];
    two[0].standing.latency_ms = 100.0;
    two[1].standing.latency_ms = 500.0;
    assert_eq!(order_of(&two, Strategy::Latency, NONE, 1), "ba");
}

#[test]
fn full_and_spent_deployments_come_after_the_others() {
    let mut full = busy("m", 2);
    full.standing.full = true;
    let mut spent = candidate("s");
    spent.standing.over_its_minute = true;
    let all = [full, spent, busy("f", 5)];
    let ranked = rank(&all, Strategy::Shuffle, NONE, 9);
    assert_eq!(all[ranked[0].index].id, "f");
    assert!(ranked[1..].iter().all(|r| !r.verdict.is_available() && r.verdict.is_usable()));
}

#[test]
fn a_conversation_stays_with_its_deployment() {
    let all = ["a", "b", "c"].map(candidate);
    for strategy in [Strategy::Shuffle, Strategy::LeastBusy, Strategy::Latency, Strategy::Cost, Strategy::Usage] {
        for chance in 0..50 {
            let ranked = rank(&all, strategy, Session { key: Some(7), last: Some("b") }, chance);
            assert_eq!(all[ranked[0].index].id, "b");
            assert_eq!(ranked[0].verdict, Verdict::SameConversation);
            assert_eq!(ranked.len(), 3);
        }
    }
}

#[test]
fn a_conversation_leaves_a_deployment_that_rests_or_is_much_busier_or_has_a_later_order() {
    let session = Session { key: None, last: Some("b") };
    assert!(order_of(&[candidate("a"), resting("b", RestReason::Failing)], Strategy::Shuffle, session, 1) == "ab");
    assert!(
        order_of(&[candidate("a"), Candidate { order: 1, ..candidate("b") }], Strategy::Shuffle, session, 1) == "ab"
    );
    // Twice the others' mean of 3 and 8 more are borne: 14.
    for chance in 0..20 {
        assert_eq!(order_of(&[busy("a", 3), busy("b", 14)], Strategy::LeastBusy, session, chance), "ba");
        assert_eq!(order_of(&[busy("a", 3), busy("b", 15)], Strategy::LeastBusy, session, chance), "ab");
    }
}

#[test]
fn a_new_conversation_draws_the_same_on_every_replica_and_moves_only_if_its_deployment_goes() {
    let all = ["a", "b", "c", "d"].map(candidate);
    let mut moved = 0;
    for key in 0..400 {
        let session = Session { key: Some(key), last: None };
        let first = order_of(&all, Strategy::Shuffle, session, 1);
        assert_eq!(first, order_of(&all, Strategy::Shuffle, session, 2));
        let without_d = order_of(&all[..3], Strategy::Shuffle, session, 3);
        if first.starts_with('d') {
            moved += 1;
        } else {
            assert_eq!(first.chars().next(), without_d.chars().next());
        }
    }
    assert!((60..140).contains(&moved), "{moved}");
}
