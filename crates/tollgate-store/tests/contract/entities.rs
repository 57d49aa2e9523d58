//! Creating, reading, changing, deleting.

use serde_json::json;
use tollgate_policy::access::{Budget, Grants, Limits, Rates, Role};
use tollgate_policy::window::Window;
use tollgate_store::database::StoreError;
use tollgate_store::entity::*;

use crate::stage::{Stage, admin};

crate::contract! {
    every_kind_comes_back_as_it_was_stored
    a_taken_id_or_alias_is_refused_by_name
    what_the_gateway_does_not_read_is_kept
    updates_at_the_same_time_are_all_kept
    a_write_that_is_dropped_changes_nothing
    deleting_a_team_takes_its_keys_along
    credentials_of_models_are_nowhere_in_clear
}

fn key(hash: &str) -> VirtualKey {
    VirtualKey { hash: hash.to_string(), ..VirtualKey::default() }
}

/// Stores it, changes it, deletes it.
async fn round_trip<E: Entity + PartialEq + std::fmt::Debug>(stage: &Stage, entity: E) {
    let id = entity.id().into_owned();
    let created = stage.create(entity.clone(), &admin(), 1000).await.unwrap();
    assert_eq!(
        created.stamps(),
        &Stamps {
            created_at_ms: 1000,
            created_by: Some("admin".to_string()),
            updated_at_ms: 1000,
            updated_by: Some("admin".to_string()),
        }
    );
    assert_eq!(stage.get::<E>(&id).await.unwrap().as_ref(), Some(&created));
    assert_eq!(stage.all::<E>().await.unwrap(), [created]);
    let updated = stage.update::<E>(&id, &admin(), 2000, |_| ()).await.unwrap().unwrap();
    assert_eq!((updated.stamps().created_at_ms, updated.stamps().updated_at_ms), (1000, 2000));
    for &column in E::COLUMNS {
        let value = entity.column(column).unwrap_or_else(|| panic!("{column:?} of a {} is tested", E::KIND));
        assert_eq!(stage.find::<E>(column, &value).await.unwrap(), std::slice::from_ref(&updated), "{column:?}");
        assert_eq!(stage.count::<E>(column, &value).await.unwrap(), 1);
    }
    assert_eq!(stage.delete::<E>(&id, &admin(), 3000).await.unwrap(), Some(updated));
    assert_eq!(stage.get::<E>(&id).await.unwrap(), None);
    assert_eq!(stage.delete::<E>(&id, &admin(), 3000).await.unwrap(), None);
    assert_eq!(stage.update::<E>(&id, &admin(), 3000, |_| ()).await.unwrap(), None);
}

