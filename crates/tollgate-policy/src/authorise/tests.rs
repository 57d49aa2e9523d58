use proptest::prelude::*;

use super::*;
use crate::route::{Alias, CatchAll};

const MESSAGES: &str = "/v1/messages";

fn scope(kind: ScopeKind, models: &[&str]) -> Scope {
    let models = models.iter().map(|model| model.to_string()).collect();
    let grants = Grants { models, ..Grants::default() };
    Scope { kind, id: "id".to_string(), grants, limits: Default::default() }
}

fn caller(scopes: &[Scope]) -> Caller<'_> {
    Caller { role: Role::InternalUser, scopes, address: None }
}

fn routes() -> RouteTable {
    let groups = ["gpt-5", "gpt-5-mini", "glm", "openai/*", "secret"];
    let aliases = [("fast", "glm", false), ("o3", "openai/o3", false), ("quiet", "glm", true)];
    let aliases = aliases.map(|(name, target, hidden)| Alias { name: name.into(), target: target.into(), hidden });
    let catch_all = CatchAll { haiku: Some("glm".to_string()), ..CatchAll::default() };
    RouteTable::new(groups, aliases.to_vec(), catch_all)
}

fn groups() -> AccessGroups {
    let models = |models: &[&str]| models.iter().map(|model| model.to_string()).collect();
    [("beta".to_string(), models(&["gpt-5", "openai/o1"])), ("wide".to_string(), models(&["gpt-*"]))].into()
}

/// The models of the table that the scopes allow, asked one by one.
fn allowed(scopes: &[Scope], asked: &[&str]) -> Vec<String> {
    let (routes, groups) = (routes(), groups());
    let names = Names { routes: &routes, groups: &groups };
    let may = |model: &&&str| may_call(&caller(scopes), MESSAGES, Some(model), names, 0).is_ok();
    asked.iter().filter(may).map(|model| model.to_string()).collect()
}

#[test]
fn entries_of_a_key_mean_routes_patterns_groups_and_litellms_words() {
    let asked = ["gpt-5", "gpt-5-mini", "glm", "openai/o1", "openai/o3"];
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &asked),
        (&["all-proxy-models"], &asked),
        (&["*"], &asked),
        (&["no-default-models"], &[]),
        (&["no-default-models", "glm"], &["glm"]),
        (&["gpt-5"], &["gpt-5"]),
        (&["gpt-*"], &["gpt-5", "gpt-5-mini"]),
        (&["openai/*"], &["openai/o1", "openai/o3"]),
        (&["openai/o3"], &["openai/o3"]),
        (&["beta"], &["gpt-5", "openai/o1"]),
        (&["wide", "glm"], &["gpt-5", "gpt-5-mini", "glm"]),
        // Without a team there are no models of a team.
        (&["all-team-models"], &[]),
        (&["nonsense"], &[]),
    ];
    for (models, expected) in cases {
        assert_eq!(allowed(&[scope(ScopeKind::Key, models)], &asked), *expected, "{models:?}");
    }
}

#[test]
fn every_scope_of_the_chain_has_to_allow_a_model() {
    let asked = ["gpt-5", "gpt-5-mini", "glm"];
    let team = |models: &[&str]| scope(ScopeKind::Team, models);
    let key = |models: &[&str]| scope(ScopeKind::Key, models);
    assert_eq!(allowed(&[team(&["gpt-5", "glm"]), key(&[])], &asked), ["gpt-5", "glm"]);
    assert_eq!(allowed(&[team(&["gpt-5", "glm"]), key(&["all-team-models"])], &asked), ["gpt-5", "glm"]);
    assert_eq!(allowed(&[team(&["gpt-5"]), key(&["all-proxy-models"])], &asked), ["gpt-5"]);
    assert_eq!(allowed(&[team(&["gpt-5"]), key(&["glm"])], &asked), [""; 0]);
    assert_eq!(allowed(&[team(&[]), key(&["all-team-models"])], &asked), asked);
    assert_eq!(
        allowed(&[team(&["gpt-*"]), scope(ScopeKind::Member, &["gpt-5-mini"]), key(&[])], &asked),
        ["gpt-5-mini"]
    );
    assert_eq!(allowed(&[scope(ScopeKind::Organisation, &["glm"]), team(&[]), key(&[])], &asked), ["glm"]);
}

