use tollgate_policy::access::ScopeKind;
use tollgate_policy::budget::PotKey;
use tollgate_policy::window::Window;

use super::journal::{Journal, JournalError, Left, segment_path, segments};
use super::line::Line;
use super::reader::Reader;
use crate::ledger::{Begun, Charge, Counted, Status};

const MOST: u64 = 1 << 20;

fn begun(charge: &str) -> Begun {
    let key = PotKey { kind: ScopeKind::Key, id: "k".into(), model: "".into(), window: Window::Every(30), start_ms: 5 };
    let pots = vec![Counted { key, end_ms: Some(9), held: true, soft_nanos: Some(7) }];
    Begun { charge: charge.to_string(), at_ms: 6, pots, ..Begun::default() }
}

fn settle(charge: &str, cost_nanos: u64) -> Line {
    Line::Settle { charge: charge.to_string(), of: Charge { cost_nanos, ..Charge::default() } }
}

fn charges(reader: &mut Reader, last: u32) -> Vec<(String, u64)> {
    let entries = reader.read(100, last).unwrap();
    entries.into_iter().map(|entry| (entry.begun.charge, entry.charge.cost_nanos)).collect()
}

fn charged(charge: &str, nanos: u64) -> (String, u64) {
    (charge.to_string(), nanos)
}

#[test]
fn what_ended_is_read_in_order_while_the_journal_grows() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), MOST).unwrap();
    let mut reader = Reader::new(journal.folder());
    journal.hold(&begun("a"), 10).unwrap();
    journal.hold(&begun("b"), 10).unwrap();
    assert_eq!(charges(&mut reader, 1), []);
    journal.end("b", &settle("b", 2));
    journal.end("a", &Line::Release { charge: "a".to_string() });
    journal.end("c", &Line::Free { begun: begun("c"), of: Charge::default() });
    assert_eq!(charges(&mut reader, 1), [charged("b", 2), charged("c", 0)]);
    assert_eq!(reader.position(), journal.present());
    journal.hold(&begun("d"), 10).unwrap();
    reader.read(1, 1).unwrap();
    assert!(!journal.seal(reader.position()), "something is open");
    journal.end("d", &Line::Release { charge: "d".to_string() });
    assert!(!journal.seal(reader.position()), "it is not read to the end");
    reader.read(1, 1).unwrap();
    assert!(journal.seal(reader.position()));
    assert!(matches!(journal.hold(&begun("e"), 10), Err(JournalError::Closed)));
    let again = Reader::new(journal.folder()).read(1, 1).unwrap();
    assert_eq!(again[0].begun, begun("b"), "all of it comes back as it was");
}

#[test]
fn what_has_no_end_when_the_process_died_cost_what_was_held() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), MOST).unwrap();
    journal.hold(&begun("a"), 10).unwrap();
    journal.hold(&begun("b"), 20).unwrap();
    journal.end("a", &settle("a", 1));
    assert!(Left::find(dir.path()).is_empty(), "it lives");
    drop(journal);
    let left = Left::find(dir.path());
    assert!(Left::find(dir.path()).is_empty(), "somebody has it");
    let mut reader = Reader::new(&left[0].folder);
    assert_eq!(charges(&mut reader, 1), [charged("a", 1)]);
    let interrupted = reader.interrupted();
    assert_eq!(interrupted.len(), 1);
    assert_eq!((interrupted[0].charge.cost_nanos, interrupted[0].charge.status), (20, Status::Interrupted));
    left[0].remove().unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_line_that_was_cut_short_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), MOST).unwrap();
    journal.hold(&begun("a"), 10).unwrap();
    journal.end("a", &settle("a", 1));
    journal.hold(&begun("b"), 20).unwrap();
    let path = segment_path(journal.folder(), 1);
    let whole = std::fs::read(&path).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap();
    for cut in [whole.len() - 1, whole.len() - 20, first + 1, first, first - 1, 0] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let mut reader = Reader::new(journal.folder());
        let read = charges(&mut reader, 1);
        assert_eq!(read.len(), usize::from(cut > whole.len() - 300), "{cut} of {}", whole.len());
        assert_eq!(reader.interrupted().len(), usize::from(cut == first + 1), "{cut} of {}", whole.len());
    }
    // Damage in the middle costs one line.
    let mut damaged = whole.clone();
    damaged[20] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let mut reader = Reader::new(journal.folder());
    assert_eq!(charges(&mut reader, 1), []);
    assert_eq!(reader.interrupted().len(), 1);
}

#[test]
fn a_new_segment_takes_along_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), 1 << 30).unwrap();
    journal.hold(&begun("long"), 10).unwrap();
    let mut ended = 0;
    while journal.present().1 < 4 << 20 {
        ended += 1;
        let charge = ended.to_string();
        journal.hold(&begun(&charge), 10).unwrap();
        journal.end(&charge, &settle(&charge, 1));
    }
    journal.rotate().unwrap();
    assert_eq!(journal.present().0, 2);
    let mut reader = Reader::new(journal.folder());
    let mut read = 0;
    loop {
        match charges(&mut reader, 2).len() {
            0 => break,
            more => read += more,
        }
    }
    assert_eq!((read, reader.segment()), (ended, 2));
    journal.delete(1).unwrap();
    assert_eq!(segments(journal.folder()).unwrap(), [2]);
    journal.end("long", &settle("long", 5));
    // As after a crash: from what is left alone.
    assert_eq!(charges(&mut Reader::new(journal.folder()), 2), [charged("long", 5)]);
    assert_eq!(charges(&mut reader, 2), [charged("long", 5)]);
}

#[test]
fn a_full_journal_takes_no_more_holds_and_every_end() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::create(dir.path(), 1000).unwrap();
    let held = (0..100).take_while(|number| journal.hold(&begun(&number.to_string()), 10).is_ok()).count();
    assert!((2..10).contains(&held), "{held}");
    assert!(matches!(journal.hold(&begun("more"), 10), Err(JournalError::Full)));
    journal.end("0", &settle("0", 1));
    assert_eq!(charges(&mut Reader::new(journal.folder()), 1), [charged("0", 1)]);
}
