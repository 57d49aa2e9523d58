//! Everything that can end a request without an answer, and the one table of what the client is told.
//!
//! Statuses are chosen so that no client retries in vain (what clients do with each: Claude Code sends a generic 400 six
//! times, a 402 or 403 once, a 401 or 429 as often as it may unless told not to).

use std::time::Duration;

use tollgate_dialect::error::{ErrorKind, Invalid, PublicError, Unsupported};
use tollgate_policy::authorise;
use tollgate_policy::failover::{self, Failure as AttemptFailure};
use tollgate_policy::health::RestFailure;
use tollgate_policy::limit::{Denial, Standing};
use tollgate_store::database::StoreError;
use tollgate_store::meter::Denied;

use crate::admin::error::ApiError;
use crate::sign_in::Refused;

mod access;
mod kept;
mod limits;
mod queue;
mod upstream;

#[derive(Debug)]
pub enum Failure {
    NoCredential,
    WrongCredential,
    /// A token of an identity provider does not let its bearer in.
    Token(Refused),
    /// The caller may not do what it asked for.
    Forbidden(authorise::Denial),
    /// A budget of the caller has nothing left for the request, or cannot be asked.
    OverBudget(Denied),
    /// The database could not be asked who calls.
    Store(StoreError),
    /// The management API's own.
    Management(ApiError),
    NoSuchPath {
        method: String,
        path: String,
    },
    WrongMethod {
        method: String,
        path: String,
        allowed: http::Method,
    },
    BodyTooLarge {
        limit: usize,
    },
    BodyUnreadable(String),
    TooDeep,
    Encoding(String),
    Invalid(Invalid),
    Unsupported(Unsupported),
    UnknownModel {
        model: String,
        nearest: Vec<String>,
        tier_hint: bool,
    },
    /// `raw`: the upstream's own error answer, where the client speaks its dialect.
    Attempt {
        failure: AttemptFailure,
        raw: Option<(u16, bytes::Bytes)>,
        /// The deployment's id.
        id: String,
        /// The route that it is of, for people.
        deployment: String,
        provider: String,
        timeouts: PhaseSettings,
        /// Something else that was asked in its stead may answer another time.
        others_may_answer: bool,
    },
    /// Every deployment of the route rests because its upstream asked for it: none was asked again.
    Resting {
        route: String,
        retry_after: Duration,
        failure: RestFailure,
    },
    /// Every deployment of the route has as many requests as it takes, and the request may not wait (any longer).
    NotAdmitted {
        route: String,
        why: NotAdmitted,
        retry_after: Duration,
    },
    /// A limit of the caller has no room for the request.
    OverLimit {
        denial: Denial,
        retry_after: Duration,
        /// How the caller stands.
        standing: Standing,
    },
    /// Redis is away, and requests are refused then where it is not sure that they are within their limits.
    LimitsUnknown,
    /// The prompt fits into the window of no deployment.
    PromptTooLong {
        route: String,
        tokens: u64,
        window: u64,
    },
    NoDeploymentWithTags {
        tags: Vec<String>,
    },
    /// The client's `Idempotency-Key` was that of another request.
    KeyOfAnother,
    /// The same request, sent before, is still being answered.
    StillAnswering {
        waited: Duration,
    },
    /// No record of a request has this id (any more).
    NoSuchRequest {
        id: String,
    },
    /// An answer that is referred to is not kept here (any more), or a turn before it is not: `of`.
    NoSuchResponse {
        id: String,
        of: Option<String>,
    },
    /// An item that is referred to is in no answer that is kept here.
    NoSuchItem {
        id: String,
    },
    NotInBackground {
        id: String,
    },
    ShuttingDown,
    Internal(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    QueueFull { max_waiting: usize },
    WaitedTooLong { max_wait: Duration },
}

/// The limits in force, for the message of a timeout.
#[derive(Clone, Copy, Debug, Default)]
pub struct PhaseSettings {
    pub first_byte: Duration,
    pub idle: Duration,
    /// The upstream was asked for a stream.
    pub stream: bool,
    pub stream_timeout_given: bool,
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Failure {
        Failure::Invalid(invalid)
    }
}

impl From<Unsupported> for Failure {
    fn from(unsupported: Unsupported) -> Failure {
        Failure::Unsupported(unsupported)
    }
}

impl From<tollgate_dialect::ForwardError> for Failure {
    fn from(error: tollgate_dialect::ForwardError) -> Failure {
        match error {
            tollgate_dialect::ForwardError::Invalid(invalid) => Failure::Invalid(invalid),
            tollgate_dialect::ForwardError::Unsupported(unsupported) => Failure::Unsupported(unsupported),
        }
    }
}

impl Failure {
    /// The method that the path is for, where another was used.
    pub fn allowed(&self) -> Option<&http::Method> {
        match self {
            Failure::WrongMethod { allowed, .. } => Some(allowed),
            _ => None,
        }
    }

