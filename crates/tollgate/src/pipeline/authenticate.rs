//! Who calls, and may it?

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use subtle::ConstantTimeEq;
use tollgate_dialect::Dialect;
use tollgate_policy::access::{Role, Scope};
use tollgate_policy::authorise::{self, Names};
use tollgate_store::chain::Chain;
use tollgate_store::entity::VirtualKey;

use super::tenant::Tenant;
use crate::app::{App, Live};
use crate::failure::Failure;
use crate::unix_time::unix_ms;

/// Where clients put their key, besides `Authorization: Bearer`.
const KEY_HEADERS: [&str; 4] = ["x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key"];

/// Who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    pub role: Role,
    /// Of a virtual key; `None`: whoever has the master key, or anybody where there is none.
    pub chain: Option<Arc<Chain>>,
    pub address: Option<IpAddr>,
    pub tenant: Tenant,
}

impl Caller {
    /// Everything is open to it.
    pub fn master(tenant: Tenant, address: Option<IpAddr>) -> Caller {
        Caller { role: Role::ProxyAdmin, chain: None, address, tenant }
    }

    pub fn scopes(&self) -> &[Scope] {
        self.chain.as_ref().map_or(&[], |chain| &chain.scopes)
    }

    /// Whether it may use the path, and the model if there is one.
    pub fn may(&self, live: &Live, path: &str, model: Option<&str>) -> Result<(), Failure> {
        if self.chain.is_none() {
            return Ok(());
        }
        let groups = live.groups.load();
        let names = Names { routes: &live.config.routes, groups: &groups };
        authorise::may_call(&self.as_asker(), path, model, names, unix_ms()).map_err(Failure::Forbidden)
    }

    /// Its key is in use. Written later, by nobody's request.
    pub fn note_use(&self, app: &App) {
        if let (Some(store), Some(chain)) = (app.store(), &self.chain) {
            store.uses.note(&chain.key.hash, unix_ms());
        }
    }

    /// The names of models that it may call.
    pub fn models(&self, live: &Live, path: &str) -> Vec<String> {
        if self.chain.is_none() {
            return live.config.routes.names().map(str::to_string).collect();
        }
        let groups = live.groups.load();
        let names = Names { routes: &live.config.routes, groups: &groups };
        authorise::callable(&self.as_asker(), path, names, unix_ms())
    }

    /// What a name means to it: a key or a team can have aliases of its own.
    pub fn model<'a>(&'a self, asked: &'a str) -> &'a str {
        authorise::aliased(self.scopes(), asked).model
    }

    fn as_asker(&self) -> authorise::Caller<'_> {
        authorise::Caller { role: self.role, scopes: self.scopes(), address: self.address }
    }
}

/// Finds out who calls. Clients may send several headers (Claude Code does when both of its variables are set): one right key is
/// enough. Without a master key anybody may call, and any key tells its caller apart. `in_query`: the key that a Gemini client may
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
    if let Some(store) = app.store() {
        for key in keys() {
            if let Some(chain) = store.callers.find(&VirtualKey::hash_of(key)).await.map_err(Failure::Store)? {
                let tenant = Tenant::of_key(key);
                return Ok(Caller { role: chain.role(), chain: Some(chain), address, tenant });
            }
        }
    }
    let first = keys().next();
    match (master, first) {
        (None, first) => Ok(Caller::master(first.map(Tenant::of_key).unwrap_or_default(), address)),
        (Some(_), None) => Err(Failure::NoCredential),
        (Some(_), Some(_)) => Err(Failure::WrongCredential),
    }
}

pub fn keys(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let bearer = headers.get_all(http::header::AUTHORIZATION).iter().filter_map(|value| {
        let value = value.to_str().ok()?;
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let others = KEY_HEADERS.iter().flat_map(|name| headers.get_all(*name)).filter_map(|value| {
        let value = value.to_str().ok()?.trim();
        // LiteLLM's own header may carry the scheme as well.
        Some(value.strip_prefix("Bearer ").unwrap_or(value))
    });
    bearer.chain(others).filter(|key| !key.is_empty())
}

/// The dialect in which to answer on paths that belong to none.
pub fn dialect_of(headers: &HeaderMap, path: &str) -> Dialect {
    if headers.contains_key("anthropic-version") {
        Dialect::Messages
    } else if path.starts_with("/v1beta/") || headers.contains_key("x-goog-api-key") {
        Dialect::Gemini
    } else {
        Dialect::Chat
    }
}
