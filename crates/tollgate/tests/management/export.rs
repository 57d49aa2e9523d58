//! Usage as a file, over HTTP and from the command line.

use std::path::Path;

use serde_json::Value;
use tollgate_store::database::Database;

use crate::cli::{ok, run};
use crate::spend::used;
use crate::stage::{Stage, Store, on_both};
use crate::support::http::Answer;
use crate::support::isolated;
use crate::support::stage::{MASTER_KEY, has};

/// The columns, in the order that docs/budgets.md has them.
const HEAD: &str = "at_ms,charge,request_id,key_hash,team_id,user_id,organisation_id,end_user,model,deployment,provider,\
    upstream_model,status,input_tokens,output_tokens,cache_read_tokens,cache_write_tokens,reasoning_tokens,cost_nanos,\
    estimated,duration_ms,first_token_ms,attempts,tags";

async fn file(stage: &Stage, key: &str, query: &str) -> Answer {
    let answer = stage.call(key, &format!("GET /spend/logs/export?{query}"), &Value::Null).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer
}

fn today() -> String {
    jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date().to_string()
}

#[test]
fn usage_comes_as_a_file_in_each_of_three_formats() {
    on_both(|stage| async move {
        let (_, hash) = used(&stage).await;
        let day = today();
        for (format, kind) in [
            ("csv", "text/csv; charset=utf-8"),
            ("jsonl", "application/x-ndjson"),
            ("parquet", "application/vnd.apache.parquet"),
        ] {
            let answer = file(&stage, MASTER_KEY, &format!("format={format}&start_date={day}&end_date={day}")).await;
            assert_eq!(answer.header("content-type"), Some(kind));
            let name = format!("attachment; filename=\"usage-{day}-{day}.{format}\"");
            assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
            assert_eq!(answer.header("content-length"), None, "it is never whole before it is sent");
            if format == "parquet" {
                // The magic number of the format, at both ends.
                assert!(
                    answer.body.starts_with(b"PAR1") && answer.body.ends_with(b"PAR1"),
                    "{} bytes",
                    answer.body.len()
                );
            }
        }
        let csv = file(&stage, MASTER_KEY, "").await.text();
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!((lines.len(), lines[0]), (3, HEAD), "{csv}");
        assert!(lines[1].contains("palantir") && !lines[2].contains("palantir"), "the latest comes first: {csv}");
        let rows = file(&stage, MASTER_KEY, "format=jsonl").await.text();
        let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(rows.len(), 2);
        for row in &rows {
            assert_eq!((&row["key_hash"], &row["cost_nanos"]), (&hash.as_str().into(), &15_000_000_000_u64.into()));
            assert_eq!(
                (&row["input_tokens"], &row["output_tokens"], &row["model"]),
                (&10.into(), &5.into(), &"m".into())
            );
        }
    });
}

#[test]
fn an_export_is_filtered_and_shows_everybody_what_is_theirs() {
    on_both(|stage| async move {
        let (key, hash) = used(&stage).await;
        let other = stage.admin("POST /user/new", serde_json::json!({"user_id": "other"})).await;
        let other = other["key"].as_str().expect("a key");
        let rows = async |key: &str, query: &str| {
            let csv = file(&stage, key, query).await.text();
            csv.lines().count() - 1
        };
        for (query, wanted) in [
            (format!("api_key={hash}"), 2),
            (format!("api_key={key}"), 2),
            ("team_id=t".into(), 2),
            ("user_id=ishaan&model=m".into(), 2),
            ("model=other".into(), 0),
            ("customer_id=palantir".into(), 1),
            ("status=success".into(), 2),
            ("status=failure".into(), 0),
            ("start_date=2026-01-01&end_date=2026-01-02".into(), 0),
        ] {
            assert_eq!(rows(MASTER_KEY, &query).await, wanted, "{query}");
        }
        assert_eq!((rows(&key, "").await, rows(other, "").await), (2, 0));
        for (key, query, status) in [
            (other, format!("api_key={hash}"), 403),
            (other, "user_id=ishaan".into(), 403),
            (MASTER_KEY, "format=xls".into(), 400),
            (MASTER_KEY, "status=well".into(), 400),
            (MASTER_KEY, "start_date=2026-02-01&end_date=2026-01-01".into(), 400),
            ("sk-nobody", String::new(), 401),
        ] {
            let answer = stage.call(key, &format!("GET /spend/logs/export?{query}"), &Value::Null).await;
            assert_eq!(answer.status, status, "{query}");
            assert_eq!(answer.json()["error"]["code"], status.to_string(), "an error is no file");
        }
    });
}

