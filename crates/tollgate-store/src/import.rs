//! Taking over the PostgreSQL database of a LiteLLM: its keys keep working, since both know a key by the same hash.
//!
//! The columns are those of LiteLLM's `schema.prisma`, 2026-11; a table or column that another version does not have is as if it were empty.
//! Everything is taken over in one transaction, or nothing. What is here already is left as it is, so an import can be repeated.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, ConnectOptions, Connection};
use tollgate_policy::access::{Role, ScopeKind};

use crate::access::{Author, Write};
use crate::database::{Database, StoreError};
use crate::entity::{Entity, EntityKind};

mod convert;
mod members;
mod row;

use row::Row;

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    pub counts: BTreeMap<EntityKind, Count>,
    /// What those who were taken over had spent, for the ledger.
    pub balances: Vec<OpeningBalance>,
    /// What was not taken over as it was, and why. Bounded: of the same kind of thing only the first are named.
    pub notes: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    pub taken: u64,
    /// Left as they are.
    pub there_already: u64,
    /// A note says why.
    pub left_out: u64,
}

/// What a scope had spent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpeningBalance {
    pub scope: ScopeKind,
    /// A member's is `team/user`.
    pub id: String,
    pub nanos: u64,
    /// When LiteLLM would have begun to count anew, in milliseconds since 1970: it was spent in the window that ends then.
    pub resets_at_ms: Option<u64>,
}

/// An entity of LiteLLM's with what it had spent.
struct Found<E> {
    entity: E,
    balance: Option<OpeningBalance>,
}

#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("LiteLLM's database: {0}")]
    Source(#[source] StoreError),
    #[error("the database has none of LiteLLM's tables")]
    NotLiteLlm,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How many rows of a kind are named in the notes.
const MOST_NAMED: u64 = 20;

/// `source_url`: the `DATABASE_URL` of the LiteLLM; nothing in it is changed. `dry_run`: everything is tried, and nothing kept.
pub async fn from_litellm(
    source_url: &str,
    into: &Database,
    now_ms: u64,
    dry_run: bool,
) -> Result<Report, ImportError> {
    sqlx::any::install_default_drivers();
    let source = |error: sqlx::Error| ImportError::Source(error.into());
    let mut source_db = AnyConnectOptions::from_str(source_url).map_err(source)?.connect().await.map_err(source)?;
    if let Some(schema) = schema(source_url) {
        let statement = format!("SET search_path TO \"{}\"", schema.replace('"', "\"\""));
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut source_db).await.map_err(source)?;
    }
    let tables = Tables::read(&mut source_db).await.map_err(ImportError::Source)?;
    source_db.close().await.map_err(source)?;
    if !tables.any_is_there {
        return Err(ImportError::NotLiteLlm);
    }

    let author = Author { key: None, user: Some("import from LiteLLM".to_string()), role: Some(Role::ProxyAdmin) };
    let mut import = Import { write: into.write(&author, now_ms).await?, report: Report::default() };
    import.rows(&tables.budgets, convert::budget).await?;
    import.rows(&tables.organisations, convert::organisation).await?;
    import.rows(&tables.users, convert::user).await?;
    let aliases = convert::model_aliases(&tables.model_tables);
    import.rows(&tables.teams, |row| convert::team(row, &aliases)).await?;
    for member in members::of_teams(&tables) {
        import.take(Ok(member)).await?;
    }
    import.rows(&tables.organisation_members, members::of_organisation).await?;
    import.rows(&tables.end_users, convert::end_user).await?;
    import.rows(&tables.access_groups, convert::access_group).await?;
    import.rows(&tables.keys, convert::key).await?;
    if !tables.models.is_empty() {
        import.report.notes.push(format!(
            "{} models of the database are not taken over: LiteLLM encrypted them. Put them into the configuration, or add them anew",
            tables.models.len()
        ));
    }
    if !dry_run {
        import.write.commit().await?;
    }
    Ok(import.report)
}

