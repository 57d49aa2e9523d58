//! Old rows of the ledger go while the gateway runs; nothing else does.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_store::database::Database;

use crate::spend::used;
use crate::stage::{Stage, Store};
use crate::support::isolated;
use crate::support::stage::MASTER_KEY;

#[test]
fn rows_that_are_older_than_the_retention_period_are_deleted_and_sums_and_balances_stay() {
    isolated(|| async {
        let general = json!({
            "master_key": MASTER_KEY,
            "maximum_spend_logs_retention_period": "1h", "maximum_spend_logs_retention_interval": "2s",
        });
        let stage = Stage::with(Store::Sqlite, json!({"general_settings": general})).await;
        let (_, hash) = used(&stage).await;
        let database =
            Database::sqlite(&stage.gateway.data_dir().join("tollgate.db")).await.expect("the gateway made it");
        let at_ms = jiff::Timestamp::now().as_millisecond() - 2 * 3_600_000;
        for statement in [
            // More than a batch, of the same party as the two rows of the present.
            format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) INSERT INTO ledger \
                 SELECT {at_ms} + i, 'old' || i, 'r' || i, (SELECT MAX(party) FROM ledger), 'answered', 1, 1, 0, 0, 0, 5, 0, 1, 1, 1, '[]' FROM n"
            ),
            "INSERT INTO usage_days SELECT day_ms - 86400000, party, status, 2500, 1, 1, 0, 0, 0, 12500 FROM usage_days LIMIT 1".to_string(),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&database.pool).await.expect("rows");
        }
        let rows = async || {
            let count = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM ledger");
            count.fetch_one(&database.pool).await.expect("a count")
        };
        let gone = async {
            while rows().await > 2 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone).await.expect("old rows are deleted");
        assert_eq!(rows().await, 2);
        let logs = stage.admin(&format!("GET /spend/logs?api_key={hash}"), Value::Null).await;
        assert_eq!(logs.as_array().map(Vec::len), Some(2));
        let days = stage
            .admin(
                &format!("GET /global/spend/report?{}", "start_date=2026-01-01&end_date=2036-12-31&group_by=api_key"),
                Value::Null,
            )
            .await;
        assert_eq!(days[0]["total_cost"], 30.0000125);
        assert_eq!(stage.admin(&format!("GET /key/info?key={hash}"), Value::Null).await["info"]["spend"], 30.0);
    });
}
