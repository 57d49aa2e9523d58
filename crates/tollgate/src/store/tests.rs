use tollgate_store::access::Author;

use super::*;

const CONFIG: &str = "model_list:\n  - {model_name: m, litellm_params: {model: ollama/a}}\n";

async fn app(dir: &Path) -> App {
    let (config, _) = config::from_text("config.yaml", CONFIG, &|_| None).unwrap();
    let store = Store::open(&config, dir).await.unwrap();
    let app = App::new(config, Some(dir.to_path_buf())).unwrap();
    app.set_store(store);
    app
}

async fn run(store: &Store, statement: &'static str) {
    sqlx::query(statement).execute(&store.database.pool).await.unwrap();
}

#[tokio::test]
async fn a_change_that_could_not_be_read_again_is_read_the_next_time() {
    let dir = tempfile::tempdir().unwrap();
    let app = app(dir.path()).await;
    let store = app.store().unwrap();
    let group = AccessGroup { id: "g".into(), name: "beta".into(), models: vec!["m".into()], ..AccessGroup::default() };
    store.database.create(group, &Author::default(), 1).await.unwrap();

    run(store, "ALTER TABLE access_groups RENAME TO elsewhere").await;
    assert!(store.catch_up(&app).await.is_err());
    run(store, "ALTER TABLE elsewhere RENAME TO access_groups").await;
    store.catch_up(&app).await.unwrap();
    assert_eq!(app.live().groups.load()["beta"], ["m"]);
}

#[tokio::test]
async fn a_customer_is_known_for_a_time_and_not_waited_for_while_the_database_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let app = app(dir.path()).await;
    let store = app.store().unwrap();
    assert_eq!(store.end_user("known", None).await.unwrap().unwrap().id, "known");

    store.connected.store(false, Ordering::Relaxed);
    assert_eq!(store.end_user("known", None).await.unwrap().unwrap().id, "known");
    assert!(store.end_user("stranger", None).await.unwrap().is_none());
}
