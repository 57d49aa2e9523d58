use serde::{Deserialize, Serialize};
use tollgate_policy::access::Limits;

use super::{Extra, Stamps, entity};

/// Limits with a name. Each key, team or user that refers to it has these limits for itself; spending is not shared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NamedBudget {
    pub id: String,
    pub limits: Limits,
    /// Models of members that have this budget. Empty: the team's.
    pub models: Vec<String>,
    pub extra: Extra,
    pub stamps: Stamps,
}

impl NamedBudget {
    fn id(&self) -> &str {
        &self.id
    }
}

entity!(NamedBudget, Budget, columns(_entity): {});
