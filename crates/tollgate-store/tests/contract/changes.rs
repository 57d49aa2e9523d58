//! What replicas hear of, and who did what.

use serde_json::json;
use tollgate_policy::access::Role;
use tollgate_store::access::{Action, Author};
use tollgate_store::changes::{AuditQuery, Changed};
use tollgate_store::database::{Database, Kind};
use tollgate_store::entity::*;

use crate::stage::{Stage, admin};

crate::contract! {
    a_change_is_noticed_by_another_replica
    who_was_away_too_long_is_told_that_everything_may_be_different
    changes_are_seen_in_their_order_whoever_is_slow
    the_trail_tells_who_changed_what_without_secrets
}

fn user(id: &str) -> User {
    User { id: id.to_string(), ..User::default() }
}

async fn another(stage: &Stage) -> Database {
    match stage.kind {
        Kind::Sqlite => Database::sqlite(stage.place.as_ref()).await.unwrap(),
        Kind::Postgres => Database::postgres(&stage.place).await.unwrap(),
    }
}

fn these(changes: &[(EntityKind, &str)]) -> Changed {
    Changed::These(changes.iter().map(|(kind, id)| (*kind, id.to_string())).collect())
}

async fn a_change_is_noticed_by_another_replica(stage: &Stage) {
    let other = another(stage).await;
    let seq = other.newest_change().await.unwrap();
    assert_eq!(other.changes_since(seq).await.unwrap().what, these(&[]));
    stage.create(user("a"), &admin(), 1).await.unwrap();
    stage.update::<User>("a", &admin(), 2, |user| user.grants.blocked = true).await.unwrap();
    stage.create(NamedBudget { id: "b".to_string(), ..NamedBudget::default() }, &admin(), 3).await.unwrap();
    let news = other.changes_since(seq).await.unwrap();
    let expected = [(EntityKind::User, "a"), (EntityKind::User, "a"), (EntityKind::Budget, "b")];
    assert_eq!((news.seq, news.what), (seq + 3, these(&expected)));
    let news = other.changes_since(news.seq).await.unwrap();
    assert_eq!((news.seq, news.what), (seq + 3, these(&[])));
    assert!(other.get::<User>("a").await.unwrap().unwrap().grants.blocked);
}

async fn who_was_away_too_long_is_told_that_everything_may_be_different(stage: &Stage) {
    for (id, at_ms) in [("a", 100), ("b", 200), ("c", 150), ("d", 300)] {
        stage.create(user(id), &admin(), at_ms).await.unwrap();
    }
    assert_eq!(stage.forget_changes(50).await.unwrap(), 0);
    assert_eq!(
        stage.changes_since(0).await.unwrap().what,
        these(&[(EntityKind::User, "a"), (EntityKind::User, "b"), (EntityKind::User, "c"), (EntityKind::User, "d"),])
    );
    // c is from before, and b before it in the order.
    assert_eq!(stage.forget_changes(160).await.unwrap(), 3);
    for seq in [0, 2, 9] {
        let news = stage.changes_since(seq).await.unwrap();
        assert_eq!((news.seq, news.what), (4, Changed::Everything), "{seq}");
    }
    assert_eq!(stage.changes_since(3).await.unwrap().what, these(&[(EntityKind::User, "d")]));
    stage.create(user("e"), &admin(), 400).await.unwrap();
    assert_eq!(stage.newest_change().await.unwrap(), 5);
}

async fn changes_are_seen_in_their_order_whoever_is_slow(stage: &Stage) {
    let mut slow = stage.write(&admin(), 1).await.unwrap();
    slow.create(user("slow")).await.unwrap();
    let database = stage.database.clone();
    let fast = tokio::spawn(async move { database.create(user("fast"), &admin(), 1).await.unwrap() });
    // The other one waits, so nobody can have heard of it and miss the slow one.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(stage.changes_since(0).await.unwrap().what, these(&[]));
    slow.commit().await.unwrap();
    fast.await.unwrap();
    let expected = these(&[(EntityKind::User, "slow"), (EntityKind::User, "fast")]);
    assert_eq!(stage.changes_since(0).await.unwrap().what, expected);
}

async fn the_trail_tells_who_changed_what_without_secrets(stage: &Stage) {
    let by = Author { key: Some("hash".to_string()), user: Some("u".to_string()), role: Some(Role::OrgAdmin) };
    let metadata: Extra = serde_json::from_value(json!({"langfuse_secret_key": "canary"})).unwrap();
    let team = Team { id: "t".to_string(), metadata, ..Team::default() };
    stage.create(team, &by, 1).await.unwrap();
    stage.update::<Team>("t", &admin(), 2, |team| team.grants.blocked = true).await.unwrap();
    stage.create(user("a"), &admin(), 3).await.unwrap();
    stage.delete::<Team>("t", &by, 4).await.unwrap();

    let of_team =
        AuditQuery { kind: Some(EntityKind::Team), id: Some("t".to_string()), size: 10, ..AuditQuery::default() };
    let trail = stage.audit(&of_team).await.unwrap();
    let told: Vec<_> = trail.iter().map(|entry| (entry.seq, entry.at_ms, entry.action)).collect();
    assert_eq!(told, [(4, 4, Action::Deleted), (2, 2, Action::Updated), (1, 1, Action::Created)]);
    assert_eq!((&trail[2].by, &trail[1].by), (&by, &admin()));
    let blocked = |document: &Option<serde_json::Value>| document.as_ref().unwrap()["grants"]["blocked"].clone();
    assert_eq!((blocked(&trail[1].before), blocked(&trail[1].after)), (json!(false), json!(true)));
    assert_eq!((&trail[2].before, &trail[0].after), (&None, &None));
    assert!(!serde_json::to_string(&trail).unwrap().contains("canary"));

    let all = stage.audit(&AuditQuery { size: 2, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(all.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [4, 3]);
    let next = stage.audit(&AuditQuery { before_seq: Some(3), size: 2, ..AuditQuery::default() }).await.unwrap();
    assert_eq!(next.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 1]);
}
