//! A deployment's key, and the headers that go with every request to it.

use http::{HeaderName, HeaderValue};

use crate::registry::Auth;

use super::context::Resolved;
use super::secret::Secret;
use super::section::{Section, json};
use super::target::Target;
use super::yaml::Value;

/// The header with the key; `None` if there is no key, with a problem reported where one is needed.
pub fn credential(params: &Section<'_, '_>, target: &Target) -> Option<(HeaderName, Secret)> {
    let key = key(params, target)?;
    let (name, value) = match target.auth {
        Auth::Bearer => (http::header::AUTHORIZATION, format!("Bearer {key}")),
        Auth::XApiKey => (HeaderName::from_static("x-api-key"), key),
        Auth::ApiKey => (HeaderName::from_static("api-key"), key),
        Auth::XGoogApiKey => (HeaderName::from_static("x-goog-api-key"), key),
    };
    if HeaderValue::from_str(&value).is_err() {
        let at = params.entry("api_key").map_or(params.at, |entry| entry.node.at);
        let hint = "look for a line break or a character outside ASCII in it";
        params.cx.error(
            at,
            &params.path_of("api_key"),
            "the key holds a character that no HTTP header can carry",
            hint,
        );
        return None;
    }
    Some((name, Secret::new(value)))
}

fn key(params: &Section<'_, '_>, target: &Target) -> Option<String> {
    let cx = params.cx;
    let path = params.path_of("api_key");
    if let Some(node) = params.take("api_key") {
        match cx.resolve(node) {
            Resolved::Text(text) if text.starts_with("oidc/") => {
                let hint = "give a key; tokens from an identity provider arrive in a later version";
                cx.error(node.at, &path, "a token by `oidc/…` cannot be had yet", hint);
                return None;
            }
            Resolved::Text(text) if !text.trim().is_empty() => return Some(text.trim().to_string()),
            Resolved::Text(_) => {}
            Resolved::Missing(name) => {
                let message = format!("the environment variable {name} is not set");
                let hint = format!("set {name}, or name another variable: `api_key: os.environ/NAME`");
                if target.row.key_optional {
                    cx.warning(node.at, &path, message, hint);
                } else {
                    cx.error(node.at, &path, message, hint);
                }
                return None;
            }
            Resolved::Structure => {
                params.wrong(node, "api_key", "text");
                return None;
            }
        }
    }
    let found = target.key_variables.iter().find_map(|name| cx.variable(name));
    if found.is_none() && target.key_required {
        let mut hint = format!("set {} or write `api_key: os.environ/NAME`", target.key_variables.join(" or "));
        if target.row.is_azure() {
            hint.push_str(
                "; or sign in with Entra ID: `tenant_id`, `client_id` and `client_secret`, or for a managed identity, a \
                 workload identity or `az login` `litellm_settings.enable_azure_ad_token_refresh: true` (docs/azure.md)",
            );
        }
        cx.error(params.at, &path, format!("there is no key for {}", target.row.name), hint);
    }
    found.map(|key| key.trim().to_string())
}

/// `quota_project`: of Google's credentials.
pub fn headers(
    params: &Section<'_, '_>,
    organization: Option<&str>,
    quota_project: Option<&str>,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for (name, value) in [("openai-organization", organization), ("x-goog-user-project", quota_project)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.push((HeaderName::from_static(name), value));
        }
    }
    for key in ["headers", "extra_headers"] {
        let Some(section) = params.section(key) else { continue };
        for entry in &section.map.entries {
            let path = section.path_of(&entry.key);
            let text = match &entry.node.value {
                Value::Text(_) => json(params.cx, &entry.node, &path).as_text().map(|t| t.decode().into_owned()),
                _ => match params.cx.resolve(&entry.node) {
                    Resolved::Text(text) => Some(text),
                    _ => None,
                },
            };
            // A missing variable was reported.
            let Some(text) = text else { continue };
            match (HeaderName::try_from(&entry.key), HeaderValue::try_from(text.trim())) {
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.retain(|(known, _)| *known != name);
                    headers.push((name, value));
                }
                _ => params.cx.error(entry.at, &path, "is no valid HTTP header", "use plain ASCII in names and values"),
            }
        }
    }
    headers
}
