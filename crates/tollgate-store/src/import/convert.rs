//! LiteLLM's rows as entities.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use tollgate_policy::access::{Grants, Limits, Role, ScopeKind};

use super::row::Row;
use super::{Found, LeftOut, OpeningBalance};
use crate::entity::{AccessGroup, EndUser, Extra, MemberDefaults, NamedBudget, Organisation, Team, User, VirtualKey};

/// The team of the keys that LiteLLM makes for each log-in to its pages.
const PAGES_TEAM: &str = "litellm-dashboard";

pub fn id(row: &mut Row, field: &str) -> Result<String, LeftOut> {
    row.text(field).ok_or_else(|| LeftOut(format!("it has no {field}")))
}

pub fn balance(row: &mut Row, scope: ScopeKind, id: &str) -> Option<OpeningBalance> {
    let resets_at_ms = row.time("budget_reset_at");
    Some(OpeningBalance { scope, id: id.to_string(), nanos: row.nanos("spend")?, resets_at_ms })
}

pub fn budget(mut row: Row) -> Result<Found<NamedBudget>, LeftOut> {
    let id = id(&mut row, "budget_id")?;
    let limits = row.limits(&mut Extra::new());
    let (models, stamps) = (row.texts("allowed_models"), row.stamps());
    Ok(Found { entity: NamedBudget { id, limits, models, stamps, extra: row.rest() }, balance: None })
}

pub fn organisation(mut row: Row) -> Result<Found<Organisation>, LeftOut> {
    let id = id(&mut row, "organization_id")?;
    let balance = balance(&mut row, ScopeKind::Organisation, &id);
    let mut metadata = row.object("metadata");
    let entity = Organisation {
        id,
        alias: row.text("organization_alias"),
        budget_id: row.text("budget_id"),
        grants: Grants { models: row.texts("models"), ..Grants::default() },
        limits: row.limits(&mut metadata),
        metadata,
        stamps: row.stamps(),
        extra: row.rest(),
    };
    Ok(Found { entity, balance })
}

pub fn user(mut row: Row) -> Result<Found<User>, LeftOut> {
    let id = id(&mut row, "user_id")?;
    let balance = balance(&mut row, ScopeKind::User, &id);
    let mut metadata = row.object("metadata");
    // A hash that only LiteLLM's log-in can check.
    row.text("password");
    // Each is a membership.
    row.texts("teams");
    row.text("team_id");
    let entity = User {
        id,
        alias: row.text("user_alias"),
        email: row.text("user_email"),
        role: role(&mut row),
        sso_id: row.text("sso_user_id"),
        organisation_id: row.text("organization_id"),
        budget_id: row.text("budget_id"),
        grants: Grants { models: row.texts("models"), ..Grants::default() },
        limits: row.limits(&mut metadata),
        metadata,
        stamps: row.stamps(),
        extra: row.rest(),
    };
    Ok(Found { entity, balance })
}

/// Who has no role that is known here sees what is theirs and changes nothing.
pub fn role(row: &mut Row) -> Role {
    let role = row.text("user_role").map(Value::String);
    role.and_then(|role| serde_json::from_value(role).ok()).unwrap_or(Role::InternalUserViewer)
}

/// Aliases of teams by the id of their row.
pub fn model_aliases(rows: &[Row]) -> HashMap<String, BTreeMap<String, String>> {
    let mut aliases = HashMap::new();
    for mut row in rows.iter().cloned() {
        if let Some(id) = row.text("id") {
            // The column is `aliases`, the field of Prisma `model_aliases`.
            aliases.insert(id, names(row.object("aliases")));
        }
    }
    aliases
}

fn names(fields: Extra) -> BTreeMap<String, String> {
    fields.into_iter().filter_map(|(name, target)| Some((name, target.as_str()?.to_string()))).collect()
}

