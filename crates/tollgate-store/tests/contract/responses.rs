//! Answers that are kept for later requests.

use std::time::Duration;

use tollgate_store::responses::KeptResponse;
use tollgate_store::vault::Vault;

use crate::stage::Stage;

crate::contract! {
    an_answer_is_found_again_until_it_is_forgotten
    what_is_kept_is_encrypted_where_there_is_a_secret
    what_is_too_old_or_too_much_goes_oldest_first
    an_item_is_found_by_its_owner_in_the_latest_answer_that_has_it
}

fn kept(n: u64) -> KeptResponse {
    KeptResponse {
        id: format!("resp_{n}"),
        owner: "key:hash".to_string(),
        created_at_ms: 1000 * n,
        previous: n.checked_sub(1).map(|n| format!("resp_{n}")),
        input: r#"[{"role":"user","content":"a private matter"}]"#.to_string(),
        response: format!(r#"{{"id":"resp_{n}","output":[]}}"#),
        leans: false,
        items: Vec::new(),
    }
}

async fn an_answer_is_found_again_until_it_is_forgotten(stage: &Stage) {
    let database = &stage.database;
    database.keep_response(&kept(1), None).await.unwrap();
    assert_eq!(database.kept_response("resp_1", None).await.unwrap(), Some(kept(1)));
    let newer = KeptResponse { response: "{}".to_string(), ..kept(1) };
    database.keep_response(&newer, None).await.unwrap();
    assert_eq!(database.kept_response("resp_1", None).await.unwrap(), Some(newer));
    assert!(database.forget_response("resp_1").await.unwrap());
    assert!(!database.forget_response("resp_1").await.unwrap());
    assert_eq!(database.kept_response("resp_1", None).await.unwrap(), None);
}

async fn what_is_kept_is_encrypted_where_there_is_a_secret(stage: &Stage) {
    let (database, vault) = (&stage.database, Vault::new("sk-master"));
    database.keep_response(&kept(1), Some(&vault)).await.unwrap();
    let body: String = sqlx::query_scalar("SELECT body FROM kept_responses").fetch_one(&database.pool).await.unwrap();
    assert!(Vault::is_sealed(&body) && !body.contains("private"), "{body}");
    assert_eq!(database.kept_response("resp_1", Some(&vault)).await.unwrap(), Some(kept(1)));
    assert!(database.kept_response("resp_1", Some(&Vault::new("another"))).await.is_err());
}

async fn what_is_too_old_or_too_much_goes_oldest_first(stage: &Stage) {
    let database = &stage.database;
    for n in 1..=10 {
        database.keep_response(&kept(n), None).await.unwrap();
    }
    let ids = async || {
        let ids = "SELECT id FROM kept_responses ORDER BY created_at";
        sqlx::query_scalar::<_, String>(ids).fetch_all(&database.pool).await.unwrap()
    };
    // Of one to ten seconds, those of the last four stay.
    assert_eq!(database.shorten_responses(10_000, Duration::from_secs(3), u64::MAX).await.unwrap(), 6);
    assert_eq!(ids().await, ["resp_7", "resp_8", "resp_9", "resp_10"]);
    let each: i64 =
        sqlx::query_scalar("SELECT MAX(bytes) FROM kept_responses").fetch_one(&database.pool).await.unwrap();
    let two = u64::try_from(each * 2).unwrap();
    assert_eq!(database.shorten_responses(10_000, Duration::MAX, two).await.unwrap(), 2);
    assert_eq!(ids().await, ["resp_9", "resp_10"]);
    assert_eq!(database.shorten_responses(10_000, Duration::MAX, 0).await.unwrap(), 2);
}

async fn an_item_is_found_by_its_owner_in_the_latest_answer_that_has_it(stage: &Stage) {
    let database = &stage.database;
    let with = |n: u64, owner: &str, items: Vec<String>| KeptResponse { owner: owner.to_string(), items, ..kept(n) };
    let some = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
    let many = (0..450).map(|n| format!("fc_{n}")).collect();
    database.keep_response(&with(1, "key:a", some(&["msg_0", "rs_1", "msg_0"])), None).await.unwrap();
    database.keep_response(&with(2, "key:a", some(&["msg_0"])), None).await.unwrap();
    database.keep_response(&with(3, "key:b", some(&["msg_0"])), None).await.unwrap();
    database.keep_response(&with(4, "key:b", many), None).await.unwrap();
    let places = async |owner: &str, items: &[&str]| {
        let found = database.places_of_items(owner, items).await.unwrap();
        let mut found: Vec<(String, String)> = found.into_iter().collect();
        found.sort();
        found
    };
    let at = |item: &str, response: &str| (item.to_string(), response.to_string());
    assert_eq!(places("key:a", &["msg_0", "rs_1", "fc_1"]).await, [at("msg_0", "resp_2"), at("rs_1", "resp_1")]);
    assert_eq!(places("key:b", &["fc_449", "msg_0"]).await, [at("fc_449", "resp_4"), at("msg_0", "resp_3")]);
    database.forget_response("resp_2").await.unwrap();
    assert_eq!(places("key:a", &["msg_0", "rs_1"]).await, [at("rs_1", "resp_1")], "items go with their answer");
    database.shorten_responses(10_000, Duration::ZERO, u64::MAX).await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM kept_items").fetch_one(&database.pool).await.unwrap();
    assert_eq!(left, 0);
}
