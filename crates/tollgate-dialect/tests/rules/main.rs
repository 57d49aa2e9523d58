//! The rules of translation, each shown by fixtures under `fixtures/rules`: `RULES.md` there lists the rules and where each is
//! shown, and says what a fixture folder holds.
//!
//! Everything goes through the crate's outward functions, from the client's or upstream's bytes to the bytes that we write,
//! and bytes are compared.

mod case;
mod index;
mod play;

use case::{Case, Kind};

#[test]
fn every_fixture_gives_the_bytes_that_its_rule_asks_for() {
    let cases = case::all();
    assert!(cases.len() > 450, "only {} fixtures", cases.len());
    let failures: Vec<String> = cases.iter().filter_map(|case| difference(case, play::whole)).collect();
    assert!(failures.is_empty(), "{} of {} fail\n{}", failures.len(), cases.len(), failures.join("\n"));
}

#[test]
fn a_stream_that_comes_byte_by_byte_gives_the_same_bytes() {
    let cases = case::all();
    let streams = cases.iter().filter(|case| case.meta.kind == Kind::Stream);
    let failures: Vec<String> = streams.filter_map(|case| difference(case, play::byte_by_byte)).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn difference(case: &Case, play: fn(&Case) -> play::Outcome) -> Option<String> {
    let got = play(case);
    let want = case.expected();
    (got != want).then(|| {
        let show = |what: &str, got: &str, want: &str| {
            if got == want { String::new() } else { format!("  {what}\n    got  {got}\n    want {want}\n") }
        };
        format!(
            "{}\n{}{}{}",
            case.name,
            show("body", &got.body, &want.body),
            show("changes", &got.changes.join(" "), &want.changes.join(" ")),
            show("error", got.error.as_deref().unwrap_or("none"), want.error.as_deref().unwrap_or("none")),
        )
    })
}
