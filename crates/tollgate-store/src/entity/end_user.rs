use serde::{Deserialize, Serialize};
use tollgate_policy::access::{Grants, Limits};

use super::{Extra, Stamps, entity, text};

/// A customer of a customer, named by a request (`user`). LiteLLM's customer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EndUser {
    pub id: String,
    pub alias: Option<String>,
    pub budget_id: Option<String>,
    pub grants: Grants,
    pub limits: Limits,
    pub default_model: Option<String>,
    pub allowed_model_region: Option<String>,
    pub metadata: Extra,
    pub extra: Extra,
    pub stamps: Stamps,
}

impl EndUser {
    fn id(&self) -> &str {
        &self.id
    }
}

entity!(EndUser, EndUser, columns(end_user): {
    Alias: text(&end_user.alias),
    BudgetId: text(&end_user.budget_id),
});
