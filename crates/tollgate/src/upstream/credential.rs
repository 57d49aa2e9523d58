//! What signs requests in where no fixed key does: tokens of Entra ID and Google, keys of AWS. Kept until shortly before their end,
//! shared by all that ask for them alike.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::time::Instant;
use tollgate_policy::failover::Failure;

use super::Client;
use crate::config::aws::Keys;
use crate::config::entra::Entra;
use crate::config::identity::{Identity, Who};
use crate::config::secret::Secret;

mod aws;
mod cli;
mod entra;
mod exchange;
mod google;
mod sigv4;

/// A token is replaced from this time before its end on, so that the new one is there five minutes before it.
const EARLY: Duration = Duration::from_secs(6 * 60);
/// A token that ends sooner may end on its way.
const LEAST: Duration = Duration::from_secs(10);
/// Between two tries to replace a token that is still good: some sources give the same one again until shortly before its end.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub struct Tokens(Mutex<HashMap<Who, Arc<Slot>>>);

/// What one identity was given.
struct Slot {
    who: Who,
    /// Held while a token is being fetched: one at a time, the others wait for what comes of it.
    fetching: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Held>,
    /// Requests under way may still have it.
    before: Option<Grant>,
    /// How often one was fetched, or could not be.
    fetches: u64,
    /// Why the last fetch failed.
    failed: Option<NoToken>,
    /// The source that gave the last token: it is asked first.
    works: usize,
    /// No sooner is a token replaced that is still good.
    replace_after: Option<Instant>,
}

/// A token as its source gave it.
struct Token {
    secret: Secret,
    ends: Instant,
}

#[derive(Clone)]
struct Held {
    grant: Grant,
    ends: Instant,
}

impl From<Token> for Held {
    fn from(Token { secret, ends }: Token) -> Held {
        Held { grant: Grant::Bearer(secret), ends }
    }
}

/// What is had, in the form in which requests use it.
#[derive(Clone, PartialEq, Eq)]
enum Grant {
    /// Sent as it is.
    Bearer(Secret),
    /// Kept here: requests are signed with them.
    Keys(Keys),
}

impl Grant {
    fn secrets(&self) -> Vec<&str> {
        match self {
            Grant::Bearer(secret) => vec![secret.expose()],
            Grant::Keys(keys) => keys.secrets(),
        }
    }
}

impl Held {
    fn good_for(&self, now: Instant) -> Duration {
        self.ends.saturating_duration_since(now)
    }
}

/// Why there is no token. The words hold no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NoToken {
    words: String,
    temporary: bool,
}

impl From<NoToken> for Failure {
    fn from(NoToken { words, temporary }: NoToken) -> Failure {
        Failure::NoToken { words, temporary }
    }
}

