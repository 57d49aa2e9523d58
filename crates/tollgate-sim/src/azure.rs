//! Azure: the endpoints that give tokens of Entra ID, and the front that lets nobody through without one.
//!
//! Paths, parameters and words are those of learn.microsoft.com, 2026-08 (v2.0 token endpoint, managed identities, Azure OpenAI
//! reference), checked here without the gateway's code.

use http::Method;
use http::request::Parts;
use serde_json::{Value, json};

use crate::form::pairs;
use crate::refusal::Refusal;
use crate::tokens::Tokens;

/// The only version of the classic API that the front knows.
pub const API_VERSION: &str = "2025-04-01-preview";
const TENANT: &str = "contoso.onmicrosoft.com";
const SCOPES: [&str; 2] = ["https://cognitiveservices.azure.com", "https://ai.azure.com"];

/// Who may have tokens, and how they show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    ClientSecret(String),
    Password {
        username: String,
        password: String,
    },
    /// The token of the workload's own issuer.
    Workload(String),
    AppService {
        header: String,
    },
    Imds,
}

/// A resource with one kind of identity; clones share the tokens.
#[derive(Debug, Clone)]
pub struct Azure {
    pub identity: Identity,
    pub client_id: String,
    /// Deployments of the resource.
    pub deployments: Vec<String>,
    /// The resource's key; `None`: it takes only tokens.
    pub key: Option<String>,
    tokens: Tokens,
}

