//! How each source is asked for a token, and what its answer means.
//!
//! Client secret, password and workload identity: RFC 6749 with RFC 7523, at the v2.0 token endpoint. Managed identities: the
//! endpoint of App Service (api-version 2019-08-01) and of virtual machines (2018-02-01). All as on learn.microsoft.com, 2026-08.

use bytes::Bytes;
use http::{HeaderName, Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use super::exchange::{MOST_WORDS, bounded, escaped, exchange, lasting, may_pass, post_form, token};
use super::{Client, NoToken, Token, cli};
use crate::config::entra::Source;
use crate::config::secret::Secret;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Entra ID's numbers, and what to do about each (learn.microsoft.com, Microsoft Entra error codes, 2026-08).
const HINTS: [(&str, &str); 10] = [
    ("AADSTS7000215", "client_secret must be the secret's value, not its id"),
    ("AADSTS7000222", "the client secret has expired: make a new one"),
    ("AADSTS700016", "client_id is no application of this tenant"),
    ("AADSTS90002", "tenant_id is no tenant of this cloud"),
    ("AADSTS900023", "tenant_id is neither an id nor a domain"),
    ("AADSTS70021", "add a federated credential with this issuer and subject to the identity"),
    ("AADSTS700213", "add a federated credential with this issuer and subject to the identity"),
    ("AADSTS50126", "azure_username or azure_password is wrong"),
    ("AADSTS50076", "this user needs a second factor: use a client secret or a managed identity"),
    ("AADSTS70011", "azure_scope must end in /.default"),
];

pub(super) async fn fetch(client: &Client, source: &Source, scope: &str) -> Result<Token, NoToken> {
    let name = name(source);
    let asked = match source {
        Source::Cli { tenant } => cli::az(scope, tenant.as_deref()).await,
        Source::DeveloperCli { tenant } => cli::azd(scope, tenant.as_deref()).await,
        _ => over_http(client, source, scope).await,
    };
    let answer = asked.and_then(|answer| token(&answer));
    answer.map_err(|error| NoToken { words: bounded(&format!("{name}: {}", error.words)), ..error })
}

fn name(source: &Source) -> &'static str {
    match source {
        Source::ClientSecret { .. } => "client secret",
        Source::Password { .. } => "username and password",
        Source::Workload { .. } => "workload identity",
        Source::AppService { .. } => "managed identity (IDENTITY_ENDPOINT)",
        Source::Imds { .. } => "managed identity (IMDS)",
        Source::Cli { .. } => "az account get-access-token",
        Source::DeveloperCli { .. } => "azd auth token",
    }
}

async fn over_http(client: &Client, source: &Source, scope: &str) -> Result<Value, NoToken> {
    let (request, secret) = request(source, scope).await?;
    let (status, body) = exchange(client, request).await?;
    match serde_json::from_slice(&body) {
        Ok(answer) if status.is_success() => Ok(answer),
        answer => Err(refusal(status, answer.ok().as_ref(), &body, &secret)),
    }
}

/// With the secret in it, which may be quoted in the answer.
async fn request(source: &Source, scope: &str) -> Result<(Request<Full<Bytes>>, Secret), NoToken> {
    match source {
        Source::ClientSecret { token_url, client_id, secret } => {
            let fields = [("grant_type", "client_credentials"), ("client_secret", secret.expose())];
            Ok((form(token_url, client_id, scope, &fields)?, secret.clone()))
        }
        Source::Password { token_url, client_id, username, password } => {
            let fields = [("grant_type", "password"), ("username", username), ("password", password.expose())];
            Ok((form(token_url, client_id, scope, &fields)?, password.clone()))
        }
        Source::Workload { token_url, client_id, file } => {
            // Read anew each time: it is replaced while the gateway runs.
            let read = tokio::fs::read_to_string(file).await;
            let read = read.map_err(|error| lasting(format!("{} cannot be read: {error}", file.display())))?;
            let proof = read.trim();
            let fields = [
                ("grant_type", "client_credentials"),
                ("client_assertion_type", ASSERTION),
                ("client_assertion", proof),
            ];
            Ok((form(token_url, client_id, scope, &fields)?, Secret::new(proof)))
        }
        Source::AppService { endpoint, header, client_id } => {
            let url = identity_url(endpoint, "2019-08-01", scope, client_id.as_deref());
            Ok((identity(&url, HeaderName::from_static("x-identity-header"), header.expose())?, header.clone()))
        }
        Source::Imds { base, client_id } => {
            let path = format!("{base}/metadata/identity/oauth2/token");
            let url = identity_url(&path, "2018-02-01", scope, client_id.as_deref());
            Ok((identity(&url, HeaderName::from_static("metadata"), "true")?, Secret::new("")))
        }
        Source::Cli { .. } | Source::DeveloperCli { .. } => Err(lasting("is a program")),
    }
}

fn form(url: &str, client_id: &str, scope: &str, fields: &[(&str, &str)]) -> Result<Request<Full<Bytes>>, NoToken> {
    let own = [("client_id", client_id), ("scope", scope)];
    let fields: Vec<(&str, &str)> = fields.iter().chain(&own).copied().collect();
    let request = post_form(url, &fields);
    request.map_err(|_| lasting("AZURE_AUTHORITY_HOST and tenant_id make no address"))
}

/// Managed identities are asked for a resource, not for a scope.
fn identity_url(base: &str, version: &str, scope: &str, client_id: Option<&str>) -> String {
    let resource = escaped(scope.strip_suffix("/.default").unwrap_or(scope));
    let client_id = client_id.map(|id| format!("&client_id={}", escaped(id))).unwrap_or_default();
    let joint = if base.contains('?') { '&' } else { '?' };
    format!("{base}{joint}api-version={version}&resource={resource}{client_id}")
}

fn identity(url: &str, header: HeaderName, value: &str) -> Result<Request<Full<Bytes>>, NoToken> {
    let request = Request::get(url).header(header, value).body(Full::default());
    request.map_err(|_| lasting("IDENTITY_ENDPOINT, IDENTITY_HEADER or AZURE_POD_IDENTITY_AUTHORITY_HOST is malformed"))
}

/// `{"error", "error_description"}`, where the description goes on with trace ids in further lines.
fn refusal(status: StatusCode, answer: Option<&Value>, body: &[u8], secret: &Secret) -> NoToken {
    let text = |name: &str| answer.and_then(|answer| answer[name].as_str()).unwrap_or("");
    let said = match (text("error"), text("error_description")) {
        ("", "") => String::from_utf8_lossy(body).trim().to_string(),
        (code, description) => format!("{code}: {}", description.lines().next().unwrap_or_default().trim()),
    };
    let said = match secret.expose() {
        "" => said,
        secret => said.replace(secret, "[redacted]"),
    };
    let hint = HINTS.iter().find(|(number, _)| said.contains(&format!("{number}:")));
    let hint = hint.map(|(_, hint)| format!(" ({hint})")).unwrap_or_default();
    let said: String = said.chars().take(MOST_WORDS - 100).collect();
    let again = may_pass(status) || status == StatusCode::GONE;
    NoToken { words: format!("status {}: {said}{hint}", status.as_u16()), temporary: again }
}

#[cfg(test)]
mod tests;