/// Rows with a tag of 3 KB, numbered from `first` on.
async fn fill(stage: &Stage, first: usize, last: usize) {
    let database = Database::sqlite(&stage.gateway.data_dir().join("tollgate.db")).await.expect("the gateway made it");
    let at_ms = jiff::Timestamp::now().as_millisecond() - 3_600_000;
    let tag = "x".repeat(3000);
    let rows = format!(
        "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last}) \
         INSERT INTO ledger SELECT {at_ms} + i, 'c' || i, 'r' || i, 1, 'answered', 1, 1, 0, 0, 0, 5, 0, 1, 1, 1, '[\"{tag}\"]' FROM n"
    );
    let party = "INSERT INTO parties VALUES (1, 'k', '', '', '', '', 'm', 'd', 'p', 'x') ON CONFLICT DO NOTHING";
    for statement in [party.to_string(), rows] {
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&database.pool).await.expect("rows");
    }
}

#[test]
fn the_gateways_memory_does_not_grow_with_the_size_of_an_export() {
    isolated(|| async {
        let stage = Stage::start(Store::Sqlite).await;
        let exported = async |rows: usize| {
            let body = file(&stage, MASTER_KEY, "format=jsonl").await.body;
            assert!(body.len() > rows * 3000, "{} bytes", body.len());
            assert_eq!(body.iter().filter(|byte| **byte == b'\n').count(), rows);
            file(&stage, MASTER_KEY, "format=parquet").await;
            stage.gateway.memory_kib("VmHWM") >> 10
        };
        // A group of Parquet is 4,000 rows.
        fill(&stage, 1, 4_500).await;
        let small = exported(4_500).await;
        fill(&stage, 4_501, 15_000).await;
        let large = exported(15_000).await;
        assert!(large - small < 16, "{} MiB more for 31 MB more in a file", large - small);
    });
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).expect("a folder").flatten();
    names.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn usage_is_exported_from_the_command_line_to_a_file_that_is_whole_or_not_there() {
    isolated(|| async {
        let stage = Stage::start(Store::Sqlite).await;
        let (_, hash) = used(&stage).await;
        let csv = ok(&stage, &["usage", "export", "--api-key", &hash]).await;
        assert_eq!((csv.lines().count(), csv.lines().next()), (3, Some(HEAD)));
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| dir.path().join(name).to_str().expect("a path").to_string();
        ok(&stage, &["usage", "export", "--output", &path("all.parquet"), "--team", "t"]).await;
        assert!(std::fs::read(path("all.parquet")).expect("a file").ends_with(b"PAR1"));
        // What was there before is replaced.
        std::fs::write(path("all.txt"), "old").expect("a file");
        ok(&stage, &["usage", "export", "--output", &path("all.txt"), "--format", "jsonl", "--user", "ishaan"]).await;
        let rows = std::fs::read_to_string(path("all.txt")).expect("a file");
        assert_eq!(rows.lines().filter(|line| line.starts_with("{\"at_ms\":")).count(), 2, "{rows}");
        let url = stage.gateway.url("");
        let key = [("TOLLGATE_URL", url.as_str()), ("TOLLGATE_MASTER_KEY", MASTER_KEY)];
        let nowhere = [("TOLLGATE_URL", "http://127.0.0.1:9"), ("TOLLGATE_MASTER_KEY", MASTER_KEY)];
        let wrong = [("TOLLGATE_URL", url.as_str()), ("TOLLGATE_MASTER_KEY", "sk-wrong")];
        for (env, more, code, words) in [
            (&key[..], &["--status", "well"][..], 1, "status: must be success"),
            (&key, &["--format", "xls"], 2, "xls"),
            (&nowhere, &[], 1, "start one with `tollgate serve`"),
            (&wrong, &[], 1, "--key or TOLLGATE_MASTER_KEY"),
        ] {
            let out = path("never.csv");
            let ran = run(env, &[&["usage", "export", "--output", &out], more].concat()).await;
            assert_eq!(ran.code, code, "{more:?}: {}", ran.err);
            has(&ran.err, words);
            assert!(ran.err.lines().count() <= 2 && ran.out.is_empty(), "{}{}", ran.out, ran.err);
        }
        let mut left = files(dir.path());
        left.sort();
        assert_eq!(left, ["all.parquet", "all.txt"]);
    });
}
