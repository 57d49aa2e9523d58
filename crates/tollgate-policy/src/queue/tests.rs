use super::*;

mod simulation;

fn arrival(tenant: char) -> Arrival<char> {
    Arrival { tenant, weight: 1, class: Class::Interactive, priority: 0 }
}

fn batch(tenant: char) -> Arrival<char> {
    Arrival { class: Class::Batch, ..arrival(tenant) }
}

const MANY: usize = 1_000_000;

/// A queue that remembers whose each ticket is.
#[derive(Default)]
struct Named {
    queue: FairQueue<char>,
    names: HashMap<Ticket, char>,
}

impl Named {
    fn push(&mut self, arrival: Arrival<char>) -> Ticket {
        self.try_push(arrival, MANY).expect("there is room").ticket
    }

    fn try_push(&mut self, arrival: Arrival<char>, most: usize) -> Result<Taken, Full> {
        let taken = self.queue.push(arrival, u64::MAX, most)?;
        self.names.insert(taken.ticket, arrival.tenant);
        Ok(taken)
    }

    /// The tenants of the next so many that go.
    fn pop(&mut self, count: usize) -> String {
        (0..count).filter_map(|_| self.queue.pop(|_| true)).map(|ticket| self.names[&ticket]).collect()
    }

    fn waiting(&self, tenant: char) -> usize {
        self.queue.waiting.keys().filter(|ticket| self.names[ticket] == tenant).count()
    }
}

#[test]
fn s20_a_newcomer_goes_within_two_however_many_wait_before_it() {
    for gone_before in [0, 1, 7, 100] {
        let mut queue = Named::default();
        (0..200).for_each(|_| {
            queue.push(arrival('a'));
        });
        queue.pop(gone_before);
        queue.push(arrival('b'));
        assert!(queue.pop(2).contains('b'), "after {gone_before}");
    }
}

#[test]
fn tenants_take_turns_of_as_many_as_their_weight() {
    let mut queue = Named::default();
    for _ in 0..6 {
        queue.push(Arrival { weight: 2, ..arrival('a') });
        queue.push(arrival('b'));
        queue.push(Arrival { weight: 3, ..arrival('c') });
    }
    assert_eq!(queue.pop(12), "aabcccaabccc");
}

#[test]
fn time_without_a_request_gives_no_credit() {
    let mut queue = Named::default();
    queue.push(arrival('b'));
    assert_eq!(queue.pop(1), "b");
    (0..50).for_each(|_| {
        queue.push(arrival('a'));
    });
    assert_eq!(queue.pop(20), "a".repeat(20));
    // b was away for twenty: it has its turn all the same, and not twenty of them.
    (0..4).for_each(|_| {
        queue.push(arrival('b'));
    });
    assert_eq!(queue.pop(8), "abababab");
}

#[test]
fn who_leaves_and_comes_back_joins_at_the_end_of_the_round() {
    let mut queue = Named::default();
    for tenant in ['a', 'b', 'c'] {
        queue.push(arrival(tenant));
        queue.push(arrival(tenant));
    }
    for _ in 0..3 {
        let of_a: Vec<Ticket> = queue.queue.waiting.keys().filter(|t| queue.names[t] == 'a').copied().collect();
        of_a.into_iter().for_each(|ticket| assert!(queue.queue.cancel(ticket)));
        queue.push(arrival('a'));
        queue.push(arrival('a'));
    }
    assert_eq!(queue.pop(6), "bcabca");
}

#[test]
fn interactive_goes_before_batch_and_batch_still_has_one_in_nine() {
    let mut queue = Named::default();
    (0..100).for_each(|_| {
        queue.push(batch('b'));
    });
    assert_eq!(queue.pop(3), "bbb");
    (0..100).for_each(|_| {
        queue.push(arrival('i'));
    });
    assert_eq!(queue.pop(18), format!("{0}b{0}b", "i".repeat(8)));
    // What went while no batch request waited gives batch no credit.
    let mut queue = Named::default();
    (0..40).for_each(|_| {
        queue.push(arrival('i'));
    });
    queue.pop(20);
    queue.push(batch('b'));
    assert_eq!(queue.pop(9), "iiiiiiiib");
}

#[test]
fn batch_waits_for_a_whole_round_of_the_interactive_tenants() {
    let mut queue = Named::default();
    let names: String = ('a'..='l').collect();
    for _ in 0..3 {
        names.chars().for_each(|name| {
            queue.push(arrival(name));
        });
        queue.push(batch('z'));
    }
    assert_eq!(queue.pop(26), format!("{names}z{names}z"));
}

#[test]
fn priorities_order_a_tenants_own_requests_and_nobody_elses() {
    let mut queue = Named::default();
    let late = queue.push(Arrival { priority: 5, ..arrival('a') });
    let usual = queue.push(arrival('a'));
    let urgent = queue.push(Arrival { priority: -1, ..arrival('a') });
    let other = queue.push(Arrival { priority: 9, ..arrival('b') });
    let order: Vec<Ticket> = (0..4).filter_map(|_| queue.queue.pop(|_| true)).collect();
    assert_eq!(order, [urgent, other, usual, late]);
}

