//! One attempt: a body for one deployment goes up, and what comes back is relayed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use http_body_util::{BodyExt, Full};
use tollgate_dialect::error::{Change, ChangeKind, ErrorKind, UpstreamError};
use tollgate_dialect::hosted::BetasGo;
use tollgate_dialect::quirks::Api;
use tollgate_dialect::{Dialect, decode_aws_error, decode_error, is_plain_error};
use tollgate_policy::failover::{Failure as AttemptFailure, reason};
use tollgate_policy::repair::{Fact, Sent, recognise};
use tollgate_store::record;

use super::attempt::{Driver, Whole};
use super::betas::{self, BETAS};
use super::prepare::{Preparation, Prepared, prepare};
use super::tap::Tapped;
use super::{fit, relay, reply, upstream_limits};
use crate::app::{Known, Live};
use crate::config::model::{Deployment, Paths};
use crate::failure::Failure;
use crate::upstream::Progress;

const VERSION: HeaderName = HeaderName::from_static("anthropic-version");

/// The version of the Messages API that every Messages endpoint understands; the client's own and a configured one go before it.
const DEFAULT_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// A request is made anew at most this often, with one more fact each time: strict servers complain of one thing after the other.
pub const MOST_CURES: usize = 6;

/// One attempt that gave no answer.
pub struct Failed {
    pub failure: AttemptFailure,
    /// The upstream's own error body, where the client speaks its dialect.
    pub raw: Option<(u16, Bytes)>,
    /// The upstream's own id for the request.
    pub upstream_id: Option<String>,
}

