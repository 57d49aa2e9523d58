use super::*;

fn targets(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

#[test]
fn s32_a_fallback_is_found_by_alias_group_wildcard_star_and_default() {
    let mut all = Fallbacks::default();
    all.add(Trouble::General, "group", targets(&["by-group"]));
    all.add(Trouble::General, "alias", targets(&["by-alias"]));
    all.add(Trouble::General, "openai/*", targets(&["by-wildcard"]));
    all.add(Trouble::General, "openai/gpt-*", targets(&["by-longer-wildcard"]));
    let found = |names: &[&str]| all.of(Trouble::General, names).to_vec();
    assert_eq!(found(&["group", "group"]), ["by-group"]);
    // The client's own word goes before what it stands for.
    assert_eq!(found(&["alias", "group"]), ["by-alias"]);
    assert_eq!(found(&["other-alias", "group"]), ["by-group"]);
    assert_eq!(found(&["openai/o9", "openai/*"]), ["by-wildcard"]);
    assert_eq!(found(&["openai/gpt-9", "other"]), ["by-longer-wildcard"]);
    assert_eq!(found(&["nobody"]), [""; 0]);

    all.add_default(targets(&["by-default"]));
    assert_eq!(all.of(Trouble::General, &["nobody"]), ["by-default"]);
    all.add(Trouble::General, "*", targets(&["by-star"]));
    assert_eq!(all.of(Trouble::General, &["nobody"]), ["by-star"]);
    assert_eq!(all.of(Trouble::General, &["group"]), ["by-group"]);
}

#[test]
fn each_trouble_has_a_list_of_its_own_and_the_default_is_for_failures_in_general() {
    let mut all = Fallbacks::default();
    all.add(Trouble::ContextWindow, "m", targets(&["larger"]));
    all.add(Trouble::ContentPolicy, "m", targets(&["other"]));
    all.add_default(targets(&["default"]));
    assert_eq!(all.of(Trouble::ContextWindow, &["m"]), ["larger"]);
    assert_eq!(all.of(Trouble::ContentPolicy, &["m"]), ["other"]);
    assert_eq!(all.of(Trouble::ContextWindow, &["n"]), [""; 0]);
    assert_eq!(all.of(Trouble::General, &["m"]), ["default"]);
}

#[test]
fn where_no_list_was_made_for_a_trouble_the_general_one_serves() {
    let mut all = Fallbacks::default();
    all.add(Trouble::General, "m", targets(&["other"]));
    all.add(Trouble::ContentPolicy, "n", targets(&["milder"]));
    assert_eq!(all.of(Trouble::ContextWindow, &["m"]), ["other"]);
    assert_eq!(all.of(Trouble::ContentPolicy, &["m"]), [""; 0]);
    all.add_default(targets(&["default"]));
    assert_eq!(all.of(Trouble::ContextWindow, &["x"]), ["default"]);
}
