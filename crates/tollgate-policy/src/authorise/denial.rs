use std::fmt;
use std::net::IpAddr;

use crate::access::{Role, ScopeKind};

/// How many allowed models or paths a denial names.
const MOST_NAMED: usize = 10;

/// Why a caller may not do what it asked for. Nothing in it is secret: no id, no hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    Blocked {
        scope: ScopeKind,
    },
    /// Milliseconds since 1970.
    Expired {
        scope: ScopeKind,
        at_ms: u64,
    },
    /// `None`: the caller's address is not known.
    Address {
        scope: ScopeKind,
        address: Option<IpAddr>,
    },
    Role {
        role: Role,
        path: String,
    },
    Route {
        scope: ScopeKind,
        path: String,
        allowed: Vec<String>,
        /// So many more are allowed.
        more: usize,
    },
    Model {
        scope: ScopeKind,
        model: String,
        allowed: Vec<String>,
        more: usize,
    },
}

impl Denial {
    pub(super) fn route(scope: ScopeKind, path: &str, allowed: &[String]) -> Denial {
        let (allowed, more) = some_of(allowed);
        Denial::Route { scope, path: path.to_string(), allowed, more }
    }

    pub(super) fn model(scope: ScopeKind, model: &str, allowed: &[String]) -> Denial {
        let (allowed, more) = some_of(allowed);
        Denial::Model { scope, model: model.to_string(), allowed, more }
    }

    /// The `type` of LiteLLM's error (1.109.1).
    pub fn litellm_type(&self) -> &'static str {
        match self {
            Denial::Expired { .. } => "expired_key",
            Denial::Model { scope, .. } => match scope {
                ScopeKind::Team | ScopeKind::Member => "team_model_access_denied",
                ScopeKind::User => "user_model_access_denied",
                ScopeKind::Organisation => "org_model_access_denied",
                ScopeKind::EndUser => "customer_model_access_denied",
                ScopeKind::Key | ScopeKind::Gateway | ScopeKind::Tag | ScopeKind::Deployment | ScopeKind::Provider => {
                    "key_model_access_denied"
                }
            },
            Denial::Blocked { .. } | Denial::Address { .. } | Denial::Role { .. } | Denial::Route { .. } => {
                "auth_error"
            }
        }
    }

    /// Whether the caller is nobody to the gateway any more; in other cases it is known, and may not do this.
    pub fn is_of_the_caller(&self) -> bool {
        matches!(self, Denial::Blocked { .. } | Denial::Expired { .. })
    }
}

fn some_of(list: &[String]) -> (Vec<String>, usize) {
    (list.iter().take(MOST_NAMED).cloned().collect(), list.len().saturating_sub(MOST_NAMED))
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denial::Blocked { scope } => write!(f, "this {} is blocked", scope.name()),
            Denial::Expired { scope, at_ms } => {
                let at = i64::try_from(*at_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
                let at = at.map_or(String::new(), |at| format!(" at {at}"));
                write!(f, "this {} expired{at}", scope.name())
            }
            Denial::Address { scope, address: Some(address) } => {
                write!(f, "this {} may not be used from {address}", scope.name())
            }
            Denial::Address { scope, address: None } => {
                write!(f, "this {} may be used from listed addresses only, and yours is not known", scope.name())
            }
            Denial::Role { role, path } => write!(f, "the role {} may not use {path}", role.word()),
            Denial::Route { scope, path, allowed, more } => {
                write!(f, "this {} may not use {path}; it may use ", scope.name())?;
                list(f, allowed, *more)
            }
            Denial::Model { scope, model, allowed, more } => {
                write!(f, "this {} may not use the model `{model}`; it may use ", scope.name())?;
                list(f, allowed, *more)
            }
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, allowed: &[String], more: usize) -> fmt::Result {
    f.write_str(&allowed.join(", "))?;
    if more > 0 { write!(f, " and {more} more") } else { Ok(()) }
}
