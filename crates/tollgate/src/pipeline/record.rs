//! What happened to a request: one log line when it is over, however it ended.

use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use tollgate_dialect::error::Change;
use tollgate_dialect::usage::Usage;

use super::inbound::Inbound;
use crate::app::App;

/// Dropping it writes the line, so a disconnect or a panic cannot leave a request without one.
pub struct Record {
    pub id: String,
    app: Arc<App>,
    began: Instant,
    method: String,
    path: String,
    model: String,
    stream: bool,
    pub deployment: Option<String>,
    pub attempts: u32,
    pub changes: Vec<Change>,
    pub usage: Usage,
    pub cost_nanos: Option<u64>,
    /// What the client was answered.
    pub status: Option<u16>,
    /// The answer, good or bad, was given whole. Otherwise the client went away.
    pub ended: bool,
    pub error: Option<String>,
    /// Not worth a line unless asked for: health checks.
    pub quiet: bool,
    /// Handed on to another owner: this one stays silent.
    moved: bool,
}

impl Record {
    pub fn begin(app: Arc<App>, request: &http::Request<Incoming>) -> Record {
        Record {
            id: format!("req_{}", uuid::Uuid::now_v7().simple()),
            app,
            began: Instant::now(),
            method: request.method().to_string(),
            path: request.uri().path().chars().take(200).collect(),
            model: String::new(),
            stream: false,
            deployment: None,
            attempts: 0,
            changes: Vec::new(),
            usage: Usage::default(),
            cost_nanos: None,
            status: None,
            ended: false,
            error: None,
            quiet: false,
            moved: false,
        }
    }

    pub fn requested(&mut self, inbound: &Inbound) {
        self.model = inbound.model.chars().take(200).collect();
        self.stream = inbound.stream;
        self.changes = inbound.changes.clone();
    }

    /// Moves the record into the driver.
    pub fn take(&mut self) -> Record {
        self.moved = true;
        Record {
            id: self.id.clone(),
            app: self.app.clone(),
            began: self.began,
            method: std::mem::take(&mut self.method),
            path: std::mem::take(&mut self.path),
            model: std::mem::take(&mut self.model),
            stream: self.stream,
            deployment: None,
            attempts: 0,
            changes: std::mem::take(&mut self.changes),
            usage: Usage::default(),
            cost_nanos: None,
            status: None,
            ended: false,
            error: None,
            quiet: false,
            moved: false,
        }
    }

    /// The name that the client asked for.
    pub fn model(&self) -> &str {
        &self.model
    }

    pub fn change(&mut self, change: Change) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    pub fn changes_header(&self) -> Option<String> {
        let names: Vec<String> = self.changes.iter().map(Change::to_string).collect();
        (!names.is_empty()).then(|| names.join(","))
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.moved {
            return;
        }
        if self.usage != Usage::default() {
            self.app.totals.add(self.usage.total_input(), self.usage.output.unwrap_or(0), self.cost_nanos.unwrap_or(0));
        }
        let status = self.status.unwrap_or(499);
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let changes = self.changes_header().unwrap_or_default();
        let deployment = self.deployment.as_deref().unwrap_or("");
        let (input, output) = (self.usage.total_input(), self.usage.output.unwrap_or(0));
        let cached = self.usage.cache_read.unwrap_or(0);
        let cost_nanos = self.cost_nanos.unwrap_or(0);
        macro_rules! line {
            ($level:ident, $($extra:tt)*) => {
                tracing::$level!(
                    request_id = %self.id, status, ms, method = %self.method, path = %self.path, model = %self.model,
                    deployment, stream = self.stream, attempts = self.attempts, input_tokens = input, output_tokens = output,
                    cached_tokens = cached, cost_nanos, changes = %changes, $($extra)*
                )
            };
        }
        match &self.error {
            Some(error) => line!(warn, error = %error, "request failed"),
            None if !self.ended => line!(info, "client went away"),
            None if self.quiet => line!(debug, "request"),
            None => line!(info, "request"),
        }
    }
}
