//! How each of Google's sources is asked for a token, and what its refusal means.
//!
//! Service accounts: RFC 7523 at the `token_uri` of the file. Workload identity federation: RFC 8693 at the Security Token
//! Service. Impersonation: IAM Credentials, `generateAccessToken`. The metadata server: `computeMetadata/v1`. All as on
//! docs.cloud.google.com and in google-auth 2.56, 2026-11.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::exchange::{MOST_WORDS, bounded, escaped, exchange, lasting, may_pass, passing, post_form, token};
use super::{Client, NoToken, Token};
use crate::config::google::{External, Source, Subject};
use crate::config::secret::Secret;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Google takes no assertion that is good for longer.
const ASSERTION_SECONDS: u64 = 3600;

const JWT_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const EXCHANGE_GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Google's words, in lower case, and what to do about each (docs.cloud.google.com, Troubleshoot authentication, 2026-11).
const HINTS: [(&str, &str); 8] = [
    ("invalid jwt signature", "the key of the service account was deleted or is another's: make a new one"),
    ("invalid jwt: token must be", "the clock of this machine is wrong"),
    ("account not found", "client_email is no service account any more"),
    ("expired or revoked", "run `gcloud auth application-default login` again"),
    ("invalid_rapt", "run `gcloud auth application-default login` again, or use a service account"),
    (
        "iam.serviceaccounts.getaccesstoken",
        "give who asks the role Service Account Token Creator, or Workload Identity User",
    ),
    ("the audience in", "the pool's provider expects another audience"),
    ("mapped attribute", "look at the attribute mapping of the pool's provider"),
];

pub(super) async fn fetch(client: &Client, source: &Source) -> Result<Token, NoToken> {
    let named = |name: &str, error: NoToken| NoToken { words: bounded(&format!("{name}: {}", error.words)), ..error };
    match source {
        Source::Impersonated { url, seconds, delegates, by } => {
            let own = Box::pin(fetch(client, by)).await?;
            let asked = impersonate(client, url, *seconds, delegates, &own.secret).await;
            asked.map_err(|error| named("service account impersonation", error))
        }
        Source::ServiceAccount { token_url, email, key_id, key } => {
            let asked = service_account(client, token_url, email, key_id.as_deref(), key).await;
            asked.map_err(|error| named("service account", error))
        }
        Source::AuthorizedUser { token_url, client_id, client_secret, refresh_token } => {
            let fields = [
                ("grant_type", "refresh_token"),
                ("client_id", client_id),
                ("client_secret", client_secret.expose()),
                ("refresh_token", refresh_token.expose()),
            ];
            let asked = post(client, token_url, &fields, None, &[client_secret, refresh_token]).await;
            asked.map_err(|error| named("gcloud auth application-default login", error))
        }
        Source::External(external) => {
            federated(client, external).await.map_err(|error| named("workload identity federation", error))
        }
        Source::Metadata { base } => metadata(client, base).await.map_err(|error| named("metadata server", error)),
    }
}

async fn service_account(
    client: &Client,
    token_url: &str,
    email: &str,
    key_id: Option<&str>,
    key: &Secret,
) -> Result<Token, NoToken> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({"iss": email, "scope": SCOPE, "aud": token_url, "iat": now, "exp": now + ASSERTION_SECONDS});
    let header = Header { kid: key_id.map(str::to_string), ..Header::new(Algorithm::RS256) };
    let assertion = EncodingKey::from_rsa_pem(key.expose().as_bytes())
        .and_then(|key| jsonwebtoken::encode(&header, &claims, &key))
        .map_err(|_| lasting("private_key cannot sign"))?;
    let fields = [("grant_type", JWT_GRANT), ("assertion", assertion.as_str())];
    post(client, token_url, &fields, None, &[&Secret::new(&assertion)]).await
}

async fn federated(client: &Client, external: &External) -> Result<Token, NoToken> {
    let subject = subject_token(client, external).await?;
    let options = external.user_project.as_ref().map(|project| json!({"userProject": project}).to_string());
    let mut fields = vec![
        ("grant_type", EXCHANGE_GRANT),
        ("audience", external.audience.as_str()),
        ("scope", SCOPE),
        ("requested_token_type", ACCESS_TOKEN),
        ("subject_token_type", external.subject_token_type.as_str()),
        ("subject_token", subject.expose()),
    ];
    fields.extend(options.iter().map(|options| ("options", options.as_str())));
    let basic = external.client.as_ref().map(|(id, secret)| {
        let pair = format!("{}:{}", escaped(id), escaped(secret.expose()));
        Secret::new(format!("Basic {}", STANDARD.encode(pair)))
    });
    post(client, &external.token_url, &fields, basic.as_ref(), &[&subject]).await
}

