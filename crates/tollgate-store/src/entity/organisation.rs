use serde::{Deserialize, Serialize};
use tollgate_policy::access::{Grants, Limits};

use super::{Extra, Stamps, entity, text};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Organisation {
    pub id: String,
    pub alias: Option<String>,
    pub budget_id: Option<String>,
    pub grants: Grants,
    pub limits: Limits,
    pub metadata: Extra,
    pub extra: Extra,
    pub stamps: Stamps,
}

impl Organisation {
    fn id(&self) -> &str {
        &self.id
    }
}

entity!(Organisation, Organisation, columns(organisation): {
    Alias: text(&organisation.alias),
    BudgetId: text(&organisation.budget_id),
});