impl Client {
    /// Sends a request, signed in where that is needed. What is refused is replaced, once, and the request is sent again with the new.
    pub async fn send_as(
        &self,
        identity: Option<&Identity>,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Failure> {
        let Some(identity) = identity else { return self.send(request).await };
        let slot = self.tokens.slot(&identity.who());
        let grant = self.grant(&slot).await?;
        let again = request.clone();
        let answer = self.send(with(request, identity, &grant)?).await?;
        if !is_refused(identity, &answer) {
            return Ok(answer);
        }
        match self.other_grant(&slot, &grant).await {
            Ok(other) if other != grant => self.send(with(again, identity, &other)?).await,
            Ok(_) => Ok(answer),
            Err(error) => {
                tracing::warn!(error = error.words, "a refused token could not be replaced");
                Ok(answer)
            }
        }
    }

    /// Vendors like to quote what they refuse.
    pub fn without_tokens(&self, identity: Option<&Identity>, bytes: Bytes) -> Bytes {
        let Some(identity) = identity else { return bytes };
        let held = self.tokens.slot(&identity.who()).lock().held();
        let secrets: Vec<&str> = held.iter().flat_map(Grant::secrets).collect();
        if !secrets.iter().any(|secret| memchr::memmem::find(&bytes, secret.as_bytes()).is_some()) {
            return bytes;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        secrets.iter().fold(text, |text, secret| text.replace(secret, "[redacted]")).into()
    }

    /// What is good now. Its replacement may be fetched by the way.
    async fn grant(&self, slot: &Arc<Slot>) -> Result<Grant, NoToken> {
        let (grant, fetches) = {
            let mut state = slot.lock();
            let now = Instant::now();
            let grant = state.good(now);
            if grant.is_some() && state.is_to_be_replaced(now) {
                state.replace_after = Some(now + PAUSE);
                self.replace(slot.clone(), state.fetches);
            }
            (grant, state.fetches)
        };
        match grant {
            Some(grant) => Ok(grant),
            None => self.fetch(slot, fetches).await,
        }
    }

    /// No request waits for this.
    fn replace(&self, slot: Arc<Slot>, fetches: u64) {
        let client = self.clone();
        tokio::spawn(async move {
            if let Err(error) = client.fetch(&slot, fetches).await {
                tracing::warn!(error = error.words, "a token that ends soon could not be replaced yet");
            }
        });
    }

    async fn other_grant(&self, slot: &Slot, refused: &Grant) -> Result<Grant, NoToken> {
        let fetches = {
            let state = slot.lock();
            if let Some(other) = state.good(Instant::now()).filter(|grant| grant != refused) {
                return Ok(other);
            }
            state.fetches
        };
        self.fetch(slot, fetches).await
    }

    /// Fetches anew, or waits for what comes of the fetch that is under way. `fetches`: as many had been when the need arose.
    async fn fetch(&self, slot: &Slot, fetches: u64) -> Result<Grant, NoToken> {
        let _turn = slot.fetching.lock().await;
        let works = {
            let state = slot.lock();
            if state.fetches != fetches {
                return state.outcome();
            }
            state.works
        };
        let fetched = self.ask(&slot.who, works).await;
        let mut state = slot.lock();
        state.fetches += 1;
        match fetched {
            Ok((source, token)) => {
                state.before = state.token.replace(token).map(|before| before.grant);
                (state.works, state.failed) = (source, None);
            }
            Err(error) => state.failed = Some(error),
        }
        state.outcome()
    }

    async fn ask(&self, who: &Who, works: usize) -> Result<(usize, Held), NoToken> {
        match who {
            Who::Entra(entra) => self.first(entra, works).await.map(|(source, token)| (source, token.into())),
            Who::Google(source) => google::fetch(self, source).await.map(|token| (0, token.into())),
            Who::Aws(source) => aws::fetch(self, source).await.map(|keys| (0, keys)),
        }
    }

    /// The sources one after the other, the one that worked last first.
    async fn first(&self, entra: &Entra, works: usize) -> Result<(usize, Token), NoToken> {
        let mut order: Vec<usize> = (0..entra.sources.len()).collect();
        order.sort_by_key(|index| *index != works);
        let mut refused: Vec<NoToken> = Vec::new();
        for index in order {
            match entra::fetch(self, &entra.sources[index], &entra.scope).await {
                Ok(token) => return Ok((index, token)),
                Err(error) => refused.push(error),
            }
        }
        let words: Vec<&str> = refused.iter().map(|error| error.words.as_str()).collect();
        Err(NoToken { words: words.join("; "), temporary: refused.iter().any(|error| error.temporary) })
    }
}

impl Tokens {
    fn slot(&self, who: &Who) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(who) {
            return slot.clone();
        }
        let slot = Slot { who: who.clone(), fetching: tokio::sync::Mutex::default(), state: Mutex::default() };
        let slot = Arc::new(slot);
        slots.insert(who.clone(), slot.clone());
        slot
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn good(&self, now: Instant) -> Option<Grant> {
        let token = self.token.as_ref().filter(|token| token.good_for(now) > LEAST);
        token.map(|token| token.grant.clone())
    }

    fn is_to_be_replaced(&self, now: Instant) -> bool {
        let early = self.token.as_ref().is_some_and(|token| token.good_for(now) <= EARLY);
        early && self.replace_after.is_none_or(|after| after <= now)
    }

    /// Of the last fetch. That one failed is no failure as long as the old token is good, unless that was refused.
    fn outcome(&self) -> Result<Grant, NoToken> {
        match (&self.failed, &self.token) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(token)) => Ok(token.grant.clone()),
            (None, None) => Err(NoToken { words: "no source was asked".into(), temporary: true }),
        }
    }

    fn held(&self) -> Vec<Grant> {
        self.token.iter().map(|token| &token.grant).chain(&self.before).cloned().collect()
    }
}

/// The upstream may take what is fetched anew.
fn is_refused(identity: &Identity, answer: &Response<Incoming>) -> bool {
    let unknown = answer.status() == StatusCode::UNAUTHORIZED;
    let Identity::Aws(_) = identity else { return unknown };
    // AWS says by its name that keys have ended or are unknown; every other 403 is about what they may do.
    let kind = answer.headers().get("x-amzn-errortype").and_then(|kind| kind.to_str().ok()).unwrap_or("");
    unknown || ["ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId"].iter().any(|name| kind.starts_with(name))
}

fn with(
    mut request: Request<Full<Bytes>>,
    identity: &Identity,
    grant: &Grant,
) -> Result<Request<Full<Bytes>>, NoToken> {
    match (identity, grant) {
        (Identity::Aws(aws), Grant::Keys(keys)) => {
            let scope = sigv4::Scope { region: &aws.region, service: &aws.service };
            sigv4::sign(request, keys, scope, Timestamp::now())
        }
        (_, Grant::Keys(_)) => Err(exchange::lasting("keys of AWS sign requests to AWS alone")),
        (_, Grant::Bearer(token)) => {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
            let mut value =
                value.map_err(|_| exchange::lasting("the token holds characters that no header can carry"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
            Ok(request)
        }
    }
}

/// All of it is there.
fn body_of(request: &Request<Full<Bytes>>) -> Bytes {
    let frame = request.body().clone().frame().now_or_never().flatten();
    frame.and_then(|frame| frame.ok()?.into_data().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
