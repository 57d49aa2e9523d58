//! Why the management API refuses, and the one form in which it says so: LiteLLM's
//! `{"error": {"message", "type", "param", "code"}}`, in which the code is a text.

use std::fmt;

use serde_json::{Value, json};
use tollgate_dialect::error::{ErrorKind, PublicError};
use tollgate_store::database::StoreError;
use tollgate_store::entity::{Column, EntityKind};
use tollgate_store::usage::UsageError;
use tollgate_store::vault::VaultError;

use crate::failure::Failure;

/// No message holds a key or a hash of one.
#[derive(Debug)]
pub enum ApiError {
    Invalid {
        param: String,
        message: String,
    },
    /// What was spent could not be read as it was asked for.
    Usage(UsageError),
    NotFound {
        kind: EntityKind,
        /// `None` for keys.
        id: Option<String>,
    },
    /// The caller may not do this.
    Forbidden(String),
    AlreadyMember {
        user_id: String,
        team_id: String,
    },
    Vault(VaultError),
    Store(StoreError),
    /// The gateway runs without a database.
    NoDatabase,
}

/// An error as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub status: u16,
    /// LiteLLM's `type` (1.109.1).
    pub kind: &'static str,
    pub message: String,
    pub param: Option<String>,
}

impl Told {
    pub fn body(&self) -> Value {
        let Told { status, kind, message, param } = self;
        json!({"error": {"message": message, "type": kind, "param": param, "code": status.to_string()}})
    }
}

impl ApiError {
    /// The message begins with the field.
    pub fn invalid(param: &str, why: impl fmt::Display) -> ApiError {
        ApiError::Invalid { param: param.to_string(), message: format!("{param}: {why}") }
    }

    pub fn body(why: impl Into<String>) -> ApiError {
        ApiError::Invalid { param: String::new(), message: why.into() }
    }

    pub fn not_found(kind: EntityKind, id: &str) -> ApiError {
        ApiError::NotFound { kind, id: (kind != EntityKind::Key).then(|| id.to_string()) }
    }

    /// As the record of the request has it.
    pub fn public(&self) -> PublicError {
        let Told { status, message, param, .. } = self.told();
        let kind = match status {
            403 => ErrorKind::Permission,
            404 => ErrorKind::NotFound,
            500.. => ErrorKind::Api,
            _ => ErrorKind::InvalidRequest,
        };
        PublicError { param, ..PublicError::new(status, kind, message) }
    }

    pub fn told(&self) -> Told {
        let told = |status, kind, message: String| Told { status, kind, message, param: None };
        match self {
            ApiError::Invalid { param, message } => Told {
                param: (!param.is_empty()).then(|| param.clone()),
                ..told(400, "bad_request_error", message.clone())
            },
            ApiError::NotFound { kind: EntityKind::Key, .. } => {
                told(404, "token_not_found_in_db", "there is no such key".to_string())
            }
            ApiError::NotFound { kind, id } => {
                told(404, "not_found_error", format!("there is no {kind} {}", id.as_deref().unwrap_or_default()))
            }
            ApiError::Forbidden(why) => told(403, "auth_error", why.clone()),
            ApiError::AlreadyMember { user_id, team_id } => told(
                400,
                "team_member_already_in_team",
                format!(
                    "user {user_id} is in team {team_id} already; use /team/member_update to change the membership"
                ),
            ),
            ApiError::Vault(error) => told(400, "bad_request_error", error.to_string()),
            ApiError::Store(error) => store(error),
            ApiError::Usage(UsageError::Store(error)) => store(error),
            ApiError::Usage(UsageError::Parquet(_) | UsageError::Json(_)) => {
                told(500, "internal_server_error", "the usage cannot be read".to_string())
            }
            ApiError::Usage(error) => told(400, "bad_request_error", error.to_string()),
            ApiError::NoDatabase => told(
                503,
                "no_db_connection",
                "the gateway has no database; start it with --data-dir, or set general_settings.database_url"
                    .to_string(),
            ),
        }
    }
}

fn store(error: &StoreError) -> Told {
    let told = |status, kind, message: String| Told { status, kind, message, param: None };
    match error {
        StoreError::Exists { kind, column: Column::Id, value } if *kind != EntityKind::Key => {
            told(400, "bad_request_error", format!("there is a {kind} {value} already"))
        }
        StoreError::Exists { kind: EntityKind::Key, column: Column::Id, .. } => {
            told(400, "bad_request_error", "there is such a key already; leave `key` out to have one made".to_string())
        }
        StoreError::Exists { kind, column, value } => {
            told(400, "bad_request_error", format!("there is a {kind} with this {} already: {value}", column.name()))
        }
        StoreError::Missing { kind, id } => ApiError::not_found(*kind, id).told(),
        StoreError::Away(_) => {
            told(503, "no_db_connection", "the database does not answer; try again in a moment".to_string())
        }
        StoreError::Sealed(error) => ApiError::Vault(*error).told(),
        StoreError::Refused(_) | StoreError::Migration(_) | StoreError::Unreadable(_) | StoreError::File(_) => {
            told(500, "internal_server_error", "the database failed; the gateway's log says how".to_string())
        }
    }
}

/// What is told of a failure on these paths, of this API or from before it was reached.
pub fn told(failure: &Failure) -> Told {
    if let Failure::Management(error) = failure {
        return error.told();
    }
    let public = failure.public();
    let kind = match failure {
        Failure::Forbidden(denial) => denial.litellm_type(),
        Failure::Store(_) => "no_db_connection",
        _ => match public.status {
            401 | 403 => "auth_error",
            404 => "not_found_error",
            500.. => "internal_server_error",
            _ => "bad_request_error",
        },
    };
    Told { status: public.status, kind, message: public.message, param: public.param }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        ApiError::Store(error)
    }
}

impl From<UsageError> for ApiError {
    fn from(error: UsageError) -> ApiError {
        ApiError::Usage(error)
    }
}

impl From<VaultError> for ApiError {
    fn from(error: VaultError) -> ApiError {
        ApiError::Vault(error)
    }
}
