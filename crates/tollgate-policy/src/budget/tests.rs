use std::collections::BTreeMap;
use std::slice::from_ref;

use super::*;
use crate::access::{Budget, Grants, Limits, Scope};
use crate::price::Price;

mod model;

const DOLLAR: u64 = 1_000_000_000;

fn key(id: &str, start_ms: u64) -> PotKey {
    PotKey { kind: ScopeKind::Key, id: id.into(), model: "".into(), window: Window::Day, start_ms }
}

fn capped(id: &str, cap_nanos: u64) -> Capped {
    Capped { key: key(id, 0), cap_nanos, end_ms: Some(86_400_000) }
}

fn standing(spent_nanos: u64, others_nanos: u64, replicas: u32) -> Standing {
    Standing { spent_nanos, others_nanos, replicas }
}

/// A book whose pot was visited once.
fn book(pot: &Capped, leased_nanos: u64, standing: Standing) -> Book {
    let mut book = Book::default();
    let visit = book.visit(pot, leased_nanos, 0);
    book.visited(&visit, Leased { nanos: leased_nanos, standing }, 0, 1000);
    book
}

fn held(answer: Answer) -> (u64, u64) {
    match answer {
        Answer::Held { nanos, output_tokens } => (nanos, output_tokens),
        other => panic!("{other:?}"),
    }
}

