//! What a client is told of a limit that its request does not fit into. The scope is named by its kind alone: a key's id is its
//! hash.

use std::time::Duration;

use tollgate_dialect::error::{ErrorKind, PublicError};
use tollgate_policy::access::ScopeKind;
use tollgate_policy::limit::{Denial, Dimension};

pub fn over_limit(denial: &Denial, retry_after: Duration) -> PublicError {
    let Denial { kind, model, dimension, limit, remaining, needed, .. } = denial;
    let model_words = model.as_ref().map_or(String::new(), |model| format!(" with the model {model}"));
    let bound = format!("{limit} {} are allowed to {}{model_words}", dimension.unit(), whom(*kind));
    let seconds = retry_after.as_secs();
    let setting = setting(denial);
    let message = if denial.is_final() {
        format!(
            "Rate limit exceeded: {bound}, and this request alone needs {needed} ({setting} decides). It can never pass."
        )
    } else if *dimension == Dimension::ParallelRequests {
        format!(
            "Rate limit exceeded: {bound}, and as many are running ({setting} decides). Try again when one has ended."
        )
    } else {
        format!(
            "Rate limit exceeded: {bound}; {remaining} are left, and {needed} needed ({setting} decides). Try again in {seconds} s."
        )
    };
    PublicError {
        retry_after: Some(retry_after),
        should_retry: denial.is_final().then_some(false),
        ..PublicError::new(429, ErrorKind::RateLimited, message)
    }
}

/// Redis is away, and the setting is to refuse then.
pub fn limits_unknown() -> PublicError {
    PublicError {
        retry_after: Some(Duration::from_secs(1)),
        ..PublicError::new(
            503,
            ErrorKind::Overloaded,
            "The gateway cannot tell whether the request is within its rate limits, because Redis is away \
             (tollgate_settings.limits_without_redis: refuse, or general_settings.fail_closed_rate_limit_enforcement, decides). Try again.",
        )
    }
}

/// Where the limit is set, in LiteLLM's words where it has some.
fn setting(denial: &Denial) -> String {
    let word = denial.dimension.setting(denial.kind, denial.model.is_some());
    match (denial.kind, &denial.model) {
        (ScopeKind::Gateway, Some(model)) => {
            let word = denial.dimension.setting(denial.kind, false);
            format!("tollgate_settings.limits.models.{model}.{word}")
        }
        (ScopeKind::Gateway, None) if denial.dimension == Dimension::ParallelRequests => {
            format!("tollgate_settings.limits.{word}, else general_settings.global_max_parallel_requests,")
        }
        (ScopeKind::Gateway, None) => format!("tollgate_settings.limits.{word}"),
        (ScopeKind::Deployment, _) if denial.dimension == Dimension::ParallelRequests => {
            format!("litellm_params.{word}")
        }
        (ScopeKind::Deployment, _) => {
            format!(
                "litellm_params.{word}, with enforce_model_rate_limits in router_settings.optional_pre_call_checks,"
            )
        }
        (kind, _) => format!("{word} of {}", whom(kind)),
    }
}

fn whom(kind: ScopeKind) -> String {
    match kind {
        ScopeKind::Gateway => "all callers together".to_string(),
        kind => format!("the {}", kind.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(kind: ScopeKind, model: Option<&str>, dimension: Dimension, needed: u64) -> Denial {
        let model = model.map(Into::into);
        Denial { kind, model, dimension, limit: 10, remaining: 3, needed, resets_at_ms: Some(0) }
    }

    #[test]
    fn the_limit_its_scope_and_the_setting_are_named() {
        let told = |kind, model, dimension, needed| {
            let public = over_limit(&denial(kind, model, dimension, needed), Duration::from_secs(12));
            assert_eq!((public.status, public.kind), (429, ErrorKind::RateLimited));
            assert_eq!(public.retry_after, Some(Duration::from_secs(12)));
            (public.message, public.should_retry)
        };
        let message = "Rate limit exceeded: 10 tokens per minute are allowed to the key; 3 are left, and 7 needed (tpm_limit of the key decides). Try again in 12 s.";
        assert_eq!(told(ScopeKind::Key, None, Dimension::TokensPerMinute, 7), (message.into(), None));
        let message = "Rate limit exceeded: 10 requests per minute are allowed to the team with the model kimi; 3 are left, and 1 needed (model_rpm_limit of the team decides). Try again in 12 s.";
        assert_eq!(told(ScopeKind::Team, Some("kimi"), Dimension::RequestsPerMinute, 1), (message.into(), None));
        let message = "Rate limit exceeded: 10 requests at the same time are allowed to the user, and as many are running (max_parallel_requests of the user decides). Try again when one has ended.";
        assert_eq!(told(ScopeKind::User, None, Dimension::ParallelRequests, 1), (message.into(), None));
        let message = "Rate limit exceeded: 10 tokens per day are allowed to all callers together with the model *, and this request alone needs 11 (tollgate_settings.limits.models.*.tpd_limit decides). It can never pass.";
        assert_eq!(told(ScopeKind::Gateway, Some("*"), Dimension::TokensPerDay, 11), (message.into(), Some(false)));
    }
}
