//! What a request says of a team.

use tollgate_store::entity::Team;

use crate::admin::error::ApiError;
use crate::admin::field::Fields;
use crate::admin::limits;

/// Takes all fields over; what is absent stays.
pub fn read(mut fields: Fields, team: &mut Team) -> Result<(), ApiError> {
    fields.text("team_alias")?.set(&mut team.alias);
    fields.text("organization_id")?.set(&mut team.organisation_id);
    fields.text("budget_id")?.set(&mut team.budget_id);
    fields.texts("models")?.put(&mut team.grants.models);
    fields.names("model_aliases")?.put(&mut team.grants.aliases);
    fields.flag("blocked")?.put(&mut team.grants.blocked);
    limits::read(&mut fields, &mut team.limits, &mut team.extra)?;
    fields.texts("access_group_ids")?.put(&mut team.access_groups);
    fields.texts("tags")?.put(&mut team.tags);
    fields.object("metadata")?.put(&mut team.metadata);
    member_defaults(&mut fields, team)?;
    for name in ["send_invite_email", "members", "admins", "members_with_roles"] {
        fields.json(name);
    }
    fields.keep_rest(&mut team.extra);
    Ok(())
}

fn member_defaults(fields: &mut Fields, team: &mut Team) -> Result<(), ApiError> {
    let (max, duration) = (fields.nanos("team_member_budget")?, fields.window("team_member_budget_duration")?);
    let defaults = &mut team.member_defaults;
    // The team's own duration has its place in `extra`; this one is told by the window.
    let mut duration_of_members = Default::default();
    limits::budget(max, duration, &mut defaults.limits, &mut duration_of_members);
    fields.count("team_member_rpm_limit")?.set(&mut defaults.limits.rates.requests_per_minute);
    fields.count("team_member_tpm_limit")?.set(&mut defaults.limits.rates.tokens_per_minute);
    fields.text("team_member_key_duration")?.set(&mut defaults.key_duration);
    fields.text("team_member_budget_id")?.set(&mut defaults.budget_id);
    fields.texts("team_member_permissions")?.put(&mut defaults.permissions);
    fields.texts("default_team_member_models")?.put(&mut defaults.models);
    Ok(())
}
