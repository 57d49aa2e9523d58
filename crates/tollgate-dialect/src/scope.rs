//! Whom a refusal concerns: one model, or everything behind the credential. The one table for both dialects.

use crate::error::ErrorKind::{self, Permission, RateLimited};
use crate::error::Scope::{self, Account, Model, Unsaid};

/// A row holds for errors of its kind (of any, without one) that have its phrase, in lower case.
struct Row {
    kind: Option<ErrorKind>,
    phrase: &'static str,
    scope: Scope,
}

const fn limit(phrase: &'static str, scope: Scope) -> Row {
    Row { kind: Some(RateLimited), phrase, scope }
}

const fn refused(phrase: &'static str) -> Row {
    Row { kind: Some(Permission), phrase, scope: Account }
}

/// The first row that holds decides.
const ROWS: &[Row] = &[
    // OpenAI: the key may call no model at all ("Missing scopes: model.request").
    Row { kind: None, phrase: "missing scopes", scope: Account },
    // Limits of an organisation that hold for each model apart. OpenAI and Groq: "Rate limit reached for gpt-4.1 in
    // organization org-1 on tokens per min".
    limit(" in organization ", Model),
    // Anthropic (docs.claude.com, rate limits, 2026-11: per organization and class of models).
    limit("organization's rate limit of", Model),
    limit("rate limit for your organization", Model),
    limit("maximum usage increase rate", Model),
    // OpenRouter: "limit_rpm/qwen/qwen3-coder/…", "qwen/qwen3-coder:free is temporarily rate-limited upstream".
    limit("limit_rpm/", Model),
    limit("rate-limited upstream", Model),
    // Whatever names a model, OpenRouter's "free-models-per-day" too: it leaves the paid models of the account alone.
    Row { kind: None, phrase: "model", scope: Model },
    // Moonshot (platform.moonshot.cn/docs/introduction, 2026-11: limits are the user's and shared by all models).
    limit("request reached organization", Account),
    limit("max organization concurrency", Account),
    limit("organization rate limit exceeded", Account),
    // xAI, without "and model …".
    limit("too many requests for team", Account),
    // OpenRouter's budget for requests under way.
    limit("openrouter_in_flight_budget", Account),
    // Anthropic: "would exceed your account's rate limit"; and anybody who speaks so.
    limit("your account", Account),
    limit("your organization", Account),
    limit("this organization", Account),
    limit("your project", Account),
    limit("your api key", Account),
    limit("this api key", Account),
    // Google: "Consumer 'api_key:…' has been suspended", "Requests to this API … are blocked", "reported as leaked".
    refused("has been suspended"),
    refused("are blocked"),
    refused("reported as leaked"),
    // Anthropic: "This organization has been disabled.", "OAuth authentication is currently not allowed for this organization".
    refused("has been disabled"),
    refused("for this organization"),
    // OpenRouter: "Key limit exceeded (total limit). Manage it using …".
    refused("key limit exceeded"),
    // OpenAI refuses the whole address from which the key is used.
    refused("country, region, or territory not supported"),
];

/// `words`: the message and what else the error says.
pub fn of(kind: ErrorKind, words: &str) -> Scope {
    let words = words.to_ascii_lowercase();
    let holds = |row: &&Row| row.kind.is_none_or(|of| of == kind) && words.contains(row.phrase);
    ROWS.iter().find(holds).map_or(Unsaid, |row| row.scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind::{Api, Billing};

    #[test]
    fn a_limit_is_the_models_or_the_accounts_in_each_vendors_words() {
        let rows = [
            ("Rate limit reached for gpt-4.1 in organization org-np2 on tokens per min (TPM): Limit 30000", Model),
            (
                "This request would exceed your organization's rate limit of 40,000 input tokens per minute (org: 1f3b, model: claude-sonnet-4-5)",
                Model,
            ),
            (
                "This request would exceed the rate limit for your organization (1f3b) of 30,000 input tokens per minute.",
                Model,
            ),
            (
                "This request would exceed your organization's (1f3b) maximum usage increase rate for input tokens per minute.",
                Model,
            ),
            ("This request would exceed your account's rate limit. Please try again later.", Account),
            ("Number of request tokens has exceeded your per-minute rate limit", Unsaid),
            (
                "Your account org-1f3b<ak-2> request reached organization max RPM: 3, please try again after 1 seconds",
                Account,
            ),
            ("Your account org-1f3b<ak-2> request reached max organization concurrency: 1", Account),
            ("Organization Rate limit exceeded, please try again after 1 seconds", Account),
            ("Too many requests for team f1692451 and model grok-4.5. Requests per Minute (actual/limit): 2/2.", Model),
            ("Too many requests for team abc. See https://console.x.ai/team/default/rate-limits.", Account),
            ("Rate limit exceeded: limit_rpm/qwen/qwen3-next-80b-a3b-instruct/1. Please retry shortly.", Model),
            (
                "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day",
                Model,
            ),
            ("qwen/qwen3-coder:free is temporarily rate-limited upstream.", Model),
            ("Service tier capacity exceeded for this model.", Model),
            ("slow down", Unsaid),
        ];
        for (words, scope) in rows {
            assert_eq!(of(RateLimited, words), scope, "{words}");
        }
    }

    #[test]
    fn a_permission_is_refused_for_a_model_or_to_the_key() {
        let rows = [
            ("Permission denied: Consumer 'api_key:[redacted]' has been suspended.", Account),
            ("Requests to this API generativelanguage.googleapis.com method X are blocked.", Account),
            ("Your API key was reported as leaked. Please use another API key.", Account),
            ("This organization has been disabled.", Account),
            ("Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys", Account),
            ("You have insufficient permissions for this operation. Missing scopes: model.request.", Account),
            ("Country, region, or territory not supported", Account),
            ("The model `llama-3` is blocked at the project level.", Model),
            ("Your organization must be verified to use the model `o3`.", Model),
            ("Your account may not do this", Unsaid),
            ("forbidden", Unsaid),
        ];
        for (words, scope) in rows {
            assert_eq!(of(Permission, words), scope, "{words}");
        }
    }

    #[test]
    fn other_errors_are_the_models_where_they_name_one() {
        assert_eq!(of(Api, "The model has crashed"), Model);
        assert_eq!(
            of(Billing, "Quota exceeded for metric: free_tier_requests, limit: 20, model: gemini-2.5-flash"),
            Model
        );
        assert_eq!(of(Billing, "You exceeded your current quota, please check your plan and billing details."), Unsaid);
        assert_eq!(of(Api, "your account cannot be read"), Unsaid);
    }
}
