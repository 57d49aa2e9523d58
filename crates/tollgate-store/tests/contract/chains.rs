//! Whom a key stands for.

use tollgate_policy::access::{Budget, Grants, Limits, Rates, Role, ScopeKind};
use tollgate_policy::window::Window;
use tollgate_store::entity::*;
use tollgate_store::uses::Uses;

use crate::stage::{Stage, admin};

crate::contract! {
    a_key_alone_is_a_chain_of_one
    a_key_comes_with_team_user_organisation_and_membership
    a_key_that_is_stored_nowhere_is_joined_with_whom_it_names_like_one_that_is
    named_budgets_hold_where_there_is_no_limit_of_its_own
    a_user_bounds_models_and_budget_only_outside_of_teams
    access_groups_by_id_widen_grants_that_name_models
    end_users_have_their_own_budget_or_the_default
    a_key_that_takes_anothers_place_has_its_account
    the_type_of_a_key_says_which_paths_are_its
    the_time_of_last_use_only_grows_and_tells_nobody
    uses_of_a_key_are_one_row_and_stay_while_they_cannot_be_written
}

fn some(text: &str) -> Option<String> {
    Some(text.to_string())
}

fn models(names: &[&str]) -> Grants {
    Grants { models: names.iter().map(|name| name.to_string()).collect(), ..Grants::default() }
}

fn budget(nanos: u64) -> Limits {
    Limits { budget: Some(Budget { max_nanos: nanos, window: Window::Total }), ..Limits::default() }
}

fn rpm(rate: u64) -> Limits {
    Limits { rates: Rates { requests_per_minute: Some(rate), ..Rates::default() }, ..Limits::default() }
}

async fn a_key_alone_is_a_chain_of_one(stage: &Stage) {
    assert_eq!(stage.resolve("a").await.unwrap(), None);
    // Whom it names need not exist.
    let key = VirtualKey {
        hash: "a".to_string(),
        user_id: some("nobody"),
        team_id: some("none"),
        grants: models(&["gpt-5"]),
        limits: budget(5),
        ..VirtualKey::default()
    };
    let key = stage.create(key, &admin(), 1).await.unwrap();
    let chain = stage.resolve("a").await.unwrap().unwrap();
    assert_eq!((&chain.key, &chain.team, &chain.user, &chain.organisation), (&key, &None, &None, &None));
    let [scope] = chain.scopes.as_slice() else { panic!("{:?}", chain.scopes) };
    assert_eq!((scope.kind, scope.id.as_str()), (ScopeKind::Key, "a"));
    assert_eq!((&scope.grants, &scope.limits), (&models(&["gpt-5"]), &budget(5)));
}

async fn a_key_comes_with_team_user_organisation_and_membership(stage: &Stage) {
    let mut write = stage.write(&admin(), 1).await.unwrap();
    write
        .create(Organisation { id: "o".to_string(), grants: models(&["o"]), ..Organisation::default() })
        .await
        .unwrap();
    let team = Team { id: "t".to_string(), organisation_id: some("o"), grants: models(&["t"]), ..Team::default() };
    write.create(team).await.unwrap();
    write.create(User { id: "u".to_string(), role: Role::OrgAdmin, ..User::default() }).await.unwrap();
    let member = Membership {
        team_id: "t".to_string(),
        user_id: "u".to_string(),
        models: vec!["m".to_string()],
        limits: rpm(7),
        ..Membership::default()
    };
    write.create(member).await.unwrap();
    // Another's, and one whose id reads the same.
    let same_id = Membership { team_id: "t/v".to_string(), user_id: "w".to_string(), ..Membership::default() };
    write.create(same_id).await.unwrap();
    let other = |team: &str, user: &str| VirtualKey {
        hash: format!("{team} {user}"),
        team_id: some(team),
        user_id: some(user),
        ..VirtualKey::default()
    };
    write.create(other("t", "v/w")).await.unwrap();
    write
        .create(Membership { team_id: "s".to_string(), user_id: "x".to_string(), ..Membership::default() })
        .await
        .unwrap();
    write.create(other("t", "x")).await.unwrap();
    write
        .create(Membership { team_id: "t".to_string(), user_id: "v".to_string(), ..Membership::default() })
        .await
        .unwrap();
    let key = VirtualKey { hash: "k".to_string(), team_id: some("t"), user_id: some("u"), ..VirtualKey::default() };
    write.create(key).await.unwrap();
    write.commit().await.unwrap();

    let chain = stage.resolve("k").await.unwrap().unwrap();
    let scopes: Vec<_> = chain.scopes.iter().map(|scope| (scope.kind, scope.id.as_str())).collect();
    let expected = [
        (ScopeKind::Organisation, "o"),
        (ScopeKind::Team, "t"),
        (ScopeKind::User, "u"),
        (ScopeKind::Member, "t/u"),
        (ScopeKind::Key, "k"),
    ];
    assert_eq!(scopes, expected);
    assert_eq!(chain.scopes[0].grants, models(&["o"]));
    assert_eq!(chain.scopes[1].grants, models(&["t"]));
    assert_eq!((&chain.scopes[3].grants, &chain.scopes[3].limits), (&models(&["m"]), &rpm(7)));
    assert_eq!(chain.role(), Role::OrgAdmin);
    for other in ["t v/w", "t x"] {
        assert_eq!(stage.resolve(other).await.unwrap().unwrap().membership, None, "{other}");
    }
    for (kind, id) in [
        (EntityKind::Key, "k"),
        (EntityKind::Team, "t"),
        (EntityKind::User, "u"),
        (EntityKind::Organisation, "o"),
        (EntityKind::Membership, "t/u"),
        (EntityKind::Budget, "any"),
    ] {
        assert!(chain.depends_on(kind, id), "{kind}");
    }
    for (kind, id) in [(EntityKind::Key, "t"), (EntityKind::Membership, "t/v"), (EntityKind::EndUser, "u")] {
        assert!(!chain.depends_on(kind, id), "{kind}");
    }
}

