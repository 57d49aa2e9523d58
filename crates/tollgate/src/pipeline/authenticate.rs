//! Who calls, and may it?

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use subtle::ConstantTimeEq;
use tollgate_dialect::Dialect;
use tollgate_policy::access::{Role, Scope};
use tollgate_policy::authorise::{self, Names};
use tollgate_store::chain::Chain;
use tollgate_store::entity::VirtualKey;

use super::tenant::Tenant;
use crate::app::{App, Live};
use crate::failure::Failure;
use crate::sign_in::{self, Bearer};
use crate::unix_time::unix_ms;

/// Where clients put their key, besides `Authorization: Bearer`.
static KEY_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
    HeaderName::from_static("x-litellm-api-key"),
];

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    pub role: Role,
    /// Of a virtual key or a token; `None`: whoever has the master key, or anybody where there is none.
    pub chain: Option<Arc<Chain>>,
    /// Those of further teams that a token names: what any of them may do, its bearer may.
    others: Vec<Arc<Chain>>,
    /// The customer that a token names: no request of its bearer is for another.
    pub end_user: Option<String>,
    pub address: Option<IpAddr>,
    pub tenant: Tenant,
}

impl Caller {
    /// Everything is open to it.
    pub fn master(tenant: Tenant, address: Option<IpAddr>) -> Caller {
        Caller { role: Role::ProxyAdmin, chain: None, others: Vec::new(), end_user: None, address, tenant }
    }

    fn with_key(chain: Arc<Chain>, tenant: Tenant, address: Option<IpAddr>) -> Caller {
        Caller { role: chain.role(), chain: Some(chain), others: Vec::new(), end_user: None, address, tenant }
    }

    fn with_token(bearer: Bearer, address: Option<IpAddr>) -> Caller {
        let mut chains = bearer.chains.into_iter();
        let first = chains.next();
        let tenant = first.as_ref().map(|chain| Tenant::of_key(&chain.key.hash)).unwrap_or_default();
        let role = bearer.role.or(first.as_ref().map(|chain| chain.role())).unwrap_or_default();
        Caller { role, chain: first, others: chains.collect(), end_user: bearer.end_user, address, tenant }
    }

    pub fn scopes(&self) -> &[Scope] {
        self.chain.as_ref().map_or(&[], |chain| &chain.scopes)
    }

    /// Whether it may use the path, and the model if there is one.
    pub fn may(&self, live: &Live, path: &str, model: Option<&str>) -> Result<(), Failure> {
        let Some(first) = &self.chain else { return Ok(()) };
        let Err(refused) = self.may_by(first, live, path, model) else { return Ok(()) };
        let by_another = self.others.iter().any(|chain| self.may_by(chain, live, path, model).is_ok());
        if by_another { Ok(()) } else { Err(Failure::Forbidden(refused)) }
    }

    fn may_by(&self, chain: &Chain, live: &Live, path: &str, model: Option<&str>) -> Result<(), authorise::Denial> {
        let groups = live.groups.load();
        let names = Names { routes: &live.config.routes, groups: &groups };
        authorise::may_call(&self.as_asker(chain), path, model, names, unix_ms())
    }

    /// Calls for the first of its teams that may call the model; for the first of all where none may.
    #[must_use]
    pub fn calling(mut self, live: &Live, path: &str, model: &str) -> Caller {
        let others = std::mem::take(&mut self.others);
        let mut all = self.chain.iter().chain(&others);
        let may = all.find(|chain| self.may_by(chain, live, path, Some(model)).is_ok()).cloned();
        self.chain = may.or(self.chain);
        self
    }

    /// Its key is in use. Written later, by nobody's request.
    pub fn note_use(&self, app: &App) {
        if let (Some(store), Some(chain)) = (app.store(), &self.chain) {
            store.uses.note(&chain.key.hash, unix_ms());
        }
    }

    /// The names of models that it may call.
    pub fn models(&self, live: &Live, path: &str) -> Vec<String> {
        let Some(first) = &self.chain else { return live.config.routes.names().map(str::to_string).collect() };
        let groups = live.groups.load();
        let names = Names { routes: &live.config.routes, groups: &groups };
        let mut models = authorise::callable(&self.as_asker(first), path, names, unix_ms());
        for chain in &self.others {
            for model in authorise::callable(&self.as_asker(chain), path, names, unix_ms()) {
                if !models.contains(&model) {
                    models.push(model);
                }
            }
        }
        models
    }

