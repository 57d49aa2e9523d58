//! Google Cloud: the endpoints that give access tokens, and Vertex AI's front that lets nobody through without one.
//!
//! Paths, fields and words are those of docs.cloud.google.com (OAuth 2.0 for service accounts, Security Token Service, IAM
//! Credentials, metadata server) and of google-auth 2.56, 2026-11; checked here without the gateway's code.

mod assertion;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Method;
use http::request::Parts;
use serde_json::{Value, json};

use crate::form::pairs;
use crate::refusal::{Check, Refusal};
use crate::tokens::Tokens;
use assertion::Signer;

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const EMAIL: &str = "gateway@my-project-1.iam.gserviceaccount.com";
const AUDIENCE: &str = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/k8s";
const CLIENT_ID: &str = "764086051850-canary.apps.googleusercontent.com";

/// A project with its identities; clones share the tokens.
#[derive(Debug, Clone)]
pub struct Google {
    pub project: String,
    pub location: String,
    /// Takes this key in place of a token.
    pub key: Option<String>,
    /// What Vertex AI takes.
    pub tokens: Tokens,
    /// What federation gives where a service account is to be impersonated: good for nothing else.
    federated: Option<Tokens>,
    /// Holds `client_secret` and `refresh_token` of a person.
    pub refresh_token: String,
    pub client_secret: String,
    /// The token of the workload's own issuer.
    pub subject_token: String,
    signer: Arc<Signer>,
}

impl Default for Google {
    fn default() -> Self {
        Self::new()
    }
}

impl Google {
    pub fn new() -> Self {
        Self {
            project: "my-project-1".to_owned(),
            location: "us-east5".to_owned(),
            key: None,
            tokens: Tokens::new("ya29.canary-token"),
            federated: None,
            refresh_token: "1//refresh-canary-31d8".to_owned(),
            client_secret: "client-secret-canary-5c07".to_owned(),
            subject_token: "subject-canary-token-b9e4".to_owned(),
            signer: Arc::default(),
        }
    }

    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// Federation gives tokens that only impersonate.
    #[must_use]
    pub fn impersonated(mut self) -> Self {
        self.federated = Some(Tokens::new("ya29.federated-canary"));
        self
    }

    /// Its file, as Google's console writes it, with the token endpoint at `base`.
    pub fn service_account(&self, base: &str) -> Value {
        json!({"type": "service_account", "project_id": self.project, "private_key_id": assertion::KEY_ID,
            "private_key": self.signer.pem(), "client_email": EMAIL, "client_id": "1", "token_uri": format!("{base}/token"),
            "universe_domain": "googleapis.com"})
    }

    /// What `gcloud auth application-default login` leaves.
    pub fn authorized_user(&self, base: &str) -> Value {
        json!({"type": "authorized_user", "client_id": CLIENT_ID, "client_secret": self.client_secret,
            "refresh_token": self.refresh_token, "quota_project_id": "quota-project-7", "token_uri": format!("{base}/token")})
    }