/// The token of the other issuer.
async fn subject_token(client: &Client, external: &External) -> Result<Secret, NoToken> {
    let (text, whence) = match &external.subject {
        Subject::File(file) => {
            let read = tokio::fs::read_to_string(file).await;
            let read = read.map_err(|error| lasting(format!("{} cannot be read: {error}", file.display())))?;
            (read, file.display().to_string())
        }
        Subject::Url { url, headers } => {
            let mut request = Request::get(url);
            for (name, value) in headers {
                request = request.header(name, value.expose());
            }
            let request = request.body(Full::default());
            let request = request.map_err(|_| lasting("credential_source.url or its headers are malformed"))?;
            let (status, body) = exchange(client, request).await?;
            if !status.is_success() {
                return Err(refusal(status, &body, headers.iter().map(|(_, value)| value)));
            }
            (String::from_utf8_lossy(&body).into_owned(), "credential_source.url".to_string())
        }
    };
    let found = match &external.field {
        None => Some(text.trim().to_string()),
        Some(field) => {
            serde_json::from_str::<Value>(&text).ok().and_then(|json| json[field].as_str().map(str::to_string))
        }
    };
    let found = found.filter(|token| !token.is_empty());
    found.map(Secret::new).ok_or_else(|| lasting(format!("there is no token in what {whence} gives")))
}

async fn impersonate(
    client: &Client,
    url: &str,
    seconds: u64,
    delegates: &[String],
    own: &Secret,
) -> Result<Token, NoToken> {
    let body = json!({"scope": [SCOPE], "lifetime": format!("{seconds}s"), "delegates": delegates});
    let request = Request::post(url)
        .header(AUTHORIZATION, sensitive(&format!("Bearer {}", own.expose()))?)
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())));
    ask(client, request, [own].into_iter()).await
}

async fn metadata(client: &Client, base: &str) -> Result<Token, NoToken> {
    let url = format!("{base}/computeMetadata/v1/instance/service-accounts/default/token?scopes={}", escaped(SCOPE));
    let request = Request::get(url).header("metadata-flavor", "Google").body(Full::default());
    ask(client, request, std::iter::empty()).await
}

async fn post(
    client: &Client,
    url: &str,
    fields: &[(&str, &str)],
    authorization: Option<&Secret>,
    secrets: &[&Secret],
) -> Result<Token, NoToken> {
    let mut request = post_form(url, fields);
    if let (Ok(request), Some(authorization)) = (&mut request, authorization) {
        request.headers_mut().insert(AUTHORIZATION, sensitive(authorization.expose())?);
    }
    ask(client, request, secrets.iter().copied().chain(authorization)).await
}

fn sensitive(text: &str) -> Result<HeaderValue, NoToken> {
    let value = HeaderValue::from_str(text);
    let mut value = value.map_err(|_| lasting("the token holds characters that no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// `secrets`: what is sent, and may be quoted in the answer.
async fn ask<'s>(
    client: &Client,
    request: Result<Request<Full<Bytes>>, http::Error>,
    secrets: impl Iterator<Item = &'s Secret>,
) -> Result<Token, NoToken> {
    let request = request.map_err(|_| lasting("the address of the credentials is malformed"))?;
    let (status, body) = exchange(client, request).await?;
    if !status.is_success() {
        return Err(refusal(status, &body, secrets));
    }
    let answer = serde_json::from_slice(&body).map_err(|_| passing("the answer is not JSON"))?;
    token(&answer)
}

/// `{"error", "error_description"}` of token endpoints, `{"error": {"status", "message"}}` of IAM, and words of the metadata server.
fn refusal<'s>(status: StatusCode, body: &[u8], secrets: impl Iterator<Item = &'s Secret>) -> NoToken {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let (code, description) = match &answer["error"] {
        Value::Object(error) => (text(&error["status"]), text(&error["message"])),
        error => (text(error), text(&answer["error_description"])),
    };
    let said = match (code.as_str(), description.lines().next().unwrap_or_default()) {
        ("", "") => String::from_utf8_lossy(body).trim().to_string(),
        (code, "") => code.to_string(),
        (code, description) => format!("{code}: {description}"),
    };
    let secrets = secrets.map(Secret::expose).filter(|secret| !secret.is_empty());
    let said = secrets.fold(said, |said, secret| said.replace(secret, "[redacted]"));
    let lower = said.to_lowercase();
    let hint = HINTS.iter().find(|(words, _)| lower.contains(words));
    let hint = hint.map(|(_, hint)| format!(" ({hint})")).unwrap_or_default();
    let said: String = said.chars().take(MOST_WORDS - 120).collect();
    NoToken { words: format!("status {}: {said}{hint}", status.as_u16()), temporary: may_pass(status) }
}

#[cfg(test)]
mod tests;
