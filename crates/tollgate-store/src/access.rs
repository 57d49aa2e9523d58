//! Creating, reading, changing and deleting of every [`Entity`].
//!
//! What changes something is a [`Write`]: one transaction, which is alone from its begin to its commit. Changes are rare and short, so
//! they wait for each other, over all replicas; what a write reads is still so when it commits, and no change gets lost. Each
//! change leaves an entry in the table of changes in the same transaction.

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Row};
use tollgate_policy::access::Role;

use crate::database::{Database, StoreError};
use crate::entity::{Column, Entity, EntityKind};
use crate::vault::redact;

/// Who makes a change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Author {
    /// The hash of the key that was used; `None`: the master key, or the gateway itself.
    pub key: Option<String>,
    pub user: Option<String>,
    pub role: Option<Role>,
}

impl Author {
    /// What `created_by` and `updated_by` say: the user, or the word that LiteLLM has for the owner of the master key.
    pub fn word(&self) -> String {
        self.user.clone().unwrap_or_else(|| "default_user_id".to_string())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Created,
    Updated,
    Deleted,
}

impl Action {
    pub fn word(self) -> &'static str {
        match self {
            Action::Created => "created",
            Action::Updated => "updated",
            Action::Deleted => "deleted",
        }
    }

    pub fn from_word(word: &str) -> Option<Action> {
        [Action::Created, Action::Updated, Action::Deleted].into_iter().find(|action| action.word() == word)
    }
}

/// A transaction that changes something. Dropped without [`Write::commit`] it changes nothing.
pub struct Write {
    transaction: sqlx::Transaction<'static, sqlx::Any>,
    author: Author,
    now_ms: u64,
    /// The number of the last change.
    seq: i64,
}

impl Database {
    /// Waits until no other write is under way.
    pub async fn write(&self, author: &Author, now_ms: u64) -> Result<Write, StoreError> {
        let mut transaction = self.pool.begin().await?;
        // The row is held until the commit.
        let seq = sqlx::query_scalar("UPDATE change_counter SET last = last WHERE one = 1 RETURNING last")
            .fetch_one(&mut *transaction)
            .await?;
        Ok(Write { transaction, author: author.clone(), now_ms, seq })
    }

    pub async fn get<E: Entity>(&self, id: &str) -> Result<Option<E>, StoreError> {
        let found: Option<String> =
            sqlx::query_scalar(AssertSqlSafe(select::<E>(Column::Id))).bind(id).fetch_optional(&self.pool).await?;
        read(found)
    }

    /// Those whose column has the value.
    pub async fn find<E: Entity>(&self, column: Column, value: &str) -> Result<Vec<E>, StoreError> {
        let found: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(select::<E>(column))).bind(value).fetch_all(&self.pool).await?;
        found.iter().map(|document| Ok(serde_json::from_str(document)?)).collect()
    }

    /// Every entity of a kind, by id. For kinds of which there are few: models, access groups, budgets.
    pub async fn all<E: Entity>(&self) -> Result<Vec<E>, StoreError> {
        let statement = format!("SELECT document FROM {} ORDER BY id", E::KIND.table());
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(&self.pool).await?;
        found.iter().map(|document| Ok(serde_json::from_str(document)?)).collect()
    }

    /// How many there are whose column has the value.
    pub async fn count<E: Entity>(&self, column: Column, value: &str) -> Result<u64, StoreError> {
        let statement = format!("SELECT COUNT(*) FROM {} WHERE {} = $1", E::KIND.table(), column.name());
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(statement)).bind(value).fetch_one(&self.pool).await?;
        Ok(unsigned(count))
    }

    /// [`Write::create`] alone.
    pub async fn create<E: Entity>(&self, entity: E, author: &Author, now_ms: u64) -> Result<E, StoreError> {
        let mut write = self.write(author, now_ms).await?;
        let created = write.create(entity).await?;
        write.commit().await?;
        Ok(created)
    }

    /// Changes an entity as `change` says; `None`: there is none.
    pub async fn update<E: Entity>(
        &self,
        id: &str,
        author: &Author,
        now_ms: u64,
        change: impl FnOnce(&mut E) + Send,
    ) -> Result<Option<E>, StoreError> {
        let mut write = self.write(author, now_ms).await?;
        let Some(mut entity) = write.get::<E>(id).await? else { return Ok(None) };
        change(&mut entity);
        let updated = write.put(entity).await?;
        write.commit().await?;
        Ok(Some(updated))
    }

    /// [`Write::delete`] alone.
    pub async fn delete<E: Entity>(&self, id: &str, author: &Author, now_ms: u64) -> Result<Option<E>, StoreError> {
        let mut write = self.write(author, now_ms).await?;
        let deleted = write.delete(id).await?;
        write.commit().await?;
        Ok(deleted)
    }
}