    /// What a name means to it: a key or a team can have aliases of its own.
    pub fn model<'a>(&'a self, asked: &'a str) -> &'a str {
        authorise::aliased(self.scopes(), asked).model
    }

    fn as_asker<'a>(&self, chain: &'a Chain) -> authorise::Caller<'a> {
        authorise::Caller { role: self.role, scopes: &chain.scopes, address: self.address }
    }
}

/// What holds for everybody, whoever it is: `general_settings.allowed_ips` and `allowed_routes`.
pub fn everybody_may(live: &Live, path: &str, address: Option<IpAddr>) -> Result<(), Failure> {
    let anybody = authorise::Caller { role: Role::ProxyAdmin, scopes: std::slice::from_ref(&live.gateway), address };
    let groups = live.groups.load();
    let names = Names { routes: &live.config.routes, groups: &groups };
    authorise::may_call(&anybody, path, None, names, unix_ms()).map_err(Failure::Forbidden)
}

/// Finds out who calls. Clients may send several headers (Claude Code does when both of its variables are set): one right key is
/// enough. Without a master key (and without an identity provider) anybody may call, and any key tells its caller apart. `in_query`: the key that a Gemini client may
/// put there.
pub async fn caller(
    app: &App,
    live: &Live,
    headers: &HeaderMap,
    in_query: Option<&str>,
    address: Option<IpAddr>,
) -> Result<Caller, Failure> {
    let keys = || keys(headers).chain(in_query);
    let master = live.config.master_key.as_ref();
    let is_master =
        |key: &&str| master.is_some_and(|master| bool::from(key.as_bytes().ct_eq(master.expose().as_bytes())));
    if let Some(key) = keys().find(is_master) {
        return Ok(Caller::master(Tenant::of_key(key), address));
    }
    let sign_in = live.config.settings.sign_in.as_deref();
    let mut refused = None;
    if let Some(store) = app.store() {
        for key in keys() {
            match sign_in.filter(|_| sign_in::is_token(key)) {
                Some(sign_in) => match sign_in::bearer(app, store, sign_in, key).await {
                    Ok(bearer) => return Ok(Caller::with_token(bearer, address)),
                    Err(failure) => refused = refused.or(Some(failure)),
                },
                None => {
                    if let Some(chain) = store.callers.find(&VirtualKey::hash_of(key)).await.map_err(Failure::Store)? {
                        return Ok(Caller::with_key(chain, Tenant::of_key(key), address));
                    }
                }
            }
        }
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    let first = keys().next();
    match (master.map(|_| ()).or(sign_in.map(|_| ())), first) {
        (None, first) => Ok(Caller::master(first.map(Tenant::of_key).unwrap_or_default(), address)),
        (Some(_), None) => Err(Failure::NoCredential),
        (Some(_), Some(_)) => Err(Failure::WrongCredential),
    }
}

/// The header may hold a key of ours.
pub fn is_credential(name: &HeaderName) -> bool {
    *name == http::header::AUTHORIZATION || KEY_HEADERS.contains(name)
}

pub fn keys(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let bearer = headers.get_all(http::header::AUTHORIZATION).iter().filter_map(|value| {
        let value = value.to_str().ok()?;
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let others = KEY_HEADERS.iter().flat_map(|name| headers.get_all(name)).filter_map(|value| {
        let value = value.to_str().ok()?.trim();
        // LiteLLM's own header may carry the scheme as well.
        Some(value.strip_prefix("Bearer ").unwrap_or(value))
    });
    bearer.chain(others).filter(|key| !key.is_empty())
}

/// The dialect in which to answer on paths that belong to none, and to methods that a path does not take.
pub fn dialect_of(headers: &HeaderMap, path: &str) -> Dialect {
    if headers.contains_key("anthropic-version") || path.contains("/messages") {
        Dialect::Messages
    } else if path.starts_with("/v1beta/")
        || path.contains(":generateContent")
        || headers.contains_key("x-goog-api-key")
    {
        Dialect::Gemini
    } else {
        Dialect::Chat
    }
}
