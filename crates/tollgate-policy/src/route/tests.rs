use super::{Alias, CatchAll, RouteTable};

fn table(groups: &[&str]) -> RouteTable {
    RouteTable::new(groups.iter().copied(), Vec::new(), CatchAll::default())
}

fn alias(name: &str, target: &str, hidden: bool) -> Alias {
    Alias { name: name.into(), target: target.into(), hidden }
}

/// The deployments a name leads to.
fn to(table: &RouteTable, name: &str) -> Vec<usize> {
    table.resolve(name).map(|r| r.deployments.to_vec()).unwrap_or_default()
}

#[test]
fn a_repeated_name_is_one_route_of_several_deployments() {
    let table = table(&["kimi", "glm", "kimi"]);
    assert_eq!(to(&table, "kimi"), [0, 2]);
    assert_eq!(to(&table, "glm"), [1]);
    assert_eq!(table.names().collect::<Vec<_>>(), ["kimi", "glm"]);
}

#[test]
fn the_most_specific_wildcard_wins_and_its_text_is_put_into_the_model() {
    let table = table(&["*", "openai/*", "openai/gpt-*", "v-*", "v-*"]);
    let gpt = table.resolve("openai/gpt-6-sol").expect("is routed");
    assert_eq!((gpt.group, gpt.deployments, gpt.matched.as_deref()), ("openai/gpt-*", &[2][..], Some("6-sol")));
    assert_eq!(to(&table, "openai/o3"), [1]);
    let v = table.resolve("v-qwen3").expect("is routed");
    assert_eq!(v.deployments, [3, 4]);
    assert_eq!(v.upstream_model("org/*"), "org/qwen3");
    assert_eq!(v.upstream_model("fixed"), "fixed");
    assert_eq!(to(&table, "anything"), [0]);
    assert_eq!(table.names().count(), 0);
}

#[test]
fn an_exact_name_goes_before_every_wildcard() {
    let table = table(&["openai/*", "openai/gpt-5"]);
    assert_eq!(to(&table, "openai/gpt-5"), [1]);
}

#[test]
fn several_stars_are_filled_in_order() {
    let table = table(&["*meta.llama3*"]);
    let found = table.resolve("us.meta.llama3-70b").expect("is routed");
    assert_eq!(found.upstream_model("x/*meta.llama3*"), "x/us.meta.llama3-70b");
}

#[test]
fn aliases_lead_to_routes_wildcards_and_other_aliases() {
    let aliases = vec![
        alias("fast", "glm", false),
        alias("secret-name", "fast", true),
        alias("o", "openai/o3", false),
        alias("ping", "pong", true),
        alias("pong", "ping", true),
        alias("dead", "nowhere", false),
    ];
    let table = RouteTable::new(["kimi", "glm", "openai/*"], aliases, CatchAll::default());
    assert_eq!(to(&table, "fast"), [1]);
    assert_eq!(to(&table, "secret-name"), [1]);
    let o = table.resolve("o").expect("is routed");
    assert_eq!((o.group, o.matched.as_deref()), ("openai/*", Some("o3")));
    assert!(table.resolve("ping").is_err(), "a circle ends");
    assert!(table.resolve("dead").is_err());
    assert_eq!(table.names().collect::<Vec<_>>(), ["kimi", "glm", "fast", "o", "dead"]);
}

#[test]
fn an_alias_with_a_routes_name_redirects_it() {
    let table = RouteTable::new(["gpt-4", "gpt-5"], vec![alias("gpt-4", "gpt-5", false)], CatchAll::default());
    assert_eq!(to(&table, "gpt-4"), [1]);
}

#[test]
fn a_route_answers_to_its_discovery_names() {
    let table = table(&["kimi-k2.5", "anthropic/*"]);
    assert_eq!(to(&table, "claude-kimi-k2.5"), [0]);
    assert_eq!(to(&table, "anthropic/kimi-k2.5"), [0]);
    assert_eq!(to(&table, "anthropic/claude-opus-5"), [1], "a Claude model is the wildcard's");
    assert_eq!(to(&table, "claude-kimi-k2.5[1m]"), [0]);
}

#[test]
fn a_route_that_really_has_the_name_goes_before_a_discovery_name() {
    let table = table(&["kimi", "claude-kimi", "claude-opus-5"]);
    assert_eq!(to(&table, "claude-kimi"), [1]);
    assert_eq!(to(&table, "anthropic/claude-opus-5"), [2]);
}

#[test]
fn the_mark_for_a_long_context_is_ignored() {
    assert_eq!(to(&table(&["kimi-k2.5"]), "kimi-k2.5[1m]"), [0]);
}

#[test]
fn s11_claude_names_without_a_route_go_to_their_tier() {
    let catch_all = CatchAll { haiku: Some("small".into()), default: Some("v-big".into()), ..CatchAll::default() };
    let table = RouteTable::new(["small", "v-*", "claude-sonnet-5", "*"], Vec::new(), catch_all);
    assert_eq!(to(&table, "claude-haiku-4-5-20251001"), [0]);
    assert_eq!(to(&table, "anthropic/claude-haiku-4-5"), [0]);
    assert_eq!(to(&table, "claude-opus-5-5"), [1], "no tier of its own: the default");
    assert_eq!(to(&table, "claude-fable-5"), [1]);
    assert_eq!(to(&table, "claude-sonnet-5"), [2], "a route of that name goes first");
    assert_eq!(to(&table, "gpt-5"), [3], "not a Claude name");
}

#[test]
fn s11_without_a_rule_a_claude_name_is_unknown() {
    assert!(table(&["small"]).resolve("claude-haiku-4-5-20251001").is_err());
}

#[test]
fn s10_an_unknown_name_comes_with_the_nearest_three() {
    let table = table(&["kimi-k2.5", "kimi-k2", "kimi-k3", "kimi-k2.6", "glm-5"]);
    let unknown = table.resolve("kimi-k2.7").expect_err("is unknown");
    assert_eq!(unknown.nearest, ["kimi-k2.5", "kimi-k2.6", "kimi-k2"]);
    assert!(table.resolve("zzzzzzzz").expect_err("is unknown").nearest.is_empty());
}