async fn a_key_that_is_stored_nowhere_is_joined_with_whom_it_names_like_one_that_is(stage: &Stage) {
    let mut write = stage.write(&admin(), 1).await.unwrap();
    write.create(Organisation { id: "o".to_string(), limits: budget(9), ..Organisation::default() }).await.unwrap();
    write.create(NamedBudget { id: "b".to_string(), limits: rpm(3), ..NamedBudget::default() }).await.unwrap();
    let team = Team {
        id: "t".to_string(),
        organisation_id: some("o"),
        budget_id: some("b"),
        grants: models(&["t"]),
        ..Team::default()
    };
    write.create(team).await.unwrap();
    write.create(User { id: "u".to_string(), role: Role::OrgAdmin, ..User::default() }).await.unwrap();
    let member = Membership {
        team_id: "t".to_string(),
        user_id: "u".to_string(),
        models: vec!["m".to_string()],
        ..Membership::default()
    };
    write.create(member).await.unwrap();
    let stored = VirtualKey {
        hash: "k".to_string(),
        team_id: some("t"),
        user_id: some("u"),
        grants: models(&["x"]),
        ..VirtualKey::default()
    };
    write.create(stored.clone()).await.unwrap();
    write.commit().await.unwrap();

    let unstored = VirtualKey { hash: String::new(), ..stored };
    let chain = stage.resolve_unstored(&unstored).await.unwrap();
    let like = stage.resolve("k").await.unwrap().unwrap();
    assert_eq!((&chain.team, &chain.user, &chain.organisation), (&like.team, &like.user, &like.organisation));
    assert_eq!((chain.role(), &chain.membership), (Role::OrgAdmin, &like.membership));
    assert_eq!(chain.scopes[..4], like.scopes[..4], "organisation, team, user and member");
    assert_eq!((chain.scopes[4].kind, chain.scopes[4].id.as_str()), (ScopeKind::Key, ""));
    assert_eq!(chain.scopes[4].grants, models(&["x"]));

    // Whom it names need not exist.
    let of_nobody = VirtualKey { user_id: some("none"), team_id: some("none"), ..VirtualKey::default() };
    let chain = stage.resolve_unstored(&of_nobody).await.unwrap();
    assert_eq!((&chain.team, &chain.user, chain.scopes.len()), (&None, &None, 1));
}