impl Write {
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }

    pub async fn get<E: Entity>(&mut self, id: &str) -> Result<Option<E>, StoreError> {
        let found: Option<String> = sqlx::query_scalar(AssertSqlSafe(select::<E>(Column::Id)))
            .bind(id)
            .fetch_optional(&mut *self.transaction)
            .await?;
        read(found)
    }

    /// Those whose column has the value.
    pub async fn find<E: Entity>(&mut self, column: Column, value: &str) -> Result<Vec<E>, StoreError> {
        let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(select::<E>(column)))
            .bind(value)
            .fetch_all(&mut *self.transaction)
            .await?;
        found.iter().map(|document| Ok(serde_json::from_str(document)?)).collect()
    }

    /// Stores a new entity, and returns it with its stamps. A time of creation that it brings along is kept.
    ///
    /// # Errors
    /// [`StoreError::Exists`]: its id or another unique value is taken.
    pub async fn create<E: Entity>(&mut self, mut entity: E) -> Result<E, StoreError> {
        self.stamp(&mut entity, None);
        if self.taken::<E>(Column::Id, &entity.id()).await?.is_some() {
            return Err(exists::<E>(Column::Id, &entity.id()));
        }
        self.check_unique(&entity).await?;
        let columns = columns::<E>();
        let places: Vec<String> = (1..=columns.len()).map(|n| format!("${n}")).collect();
        let statement =
            format!("INSERT INTO {} ({}) VALUES ({})", E::KIND.table(), columns.join(", "), places.join(", "));
        self.execute(statement, &entity).await?;
        self.note::<E>(Action::Created, &entity.id(), None, Some(&entity)).await?;
        Ok(entity)
    }

    /// Stores an entity in place of the one with its id, and returns it with its stamps.
    ///
    /// # Errors
    /// [`StoreError::Missing`]: there is none with its id. [`StoreError::Exists`]: a unique value is taken.
    pub async fn put<E: Entity>(&mut self, mut entity: E) -> Result<E, StoreError> {
        let id = entity.id().into_owned();
        let old: E = self.get(&id).await?.ok_or_else(|| missing::<E>(&id))?;
        self.stamp(&mut entity, Some(&old));
        self.check_unique(&entity).await?;
        let columns = columns::<E>();
        let sets: Vec<String> =
            columns.iter().enumerate().skip(1).map(|(n, column)| format!("{column} = ${}", n + 1)).collect();
        let statement = format!("UPDATE {} SET {} WHERE id = $1", E::KIND.table(), sets.join(", "));
        self.execute(statement, &entity).await?;
        self.note(Action::Updated, &id, Some(&old), Some(&entity)).await?;
        Ok(entity)
    }

    /// What was deleted; `None`: there was none.
    pub async fn delete<E: Entity>(&mut self, id: &str) -> Result<Option<E>, StoreError> {
        let Some(old) = self.get::<E>(id).await? else { return Ok(None) };
        let statement = format!("DELETE FROM {} WHERE id = $1", E::KIND.table());
        sqlx::query(AssertSqlSafe(statement)).bind(id).execute(&mut *self.transaction).await?;
        self.note(Action::Deleted, id, Some(&old), None).await?;
        Ok(Some(old))
    }

    /// Deletes those whose column has the value: the keys of a team, the memberships of a user.
    pub async fn delete_where<E: Entity>(&mut self, column: Column, value: &str) -> Result<Vec<E>, StoreError> {
        let found = self.find::<E>(column, value).await?;
        for entity in &found {
            self.delete::<E>(&entity.id()).await?;
        }
        Ok(found)
    }

    pub async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::query("UPDATE change_counter SET last = $1 WHERE one = 1")
            .bind(self.seq)
            .execute(&mut *self.transaction)
            .await?;
        Ok(self.transaction.commit().await?)
    }

    fn stamp<E: Entity>(&self, entity: &mut E, old: Option<&E>) {
        let stamps = entity.stamps_mut();
        stamps.updated_at_ms = self.now_ms;
        stamps.updated_by = Some(self.author.word());
        if let Some(old) = old {
            stamps.created_at_ms = old.stamps().created_at_ms;
            stamps.created_by.clone_from(&old.stamps().created_by);
        } else if stamps.created_at_ms == 0 {
            stamps.created_at_ms = self.now_ms;
            stamps.created_by = Some(self.author.word());
        }
    }

    /// The id of the entity that has the value.
    async fn taken<E: Entity>(&mut self, column: Column, value: &str) -> Result<Option<String>, StoreError> {
        let statement = format!("SELECT id FROM {} WHERE {} = $1", E::KIND.table(), column.name());
        let found = sqlx::query(AssertSqlSafe(statement)).bind(value).fetch_optional(&mut *self.transaction).await?;
        Ok(found.map(|row| row.try_get(0)).transpose()?)
    }

    /// Asked beforehand, since a write is alone: so the error can say which value it is.
    async fn check_unique<E: Entity>(&mut self, entity: &E) -> Result<(), StoreError> {
        for &column in E::UNIQUE {
            if let Some(value) = entity.column(column)
                && self.taken::<E>(column, &value).await?.is_some_and(|id| id != entity.id())
            {
                return Err(exists::<E>(column, &value));
            }
        }
        Ok(())
    }

    /// Binds what [`columns`] names.
    async fn execute<E: Entity>(&mut self, statement: String, entity: &E) -> Result<(), StoreError> {
        let mut query = sqlx::query(AssertSqlSafe(statement)).bind(entity.id().into_owned());
        for &column in E::COLUMNS {
            query = query.bind(entity.column(column).map(|value| value.into_owned()));
        }
        let stamps = entity.stamps();
        query = query.bind(signed(stamps.created_at_ms)).bind(signed(stamps.updated_at_ms));
        query.bind(serde_json::to_string(entity)?).execute(&mut *self.transaction).await?;
        Ok(())
    }

    async fn note<E: Entity>(
        &mut self,
        action: Action,
        id: &str,
        old: Option<&E>,
        new: Option<&E>,
    ) -> Result<(), StoreError> {
        self.seq += 1;
        sqlx::query(
            "INSERT INTO changes (seq, at_ms, action, kind, id, by_key, by_user, by_role, old_value, new_value)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(self.seq)
        .bind(signed(self.now_ms))
        .bind(action.word())
        .bind(E::KIND.word())
        .bind(id)
        .bind(self.author.key.clone())
        .bind(self.author.user.clone())
        .bind(self.author.role.map(Role::word))
        .bind(shown(old)?)
        .bind(shown(new)?)
        .execute(&mut *self.transaction)
        .await?;
        Ok(())
    }
}