impl From<AttemptFailure> for Failed {
    fn from(failure: AttemptFailure) -> Failed {
        Failed { failure, raw: None, upstream_id: None }
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
    /// Tries one deployment. A refusal that names its cure is cured and sent once more; a cure that worked is remembered.
    /// `upstream_model`: the provider's name for the model.
    pub(super) async fn serve(
        &mut self,
        live: &Arc<Live>,
        index: usize,
        upstream_model: &str,
    ) -> Result<Option<Whole>, Ended> {
        if let Some(asked) = self.inbound.operation.clone() {
            return self.operate(live, index, upstream_model, &asked).await;
        }
        let deployment = &live.config.deployments[index];
        let mut cures: Vec<Fact> = Vec::new();
        let mut refused: Option<(Bytes, Arc<Known>, Ended)> = None;
        loop {
            self.afford().await.map_err(Ended::Final)?;
            let mut known = self.app.known(live, index, upstream_model);
            for fact in &cures {
                let known = Arc::make_mut(&mut known);
                fact.apply(&mut known.quirks, &mut known.max_output_tokens);
            }
            if let Some(room) = fit::room(&live.abilities[index].calibration, &known, &self.inbound) {
                let known = Arc::make_mut(&mut known);
                known.max_output_tokens = Some(known.max_output_tokens.map_or(room, |most| most.min(room)));
            }
            let prepared = prepare(&Preparation {
                inbound: &self.inbound,
                deployment,
                known: &known,
                upstream_model,
                seal: &live.seal,
                recall: &self.app.recall,
                continuing: self.continuing.as_deref(),
            });
            let before = refused.take();
            let mut prepared = match prepared {
                Ok(prepared) => prepared,
                // Where a cure cannot be said, the upstream's words are what the client can act on.
                Err(failure) => return Err(before.map_or(Ended::Final(failure), |(_, _, ended)| ended)),
            };
            let body = Bytes::from(std::mem::take(&mut prepared.body));
            // A cure that changes nothing is none: the same request is not sent twice.
            if let Some((sent, was, ended)) = before
                && sent == body
                && betas::line(deployment, &was, self.inbound.for_messages())
                    == betas::line(deployment, &known, self.inbound.for_messages())
            {
                return Err(ended);
            }
            self.note(live, index, &prepared, &cures, upstream_model, body.len());
            self.recorder.sent(prepared.dialect, &body);
            let (stream, dialect) = (prepared.stream, prepared.dialect);
            let tried = self.exchange(live, index, upstream_model, &known, prepared, body.clone()).await;
            self.recorder.attempt_ended(tried.as_ref().err().map(|ended| self.failure_for_record(live, ended)));
            let ended = match tried {
                Ok(whole) => {
                    for fact in cures.into_iter().filter(Fact::lasts) {
                        self.app.learn(live, index, upstream_model, fact);
                    }
                    return Ok(whole);
                }
                Err(ended) => ended,
            };
            let Ended::Failed(Failed { failure: AttemptFailure::Refused(error), .. }) = &ended else {
                return Err(ended);
            };
            let sent =
                Sent { body: &body, max_tokens: self.sent_tokens(&known), stream, drop_params: deployment.drop_params };
            match recognise(error, &sent).or_else(|| other_api(deployment, dialect, error, &cures)) {
                Some(fact) if !cures.contains(&fact) && cures.len() < MOST_CURES && !self.line.content_sent => {
                    tracing::info!(request_id = %self.recorder.id, deployment = %deployment.id, fact = ?fact, "repairing a refused request");
                    self.recorder.then(&format!("repaired {} and sent again", fact.label()));
                    cures.push(fact);
                    refused = Some((body, known, ended));
                }
                _ => return Err(ended),
            }
        }
    }

    fn sent_tokens(&self, known: &Known) -> Option<u64> {
        let asked = self.inbound.max_tokens?;
        Some(known.max_output_tokens.map_or(asked, |cap| asked.min(cap)))
    }

    /// What the answer's headers and the record will say, from here on.
    pub(super) fn note(
        &mut self,
        live: &Live,
        index: usize,
        prepared: &Prepared,
        cures: &[Fact],
        upstream_model: &str,
        body_bytes: usize,
    ) {
        let deployment = &live.config.deployments[index];
        self.upstream_streams = prepared.stream;
        self.recorder.attempts += 1;
        self.recorder.deployment = Some(deployment.id.clone());
        self.recorder.changes = self.inbound.changes.clone();
        for change in &prepared.changes {
            self.recorder.change(change.clone());
        }
        for fact in cures {
            self.recorder.change(Change::new(ChangeKind::Repaired, fact.label()));
        }
        self.recorder.attempt(record::Attempt {
            deployment: deployment.id.clone(),
            provider: deployment.provider.clone(),
            model: upstream_model.to_string(),
            url: deployment.shown_url(),
            began_ms: self.recorder.elapsed_ms(),
            body_bytes: body_bytes as u64,
            stream: prepared.stream,
            cures: cures.iter().map(Fact::label).collect(),
            continues: self.continuing.is_some(),
            ..record::Attempt::default()
        });
        if self.inbound.stream {
            self.line.headers = reply::headers(&self.recorder);
        }
        let counted =
            prepared.counted_input.map_or(0, |ours| live.abilities[index].calibration.calibrated(ours.tokens));
        self.line.expect_input(counted, &deployment.provider);
    }

    pub(super) fn failure_for_record(&self, live: &Live, ended: &Ended) -> record::AttemptFailure {
        let failed = match ended {
            Ended::Failed(failed) => failed,
            Ended::Final(failure) => {
                let words = self.recorder.without_quotes(&reply::public(failure, &live.config).message);
                return record::AttemptFailure { kind: "not_sent".into(), words, ..Default::default() };
            }
        };
        let (status, words) = match &failed.failure {
            AttemptFailure::Refused(error) => (Some(error.status), error.message.clone()),
            AttemptFailure::Unreachable(words)
            | AttemptFailure::Broken(words)
            | AttemptFailure::NoToken { words, .. } => (None, words.clone()),
            AttemptFailure::TimedOut(_) => (None, String::new()),
        };
        let asked = tollgate_policy::failover::asked_rest(&failed.failure);
        record::AttemptFailure {
            kind: reason(&failed.failure).into(),
            status,
            words: self.recorder.without_quotes(&reply::without_secrets(words, &live.config)),
            retry_after_ms: asked.and_then(|asked| u64::try_from(asked.as_millis()).ok()),
            upstream_request_id: failed.upstream_id.clone(),
        }
    }

    /// Sends one body and relays what comes back.
    async fn exchange(
        &mut self,
        live: &Arc<Live>,
        index: usize,
        upstream_model: &str,
        known: &Known,
        prepared: Prepared,
        body: Bytes,
    ) -> Result<Option<Whole>, Ended> {
        let deployment = &live.config.deployments[index];
        let (passthrough, dialect) = (prepared.same_dialect, prepared.dialect);
        let began = tokio::time::Instant::now();
        let to = Address { dialect, model: upstream_model, stream: prepared.stream };
        let request = upstream_request(deployment, to, known, self.inbound.for_messages(), body)?;
        let answer = self.answer_to(live, index, dialect, request, prepared.stream, passthrough).await?;
        let outcome = relay::Relay {
            line: &mut self.line,
            record: &mut self.recorder,
            abilities: &live.abilities[index],
            deployment,
            quirks: &known.quirks,
            price: known.price,
            prepared,
            app: &self.app,
            settings: &live.config.settings,
            began,
            continues: self.continuing.is_some(),
            inbound: &self.inbound,
        };
        outcome.run(answer).await.map_err(Ended::from)
    }

    /// Sends a request; the answer's head is there, and good.
    pub(super) async fn answer_to(
        &mut self,
        live: &Arc<Live>,
        index: usize,
        dialect: Dialect,
        mut request: http::Request<Full<Bytes>>,
        stream: bool,
        passthrough: bool,
    ) -> Result<http::Response<Tapped>, Ended> {
        let deployment = &live.config.deployments[index];
        let progress = Progress::of(&mut request);
        let limit = first_byte(deployment, stream);
        let app = self.app.clone();
        let answer =
            self.line.patient(limit, passthrough, app.client.send_as(deployment.identity.as_ref(), request)).await;
        let answer = answer.map_err(|_| AttemptFailure::TimedOut(progress.phase()))??;
        let remaining = upstream_limits::remaining(answer.headers(), SystemTime::now());
        live.abilities[index].health().remains(self.app.now_ms(), self.nth, &remaining);
        let answer = self.recorder.tapped(answer).map_err(|encoding| {
            AttemptFailure::Broken(format!("the upstream's answer is compressed ({encoding}), which was not asked for"))
        })?;
        if !answer.status().is_success() {
            return Err(self.refusal(deployment, dialect, answer, passthrough).await.into());
        }
        Ok(answer)
    }

    /// Reads an error answer: at most a megabyte, for at most ten seconds.
    async fn refusal(
        &mut self,
        deployment: &Deployment,
        dialect: Dialect,
        answer: http::Response<Tapped>,
        same_dialect: bool,
    ) -> Failed {
        let (parts, body) = answer.into_parts();
        let reading = http_body_util::Limited::new(body, 1024 * 1024).collect();
        let read = self.line.patient(Duration::from_secs(10), same_dialect, reading).await;
        let bytes = read.ok().and_then(Result::ok).map(|whole| whole.to_bytes()).unwrap_or_default();
        let bytes = self.app.client.without_tokens(deployment.identity.as_ref(), bytes);
        let mut error = match parts.headers.get("x-amzn-errortype").and_then(|name| name.to_str().ok()) {
            Some(name) => decode_aws_error(parts.status.as_u16(), name, &bytes),
            None => decode_error(dialect, parts.status.as_u16(), &bytes),
        };
        if parts.status.is_redirection() {
            let target = parts.headers.get(http::header::LOCATION).and_then(|v| v.to_str().ok()).unwrap_or("elsewhere");
            error.message = format!("the upstream redirects to {target}; correct api_base");
            error.kind = ErrorKind::Api;
            error.status = parts.status.as_u16();
            error.temporary = false;
        }
        error.retry_after = upstream_limits::retry_after(&parts.headers, SystemTime::now()).or(error.retry_after);
        if error.kind == ErrorKind::RateLimited {
            error.scope = upstream_limits::scope(&parts.headers).unwrap_or(error.scope);
        }
        // The vendor knows better than its status whether it is worth while.
        error.temporary &= parts.headers.get("x-should-retry").is_none_or(|word| word != "false");
        let upstream_id = ["request-id", "x-request-id", "x-generation-id", "x-amzn-requestid"]
            .iter()
            .find_map(|name| parts.headers.get(*name));
        let upstream_id = upstream_id.and_then(|id| id.to_str().ok()).map(|id| id.chars().take(100).collect());
        let raw =
            (same_dialect && may_pass_unmodified(dialect, &error, &bytes)).then(|| (parts.status.as_u16(), bytes));
        Failed { failure: AttemptFailure::Refused(error), raw, upstream_id }
    }
}

/// The path is not there, rather than the model or what the request refers to.
pub(super) fn lacks_path(error: &UpstreamError) -> bool {
    // OpenAI's and Azure's word for a model that is not there: the API is.
    let no_model = matches!(error.code.as_deref(), Some("model_not_found" | "DeploymentNotFound"));
    error.status == 405 || (error.status == 404 && error.kind == ErrorKind::NotFound && !no_model)
}

/// The other of OpenAI's two APIs, where the one that was asked is not there. It is not asked for where nothing is known of it.
fn other_api(deployment: &Deployment, asked: Dialect, error: &UpstreamError, cures: &[Fact]) -> Option<Fact> {
    let tried = cures.iter().any(|cure| matches!(cure, Fact::Api(_)));
    if !deployment.either_api || !lacks_path(error) || tried {
        return None;
    }
    match asked {
        Dialect::Responses => Some(Fact::Api(Api::Chat)),
        Dialect::Chat if deployment.has_responses => Some(Fact::Api(Api::Responses)),
        _ => None,
    }
}

/// Which endpoint of a deployment is asked, for the provider's `model`.
#[derive(Clone, Copy)]
pub struct Address<'a> {
    pub dialect: Dialect,
    pub model: &'a str,
    pub stream: bool,
}

