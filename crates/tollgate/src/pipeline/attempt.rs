//! The driver: one deployment after the other until one answers.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tollgate_dialect::error::{Change, ChangeKind, ErrorKind, UpstreamError};
use tollgate_dialect::{AnswerHead, Dialect, decode_error, encode_stream_error, is_plain_error};
use tollgate_policy::failover::{Failure as AttemptFailure, Phase, fails_over, rest};
use tollgate_policy::repair::{Fact, Sent, recognise};

use super::inbound::Inbound;
use super::line::{DEFAULT_COMMIT_AFTER, Line, Outlet};
use super::prepare::{Preparation, Prepared, prepare};
use super::record::Record;
use super::relay;
use crate::app::{App, Known, Live};
use crate::config::model::Deployment;
use crate::failure::{Failure, PhaseSettings};

/// A client does not wait longer than this for a deployment that asks for a rest: it is told how long to wait instead.
const LONGEST_REST: Duration = Duration::from_secs(5);

const BETAS: HeaderName = HeaderName::from_static("anthropic-beta");

/// The version of the Messages API that every Messages endpoint understands; the client's own and a configured one go before it.
const DEFAULT_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// An answer in one piece.
pub struct Whole {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// The deployments of a route in the order in which they are tried.
pub struct Plan {
    deployments: Vec<usize>,
}

impl Plan {
    pub fn first(&self) -> Option<usize> {
        self.deployments.first().copied()
    }
}

/// Order first, then by chance according to weight.
pub fn plan(live: &Live, model: &str) -> Result<Plan, Failure> {
    let resolved = live.config.routes.resolve(model).map_err(|unknown| {
        let bare = model.strip_prefix("anthropic/").unwrap_or(model);
        Failure::UnknownModel {
            model: model.to_string(),
            nearest: unknown.nearest,
            tier_hint: bare.starts_with("claude-"),
        }
    })?;
    let chance = RandomState::new();
    let mut deployments: Vec<usize> = resolved.deployments.to_vec();
    deployments.sort_by_cached_key(|&index| {
        let deployment = &live.config.deployments[index];
        // Exponential draws: the smallest of them is number i with a chance in proportion to its weight.
        let uniform = (chance.hash_one(index) >> 11) as f64 / (1u64 << 53) as f64;
        let draw = -(1.0 - uniform).ln() / f64::from(deployment.weight.max(1));
        (deployment.order, (draw * 1e12) as u64)
    });
    Ok(Plan { deployments })
}

pub struct Driver {
    app: Arc<App>,
    live: Arc<Live>,
    inbound: Inbound,
    plan: Plan,
    record: Record,
    line: Line,
    /// The upstream was asked for a stream, last.
    upstream_streams: bool,
}

/// One attempt that gave no answer.
pub struct Failed {
    pub failure: AttemptFailure,
    /// The upstream's own error body, where the client speaks its dialect.
    pub raw: Option<(u16, Bytes)>,
}

impl From<AttemptFailure> for Failed {
    fn from(failure: AttemptFailure) -> Failed {
        Failed { failure, raw: None }
    }
}

/// Why an attempt ended without an answer.
pub enum Ended {
    /// Another deployment may do better.
    Failed(Failed),
    /// The request itself cannot be served: no other deployment is tried.
    Final(Failure),
}

impl<F: Into<Failed>> From<F> for Ended {
    fn from(failed: F) -> Ended {
        Ended::Failed(failed.into())
    }
}

impl Driver {
    pub fn new(app: Arc<App>, live: Arc<Live>, inbound: Inbound, plan: Plan, record: Record) -> Driver {
        let commit_after = live.config.settings.commit_after.unwrap_or(DEFAULT_COMMIT_AFTER);
        let created = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let head = AnswerHead {
            id: record.id.trim_start_matches("req_").to_string(),
            model: inbound.model.clone(),
            created,
            stream_usage: inbound.stream_usage,
            ..AnswerHead::default()
        };
        let line = Line::new(inbound.dialect, inbound.stream, commit_after, head, live.seal.clone());
        let upstream_streams = inbound.stream;
        Driver { app, live, inbound, plan, record, line, upstream_streams }
    }