async fn every_kind_comes_back_as_it_was_stored(stage: &Stage) {
    let some = |text: &str| Some(text.to_string());
    let grants = Grants {
        models: vec!["openai/*".to_string()],
        routes: vec!["llm_api_routes".to_string()],
        addresses: vec!["10.0.0.0/8".to_string()],
        blocked: true,
        expires_at_ms: Some(u64::MAX),
        aliases: [("fast".to_string(), "openai/gpt-5-mini".to_string())].into(),
    };
    let limits = Limits {
        budget: Some(Budget { max_nanos: 1_000_000_000, window: Window::Every(30) }),
        rates: Rates { requests_per_minute: Some(0), ..Rates::default() },
        ..Limits::default()
    };
    round_trip(
        stage,
        VirtualKey {
            hash: "h".repeat(64),
            name: some("sk-...abcd"),
            alias: some("Ünïcode 'quoted'"),
            user_id: some("u"),
            team_id: some("t"),
            organisation_id: some("o"),
            project_id: some("p"),
            budget_id: some("b"),
            end_user_budget_id: some("e"),
            key_type: KeyType::LlmApi,
            grants: grants.clone(),
            limits: limits.clone(),
            access_groups: vec!["g".to_string()],
            tags: vec!["t1".to_string()],
            ..VirtualKey::default()
        },
    )
    .await;
    round_trip(
        stage,
        Team {
            id: "t".to_string(),
            alias: some("Team"),
            organisation_id: some("o"),
            budget_id: some("b"),
            grants: grants.clone(),
            limits: limits.clone(),
            member_defaults: MemberDefaults { budget_id: some("b"), ..MemberDefaults::default() },
            ..Team::default()
        },
    )
    .await;
    round_trip(
        stage,
        User {
            id: "u".to_string(),
            alias: some("U"),
            email: some("u@example.com"),
            role: Role::ProxyAdminViewer,
            sso_id: some("sso"),
            organisation_id: some("o"),
            budget_id: some("b"),
            ..User::default()
        },
    )
    .await;
    round_trip(
        stage,
        Organisation {
            id: "o".to_string(),
            alias: some("O"),
            budget_id: some("b"),
            grants: grants.clone(),
            ..Organisation::default()
        },
    )
    .await;
    round_trip(
        stage,
        Membership {
            team_id: "t".to_string(),
            user_id: "u".to_string(),
            role: TeamRole::Admin,
            budget_id: some("b"),
            ..Membership::default()
        },
    )
    .await;
    round_trip(
        stage,
        OrganisationMember {
            organisation_id: "o".to_string(),
            user_id: "u".to_string(),
            role: Role::OrgAdmin,
            budget_id: some("b"),
            ..OrganisationMember::default()
        },
    )
    .await;
    round_trip(
        stage,
        EndUser {
            id: "customer".to_string(),
            alias: some("C"),
            budget_id: some("b"),
            limits: limits.clone(),
            ..EndUser::default()
        },
    )
    .await;
    round_trip(stage, NamedBudget { id: "b".to_string(), limits, ..NamedBudget::default() }).await;
    round_trip(
        stage,
        AccessGroup {
            id: "g".to_string(),
            name: "beta".to_string(),
            models: vec!["a".to_string()],
            ..AccessGroup::default()
        },
    )
    .await;
    round_trip(stage, StoredModel { id: "m".to_string(), model_name: "gpt-5".to_string(), ..StoredModel::default() })
        .await;
}

async fn a_taken_id_or_alias_is_refused_by_name(stage: &Stage) {
    let first = VirtualKey { alias: Some("ci".to_string()), ..key("a") };
    stage.create(first, &admin(), 1).await.unwrap();
    let same_alias = VirtualKey { alias: Some("ci".to_string()), ..key("b") };
    let error = stage.create(same_alias, &admin(), 2).await.unwrap_err();
    assert_eq!(error.to_string(), "there is a key with this alias already: ci");
    let error = stage.create(key("a"), &admin(), 2).await.unwrap_err();
    assert!(matches!(error, StoreError::Exists { kind: EntityKind::Key, column: Column::Id, .. }));
    // Its own alias is no hindrance to a key, and none is none of the others'.
    stage.create(key("b"), &admin(), 2).await.unwrap();
    stage.create(key("c"), &admin(), 2).await.unwrap();
    stage.update::<VirtualKey>("a", &admin(), 3, |key| key.grants.blocked = true).await.unwrap();
    let error = stage.update::<VirtualKey>("b", &admin(), 3, |key| key.alias = Some("ci".to_string())).await;
    assert!(matches!(error, Err(StoreError::Exists { column: Column::Alias, .. })));
    assert!(matches!(
        stage.write(&admin(), 4).await.unwrap().put(key("none")).await,
        Err(StoreError::Missing { kind: EntityKind::Key, .. })
    ));
}

