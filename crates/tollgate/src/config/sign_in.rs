//! Callers who bring a token of an identity provider in place of a key: described here, checked in `sign_in`.
//!
//! The keys are LiteLLM's (1.109.1): `general_settings.enable_jwt_auth` and `litellm_jwtauth`, `JWT_PUBLIC_KEY_URL`,
//! `JWT_AUDIENCE` and `JWT_ISSUER`.

use std::time::Duration;

use http::Uri;
use tollgate_policy::access::Role;

use super::context::{Context, Resolved};
use super::known::LITELLM_JWTAUTH;
use super::problem::Pos;
use super::section::Section;
use super::yaml::{Node, Value};

/// LiteLLM's, where nothing is said.
const ADMIN_SCOPE: &str = "litellm_proxy_admin";
const ADMIN_ROUTES: [&str; 4] =
    ["management_routes", "spend_tracking_routes", "global_spend_tracking_routes", "info_routes"];
const TEAM_ROUTES: [&str; 2] = ["openai_routes", "info_routes"];
const KEYS_FOR: Duration = Duration::from_secs(600);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    pub issuers: Vec<Issuer>,
    /// So long an issuer's keys are good before they are fetched anew.
    pub keys_for: Duration,
    /// Who has this scope is an administrator, for these paths.
    pub admin_scope: String,
    pub admin_routes: Vec<String>,
    /// The paths for callers of a team.
    pub team_routes: Vec<String>,
    /// Of tokens that name no team.
    pub default_team: Option<String>,
    /// Who is not known is made known.
    pub adds_users: bool,
    pub adds_teams: bool,
    /// Of users; empty: any.
    pub email_domain: Option<String>,
    /// One of them is needed where [`Claims::user_roles`] is given.
    pub user_roles: Vec<String>,
    /// Models are for callers of a team only.
    pub needs_team: bool,
    /// Only callers with a role of ours may do anything.
    pub needs_role: bool,
    pub roles: Vec<RoleMapping>,
    /// What callers of a role may do that are not in the database.
    pub permissions: Vec<Permission<Role>>,
    /// Models are for these scopes only.
    pub scopes: Option<Vec<Permission<String>>>,
}

/// Whose tokens are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// One of them is the token's `iss`; none: any.
    pub names: Vec<String>,
    /// One of them is in the token's `aud`; none: any.
    pub audiences: Vec<String>,
    /// Sets of keys, or documents of OpenID Connect Discovery that name one.
    pub keys: Vec<Uri>,
    pub claims: Claims,
}