fn denied(answer: Answer) -> Denial {
    match answer {
        Answer::Denied(denial) => denial,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_estimate_is_the_most_a_request_can_cost() {
    // $3 and $15 per million tokens; writing to the cache $3.75, for an hour $6, reading $0.30.
    let price = Price {
        input: 3_000_000_000,
        output: 15_000_000_000,
        cache_read: 300_000_000,
        cache_write: 3_750_000_000,
        cache_write_long: 6_000_000_000,
        ..Price::default()
    };
    // 1,000 × $3/M + 100 × $15/M = $0.003 + $0.0015.
    assert_eq!(Estimate::new(&price, 1000, CacheWrites::No, 100, 1).whole_nanos(), 4_500_000);
    assert_eq!(Estimate::new(&price, 1000, CacheWrites::Usual, 100, 1).whole_nanos(), 5_250_000);
    assert_eq!(Estimate::new(&price, 1000, CacheWrites::Long, 100, 1).whole_nanos(), 7_500_000);
    assert_eq!(Estimate::new(&price, 0, CacheWrites::No, 0, 0).plus(7).whole_nanos(), 7);
    // A third of a nano-dollar is a whole one: never less than what is settled.
    let tiny = Price::new(333_333, 0);
    assert_eq!(Estimate::new(&tiny, 1, CacheWrites::No, 0, 0).whole_nanos(), 1);
}

#[test]
fn the_output_is_cut_to_what_is_left() {
    let price = Price::new(1_000_000_000, 10_000_000_000);
    // Input $0.001; each output token 10,000 nano-dollars.
    let estimate = Estimate::new(&price, 1000, CacheWrites::No, 1000, 50);
    assert_eq!(estimate.whole_nanos(), 11_000_000);
    assert_eq!(estimate.affordable(20_000_000), Some(1000));
    assert_eq!(estimate.affordable(11_000_000), Some(1000));
    assert_eq!(estimate.affordable(3_009_999), Some(200));
    assert_eq!(estimate.affordable(1_500_000), Some(50));
    assert_eq!(estimate.affordable(1_499_999), None, "less than 50 tokens are not worth it");
    assert_eq!(estimate.affordable(999_999), None, "not even the input");
    let mut book = book(&capped("k", DOLLAR), 3_009_999, standing(DOLLAR - 3_009_999, 0, 1));
    let answer = book.reserve(&[capped("k", DOLLAR)], &estimate, Stance::Asked, 1);
    assert_eq!(held(answer), (3_000_000, 200));
}

#[test]
fn another_attempt_needs_what_the_first_ones_cost_beside_what_is_held() {
    let price = Price::new(1_000_000_000, 10_000_000_000);
    // Input $0.001, output $0.01; $0.011 are held, of which an attempt that broke off took 4,000,000 nano-dollars.
    let estimate = Estimate::new(&price, 1000, CacheWrites::No, 1000, 50);
    let again = estimate.plus(4_000_000).beside(11_000_000);
    assert_eq!(again.whole_nanos(), 4_000_000);
    assert_eq!(again.affordable(4_000_000), Some(1000));
    assert_eq!(again.affordable(3_999_999), Some(999));
    // 11,000,000 - 4,000,000 - 1,000,000 for the input are left of what is held: 600 tokens.
    assert_eq!(again.affordable(0), Some(600));
    assert_eq!(again.up_to(600).whole_nanos(), 0);
    // Its prompt is 500 tokens longer: half a million nano-dollars more.
    assert_eq!(estimate.longer(500).plus(4_000_000).beside(11_000_000).whole_nanos(), 4_500_000);
    // 10,500,000 are gone: what is left of what is held does not even pay for the input.
    let late = estimate.plus(10_500_000).beside(11_000_000);
    assert_eq!((late.affordable(0), late.least_nanos()), (None, 1_000_000));
    let mut book = book(&capped("k", DOLLAR), 15_000_000, standing(0, 0, 1));
    let pots = [capped("k", DOLLAR)];
    assert_eq!(held(book.reserve(&pots, &estimate, Stance::Asked, 1)), (11_000_000, 1000));
    assert_eq!(held(book.reserve(&pots, &again, Stance::Asked, 1)), (4_000_000, 1000));
    assert_eq!(book.committed(&pots[0].key), (15_000_000, 0), "never more than the lease");
    assert_eq!(denied(book.reserve(&pots, &late, Stance::Asked, 1)).asked_nanos, 1_000_000);
}

#[test]
fn a_scope_has_a_counter_and_all_its_budgets() {
    let budget = |max_nanos, window| Budget { max_nanos, window };
    let limits = Limits {
        budget: Some(budget(100, Window::Month)),
        budgets: vec![budget(10, Window::Day), budget(90, Window::Month)],
        model_budgets: BTreeMap::from([
            ("gpt-*".to_string(), budget(5, Window::Day)),
            ("gpt-4".to_string(), budget(4, Window::Total)),
            ("claude".to_string(), budget(3, Window::Day)),
        ]),
        soft_budget_nanos: Some(80),
        increase: Some(Increase { nanos: 50, until_ms: 1000 }),
        ..Limits::default()
    };
    let scope = Scope { kind: ScopeKind::Team, id: "t".to_string(), grants: Grants::default(), limits };
    let pots = pots_of(&scope, "gpt-4");
    let shown: Vec<_> = pots.iter().map(|pot| (&*pot.model, pot.window, pot.cap_nanos(1000), pot.soft_nanos)).collect();
    assert_eq!(
        shown,
        [
            ("", Window::Total, None, None),
            ("", Window::Month, Some(90), Some(80)),
            ("", Window::Day, Some(10), None),
            ("gpt-*", Window::Day, Some(5), None),
            ("gpt-4", Window::Total, Some(4), None),
        ]
    );
}

#[test]
fn an_increase_is_on_top_until_it_ends() {
    let increase = Some(Increase { nanos: 50, until_ms: 1000 });
    let pot = Pot {
        kind: ScopeKind::Key,
        id: "k".into(),
        model: "".into(),
        window: Window::Total,
        max_nanos: Some(100),
        increase,
        soft_nanos: None,
    };
    assert_eq!((pot.cap_nanos(999), pot.cap_nanos(1000)), (Some(150), Some(100)));
}

#[test]
fn a_lease_is_what_was_asked_for_and_a_share_of_the_rest() {
    let visit = |committed_nanos, wanted_nanos| Visit {
        key: key("k", 0),
        cap_nanos: 1000,
        end_ms: None,
        committed_nanos,
        wanted_nanos,
    };
    // 1000 - 100 - 200 are free; 50 and 100 are asked for, of the other 550 a quarter comes on top.
    assert_eq!(lease(1000, standing(100, 200, 2), &visit(50, 100)), 150 + 137);
    // Alone: half of the rest.
    assert_eq!(lease(1000, standing(100, 200, 1), &visit(50, 100)), 150 + 275);
    // Less is left than asked for.
    assert_eq!(lease(1000, standing(700, 200, 2), &visit(50, 100)), 100);
    // Nothing is wanted: what is idle goes back.
    assert_eq!(lease(1000, standing(100, 200, 2), &visit(50, 0)), 50);
    // What is committed cannot go back, even over the cap.
    assert_eq!(lease(1000, standing(900, 90, 2), &visit(50, 100)), 50);
}

#[test]
fn a_book_asks_only_when_its_lease_does_not_do() {
    let pot = capped("k", 1000);
    let mut book = book(&pot, 100, standing(0, 0, 1));
    let pots = [pot];
    assert_eq!(held(book.reserve(&pots, &Estimate::flat(60), Stance::CanAsk, 1)).0, 60);
    assert_eq!(book.reserve(&pots, &Estimate::flat(60), Stance::CanAsk, 1), Answer::Short(pots.to_vec()));
    book.settle(&[key("k", 0)], 60, 10);
    assert_eq!(held(book.reserve(&pots, &Estimate::flat(60), Stance::CanAsk, 1)).0, 60);
    // 60 are held and 10 spent, of 100.
    let denial = denied(book.reserve(&pots, &Estimate::flat(31), Stance::Asked, 1));
    assert_eq!((denial.spent_nanos, denial.held_nanos, denial.may_pass()), (10, 60, true));
}

#[test]
fn what_costs_more_than_was_held_is_taken_from_the_next() {
    let pot = capped("k", 1000);
    let mut book = book(&pot, 100, standing(900, 0, 1));
    held(book.reserve(from_ref(&pot), &Estimate::flat(60), Stance::CanAsk, 1));
    book.settle(&[key("k", 0)], 60, 150);
    let denial = denied(book.reserve(&[pot], &Estimate::flat(1), Stance::Asked, 1));
    assert_eq!((denial.spent_nanos, denial.may_pass()), (1050, false));
}

#[test]
fn nothing_is_taken_from_one_pot_when_another_has_too_little() {
    let (rich, poor) = (capped("rich", 1000), capped("poor", 1000));
    let mut book = book(&rich, 100, standing(0, 0, 1));
    let visit = book.visit(&poor, 10, 0);
    book.visited(&visit, Leased { nanos: 5, standing: standing(995, 0, 1) }, 0, 1000);
    let denial = denied(book.reserve(&[rich.clone(), poor], &Estimate::flat(50), Stance::CanAsk, 1));
    assert_eq!(&*denial.pot.key.id, "poor");
    assert_eq!(held(book.reserve(&[rich], &Estimate::flat(100), Stance::CanAsk, 1)).0, 100);
}

#[test]
fn a_dry_pot_is_not_asked_about_for_a_second() {
    let pot = capped("k", 1000);
    let mut book = Book::default();
    let visit = book.visit(&pot, 50, 0);
    book.visited(&visit, Leased { nanos: 0, standing: standing(1000, 0, 1) }, 10, 1000);
    let mut at = |now_ms| book.reserve(from_ref(&pot), &Estimate::flat(50), Stance::CanAsk, now_ms);
    assert!(!denied(at(1009)).may_pass());
    assert!(matches!(at(1010), Answer::Short(_)));
}

#[test]
fn a_lease_counts_for_nothing_while_it_is_being_changed() {
    let pot = capped("k", 1000);
    let mut book = book(&pot, 100, standing(0, 0, 1));
    let visit = book.visit(&pot, 0, 1);
    assert_eq!(book.reserve(from_ref(&pot), &Estimate::flat(1), Stance::CanAsk, 1), Answer::Short(vec![pot.clone()]));
    book.visited(&visit, Leased { nanos: 100, standing: standing(0, 0, 1) }, 1, 1000);
    held(book.reserve(&[pot], &Estimate::flat(1), Stance::CanAsk, 1));
}

#[test]
fn a_lease_of_a_higher_cap_is_not_spent_under_a_lower_one() {
    let mut book = book(&capped("k", 1000), 500, standing(0, 0, 1));
    let lower = capped("k", 100);
    assert_eq!(book.reserve(from_ref(&lower), &Estimate::flat(1), Stance::CanAsk, 1), Answer::Short(vec![lower]));
}

#[test]
fn while_the_database_is_away_each_replica_spends_its_share_of_what_was_left() {
    let pot = capped("k", 1000);
    // 1000 - 300 - 100 are ours to reach: 100 leased, and half of the other 500.
    let mut book = book(&pot, 100, standing(300, 100, 2));
    book.doubt();
    let pots = [pot];
    assert_eq!(held(book.reserve(&pots, &Estimate::flat(350), Stance::Away, 1)).0, 350);
    denied(book.reserve(&pots, &Estimate::flat(1), Stance::Away, 1));
    // Of a pot that was never seen nothing is known …
    let other = capped("other", 1000);
    assert_eq!(book.reserve(from_ref(&other), &Estimate::flat(1), Stance::Away, 1), Answer::Unknown(other.key));
    // … unless its window began since.
    let tomorrow = Capped { key: key("k", 2000), ..pots[0].clone() };
    assert_eq!(held(book.reserve(from_ref(&tomorrow), &Estimate::flat(500), Stance::Away, 1)).0, 500);
    denied(book.reserve(&[tomorrow], &Estimate::flat(1), Stance::Away, 1));
}

#[test]
fn idle_leases_go_back_and_their_pots_are_forgotten_later() {
    let pot = capped("k", 1000);
    let mut book = book(&pot, 100, standing(0, 0, 2));
    held(book.reserve(from_ref(&pot), &Estimate::flat(60), Stance::CanAsk, 5));
    assert!(book.return_idle(1000, 1004).is_empty());
    let visits = book.return_idle(1000, 1005);
    assert_eq!((visits[0].committed_nanos, visits[0].wanted_nanos), (60, 0));
    let meanwhile = book.reserve(from_ref(&pot), &Estimate::flat(1), Stance::CanAsk, 5);
    assert!(matches!(meanwhile, Answer::Short(_)), "what goes back is not spent meanwhile");
    book.visited(&visits[0], Leased { nanos: 60, standing: standing(0, 0, 2) }, 1005, 2000);
    assert!(book.return_idle(1000, 9999).is_empty(), "it is all in use");
    book.forget(10_000_000);
    assert_eq!(book.committed(&pot.key), (60, 0));
    book.settle(from_ref(&pot.key), 60, 20);
    book.applied(&pot.key, 20, 20);
    let visits = book.return_idle(1000, 9999);
    book.visited(&visits[0], Leased { nanos: 0, standing: standing(20, 0, 2) }, 9999, 3000);
    book.forget(600_004);
    assert!(matches!(book.reserve(from_ref(&pot), &Estimate::flat(1), Stance::Away, 600_004), Answer::Held { .. }));
    book.release(from_ref(&pot.key), 1);
    book.forget(10_000_000);
    assert!(matches!(book.reserve(&[pot], &Estimate::flat(1), Stance::Away, 10_000_000), Answer::Unknown(_)));
}

#[test]
fn of_a_lease_that_others_took_back_nothing_more_is_spent() {
    let pot = capped("k", 1000);
    let mut book = book(&pot, 100, standing(0, 0, 2));
    assert_eq!(held(book.reserve(from_ref(&pot), &Estimate::flat(40), Stance::CanAsk, 1)).0, 40);
    book.settle(from_ref(&pot.key), 40, 40);
    // This process stood still for so long that it was taken for dead: the database had no lease of it any more.
    book.applied(&pot.key, 40, 0);
    let next = book.reserve(from_ref(&pot), &Estimate::flat(1), Stance::CanAsk, 2);
    assert!(matches!(next, Answer::Short(_)), "{next:?}");
}

#[test]
fn a_lease_that_is_only_asked_for_is_idle() {
    let (rich, poor) = (capped("rich", 1000), capped("poor", 1000));
    let mut book = book(&rich, 100, standing(0, 0, 2));
    let visit = book.visit(&poor, 50, 0);
    book.visited(&visit, Leased { nanos: 0, standing: standing(1000, 0, 2) }, 900, 1000);
    denied(book.reserve(&[rich.clone(), poor], &Estimate::flat(50), Stance::CanAsk, 999));
    let returned: Vec<PotKey> = book.return_idle(1000, 1000).into_iter().map(|visit| visit.key).collect();
    assert_eq!(returned, [rich.key]);
}

#[test]
fn a_denial_says_whose_budget_how_much_and_how_long() {
    let pot = Capped { key: PotKey { model: "gpt-*".into(), ..key("abc", 0) }, cap_nanos: 10 * DOLLAR, end_ms: None };
    let denial = Denial { pot, spent_nanos: 9_500_000_000, held_nanos: DOLLAR / 4, asked_nanos: DOLLAR };
    assert_eq!(
        denial.to_string(),
        "the budget of key `abc` for model `gpt-*` is $10 (day): $9.5 spent, $0.25 held for requests under way, \
         and this request needs $1"
    );
    assert!(!denial.may_pass());
}