/// The columns of a kind, in the order in which they are bound: the id first, the document last.
fn columns<E: Entity>() -> Vec<&'static str> {
    let ends = [Column::CreatedAt.name(), Column::UpdatedAt.name(), "document"];
    std::iter::once(Column::Id.name()).chain(E::COLUMNS.iter().map(|column| column.name())).chain(ends).collect()
}

fn select<E: Entity>(column: Column) -> String {
    format!("SELECT document FROM {} WHERE {} = $1 ORDER BY created_at_ms, id", E::KIND.table(), column.name())
}

fn read<E: Entity>(document: Option<String>) -> Result<Option<E>, StoreError> {
    Ok(document.map(|document| serde_json::from_str(&document)).transpose()?)
}

fn shown<E: Entity>(entity: Option<&E>) -> Result<Option<String>, StoreError> {
    let Some(entity) = entity else { return Ok(None) };
    let mut document = serde_json::to_value(entity)?;
    redact(&mut document);
    Ok(Some(document.to_string()))
}

fn exists<E: Entity>(column: Column, value: &str) -> StoreError {
    StoreError::Exists { kind: E::KIND, column, value: value.to_string() }
}

fn missing<E: Entity>(id: &str) -> StoreError {
    StoreError::Missing { kind: E::KIND, id: id.to_string() }
}

/// Times and counts as the database has them.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// The kind as it is told to people.
impl std::fmt::Display for EntityKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.word().replace('_', " "))
    }
}