#[test]
fn who_cannot_go_keeps_the_turn_and_lets_others_go_first() {
    let mut queue = Named::default();
    let large = queue.push(arrival('a'));
    let small = queue.push(arrival('a'));
    let other = queue.push(arrival('b'));
    assert_eq!(queue.queue.pop(|ticket| ticket == other), Some(other));
    assert_eq!(queue.queue.pop(|ticket| ticket != large), Some(small));
    assert_eq!(queue.queue.pop(|_| false), None);
    assert_eq!(queue.queue.pop(|_| true), Some(large));
}

#[test]
fn a_tenant_that_fills_the_queue_gives_way_to_others_up_to_equal_parts() {
    let mut queue = Named::default();
    for _ in 0..12 {
        assert!(queue.try_push(arrival('a'), 12).is_ok());
    }
    assert_eq!(queue.try_push(arrival('a'), 12), Err(Full));
    let mut last = *queue.queue.waiting.keys().max().unwrap();
    for _ in 0..6 {
        let taken = queue.try_push(arrival('b'), 12).unwrap();
        assert_eq!(taken.gave_way, Some(last), "the one that would go last");
        assert!(!queue.queue.cancel(last));
        last = Ticket(last.0 - 1);
    }
    assert_eq!(queue.try_push(arrival('b'), 12), Err(Full));
    for _ in 0..4 {
        queue.try_push(arrival('c'), 12).unwrap();
    }
    assert_eq!(queue.try_push(arrival('c'), 12), Err(Full));
    assert_eq!(['a', 'b', 'c'].map(|tenant| queue.waiting(tenant)), [4, 4, 4]);
}

#[test]
fn where_nobody_may_wait_nobody_does() {
    let mut queue = Named::default();
    assert_eq!(queue.try_push(arrival('a'), 0), Err(Full));
    assert!(queue.queue.is_empty());
}

#[test]
fn batch_gives_its_places_to_interactive_requests_and_gets_none_from_them() {
    let mut queue = Named::default();
    let first = queue.push(batch('a'));
    let second = queue.push(batch('a'));
    assert_eq!(queue.try_push(arrival('a'), 2).unwrap().gave_way, Some(second));
    assert_eq!(queue.try_push(arrival('b'), 2).unwrap().gave_way, Some(first));
    assert_eq!(queue.try_push(batch('c'), 2), Err(Full));
}

#[test]
fn what_has_waited_too_long_is_taken_out_once() {
    let mut queue = Named::default();
    let tickets = [300, 100, 200].map(|at_ms| queue.queue.push(arrival('a'), at_ms, MANY).unwrap().ticket);
    queue.names.extend(tickets.map(|ticket| (ticket, 'a')));
    assert_eq!(queue.queue.expire(99), []);
    assert_eq!(queue.queue.expire(200), [tickets[1], tickets[2]]);
    assert_eq!(queue.queue.expire(200), []);
    assert!(!queue.queue.cancel(tickets[1]));
    assert_eq!(queue.pop(2), "a");
    assert_eq!(queue.queue.expire(u64::MAX), []);
}

#[test]
fn a_place_is_told_as_how_many_go_before() {
    let mut queue = Named::default();
    let of_a: Vec<Ticket> = (0..5).map(|_| queue.push(arrival('a'))).collect();
    let of_b: Vec<Ticket> = (0..2).map(|_| queue.push(arrival('b'))).collect();
    let later = queue.push(batch('a'));
    let position = |ticket| queue.queue.position(ticket);
    assert_eq!(of_a.iter().map(|t| position(*t).unwrap()).collect::<Vec<_>>(), [0, 2, 4, 5, 6]);
    assert_eq!(of_b.iter().map(|t| position(*t).unwrap()).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(position(later), Some(7));
    queue.queue.cancel(later);
    assert_eq!(queue.queue.position(later), None);
}

#[test]
fn one_that_cannot_go_after_all_is_put_back_before_all_others_and_nobody_loses_a_turn() {
    let in_order = || {
        let mut queue = Named::default();
        for tenant in ['a', 'b', 'a', 'c', 'b', 'a'] {
            queue.push(arrival(tenant));
        }
        queue
    };
    let expected = in_order().pop(6);
    assert_eq!(expected, "abcaba");
    for gone in 0..6 {
        let mut queue = in_order();
        let before = queue.pop(gone);
        let ticket = queue.queue.pop(|_| true).unwrap();
        let tenant = queue.names[&ticket];
        queue.queue.put_back(ticket, arrival(tenant), u64::MAX);
        assert_eq!(queue.queue.position(ticket), Some(0));
        assert_eq!(before + &queue.pop(6), expected, "{gone}");
    }
}

#[test]
fn batch_work_that_is_put_back_still_goes_in_its_turn_and_keeps_its_deadline() {
    let mut queue = Named::default();
    let ticket = queue.push(batch('x'));
    (0..20).for_each(|_| {
        queue.push(arrival('a'));
    });
    assert_eq!(queue.pop(8), "aaaaaaaa");
    assert_eq!(queue.queue.pop(|_| true), Some(ticket));
    queue.queue.put_back(ticket, batch('x'), 500);
    assert_eq!(queue.pop(1), "x");
    queue.queue.put_back(ticket, batch('x'), 500);
    assert_eq!((queue.queue.expire(499), queue.queue.expire(500)), (vec![], vec![ticket]));
}
