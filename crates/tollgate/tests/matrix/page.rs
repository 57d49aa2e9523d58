//! The matrix as `docs/translation.md` shows it.

use std::path::Path;

use crate::client::{CLIENTS, Client};
use crate::loss::{CASES, Case, LOSSES, Told};
use crate::upstream::{FURTHER, UPSTREAMS, Upstream};

const BEGIN: &str = "<!-- Made of crates/tollgate/tests/matrix/loss.rs by `cargo xtask docs`; edit it there. -->\n";
const END: &str = "<!-- end of the matrix -->\n";

fn page() -> String {
    let mut page = table(&UPSTREAMS);
    page +=
        "\nThe same dialects at other places, and a model that thinks on a budget; `–`: it is not played there.\n\n";
    page += &table(&FURTHER);
    page += "\n| | what is lost | why | `x-tollgate-changes` |\n|---|---|---|---|\n";
    for (n, loss) in LOSSES.iter().enumerate() {
        let told = match loss.told {
            Told::Ahead(changes) => format!("`{}`", changes.replace(' ', "`, `")),
            Told::After(change) => format!("`{change}`, after the answer"),
            Told::Never => "–".to_owned(),
        };
        page += &format!("| {} | {} | {} | {told} |\n", n + 1, loss.what, loss.why);
    }
    page
}

/// A row for each case that is played with one of these.
fn table(upstreams: &[Upstream]) -> String {
    let names: Vec<&str> = upstreams.iter().map(|upstream| upstream.name()).collect();
    let mut table = format!("| case | {} |\n|---|{}\n", names.join(" | "), "---|".repeat(names.len()));
    for case in CASES.into_iter().filter(|case| upstreams.iter().any(|upstream| upstream.cases().contains(case))) {
        let cells: Vec<String> = upstreams.iter().map(|upstream| cell(case, *upstream)).collect();
        table += &format!("| {} | {} |\n", case.name(), cells.join(" | "));
    }
    table
}

/// The clients with a loss and its number; `whole` where there is none.
fn cell(case: Case, upstream: Upstream) -> String {
    if !upstream.cases().contains(&case) {
        return "–".to_owned();
    }
    let here = LOSSES.iter().enumerate().filter(|(_, loss)| loss.case == case && loss.upstreams.contains(&upstream));
    let mut cells: Vec<String> = here.map(|(n, loss)| format!("{}: {}", clients(loss.clients), n + 1)).collect();
    let unplayed = CLIENTS.into_iter().filter(|client| !upstream.is_played(*client, case));
    cells.extend(unplayed.map(|client| format!("{}: –", client.name())));
    if cells.is_empty() { "whole".to_owned() } else { cells.join("; ") }
}

fn clients(clients: &[Client]) -> String {
    let names: Vec<&str> = clients.iter().map(|client| client.name()).collect();
    if clients.len() == CLIENTS.len() { "all".to_owned() } else { names.join(", ") }
}

#[test]
fn the_page_shows_the_matrix() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/translation.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the page has the matrix's beginning");
    let (shown, after) = rest.split_once(END).expect("the page has the matrix's end");
    if std::env::var_os("TOLLGATE_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", page())).unwrap();
        return;
    }
    assert!(shown == page(), "docs/translation.md is not up to date: run `cargo xtask docs`");
}

/// A row that no cell has would be a loss of nothing.
#[test]
fn every_loss_has_its_own_cells() {
    for (n, loss) in LOSSES.iter().enumerate() {
        assert!(!loss.clients.is_empty() && !loss.upstreams.is_empty(), "row {}", n + 1);
        for other in &LOSSES[n + 1..] {
            let same = loss.case == other.case && loss.lost == other.lost;
            let clients = loss.clients.iter().any(|client| other.clients.contains(client));
            let upstreams = loss.upstreams.iter().any(|upstream| other.upstreams.contains(upstream));
            assert!(!(same && clients && upstreams), "row {} says again what another says", n + 1);
        }
    }
}
