use std::time::{Duration, Instant};

use super::*;
use crate::record::Outcome;

fn record(id: &str) -> Record {
    Record { id: id.into(), outcome: Outcome::Answered, ..Record::default() }
}

fn shared(id: &str) -> Shared {
    Arc::new(Mutex::new(record(id)))
}

#[test]
fn a_record_that_somebody_holds_at_its_end_is_kept_as_well() {
    let records = Records::open(None).unwrap();
    let held = records.begin(record("req_a"));
    records.end(held.clone());
    assert_eq!(records.find("req_a"), Some(record("req_a")));
    assert_eq!(*lock(&held), record("req_a"));
}

#[test]
fn a_request_is_found_under_way_and_after_its_end() {
    let records = Records::open(None).unwrap();
    let shared = records.begin(record("req_a"));
    lock(&shared).model = "kimi".into();
    assert_eq!(records.find("req_a").unwrap().model, "kimi");
    lock(&shared).outcome = Outcome::Failed;
    records.end(shared);
    assert_eq!(records.find("req_a").unwrap().outcome, Outcome::Failed);
    assert_eq!(records.find("req_b"), None);
}

#[test]
fn the_latest_come_first_and_those_under_way_before_all() {
    let records = Records::open(None).unwrap();
    for id in ["req_1", "req_2", "req_3"] {
        records.end(shared(id));
    }
    records.begin(Record { outcome: Outcome::UnderWay, ..record("req_4") });
    let ids = |all: Vec<Record>| all.into_iter().map(|r| r.id).collect::<Vec<_>>();
    assert_eq!(ids(records.latest(3, |_| true)), ["req_4", "req_3", "req_2"]);
    assert_eq!(ids(records.latest(9, |r| r.id != "req_3" && r.outcome == Outcome::Answered)), ["req_2", "req_1"]);
}

#[test]
fn memory_is_bounded() {
    let records = Records::open(None).unwrap();
    for n in 0..20_000 {
        records.end(shared(&format!("req_{n}")));
    }
    let latest = lock(&records.latest);
    assert!(latest.bytes <= MAX_MEMORY_BYTES);
    assert_eq!(latest.bytes, latest.records.iter().map(|(_, bytes)| bytes).sum::<usize>());
    assert!(latest.records.len() < 20_000);
}

#[test]
fn records_are_on_disk_shortly_after_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let records = Records::open(Some(folder.path())).unwrap();
    records.end(shared("req_kept"));
    let began = Instant::now();
    while find_in_files(folder.path(), "req_kept").unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "never written");
        std::thread::yield_now();
    }
    records.end(shared("req_last"));
    drop(records);
    assert_eq!(find_in_files(folder.path(), "req_last").unwrap(), Some(record("req_last")), "the end waits for it");
    let again = Records::open(Some(folder.path())).unwrap();
    assert_eq!(again.find("req_kept"), Some(record("req_kept")));
}

#[test]
fn files_are_bounded_and_a_line_cut_by_a_crash_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(folder.path(), 2000).unwrap();
    writer.write(b"{\"id\":\"req_cut\",\"mod\n").unwrap();
    for n in 0..100 {
        let mut line = serde_json::to_vec(&record(&format!("req_{n}"))).unwrap();
        line.push(b'\n');
        writer.write(&line).unwrap();
    }
    let size = |name| std::fs::metadata(folder.path().join(name)).unwrap().len();
    assert!(size(CURRENT) <= 2000 && size(OLDER) <= 2000);
    assert_eq!(find_in_files(folder.path(), "req_99").unwrap(), Some(record("req_99")));
    assert_eq!(find_in_files(folder.path(), "req_0").unwrap(), None);
    assert_eq!(find_in_files(folder.path(), "req_cut").unwrap(), None);
}