/// One request to a deployment, with the `client`'s own headers for Anthropic.
pub fn upstream_request(
    deployment: &Deployment,
    to: Address<'_>,
    known: &Known,
    client: &[(HeaderName, HeaderValue)],
    body: Bytes,
) -> Result<http::Request<Full<Bytes>>, Ended> {
    let uri: Uri = deployment
        .address(to.dialect, to.model, to.stream)
        .parse()
        .map_err(|_| Ended::Final(Failure::Internal("a deployment's URL cannot be built")))?;
    let mut request = http::Request::post(uri).body(Full::new(body)).expect("a parsed URI makes a request");
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = match to.stream {
        true if deployment.paths == Paths::OfModel => "application/vnd.amazon.eventstream, application/json",
        true => "text/event-stream, application/json",
        false => "application/json",
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    // Without a word a server may compress as it likes (RFC 9110, 12.5.3).
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tollgate/", env!("CARGO_PKG_VERSION"))));
    if to.dialect == Dialect::Messages {
        messages_headers(headers, deployment, known, client);
    }
    for (name, value) in deployment.headers.iter().filter(|(name, _)| *name != BETAS) {
        headers.insert(name, value.clone());
    }
    if let Some((name, secret)) = &deployment.credential {
        let mut value = HeaderValue::from_str(secret.expose())
            .map_err(|_| Ended::Final(Failure::Internal("a credential holds characters that no header can carry")))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(request)
}

/// The client's headers for Anthropic, as an open list: what is new today passes like what is known. The betas of client and
/// configuration are one list, in one line, since not every server reads a second one.
fn messages_headers(
    headers: &mut HeaderMap,
    deployment: &Deployment,
    known: &Known,
    client: &[(HeaderName, HeaderValue)],
) {
    let hosting = known.quirks.messages.host.hosting();
    headers.insert(VERSION, DEFAULT_VERSION);
    // Where betas stand in the body, the rest of the client's headers means nothing.
    let passed = client.iter().filter(|(name, _)| *name != BETAS && hosting.betas_go == BetasGo::Header);
    for (name, value) in passed {
        headers.insert(name, value.clone());
    }
    if hosting.version.is_some() {
        headers.remove(VERSION);
    }
    if hosting.betas_go == BetasGo::Header
        && let Ok(line) = HeaderValue::from_bytes(&betas::line(deployment, known, client))
        && !line.is_empty()
    {
        headers.insert(BETAS, line);
    }
}

pub(super) fn first_byte(deployment: &Deployment, stream: bool) -> Duration {
    if stream { deployment.timeouts.first_byte_stream } else { deployment.timeouts.first_byte }
}

/// Clients know their vendor's words and act on them; only what concerns our own credential stays with us.
fn may_pass_unmodified(dialect: Dialect, error: &UpstreamError, body: &[u8]) -> bool {
    let ours = matches!(error.kind, ErrorKind::Authentication | ErrorKind::Permission);
    !ours && is_plain_error(dialect, body, error.kind)
}
