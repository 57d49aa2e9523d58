//! Taking over a LiteLLM's database.

use std::str::FromStr;

use serde_json::json;
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, ConnectOptions};
use tollgate_policy::access::{Budget, Rates, Role, ScopeKind};
use tollgate_policy::window::Window;
use tollgate_store::entity::*;
use tollgate_store::import::{Count, ImportError, OpeningBalance, from_litellm};

use crate::postgres;
use crate::stage::{Stage, admin};

crate::contract! {
    everything_of_a_litellm_is_taken_over
    a_dry_run_tells_the_same_and_keeps_nothing
    an_import_can_be_repeated
    another_database_is_refused
}

const NOW_MS: u64 = 1_764_115_200_000;
/// The SHA-256 of `sk-1234`.
const KEY: &str = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b";

async fn connect(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnectOptions::from_str(url).unwrap().connect().await.unwrap()
}

/// The URL of LiteLLM's database.
async fn litellm() -> String {
    let url = postgres::new_database();
    sqlx::raw_sql(include_str!("imports/litellm.sql")).execute(&mut connect(&url).await).await.unwrap();
    url
}

fn count(taken: u64, there_already: u64, left_out: u64) -> Count {
    Count { taken, there_already, left_out }
}

fn budget(nanos: u64, window: Window) -> Budget {
    Budget { max_nanos: nanos, window }
}

async fn everything_of_a_litellm_is_taken_over(stage: &Stage) {
    let taken = VirtualKey { hash: "mine".to_string(), alias: Some("taken".to_string()), ..VirtualKey::default() };
    stage.create(taken, &admin(), 1).await.unwrap();
    let report = from_litellm(&litellm().await, stage, NOW_MS, false).await.unwrap();

    let counts = [
        (EntityKind::Key, count(2, 0, 2)),
        (EntityKind::Team, count(1, 0, 0)),
        (EntityKind::User, count(2, 0, 0)),
        (EntityKind::Organisation, count(1, 0, 0)),
        // Alice in `team` and, by her own row alone, in `gone`; Bob by the team's list.
        (EntityKind::Membership, count(3, 0, 0)),
        (EntityKind::OrganisationMember, count(1, 0, 0)),
        (EntityKind::EndUser, count(1, 0, 0)),
        (EntityKind::Budget, count(2, 0, 0)),
    ];
    assert_eq!(report.counts, counts.into());
    let balance =
        |scope, id: &str, nanos, resets_at_ms| OpeningBalance { scope, id: id.to_string(), nanos, resets_at_ms };
    assert_eq!(
        report.balances,
        [
            balance(ScopeKind::Organisation, "org", 3_000_000_000, None),
            balance(ScopeKind::User, "alice", 1_250_000_000, Some(1_796_083_200_000)),
            balance(ScopeKind::Team, "team", 100_000_000, None),
            balance(ScopeKind::Member, "team/alice", 1, None),
            balance(ScopeKind::EndUser, "customer", 2_000_000_000, None),
            balance(ScopeKind::Key, KEY, 300_000_000, Some(1_795_737_600_000)),
        ]
    );
    assert_eq!(report.notes.len(), 3, "{:?}", report.notes);

    let key: VirtualKey = stage.get(KEY).await.unwrap().unwrap();
    assert_eq!((key.name.as_deref(), key.alias.as_deref()), (Some("sk-...1234"), Some("ci")));
    assert_eq!((key.user_id.as_deref(), key.team_id.as_deref()), (Some("alice"), Some("team")));
    assert_eq!(key.grants.expires_at_ms, Some(1_798_761_600_000));
    assert_eq!((key.grants.models, key.grants.routes), (vec!["gpt-5".to_string()], vec!["llm_api_routes".to_string()]));
    assert_eq!(key.grants.aliases, [("quick".to_string(), "gpt-5".to_string())].into());
    assert_eq!(key.limits.budget, Some(budget(5_500_000_000, Window::Day)));
    assert_eq!(key.limits.budgets, [budget(20_000_000_000, Window::Week)]);
    assert_eq!(key.limits.model_budgets["gpt-5"], budget(1_000_000_000, Window::Day));
    assert_eq!(key.limits.model_budgets["glm"], budget(2_500_000_000, Window::Every(3600)));
    assert_eq!(
        key.limits.rates,
        Rates {
            requests_per_minute: Some(60),
            tokens_per_minute: Some(50_000),
            parallel_requests: Some(3),
            ..Rates::default()
        }
    );
    assert_eq!(key.limits.model_rates["gpt-5"].tokens_per_minute, Some(1000));
    assert_eq!((key.tags, json!(key.metadata)), (vec!["prod".to_string()], json!({"note": "x"})));
    let rest = json!({"auto_rotate": true, "rotation_interval": "30d", "permissions": {"get_spend_routes": true}});
    assert_eq!(json!(key.extra), rest);
    assert_eq!((key.stamps.created_at_ms, key.stamps.created_by.as_deref()), (1_767_323_045_000, Some("admin")));
    assert!(stage.get::<VirtualKey>(&VirtualKey::hash_of("sk-plain")).await.unwrap().is_some());

    let team: Team = stage.get("team").await.unwrap().unwrap();
    assert_eq!(team.grants.aliases, [("fast".to_string(), "gpt-5-mini".to_string())].into());
    assert_eq!(team.limits.budget, Some(budget(100_000_000_000, Window::Total)));
    assert_eq!(team.limits.model_rates["gpt-5"].requests_per_minute, Some(7));
    assert_eq!(team.member_defaults.budget_id.as_deref(), Some("member"));
    assert_eq!(json!(team.metadata), json!({"cost_centre": 42}));
    assert_eq!(team.stamps.created_at_ms, 1_741_064_767_008);

    let users: Vec<User> = stage.all().await.unwrap();
    let roles: Vec<_> = users.iter().map(|user| (user.id.as_str(), user.role)).collect();
    assert_eq!(roles, [("alice", Role::InternalUser), ("bob", Role::InternalUserViewer)]);
    assert_eq!(json!(users[0].extra), json!({"allowed_cache_controls": ["no-cache"]}));
    assert_eq!(users[0].limits.budget, Some(budget(10_000_000_000, Window::Month)));

    let named: NamedBudget = stage.get("tier-1").await.unwrap().unwrap();
    assert_eq!(named.limits.rates.tokens_per_minute, Some(9_007_199_254_740_993));
    assert_eq!(named.limits.budget, Some(budget(12_500_000_000, Window::Week)));
    let end_user: EndUser = stage.get("customer").await.unwrap().unwrap();
    assert!(end_user.grants.blocked && end_user.allowed_model_region.as_deref() == Some("eu"));

    // The whole chain of the key: it works with what LiteLLM had given it.
    let chain = stage.resolve(KEY).await.unwrap().unwrap();
    let scopes: Vec<_> = chain.scopes.iter().map(|scope| (scope.kind, scope.grants.models.join(","))).collect();
    assert_eq!(
        scopes,
        [
            (ScopeKind::Organisation, "openai/*".to_string()),
            (ScopeKind::Team, "gpt-5,beta".to_string()),
            (ScopeKind::User, String::new()),
            (ScopeKind::Member, "gpt-5-mini".to_string()),
            (ScopeKind::Key, "gpt-5".to_string()),
        ]
    );
    assert_eq!(chain.membership.unwrap().role, TeamRole::Admin);
    let stored: Vec<String> = sqlx::query_scalar("SELECT document FROM users").fetch_all(&stage.pool).await.unwrap();
    assert!(!stored.concat().contains("canary"));
}