#[test]
fn an_alias_of_the_configuration_is_allowed_by_its_name_or_by_what_it_stands_for() {
    let asked = ["fast", "glm", "o3", "openai/o3", "quiet"];
    assert_eq!(allowed(&[scope(ScopeKind::Key, &["glm"])], &asked), ["fast", "glm", "quiet"]);
    assert_eq!(allowed(&[scope(ScopeKind::Key, &["fast"])], &asked), ["fast"]);
    assert_eq!(allowed(&[scope(ScopeKind::Key, &["openai/o3"])], &asked), ["o3", "openai/o3"]);
    assert_eq!(allowed(&[scope(ScopeKind::Key, &["openai/*"])], &asked), ["o3", "openai/o3"]);
}

#[test]
fn a_prefix_for_discovery_leads_to_no_route_that_is_not_allowed() {
    let asked = ["claude-secret", "anthropic/secret", "claude-glm", "claude-haiku-9", "claude-haiku-9[1m]"];
    assert_eq!(allowed(&[scope(ScopeKind::Key, &["claude-*", "anthropic/*"])], &asked), [""; 0]);
    assert_eq!(allowed(&[scope(ScopeKind::Key, &["secret"])], &asked), ["claude-secret", "anthropic/secret"]);
    let haiku = ["claude-haiku-9", "claude-haiku-9[1m]"];
    assert_eq!(allowed(&[scope(ScopeKind::Key, &["glm"])], &asked), ["claude-glm", haiku[0], haiku[1]]);
    assert_eq!(allowed(&[scope(ScopeKind::Key, &["claude-haiku-9"])], &asked), haiku);
}

fn with_alias(mut scope: Scope, name: &str, target: &str) -> Scope {
    scope.grants.aliases.insert(name.to_string(), target.to_string());
    scope
}

#[test]
fn a_keys_alias_leads_to_nothing_that_its_team_does_not_allow() {
    let team = scope(ScopeKind::Team, &["openai/*", "mine"]);
    let key = with_alias(scope(ScopeKind::Key, &[]), "openai/cheap", "secret");
    let key = with_alias(with_alias(key, "mine", "secret"), "ok", "openai/o3");
    assert_eq!(allowed(&[team, key], &["openai/cheap", "mine", "ok"]), ["ok"]);
    // The team's own alias may be granted by its name, and the key is bound by its own list still.
    let team = with_alias(scope(ScopeKind::Team, &["mine"]), "mine", "glm");
    assert_eq!(allowed(&[team.clone(), scope(ScopeKind::Key, &[])], &["mine", "glm"]), ["mine"]);
    assert_eq!(allowed(&[team, scope(ScopeKind::Key, &["gpt-5"])], &["mine", "glm"]), [""; 0]);
}

#[test]
fn the_innermost_alias_wins() {
    let scopes =
        [with_alias(scope(ScopeKind::Team, &[]), "a", "gpt-5"), with_alias(scope(ScopeKind::Key, &[]), "a", "glm")];
    assert_eq!(aliased(&scopes, "a"), Aliased { model: "glm", by: Some(ScopeKind::Key) });
    assert_eq!(aliased(&scopes[..1], "a"), Aliased { model: "gpt-5", by: Some(ScopeKind::Team) });
    assert_eq!(aliased(&scopes, "b"), Aliased { model: "b", by: None });
}

fn denial(scope: &Scope, path: &str, address: Option<&str>, now_ms: u64) -> Option<Denial> {
    let (routes, groups) = (routes(), groups());
    let address = address.map(|address| address.parse().expect("an address"));
    let caller = Caller { role: Role::InternalUser, scopes: std::slice::from_ref(scope), address };
    may_call(&caller, path, Some("gpt-5"), Names { routes: &routes, groups: &groups }, now_ms).err()
}

#[test]
fn blocked_expired_address_role_and_path_are_told_apart() {
    let with = |change: fn(&mut Grants)| {
        let mut scope = scope(ScopeKind::Key, &[]);
        change(&mut scope.grants);
        scope
    };
    let blocked = with(|grants| grants.blocked = true);
    assert_eq!(denial(&blocked, MESSAGES, None, 0), Some(Denial::Blocked { scope: ScopeKind::Key }));
    let expires = with(|grants| grants.expires_at_ms = Some(1_700_000_000_000));
    assert_eq!(denial(&expires, MESSAGES, None, 1_699_999_999_999), None);
    let expired = denial(&expires, MESSAGES, None, 1_700_000_000_000).expect("is denied");
    assert_eq!(expired.litellm_type(), "expired_key");
    assert_eq!(expired.to_string(), "this key expired at 2023-11-14T22:13:20Z");
    let inside = with(|grants| grants.addresses = vec!["10.0.0.0/8".to_string()]);
    assert_eq!(denial(&inside, MESSAGES, Some("10.1.1.1"), 0), None);
    for address in [None, Some("192.0.2.1")] {
        assert!(matches!(denial(&inside, MESSAGES, address, 0), Some(Denial::Address { .. })), "{address:?}");
    }
    let open = with(|_| ());
    assert!(matches!(denial(&open, "/model/new", None, 0), Some(Denial::Role { .. })));
    let chat_only = with(|grants| grants.routes = vec!["/chat/completions".to_string()]);
    assert_eq!(denial(&chat_only, "/v1/chat/completions", None, 0), None);
    let refused = denial(&chat_only, MESSAGES, None, 0).expect("is denied");
    assert_eq!(refused.to_string(), "this key may not use /v1/messages; it may use /chat/completions");
}