    pub fn outlet(&self) -> Outlet {
        self.line.outlet.clone()
    }

    pub fn dialect(&self) -> Dialect {
        self.inbound.dialect
    }

    /// `None`: the answer went out as a stream. A failure is an answer too; after the commit it is told in the stream.
    pub async fn run(mut self) -> Option<Whole> {
        let ended = self.attempts().await;
        self.record.ended = true;
        match ended {
            Ok(whole) => {
                self.record.status.get_or_insert(200);
                whole
            }
            Err(failure) if self.line.committed() => {
                let public = super::reply::public(&failure, &self.live.config);
                let (dialect, id) = (self.inbound.dialect, self.record.id.clone());
                self.line.write(|out| encode_stream_error(dialect, &public, &id, out));
                self.record.status.get_or_insert(200);
                self.record.error = Some(public.message);
                None
            }
            Err(failure) => {
                Some(super::reply::error(self.inbound.dialect, &failure, &self.live.config, &mut self.record))
            }
        }
    }

    async fn attempts(&mut self) -> Result<Option<Whole>, Failure> {
        let mut last: Option<Failure> = None;
        let live = self.live.clone();
        let mut next = self.plan.deployments.clone();
        let retries = next.iter().map(|&i| live.config.deployments[i].num_retries).max().unwrap_or(0);
        for round in 0..=retries {
            let mut again: Vec<(usize, Duration)> = Vec::new();
            for index in next {
                let deployment = &live.config.deployments[index];
                match self.serve(&live, index).await {
                    Ok(whole) => return Ok(whole),
                    Err(Ended::Final(failure)) => return Err(failure),
                    Err(Ended::Failed(failed)) => {
                        let over = !fails_over(&failed.failure) || self.line.content_sent;
                        again.extend(rest(&failed.failure).map(|rest| (index, rest)));
                        let failure = self.explain(deployment, failed);
                        if over {
                            return Err(failure);
                        }
                        tracing::warn!(request_id = %self.record.id, deployment = %deployment.id, error = %super::reply::public(&failure, &live.config).message, "attempt failed");
                        last = Some(failure);
                    }
                }
            }
            let shortest = again.iter().map(|(_, rest)| *rest).min().filter(|rest| *rest <= LONGEST_REST);
            let Some(shortest) = shortest.filter(|_| round < retries) else { break };
            let pause = shortest.max(Duration::from_millis(500 << round.min(4)));
            let _ = self.line.patient(pause, false, std::future::pending::<()>()).await;
            next = again.into_iter().filter(|(_, rest)| *rest <= pause).map(|(index, _)| index).collect();
        }
        Err(last.unwrap_or(Failure::Internal("a route without deployments")))
    }

    fn explain(&self, deployment: &Deployment, failed: Failed) -> Failure {
        Failure::Attempt {
            failure: failed.failure,
            raw: failed.raw,
            deployment: deployment.group.clone(),
            provider: deployment.provider.clone(),
            timeouts: PhaseSettings {
                connect: deployment.timeouts.connect,
                first_byte: first_byte(deployment, self.upstream_streams),
                idle: deployment.timeouts.idle,
                stream: self.upstream_streams,
            },
        }
    }