/// Prisma's `?schema=…`, which is no parameter of PostgreSQL's.
fn schema(url: &str) -> Option<&str> {
    let (_, parameters) = url.split_once('?')?;
    parameters.split('&').find_map(|parameter| parameter.strip_prefix("schema="))
}

/// Why a row is left out.
struct LeftOut(String);

struct Import {
    write: Write,
    report: Report,
}

impl Import {
    async fn rows<E: Entity>(
        &mut self,
        rows: &[Row],
        convert: impl Fn(Row) -> Result<Found<E>, LeftOut>,
    ) -> Result<(), StoreError> {
        for row in rows {
            self.take(convert(row.clone())).await?;
        }
        Ok(())
    }

    async fn take<E: Entity>(&mut self, found: Result<Found<E>, LeftOut>) -> Result<(), StoreError> {
        let count = self.report.counts.entry(E::KIND).or_default();
        let Found { entity, balance } = match found {
            Ok(found) => found,
            Err(LeftOut(why)) => {
                count.left_out += 1;
                if count.left_out <= MOST_NAMED {
                    self.report.notes.push(format!("a {} is left out: {why}", E::KIND));
                }
                return Ok(());
            }
        };
        if self.write.get::<E>(&entity.id()).await?.is_some() {
            count.there_already += 1;
            return Ok(());
        }
        let id = entity.id().into_owned();
        match self.write.create(entity).await {
            Ok(_) => {
                count.taken += 1;
                self.report.balances.extend(balance.filter(|balance| balance.nanos > 0));
            }
            // Another alias or name like this one: people have to decide which of them it is.
            Err(StoreError::Exists { column, value, .. }) => {
                count.left_out += 1;
                let kind = E::KIND;
                let column = column.name();
                self.report.notes.push(format!("{kind} {id} is left out: another one has the {column} {value}"));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The rows that are read, all at once: the source may be in use.
#[derive(Default)]
struct Tables {
    any_is_there: bool,
    budgets: Vec<Row>,
    organisations: Vec<Row>,
    users: Vec<Row>,
    teams: Vec<Row>,
    /// Aliases of teams.
    model_tables: Vec<Row>,
    team_members: Vec<Row>,
    organisation_members: Vec<Row>,
    end_users: Vec<Row>,
    access_groups: Vec<Row>,
    keys: Vec<Row>,
    models: Vec<Row>,
}

impl Tables {
    async fn read(connection: &mut AnyConnection) -> Result<Tables, StoreError> {
        let mut tables = Tables::default();
        let mut transaction = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        for (name, rows) in [
            ("BudgetTable", &mut tables.budgets),
            ("OrganizationTable", &mut tables.organisations),
            ("UserTable", &mut tables.users),
            ("TeamTable", &mut tables.teams),
            ("ModelTable", &mut tables.model_tables),
            ("TeamMembership", &mut tables.team_members),
            ("OrganizationMembership", &mut tables.organisation_members),
            ("EndUserTable", &mut tables.end_users),
            ("AccessGroupTable", &mut tables.access_groups),
            ("VerificationToken", &mut tables.keys),
            ("ProxyModelTable", &mut tables.models),
        ] {
            let table = format!("\"LiteLLM_{name}\"");
            let there: Option<String> = sqlx::query_scalar("SELECT CAST(to_regclass($1) AS TEXT)")
                .bind(&table)
                .fetch_one(&mut *transaction)
                .await?;
            if there.is_none() {
                continue;
            }
            tables.any_is_there = true;
            // As JSON, whatever columns it has.
            let statement = format!("SELECT CAST(row_to_json(t) AS TEXT) FROM {table} t");
            let found: Vec<String> = sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(&mut *transaction).await?;
            *rows = found.iter().map(|text| Ok(Row(serde_json::from_str(text)?))).collect::<Result<_, StoreError>>()?;
        }
        transaction.rollback().await?;
        Ok(tables)
    }
}
