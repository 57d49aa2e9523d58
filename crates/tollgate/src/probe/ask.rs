//! One call: sent, repaired where its refusal names the cure, and read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tollgate_dialect::event::Event;
use tollgate_dialect::frame::FrameReader;
use tollgate_dialect::frame::sse::Piece;
use tollgate_dialect::usage::Usage;
use tollgate_dialect::{Dialect, StreamDecoder, decode_error, decode_response};
use tollgate_policy::failover::Failure;
use tollgate_policy::repair::{Fact, Sent, recognise};

use tokio::time::Instant;

use super::calls::Call;
use crate::app::{App, Known, Live};
use crate::config::model::Deployment;
use crate::pipeline::exchange::{Address, MOST_CURES, upstream_request};
use crate::pipeline::inbound::Inbound;
use crate::pipeline::prepare::{Preparation, Prepared, prepare};

/// For each request: a model that does not answer a word within this is no use to an agent either.
const LIMIT: Duration = Duration::from_secs(60);
/// An answer of a few words is far below it.
const MOST_BYTES: usize = 1024 * 1024;

pub enum Outcome {
    Answered {
        facts: Vec<Fact>,
        /// Those of the first refusal.
        words: String,
        answer: Shown,
    },
    /// Refused, and nothing cures it. The upstream's words.
    Refused(String),
    /// Not refused, but not answered either.
    Failed(String),
}

/// What an answer showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    pub text: String,
    pub thoughts: bool,
    pub tool: bool,
    pub usage: Usage,
    /// Fields that were left out, because the configuration says that this model does not take them.
    pub dropped: Vec<String>,
}

/// A deployment that is being asked.
pub struct Asked<'p> {
    pub(super) app: &'p App,
    pub(super) live: &'p Arc<Live>,
    pub(super) index: usize,
    pub upstream_model: String,
    pub facts: Vec<Fact>,
    pub sent: u32,
}

/// How one request went.
enum Tried {
    Answer(Shown),
    Refusal { words: String, cure: Option<Fact> },
    Failure(String),
}

impl<'p> Asked<'p> {
    pub fn new(app: &'p App, live: &'p Arc<Live>, index: usize, upstream_model: String) -> Asked<'p> {
        Asked { app, live, index, upstream_model, facts: Vec::new(), sent: 0 }
    }

    pub fn deployment(&self) -> &'p Deployment {
        &self.live.config.deployments[self.index]
    }

    /// What is known of the deployment, with what was found so far and what is tried now.
    pub fn known(&self, trying: &[Fact]) -> Known {
        let mut known = (*self.app.known(self.live, self.index, &self.upstream_model)).clone();
        for fact in self.facts.iter().chain(trying) {
            fact.apply(&mut known.quirks, &mut known.max_output_tokens);
        }
        known
    }

    /// What registry and configuration alone say.
    pub fn configured(&self) -> Known {
        Known::configured(self.deployment(), &self.upstream_model)
    }

    pub async fn ask(&mut self, call: &Call) -> Outcome {
        let mut inbound = self.inbound(call);
        let mut facts: Vec<Fact> = Vec::new();
        let mut words = String::new();
        let mut before: Option<Vec<u8>> = None;
        loop {
            let mut admission = match self.may_cost(&mut inbound).await {
                Ok(admission) => admission,
                Err(why) => return Outcome::Failed(why),
            };
            let known = self.known(&facts);
            let job = Preparation {
                inbound: &inbound,
                deployment: self.deployment(),
                known: &known,
                upstream_model: &self.upstream_model,
                seal: &self.live.seal,
                recall: &self.app.recall,
                continuing: None,
            };
            let prepared = prepare(&job);
            let tried = match prepared {
                Ok(prepared) if before.as_ref() != Some(&prepared.body) => {
                    before = Some(prepared.body.clone());
                    let (began, sent) = (Instant::now(), prepared.body.clone());
                    let tried = self.request(call, &inbound, &known, prepared).await;
                    if let Tried::Answer(answer) = &tried {
                        self.cost(std::mem::take(&mut admission), &sent, began, answer);
                    }
                    tried
                }
                Ok(_) => Tried::Refusal { words: String::new(), cure: None },
                Err(_) if before.is_some() => Tried::Refusal { words: String::new(), cure: None },
                Err(_) => Tried::Failure("the configuration does not let this request through".into()),
            };
            admission.release();
            match tried {
                Tried::Answer(answer) => {
                    self.facts.extend(facts.iter().filter(|fact| fact.lasts()).cloned());
                    return Outcome::Answered { facts, words, answer };
                }
                Tried::Refusal { words: said, cure } => {
                    if words.is_empty() {
                        words = said;
                    }
                    match cure {
                        Some(fact) if !facts.contains(&fact) && facts.len() < MOST_CURES => facts.push(fact),
                        _ => return Outcome::Refused(words),
                    }
                }
                Tried::Failure(why) => return Outcome::Failed(why),
            }
        }
    }

    fn inbound(&self, call: &Call) -> Inbound {
        let body = Value::Object(call.body.clone());
        let stream = call.body.get("stream").and_then(Value::as_bool).unwrap_or(false);
        let max_tokens = call.body.get("max_tokens").and_then(Value::as_u64);
        let bytes = Bytes::from(body.to_string());
        Inbound::own(self.deployment().dialect, self.upstream_model.clone(), bytes, stream, max_tokens)
    }

    async fn request(&mut self, call: &Call, inbound: &Inbound, known: &Known, prepared: Prepared) -> Tried {
        let deployment = self.deployment();
        let (stream, dialect) = (prepared.stream, prepared.dialect);
        let body = Bytes::from(prepared.body);
        let to = Address { dialect, model: &self.upstream_model, stream };
        let Ok(request) = upstream_request(deployment, to, known, &[], body.clone()) else {
            return Tried::Failure("the address or the key of this deployment cannot be used".into());
        };
        self.sent += 1;
        let exchange = async {
            let answer = self.app.client.send_as(deployment.identity.as_ref(), request).await.map_err(unreachable)?;
            let status = answer.status();
            let bytes = read(answer.into_body(), stream && status.is_success() && call.begins_only).await?;
            Ok::<_, String>((status, bytes))
        };
        let (status, bytes) = match tokio::time::timeout(LIMIT, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => return Tried::Failure(why),
            Err(_) => return Tried::Failure(format!("no answer within {} s", LIMIT.as_secs())),
        };
        if status.is_success() {
            let dropped = prepared.changes.iter().map(ToString::to_string).filter(|c| c.starts_with("dropped:"));
            return match shown(dialect, known, &bytes, call.begins_only && stream) {
                Ok(shown) => Tried::Answer(Shown { dropped: dropped.collect(), ..shown }),
                Err(why) => Tried::Failure(why),
            };
        }
        let error = decode_error(dialect, status.as_u16(), &bytes);
        let max_tokens = inbound.max_tokens.map(|n| n.min(known.max_output_tokens.unwrap_or(n)));
        let sent = Sent { body: &body, max_tokens, stream, drop_params: deployment.drop_params };
        let cure = recognise(&error, &sent);
        let words = format!("{}: {}", status.as_u16(), error.message);
        // A rate limit or a failure of the upstream says nothing about what it can do.
        match cure {
            None if error.temporary || status.as_u16() == 429 => Tried::Failure(words),
            cure => Tried::Refusal { words, cure },
        }
    }
}

