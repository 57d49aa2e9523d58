//! What happened to a request: its record while it is made, and one log line when it is over, however it ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use tokio::time::Instant;
use tollgate_dialect::Dialect;
use tollgate_dialect::error::Change;
use tollgate_dialect::usage::Usage;
use tollgate_policy::failover::Failure;
use tollgate_store::ledger;
use tollgate_store::record::{self, Attempt, AttemptFailure, Outcome, RouteTaken, bounded};
use tollgate_store::records::Shared;

use super::admit::{self, Admission};
use super::bill::Broken;
use super::inbound::Inbound;
use super::quotes;
use super::tap::{self, Tap, Tapped};
use super::toll::Toll;
use crate::app::{App, Live};
use crate::http::shown;
use crate::unix_time::unix_ms;

/// Dropping it writes the line, so a disconnect or a panic cannot leave a request without one.
pub struct Recorder {
    pub id: String,
    app: Arc<App>,
    began: Instant,
    /// Seen by others while the request is under way, once there is a model to ask.
    shared: Option<Shared>,
    /// Until then.
    own: record::Record,
    pub deployment: Option<String>,
    /// The provider of the last attempt, and its name for the model.
    asked: (String, String),
    pub attempts: u32,
    /// How long it has waited for its turn; `None`: it did not have to.
    pub queued: Option<Duration>,
    pub changes: Vec<Change>,
    pub usage: Usage,
    pub cost_nanos: Option<u64>,
    /// What attempts used that gave no whole answer.
    pub broken: Broken,
    /// What the client was answered.
    pub status: Option<u16>,
    /// The answer, good or bad, was given whole. Otherwise the client went away.
    pub ended: bool,
    pub error: Option<String>,
    /// One word for it, where there is one.
    pub reason: Option<&'static str>,
    /// What its words are known as.
    pub signature: Option<&'static str>,
    /// Not worth a line unless asked for: health checks.
    pub quiet: bool,
    /// What it took from the limits of its caller.
    pub admission: Admission,
    /// What the attempt under way has of its deployment.
    pub toll: Option<Toll>,
    /// The client's body, of whose texts no error's words may have any.
    said: Bytes,
    /// The request is captured.
    tap: Option<Tap>,
    /// Handed on to another owner: this one stays silent.
    moved: bool,
}

impl Recorder {
    pub fn begin(app: Arc<App>, request: &http::Request<Incoming>) -> Recorder {
        let id = new_id();
        let own = record::Record {
            id: id.clone(),
            began_at_ms: unix_ms(),
            method: request.method().to_string(),
            path: shown(request.uri().path()).chars().take(200).collect(),
            ..record::Record::default()
        };
        Recorder::new(id, app, Instant::now(), own)
    }

    /// For a call of our own to a provider: its tokens count, and its line is written only if asked for.
    pub fn of_check(app: Arc<App>, model: &str) -> Recorder {
        let id = new_id();
        let own = record::Record { id: id.clone(), model: model.to_string(), ..record::Record::default() };
        let mut recorder = Recorder::new(id, app, Instant::now(), own);
        recorder.quiet = true;
        recorder.ended = true;
        recorder
    }

    fn new(id: String, app: Arc<App>, began: Instant, own: record::Record) -> Recorder {
        Recorder {
            id,
            app,
            began,
            shared: None,
            own,
            deployment: None,
            asked: Default::default(),
            attempts: 0,
            queued: None,
            changes: Vec::new(),
            usage: Usage::default(),
            cost_nanos: None,
            broken: Broken::default(),
            status: None,
            ended: false,
            error: None,
            reason: None,
            signature: None,
            quiet: false,
            admission: Admission::default(),
            toll: None,
            said: Bytes::new(),
            tap: None,
            moved: false,
        }
    }

    pub fn requested(&mut self, inbound: &Inbound) {
        self.changes = inbound.changes.clone();
        self.said = inbound.body.clone();
        let own = &mut self.own;
        own.began_at_ms = unix_ms();
        own.dialect = inbound.dialect.name().to_string();
        own.model = inbound.model.chars().take(200).collect();
        own.client = inbound.client.chars().take(100).collect();
        own.stream = inbound.stream;
        own.request_bytes = inbound.body.len() as u64;
    }

    /// It is for what is no model, at this path.
    pub fn passes_through(&mut self, path: &str, request_bytes: u64) {
        self.own.began_at_ms = unix_ms();
        self.own.model = path.chars().take(200).collect();
        self.own.request_bytes = request_bytes;
        self.deployment = Some(path.to_string());
    }