/// Where in a token to look; within objects with dots. `None`: nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    pub user: Option<String>,
    pub email: Option<String>,
    pub user_roles: Option<String>,
    pub team: Option<String>,
    pub teams: Option<String>,
    pub organisation: Option<String>,
    pub end_user: Option<String>,
    pub roles: Option<String>,
    /// A user or a team, as the role says.
    pub object: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleMapping {
    /// The identity provider's word.
    pub role: String,
    pub means: Role,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission<T> {
    pub of: T,
    /// Empty: all.
    pub models: Vec<String>,
    pub routes: Vec<String>,
}

/// `None`: only keys are taken.
pub fn read(section: &Section<'_, '_>) -> Option<SignIn> {
    let enabled = section.bool("enable_jwt_auth").unwrap_or(false);
    let node = section.take("litellm_jwtauth");
    let permissions = permissions(section);
    if !enabled {
        return None;
    }
    let path = section.path_of("litellm_jwtauth");
    let empty = Node { at: section.at, value: Value::Null };
    let own = Section::of(section.cx, node.unwrap_or(&empty), &path)?;
    let claims = claims(&own);
    let mut issuers = Vec::from_iter(of_environment(section.cx, own.at, &claims));
    for (index, node) in own.list("issuers").iter().enumerate() {
        let path = format!("{}[{index}]", own.path_of("issuers"));
        if let Some(entry) = Section::of(section.cx, node, &path) {
            issuers.extend(issuer(&entry, &claims));
        }
    }
    if issuers.is_empty() {
        let hint =
            "set JWT_PUBLIC_KEY_URL to the address of the identity provider's keys, or write `litellm_jwtauth.issuers`";
        section.cx.error(own.at, &section.path_of("enable_jwt_auth"), "there are no keys to check tokens with", hint);
    }
    let or = |list: Vec<String>, standard: &[&str]| match list.is_empty() {
        true => standard.iter().map(|word| word.to_string()).collect(),
        false => list,
    };
    let scopes: Vec<_> =
        entries(&own, "scope_mappings").iter().filter_map(|entry| permission(entry, entry.text("scope"))).collect();
    let sign_in = SignIn {
        issuers,
        keys_for: own.seconds("public_key_ttl").unwrap_or(KEYS_FOR),
        admin_scope: own.text("admin_jwt_scope").unwrap_or_else(|| ADMIN_SCOPE.to_string()),
        admin_routes: or(texts(&own, "admin_allowed_routes"), &ADMIN_ROUTES),
        team_routes: or(texts(&own, "team_allowed_routes"), &TEAM_ROUTES),
        default_team: own.text("team_id_default"),
        adds_users: own.bool("user_id_upsert").unwrap_or(false),
        adds_teams: own.bool("team_id_upsert").unwrap_or(false),
        email_domain: own.text("user_allowed_email_domain").map(|domain| domain.trim_start_matches('@').to_lowercase()),
        user_roles: texts(&own, "user_allowed_roles"),
        needs_team: own.bool("enforce_team_based_model_access").unwrap_or(false),
        needs_role: own.bool("enforce_rbac").unwrap_or(false),
        roles: entries(&own, "role_mappings").iter().filter_map(role_mapping).collect(),
        permissions,
        scopes: own.bool("enforce_scope_based_access").unwrap_or(false).then_some(scopes),
    };
    agree(&own, &sign_in, &claims);
    own.finish(&LITELLM_JWTAUTH);
    Some(sign_in)
}

/// What LiteLLM refuses to start with, and what would let in whom it was to keep out.
fn agree(own: &Section<'_, '_>, sign_in: &SignIn, claims: &Claims) {
    let at = |key: &str| own.entry(key).map_or(own.at, |entry| entry.node.at);
    let wrong = |key: &str, message: &str, hint: &str| own.cx.error(at(key), &own.path_of(key), message, hint);
    if own.take("custom_validate").is_some() {
        let hint = "say it with `user_allowed_roles`, `role_mappings` or `scope_mappings`, and remove it";
        wrong("custom_validate", "is Python, which is not run here, so it would keep nobody out", hint);
    }
    if claims.user_roles.is_some() == sign_in.user_roles.is_empty() {
        let hint = "give both `user_roles_jwt_field` and `user_allowed_roles`, or neither";
        wrong("user_allowed_roles", "goes with `user_roles_jwt_field`", hint);
    }
    if claims.object.is_some() && sign_in.roles.is_empty() {
        let hint = "add `role_mappings`: the role says whether it is a user or a team";
        wrong("object_id_jwt_field", "needs `role_mappings`", hint);
    }
    if sign_in.email_domain.is_some() && claims.email.is_none() {
        let hint = "say with `user_email_jwt_field` where tokens have the address";
        wrong("user_allowed_email_domain", "needs `user_email_jwt_field`", hint);
    }
}

fn of_environment(cx: &Context<'_>, at: Pos, claims: &Claims) -> Option<Issuer> {
    let listed = |name: &str| -> Vec<String> {
        let text = cx.variable(name).unwrap_or_default();
        text.split(',').map(|part| part.trim().to_string()).filter(|part| !part.is_empty()).collect()
    };
    let keys =
        listed("JWT_PUBLIC_KEY_URL").iter().filter_map(|url| address(cx, url, at, "JWT_PUBLIC_KEY_URL")).collect();
    let issuer =
        Issuer { names: listed("JWT_ISSUER"), audiences: listed("JWT_AUDIENCE"), keys, claims: claims.clone() };
    if issuer.keys.is_empty() {
        return None;
    }
    if issuer.audiences.is_empty() {
        let message = "is not set, so tokens that were made for other services of the identity provider are taken, too";
        cx.warning(at, "JWT_AUDIENCE", message, "set it to what the identity provider calls this gateway");
    }
    Some(issuer)
}

fn issuer(entry: &Section<'_, '_>, standard: &Claims) -> Option<Issuer> {
    let cx = entry.cx;
    let name = entry.text("issuer");
    let keys = entry
        .text("jwks_url")
        .or_else(|| Some(format!("{}/.well-known/openid-configuration", name.as_ref()?.trim_end_matches('/'))));
    let audiences = texts(entry, "audience");
    let any_audience = entry.bool("disable_audience_validation").unwrap_or(false);
    let own = claims(entry);
    for left in entry.rest() {
        let hint = "an issuer has `issuer`, `jwks_url`, `audience`, `disable_audience_validation` and fields of claims";
        cx.error(left.at, &entry.path_of(&left.key), "is no part of an issuer", hint);
    }
    let Some(name) = name else {
        cx.error(entry.at, &entry.path, "needs `issuer`", "write what tokens have in `iss`, to the letter");
        return None;
    };
    if audiences.is_empty() != any_audience {
        let hint = "write `audience: NAME`, or `disable_audience_validation: true`";
        cx.error(entry.at, &entry.path, "needs one of `audience` and `disable_audience_validation`", hint);
    }
    let claims = Claims {
        user: own.user.or_else(|| standard.user.clone()),
        email: own.email.or_else(|| standard.email.clone()),
        user_roles: own.user_roles.or_else(|| standard.user_roles.clone()),
        team: own.team.or_else(|| standard.team.clone()),
        teams: own.teams.or_else(|| standard.teams.clone()),
        organisation: own.organisation.or_else(|| standard.organisation.clone()),
        end_user: own.end_user.or_else(|| standard.end_user.clone()),
        roles: own.roles.or_else(|| standard.roles.clone()),
        object: own.object.or_else(|| standard.object.clone()),
    };
    let keys = address(cx, &keys?, entry.at, &entry.path_of("jwks_url"))?;
    Some(Issuer { names: vec![name], audiences, keys: vec![keys], claims })
}

fn claims(section: &Section<'_, '_>) -> Claims {
    Claims {
        user: section.text("user_id_jwt_field"),
        email: section.text("user_email_jwt_field"),
        user_roles: section.text("user_roles_jwt_field"),
        team: section.text("team_id_jwt_field"),
        teams: section.text("team_ids_jwt_field"),
        organisation: section.text("org_id_jwt_field"),
        end_user: section.text("end_user_id_jwt_field"),
        roles: section.text("roles_jwt_field"),
        object: section.text("object_id_jwt_field"),
    }
}

fn role_mapping(entry: &Section<'_, '_>) -> Option<RoleMapping> {
    Some(RoleMapping { role: entry.text("role")?, means: role(entry, "internal_role")? })
}

/// `role_permissions`, beside `litellm_jwtauth`.
fn permissions(section: &Section<'_, '_>) -> Vec<Permission<Role>> {
    let entries = entries(section, "role_permissions");
    entries.iter().filter_map(|entry| permission(entry, role(entry, "role"))).collect()
}

fn permission<T>(entry: &Section<'_, '_>, of: Option<T>) -> Option<Permission<T>> {
    Some(Permission { of: of?, models: texts(entry, "models"), routes: texts(entry, "routes") })
}

fn role(entry: &Section<'_, '_>, key: &str) -> Option<Role> {
    let words = [Role::ProxyAdmin, Role::Team, Role::InternalUser].map(|role| (role.word(), role));
    entry.choice(key, &words)
}

fn entries<'c, 'e>(section: &Section<'c, 'e>, key: &str) -> Vec<Section<'c, 'e>> {
    let path = section.path_of(key);
    let nodes = section.list(key).into_iter().enumerate();
    nodes.filter_map(|(index, node)| Section::of(section.cx, &node, &format!("{path}[{index}]"))).collect()
}

/// A list of texts, or one.
pub fn texts(section: &Section<'_, '_>, key: &str) -> Vec<String> {
    let Some(node) = section.take(key) else { return Vec::new() };
    let nodes = match &node.value {
        Value::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let of = |node: &Node| match section.cx.resolve(node) {
        Resolved::Text(text) => Some(text),
        Resolved::Missing(name) => {
            section.cx.missing_variable(node.at, &section.path_of(key), &name);
            None
        }
        Resolved::Structure => {
            section.wrong(node, key, "a list of texts");
            None
        }
    };
    nodes.iter().filter_map(of).collect()
}

fn address(cx: &Context<'_>, text: &str, at: Pos, path: &str) -> Option<Uri> {
    let uri: Option<Uri> = text.trim().parse().ok();
    let is_web = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    let uri = uri.filter(is_web);
    if uri.is_none() {
        let hint = "write the address of the keys, or of the provider's .well-known/openid-configuration";
        cx.error(at, path, "is no address that begins with http:// or https://", hint);
    }
    uri
}