    /// What `gcloud iam workload-identity-pools create-cred-config` writes.
    pub fn external_account(&self, base: &str, source: &Value) -> Value {
        let mut file = json!({"type": "external_account", "audience": AUDIENCE, "token_url": format!("{base}/v1/token"),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": source});
        if self.federated.is_some() {
            let url = format!("{base}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken");
            file["service_account_impersonation_url"] = json!(url);
            file["service_account_impersonation"] = json!({"token_lifetime_seconds": 1800});
        }
        file
    }

    /// Texts that nobody may see.
    pub fn secrets(&self) -> Vec<String> {
        let pem = self.signer.pem();
        let line = pem.lines().nth(3).unwrap_or_default().to_owned();
        vec![
            line,
            self.refresh_token.clone(),
            self.client_secret.clone(),
            self.subject_token.clone(),
            "ya29.".to_owned(),
        ]
    }

    /// `None`: the path is none of a token endpoint.
    pub(crate) fn token_endpoint(&self, head: &Parts, body: &[u8]) -> Option<Check<Value>> {
        let path = head.uri.path();
        let given = match path {
            "/token" => self.oauth(head, body),
            "/v1/token" => self.exchange(head, body),
            "/subject-token" => self.subject(head),
            "/computeMetadata/v1/instance/service-accounts/default/token" => self.metadata(head),
            path if path.ends_with(":generateAccessToken") => self.impersonate(head, body),
            _ => return None,
        };
        if let Some(status) = self.tokens.is_down() {
            return Some(Err(refused(status, "internal_failure", "The service is away.")));
        }
        Some(given)
    }

    fn answer(&self, tokens: &Tokens) -> Value {
        json!({"access_token": tokens.issue(), "expires_in": self.tokens.good_for().as_secs(), "token_type": "Bearer"})
    }

    fn oauth(&self, head: &Parts, body: &[u8]) -> Check<Value> {
        let fields = form(head, body)?;
        let field = |name: &str| value(&fields, name);
        match field("grant_type") {
            Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => {
                let sent = field("assertion").unwrap_or_default();
                let host = head.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
                self.signer.check(sent, EMAIL, SCOPE, &format!("http://{host}/token"))?;
                Ok(self.answer(&self.tokens))
            }
            Some("refresh_token") => {
                if field("client_id") != Some(CLIENT_ID) || field("client_secret") != Some(&self.client_secret) {
                    return Err(refused(401, "invalid_client", "The OAuth client was not found."));
                }
                let sent = field("refresh_token").unwrap_or_default();
                if sent != self.refresh_token {
                    // The real one does not quote it; a proxy in between may.
                    let words = format!("Token has been expired or revoked. Sent: {sent}");
                    return Err(refused(400, "invalid_grant", &words));
                }
                Ok(self.answer(&self.tokens))
            }
            _ => Err(refused(400, "unsupported_grant_type", "Invalid grant_type")),
        }
    }

    fn exchange(&self, head: &Parts, body: &[u8]) -> Check<Value> {
        let fields = form(head, body)?;
        let field = |name: &str| value(&fields, name);
        let expected = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("audience", AUDIENCE),
            ("scope", SCOPE),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        if let Some((name, _)) = expected.iter().find(|(name, expected)| field(name) != Some(expected)) {
            return Err(refused(400, "invalid_request", &format!("Invalid value for \"{name}\".")));
        }
        if field("subject_token") != Some(&self.subject_token) {
            let sent = field("subject_token").unwrap_or_default();
            let words = format!("The given credential is rejected by the attribute condition. Sent: {sent}");
            return Err(refused(401, "invalid_grant", &words));
        }
        let tokens = self.federated.as_ref().unwrap_or(&self.tokens);
        let mut answer = self.answer(tokens);
        answer["issued_token_type"] = json!("urn:ietf:params:oauth:token-type:access_token");
        Ok(answer)
    }

    fn impersonate(&self, head: &Parts, body: &[u8]) -> Check<Value> {
        let good = self.federated.as_ref().unwrap_or(&self.tokens);
        if !bearer(head).is_some_and(|token| good.is_good(token)) {
            return Err(unauthenticated("Request had invalid authentication credentials.", "ACCESS_TOKEN_EXPIRED"));
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if head.uri.path() != format!("/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken") {
            let words = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).";
            return Err(crate::gemini::refusal(403, words));
        }
        if body["scope"] != json!([SCOPE]) || body["lifetime"].as_str().is_none_or(|time| !time.ends_with('s')) {
            return Err(crate::gemini::refusal(400, "Request contains an invalid argument."));
        }
        let ends = (SystemTime::now() + self.tokens.good_for()).duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(json!({"accessToken": self.tokens.issue(), "expireTime": stamp(ends.as_secs())}))
    }

    fn subject(&self, head: &Parts) -> Check<Value> {
        match head.headers.get("x-issuer").and_then(|value| value.to_str().ok()) {
            Some("yes") if head.method == Method::GET => Ok(json!({"id_token": self.subject_token})),
            _ => Err(refused(403, "forbidden", "Who asks?")),
        }
    }

    fn metadata(&self, head: &Parts) -> Check<Value> {
        let flavor = head.headers.get("metadata-flavor").and_then(|value| value.to_str().ok());
        if head.method != Method::GET || flavor != Some("Google") {
            return Err(refused(403, "Forbidden", "Missing Metadata-Flavor:Google header."));
        }
        let fields = pairs(head.uri.query().unwrap_or_default());
        if value(&fields, "scopes") != Some(SCOPE) {
            return Err(refused(400, "invalid_scope", "Bad scopes"));
        }
        Ok(self.answer(&self.tokens))
    }

    /// Everything else passes here.
    pub(crate) fn front(&self, head: &Parts) -> Check {
        let path = head.uri.path();
        let sent_key = head.headers.get("x-goog-api-key").and_then(|value| value.to_str().ok());
        if self.key.is_some() && sent_key == self.key.as_deref() && path.starts_with("/v1/publishers/google/") {
            return Ok(());
        }
        match bearer(head) {
            None => {
                let words = "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.";
                return Err(unauthenticated(words, "CREDENTIALS_MISSING"));
            }
            Some(token) if !self.tokens.is_good(token) => {
                let words = format!(
                    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project. Sent: {token}"
                );
                return Err(unauthenticated(&words, "ACCESS_TOKEN_EXPIRED"));
            }
            Some(_) => {}
        }
        let own = format!("/projects/{}/locations/{}/", self.project, self.location);
        if ["/v1", "/v1beta1"].iter().any(|version| path.starts_with(&format!("{version}{own}"))) {
            return Ok(());
        }
        let words = format!(
            "Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com{path}' (or it may not exist)."
        );
        Err(crate::gemini::refusal(403, words))
    }
}

fn form(head: &Parts, body: &[u8]) -> Check<Vec<(String, String)>> {
    let kind = head.headers.get("content-type").and_then(|value| value.to_str().ok());
    if head.method != Method::POST || kind != Some("application/x-www-form-urlencoded") {
        return Err(refused(400, "invalid_request", "The request body must be a form."));
    }
    Ok(pairs(&String::from_utf8_lossy(body)))
}

fn value<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn bearer(head: &Parts) -> Option<&str> {
    head.headers.get("authorization")?.to_str().ok()?.strip_prefix("Bearer ")
}

fn refused(status: u16, error: &str, words: &str) -> Refusal {
    Refusal {
        status,
        message: words.to_owned(),
        headers: Vec::new(),
        body: json!({"error": error, "error_description": words}),
    }
}

fn unauthenticated(words: &str, reason: &str) -> Refusal {
    let mut refusal = crate::gemini::refusal(401, words);
    refusal.body["error"]["details"] = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason,
        "domain": "googleapis.com", "metadata": {"service": "aiplatform.googleapis.com"}}]);
    refusal
}

/// Seconds since 1970 as RFC 3339 has them.
fn stamp(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to a date, after Howard Hinnant's `civil_from_days`: years begin in March there.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::stamp;

    #[test]
    fn seconds_become_dates() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00Z");
        // 2024-02-29 is day 19,782.
        assert_eq!(stamp(19_782 * 86_400 + 3_661), "2024-02-29T01:01:01Z");
        assert_eq!(stamp(1_798_761_599), "2026-12-31T23:59:59Z");
    }
}
