//! What the gateway itself says is in its own catalogue.

use std::time::Duration;

use tollgate_dialect::error::{ErrorKind, Invalid, Scope, Unsupported, UpstreamError};
use tollgate_policy::access::ScopeKind;
use tollgate_policy::authorise;
use tollgate_policy::budget::{self, Capped, Pot};
use tollgate_policy::failover::{Failure as AttemptFailure, Phase};
use tollgate_policy::health::RestFailure;
use tollgate_policy::limit::{Denial, Dimension, Standing};

use tollgate_policy::window::{Span, Window};
use tollgate_store::database::StoreError;
use tollgate_store::meter::Denied;

use super::*;
use crate::failure::{Failure, NotAdmitted, PhaseSettings};
use crate::sign_in::{Nobody, Refused};

fn attempt(failure: AttemptFailure, stream: bool) -> Failure {
    let timeouts = PhaseSettings {
        first_byte: Duration::from_secs(600),
        idle: Duration::from_secs(600),
        stream,
        stream_timeout_given: true,
    };
    Failure::Attempt {
        failure,
        raw: None,
        id: "d1".into(),
        deployment: "kimi".into(),
        provider: "moonshot".into(),
        timeouts,
        others_may_answer: false,
    }
}

fn refused(status: u16, kind: ErrorKind, message: &str) -> Failure {
    let error = UpstreamError {
        status,
        kind,
        scope: Scope::Unsaid,
        message: message.into(),
        code: None,
        param: None,
        overflow: None,
        retry_after: None,
        temporary: false,
    };
    attempt(AttemptFailure::Refused(error), false)
}

fn not_admitted(why: NotAdmitted) -> Failure {
    Failure::NotAdmitted { route: "kimi".into(), why, retry_after: Duration::from_secs(3) }
}

fn over_limit(kind: ScopeKind, model: Option<&str>, dimension: Dimension, needed: u64) -> Failure {
    let model = model.map(Into::into);
    let denial = Denial { kind, model, dimension, limit: 10, remaining: 3, needed, resets_at_ms: Some(0) };
    Failure::OverLimit { denial, retry_after: Duration::from_secs(12), standing: Standing::default() }
}

fn over_budget(kind: ScopeKind) -> Failure {
    let pot = Pot {
        kind,
        id: "h".into(),
        model: "".into(),
        window: Window::Total,
        max_nanos: None,
        increase: None,
        soft_nanos: None,
    };
    let key = pot.key(Span { start_ms: 0, end_ms: None });
    let pot = Capped { key, cap_nanos: 1_000_000_000, end_ms: None };
    Failure::OverBudget(Denied::Budget(budget::Denial {
        pot,
        spent_nanos: 1_000_000_000,
        held_nanos: 0,
        asked_nanos: 5,
    }))
}

