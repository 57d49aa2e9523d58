//! Tokens in the place of keys: had from Entra ID or Google, kept until shortly before their end, shared by all that sign in alike.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::time::Instant;
use tollgate_policy::failover::Failure;

use super::Client;
use crate::config::identity::Identity;
use crate::config::secret::Secret;

mod cli;
mod entra;
mod exchange;
mod google;

/// A token is replaced from this time before its end on, so that the new one is there five minutes before it.
const EARLY: Duration = Duration::from_secs(6 * 60);
/// A token that ends sooner may end on its way.
const LEAST: Duration = Duration::from_secs(10);
/// Between two tries to replace a token that is still good: some sources give the same one again until shortly before its end.
const PAUSE: Duration = Duration::from_secs(30);

#[derive(Default)]
pub struct Tokens(Mutex<HashMap<Identity, Arc<Slot>>>);

/// The tokens of one identity for one scope.
struct Slot {
    identity: Identity,
    /// Held while a token is being fetched: one at a time, the others wait for what comes of it.
    fetching: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// Requests under way may still have it.
    before: Option<Secret>,
    /// How often one was fetched, or could not be.
    fetches: u64,
    /// Why the last fetch failed.
    failed: Option<NoToken>,
    /// The source that gave the last token: it is asked first.
    works: usize,
    /// No sooner is a token replaced that is still good.
    replace_after: Option<Instant>,
}

#[derive(Clone)]
struct Token {
    secret: Secret,
    ends: Instant,
}

impl Token {
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
    /// Sends a request, with a token where one is needed. A token that is refused is replaced, once, and the request is sent
    /// again with the new one.
    pub async fn send_as(
        &self,
        identity: Option<&Identity>,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, Failure> {
        let Some(identity) = identity else { return self.send(request).await };
        let slot = self.tokens.slot(identity);
        let token = self.token(&slot).await?;
        let again = request.clone();
        let answer = self.send(with(request, &token)?).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        match self.other_token(&slot, &token).await {
            Ok(other) if other != token => self.send(with(again, &other)?).await,
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
        let secrets = self.tokens.slot(identity).lock().secrets();
        let held = |secret: &Secret| memchr::memmem::find(&bytes, secret.expose().as_bytes()).is_some();
        if !secrets.iter().any(held) {
            return bytes;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        secrets.iter().fold(text, |text, secret| text.replace(secret.expose(), "[redacted]")).into()
    }

    /// One that is good now. Its replacement may be fetched by the way.
    async fn token(&self, slot: &Arc<Slot>) -> Result<Secret, NoToken> {
        let (token, fetches) = {
            let mut state = slot.lock();
            let now = Instant::now();
            let token = state.good(now);
            if token.is_some() && state.is_to_be_replaced(now) {
                state.replace_after = Some(now + PAUSE);
                self.replace(slot.clone(), state.fetches);
            }
            (token, state.fetches)
        };
        match token {
            Some(token) => Ok(token),
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

    async fn other_token(&self, slot: &Slot, refused: &Secret) -> Result<Secret, NoToken> {
        let fetches = {
            let state = slot.lock();
            if let Some(other) = state.good(Instant::now()).filter(|token| token != refused) {
                return Ok(other);
            }
            state.fetches
        };
        self.fetch(slot, fetches).await
    }

    /// Fetches a token, or waits for what comes of the fetch that is under way. `fetches`: as many had been when the need arose.
    async fn fetch(&self, slot: &Slot, fetches: u64) -> Result<Secret, NoToken> {
        let _turn = slot.fetching.lock().await;
        let works = {
            let state = slot.lock();
            if state.fetches != fetches {
                return state.outcome();
            }
            state.works
        };
        let fetched = self.ask(&slot.identity, works).await;
        let mut state = slot.lock();
        state.fetches += 1;
        match fetched {
            Ok((source, token)) => {
                state.before = state.token.replace(token).map(|before| before.secret);
                (state.works, state.failed) = (source, None);
            }
            Err(error) => state.failed = Some(error),
        }
        state.outcome()
    }

    /// The sources one after the other, the one that worked last first.
    async fn ask(&self, identity: &Identity, works: usize) -> Result<(usize, Token), NoToken> {
        let entra = match identity {
            Identity::Entra(entra) => entra,
            Identity::Google(source) => return google::fetch(self, source).await.map(|token| (0, token)),
        };
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
    fn slot(&self, identity: &Identity) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(identity) {
            return slot.clone();
        }
        let slot =
            Slot { identity: identity.clone(), fetching: tokio::sync::Mutex::default(), state: Mutex::default() };
        let slot = Arc::new(slot);
        slots.insert(identity.clone(), slot.clone());
        slot
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn good(&self, now: Instant) -> Option<Secret> {
        let token = self.token.as_ref().filter(|token| token.good_for(now) > LEAST);
        token.map(|token| token.secret.clone())
    }

    fn is_to_be_replaced(&self, now: Instant) -> bool {
        let early = self.token.as_ref().is_some_and(|token| token.good_for(now) <= EARLY);
        early && self.replace_after.is_none_or(|after| after <= now)
    }

    /// Of the last fetch. That one failed is no failure as long as the old token is good, unless that was refused.
    fn outcome(&self) -> Result<Secret, NoToken> {
        match (&self.failed, &self.token) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(token)) => Ok(token.secret.clone()),
            (None, None) => Err(NoToken { words: "no source was asked".into(), temporary: true }),
        }
    }

    fn secrets(&self) -> Vec<Secret> {
        self.token.iter().map(|token| &token.secret).chain(&self.before).cloned().collect()
    }
}

fn with(mut request: Request<Full<Bytes>>, token: &Secret) -> Result<Request<Full<Bytes>>, NoToken> {
    let value = HeaderValue::from_str(&format!("Bearer {}", token.expose()));
    let mut value = value.map_err(|_| NoToken {
        words: "the token holds characters that no header can carry".into(),
        temporary: false,
    })?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(request)
}

#[cfg(test)]
mod tests;
