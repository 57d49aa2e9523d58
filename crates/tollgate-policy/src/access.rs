//! Whom the gateway serves, and within which bounds: what a platform team hands out.
//!
//! A caller is a chain of scopes (its key, the key's team, user and organisation …). It may do what every scope of the chain
//! allows, and spends from the budgets of all of them at once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::window::Window;

/// What a scope may call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Grants {
    /// Names of routes, wildcards (`openai/*`), access groups and LiteLLM's words (`all-proxy-models`, `all-team-models`,
    /// `no-default-models`). Empty: all.
    pub models: Vec<String>,
    /// Names that stand for other models when this scope uses them.
    pub aliases: BTreeMap<String, String>,
    /// Paths (`/v1/messages`), with `*` at the end, and LiteLLM's words for groups of paths (`llm_api_routes`,
    /// `management_routes`, `info_routes`; all are in [`crate::paths`]). Empty: all that the role may use.
    pub routes: Vec<String>,
    /// Addresses and networks (`10.0.0.0/8`) that may call. Empty: all.
    pub addresses: Vec<String>,
    pub blocked: bool,
    /// Milliseconds since 1970.
    pub expires_at_ms: Option<u64>,
}

/// How much of what a scope may use. `None`: unlimited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    pub budget: Option<Budget>,
    /// Further budgets over other windows, all of which hold.
    pub budgets: Vec<Budget>,
    /// By model: a route's name or a wildcard.
    pub model_budgets: BTreeMap<String, Budget>,
    /// Spending over this is told, not stopped.
    pub soft_budget_nanos: Option<u64>,
    /// Added to `budget` for a time.
    pub increase: Option<Increase>,
    pub rates: Rates,
    pub model_rates: BTreeMap<String, Rates>,
}

impl Limits {
    /// What is not limited here is limited as `named` says: a budget with a name that this scope refers to.
    #[must_use]
    pub fn or(self, named: &Limits) -> Limits {
        let mut model_budgets = named.model_budgets.clone();
        model_budgets.extend(self.model_budgets);
        let mut model_rates = named.model_rates.clone();
        for (model, rates) in self.model_rates {
            let named = model_rates.get(&model).copied().unwrap_or_default();
            model_rates.insert(model, rates.or(named));
        }
        Limits {
            budget: self.budget.or(named.budget),
            budgets: if self.budgets.is_empty() { named.budgets.clone() } else { self.budgets },
            model_budgets,
            soft_budget_nanos: self.soft_budget_nanos.or(named.soft_budget_nanos),
            increase: self.increase.or(named.increase),
            rates: self.rates.or(named.rates),
            model_rates,
        }
    }
}

/// Nano-dollars within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    pub max_nanos: u64,
    #[serde(default)]
    pub window: Window,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Increase {
    pub nanos: u64,
    /// Milliseconds since 1970.
    pub until_ms: u64,
}

/// Limits on the rate of requests. `None`: unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rates {
    pub requests_per_minute: Option<u64>,
    /// Input and output.
    pub tokens_per_minute: Option<u64>,
    pub input_tokens_per_minute: Option<u64>,
    pub output_tokens_per_minute: Option<u64>,
    pub requests_per_day: Option<u64>,
    pub tokens_per_day: Option<u64>,
    pub parallel_requests: Option<u64>,
}

impl Rates {
    #[must_use]
    pub fn or(self, named: Rates) -> Rates {
        Rates {
            requests_per_minute: self.requests_per_minute.or(named.requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.or(named.tokens_per_minute),
            input_tokens_per_minute: self.input_tokens_per_minute.or(named.input_tokens_per_minute),
            output_tokens_per_minute: self.output_tokens_per_minute.or(named.output_tokens_per_minute),
            requests_per_day: self.requests_per_day.or(named.requests_per_day),
            tokens_per_day: self.tokens_per_day.or(named.tokens_per_day),
            parallel_requests: self.parallel_requests.or(named.parallel_requests),
        }
    }
}

/// Of what kind a scope is. The name is what the ledger and the API call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// The whole gateway: LiteLLM's `litellm_settings.max_budget`.
    Gateway,
    Organisation,
    Team,
    User,
    /// A user within a team.
    Member,
    Key,
    /// The customer of a customer: `user` of the request.
    EndUser,
    /// A tag of the request.
    Tag,
    Deployment,
    /// All deployments of one provider.
    Provider,
}

impl ScopeKind {
    /// What people are told. `organization` and `customer` are the API's words.
    pub fn name(self) -> &'static str {
        match self {
            ScopeKind::Organisation => "organization",
            ScopeKind::Member => "member of the team",
            ScopeKind::EndUser => "customer",
            other => other.word(),
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            ScopeKind::Gateway => "gateway",
            ScopeKind::Organisation => "organisation",
            ScopeKind::Team => "team",
            ScopeKind::User => "user",
            ScopeKind::Member => "member",
            ScopeKind::Key => "key",
            ScopeKind::EndUser => "end_user",
            ScopeKind::Tag => "tag",
            ScopeKind::Deployment => "deployment",
            ScopeKind::Provider => "provider",
        }
    }
}

/// A scope with what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub kind: ScopeKind,
    /// The key's hash, the team's id …; a member's is `team/user`.
    pub id: String,
    pub grants: Grants,
    pub limits: Limits,
}

/// What a caller may do beside calling models. LiteLLM's `user_role`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The master key and its equals.
    ProxyAdmin,
    /// Sees everything, changes nothing.
    ProxyAdminViewer,
    OrgAdmin,
    /// Its own keys and what it spent.
    #[default]
    InternalUser,
    InternalUserViewer,
    /// Keys of a team.
    Team,
    Customer,
}

impl Role {
    /// As the API and the database write it.
    pub fn word(self) -> &'static str {
        match self {
            Role::ProxyAdmin => "proxy_admin",
            Role::ProxyAdminViewer => "proxy_admin_viewer",
            Role::OrgAdmin => "org_admin",
            Role::InternalUser => "internal_user",
            Role::InternalUserViewer => "internal_user_viewer",
            Role::Team => "team",
            Role::Customer => "customer",
        }
    }
}