    /// The id of the deployment that failed.
    pub fn deployment(&self) -> Option<&str> {
        match self {
            Failure::Attempt { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Asking again is not in vain.
    pub fn may_pass(&self) -> bool {
        self.public().should_retry != Some(false)
    }

    /// What was asked in its stead failed too, in a way that may pass.
    pub fn others_may_answer(&mut self) {
        if let Failure::Attempt { others_may_answer, .. } = self {
            *others_may_answer = true;
        }
    }

    /// Another deployment may be asked sooner than this one.
    pub fn wait_at_most(&mut self, earliest: Duration) {
        if let Failure::Attempt { failure: AttemptFailure::Refused(error), .. } = self {
            error.retry_after = error.retry_after.map(|after| after.min(earliest));
        }
    }

    /// The status that the upstream gave, if one did.
    pub fn upstream_status(&self) -> Option<u16> {
        match self {
            Failure::Attempt { failure: AttemptFailure::Refused(error), .. } => Some(error.status),
            Failure::Resting { failure, .. } => failure.status,
            _ => None,
        }
    }

    /// One word for what happened at the upstream, for `x-tollgate-reason`.
    pub fn reason(&self) -> Option<&'static str> {
        match self {
            Failure::Attempt { failure, .. } => Some(failover::reason(failure)),
            Failure::Resting { .. } => Some("resting"),
            Failure::NotAdmitted { why: NotAdmitted::QueueFull { .. }, .. } => Some("queue_full"),
            Failure::NotAdmitted { why: NotAdmitted::WaitedTooLong { .. }, .. } => Some("queue_timeout"),
            Failure::Forbidden(_) => Some("forbidden"),
            Failure::OverBudget(Denied::Budget(_)) => Some("over_budget"),
            Failure::OverBudget(_) | Failure::Store(_) => Some("store_away"),
            Failure::OverLimit { .. } => Some("over_limit"),
            Failure::LimitsUnknown => Some("limits_unknown"),
            Failure::PromptTooLong { .. } => Some("context_overflow"),
            _ => None,
        }
    }

    /// The upstream's error answer, for clients that know its vendor's words.
    pub fn unmodified(&self) -> Option<(u16, &bytes::Bytes)> {
        match self {
            Failure::Attempt { raw: Some((status, body)), .. } => Some((*status, body)),
            _ => None,
        }
    }

    pub fn public(&self) -> PublicError {
        let final_word = |status, kind, message: String| PublicError {
            should_retry: Some(false),
            ..PublicError::new(status, kind, message)
        };
        match self {
            Failure::NoCredential => final_word(
                401,
                ErrorKind::Authentication,
                "No key was sent. Send the gateway's key as `Authorization: Bearer KEY` or `x-api-key: KEY` (general_settings.master_key decides which key is valid).".into(),
            ),
            Failure::WrongCredential => final_word(
                401,
                ErrorKind::Authentication,
                "The key is not valid for this gateway. Compare it with general_settings.master_key (or LITELLM_MASTER_KEY / TOLLGATE_MASTER_KEY).".into(),
            ),
            Failure::Token(refused) => refused.public(),
            Failure::NoSuchPath { method, path } => final_word(
                404,
                ErrorKind::NotFound,
                format!("{method} {path} is no path of this gateway. It serves POST /v1/messages, /v1/messages/count_tokens, /v1/chat/completions, /v1/responses and /v1beta/models/MODEL:generateContent, and GET /v1/models."),
            ),
            Failure::WrongMethod { method, path, allowed } => {
                final_word(405, ErrorKind::InvalidRequest, format!("{path} takes {allowed}, not {method}."))
            }
            Failure::BodyTooLarge { limit } => final_word(
                413,
                ErrorKind::TooLarge,
                format!("The request body is larger than {} MB (general_settings.max_request_size_mb decides).", limit / (1024 * 1024)),
            ),
            Failure::BodyUnreadable(why) => {
                final_word(400, ErrorKind::InvalidRequest, format!("The request body could not be read: {why}."))
            }
            Failure::TooDeep => final_word(
                400,
                ErrorKind::InvalidRequest,
                format!("The request body is nested deeper than {} levels.", tollgate_dialect::json::MAX_DEPTH),
            ),
            Failure::Encoding(name) => final_word(
                415,
                ErrorKind::InvalidRequest,
                format!("content-encoding {name} is not supported; send the body as plain JSON."),
            ),
            Failure::Invalid(invalid) => PublicError {
                param: invalid.param.clone(),
                ..final_word(400, ErrorKind::InvalidRequest, invalid.message.clone())
            },
            Failure::Unsupported(unsupported) => PublicError {
                param: Some(unsupported.param.clone()),
                ..final_word(400, ErrorKind::InvalidRequest, unsupported.message.clone())
            },
            Failure::UnknownModel { model, nearest, tier_hint } => {
                final_word(404, ErrorKind::NotFound, unknown_model(model, nearest, *tier_hint))
            }
            Failure::Attempt { failure, deployment, provider, timeouts, others_may_answer, .. } => {
                let told = upstream::attempt(failure, deployment, provider, timeouts);
                PublicError { should_retry: told.should_retry.filter(|_| !others_may_answer), ..told }
            }
            Failure::Resting { route, retry_after, failure } => upstream::resting(route, *retry_after, failure),
            Failure::NotAdmitted { route, why, retry_after } => queue::not_admitted(route, *why, *retry_after),
            Failure::Forbidden(denial) => access::forbidden(denial),
            Failure::OverBudget(denied) => access::over_budget(denied),
            Failure::Store(_) => access::store_away(),
            Failure::Management(error) => error.public(),
            Failure::OverLimit { denial, retry_after, .. } => limits::over_limit(denial, *retry_after),
            Failure::LimitsUnknown => limits::limits_unknown(),
            Failure::PromptTooLong { route, tokens, window } => final_word(
                400,
                ErrorKind::ContextOverflow,
                format!(
                    "prompt is too long: {tokens} tokens > {window} maximum (counted by the gateway before asking {route}; \
                     model_info.max_input_tokens decides, litellm_settings.context_window_fallbacks names a route with more room)"
                ),
            ),
            Failure::NoDeploymentWithTags { tags } => final_word(
                400,
                ErrorKind::InvalidRequest,
                format!(
                    "No deployment of this model has the tags {} (litellm_params.tags, with router_settings.enable_tag_filtering), and none is tagged `default`.",
                    tags.join(", ")
                ),
            ),
            Failure::KeyOfAnother => final_word(
                422,
                ErrorKind::InvalidRequest,
                "This Idempotency-Key was sent with another request before. Use a new key for each request, and the same one only to send the same again.".into(),
            ),
            Failure::StillAnswering { waited } => PublicError {
                retry_after: Some(Duration::from_secs(5)),
                should_retry: Some(true),
                ..PublicError::new(
                    409,
                    ErrorKind::InvalidRequest,
                    format!(
                        "The same request was sent before and is still being answered after {} s more; its answer can be had when it is \
                         whole (Idempotency-Key, x-stainless-retry-count; tollgate_settings.idempotency: false answers each anew).",
                        waited.as_secs()
                    ),
                )
            },
            Failure::NoSuchRequest { id } => final_word(
                404,
                ErrorKind::NotFound,
                format!("No request {id} is known. Records of older requests are dropped; the id is the answer's request-id header."),
            ),
            Failure::NoSuchResponse { id, of } => kept::no_such_response(id, of.as_deref()),
            Failure::NoSuchItem { id } => kept::no_such_item(id),
            Failure::NotInBackground { id } => kept::not_in_background(id),
            Failure::ShuttingDown => PublicError {
                retry_after: Some(Duration::from_secs(1)),
                ..PublicError::new(503, ErrorKind::Overloaded, "The gateway is shutting down. Try again.")
            },
            Failure::Internal(_) => PublicError::new(500, ErrorKind::Api, "internal error"),
        }
    }
}

fn unknown_model(model: &str, nearest: &[String], tier_hint: bool) -> String {
    let mut message = format!("model: {model} is not configured here.");
    if !nearest.is_empty() {
        message.push_str(&format!(" Nearest: {}.", nearest.join(", ")));
    }
    if tier_hint {
        message.push_str(
            " Claude Code's background calls use claude-* names: set tollgate_settings.catch_all.{haiku,sonnet,opus,default} \
             to one of your models, or start it with `tollgate run claude --model NAME`, which sets ANTHROPIC_MODEL and \
             ANTHROPIC_DEFAULT_HAIKU_MODEL.",
        );
    } else {
        message.push_str(" Add it to model_list, or ask GET /v1/models for the names.");
    }
    message
}