fn failures() -> Vec<(Failure, &'static str)> {
    let path = || "/v1/things".to_string();
    let unknown =
        |model: &str, tier_hint| Failure::UnknownModel { model: model.into(), nearest: vec!["kimi".into()], tier_hint };
    vec![
        (Failure::NoCredential, "tollgate-no-key"),
        (Failure::WrongCredential, "tollgate-wrong-key"),
        (Failure::Token(Refused::Unreadable), "tollgate-token-refused"),
        (Failure::Token(Refused::Algorithm), "tollgate-token-refused"),
        (Failure::Token(Refused::UnknownKey(Some("k".into()))), "tollgate-token-refused"),
        (Failure::Token(Refused::Signature), "tollgate-token-refused"),
        (Failure::Token(Refused::Expired), "tollgate-token-refused"),
        (Failure::Token(Refused::Issuer(vec!["https://id".into()])), "tollgate-token-refused"),
        (Failure::Token(Refused::Audience(vec!["api".into()])), "tollgate-token-refused"),
        (Failure::Token(Refused::KeysAway("id.example.com cannot be reached".into())), "tollgate-token-keys-away"),
        (Failure::Token(Refused::Nobody(Nobody::Unnamed)), "tollgate-token-of-nobody"),
        (Failure::Token(Refused::Nobody(Nobody::User("ada".into()))), "tollgate-token-of-nobody"),
        (Failure::Token(Refused::Nobody(Nobody::Teams(vec!["t".into()]))), "tollgate-token-of-nobody"),
        (Failure::Token(Refused::Nobody(Nobody::EmailDomain("x.com".into()))), "tollgate-token-of-nobody"),
        (Failure::NoSuchPath { method: "GET".into(), path: path() }, "tollgate-unknown-path"),
        (
            Failure::WrongMethod { method: "GET".into(), path: path(), allowed: http::Method::POST },
            "tollgate-unknown-path",
        ),
        (Failure::BodyTooLarge { limit: 32 << 20 }, "tollgate-body-too-large"),
        (Failure::BodyUnreadable("end of file".into()), "tollgate-bad-request-body"),
        (Failure::TooDeep, "tollgate-bad-request-body"),
        (Failure::Encoding("br".into()), "tollgate-bad-request-body"),
        (
            serde_json::from_str::<u8>("x").map_err(Invalid::from).map(|_| ()).expect_err("no number").into(),
            "tollgate-bad-request-body",
        ),
        (Unsupported::param("top_k", "groq").into(), "tollgate-unsupported"),
        (unknown("kimmi", false), "tollgate-unknown-model"),
        (unknown("claude-haiku-4-5", true), "background-model-missing"),
        (
            attempt(AttemptFailure::Unreachable("Connection refused (os error 111)".into()), true),
            "tollgate-upstream-unreachable",
        ),
        (attempt(AttemptFailure::TimedOut(Phase::Connect), true), "tollgate-timeout"),
        (attempt(AttemptFailure::TimedOut(Phase::FirstByte), true), "tollgate-timeout"),
        (attempt(AttemptFailure::TimedOut(Phase::FirstByte), false), "tollgate-timeout"),
        (attempt(AttemptFailure::TimedOut(Phase::Idle), true), "tollgate-timeout"),
        (attempt(AttemptFailure::TimedOut(Phase::Total), false), "tollgate-timeout"),
        (attempt(AttemptFailure::Broken("the upstream sent an empty answer".into()), true), "tollgate-broken-answer"),
        (
            attempt(AttemptFailure::Broken("the upstream's answer cannot be read: no choices".into()), true),
            "tollgate-broken-answer",
        ),
        (
            attempt(
                AttemptFailure::Broken("the upstream closed the stream before the answer was complete".into()),
                true,
            ),
            "stream-cut",
        ),
        (refused(401, ErrorKind::Authentication, "no"), "tollgate-credential-refused"),
        (refused(403, ErrorKind::Permission, "no"), "tollgate-credential-refused"),
        (refused(400, ErrorKind::ContextOverflow, "too much"), "prompt-is-too-long"),
        (
            refused(
                402,
                ErrorKind::Billing,
                "You exceeded your current quota, please check your plan and billing details",
            ),
            "openai-insufficient-quota",
        ),
        (
            Failure::Resting {
                route: "kimi".into(),
                retry_after: Duration::from_secs(27),
                failure: RestFailure { status: Some(429), words: "busy".into() },
            },
            "tollgate-all-resting",
        ),
        (not_admitted(NotAdmitted::QueueFull { max_waiting: 1000 }), "tollgate-queue"),
        (not_admitted(NotAdmitted::WaitedTooLong { max_wait: Duration::from_secs(300) }), "tollgate-queue"),
        (over_limit(ScopeKind::Key, None, Dimension::TokensPerMinute, 5), "tollgate-over-limit"),
        (over_limit(ScopeKind::Team, Some("kimi"), Dimension::RequestsPerDay, 1), "tollgate-over-limit"),
        (over_limit(ScopeKind::User, None, Dimension::ParallelRequests, 1), "tollgate-over-limit"),
        (over_limit(ScopeKind::Gateway, None, Dimension::InputTokensPerMinute, 99), "tollgate-over-limit"),
        (over_limit(ScopeKind::Deployment, None, Dimension::RequestsPerDay, 1), "tollgate-over-limit"),
        (over_limit(ScopeKind::Deployment, None, Dimension::ParallelRequests, 1), "tollgate-over-limit"),
        (Failure::LimitsUnknown, "tollgate-limits-unknown"),
        (over_budget(ScopeKind::Key), "tollgate-over-budget"),
        (over_budget(ScopeKind::Deployment), "tollgate-over-budget"),
        (over_budget(ScopeKind::Provider), "tollgate-over-budget"),
        (over_budget(ScopeKind::Tag), "tollgate-over-budget"),
        (Failure::OverBudget(Denied::Away), "tollgate-store-away"),
        (Failure::Store(StoreError::Away(sqlx::Error::PoolTimedOut)), "tollgate-store-away"),
        (
            Failure::Forbidden(authorise::Denial::Model {
                scope: ScopeKind::Team,
                model: "opus".into(),
                allowed: vec!["kimi".into()],
                more: 0,
            }),
            "tollgate-not-allowed",
        ),
        (Failure::Forbidden(authorise::Denial::Blocked { scope: ScopeKind::Key }), "tollgate-not-allowed"),
        (Failure::Forbidden(authorise::Denial::Expired { scope: ScopeKind::Key, at_ms: 0 }), "tollgate-not-allowed"),
        (Failure::PromptTooLong { route: "kimi".into(), tokens: 300_000, window: 262_144 }, "prompt-is-too-long"),
        (Failure::NoDeploymentWithTags { tags: vec!["paid".into()] }, "tollgate-no-deployment-with-tags"),
        (Failure::NoSuchRequest { id: "req_019a".into() }, "tollgate-unknown-request"),
        (Failure::KeyOfAnother, "tollgate-idempotency-key"),
        (Failure::StillAnswering { waited: Duration::from_secs(30) }, "tollgate-idempotency-key"),
        (Failure::NoSuchResponse { id: "resp_1".into(), of: None }, "tollgate-unknown-response"),
        (Failure::NoSuchResponse { id: "resp_1".into(), of: Some("resp_2".into()) }, "tollgate-unknown-response"),
        (Failure::NoSuchItem { id: "msg_1".into() }, "tollgate-unknown-response"),
        (Failure::NotInBackground { id: "resp_1".into() }, "tollgate-not-in-background"),
        (Failure::ShuttingDown, "tollgate-shutting-down"),
        (Failure::Internal("anything"), "tollgate-internal-error"),
    ]
}

#[test]
fn s38_every_failure_of_the_gateway_is_known() {
    for (failure, id) in failures() {
        let message = failure.public().message;
        assert_eq!(best(&message).map(|found| found.id.as_str()), Some(id), "{message}");
    }
}