impl Azure {
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            client_id: "11111111-2222-3333-4444-555555555555".to_owned(),
            deployments: vec!["my-gpt".to_owned()],
            key: None,
            tokens: Tokens::new("entra-canary-token"),
        }
    }

    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    /// The tenant that it belongs to.
    pub fn tenant(&self) -> &'static str {
        TENANT
    }

    /// As those of [`Tokens`].
    pub fn issue_for(&self, seconds: u64) {
        self.tokens.issue_for(seconds);
    }

    pub fn revoke(&self) {
        self.tokens.revoke();
    }

    pub fn refuse_all(&self) {
        self.tokens.refuse_all();
    }

    pub fn down(&self, status: Option<u16>) {
        self.tokens.down(status);
    }

    pub fn issued(&self) -> usize {
        self.tokens.issued()
    }

    pub fn issue(&self) -> String {
        self.tokens.issue()
    }

    /// `None`: the path is none of a token endpoint.
    pub(crate) fn token_endpoint(&self, head: &Parts, body: &[u8]) -> Option<Result<Value, Refusal>> {
        let path = head.uri.path();
        let given = match (&self.identity, path) {
            (_, path) if path.ends_with("/oauth2/v2.0/token") => self.form(head, body),
            (Identity::Imds, "/metadata/identity/oauth2/token") => self.managed(head, "2018-02-01", "metadata", "true"),
            (Identity::AppService { header }, "/msi/token") => {
                self.managed(head, "2019-08-01", "x-identity-header", header)
            }
            _ => return None,
        };
        if let Some(status) = self.tokens.is_down() {
            return Some(Err(refused(status, "temporarily_unavailable", "The service is away.")));
        }
        Some(given)
    }

    fn form(&self, head: &Parts, body: &[u8]) -> Result<Value, Refusal> {
        let kind = head.headers.get("content-type").and_then(|value| value.to_str().ok());
        if head.method != Method::POST || kind != Some("application/x-www-form-urlencoded") {
            return Err(refused(400, "invalid_request", "AADSTS900144: The request body must be a form."));
        }
        if head.uri.path() != format!("/{TENANT}/oauth2/v2.0/token") {
            return Err(refused(400, "invalid_request", "AADSTS90002: Tenant not found."));
        }
        let fields = pairs(&String::from_utf8_lossy(body));
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if field("client_id") != Some(&self.client_id) {
            return Err(refused(400, "unauthorized_client", "AADSTS700016: Application was not found."));
        }
        if !field("scope").and_then(|scope| scope.strip_suffix("/.default")).is_some_and(|s| SCOPES.contains(&s)) {
            return Err(refused(400, "invalid_scope", "AADSTS70011: The provided value for scope is not valid."));
        }
        let shown = match &self.identity {
            Identity::ClientSecret(secret) => {
                field("grant_type") == Some("client_credentials") && field("client_secret") == Some(secret)
            }
            Identity::Password { username, password } => {
                field("grant_type") == Some("password")
                    && field("username") == Some(username)
                    && field("password") == Some(password)
            }
            Identity::Workload(proof) => {
                field("grant_type") == Some("client_credentials")
                    && field("client_assertion_type") == Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                    && field("client_assertion") == Some(proof)
            }
            Identity::AppService { .. } | Identity::Imds => false,
        };
        if !shown {
            // The real one does not quote it; a proxy in between may.
            let words = format!(
                "AADSTS7000215: Invalid client secret provided: {}\r\nTrace ID: 0",
                field("client_secret").or(field("client_assertion")).unwrap_or_default()
            );
            return Err(refused(401, "invalid_client", &words));
        }
        let good_for = self.tokens.good_for().as_secs();
        Ok(
            json!({"token_type": "Bearer", "expires_in": good_for, "ext_expires_in": good_for, "access_token": self.tokens.issue()}),
        )
    }

    fn managed(&self, head: &Parts, version: &str, header: &str, value: &str) -> Result<Value, Refusal> {
        let fields = pairs(head.uri.query().unwrap_or_default());
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let sent = head.headers.get(header).and_then(|sent| sent.to_str().ok());
        if head.method != Method::GET || sent != Some(value) {
            return Err(refused(400, "invalid_request", "Required metadata header not specified"));
        }
        if field("api-version") != Some(version) || !field("resource").is_some_and(|r| SCOPES.contains(&r)) {
            return Err(refused(400, "invalid_request", "Bad api-version or resource"));
        }
        if field("client_id").is_some_and(|id| id != self.client_id) {
            return Err(refused(400, "invalid_request", "Identity not found"));
        }
        let good_for = self.tokens.good_for();
        let ends = std::time::SystemTime::now() + good_for;
        let ends = ends.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(json!({"token_type": "Bearer", "expires_on": ends.to_string(), "access_token": self.tokens.issue()}))
    }

    /// Everything else passes here.
    pub(crate) fn front(&self, head: &Parts) -> Result<(), Refusal> {
        let said = |status, code: &str, message: &str| Refusal {
            status,
            message: message.to_owned(),
            headers: Vec::new(),
            body: json!({"error": {"code": code, "message": message}}),
        };
        if !self.lets_in(head) {
            let sent = head.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let words = format!("Access denied due to invalid subscription key or wrong API endpoint. Sent: {sent}");
            return Err(said(401, "401", &words));
        }
        let path = head.uri.path();
        let version = pairs(head.uri.query().unwrap_or_default()).into_iter().find(|(name, _)| name == "api-version");
        let version = version.map(|(_, version)| version);
        if path.starts_with("/anthropic/v1/") {
            return Ok(());
        }
        let not_found = || said(404, "404", "Resource not found");
        if path.starts_with("/openai/v1/") {
            let known = version.is_none_or(|version| ["v1", "latest", "preview"].contains(&version.as_str()));
            return if known { Ok(()) } else { Err(not_found()) };
        }
        if !path.starts_with("/openai/") || version.as_deref() != Some(API_VERSION) {
            return Err(not_found());
        }
        let name = path.strip_prefix("/openai/deployments/").and_then(|rest| rest.split('/').next());
        match name {
            Some(name) if !self.deployments.iter().any(|known| known == name) => Err(said(
                404,
                "DeploymentNotFound",
                "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, please wait a moment and try again.",
            )),
            _ => Ok(()),
        }
    }

    fn lets_in(&self, head: &Parts) -> bool {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(key) = &self.key
            && (header("api-key") == Some(key) || header("x-api-key") == Some(key))
        {
            return true;
        }
        let sent = header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        sent.is_some_and(|sent| self.tokens.is_good(sent))
    }
}

fn refused(status: u16, error: &str, words: &str) -> Refusal {
    let body = json!({"error": error, "error_description": words});
    Refusal { status, message: words.to_owned(), headers: Vec::new(), body }
}
