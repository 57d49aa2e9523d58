use super::*;

#[tokio::test]
async fn statements_with_numbered_places_are_read_by_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::sqlite(&dir.path().join("tollgate.db")).await.unwrap();
    let insert =
        "INSERT INTO virtual_keys (id, alias, created_at_ms, updated_at_ms, document) VALUES ($2, $1, $3, $3, $4)";
    sqlx::query(insert).bind("alias").bind("hash").bind(5_i64).bind("{}").execute(&database.pool).await.unwrap();
    let found: (String, i64) = sqlx::query_as("SELECT id, updated_at_ms FROM virtual_keys WHERE alias = $1")
        .bind("alias")
        .fetch_one(&database.pool)
        .await
        .unwrap();
    assert_eq!(found, ("hash".to_string(), 5));
}
