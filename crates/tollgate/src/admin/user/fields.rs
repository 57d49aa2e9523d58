//! What a request says of a user.

use tollgate_policy::access::Role;
use tollgate_store::entity::User;

use crate::admin::error::ApiError;
use crate::admin::field::Fields;
use crate::admin::limits;

pub const ROLES: [(&str, Role); 7] = [
    ("proxy_admin", Role::ProxyAdmin),
    ("proxy_admin_viewer", Role::ProxyAdminViewer),
    ("org_admin", Role::OrgAdmin),
    ("internal_user", Role::InternalUser),
    ("internal_user_viewer", Role::InternalUserViewer),
    ("team", Role::Team),
    ("customer", Role::Customer),
];

/// Takes all fields over; what is absent stays.
pub fn read(mut fields: Fields, user: &mut User) -> Result<(), ApiError> {
    fields.text("user_alias")?.set(&mut user.alias);
    fields.text("user_email")?.set(&mut user.email);
    fields.choice("user_role", &ROLES)?.put(&mut user.role);
    fields.text("sso_user_id")?.set(&mut user.sso_id);
    fields.text("organization_id")?.set(&mut user.organisation_id);
    fields.text("budget_id")?.set(&mut user.budget_id);
    fields.texts("models")?.put(&mut user.grants.models);
    fields.names("model_aliases")?.put(&mut user.grants.aliases);
    fields.flag("blocked")?.put(&mut user.grants.blocked);
    limits::read(&mut fields, &mut user.limits, &mut user.extra)?;
    fields.object("metadata")?.put(&mut user.metadata);
    // There are no passwords here: users come with keys, or through the identity provider.
    for name in ["password", "user_id", "teams"] {
        fields.json(name);
    }
    fields.keep_rest(&mut user.extra);
    Ok(())
}
