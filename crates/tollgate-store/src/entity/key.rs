use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tollgate_policy::access::{Grants, Limits};

use super::{Extra, Stamps, entity, text};

/// A virtual key: a secret that the gateway issued, known by its hash alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VirtualKey {
    /// SHA-256 of the key in hexadecimal: what LiteLLM calls `token`.
    pub hash: String,
    /// What the ledger knows the key by, if not by its hash: a key that takes another's place spends from the same budget.
    pub account: Option<String>,
    /// `sk-...` and the last four characters.
    pub name: Option<String>,
    /// Unique.
    pub alias: Option<String>,
    pub user_id: Option<String>,
    pub team_id: Option<String>,
    pub organisation_id: Option<String>,
    pub project_id: Option<String>,
    /// A [`super::NamedBudget`] whose limits hold where the key has none of its own.
    pub budget_id: Option<String>,
    /// The budget of end users whom the key's requests name and who have none.
    pub end_user_budget_id: Option<String>,
    #[serde(rename = "type")]
    pub key_type: KeyType,
    pub grants: Grants,
    pub limits: Limits,
    /// Ids of access groups whose models the key may use beside those of its grants.
    pub access_groups: Vec<String>,
    pub tags: Vec<String>,
    pub metadata: Extra,
    /// Every other field that the API takes: `permissions`, `config`, `guardrails` …
    pub extra: Extra,
    pub stamps: Stamps,
}

/// What a key is for: LiteLLM's `key_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyType {
    /// What its user's role allows.
    #[default]
    Default,
    /// Calls of models alone.
    LlmApi,
    /// The management API alone.
    Management,
    /// Reading the management API alone.
    ReadOnly,
}

impl KeyType {
    /// The paths for a key of this type, in the words of [`tollgate_policy::access::Grants::routes`]. Empty: all.
    pub fn routes(self) -> &'static [&'static str] {
        match self {
            KeyType::Default => &[],
            KeyType::LlmApi => &["llm_api_routes"],
            KeyType::Management => &["management_routes"],
            KeyType::ReadOnly => &["info_routes", "spend_tracking_routes"],
        }
    }
}

impl VirtualKey {
    /// What a key is stored and found by.
    pub fn hash_of(key: &str) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digest = digest(&SHA256, key.as_bytes());
        let digits = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
    }

    /// What people recognise a key by: `sk-...` and its last four characters.
    pub fn name_of(key: &str) -> String {
        let last: Vec<char> = key.chars().rev().take(4).collect();
        format!("sk-...{}", last.into_iter().rev().collect::<String>())
    }

    /// What the ledger and the limits know the key by.
    pub fn account(&self) -> &str {
        self.account.as_deref().unwrap_or(&self.hash)
    }

    fn id(&self) -> &str {
        &self.hash
    }
}

entity!(VirtualKey, Key, columns(key): {
    Alias: text(&key.alias),
    Name: text(&key.name),
    UserId: text(&key.user_id),
    TeamId: text(&key.team_id),
    OrganisationId: text(&key.organisation_id),
    ProjectId: text(&key.project_id),
    BudgetId: text(&key.budget_id),
}, unique: [Alias]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_sha256_and_recognised_by_its_end() {
        // `printf sk-1234 | sha256sum`
        let hash = "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b";
        assert_eq!(VirtualKey::hash_of("sk-1234"), hash);
        assert_eq!(VirtualKey::name_of("sk-abcdefgh"), "sk-...efgh");
    }
}
