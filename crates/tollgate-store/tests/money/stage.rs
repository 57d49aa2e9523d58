//! A database of a test's own, and gateways that meter with it.

use std::path::Path;

use tempfile::TempDir;
use tollgate_policy::access::ScopeKind;
use tollgate_policy::budget::{Estimate, Pot};
use tollgate_policy::window::Window;
use tollgate_store::database::Database;
use tollgate_store::ledger::{Charge, Payer};
use tollgate_store::meter::{Asking, Denied, Meter, Reservation, Settings};

use crate::postgres;

pub struct Stage {
    pub database: Database,
    /// What opens it once more.
    pub place: String,
    pub dir: TempDir,
}

pub const DOLLAR: u64 = 1_000_000_000;
/// 2026-11-26 12:00 UTC.
pub const NOON: u64 = 1_795_694_400_000;

impl Stage {
    pub async fn sqlite() -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tollgate.db");
        Stage { database: Database::sqlite(&path).await.unwrap(), place: path.display().to_string(), dir }
    }

    pub async fn postgres() -> Stage {
        let place = postgres::new_database();
        Stage { database: Database::postgres(&place).await.unwrap(), place, dir: tempfile::tempdir().unwrap() }
    }

    /// A gateway of its own.
    pub fn gateway(&self) -> Meter {
        Meter::open(self.database.clone(), Settings::new(self.journal())).unwrap()
    }

    pub fn journal(&self) -> std::path::PathBuf {
        self.dir.path().join("journal")
    }

    pub async fn number(&self, select: &'static str) -> i64 {
        let (number,): (i64,) = sqlx::query_as(select).fetch_one(&self.database.pool).await.unwrap();
        number
    }

    pub async fn spent(&self, pot: &Pot) -> i64 {
        let select = "SELECT CAST(COALESCE(SUM(spent_nanos), 0) AS BIGINT) FROM balances \
                      WHERE scope_kind = $1 AND scope_id = $2 AND model = $3 AND period = $4";
        let select = sqlx::query_as(select).bind(pot.kind.word()).bind(pot.id.as_ref());
        let (spent,): (i64,) =
            select.bind(pot.model.as_ref()).bind(pot.window.word()).fetch_one(&self.database.pool).await.unwrap();
        spent
    }
}

pub fn pot(kind: ScopeKind, id: &str, window: Window, max_nanos: u64) -> Pot {
    let (id, model) = (id.into(), "".into());
    Pot { kind, id, model, window, max_nanos: Some(max_nanos), increase: None, soft_nanos: None }
}

pub fn key_budget(max_nanos: u64) -> Pot {
    pot(ScopeKind::Key, "k", Window::Month, max_nanos)
}

pub async fn reserve(meter: &Meter, pots: &[Pot], estimate: Estimate, at_ms: u64) -> Result<Reservation, Denied> {
    let (key_hash, team_id, user_id) = ("k".into(), "t".into(), "u".into());
    let payer = Payer { key_hash, team_id, user_id, organisation_id: "o".into(), end_user: "e".into() };
    let (request_id, model, tags) = ("req_1".to_string(), "gpt-x".to_string(), vec!["blue".to_string()]);
    meter.reserve(Asking { request_id, payer, model, tags, pots, estimate }, at_ms).await
}

pub fn cost(cost_nanos: u64) -> Charge {
    let (deployment, provider, upstream_model) = ("d1".to_string(), "openai".to_string(), "gpt-x-1".to_string());
    Charge { deployment, provider, upstream_model, cost_nanos, attempts: 1, ..Charge::default() }
}

/// No journal is left, and so nothing that is not in the ledger.
pub fn journals(root: &Path) -> usize {
    std::fs::read_dir(root).map_or(0, Iterator::count)
}