    /// The answer has begun, and is paid for.
    pub fn passed_through(&mut self, path: &str, status: u16, cost_nanos: u64) {
        self.deployment = Some(path.to_string());
        self.attempts = 1;
        self.status = Some(status);
        self.cost_nanos = Some(cost_nanos);
    }

    /// Moves the record into the driver; from here on others can see it.
    pub fn take(&mut self) -> Recorder {
        self.moved = true;
        let own = std::mem::take(&mut self.own);
        let shared = self.app.records.begin(own.clone());
        let mut taken = Recorder::new(self.id.clone(), self.app.clone(), self.began, own);
        taken.shared = Some(shared);
        taken.changes = std::mem::take(&mut self.changes);
        taken.said = std::mem::take(&mut self.said);
        taken.tap = self.tap.take();
        taken.admission = std::mem::take(&mut self.admission);
        taken
    }

    /// The name that the client asked for.
    pub fn model(&self) -> &str {
        &self.own.model
    }

    /// Milliseconds since the request began.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
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

    /// An error's words for logs and records, which have none of the client's.
    pub fn without_quotes(&self, words: &str) -> String {
        quotes::left_out(&bounded(words), &self.said)
    }

    /// The same of the failure of an attempt, for what is told to others.
    pub fn failure_without_quotes(&self, failure: &Failure) -> Failure {
        quotes::left_out_of(failure, &self.said)
    }

    // ---- steps, as others see them

