use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Extra, Stamps, entity};

/// A name for several models, which grants can hold in place of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccessGroup {
    pub id: String,
    /// Unique.
    pub name: String,
    /// Routes' names and wildcards.
    pub models: Vec<String>,
    pub description: Option<String>,
    pub extra: Extra,
    pub stamps: Stamps,
}

impl AccessGroup {
    fn id(&self) -> &str {
        &self.id
    }
}

entity!(AccessGroup, AccessGroup, columns(group): {
    Name: Some(Cow::Borrowed(group.name.as_str())),
}, unique: [Name]);
