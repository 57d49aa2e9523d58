//! A database that goes away and comes back.

use tollgate_store::database::{Database, StoreError};
use tollgate_store::entity::User;

use crate::postgres::Postgres;
use crate::stage::admin;

#[tokio::test]
async fn a_database_that_was_away_is_used_again_and_has_everything() {
    let mut server = Postgres::start();
    let database = Database::postgres(&server.url()).await.unwrap();
    let user = User { id: "u".to_string(), ..User::default() };
    let user = database.create(user, &admin(), 1).await.unwrap();

    server.stop();
    let away = |error| matches!(error, StoreError::Away(_));
    assert!(database.get::<User>("u").await.is_err_and(away));
    assert!(database.write(&admin(), 2).await.is_err_and(away));
    assert!(Database::postgres(&server.url()).await.is_err_and(away));

    server.start_again();
    assert_eq!(database.get::<User>("u").await.unwrap(), Some(user));
    database.update::<User>("u", &admin(), 3, |user| user.grants.blocked = true).await.unwrap();
}