    fn shared(&self) -> Option<MutexGuard<'_, record::Record>> {
        self.shared.as_ref().map(|shared| shared.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn route(&self, route: RouteTaken) {
        if let Some(mut record) = self.shared() {
            record.push_route(route);
        }
    }

    /// A deployment of the last route is not asked although it was its turn.
    pub fn passed_over(&self, deployment: &str, why: &str) {
        if let Some(mut record) = self.shared()
            && let Some(route) = record.routes.last_mut()
            && let Some(candidate) = route.candidates.iter_mut().find(|candidate| candidate.deployment == deployment)
        {
            candidate.verdict = bounded(why);
        }
    }

    /// `before`: how many go before it; `None`: it waits no longer.
    pub fn waits(&mut self, route: &str, waited: Duration, before: Option<usize>) {
        self.queued = Some(waited);
        if let Some(mut record) = self.shared() {
            let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
            record.queue = Some(record::Queue { route: route.to_string(), waited_ms, before });
        }
    }

    pub fn attempt(&mut self, attempt: Attempt) {
        self.asked = (attempt.provider.clone(), attempt.model.clone());
        if let Some(mut record) = self.shared() {
            record.push_attempt(attempt);
        }
    }

    /// Changes the attempt under way.
    pub fn in_attempt(&self, change: impl FnOnce(&mut Attempt)) {
        if let Some(mut record) = self.shared()
            && let Some(attempt) = record.attempts.last_mut()
        {
            change(attempt);
        }
    }

    pub fn first_byte(&self) {
        let now = self.elapsed_ms();
        self.in_attempt(|attempt| attempt.first_byte_ms = Some(now));
    }

    pub fn first_content(&self) {
        let now = self.elapsed_ms();
        if let Some(mut record) = self.shared() {
            record.first_content_ms.get_or_insert(now);
        }
    }

    /// The attempt under way ended, with an answer if there is no failure.
    pub fn attempt_ended(&self, failure: Option<AttemptFailure>) {
        let now = self.elapsed_ms();
        self.in_attempt(|attempt| {
            attempt.ended_ms = Some(now);
            attempt.failure = failure;
        });
    }

    /// What is done after the last attempt.
    pub fn then(&self, what: &str) {
        self.in_attempt(|attempt| attempt.then = what.to_string());
    }

    // ---- the capture, where there is one

    pub fn capture(&mut self, live: &Arc<Live>, asked: Option<Box<tap::Asked>>) {
        self.tap = asked.map(|asked| Tap::new(live.clone(), asked));
    }

    /// This body goes up in the attempt under way.
    pub fn sent(&mut self, dialect: Dialect, body: &Bytes) {
        if let Some(tap) = &mut self.tap {
            tap.sent(dialect, body.clone());
        }
    }

    /// Fails with the name of an encoding that is not known.
    pub fn tapped(&mut self, answer: http::Response<Incoming>) -> Result<http::Response<Tapped>, String> {
        tap::tapped(self.tap.as_mut(), answer)
    }

    // ---- the end

    /// The attempt is over: its deployment's limits get back what it did not take.
    pub fn leave(&mut self, took: Option<&Usage>) {
        if let Some(toll) = self.toll.take() {
            toll.settle(took.map(admit::tokens));
        }
    }

    /// What attempts have cost so far.
    pub fn spent_nanos(&self) -> u64 {
        self.broken.used().cost_nanos.unwrap_or(0).saturating_add(self.cost_nanos.unwrap_or(0))
    }

    fn settle(&mut self) {
        if self.attempts == 0 {
            self.toll = None;
            return self.admission.release();
        }
        let usage = self.usage;
        let known = (usage != Usage::default() || self.error.is_some()).then_some(&usage);
        self.leave(known);
        let status = match (&self.error, self.ended) {
            (Some(_), _) => ledger::Status::Failed,
            (None, false) => ledger::Status::Aborted,
            (None, true) if self.quiet && self.status != Some(200) => ledger::Status::Failed,
            (None, true) => ledger::Status::Answered,
        };
        let (provider, upstream_model) = std::mem::take(&mut self.asked);
        let first_token_ms = self.shared().and_then(|record| record.first_content_ms);
        let charge = ledger::Charge {
            deployment: self.deployment.clone().unwrap_or_default(),
            provider,
            upstream_model,
            tokens: (&self.usage).into(),
            cost_nanos: self.cost_nanos.unwrap_or(0),
            estimated: self.usage.estimated,
            status,
            duration_ms: self.elapsed_ms(),
            first_token_ms,
            attempts: self.attempts,
        };
        self.admission.settle(known, charge);
    }

    fn add_broken(&mut self) {
        let broken = self.broken.used();
        if self.usage == Usage::default() {
            self.usage = broken.usage;
        }
        if let Some(cost) = broken.cost_nanos {
            self.cost_nanos = Some(self.cost_nanos.unwrap_or(0).saturating_add(cost));
        }
    }

    fn finished(&mut self, status: u16) -> Shared {
        let own = || Arc::new(Mutex::new(std::mem::take(&mut self.own)));
        let shared = self.shared.take().unwrap_or_else(own);
        let mut record = shared.lock().unwrap_or_else(PoisonError::into_inner);
        record.ended_ms = Some(self.elapsed_ms());
        record.status = Some(status);
        record.outcome = match &self.error {
            Some(_) => Outcome::Failed,
            None if !self.ended => Outcome::ClientWentAway,
            None => Outcome::Answered,
        };
        record.reason = self.reason.map(str::to_string);
        record.signature = self.signature.map(str::to_string);
        record.error = self.error.clone();
        record.changes = self.changes.iter().map(Change::to_string).collect();
        record.usage = record::Usage {
            input_tokens: self.usage.total_input(),
            output_tokens: self.usage.output.unwrap_or(0),
            cached_tokens: self.usage.cache_read.unwrap_or(0),
            estimated: self.usage.estimated,
        };
        record.cost_nanos = self.cost_nanos;
        drop(record);
        shared
    }
}

fn new_id() -> String {
    format!("req_{}", uuid::Uuid::now_v7().simple())
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if self.moved {
            return;
        }
        self.add_broken();
        if self.usage != Usage::default() {
            self.app.totals.add(self.usage.total_input(), self.usage.output.unwrap_or(0), self.cost_nanos.unwrap_or(0));
        }
        self.settle();
        self.error = self.error.take().map(|error| self.without_quotes(&error));
        let status = self.status.unwrap_or(499);
        let ms = self.elapsed_ms();
        let changes = self.changes_header().unwrap_or_default();
        let deployment = self.deployment.as_deref().unwrap_or("");
        let (input, output) = (self.usage.total_input(), self.usage.output.unwrap_or(0));
        let cached = self.usage.cache_read.unwrap_or(0);
        let cost_nanos = self.cost_nanos.unwrap_or(0);
        let queued_ms = self.queued.map_or(0, |queued| queued.as_millis() as u64);
        let own = &self.own;
        macro_rules! line {
            ($level:ident, $($extra:tt)*) => {
                tracing::$level!(
                    request_id = %self.id, status, ms, method = %own.method, path = %own.path, model = %own.model,
                    deployment, stream = own.stream, attempts = self.attempts, queued_ms, input_tokens = input, output_tokens = output,
                    cached_tokens = cached, cost_nanos, changes = %changes, $($extra)*
                )
            };
        }
        match &self.error {
            Some(error) => line!(warn, error = %error, signature = self.signature.unwrap_or(""), "request failed"),
            None if !self.ended => line!(info, "client went away"),
            None if self.quiet => line!(debug, "request"),
            None => line!(info, "request"),
        }
        // Every failure can be explained, also of what never reached a model.
        if self.shared.is_some() || self.error.is_some() {
            let record = self.finished(status);
            let finish = |tap: Tap| tap.finish(&record.lock().unwrap_or_else(PoisonError::into_inner));
            if let Some(taken) = self.tap.take().and_then(finish) {
                self.app.captures.take(taken);
            }
            self.app.records.end(record);
        }
    }
}
