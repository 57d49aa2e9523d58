//! What the paths of the API are for, and so which roles and keys may use them.
//!
//! The groups and their names are LiteLLM's (1.109.1, `allowed_routes`). Finer questions (is it the caller's own key, is the
//! caller an admin of that team) are for who answers the request.

use crate::access::Role;
use crate::glob::Glob;

#[cfg(test)]
mod tests;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PathClass {
    /// Calls of models, and the list of them.
    Models,
    /// Reading of keys, teams, users, models, health: each what concerns the caller.
    Info,
    /// Reading of what was spent, each the caller's.
    Spend,
    /// Reading of what concerns everybody: all spending, records of requests.
    Oversight,
    /// Changes that people make for themselves, or for the team that they are admins of.
    Own,
    /// Changes of teams, users and customers.
    People,
    /// Changes of models, budgets, organisations and settings; and every path that has no other class.
    Settings,
}

/// First match decides. `*` stands for any text; `/v1` before a path is left out.
const TABLE: &[(PathClass, &[&str])] = &[
    (
        PathClass::Models,
        &[
            "/messages",
            "/messages/*",
            "/chat/completions",
            "/completions",
            "/responses",
            "/responses/*",
            "/embeddings",
            "/models",
            "/models/*",
            "/moderations",
            "/rerank",
            "/v2/rerank",
            "/images/*",
            "/audio/*",
            "/videos",
            "/videos/*",
            "/files",
            "/files/*",
            "/batches",
            "/batches/*",
            "/realtime",
            "/ocr",
            "/search",
            "/search/*",
            "/openai/*",
            "/engines/*",
            "/anthropic/*",
            "/gemini/*",
            "/vertex_ai/*",
            "/bedrock/*",
            "/azure/*",
            "/v1beta/*",
            "/model/*/invoke",
            "/model/*/invoke-with-response-stream",
            "/model/*/converse",
            "/model/*/converse-stream",
            "/utils/token_counter",
            "/api/hello",
        ],
    ),
    (
        PathClass::Info,
        &[
            "/key/info",
            "/v2/key/info",
            "/key/list",
            "/key/aliases",
            "/key/health",
            "/team/info",
            "/team/list",
            "/v2/team/list",
            "/team/available",
            "/user/info",
            "/v2/user/info",
            "/user/available_roles",
            "/organization/info",
            "/organization/list",
            "/budget/info",
            "/budget/list",
            "/budget/settings",
            "/customer/info",
            "/customer/list",
            "/end_user/info",
            "/end_user/list",
            "/model/info",
            "/v2/model/info",
            "/model_group/info",
            "/access_group/list",
            "/access_group/*/info",
            "/health",
            "/health/*",
        ],
    ),
    (
        PathClass::Spend,
        &[
            "/spend/*",
            "/user/daily/activity*",
            "/team/daily/activity*",
            "/tag/daily/activity*",
            "/organization/daily/activity*",
            "/customer/daily/activity*",
            "/end_user/daily/activity*",
        ],
    ),
    (PathClass::Oversight, &["/global/*", "/tollgate/requests*", "/user/list", "/audit", "/audit/*", "/metrics"]),
    (
        PathClass::Own,
        &[
            "/key/*",
            "/team/member_add",
            "/team/member_update",
            "/team/member_delete",
            "/team/bulk_member_add",
            "/team/permissions_list",
            "/team/permissions_update",
            "/team/update",
        ],
    ),
    (
        PathClass::People,
        &[
            "/team/*",
            "/user/*",
            "/customer/*",
            "/end_user/*",
            "/organization/member_*",
            "/organization/update",
            "/invitation/*",
        ],
    ),
];

impl PathClass {
    pub fn of(path: &str) -> PathClass {
        let path = without_version(path);
        let found = TABLE.iter().find(|(_, patterns)| patterns.iter().any(|pattern| matches(pattern, path)));
        found.map_or(PathClass::Settings, |(class, _)| *class)
    }

    /// Whether somebody in this role may use paths of this class.
    pub fn open_to(self, role: Role) -> bool {
        use PathClass::*;
        match role {
            Role::ProxyAdmin => true,
            Role::ProxyAdminViewer => matches!(self, Models | Info | Spend | Oversight),
            Role::OrgAdmin => matches!(self, Models | Info | Spend | Own | People),
            Role::InternalUser => matches!(self, Models | Info | Spend | Own),
            Role::InternalUserViewer => matches!(self, Models | Info | Spend),
            Role::Team => matches!(self, Models | Info),
            Role::Customer => self == Models,
        }
    }
}

/// Whether a list of paths and words for groups of them has the path.
pub fn listed(list: &[String], path: &str) -> bool {
    let class = PathClass::of(path);
    let path = without_version(path);
    list.iter().any(|entry| match group(entry) {
        Some(classes) => classes.contains(&class),
        None => matches(without_version(entry), path),
    })
}

/// LiteLLM's word for a group of paths.
fn group(word: &str) -> Option<&'static [PathClass]> {
    use PathClass::*;
    match word {
        "llm_api_routes" | "openai_routes" | "anthropic_routes" => Some(&[Models]),
        "info_routes" => Some(&[Info]),
        "spend_tracking_routes" => Some(&[Spend]),
        "global_spend_tracking_routes" => Some(&[Oversight]),
        "management_routes" => Some(&[Info, Spend, Oversight, Own, People, Settings]),
        _ => None,
    }
}

/// The API answers with and without `/v1`.
fn without_version(path: &str) -> &str {
    let path = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path }
}

fn matches(pattern: &str, path: &str) -> bool {
    if pattern.contains('*') { Glob::new(pattern).matches(path) } else { pattern == path }
}
