use tempfile::TempDir;

use super::*;
use crate::access::Author;
use crate::entity::User;

async fn create(database: &Database, id: &str) {
    let user = User { id: id.to_string(), ..User::default() };
    database.create(user, &Author::default(), 1).await.unwrap();
}

async fn users(database: &Database) -> Vec<String> {
    database.all::<User>().await.unwrap().into_iter().map(|user| user.id).collect()
}

fn place(dir: &TempDir) -> PathBuf {
    dir.path().join("tollgate.db")
}

#[tokio::test]
async fn a_backup_of_a_database_in_use_is_restored_when_nobody_uses_it() {
    let dir = tempfile::tempdir().unwrap();
    let backup = dir.path().join("backup.db");
    let database = Database::sqlite(&place(&dir)).await.unwrap();
    create(&database, "before").await;
    let mut write = database.write(&Author::default(), 1).await.unwrap();
    write.create(User { id: "under way".to_string(), ..User::default() }).await.unwrap();
    back_up(&database, &backup).await.unwrap();
    write.commit().await.unwrap();
    create(&database, "after").await;

    assert!(matches!(restore(&backup, &place(&dir)).await, Err(BackupError::InUse(_))));
    assert_eq!(users(&database).await, ["after", "before", "under way"]);
    database.pool.close().await;
    drop(database);
    restore(&backup, &place(&dir)).await.unwrap();
    let database = Database::sqlite(&place(&dir)).await.unwrap();
    assert_eq!(users(&database).await, ["before"]);
    // The database works on, and the one before is still there.
    create(&database, "new").await;
    let old = dir.path().join("tollgate.db.before-restore");
    assert_eq!(users(&Database::sqlite(&old).await.unwrap()).await, ["after", "before", "under way"]);
}

#[tokio::test]
async fn nothing_is_overwritten_and_nothing_but_a_backup_is_restored() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::sqlite(&place(&dir)).await.unwrap();
    create(&database, "here").await;
    let file = dir.path().join("other");
    std::fs::write(&file, "something else").unwrap();
    assert!(matches!(back_up(&database, &file).await, Err(BackupError::Exists(_))));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "something else");
    drop(database);
    for no_backup in [&file, &dir.path().join("missing")] {
        assert!(matches!(restore(no_backup, &place(&dir)).await, Err(BackupError::NoBackup { .. })));
    }
    let database = Database::sqlite(&place(&dir)).await.unwrap();
    let backup = dir.path().join("backup.db");
    back_up(&database, &backup).await.unwrap();
    drop(database);
    let mut bytes = std::fs::read(&backup).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xee);
    std::fs::write(&backup, bytes).unwrap();
    assert!(matches!(restore(&backup, &place(&dir)).await, Err(BackupError::NoBackup { .. })));
    assert_eq!(users(&Database::sqlite(&place(&dir)).await.unwrap()).await, ["here"]);
}

#[cfg(unix)]
#[tokio::test]
async fn database_and_backup_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let database = Database::sqlite(&place(&dir)).await.unwrap();
    create(&database, "u").await;
    back_up(&database, &dir.path().join("backup.db")).await.unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
}
