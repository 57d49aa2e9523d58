use super::*;

#[test]
fn a_record_survives_being_written_down() {
    let mut record = Record { id: "req_1".into(), outcome: Outcome::Failed, ..Record::default() };
    record.push_attempt(Attempt {
        deployment: "d".into(),
        failure: Some(AttemptFailure { kind: "rate_limited".into(), status: Some(429), ..AttemptFailure::default() }),
        ..Attempt::default()
    });
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
    // What an older version wrote, with less in it.
    assert_eq!(serde_json::from_str::<Record>(r#"{"id":"req_2"}"#).unwrap().id, "req_2");
}

#[test]
fn a_record_is_bounded_and_keeps_the_first_and_the_latest_attempts() {
    let mut record = Record::default();
    for n in 0..1000 {
        record.push_attempt(Attempt { began_ms: n, ..Attempt::default() });
        record.push_route(RouteTaken { candidates: vec![Candidate::default(); 1000], ..RouteTaken::default() });
    }
    assert_eq!(record.attempts.len(), MAX_ATTEMPTS);
    assert_eq!(record.attempts_left_out, 1000 - MAX_ATTEMPTS as u64);
    assert_eq!(record.attempts[0].began_ms, 0);
    assert_eq!(record.attempts.last().unwrap().began_ms, 999);
    assert_eq!(record.routes.len(), MAX_ROUTES);
    assert!(record.routes.iter().all(|route| route.candidates.len() == MAX_CANDIDATES));
    assert_eq!(bounded(&"é".repeat(2000)).chars().count(), MAX_TEXT + 1);
}
