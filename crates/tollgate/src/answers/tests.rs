use super::*;

fn name(caller: u64, key: &str) -> Name {
    Name { caller, request: Request::Key(key.to_string()) }
}

fn same() -> Name {
    Name { caller: 1, request: Request::Digest([7; 32]) }
}

fn ticket(begun: Begun) -> Ticket {
    match begun {
        Begun::Go(Some(ticket)) => ticket,
        other => panic!("{other:?}"),
    }
}

fn body(begun: Begun) -> Bytes {
    match begun {
        Begun::Again(kept) => kept.body.clone(),
        other => panic!("{other:?}"),
    }
}

fn keep(mut ticket: Ticket, parts: &[&'static [u8]]) {
    for part in parts {
        ticket.take(&Bytes::from_static(part));
    }
    ticket.keep(StatusCode::OK, HeaderMap::new());
}

#[test]
fn an_answer_that_was_kept_is_given_again_to_its_own_caller_only() {
    let answers = Answers::default();
    keep(ticket(answers.again(&name(1, "k"), [1; 32])), &[b"one ", b"two"]);
    assert_eq!(body(answers.again(&name(1, "k"), [1; 32])), "one two");
    assert_eq!(body(answers.again(&name(1, "k"), [1; 32])), "one two", "as often as it is asked for");
    assert!(matches!(answers.again(&name(1, "k"), [2; 32]), Begun::Differs), "another request");
    ticket(answers.again(&name(2, "k"), [1; 32]));
    ticket(answers.again(&name(1, "other"), [1; 32]));
}

#[tokio::test]
async fn who_asks_meanwhile_waits_and_begins_anew_where_nothing_came_of_it() {
    let answers = Answers::default();
    let first = ticket(answers.again(&name(1, "k"), [1; 32]));
    let Begun::Running(mut over) = answers.again(&name(1, "k"), [1; 32]) else { panic!("it is running") };
    assert!(matches!(answers.again(&name(1, "k"), [2; 32]), Begun::Differs));
    assert!(!over.has_changed().expect("it runs"));
    drop(first);
    assert!(over.changed().await.is_err(), "it is over");
    let second = ticket(answers.again(&name(1, "k"), [1; 32]));
    let Begun::Running(mut over) = answers.again(&name(1, "k"), [1; 32]) else { panic!("it is running") };
    keep(second, &[b"x"]);
    assert!(over.changed().await.is_err());
    assert_eq!(body(answers.again(&name(1, "k"), [1; 32])), "x");
}

#[test]
fn of_several_equal_requests_a_retry_gets_no_answer_of_another() {
    let answers = Answers::default();
    // One after the other.
    keep(answers.first(&same(), [7; 32]).expect("the only one"), &[b"x"]);
    assert_eq!(body(answers.again(&same(), [7; 32])), "x");
    assert!(answers.first(&same(), [7; 32]).is_none());
    assert!(matches!(answers.again(&same(), [7; 32]), Begun::Go(None)));
    // At the same time.
    let answers = Answers::default();
    let first = answers.first(&same(), [7; 32]).expect("the only one");
    assert!(answers.first(&same(), [7; 32]).is_none());
    keep(first, &[b"x"]);
    assert!(answers.first(&same(), [7; 32]).is_none());
    assert!(matches!(answers.again(&same(), [7; 32]), Begun::Go(None)));
}

#[test]
fn a_request_that_was_aborted_leaves_nothing_behind() {
    let answers = Answers::default();
    let mut first = answers.first(&same(), [7; 32]).expect("the only one");
    first.take(&Bytes::from_static(b"part"));
    drop(first);
    keep(ticket(answers.again(&same(), [7; 32])), &[b"x"]);
    assert_eq!(body(answers.again(&same(), [7; 32])), "x");
    assert_eq!(answers.0.open.load(Ordering::Relaxed), 0);
}

#[test]
fn what_is_kept_and_what_is_taken_down_is_bounded() {
    const ROOM: usize = 4 * LONGEST;
    let answers = Answers::new(ROOM);
    let mut long = ticket(answers.again(&name(1, "long"), [1; 32]));
    long.take(&Bytes::from(vec![0; LONGEST]));
    long.take(&Bytes::from_static(b"x"));
    assert_eq!(answers.0.open.load(Ordering::Relaxed), 0, "it is let go of at once");
    long.keep(StatusCode::OK, HeaderMap::new());
    ticket(answers.again(&name(1, "long"), [1; 32]));
    // All that are taken down at the same time.
    let mut open: Vec<Ticket> = (0..5).map(|n| ticket(answers.again(&name(n, "open"), [1; 32]))).collect();
    open.iter_mut().for_each(|ticket| ticket.take(&Bytes::from(vec![0; LONGEST])));
    assert!(answers.0.open.load(Ordering::Relaxed) <= ROOM);
    drop(open);
    for n in 0..20 {
        let mut one = ticket(answers.again(&name(n, "k"), [1; 32]));
        one.take(&Bytes::from(vec![0; LONGEST / 2]));
        one.keep(StatusCode::OK, HeaderMap::new());
    }
    answers.0.kept.run_pending_tasks();
    assert!(answers.0.kept.weighted_size() <= ROOM as u64);
    body(answers.again(&name(19, "k"), [1; 32]));
    ticket(answers.again(&name(0, "k"), [1; 32]));
}