async fn named_budgets_hold_where_there_is_no_limit_of_its_own(stage: &Stage) {
    let mut write = stage.write(&admin(), 1).await.unwrap();
    let named = |id: &str, limits: Limits| NamedBudget { id: id.to_string(), limits, ..NamedBudget::default() };
    for (id, nanos) in [("kb", 1), ("tb", 2), ("ub", 3), ("ob", 4), ("mb", 5), ("default", 6)] {
        write.create(named(id, Limits { rates: rpm(nanos * 10).rates, ..budget(nanos) })).await.unwrap();
    }
    write.create(Organisation { id: "o".to_string(), budget_id: some("ob"), ..Organisation::default() }).await.unwrap();
    // Of the limits that neither a member nor a named budget has.
    let default_limits = Limits { soft_budget_nanos: Some(77), ..budget(1000) };
    let team = Team {
        id: "t".to_string(),
        organisation_id: some("o"),
        budget_id: some("tb"),
        member_defaults: MemberDefaults {
            budget_id: some("default"),
            limits: default_limits.clone(),
            ..MemberDefaults::default()
        },
        ..Team::default()
    };
    write.create(team).await.unwrap();
    let member = |user: &str, budget_id| Membership {
        team_id: "t".to_string(),
        user_id: user.to_string(),
        budget_id,
        ..Membership::default()
    };
    write.create(member("u", some("mb"))).await.unwrap();
    write.create(member("v", None)).await.unwrap();
    let key = |hash: &str, user: &str, limits| VirtualKey {
        hash: hash.to_string(),
        team_id: some("t"),
        user_id: some(user),
        budget_id: some("kb"),
        limits,
        ..VirtualKey::default()
    };
    write.create(key("a", "u", Limits::default())).await.unwrap();
    write.create(key("b", "v", budget(99))).await.unwrap();
    write.commit().await.unwrap();

    let limits = |nanos| Limits { rates: rpm(nanos * 10).rates, ..budget(nanos) };
    let chain = stage.resolve("a").await.unwrap().unwrap();
    let found: Vec<_> = chain.scopes.iter().map(|scope| scope.limits.clone()).collect();
    let of_member = |nanos| Limits { soft_budget_nanos: Some(77), ..limits(nanos) };
    assert_eq!(found, [limits(4), limits(2), of_member(5), limits(1)]);
    let chain = stage.resolve("b").await.unwrap().unwrap();
    let own = Limits { rates: rpm(10).rates, ..budget(99) };
    assert_eq!(chain.scopes[2].limits, of_member(6));
    assert_eq!(chain.scopes[3].limits, own);
}

async fn a_user_bounds_models_and_budget_only_outside_of_teams(stage: &Stage) {
    let mut write = stage.write(&admin(), 1).await.unwrap();
    let limits = Limits { rates: rpm(3).rates, ..budget(1) };
    let user = User { id: "u".to_string(), grants: models(&["mine"]), limits: limits.clone(), ..User::default() };
    write.create(user).await.unwrap();
    write.create(Team { id: "t".to_string(), ..Team::default() }).await.unwrap();
    let key = |hash: &str, team_id| VirtualKey {
        hash: hash.to_string(),
        user_id: some("u"),
        team_id,
        ..VirtualKey::default()
    };
    write.create(key("alone", None)).await.unwrap();
    write.create(key("in-team", some("t"))).await.unwrap();
    write.commit().await.unwrap();

    let user_of = async |hash: &str| {
        let scopes = stage.resolve(hash).await.unwrap().unwrap().scopes;
        scopes.into_iter().find(|scope| scope.kind == ScopeKind::User).unwrap()
    };
    let alone = user_of("alone").await;
    assert_eq!((alone.grants, alone.limits), (models(&["mine"]), limits));
    let in_team = user_of("in-team").await;
    assert_eq!((in_team.grants, in_team.limits), (Grants::default(), rpm(3)));
}

async fn access_groups_by_id_widen_grants_that_name_models(stage: &Stage) {
    let mut write = stage.write(&admin(), 1).await.unwrap();
    let group = |id: &str, model: &str| AccessGroup {
        id: id.to_string(),
        name: id.to_uppercase(),
        models: vec![model.to_string()],
        ..AccessGroup::default()
    };
    write.create(group("g1", "one")).await.unwrap();
    write.create(group("g2", "two")).await.unwrap();
    let key = |hash: &str, grants| VirtualKey {
        hash: hash.to_string(),
        access_groups: vec!["g2".to_string()],
        grants,
        ..VirtualKey::default()
    };
    write.create(key("some", models(&["x"]))).await.unwrap();
    write.create(key("all", models(&[]))).await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(stage.resolve("some").await.unwrap().unwrap().scopes[0].grants, models(&["x", "two"]));
    assert_eq!(stage.resolve("all").await.unwrap().unwrap().scopes[0].grants, models(&[]));
}