pub fn team(mut row: Row, aliases: &HashMap<String, BTreeMap<String, String>>) -> Result<Found<Team>, LeftOut> {
    let id = id(&mut row, "team_id")?;
    let balance = balance(&mut row, ScopeKind::Team, &id);
    let mut metadata = row.object("metadata");
    // Each is a membership.
    for field in ["members_with_roles", "members", "admins"] {
        row.json(field);
    }
    let own_aliases = row.text("model_id").and_then(|model_id| aliases.get(&model_id).cloned());
    let member_defaults = MemberDefaults {
        budget_id: text(&mut metadata, "team_member_budget_id"),
        limits: Limits::default(),
        models: row.texts("default_team_member_models"),
        key_duration: text(&mut metadata, "team_member_key_duration"),
        permissions: row.texts("team_member_permissions"),
    };
    let entity = Team {
        id,
        alias: row.text("team_alias"),
        organisation_id: row.text("organization_id"),
        budget_id: row.text("budget_id"),
        grants: Grants {
            models: row.texts("models"),
            aliases: own_aliases.unwrap_or_default(),
            blocked: row.flag("blocked"),
            ..Grants::default()
        },
        limits: row.limits(&mut metadata),
        access_groups: row.texts("access_group_ids"),
        member_defaults,
        tags: tags(&mut metadata),
        metadata,
        stamps: row.stamps(),
        extra: row.rest(),
    };
    Ok(Found { entity, balance })
}

pub fn end_user(mut row: Row) -> Result<Found<EndUser>, LeftOut> {
    let id = id(&mut row, "user_id")?;
    let balance = balance(&mut row, ScopeKind::EndUser, &id);
    let entity = EndUser {
        id,
        alias: row.text("alias"),
        budget_id: row.text("budget_id"),
        grants: Grants { blocked: row.flag("blocked"), ..Grants::default() },
        default_model: row.text("default_model"),
        allowed_model_region: row.text("allowed_model_region"),
        metadata: row.object("metadata"),
        stamps: row.stamps(),
        extra: row.rest(),
        ..EndUser::default()
    };
    Ok(Found { entity, balance })
}

pub fn access_group(mut row: Row) -> Result<Found<AccessGroup>, LeftOut> {
    let id = id(&mut row, "access_group_id")?;
    // The first version with such groups called the column otherwise.
    let earlier = row.texts("access_model_ids");
    let models = row.texts("access_model_names");
    let entity = AccessGroup {
        name: row.text("access_group_name").unwrap_or_else(|| id.clone()),
        id,
        models: if models.is_empty() { earlier } else { models },
        description: row.text("description"),
        stamps: row.stamps(),
        extra: row.rest(),
    };
    Ok(Found { entity, balance: None })
}

pub fn key(mut row: Row) -> Result<Found<VirtualKey>, LeftOut> {
    let token = id(&mut row, "token")?;
    // The first versions kept the keys themselves.
    let hash = if token.starts_with("sk-") { VirtualKey::hash_of(&token) } else { token };
    let team_id = row.text("team_id");
    if team_id.as_deref() == Some(PAGES_TEAM) {
        return Err(LeftOut("it is of a log-in to LiteLLM's pages".to_string()));
    }
    let balance = balance(&mut row, ScopeKind::Key, &hash);
    let mut metadata = row.object("metadata");
    let entity = VirtualKey {
        hash,
        name: row.text("key_name"),
        alias: row.text("key_alias"),
        user_id: row.text("user_id"),
        team_id,
        organisation_id: row.text("organization_id"),
        project_id: row.text("project_id"),
        budget_id: row.text("budget_id"),
        grants: Grants {
            models: row.texts("models"),
            aliases: names(row.object("aliases")),
            routes: row.texts("allowed_routes"),
            addresses: Vec::new(),
            blocked: row.flag("blocked"),
            expires_at_ms: row.time("expires"),
        },
        limits: row.limits(&mut metadata),
        access_groups: row.texts("access_group_ids"),
        tags: tags(&mut metadata),
        metadata,
        stamps: row.stamps(),
        extra: row.rest(),
        ..VirtualKey::default()
    };
    Ok(Found { entity, balance })
}

fn text(metadata: &mut Extra, field: &str) -> Option<String> {
    metadata.shift_remove(field)?.as_str().map(str::to_string)
}

fn tags(metadata: &mut Extra) -> Vec<String> {
    match metadata.shift_remove("tags") {
        Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).map(str::to_string).collect(),
        _ => Vec::new(),
    }
}
