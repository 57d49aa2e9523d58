use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;

use super::*;

mod examples;
mod failures;
mod rows;
mod unrelated;

fn all() -> impl Iterator<Item = &'static Signature> {
    topics().iter().flat_map(|topic| &topic.signatures)
}

#[test]
fn every_entry_is_complete_and_its_id_its_own() {
    let mut ids = BTreeSet::new();
    for signature in all() {
        let id = &signature.id;
        assert!(ids.insert(id), "{id} is there twice");
        assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{id}");
        let texts = [&signature.title, &signature.meaning, &signature.check, &signature.fix, &signature.tollgate];
        assert!(texts.iter().all(|text| !text.trim().is_empty()), "{id}");
        let lists = [&signature.who, &signature.causes, &signature.examples];
        assert!(lists.iter().all(|list| !list.is_empty() && list.iter().all(|text| !text.trim().is_empty())), "{id}");
    }
    assert!(ids.len() >= 70, "{}", ids.len());
}

/// Fewer letters are found in texts of any kind.
#[test]
fn no_pattern_is_so_short_that_it_finds_everything() {
    for signature in all() {
        for pattern in &signature.patterns {
            assert!(pattern.weight() >= 8, "{}: {pattern:?}", signature.id);
        }
    }
}

/// `cargo xtask docs` writes them.
#[test]
fn the_pages_in_docs_are_those_of_the_catalogue() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut made = BTreeSet::new();
    for page in page::all() {
        let file = root.join(page::FOLDER).join(&page.file);
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(found == page.text, "{}/{} is not up to date: run `cargo xtask docs`", page::FOLDER, page.file);
        made.insert(page.file);
    }
    for file in std::fs::read_dir(root.join(page::FOLDER)).expect("the folder of the pages") {
        let name = file.expect("a file").file_name().into_string().expect("a name");
        assert!(made.contains(&name), "{name} belongs to no signature: run `cargo xtask docs`");
    }
}

#[test]
fn every_page_that_an_entry_names_is_there_with_its_heading() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    for signature in all() {
        for link in &signature.see {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let text = std::fs::read_to_string(docs.join(file)).unwrap_or_else(|_| panic!("{}: {link}", signature.id));
            let headings = text.lines().filter(|line| line.starts_with('#')).map(anchor_of);
            assert!(anchor.is_empty() || headings.clone().any(|heading| heading == anchor), "{}: {link}", signature.id);
        }
    }
}

/// The anchor that GitHub gives a heading.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn the_json_form_has_what_people_read_and_none_of_how_it_is_found() {
    let signature = best("max_tokens > 4096 must have stream = true").expect("it is known");
    let value = json!(signature);
    let keys: Vec<&String> = value.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["id", "title", "who", "meaning", "causes", "check", "fix", "tollgate", "examples"]);
}
