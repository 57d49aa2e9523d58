//! The arrows of ARCHITECTURE.md, held by `cargo metadata`.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// What each crate may use of the others, directly.
const ALLOWED: &[(&str, &[&str])] = &[
    ("tollgate-dialect", &[]),
    ("tollgate-policy", &["tollgate-dialect"]),
    ("tollgate-store", &["tollgate-dialect", "tollgate-policy"]),
    ("tollgate-sim", &[]),
    ("tollgate", &["tollgate-dialect", "tollgate-policy", "tollgate-sim", "tollgate-store"]),
    ("xtask", &["tollgate-sim"]),
];

fn dependencies() -> BTreeMap<String, Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--no-deps",
            "--offline",
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let name = |v: &Value| v["name"].as_str().expect("a name").to_string();
    let packages = metadata["packages"].as_array().expect("packages");
    packages
        .iter()
        .map(|p| (name(p), p["dependencies"].as_array().expect("dependencies").iter().map(name).collect()))
        .collect()
}

#[test]
fn crates_depend_on_each_other_in_one_direction_only() {
    let all = dependencies();
    for (package, uses) in &all {
        let (_, allowed) =
            ALLOWED.iter().find(|(name, _)| name == package).unwrap_or_else(|| panic!("{package} is not in the list"));
        for used in uses.iter().filter(|u| all.contains_key(*u)) {
            assert!(allowed.contains(&used.as_str()), "{package} must not use {used}");
        }
    }
}

#[test]
fn translation_and_policy_do_no_io() {
    let all = dependencies();
    for package in ["tollgate-dialect", "tollgate-policy"] {
        for banned in ["tokio", "hyper", "http", "reqwest", "rustls", "sqlx", "mio"] {
            assert!(!all[package].iter().any(|d| d == banned), "{package} must not use {banned}");
        }
    }
}
