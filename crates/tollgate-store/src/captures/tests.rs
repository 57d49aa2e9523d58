use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::capture::Body;
use crate::record::Record;

/// A capture whose file takes at least `bytes`, and at most 1000 more.
fn capture(number: u32, bytes: usize) -> Capture {
    let body = Body::new(&format!("{{\"text\":\"{}\"}}", "x".repeat(bytes)));
    Capture { record: Record { id: format!("req_{number:04}"), ..Record::default() }, body, ..Capture::default() }
}

fn size_of(folder: &Path) -> u64 {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn a_capture_is_found_by_its_id_and_only_its_owner_can_read_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut captures = Captures::of_data_dir(dir.path());
    assert_eq!(captures.find("req_0001"), None);
    captures.keep(&capture(1, 10), 10_000).unwrap();
    let path = captures.find("req_0001").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(captures.folder()).unwrap().permissions().mode() & 0o777, 0o700);
    let again: Capture = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(again.record.id, "req_0001");
    assert_eq!(captures.ids(), ["req_0001"]);
}

#[test]
fn an_id_that_leads_elsewhere_is_no_id() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("req_.json"), "{}").unwrap();
    let mut captures = Captures::of_data_dir(dir.path());
    captures.keep(&capture(1, 10), 10_000).unwrap();
    assert_eq!(captures.find("req_/../../req_"), None);
    let mut elsewhere = capture(2, 10);
    elsewhere.record.id = "../req_".into();
    assert!(captures.keep(&elsewhere, 10_000).is_err());
}

#[test]
fn the_oldest_make_room_and_the_folder_never_exceeds_its_bound() {
    let dir = tempfile::tempdir().unwrap();
    let mut captures = Captures::of_data_dir(dir.path());
    for number in 0..40 {
        // A second process with the same folder in between.
        let other = &mut Captures::of_data_dir(dir.path());
        let by = if number % 7 == 3 { other } else { &mut captures };
        by.keep(&capture(number, 5_000), 50_000).unwrap();
        if number % 7 != 3 {
            assert!(size_of(captures.folder()) <= 50_000 + 6_000, "{number}");
        }
    }
    captures.keep(&capture(40, 5_000), 50_000).unwrap();
    let ids = captures.ids();
    assert_eq!(ids.last().unwrap(), "req_0040");
    assert!(ids.len() >= 5 && !ids.contains(&"req_0000".to_string()), "{ids:?}");
}

#[test]
fn what_is_larger_than_the_bound_is_not_kept_and_removes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut captures = Captures::of_data_dir(dir.path());
    captures.keep(&capture(1, 10), 10_000).unwrap();
    let error = captures.keep(&capture(2, 20_000), 10_000).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(captures.ids(), ["req_0001"]);
}
