//! `GET /audit`: who changed what, the latest first.

use serde_json::{Value, json};
use tollgate_store::changes::{AuditEntry, AuditQuery};
use tollgate_store::entity::EntityKind;

use super::desk::{Asked, Desk};
use super::error::ApiError;
use super::time;

/// Entries that are looked through for one answer.
const MOST: u32 = 1000;

/// LiteLLM's names of the tables.
const TABLES: [(&str, EntityKind); 10] = [
    ("LiteLLM_VerificationToken", EntityKind::Key),
    ("LiteLLM_TeamTable", EntityKind::Team),
    ("LiteLLM_UserTable", EntityKind::User),
    ("LiteLLM_OrganizationTable", EntityKind::Organisation),
    ("LiteLLM_TeamMembership", EntityKind::Membership),
    ("LiteLLM_OrganizationMembership", EntityKind::OrganisationMember),
    ("LiteLLM_EndUserTable", EntityKind::EndUser),
    ("LiteLLM_BudgetTable", EntityKind::Budget),
    ("LiteLLM_AccessGroupTable", EntityKind::AccessGroup),
    ("LiteLLM_ProxyModelTable", EntityKind::Model),
];

/// Pages reach back a thousand entries; from there on `before` names the id of the last entry that was seen.
pub async fn list(desk: &Desk, asked: Asked) -> Result<Value, ApiError> {
    desk.reach().await?.check_overview("the audit log")?;
    let paging = asked.query.paging("page_size", 50, 100)?;
    let before = match asked.query.text("before") {
        Some(text) => {
            let seq = text.parse().map_err(|_| ApiError::invalid("before", "must be the id of an entry"))?;
            Some(seq)
        }
        None => None,
    };
    let (from, to) =
        (paging.page.saturating_sub(1).saturating_mul(paging.size), paging.page.saturating_mul(paging.size));
    if to > MOST {
        return Err(ApiError::invalid(
            "page",
            format!("pages reach back {MOST} entries; name the last id as `before`"),
        ));
    }
    let query = AuditQuery {
        kind: kind(asked.query.text("table_name"))?,
        id: asked.query.text("object_id").map(str::to_string),
        before_seq: before,
        size: to,
    };
    let entries = desk.database.audit(&query).await?;
    let shown: Vec<Value> = entries.iter().skip(from as usize).map(row).collect();
    let next = (entries.len() == to as usize).then(|| entries.last().map(|entry| entry.seq)).flatten();
    Ok(json!({"audit_logs": shown, "page": paging.page, "page_size": paging.size, "next_before": next}))
}

fn kind(table: Option<&str>) -> Result<Option<EntityKind>, ApiError> {
    let Some(table) = table else { return Ok(None) };
    let named = TABLES.iter().find(|(name, _)| *name == table).map(|(_, kind)| *kind);
    named.or_else(|| EntityKind::from_word(table)).map(Some).ok_or_else(|| {
        let names: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
        ApiError::invalid("table_name", format!("must be one of {}", names.join(", ")))
    })
}

fn row(entry: &AuditEntry) -> Value {
    let table = TABLES.iter().find(|(_, kind)| *kind == entry.kind).map(|(name, _)| *name);
    json!({
        "id": entry.seq.to_string(),
        "updated_at": time::iso(entry.at_ms),
        "changed_by": entry.by.word(),
        "changed_by_api_key": entry.by.key,
        "changed_by_role": entry.by.role,
        "action": entry.action.word(),
        "table_name": table,
        "object_id": entry.id,
        "before_value": entry.before,
        "updated_values": entry.after,
    })
}
