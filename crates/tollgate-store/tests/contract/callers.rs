//! Callers that are kept until something about them changes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tollgate_policy::access::{Grants, Limits};
use tollgate_store::callers::Callers;
use tollgate_store::changes::Changed;
use tollgate_store::database::StoreError;
use tollgate_store::entity::*;

use crate::stage::{Stage, admin};

crate::contract! {
    a_known_caller_goes_on_without_the_database
    each_change_that_concerns_a_caller_is_seen
    a_key_that_was_unknown_is_found_when_it_is_made
    a_key_that_is_stored_nowhere_is_kept_until_whom_it_names_changes
    a_replica_that_missed_too_much_begins_anew
    what_was_read_before_a_change_is_not_kept_after_it
}

fn key(hash: &str) -> VirtualKey {
    VirtualKey {
        hash: hash.to_string(),
        team_id: Some("t".to_string()),
        user_id: Some("u".to_string()),
        ..VirtualKey::default()
    }
}

async fn callers(stage: &Stage) -> Callers {
    stage.create(key("k"), &admin(), 1).await.unwrap();
    Callers::new(stage.database.clone()).await.unwrap()
}

async fn a_known_caller_goes_on_without_the_database(stage: &Stage) {
    let callers = callers(stage).await;
    assert_eq!(callers.find("none").await.unwrap(), None);
    let chain = callers.find("k").await.unwrap().unwrap();
    assert_eq!(chain.key.hash, "k");
    stage.pool.close().await;
    assert!(callers.catch_up().await.is_err());
    assert!(Arc::ptr_eq(&callers.find("k").await.unwrap().unwrap(), &chain));
    assert_eq!(callers.find("none").await.unwrap(), None);
    assert!(callers.find("other").await.is_err());
}

/// The others have the rest of the connections for themselves.
#[tokio::test]
async fn a_caller_for_whom_many_ask_at_once_is_looked_for_once() {
    let stage = Stage::postgres().await;
    let callers = Arc::new(callers(&stage).await);
    let mut slow = stage.pool.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE virtual_keys IN ACCESS EXCLUSIVE MODE").execute(&mut *slow).await.unwrap();
    let asking = (0..50).map(|_| {
        let callers = callers.clone();
        tokio::spawn(async move { callers.find("k").await })
    });
    let asking: Vec<_> = asking.collect();
    let looked =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = async {
        while sqlx::query_scalar::<_, i64>(looked).fetch_one(&mut *slow).await.unwrap() == 0 {
            tokio::task::yield_now().await;
            // Within a transaction PostgreSQL shows what it showed first, unless it is told to look again.
            sqlx::raw_sql("SELECT pg_stat_clear_snapshot()").execute(&mut *slow).await.unwrap();
        }
    };
    timeout(Duration::from_secs(20), waiting).await.expect("one looks");
    let others = timeout(Duration::from_secs(2), stage.pool.acquire()).await;
    assert!(others.is_ok_and(|connection| connection.is_ok()), "there is a connection for others");
    slow.rollback().await.unwrap();
    for asked in asking {
        assert_eq!(asked.await.unwrap().unwrap().unwrap().key.hash, "k");
    }
}

#[tokio::test]
async fn who_waited_for_a_look_that_failed_does_not_wait_for_another() {
    let stage = Stage::postgres().await;
    let callers = Arc::new(callers(&stage).await);
    // As if all connections hung: each look waits five seconds for one.
    let mut all = Vec::new();
    for _ in 0..stage.pool.options().get_max_connections() {
        all.push(stage.pool.acquire().await.unwrap());
    }
    let asking = (0..10).map(|_| {
        let callers = callers.clone();
        tokio::spawn(async move { callers.find("k").await })
    });
    for asked in asking.collect::<Vec<_>>() {
        let asked = timeout(Duration::from_secs(20), asked).await.expect("not one after the other").unwrap();
        assert!(matches!(asked, Err(StoreError::Away(_))), "{asked:?}");
    }
    drop(all);
    assert!(callers.find("k").await.unwrap().is_some(), "the next one looks");
}

