//! Whom the claims of a token name, and what they let it do.

use tollgate_policy::access::{Grants, Role};

use super::claims::{self, Claims};
use super::refused::{Nobody, Refused};
use crate::config::sign_in::{self as settings, Permission, SignIn};

/// So many teams of a token are looked up.
const MOST_TEAMS: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    pub admin: bool,
    pub user: Option<String>,
    pub email: Option<String>,
    /// In the order of the token, each once.
    pub teams: Vec<String>,
    pub organisation: Option<String>,
    pub end_user: Option<String>,
    /// Whom it names has to be in the database; otherwise its role lets it in.
    pub must_be_known: bool,
    /// What the token allows, whatever those whom it names may do.
    pub grants: Grants,
}

pub fn read(sign_in: &SignIn, fields: &settings::Claims, claims: &Claims) -> Result<Who, Refused> {
    let scopes = [claims::words(claims, "scope"), claims::words(claims, "scp")].concat();
    let role = role(sign_in, fields, claims);
    let mut who = Who {
        admin: scopes.contains(&sign_in.admin_scope) || role == Some(Role::ProxyAdmin),
        user: claims::name(claims, fields.user.as_ref()),
        email: claims::name(claims, fields.email.as_ref()),
        organisation: claims::name(claims, fields.organisation.as_ref()),
        end_user: claims::name(claims, fields.end_user.as_ref()),
        must_be_known: role.is_none(),
        ..Who::default()
    };
    let object = claims::name(claims, fields.object.as_ref());
    match role {
        Some(Role::Team) => who.teams.extend(object),
        Some(Role::InternalUser) => who.user = object.or(who.user),
        _ => {}
    }
    // Who is known by the address alone has no other name.
    who.user = who.user.or_else(|| who.email.clone());
    if who.admin {
        who.grants.routes.clone_from(&sign_in.admin_routes);
        return Ok(who);
    }
    for team in [&fields.team, &fields.teams].into_iter().flat_map(|field| claims::names(claims, field.as_ref())) {
        if who.teams.len() < MOST_TEAMS && !who.teams.contains(&team) {
            who.teams.push(team);
        }
    }
    if who.teams.is_empty() {
        who.teams.extend(sign_in.default_team.clone());
    }
    may_come_in(sign_in, fields, claims, &who, role).map_err(Refused::Nobody)?;
    who.grants = grants(sign_in, &who, role, &scopes);
    Ok(who)
}

/// The first of the mappings that the token has a role for.
fn role(sign_in: &SignIn, fields: &settings::Claims, claims: &Claims) -> Option<Role> {
    let roles = claims::words(claims, fields.roles.as_ref()?);
    sign_in.roles.iter().find(|mapping| roles.contains(&mapping.role)).map(|mapping| mapping.means)
}

fn may_come_in(
    sign_in: &SignIn,
    fields: &settings::Claims,
    claims: &Claims,
    who: &Who,
    role: Option<Role>,
) -> Result<(), Nobody> {
    if sign_in.needs_role && !sign_in.roles.is_empty() && role.is_none() {
        return Err(Nobody::Role);
    }
    if who.user.is_none() && who.teams.is_empty() {
        return Err(Nobody::Unnamed);
    }
    if sign_in.needs_team && who.teams.is_empty() {
        return Err(Nobody::NoTeam);
    }
    if let Some(field) = &fields.user_roles {
        let roles = claims::words(claims, field);
        if !sign_in.user_roles.iter().any(|allowed| roles.contains(allowed)) {
            return Err(Nobody::UserRole);
        }
    }
    if let Some(domain) = sign_in.email_domain.as_ref().filter(|_| who.user.is_some()) {
        let own = who.email.as_ref().and_then(|email| email.rsplit_once('@')).map(|(_, own)| own.to_lowercase());
        if own.as_ref() != Some(domain) {
            return Err(Nobody::EmailDomain(domain.clone()));
        }
    }
    Ok(())
}

fn grants(sign_in: &SignIn, who: &Who, role: Option<Role>, scopes: &[String]) -> Grants {
    let mut grants = Grants::default();
    if !who.teams.is_empty() {
        grants.routes.clone_from(&sign_in.team_routes);
    }
    let of_role = role.and_then(|role| sign_in.permissions.iter().find(|permission| permission.of == role));
    if let Some(permission) = of_role {
        narrow(&mut grants, &[permission]);
    }
    if let Some(mappings) = &sign_in.scopes {
        let held: Vec<_> = mappings.iter().filter(|mapping| scopes.contains(&mapping.of)).collect();
        if held.is_empty() {
            grants.models = vec![NO_MODELS.to_string()];
        } else {
            narrow(&mut grants, &held);
        }
    }
    grants
}

/// LiteLLM's word for no model at all.
const NO_MODELS: &str = "no-default-models";

/// To what one of the permissions has, too. Names are compared, not what they mean.
fn narrow<T>(grants: &mut Grants, permissions: &[&Permission<T>]) {
    let all = |of: fn(&Permission<T>) -> &Vec<String>| -> Vec<String> {
        if permissions.iter().any(|permission| of(permission).is_empty()) {
            return Vec::new();
        }
        permissions.iter().flat_map(|permission| of(permission).iter().cloned()).collect()
    };
    let (models, routes) = (all(|permission| &permission.models), all(|permission| &permission.routes));
    if grants.models.is_empty() {
        grants.models = models;
    } else if !models.is_empty() {
        grants.models.retain(|model| models.contains(model));
        if grants.models.is_empty() {
            grants.models.push(NO_MODELS.to_string());
        }
    }
    if !routes.is_empty() {
        grants.routes = routes;
    }
}