    /// Tries one deployment. A refusal that names its cure is cured and sent once more; a cure that worked is remembered.
    async fn serve(&mut self, live: &Arc<Live>, index: usize) -> Result<Option<Whole>, Ended> {
        let deployment = &live.config.deployments[index];
        let upstream_model = self.upstream_model(deployment);
        let mut cures: Vec<Fact> = Vec::new();
        loop {
            let mut known = self.app.known(live, index, &upstream_model);
            for fact in &cures {
                let known = Arc::make_mut(&mut known);
                fact.apply(&mut known.quirks, &mut known.max_output_tokens);
            }
            let mut prepared = prepare(&Preparation {
                inbound: &self.inbound,
                deployment,
                known: &known,
                upstream_model: &upstream_model,
                seal: &live.seal,
                recall: &self.app.recall,
            })
            .map_err(Ended::Final)?;
            self.note(live, index, &prepared, &cures);
            let body = Bytes::from(std::mem::take(&mut prepared.body));
            let stream = prepared.stream;
            let tried = self.exchange(live, index, &known, prepared, body.clone()).await;
            let Err(Ended::Failed(Failed { failure: AttemptFailure::Refused(error), .. })) = &tried else {
                if tried.is_ok() {
                    for fact in cures {
                        self.app.learn(live, index, &upstream_model, fact);
                    }
                }
                return tried;
            };
            let sent =
                Sent { body: &body, max_tokens: self.sent_tokens(&known), stream, drop_params: deployment.drop_params };
            match recognise(error, &sent) {
                Some(fact) if !cures.contains(&fact) && cures.len() < 3 => {
                    tracing::info!(request_id = %self.record.id, deployment = %deployment.id, fact = ?fact, "repairing a refused request");
                    cures.push(fact);
                }
                _ => return tried,
            }
        }
    }

    /// The name with what the route's wildcard stood for.
    fn upstream_model(&self, deployment: &Deployment) -> String {
        let resolved = self.live.config.routes.resolve(&self.inbound.model);
        resolved.map_or_else(|_| deployment.model.clone(), |route| route.upstream_model(&deployment.model).into_owned())
    }

    fn sent_tokens(&self, known: &Known) -> Option<u64> {
        let asked = self.inbound.max_tokens?;
        Some(known.max_output_tokens.map_or(asked, |cap| asked.min(cap)))
    }

    /// What the answer's headers will say, from here on.
    fn note(&mut self, live: &Live, index: usize, prepared: &Prepared, cures: &[Fact]) {
        let deployment = &live.config.deployments[index];
        self.upstream_streams = prepared.stream;
        self.record.attempts += 1;
        self.record.deployment = Some(deployment.id.clone());
        self.record.changes = self.inbound.changes.clone();
        for change in &prepared.changes {
            self.record.change(change.clone());
        }
        for fact in cures {
            self.record.change(Change::new(ChangeKind::Repaired, fact.label()));
        }
        self.line.headers = super::reply::headers(&self.record);
        let counted =
            prepared.counted_input.map_or(0, |ours| live.abilities[index].calibration.calibrated(ours.tokens));
        self.line.expect_input(counted, &deployment.provider);
    }

    /// Sends one body and relays what comes back.
    async fn exchange(
        &mut self,
        live: &Arc<Live>,
        index: usize,
        known: &Known,
        prepared: Prepared,
        body: Bytes,
    ) -> Result<Option<Whole>, Ended> {
        let deployment = &live.config.deployments[index];
        let passthrough = prepared.same_dialect;
        let request = self.upstream_request(deployment, prepared.stream, passthrough, body)?;
        let limit = first_byte(deployment, prepared.stream);
        let app = self.app.clone();
        let answer = self.line.patient(limit, passthrough, app.client.send(request)).await;
        let answer = answer.map_err(|_| AttemptFailure::TimedOut(Phase::FirstByte))??;
        if !answer.status().is_success() {
            return Err(self.refusal(deployment, answer, passthrough).await.into());
        }
        let outcome = relay::Relay {
            line: &mut self.line,
            record: &mut self.record,
            deployment,
            quirks: &known.quirks,
            prepared,
            app: &self.app,
            calibration: &live.abilities[index].calibration,
            inbound: &self.inbound,
        };
        outcome.run(answer).await.map_err(Ended::from)
    }