async fn a_dry_run_tells_the_same_and_keeps_nothing(stage: &Stage) {
    let source = litellm().await;
    let tried = from_litellm(&source, stage, NOW_MS, true).await.unwrap();
    assert_eq!(stage.all::<VirtualKey>().await.unwrap(), []);
    assert_eq!(stage.newest_change().await.unwrap(), 0);
    assert_eq!(from_litellm(&source, stage, NOW_MS, false).await.unwrap(), tried);
    assert!(stage.newest_change().await.unwrap() > 0);
}

async fn an_import_can_be_repeated(stage: &Stage) {
    let source = litellm().await;
    from_litellm(&source, stage, NOW_MS, false).await.unwrap();
    stage.update::<VirtualKey>(KEY, &admin(), NOW_MS, |key| key.grants.blocked = true).await.unwrap();
    stage.delete::<User>("bob", &admin(), NOW_MS).await.unwrap();
    let again = from_litellm(&source, stage, NOW_MS, false).await.unwrap();
    assert_eq!(again.counts[&EntityKind::Key], count(0, 3, 1));
    assert_eq!(again.counts[&EntityKind::User], count(1, 1, 0));
    assert_eq!(again.balances, []);
    assert!(stage.get::<VirtualKey>(KEY).await.unwrap().unwrap().grants.blocked);
}

async fn another_database_is_refused(stage: &Stage) {
    let url = postgres::new_database();
    let error = from_litellm(&url, stage, NOW_MS, false).await.unwrap_err();
    assert!(matches!(error, ImportError::NotLiteLlm), "{error}");
    // A table of it is enough: other versions have fewer.
    let table = "CREATE TABLE \"LiteLLM_VerificationToken\" (\"token\" TEXT); INSERT INTO \"LiteLLM_VerificationToken\" VALUES ('a')";
    sqlx::raw_sql(AssertSqlSafe(table)).execute(&mut connect(&url).await).await.unwrap();
    let report = from_litellm(&url, stage, NOW_MS, false).await.unwrap();
    assert_eq!(report.counts[&EntityKind::Key], count(1, 0, 0));
    // Prisma's parameter for tables in another schema.
    let move_it = "CREATE SCHEMA \"Gate Way\"; ALTER TABLE \"LiteLLM_VerificationToken\" SET SCHEMA \"Gate Way\"";
    sqlx::raw_sql(AssertSqlSafe(move_it)).execute(&mut connect(&url).await).await.unwrap();
    assert!(matches!(from_litellm(&url, stage, NOW_MS, true).await, Err(ImportError::NotLiteLlm)));
    let in_schema = format!("{url}&schema=Gate Way&connection_limit=5");
    assert_eq!(from_litellm(&in_schema, stage, NOW_MS, true).await.unwrap().counts[&EntityKind::Key], count(0, 1, 0));
    let refused = from_litellm("postgres://nobody@127.0.0.1:1/none", stage, NOW_MS, false).await.unwrap_err();
    assert!(matches!(refused, ImportError::Source(_)), "{refused}");
}