async fn each_change_that_concerns_a_caller_is_seen(stage: &Stage) {
    let callers = callers(stage).await;
    let same = async || {
        let before = callers.find("k").await.unwrap().unwrap();
        callers.catch_up().await.unwrap();
        Arc::ptr_eq(&before, &callers.find("k").await.unwrap().unwrap())
    };
    assert!(same().await);
    let blocked = || Grants { blocked: true, ..Grants::default() };

    stage
        .create(Team { id: "t".to_string(), organisation_id: Some("o".to_string()), ..Team::default() }, &admin(), 1)
        .await
        .unwrap();
    assert!(!same().await);
    stage.create(User { id: "u".to_string(), grants: blocked(), ..User::default() }, &admin(), 1).await.unwrap();
    assert!(!same().await);
    stage.create(Organisation { id: "o".to_string(), ..Organisation::default() }, &admin(), 1).await.unwrap();
    assert!(!same().await);
    let member = Membership { team_id: "t".to_string(), user_id: "u".to_string(), ..Membership::default() };
    stage.create(member, &admin(), 1).await.unwrap();
    assert!(!same().await);
    stage
        .create(NamedBudget { id: "b".to_string(), limits: Limits::default(), ..NamedBudget::default() }, &admin(), 1)
        .await
        .unwrap();
    assert!(!same().await);
    stage.update::<VirtualKey>("k", &admin(), 2, |key| key.grants.blocked = true).await.unwrap();
    assert!(!same().await);
    assert!(callers.find("k").await.unwrap().unwrap().key.grants.blocked);

    // Others' changes leave it alone.
    stage.create(Team { id: "other".to_string(), ..Team::default() }, &admin(), 1).await.unwrap();
    stage.create(key("other"), &admin(), 1).await.unwrap();
    stage.create(EndUser { id: "u".to_string(), ..EndUser::default() }, &admin(), 1).await.unwrap();
    assert!(same().await);

    stage.delete::<VirtualKey>("k", &admin(), 3).await.unwrap();
    assert!(callers.find("k").await.unwrap().is_some());
    let changed = callers.catch_up().await.unwrap();
    assert_eq!(changed, Changed::These(vec![(EntityKind::Key, "k".to_string())]));
    assert_eq!(callers.find("k").await.unwrap(), None);
}

async fn a_key_that_was_unknown_is_found_when_it_is_made(stage: &Stage) {
    let callers = callers(stage).await;
    assert_eq!(callers.find("new").await.unwrap(), None);
    stage.create(key("new"), &admin(), 1).await.unwrap();
    callers.catch_up().await.unwrap();
    assert!(callers.find("new").await.unwrap().is_some());
}

async fn a_replica_that_missed_too_much_begins_anew(stage: &Stage) {
    let callers = callers(stage).await;
    assert!(callers.find("k").await.unwrap().is_some());
    stage.delete::<VirtualKey>("k", &admin(), 2).await.unwrap();
    stage.forget_changes(10).await.unwrap();
    assert_eq!(callers.catch_up().await.unwrap(), Changed::Everything);
    assert_eq!(callers.find("k").await.unwrap(), None);
}

/// Finders that read all the time while the key changes: none of them may keep what it read before.
async fn what_was_read_before_a_change_is_not_kept_after_it(stage: &Stage) {
    let callers = Arc::new(callers(stage).await);
    let finders: Vec<_> = (0..3)
        .map(|_| {
            let callers = callers.clone();
            tokio::spawn(async move {
                loop {
                    callers.find("k").await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for n in 0..60 {
        let name = n.to_string();
        stage.update::<VirtualKey>("k", &admin(), 2, |key| key.name = Some(name.clone())).await.unwrap();
        callers.catch_up().await.unwrap();
        for _ in 0..3 {
            let found = callers.find("k").await.unwrap().unwrap();
            assert_eq!(found.key.name.as_ref(), Some(&name));
            tokio::task::yield_now().await;
        }
    }
    finders.iter().for_each(|finder| finder.abort());
}

async fn a_key_that_is_stored_nowhere_is_kept_until_whom_it_names_changes(stage: &Stage) {
    let callers = callers(stage).await;
    let bearer = VirtualKey { hash: String::new(), ..key("") };
    let first = callers.find_unstored("bearer", &bearer).await.unwrap();
    assert_eq!(first.team, None);
    assert!(Arc::ptr_eq(&callers.find_unstored("bearer", &bearer).await.unwrap(), &first));
    stage.create(Team { id: "t".to_string(), ..Team::default() }, &admin(), 1).await.unwrap();
    callers.catch_up().await.unwrap();
    let second = callers.find_unstored("bearer", &bearer).await.unwrap();
    assert_eq!(second.team.as_ref().map(|team| team.id.as_str()), Some("t"));
    stage.pool.close().await;
    assert!(Arc::ptr_eq(&callers.find_unstored("bearer", &bearer).await.unwrap(), &second), "without the database");
}
