//! The listener: records every request, validates it, and plays the step that fits.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::aws::Aws;
use crate::azure::Azure;
use crate::bucket::{Bucket, Rate};
use crate::connection::{Body, Reset, Socket, body};
use crate::faults::{Ending, play};
use crate::google::Google;
use crate::places::Places;
use crate::plan::{Call, Plan};
use crate::prompt::PromptCache;
use crate::rule::Rule;
use crate::script::Step;
use crate::{chat, converse, gemini, messages};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// `POST …/chat/completions`, and the other endpoints of OpenAI's API.
    Chat,
    /// `POST …/responses`.
    Responses,
    /// `POST …/v1/messages` and `…/v1/messages/count_tokens`.
    Messages,
    /// `POST /v1beta/models/{model}:generateContent`, `:streamGenerateContent` and `:countTokens`.
    Gemini,
    /// `POST /model/{model}/invoke` and `…/invoke-with-response-stream` of Amazon Bedrock, for Claude.
    Invoke,
    /// `POST /model/{model}/converse` and `…/converse-stream` of Amazon Bedrock.
    Converse,
}

/// What a simulated provider is and does.
#[derive(Debug, Clone)]
pub struct SimConfig {
    pub providers: Vec<Provider>,
    pub chat: chat::Strictness,
    pub messages: messages::Strictness,
    pub gemini: gemini::Strictness,
    pub converse: converse::Strictness,
    /// Deviations in vendors' exact words, which come before the other checks.
    pub rules: Vec<Rule>,
    /// The key that callers must send; `None` takes any or none.
    pub key: Option<String>,
    /// Ids listed by `/v1/models`.
    pub models: Vec<String>,
    pub steps: Vec<Step>,
    /// So many calls at once are answered; one more gets a 429 with these words.
    pub at_once: Option<(usize, String)>,
    /// Beyond this rate a call gets a 429; every answer's headers tell what is left.
    pub bucket: Option<Rate>,
    /// Azure's front before the providers, and its token endpoints.
    pub azure: Option<Azure>,
    /// An account of AWS: its front before the providers, and the endpoints that give keys.
    pub aws: Option<Aws>,
    /// Vertex AI's front before the providers, and Google's token endpoints.
    pub google: Option<Google>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            providers: vec![Provider::Chat, Provider::Messages, Provider::Gemini, Provider::Invoke, Provider::Converse],
            chat: chat::Strictness::default(),
            messages: messages::Strictness::default(),
            gemini: gemini::Strictness::default(),
            converse: converse::Strictness::default(),
            rules: Vec::new(),
            key: None,
            models: vec!["sim-1".to_owned()],
            steps: Vec::new(),
            at_once: None,
            bucket: None,
            azure: None,
            aws: None,
            google: None,
        }
    }
}

impl SimConfig {
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    #[must_use]
    pub fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }

    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// So many requests at first, then so many a second, told in the headers of every answer. One too many is refused without a
    /// word on when to come again.
    #[must_use]
    pub fn rate(mut self, capacity: u32, per_second: f64) -> Self {
        self.bucket = Some(Rate { capacity: f64::from(capacity), per_second });
        self
    }

    #[must_use]
    pub fn at_once(mut self, most: usize, words: &str) -> Self {
        self.at_once = Some((most, words.to_owned()));
        self
    }

    #[must_use]
    pub fn azure(mut self, azure: &Azure) -> Self {
        self.azure = Some(azure.clone());
        self
    }

    /// Its models are those of Vertex AI.
    #[must_use]
    pub fn google(mut self, google: &Google) -> Self {
        self.google = Some(google.clone());
        self.gemini.vertex = true;
        self
    }

    #[must_use]
    pub fn aws(mut self, aws: &Aws) -> Self {
        self.aws = Some(aws.clone());
        self
    }

    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    #[must_use]
    pub fn chat(mut self, strictness: chat::Strictness) -> Self {
        self.chat = strictness;
        self
    }

    #[must_use]
    pub fn messages(mut self, strictness: messages::Strictness) -> Self {
        self.messages = strictness;
        self
    }

    #[must_use]
    pub fn converse(mut self, strictness: converse::Strictness) -> Self {
        self.converse = strictness;
        self
    }

    #[must_use]
    pub fn gemini(mut self, strictness: gemini::Strictness) -> Self {
        self.gemini = strictness;
        self
    }
}

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub method: Method,
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// When its headers were read.
    pub at: Instant,
    /// The words with which it was refused by validation.
    pub refused: Option<String>,
    /// When the answer was complete, or cut by the script.
    pub finished: Option<Instant>,
    /// When the client closed the connection before the answer was complete.
    pub closed_early: Option<Instant>,
}

