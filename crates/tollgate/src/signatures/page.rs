//! The pages under `docs/errors`, made of the catalogue by `cargo xtask docs`.

use std::fmt::Write as _;

use super::{Signature, Topic, topics};

/// The folder of the pages, below the root of the repository.
pub const FOLDER: &str = "docs/errors";

pub struct Page {
    pub file: String,
    pub text: String,
}

/// The address at which people read a page.
pub fn address(id: &str) -> String {
    format!("{}/blob/main/{FOLDER}/{id}.md", env!("CARGO_PKG_REPOSITORY"))
}

/// Every page and the index.
pub fn all() -> Vec<Page> {
    let signatures = topics().iter().flat_map(|topic| &topic.signatures);
    let pages = signatures.map(|signature| Page { file: format!("{}.md", signature.id), text: page(signature) });
    std::iter::once(Page { file: "README.md".into(), text: index(topics()) }).chain(pages).collect()
}

const MADE: &str = "<!-- Made of crates/tollgate/src/signatures by `cargo xtask docs`; edit it there. -->";

fn page(signature: &Signature) -> String {
    let Signature { title, who, meaning, causes, check, fix, tollgate, examples, see, .. } = signature;
    let causes: String = causes.iter().enumerate().map(|(i, cause)| format!("{}. {cause}\n", i + 1)).collect();
    let mut page = format!("{MADE}\n\n# {title}\n\n");
    for example in examples {
        writeln!(page, "```text\n{}\n```", example.trim_end()).expect("writing to a string");
    }
    write!(
        page,
        "\nSaid by {}.\n\n{}\n\n## Likely causes\n\n{causes}\n## The check that tells them apart\n\n{}\n\n## Fix\n\n{}\n\n\
         ## What Tollgate does\n\n{}\n",
        listed(who),
        meaning.trim(),
        check.trim(),
        fix.trim_end(),
        tollgate.trim(),
    )
    .expect("writing to a string");
    if !see.is_empty() {
        let name = |to: &str| to.split('#').next().unwrap_or(to).to_string();
        let links: Vec<String> = see.iter().map(|to| format!("[docs/{}](../{to})", name(to))).collect();
        write!(page, "\nMore in {}.\n", links.join(" and ")).expect("writing to a string");
    }
    page
}

fn index(topics: &[Topic]) -> String {
    let mut index = format!(
        "{MADE}\n\n# Error texts and what is behind them\n\n`tollgate explain \"TEXT\"` finds the page of a pasted error by itself, \
         however it was wrapped or quoted, and without a running gateway.\n"
    );
    for topic in topics {
        write!(index, "\n## {}\n\n| error | said by |\n|---|---|\n", topic.title).expect("writing to a string");
        for Signature { id, title, who, .. } in &topic.signatures {
            writeln!(index, "| [{title}]({id}.md) | {} |", who.join(", ")).expect("writing to a string");
        }
    }
    index
}

/// `A, B and C`.
fn listed(names: &[String]) -> String {
    match names {
        [all @ .., last] if !all.is_empty() => format!("{} and {last}", all.join(", ")),
        _ => names.concat(),
    }
}