fn unreachable(failure: Failure) -> String {
    match failure {
        Failure::Unreachable(why) => format!("the upstream cannot be reached: {why}"),
        Failure::NoToken { words, .. } => format!("no sign-in: {words}"),
        Failure::TimedOut(_) => "the upstream takes no connection".into(),
        other => format!("the upstream failed: {other:?}"),
    }
}

/// The whole answer, or its beginning: the connection is closed then, so that a long answer costs no more than that.
async fn read(mut body: Incoming, begins_only: bool) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|error| format!("the answer broke off: {error}"))?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if (begins_only && !bytes.trim_ascii().is_empty()) || bytes.len() > MOST_BYTES {
            break;
        }
    }
    Ok(bytes)
}

fn shown(dialect: Dialect, known: &Known, bytes: &[u8], beginning: bool) -> Result<Shown, String> {
    let mut shown = Shown::default();
    let mut emit = |event: Event<'_>| match event {
        Event::Text(text) => shown.text.push_str(&text.decode()),
        Event::Thinking(_) | Event::Redacted(_) | Event::ThinkingState(_) => shown.thoughts = true,
        Event::ToolStart { .. } => shown.tool = true,
        Event::Usage(usage) | Event::Start { usage, .. } => shown.usage.update(&usage),
        _ => {}
    };
    if bytes.trim_ascii_start().starts_with(b"{") {
        decode_response(dialect, bytes, &known.quirks, &mut |event| emit(event)).map_err(|e| e.to_string())?;
        return Ok(shown);
    }
    let mut reader = FrameReader::of(bytes);
    reader.feed(bytes);
    let mut decoder = StreamDecoder::new(dialect, &known.quirks);
    while let Some(piece) = reader.next() {
        if let Piece::Frame(frame) = piece.map_err(|e| e.to_string())? {
            decoder.push(&frame, &mut |event| emit(event)).map_err(|e| e.to_string())?;
        }
    }
    if !beginning {
        decoder.finish(&mut |event| emit(event)).map_err(|e| e.to_string())?;
    }
    Ok(shown)
}
