//! What a request says of a key.

use tollgate_store::entity::{KeyType, VirtualKey};

use crate::admin::error::ApiError;
use crate::admin::field::Fields;
use crate::admin::limits;

const TYPES: [(&str, KeyType); 4] = [
    ("default", KeyType::Default),
    ("llm_api", KeyType::LlmApi),
    ("management", KeyType::Management),
    ("read_only", KeyType::ReadOnly),
];

pub fn type_word(key_type: KeyType) -> &'static str {
    TYPES.iter().find(|(_, known)| *known == key_type).map_or("default", |(word, _)| word)
}

/// Takes all fields over; what is absent stays.
pub fn read(mut fields: Fields, key: &mut VirtualKey, now_ms: u64) -> Result<(), ApiError> {
    fields.text("key_alias")?.set(&mut key.alias);
    fields.text("user_id")?.set(&mut key.user_id);
    fields.text("team_id")?.set(&mut key.team_id);
    fields.text("organization_id")?.set(&mut key.organisation_id);
    fields.text("project_id")?.set(&mut key.project_id);
    fields.text("budget_id")?.set(&mut key.budget_id);
    fields.text("end_user_budget_id")?.set(&mut key.end_user_budget_id);
    fields.choice("key_type", &TYPES)?.put(&mut key.key_type);
    let grants = &mut key.grants;
    fields.texts("models")?.put(&mut grants.models);
    fields.names("aliases")?.put(&mut grants.aliases);
    fields.texts("allowed_routes")?.put(&mut grants.routes);
    fields.texts("allowed_ips")?.put(&mut grants.addresses);
    fields.flag("blocked")?.put(&mut grants.blocked);
    fields.expiry("duration", now_ms)?.set(&mut grants.expires_at_ms);
    limits::read(&mut fields, &mut key.limits, &mut key.extra)?;
    fields.texts("access_group_ids")?.put(&mut key.access_groups);
    fields.texts("tags")?.put(&mut key.tags);
    fields.object("metadata")?.put(&mut key.metadata);
    // Of the request, not of the key.
    for name in ["send_invite_email", "token", "token_id", "key_name", "expires"] {
        fields.json(name);
    }
    fields.keep_rest(&mut key.extra);
    Ok(())
}
