//! `RULES.md` lists every rule with what shows it, and lists nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::case::{self, folders, root};

/// A rule's name, and what shows it: fixture folders, or tests as `file::name`.
fn table() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(root().join("RULES.md")).expect("fixtures/rules/RULES.md");
    let mut rules = BTreeMap::new();
    let is_rule = |line: &&str| line.starts_with("| `messages-to-chat ") || line.starts_with("| `translation-rules ");
    for line in text.lines().filter(is_rule) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, _says, shown] = cells[..] else { panic!("three cells are due: {line}") };
        let name = name.trim_matches('`').to_string();
        let shown = shown.split(", ").map(|item| item.trim_matches('`').to_string()).collect();
        assert!(rules.insert(name, shown).is_none(), "listed twice: {line}");
    }
    rules
}

#[test]
fn every_rule_has_a_fixture_and_every_fixture_a_rule() {
    let table = table();
    assert!(table.len() > 100, "only {} rules", table.len());
    let cases = case::all();
    let mut shown: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for case in &cases {
        assert!(!case.meta.rules.is_empty(), "{} names no rule", case.name);
        for rule in &case.meta.rules {
            let listed = table.get(rule).unwrap_or_else(|| panic!("{}: no such rule: {rule}", case.name));
            assert!(listed.contains(&case.folder), "{rule}: RULES.md does not list {}", case.folder);
            *shown.entry((rule, &case.folder)).or_default() += 1;
        }
    }
    for (rule, places) in &table {
        for place in places {
            match place.split_once("::") {
                Some((file, test)) => assert!(is_test(file, test), "{rule}: there is no test {test} in {file}"),
                None => assert!(shown.contains_key(&(rule, place)), "{rule}: no fixture of it in {place}"),
            }
        }
    }
}

#[test]
fn every_folder_is_listed() {
    let listed: BTreeSet<String> = table().into_values().flatten().collect();
    for folder in folders(&root()) {
        assert!(listed.contains(&folder), "RULES.md does not list {folder}");
        assert!(!folders(&root().join(&folder)).is_empty(), "{folder} is empty");
    }
}

/// Files are named from the workspace's `crates`.
fn is_test(file: &str, test: &str) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("fn {test}(")))
}