async fn end_users_have_their_own_budget_or_the_default(stage: &Stage) {
    let named = |id: &str, nanos| NamedBudget { id: id.to_string(), limits: budget(nanos), ..NamedBudget::default() };
    stage.create(named("own", 1), &admin(), 1).await.unwrap();
    stage.create(named("default", 2), &admin(), 1).await.unwrap();
    let end_user = |id: &str, budget_id| EndUser { id: id.to_string(), budget_id, ..EndUser::default() };
    stage.create(end_user("c1", some("own")), &admin(), 1).await.unwrap();
    stage.create(end_user("c2", None), &admin(), 1).await.unwrap();
    for (id, default, expected) in [
        ("c1", Some("default"), budget(1)),
        ("c2", Some("default"), budget(2)),
        ("new", Some("default"), budget(2)),
        ("c2", None, Limits::default()),
    ] {
        let scope = stage.end_user(id, default).await.unwrap();
        assert_eq!((scope.kind, scope.id.as_str(), scope.limits), (ScopeKind::EndUser, id, expected));
    }
}

async fn the_time_of_last_use_only_grows_and_tells_nobody(stage: &Stage) {
    let key = VirtualKey { hash: "a".to_string(), ..VirtualKey::default() };
    stage.create(key, &admin(), 1).await.unwrap();
    let last_used = async || stage.last_used(&["a", "b"]).await.unwrap().get("a").copied();
    assert_eq!(last_used().await, None);
    stage.touch(&[("a".to_string(), 20), ("none".to_string(), 5)]).await.unwrap();
    stage.touch(&[("a".to_string(), 10)]).await.unwrap();
    assert_eq!(last_used().await, Some(20));
    stage.update::<VirtualKey>("a", &admin(), 2, |key| key.grants.blocked = true).await.unwrap();
    assert_eq!(last_used().await, Some(20));
    assert_eq!(stage.newest_change().await.unwrap(), 2);
}

async fn uses_of_a_key_are_one_row_and_stay_while_they_cannot_be_written(stage: &Stage) {
    for hash in ["a", "b"] {
        stage.create(VirtualKey { hash: hash.to_string(), ..VirtualKey::default() }, &admin(), 1).await.unwrap();
    }
    let uses = Uses::default();
    for at_ms in [10, 30, 20] {
        uses.note("a", at_ms);
    }
    uses.note("b", 5);
    assert_eq!((uses.last("a"), uses.last("b"), uses.last("c")), (Some(30), Some(5), None));
    assert!(stage.last_used(&["a", "b"]).await.unwrap().is_empty(), "nothing is written by a use");
    uses.write(stage).await.unwrap();
    let used = stage.last_used(&["a", "b"]).await.unwrap();
    assert_eq!((used["a"], used["b"]), (30, 5));
    assert_eq!((uses.last("a"), uses.last("b")), (None, None), "the database has them");
    uses.note("a", 40);
    stage.pool.close().await;
    assert!(uses.write(stage).await.is_err());
    assert_eq!(uses.last("a"), Some(40));
}

async fn a_key_that_takes_anothers_place_has_its_account(stage: &Stage) {
    let key = |hash: &str, account| VirtualKey { hash: hash.to_string(), account, ..VirtualKey::default() };
    stage.create(key("old", None), &admin(), 1).await.unwrap();
    stage.create(key("new", some("old")), &admin(), 1).await.unwrap();
    assert_eq!(stage.resolve("old").await.unwrap().unwrap().scopes[0].id, "old");
    assert_eq!(stage.resolve("new").await.unwrap().unwrap().scopes[0].id, "old");
}

async fn the_type_of_a_key_says_which_paths_are_its(stage: &Stage) {
    let key = |hash: &str, routes: &[&str]| VirtualKey {
        hash: hash.to_string(),
        key_type: KeyType::LlmApi,
        grants: Grants { routes: routes.iter().map(|route| route.to_string()).collect(), ..Grants::default() },
        ..VirtualKey::default()
    };
    stage.create(key("a", &[]), &admin(), 1).await.unwrap();
    stage.create(key("b", &["/v1/messages"]), &admin(), 1).await.unwrap();
    assert_eq!(stage.resolve("a").await.unwrap().unwrap().scopes[0].grants.routes, ["llm_api_routes"]);
    assert_eq!(stage.resolve("b").await.unwrap().unwrap().scopes[0].grants.routes, ["/v1/messages"]);
}