#[test]
fn a_denial_names_the_model_whose_list_it_is_and_some_of_the_allowed() {
    let many: Vec<String> = (0..12).map(|n| format!("m{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (kind, word) in [
        (ScopeKind::Key, "key_model_access_denied"),
        (ScopeKind::Team, "team_model_access_denied"),
        (ScopeKind::User, "user_model_access_denied"),
        (ScopeKind::Organisation, "org_model_access_denied"),
    ] {
        let denial = denial(&scope(kind, &many), MESSAGES, None, 0).expect("is denied");
        assert_eq!(denial.litellm_type(), word);
        assert!(denial.to_string().ends_with("may use m0, m1, m2, m3, m4, m5, m6, m7, m8, m9 and 2 more"), "{denial}");
    }
}

/// What may stand in a list of models.
fn entry() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "gpt-5",
        "gpt-5-mini",
        "glm",
        "secret",
        "fast",
        "quiet",
        "openai/*",
        "openai/o1",
        "openai/o3",
        "gpt-*",
        "*",
        "claude-*",
        "claude-glm",
        "claude-haiku-9",
        "beta",
        "wide",
        "all-proxy-models",
        "all-team-models",
        "no-default-models",
        "unknown",
        "mine",
    ])
    .prop_map(str::to_string)
}

fn any_scope(kind: ScopeKind) -> impl Strategy<Value = Option<Scope>> {
    let aliases = prop::collection::btree_map(
        prop::sample::select(vec!["mine", "glm", "openai/o1"]).prop_map(str::to_string),
        entry(),
        0..3,
    );
    let scope = (prop::collection::vec(entry(), 0..4), aliases, prop::bool::weighted(0.05));
    prop::option::of(scope.prop_map(move |(models, aliases, blocked)| Scope {
        kind,
        id: String::new(),
        grants: Grants { models, aliases, blocked, ..Grants::default() },
        limits: Default::default(),
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The list is made of names, the call is of one name: each name in question is in the list exactly if it can be called.
    #[test]
    fn s21_the_list_equals_the_set_that_can_be_called(
        organisation in any_scope(ScopeKind::Organisation),
        team in any_scope(ScopeKind::Team),
        user in any_scope(ScopeKind::User),
        member in any_scope(ScopeKind::Member),
        key in any_scope(ScopeKind::Key),
    ) {
        let (routes, groups) = (routes(), groups());
        let names = Names { routes: &routes, groups: &groups };
        let scopes: Vec<Scope> = [organisation, team, user, member, key].into_iter().flatten().collect();
        let caller = caller(&scopes);
        let listed = callable(&caller, "/v1/models", names, 0);
        let own = scopes.iter().flat_map(|scope| scope.grants.aliases.keys().map(String::as_str));
        let granted: Vec<&str> = scopes.iter().flat_map(|scope| scope.grants.models.iter().map(String::as_str)).collect();
        // Names behind the wildcard are in the list where grants name them, and the hidden alias nowhere.
        let named = ["openai/o1", "openai/o3", "claude-glm", "claude-haiku-9"].into_iter().filter(|name| granted.contains(name));
        let universe = ["gpt-5", "gpt-5-mini", "glm", "secret", "fast", "o3", "unknown"];
        for name in universe.into_iter().chain(named).chain(own) {
            let resolves = routes.resolve(aliased(&scopes, name).model).is_ok();
            let may = may_call(&caller, MESSAGES, Some(name), names, 0).is_ok();
            prop_assert_eq!(listed.iter().any(|listed| listed == name), may && resolves, "{}", name);
        }
        for name in &listed {
            prop_assert!(may_call(&caller, MESSAGES, Some(name), names, 0).is_ok(), "{}", name);
        }
        let mut unique = listed.clone();
        unique.sort();
        unique.dedup();
        prop_assert_eq!(unique.len(), listed.len());
        prop_assert!(!listed.iter().any(|name| name == "quiet" || name.contains('*')));
    }
}