impl Recorded {
    /// The body as JSON; `null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A running simulated provider; it stops when dropped.
pub struct Sim {
    addr: SocketAddr,
    state: Arc<State>,
    listener: AbortHandle,
}

pub(crate) struct State {
    pub config: SimConfig,
    log: Mutex<Vec<Recorded>>,
    /// The steps with the uses that are left, and the number of model calls so far.
    pub script: Mutex<(Vec<Step>, usize)>,
    pub prompts: PromptCache,
    pub places: Arc<Places>,
    pub bucket: Bucket,
    changed: Notify,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Sim {
    /// Starts on a free port of 127.0.0.1, on the current runtime.
    ///
    /// # Panics
    /// When no loopback port can be bound.
    pub async fn start(config: SimConfig) -> Self {
        Self::start_on(SocketAddr::from(([127, 0, 0, 1], 0)), config).await
    }

    /// Starts on an address that another one had, as after a restart.
    ///
    /// # Panics
    /// When the address is taken.
    pub async fn start_on(addr: SocketAddr, config: SimConfig) -> Self {
        let listener = TcpListener::bind(addr).await.expect("a free loopback port");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let script = Mutex::new((config.steps.clone(), 0));
        let state = Arc::new(State {
            config,
            log: Mutex::default(),
            script,
            prompts: PromptCache::default(),
            places: Arc::default(),
            bucket: Bucket::default(),
            changed: Notify::new(),
        });
        let accepting = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&accepting)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { addr, state, listener: task.abort_handle() }
    }

    /// Goes away with all its connections, as a killed process does. What it has seen stays to be read.
    pub fn stop(&self) {
        self.listener.abort();
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:PORT`, without a path.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Every request so far, in the order in which their headers came.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.state.log).clone()
    }

    /// The requests whose path ends like this.
    pub fn requests_to(&self, path_end: &str) -> Vec<Recorded> {
        self.requests().into_iter().filter(|request| request.path.ends_with(path_end)).collect()
    }

    /// The most model calls that were answered at the same time.
    pub fn most_at_once(&self) -> usize {
        self.state.places.most()
    }

    /// Waits until something about the requests satisfies the condition. Put a timeout around it.
    pub async fn wait_until(&self, condition: impl Fn(&[Recorded]) -> bool) {
        loop {
            let changed = self.state.changed.notified();
            if condition(&lock(&self.state.log)) {
                return;
            }
            changed.await;
        }
    }

    /// Adds a step at the end of the script.
    pub fn push(&self, step: Step) {
        lock(&self.state.script).0.push(step);
    }

    /// Replaces the steps that are left.
    pub fn replace_script(&self, steps: impl IntoIterator<Item = Step>) {
        lock(&self.state.script).0 = steps.into_iter().collect();
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Tells the log how a request ended; dropped unfinished, the client had gone.
pub(crate) struct InFlight {
    state: Arc<State>,
    index: usize,
    finished: bool,
}

impl InFlight {
    fn record(&self, change: impl FnOnce(&mut Recorded)) {
        change(&mut lock(&self.state.log)[self.index]);
        self.state.changed.notify_waiters();
    }

    pub fn finished(&mut self) {
        self.finished = true;
        self.record(|request| request.finished = Some(Instant::now()));
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if !self.finished {
            self.record(|request| request.closed_early = Some(Instant::now()));
        }
    }
}

/// The connection ends without an answer.
#[derive(Debug)]
struct NoAnswer;

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused by the script")
    }
}

impl std::error::Error for NoAnswer {}

async fn serve(stream: TcpStream, state: Arc<State>) {
    // Each frame is to be seen by itself; the connection works without it too.
    let _ = stream.set_nodelay(true);
    let reset = Reset::default();
    let socket = TokioIo::new(Socket::new(stream, reset.clone()));
    let service = service_fn(move |request| answer(Arc::clone(&state), reset.clone(), request));
    // Errors here are the cuts of the script and clients that go away: both are in the log.
    let _ =
        hyper::server::conn::http1::Builder::new().header_read_timeout(None).serve_connection(socket, service).await;
}

async fn answer(state: Arc<State>, reset: Reset, request: Request<Incoming>) -> Result<Response<Body>, NoAnswer> {
    let (head, incoming) = request.into_parts();
    let mut in_flight = begin(&state, &head);
    let Ok(collected) = incoming.collect().await else { return Err(NoAnswer) };
    let bytes = collected.to_bytes();
    in_flight.record(|request| request.body = bytes.clone());

    let call = Call { head: &head, bytes: &bytes, state: &state };
    let planned = call.plan().unwrap_or_else(|refusal| {
        in_flight.record(|request| request.refused = Some(refusal.message.clone()));
        Plan::refusal(&refusal)
    });

    if !planned.faults.before_headers.is_zero() {
        tokio::time::sleep(planned.faults.before_headers).await;
    }
    if let Some(ending) = planned.faults.refuse {
        if ending == Ending::Reset {
            reset.order();
        }
        in_flight.finished();
        return Err(NoAnswer);
    }
    let mut response = Response::builder().status(planned.status).header("request-id", "req_sim");
    for (name, value) in planned.headers.iter().chain(&planned.faults.headers) {
        response = response.header(name, value);
    }
    let (sender, body) = body(reset, in_flight);
    let place = planned.place;
    tokio::spawn(async move {
        let _place = place;
        play(planned.content, planned.faults, planned.error_event, sender).await;
    });
    response.body(body).map_err(|_| NoAnswer)
}

fn begin(state: &Arc<State>, head: &http::request::Parts) -> InFlight {
    let mut log = lock(&state.log);
    log.push(Recorded {
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers.clone(),
        body: Bytes::new(),
        at: Instant::now(),
        refused: None,
        finished: None,
        closed_early: None,
    });
    let in_flight = InFlight { state: Arc::clone(state), index: log.len() - 1, finished: false };
    drop(log);
    state.changed.notify_waiters();
    in_flight
}

#[cfg(test)]
mod tests;
