//! What identity providers sign with: sets of public keys (RFC 7517), fetched when they are first needed and kept.
//!
//! Old keys go on being used while newer ones are fetched, so but for the first nobody waits; nor does an identity provider that is
//! away for an hour keep anybody out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use tokio::time::Instant;
use tollgate_policy::failover::Failure;

use crate::upstream::Client;

/// For one document.
const LIMIT: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 1024 * 1024;
/// So long keys are used after they should have been replaced.
const GRACE: Duration = Duration::from_secs(60 * 60);
/// Between two tries: whoever makes up names of keys must not have us ask on and on.
const PAUSE: Duration = Duration::from_secs(10);
/// The same while there are no keys at all.
const PAUSE_WITHOUT: Duration = Duration::from_secs(2);
const MOST_KEYS: usize = 100;

#[derive(Default)]
pub struct KeySets(Mutex<HashMap<Uri, Arc<KeySet>>>);

#[derive(Clone)]
pub struct Key {
    pub id: Option<String>,
    /// The only one that it is for.
    pub algorithm: Option<Algorithm>,
    pub key: DecodingKey,
}

type Keys = Arc<Vec<Key>>;

struct KeySet {
    address: Uri,
    /// Held while they are being fetched: by one, the others wait for what comes of it.
    fetching: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Option<Keys>,
    fetched: Option<Instant>,
    tried: Option<Instant>,
    /// When they were last fetched for one that was not among them.
    sought: Option<Instant>,
    tries: u64,
    /// Why the last try failed.
    failed: Option<String>,
}

impl KeySets {
    /// The keys at an address. `Err`: there are none, and why, for people.
    pub async fn of(&self, client: &Client, address: &Uri, keys_for: Duration) -> Result<Keys, String> {
        let set = self.set(address);
        let (usable, is_old, tries) = {
            let state = set.lock();
            let age = state.fetched.map_or(Duration::MAX, |at| at.elapsed());
            (state.keys.clone().filter(|_| age < keys_for.saturating_add(GRACE)), age >= keys_for, state.tries)
        };
        match usable {
            Some(keys) => {
                if is_old && set.may_try(PAUSE) {
                    let client = client.clone();
                    tokio::spawn(async move { set.fetch(&client, tries).await });
                }
                Ok(keys)
            }
            None => {
                if set.lock().failed.is_none() || set.may_try(PAUSE_WITHOUT) {
                    set.fetch(client, tries).await;
                }
                let state = set.lock();
                match (&state.failed, &state.keys) {
                    (None, Some(keys)) => Ok(keys.clone()),
                    (failed, _) => Err(failed.clone().unwrap_or_default()),
                }
            }
        }
    }

    /// What is there now, where one was asked for that is not among `known`.
    pub async fn newer(&self, client: &Client, address: &Uri, known: &Keys) -> Keys {
        let set = self.set(address);
        let (may_seek, tries) = {
            let mut state = set.lock();
            let is_newer = state.keys.as_ref().is_some_and(|keys| !Arc::ptr_eq(keys, known));
            let may_seek = !is_newer && state.sought.is_none_or(|at| at.elapsed() >= PAUSE);
            if may_seek {
                state.sought = Some(Instant::now());
            }
            (may_seek, state.tries)
        };
        if may_seek {
            set.fetch(client, tries).await;
        } else {
            // It may be just on its way.
            let _turn = set.fetching.lock().await;
        }
        set.lock().keys.clone().unwrap_or_else(|| known.clone())
    }

    fn set(&self, address: &Uri) -> Arc<KeySet> {
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let (fetching, state) = (tokio::sync::Mutex::default(), Mutex::default());
            Arc::new(KeySet { address: address.clone(), fetching, state })
        };
        sets.entry(address.clone()).or_insert_with(new).clone()
    }
}

impl KeySet {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may_try(&self, pause: Duration) -> bool {
        self.lock().tried.is_none_or(|at| at.elapsed() >= pause)
    }