async fn what_the_gateway_does_not_read_is_kept(stage: &Stage) {
    let metadata: Extra = serde_json::from_value(json!({"z": 1, "a": {"nested": [1.50, null, "é"]}})).unwrap();
    let extra: Extra = serde_json::from_value(json!({"guardrails": ["pii"], "permissions": {"x": true}})).unwrap();
    let stored = VirtualKey { metadata: metadata.clone(), extra: extra.clone(), ..key("a") };
    stage.create(stored, &admin(), 1).await.unwrap();
    let found: VirtualKey = stage.get("a").await.unwrap().unwrap();
    assert_eq!((&found.metadata, &found.extra), (&metadata, &extra));
    assert_eq!(found.metadata.keys().collect::<Vec<_>>(), ["z", "a"]);
}

async fn updates_at_the_same_time_are_all_kept(stage: &Stage) {
    stage.create(key("a"), &admin(), 1).await.unwrap();
    let update = |n: u32| {
        let database = stage.database.clone();
        tokio::spawn(async move {
            let change = move |key: &mut VirtualKey| key.tags.push(n.to_string());
            database.update("a", &admin(), 2, change).await.unwrap().unwrap()
        })
    };
    let tasks: Vec<_> = (0..20).map(update).collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut tags = stage.get::<VirtualKey>("a").await.unwrap().unwrap().tags;
    tags.sort_by_key(|tag| tag.parse::<u32>().unwrap());
    assert_eq!(tags, (0..20).map(|n| n.to_string()).collect::<Vec<_>>());
}

async fn a_write_that_is_dropped_changes_nothing(stage: &Stage) {
    let mut write = stage.write(&admin(), 1).await.unwrap();
    write.create(key("a")).await.unwrap();
    assert!(write.get::<VirtualKey>("a").await.unwrap().is_some());
    drop(write);
    assert_eq!(stage.get::<VirtualKey>("a").await.unwrap(), None);
    assert_eq!(stage.newest_change().await.unwrap(), 0);
}

async fn deleting_a_team_takes_its_keys_along(stage: &Stage) {
    let mut write = stage.write(&admin(), 1).await.unwrap();
    write.create(Team { id: "t".to_string(), ..Team::default() }).await.unwrap();
    write.create(VirtualKey { team_id: Some("t".to_string()), ..key("a") }).await.unwrap();
    write.create(VirtualKey { team_id: Some("t".to_string()), ..key("b") }).await.unwrap();
    write.create(key("c")).await.unwrap();
    write.commit().await.unwrap();
    let mut write = stage.write(&admin(), 2).await.unwrap();
    assert!(write.delete::<Team>("t").await.unwrap().is_some());
    let gone = write.delete_where::<VirtualKey>(Column::TeamId, "t").await.unwrap();
    write.commit().await.unwrap();
    assert_eq!(gone.iter().map(|key| key.hash.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(stage.all::<VirtualKey>().await.unwrap().len(), 1);
    assert_eq!(stage.newest_change().await.unwrap(), 7);
}

async fn credentials_of_models_are_nowhere_in_clear(stage: &Stage) {
    let vault = tollgate_store::vault::Vault::new("salt");
    let clear: Extra = serde_json::from_value(json!({"model": "openai/gpt-5", "api_key": "canary"})).unwrap();
    let model = StoredModel {
        id: "m".to_string(),
        model_name: "gpt-5".to_string(),
        litellm_params: Params::seal(&vault, "m", clear.clone()).unwrap(),
        ..StoredModel::default()
    };
    stage.create(model, &admin(), 1).await.unwrap();
    let stored: Vec<(String, String)> =
        sqlx::query_as("SELECT m.document, c.new_value FROM models m, changes c WHERE c.id = m.id")
            .fetch_all(&stage.pool)
            .await
            .unwrap();
    let [(document, audited)] = stored.as_slice() else { panic!("one model and one entry") };
    assert!(!document.contains("canary") && !audited.contains("canary") && !audited.contains("sealed"));
    let found: StoredModel = stage.get("m").await.unwrap().unwrap();
    assert_eq!(found.litellm_params.open(&vault, "m"), Ok(clear));
}
