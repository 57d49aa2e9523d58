//! Pages, filters, orders.

use tollgate_store::entity::*;
use tollgate_store::list::{Condition, Query};

use crate::stage::{Stage, admin};

crate::contract! {
    pages_follow_each_other_and_know_the_total
    filters_hold_together
    a_text_is_found_in_any_case_and_its_signs_are_no_wildcards
}

async fn fill(stage: &Stage) {
    let mut write = stage.write(&admin(), 1).await.unwrap();
    let keys = [
        ("a", "Alpha", Some("u1"), None),
        ("b", "beta_1", Some("u2"), Some("t1")),
        ("c", "BETA-2", None, Some("t1")),
        ("d", "gamma%", Some("u1"), Some("t2")),
        ("e", "\\delta é", None, None),
    ];
    for (index, (hash, alias, user, team)) in keys.into_iter().enumerate() {
        let key = VirtualKey {
            hash: hash.to_string(),
            alias: Some(alias.to_string()),
            user_id: user.map(str::to_string),
            team_id: team.map(str::to_string),
            // d and e are of the same moment.
            stamps: Stamps { created_at_ms: 10 + index.min(3) as u64, ..Stamps::default() },
            ..VirtualKey::default()
        };
        write.create(key).await.unwrap();
    }
    write.commit().await.unwrap();
}

async fn hashes(stage: &Stage, query: &Query) -> (String, u64) {
    let page = stage.list::<VirtualKey>(query).await.unwrap();
    (page.items.iter().map(|key| key.hash.as_str()).collect(), page.total)
}

async fn pages_follow_each_other_and_know_the_total(stage: &Stage) {
    fill(stage).await;
    let page = |page, descending| Query { page, size: 2, descending, ..Query::default() };
    for (number, descending, expected) in [
        (1, true, "ed"),
        (2, true, "cb"),
        (3, true, "a"),
        (4, true, ""),
        (1, false, "ab"),
        (0, false, "ab"),
        (3, false, "e"),
    ] {
        assert_eq!(hashes(stage, &page(number, descending)).await, (expected.to_string(), 5), "{number}");
    }
    let by_id = Query { sort: Column::Id, descending: false, ..Query::default() };
    assert_eq!(hashes(stage, &by_id).await.0, "abcde");
}

async fn filters_hold_together(stage: &Stage) {
    fill(stage).await;
    let is = |column, value: &str| Condition::Is(column, value.to_string());
    let query = Query { descending: false, ..Query::default() };
    let cases = [
        (query.clone().and(is(Column::UserId, "u1")), "ad"),
        (query.clone().and(is(Column::UserId, "u1")).and(Condition::Absent(Column::TeamId)), "a"),
        (query.clone().and_any(vec![is(Column::UserId, "u2"), is(Column::TeamId, "t2")]), "bd"),
        (query.clone().and(Condition::OneOf(Column::TeamId, vec!["t1".to_string(), "t2".to_string()])), "bcd"),
        (query.clone().and(Condition::OneOf(Column::TeamId, Vec::new())), ""),
        (query.clone().and_any(Vec::new()), ""),
        (query.clone().and(is(Column::TeamId, "t1' OR '1'='1")), ""),
    ];
    for (query, expected) in cases {
        assert_eq!(hashes(stage, &query).await, (expected.to_string(), expected.len() as u64), "{:?}", query.filter);
    }
}

async fn a_text_is_found_in_any_case_and_its_signs_are_no_wildcards(stage: &Stage) {
    fill(stage).await;
    for (part, expected) in [
        ("BETA", "bc"),
        ("_", "b"),
        ("%", "d"),
        ("\\", "e"),
        ("DELTA é", "e"),
        ("alpha", "a"),
        ("ÜNÏ", ""),
        ("none", ""),
    ] {
        let query = Query { descending: false, ..Query::default() };
        let query = query.and(Condition::Contains(Column::Alias, part.to_string()));
        assert_eq!(hashes(stage, &query).await.0, expected, "{part}");
    }
}
