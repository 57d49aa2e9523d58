//! The table as `docs/resilience.md` shows it.

use std::path::Path;

use crate::table::{Ends, Form, How, Row, WORDS, rows};

const BEGIN: &str = "<!-- The table of crates/tollgate/tests/faults/table.rs; TOLLGATE_UPDATE_DOCS=1 cargo test -p tollgate --test faults page:: writes it -->\n";
const END: &str = "<!-- end of the table -->\n";

const HEAD: &str = "\
| upstream | answer | Messages client is told | chat client is told | words | `x-tollgate-reason` | further headers | asked again | another deployment | fallback |
|---|---|---|---|---|---|---|---|---|---|
";

fn table() -> String {
    rows().iter().map(line).fold(HEAD.to_owned(), |page, line| page + &line)
}

fn line(row: &Row) -> String {
    let told = &row.told;
    let (messages, chat) = match told.how {
        How::Status(messages, chat) => (messages.to_string(), chat.to_string()),
        How::Event => ("error event".into(), "error event".into()),
    };
    // Once a stream has begun its headers are gone.
    let headers = told.how != How::Event;
    let reason = if headers { format!("`{}`", told.reason) } else { "–".into() };
    format!(
        "| {} | {} | {messages} `{}` | {chat} `{}` | {} | {reason} | {} | {} | {} | {} |\n",
        row.name,
        form(row.forms),
        told.kinds.0,
        told.kinds.1,
        words(row),
        if headers { further(row) } else { "–".into() },
        again(row.retry),
        other(row.other),
        other(row.fallback),
    )
}

fn form(forms: &[Form]) -> &'static str {
    match forms {
        [Form::Stream] => "stream",
        [Form::Piece] => "one piece",
        _ => "either",
    }
}

fn words(row: &Row) -> String {
    match (row.told.words, row.told.unmodified) {
        (WORDS, true) => "the upstream's *".into(),
        (WORDS, false) => "the upstream's".into(),
        (ours, _) => format!("“… {ours} …”"),
    }
}

fn further(row: &Row) -> String {
    let told = &row.told;
    let mut headers = Vec::new();
    headers.extend(told.upstream.map(|status| format!("`x-tollgate-upstream-status: {status}`")));
    headers.extend(told.wait.map(|seconds| format!("`retry-after: {seconds}`")));
    headers.extend(told.for_good.then(|| "`x-should-retry: false`".to_owned()));
    if headers.is_empty() { "–".into() } else { headers.join(", ") }
}

fn again(ends: Ends) -> &'static str {
    match ends {
        Ends::Answered => "yes",
        Ends::Told(1) => "no",
        Ends::Told(_) => "yes, fails again",
    }
}

fn other(ends: Ends) -> &'static str {
    match ends {
        Ends::Answered => "answers",
        Ends::Told(_) => "not asked",
    }
}

#[test]
fn the_page_shows_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/resilience.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has the table's beginning");
    let (shown, after) = rest.split_once(END).expect("the page has the table's end");
    if std::env::var_os("TOLLGATE_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert!(shown == table(), "docs/resilience.md is not up to date: set TOLLGATE_UPDATE_DOCS=1 and run this test");
}
