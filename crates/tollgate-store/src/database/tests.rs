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

#[test]
fn what_passes_is_told_from_what_is_refused() {
    for code in ["57P01", "08006", "53300", "5", "517", "261"] {
        assert!(passes(code), "{code}");
    }
    for code in ["23505", "42P01", "1", "2067", "1555", "", "äöü"] {
        assert!(!passes(code), "{code}");
    }
}

#[tokio::test]
async fn a_file_that_another_holds_for_too_long_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tollgate.db");
    let database = Database::sqlite(&path).await.unwrap();
    let other = Database::sqlite(&path).await.unwrap();
    let author = crate::access::Author::default();
    let _held = database.write(&author, 1).await.unwrap();
    // Its patience is a setting of the connection.
    let mut connection = other.pool.acquire().await.unwrap();
    sqlx::raw_sql("PRAGMA busy_timeout = 1").execute(&mut *connection).await.unwrap();
    let error = sqlx::query("UPDATE change_counter SET last = 1").execute(&mut *connection).await.unwrap_err();
    assert!(matches!(StoreError::from(error), StoreError::Away(_)));
}
