//! `GET /tollgate/requests` and `/tollgate/requests/{id}`: what happened to requests, and why.

use std::sync::Arc;

use serde::Serialize;
use tollgate_store::record::{Outcome, Record};

use super::recorder::Recorder;
use super::reply::{self, Reply};
use crate::app::App;
use crate::diagnosis::{Diagnosis, diagnose};
use crate::failure::Failure;

const USUAL: usize = 20;
const MOST: usize = 500;

#[derive(Serialize)]
struct Explained<'r> {
    #[serde(flatten)]
    record: &'r Record,
    #[serde(flatten)]
    diagnosis: Diagnosis,
}

pub async fn one(app: &Arc<App>, id: String, recorder: &mut Recorder) -> Result<Reply, Failure> {
    recorder.quiet = true;
    let found = {
        let (app, id) = (app.clone(), id.clone());
        tokio::task::spawn_blocking(move || app.records.find(&id)).await
    };
    let record = found.ok().flatten().ok_or(Failure::NoSuchRequest { id })?;
    let diagnosis = diagnose(&record);
    json(&Explained { record: &record, diagnosis }, recorder)
}

/// `?limit=N`, `?outcome=failed|answered|under_way|client_went_away`, `?model=NAME`. Newest first.
pub async fn latest(app: &Arc<App>, query: Option<&str>, recorder: &mut Recorder) -> Result<Reply, Failure> {
    recorder.quiet = true;
    let of = |name: &str| {
        let pairs = query.unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    };
    let limit = of("limit").and_then(|n| n.parse().ok()).unwrap_or(USUAL).min(MOST);
    let outcome = of("outcome").and_then(Outcome::from_word);
    let model = of("model");
    let wanted = |record: &Record| {
        outcome.is_none_or(|outcome| record.outcome == outcome) && model.is_none_or(|model| record.model == model)
    };
    let latest = app.records.latest(limit, wanted);
    let explained: Vec<Explained<'_>> =
        latest.iter().map(|record| Explained { record, diagnosis: diagnose(record) }).collect();
    json(&explained, recorder)
}

fn json(value: &impl Serialize, recorder: &mut Recorder) -> Result<Reply, Failure> {
    let body = serde_json::to_vec(value).map_err(|_| Failure::Internal("a record cannot be written as JSON"))?;
    Ok(reply::json(body, recorder))
}