    /// Fetches them, or waits for the fetch that is under way. `tries`: as many had been when the need arose.
    async fn fetch(&self, client: &Client, tries: u64) {
        let _turn = self.fetching.lock().await;
        {
            let mut state = self.lock();
            if state.tries != tries {
                return;
            }
            state.tries += 1;
            state.tried = Some(Instant::now());
        }
        let fetched = fetch(client, &self.address).await;
        let mut state = self.lock();
        match fetched {
            Ok(keys) => {
                tracing::info!(
                    keys = keys.len(),
                    host = self.address.host(),
                    "fetched the keys of the identity provider"
                );
                (state.keys, state.fetched, state.failed) = (Some(Arc::new(keys)), Some(Instant::now()), None);
            }
            Err(why) => {
                tracing::warn!(error = %why, "the keys of the identity provider cannot be fetched");
                state.failed = Some(why);
            }
        }
    }
}

/// A set of keys, or a document that says where it is (OpenID Connect Discovery 1.0, `jwks_uri`).
async fn fetch(client: &Client, address: &Uri) -> Result<Vec<Key>, String> {
    let document = document(client, address).await?;
    let Some(named) = document["jwks_uri"].as_str().filter(|_| !document["keys"].is_array()) else {
        return keys(&document).map_err(|why| format!("{}: {why}", host(address)));
    };
    let named: Uri = named.parse().map_err(|_| format!("{}: its jwks_uri is no address", host(address)))?;
    if address.scheme_str() == Some("https") && named.scheme_str() != Some("https") {
        return Err(format!("{}: its jwks_uri does not begin with https://", host(address)));
    }
    keys(&self::document(client, &named).await?).map_err(|why| format!("{}: {why}", host(&named)))
}

async fn document(client: &Client, address: &Uri) -> Result<Value, String> {
    let host = host(address);
    let request = Request::get(address).header(ACCEPT, HeaderValue::from_static("application/json"));
    let request = request.body(Full::new(Bytes::new())).map_err(|error| format!("{host}: {error}"))?;
    let exchange = async {
        let answer = client.send(request).await.map_err(|failure| match failure {
            Failure::Unreachable(why) => format!("{host} cannot be reached: {why}"),
            _ => format!("{host} takes no connection"),
        })?;
        if !answer.status().is_success() {
            return Err(format!("{host} answers with status {}", answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        Ok(body.map_err(|error| format!("{host}: the answer broke off: {error}"))?.to_bytes())
    };
    let body = tokio::time::timeout(LIMIT, exchange).await;
    let body = body.unwrap_or_else(|_| Err(format!("{host} gave no answer in {} s", LIMIT.as_secs())))?;
    serde_json::from_slice(&body).map_err(|_| format!("{host} answers with something that is no JSON"))
}

/// Without user and password, which an address may hold.
fn host(address: &Uri) -> &str {
    address.host().unwrap_or_default()
}

/// Those that can be used; others, for encryption or of kinds that are not known, are left out.
fn keys(document: &Value) -> Result<Vec<Key>, String> {
    let listed = document["keys"].as_array().ok_or("its answer is no set of keys")?;
    let keys: Vec<Key> = listed.iter().filter_map(key).take(MOST_KEYS).collect();
    if keys.is_empty() { Err("its set has no key that tokens are signed with".into()) } else { Ok(keys) }
}

fn key(listed: &Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(listed.clone()).ok()?;
    let own = &jwk.common;
    if own.public_key_use.as_ref().is_some_and(|meant| *meant != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match own.key_algorithm {
        Some(named) => Some(Algorithm::try_from(named).ok()?),
        None => None,
    };
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    // A key that both sides share would have to be secret.
    let is_public = key.family() != jsonwebtoken::AlgorithmFamily::Hmac;
    is_public.then(|| Key { id: own.key_id.clone(), algorithm, key })
}