    fn upstream_request(
        &self,
        deployment: &Deployment,
        stream: bool,
        same_dialect: bool,
        body: Bytes,
    ) -> Result<http::Request<Full<Bytes>>, Ended> {
        let uri: Uri = deployment
            .url(deployment.dialect.path())
            .parse()
            .map_err(|_| Ended::Final(Failure::Internal("a deployment's URL cannot be built")))?;
        let mut request = http::Request::post(uri).body(Full::new(body)).expect("a parsed URI makes a request");
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let accept = if stream { "text/event-stream, application/json" } else { "application/json" };
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tollgate/", env!("CARGO_PKG_VERSION"))));
        if deployment.dialect == Dialect::Messages {
            messages_headers(headers, deployment, if same_dialect { &self.inbound.forward } else { &[] });
        }
        for (name, value) in deployment.headers.iter().filter(|(name, _)| *name != BETAS) {
            headers.insert(name, value.clone());
        }
        if let Some((name, secret)) = &deployment.credential {
            let mut value = HeaderValue::from_str(secret.expose()).map_err(|_| {
                Ended::Final(Failure::Internal("a credential holds characters that no header can carry"))
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        Ok(request)
    }

    /// Reads an error answer: at most a megabyte, for at most ten seconds.
    async fn refusal(
        &mut self,
        deployment: &Deployment,
        answer: http::Response<Incoming>,
        same_dialect: bool,
    ) -> Failed {
        let (parts, body) = answer.into_parts();
        let reading = http_body_util::Limited::new(body, 1024 * 1024).collect();
        let read = self.line.patient(Duration::from_secs(10), same_dialect, reading).await;
        let bytes = read.ok().and_then(Result::ok).map(|whole| whole.to_bytes()).unwrap_or_default();
        let mut error = decode_error(deployment.dialect, parts.status.as_u16(), &bytes);
        if parts.status.is_redirection() {
            let target = parts.headers.get(http::header::LOCATION).and_then(|v| v.to_str().ok()).unwrap_or("elsewhere");
            error.message = format!("the upstream redirects to {target}; correct api_base");
            error.kind = ErrorKind::Api;
            error.status = parts.status.as_u16();
            error.temporary = false;
        }
        error.retry_after = retry_after(&parts.headers).or(error.retry_after);
        // The vendor knows better than its status whether it is worth while.
        error.temporary &= parts.headers.get("x-should-retry").is_none_or(|word| word != "false");
        let raw = (same_dialect && may_pass_unmodified(deployment.dialect, &error, &bytes))
            .then(|| (parts.status.as_u16(), bytes));
        Failed { failure: AttemptFailure::Refused(error), raw }
    }
}

/// The client's headers for Anthropic, as an open list: what is new today passes like what is known. The betas of client and
/// configuration are one list, in one line, since not every server reads a second one.
fn messages_headers(headers: &mut HeaderMap, deployment: &Deployment, client: &[(HeaderName, HeaderValue)]) {
    headers.insert("anthropic-version", DEFAULT_VERSION);
    for (name, value) in client.iter().filter(|(name, _)| *name != BETAS) {
        headers.insert(name, value.clone());
    }
    let of_client = client.iter().filter(|_| deployment.quirks.messages.betas);
    let lines = of_client.chain(&deployment.headers).filter(|(name, _)| *name == BETAS);
    let mut lines: Vec<&[u8]> = lines.map(|(_, value)| value.as_bytes()).collect();
    lines.dedup();
    if let Ok(line) = HeaderValue::from_bytes(&lines.join(&b", "[..]))
        && !line.is_empty()
    {
        headers.insert(BETAS, line);
    }
}

fn first_byte(deployment: &Deployment, stream: bool) -> Duration {
    if stream { deployment.timeouts.first_byte_stream } else { deployment.timeouts.first_byte }
}

/// Clients know their vendor's words and act on them; only what concerns our own credential stays with us.
fn may_pass_unmodified(dialect: Dialect, error: &UpstreamError, body: &[u8]) -> bool {
    let ours = matches!(error.kind, ErrorKind::Authentication | ErrorKind::Permission);
    !ours && is_plain_error(dialect, body, error.kind)
}

/// `retry-after-ms` (milliseconds) and `retry-after` (seconds; dates are rare and left out).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    // A year is longer than anybody waits, and far from what a duration cannot hold.
    const YEAR_MS: f64 = 365.0 * 24.0 * 60.0 * 60.0 * 1000.0;
    let number = |name: &str| {
        headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok().filter(|n| (0.0..YEAR_MS).contains(n))
    };
    number("retry-after-ms")
        .map(|ms| Duration::from_secs_f64(ms / 1000.0))
        .or_else(|| number(RETRY_AFTER.as_str()).map(Duration::from_secs_f64))
}
