//! What the store keeps of those whom the gateway serves: keys, teams, users, budgets …
//!
//! An entity is one JSON document beside the columns that it is looked up by. All of them are created, changed, deleted and listed by
//! the same code ([`crate::access`]).

mod access_group;
mod budget;
mod end_user;
mod key;
mod membership;
mod model;
mod organisation;
mod team;
mod user;

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use access_group::AccessGroup;
pub use budget::NamedBudget;
pub use end_user::EndUser;
pub use key::{KeyType, VirtualKey};
pub use membership::{Membership, OrganisationMember, TeamRole};
pub use model::{Params, StoredModel};
pub use organisation::Organisation;
pub use team::{MemberDefaults, Team};
pub use user::User;

/// Fields that the gateway echoes and does not read.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// A thing that is stored.
pub trait Entity: Serialize + DeserializeOwned + Clone + Send + Sync + Unpin + 'static {
    const KIND: EntityKind;
    /// Beside the id.
    const COLUMNS: &'static [Column];
    /// Those of them in which two entities may not have the same value.
    const UNIQUE: &'static [Column] = &[];

    fn id(&self) -> Cow<'_, str>;
    /// The value of one of [`Entity::COLUMNS`].
    fn column(&self, column: Column) -> Option<Cow<'_, str>>;
    fn stamps(&self) -> &Stamps;
    fn stamps_mut(&mut self) -> &mut Stamps;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    Key,
    Team,
    User,
    Organisation,
    Membership,
    OrganisationMember,
    EndUser,
    Budget,
    AccessGroup,
    Model,
}

impl EntityKind {
    pub const ALL: [EntityKind; 10] = [
        EntityKind::Key,
        EntityKind::Team,
        EntityKind::User,
        EntityKind::Organisation,
        EntityKind::Membership,
        EntityKind::OrganisationMember,
        EntityKind::EndUser,
        EntityKind::Budget,
        EntityKind::AccessGroup,
        EntityKind::Model,
    ];

    /// What the table of changes calls it.
    pub fn word(self) -> &'static str {
        self.names().0
    }

    pub(crate) fn table(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            EntityKind::Key => ("key", "virtual_keys"),
            EntityKind::Team => ("team", "teams"),
            EntityKind::User => ("user", "users"),
            EntityKind::Organisation => ("organisation", "organisations"),
            EntityKind::Membership => ("membership", "memberships"),
            EntityKind::OrganisationMember => ("organisation_member", "organisation_members"),
            EntityKind::EndUser => ("end_user", "end_users"),
            EntityKind::Budget => ("budget", "budgets"),
            EntityKind::AccessGroup => ("access_group", "access_groups"),
            EntityKind::Model => ("model", "models"),
        }
    }

    pub fn from_word(word: &str) -> Option<EntityKind> {
        EntityKind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// What entities are looked up and sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    Id,
    Alias,
    Name,
    UserId,
    TeamId,
    OrganisationId,
    ProjectId,
    BudgetId,
    Email,
    Role,
    SsoId,
    /// For sorting only, as the next.
    CreatedAt,
    UpdatedAt,
}

impl Column {
    pub fn name(self) -> &'static str {
        match self {
            Column::Id => "id",
            Column::Alias => "alias",
            Column::Name => "name",
            Column::UserId => "user_id",
            Column::TeamId => "team_id",
            Column::OrganisationId => "organisation_id",
            Column::ProjectId => "project_id",
            Column::BudgetId => "budget_id",
            Column::Email => "email",
            Column::Role => "role",
            Column::SsoId => "sso_id",
            Column::CreatedAt => "created_at_ms",
            Column::UpdatedAt => "updated_at_ms",
        }
    }
}

/// When and by whom. The store fills it in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stamps {
    /// Milliseconds since 1970. 0: not stored yet.
    pub created_at_ms: u64,
    /// A user, or the words of [`crate::access::Author`].
    pub created_by: Option<String>,
    pub updated_at_ms: u64,
    pub updated_by: Option<String>,
}

/// An optional text as a column.
fn text(value: &Option<String>) -> Option<Cow<'_, str>> {
    value.as_deref().map(Cow::Borrowed)
}

/// The word that serde writes for a value of an enum.
fn word(value: impl Serialize) -> Option<Cow<'static, str>> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Some(Cow::Owned(word)),
        _ => None,
    }
}

/// [`Entity`] for a type with a field `stamps` and a function `id`.
macro_rules! entity {
    ($type:ty, $kind:ident, columns($this:ident): { $($column:ident: $value:expr),* $(,)? } $(, unique: [$($unique:ident),*])?) => {
        impl $crate::entity::Entity for $type {
            const KIND: $crate::entity::EntityKind = $crate::entity::EntityKind::$kind;
            const COLUMNS: &'static [$crate::entity::Column] = &[$($crate::entity::Column::$column),*];
            $(const UNIQUE: &'static [$crate::entity::Column] = &[$($crate::entity::Column::$unique),*];)?

            fn id(&self) -> std::borrow::Cow<'_, str> {
                self.id().into()
            }

            fn column(&self, column: $crate::entity::Column) -> Option<std::borrow::Cow<'_, str>> {
                let $this = self;
                match column {
                    $($crate::entity::Column::$column => $value,)*
                    _ => None,
                }
            }

            fn stamps(&self) -> &$crate::entity::Stamps {
                &self.stamps
            }

            fn stamps_mut(&mut self) -> &mut $crate::entity::Stamps {
                &mut self.stamps
            }
        }
    };
}
use entity;
