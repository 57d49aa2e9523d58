//! What went wrong, in one form for every dialect.

use std::time::Duration;

/// The kinds of failure that some client or some routing decision treats differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    InvalidRequest,
    /// The prompt does not fit. Clients compact on it.
    ContextOverflow,
    /// Refused for what it says.
    ContentPolicy,
    Authentication,
    /// Money: credits, spend limit, quota for good.
    Billing,
    Permission,
    /// The model (or path) does not exist.
    NotFound,
    TooLarge,
    RateLimited,
    Overloaded,
    Timeout,
    /// Any other failure of an upstream or of ours.
    Api,
}

/// Whom an error concerns, as far as it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// It does not say.
    #[default]
    Unsaid,
    /// The model that was asked for, even if the limit is an organisation's.
    Model,
    /// The key, or the account, project or organisation behind it: every model.
    Account,
}

/// An error of an upstream: of an HTTP answer, or of an event inside a 200 stream.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamError {
    /// The HTTP status, or the one that the error in the stream would have had.
    pub status: u16,
    pub kind: ErrorKind,
    pub scope: Scope,
    /// The upstream's own words.
    pub message: String,
    /// The vendor's machine-readable code and the parameter it names, where given.
    pub code: Option<String>,
    pub param: Option<String>,
    /// Tokens sent and tokens allowed, where a context overflow names them.
    pub overflow: Option<(u64, u64)>,
    pub retry_after: Option<Duration>,
    /// Trying again later can help.
    pub temporary: bool,
}

/// An error as a client shall see it. Rendered by [`crate::encode_error`] in the client's dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicError {
    pub status: u16,
    pub kind: ErrorKind,
    pub message: String,
    pub param: Option<String>,
    pub retry_after: Option<Duration>,
    /// `Some(false)` tells SDKs and Claude Code not to try again.
    pub should_retry: Option<bool>,
}

impl PublicError {
    pub fn new(status: u16, kind: ErrorKind, message: impl Into<String>) -> PublicError {
        PublicError { status, kind, message: message.into(), param: None, retry_after: None, should_retry: None }
    }
}

/// A client's request that cannot be understood. Becomes a 400 that names the place.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// The field in the client's own terms, `messages.3.content.0.text`.
    pub param: Option<String>,
    pub message: String,
}

impl Invalid {
    pub fn new(param: impl Into<String>, message: impl Into<String>) -> Invalid {
        let param = param.into();
        let message = message.into();
        Invalid {
            message: if param.is_empty() { message } else { format!("{param}: {message}") },
            param: Some(param).filter(|p| !p.is_empty()),
        }
    }
}

impl From<serde_json::Error> for Invalid {
    fn from(error: serde_json::Error) -> Invalid {
        Invalid { param: None, message: format!("The request body is not valid JSON for this endpoint: {error}") }
    }
}

/// Why a stream or a one-piece answer cannot be used further.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AnswerError {
    /// The upstream reported an error where an answer was due.
    #[error("{}", .0.message)]
    Upstream(Box<UpstreamError>),
    /// The bytes are no answer in the upstream's dialect.
    #[error("the upstream's answer cannot be read: {0}")]
    Malformed(String),
    /// The stream ended before its end marker.
    #[error("the upstream closed the stream before the answer was complete")]
    Cut,
    /// The stream ended before its first event.
    #[error("the upstream sent an empty answer")]
    Empty,
}

/// Something that was changed on the way or could not be carried. Shown as `x-tollgate-changes`, for example
/// `clamped:max_tokens`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub what: ChangeKind,
    /// A parameter or field name; header-safe.
    pub field: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Dropped,
    Clamped,
    Renamed,
    Softened,
    Repaired,
    Restored,
    Estimated,
    /// Kept, but only as text.
    Textualised,
    /// Kept whole, but in another place of the conversation.
    Moved,
    Rewritten,
}

impl Change {
    pub fn new(what: ChangeKind, field: impl Into<String>) -> Change {
        let field: String = field.into();
        let field = field.chars().map(|c| if c.is_ascii_graphic() && c != ',' { c } else { '_' }).take(80).collect();
        Change { what, field }
    }

    pub fn dropped(field: impl Into<String>) -> Change {
        Change::new(ChangeKind::Dropped, field)
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = match self.what {
            ChangeKind::Dropped => "dropped",
            ChangeKind::Clamped => "clamped",
            ChangeKind::Renamed => "renamed",
            ChangeKind::Softened => "softened",
            ChangeKind::Repaired => "repaired",
            ChangeKind::Restored => "restored",
            ChangeKind::Estimated => "estimated",
            ChangeKind::Textualised => "textualised",
            ChangeKind::Moved => "moved",
            ChangeKind::Rewritten => "rewritten",
        };
        write!(f, "{verb}:{}", self.field)
    }
}

/// Why a request cannot be said in the target's dialect: becomes a 400 that names the parameter.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Unsupported {
    pub param: String,
    pub message: String,
}

impl Unsupported {
    pub fn param(param: &str, target: &str) -> Unsupported {
        Unsupported {
            param: param.to_string(),
            message: format!(
                "{param}: not supported by {target}. Set `litellm_settings.drop_params: true` (or `drop_params: true` on the deployment) to drop it."
            ),
        }
    }

    pub fn content(param: impl Into<String>, message: impl Into<String>) -> Unsupported {
        let param = param.into();
        Unsupported { message: format!("{param}: {}", message.into()), param }
    }
}
