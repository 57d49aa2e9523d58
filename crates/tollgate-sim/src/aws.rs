//! AWS: the endpoints that give keys, and the front that lets nobody through whose signature is wrong.
//!
//! Requests, answers and words are those of docs.aws.amazon.com, 2026-11 (STS API Reference, IMDSv2 in the EC2 User Guide, container
//! credentials in the SDKs and Tools Reference Guide), checked here without the gateway's code.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::Method;
use http::request::Parts;
use jiff::Timestamp;
use serde_json::json;

use crate::form::pairs;
use crate::refusal::{Check, Refusal};
use crate::server::lock;
use signature::{Key, Scope, SignedBy};

pub(crate) mod eventstream;
mod signature;

const ACCOUNT: &str = "123456789012";
const USER: &str = "AKIASIMUSER";
const MACHINE_ROLE: &str = "sim-machine";
const METADATA_TOKEN: &str = "imds-session-token";

/// Who may have temporary keys, beside the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    Nobody,
    /// The user, by AssumeRole, with this external id if there is one.
    Role {
        external_id: Option<String>,
    },
    /// Whoever shows this token, by AssumeRoleWithWebIdentity.
    WebIdentity(String),
    /// Whoever sends this `authorization` to the agent beside a container.
    Container {
        authorization: String,
    },
    /// The machine, by IMDSv2.
    Instance,
}

/// An account with one user, who has keys that do not end; clones share the keys.
#[derive(Debug, Clone)]
pub struct Aws {
    pub grants: Grants,
    pub region: String,
    /// A key of Bedrock's own, which callers may send as a bearer.
    pub bearer: Option<String>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    good_for: Duration,
    temporary: Vec<Temporary>,
    /// How far the account's clock goes before ours.
    ahead: Duration,
    /// The endpoints fail with this status.
    down: Option<u16>,
    /// Keys are issued, but none is good.
    refuses: bool,
}

#[derive(Debug, Clone)]
struct Temporary {
    key: Key,
    session: String,
    ends: Instant,
    revoked: bool,
}

/// An answer of an endpoint that gives keys.
pub(crate) struct Given {
    pub status: u16,
    pub content_type: &'static str,
    pub body: String,
}

impl Aws {
    pub fn new(grants: Grants) -> Self {
        let state = State { good_for: Duration::from_secs(3600), ..State::default() };
        Self { grants, region: "eu-west-1".to_owned(), bearer: None, state: Arc::new(Mutex::new(state)) }
    }

    #[must_use]
    pub fn bearer(mut self, key: &str) -> Self {
        self.bearer = Some(key.to_owned());
        self
    }

    /// The user's access key id and its secret.
    pub fn user(&self) -> (&'static str, &'static str) {
        (USER, "aws-canary-secret/user+key=")
    }

    pub fn role(&self) -> &'static str {
        "arn:aws:iam::123456789012:role/gateway"
    }

    /// How long the keys are good that are issued from now on.
    pub fn issue_for(&self, seconds: u64) {
        lock(&self.state).good_for = Duration::from_secs(seconds);
    }

    /// No keys that were issued so far are good any more.
    pub fn revoke(&self) {
        lock(&self.state).temporary.iter_mut().for_each(|keys| keys.revoked = true);
    }

    /// No temporary keys are good from now on.
    pub fn refuse_all(&self) {
        lock(&self.state).refuses = true;
    }

    /// The account's clock is so far before ours.
    pub fn clock_ahead(&self, time: Duration) {
        lock(&self.state).ahead = time;
    }

    /// The endpoints that give keys fail with this status, or work again.
    pub fn down(&self, status: Option<u16>) {
        lock(&self.state).down = status;
    }

    pub fn issued(&self) -> usize {
        lock(&self.state).temporary.len()
    }

    /// Keys by another way than the endpoints, such as a program: id, secret, session token, end.
    pub fn issue(&self) -> [String; 4] {
        let mut state = lock(&self.state);
        let nth = state.temporary.len() + 1;
        let key = Key { id: format!("ASIASIM{nth}"), secret: format!("aws-canary-secret/{nth}+=") };
        let session = format!("aws-canary-session-{nth}//==");
        let ends = Instant::now() + state.good_for;
        let end = Timestamp::now() + jiff::SignedDuration::try_from(state.good_for).expect("a short time");
        let issued =
            [key.id.clone(), key.secret.clone(), session.clone(), end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()];
        state.temporary.push(Temporary { key, session, ends, revoked: false });
        issued
    }

    /// `None`: the path is none of an endpoint that gives keys.
    pub(crate) fn endpoint(&self, head: &Parts, body: &[u8]) -> Option<Given> {
        let path = head.uri.path();
        let machine = "/latest/meta-data/iam/security-credentials/";
        let given = match path {
            "/" if head.method == Method::POST => self.sts(head, body),
            "/latest/api/token" => {
                let asked = head.headers.contains_key("x-aws-ec2-metadata-token-ttl-seconds");
                match head.method == Method::PUT && asked && self.grants == Grants::Instance {
                    true => text(200, METADATA_TOKEN),
                    false => text(403, "Forbidden"),
                }
            }
            _ if path.starts_with(machine) => self.machine(head, &path[machine.len()..]),
            "/agent/keys" => self.agent(head),
            _ => return None,
        };
        let down = lock(&self.state).down;
        Some(down.map_or(given, |status| text(status, "The service is away.")))
    }

    fn sts(&self, head: &Parts, body: &[u8]) -> Given {
        let fields = pairs(&String::from_utf8_lossy(body));
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if field("Version") != Some("2011-06-15") || field("RoleSessionName").is_none_or(str::is_empty) {
            return sts_error(400, "ValidationError", "Version or RoleSessionName is missing");
        }
        let denied = |action: &str| {
            let words = format!(
                "User: arn:aws:iam::{ACCOUNT}:user/sim is not authorized to perform: sts:{action} on resource: {}",
                field("RoleArn").unwrap_or_default()
            );
            sts_error(403, "AccessDenied", &words)
        };
        let action = field("Action").unwrap_or_default();
        match (&self.grants, action) {
            (_, "AssumeRole") => {
                if let Err(refusal) = self.signed(head, body, "sts") {
                    let code = refusal.headers[0].1.trim_end_matches("Exception").to_owned();
                    return sts_error(refusal.status, &code, &refusal.message);
                }
                match &self.grants {
                    Grants::Role { external_id }
                        if field("RoleArn") == Some(self.role()) && field("ExternalId") == external_id.as_deref() => {}
                    _ => return denied(action),
                }
            }
            (Grants::WebIdentity(proof), "AssumeRoleWithWebIdentity") => {
                if head.headers.contains_key("authorization") || field("WebIdentityToken") != Some(proof) {
                    let words =
                        format!("Couldn't retrieve verification key: {}", field("WebIdentityToken").unwrap_or("none"));
                    return sts_error(400, "InvalidIdentityToken", &words);
                }
                if field("RoleArn") != Some(self.role()) {
                    return denied(action);
                }
            }
            _ => return denied(action),
        }
        let [id, secret, session, end] = self.issue();
        let body = format!(
            "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <{action}Result>\n    <Credentials>\n      \
             <AccessKeyId>{id}</AccessKeyId>\n      <SecretAccessKey>{secret}</SecretAccessKey>\n      \
             <SessionToken>{session}</SessionToken>\n      <Expiration>{end}</Expiration>\n    </Credentials>\n  \
             </{action}Result>\n</{action}Response>\n"
        );
        Given { status: 200, content_type: "text/xml", body }
    }

    fn machine(&self, head: &Parts, role: &str) -> Given {
        let session = head.headers.get("x-aws-ec2-metadata-token").and_then(|value| value.to_str().ok());
        if session != Some(METADATA_TOKEN) {
            return text(401, "Unauthorized");
        }
        match role {
            "" => text(200, MACHINE_ROLE),
            MACHINE_ROLE => self.json_keys(),
            _ => text(404, "Not Found"),
        }
    }

    fn agent(&self, head: &Parts) -> Given {
        let sent = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        match &self.grants {
            Grants::Container { authorization } if sent == Some(authorization) => self.json_keys(),
            _ => {
                let words = format!("Invalid authorization: {}", sent.unwrap_or_default());
                let body = json!({"code": "AccessDenied", "message": words}).to_string();
                Given { status: 400, content_type: "application/json", body }
            }
        }
    }

    fn json_keys(&self) -> Given {
        let [id, secret, session, end] = self.issue();
        let body = json!({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": id, "SecretAccessKey": secret,
            "Token": session, "Expiration": end});
        Given { status: 200, content_type: "text/plain", body: body.to_string() }
    }

    /// Everything else passes here.
    pub(crate) fn front(&self, head: &Parts, body: &[u8]) -> Check {
        let mantle = head.uri.path().starts_with("/anthropic/") || head.uri.path().starts_with("/openai/");
        let sent = head.headers.get("authorization").and_then(|value| value.to_str().ok());
        match (sent.and_then(|sent| sent.strip_prefix("Bearer ")), &self.bearer) {
            (Some(sent), Some(key)) if sent == key => Ok(()),
            (Some(_), _) => {
                let words = "Authentication failed: Please make sure your API Key is valid.";
                Err(refused("AccessDeniedException", words))
            }
            (None, _) => self.signed(head, body, if mantle { "bedrock-mantle" } else { "bedrock" }),
        }
    }

    fn signed(&self, head: &Parts, body: &[u8], service: &str) -> Check {
        let state = lock(&self.state);
        let now = Timestamp::now() + jiff::SignedDuration::try_from(state.ahead).expect("a short time");
        let signed = SignedBy::read(head).map_err(|words| refused("IncompleteSignatureException", &words))?;
        let temporary = state.temporary.iter().find(|keys| keys.key.id == signed.key_id);
        let session = head.headers.get("x-amz-security-token").and_then(|value| value.to_str().ok());
        let (id, secret) = self.user();
        let user = Key { id: id.to_owned(), secret: secret.to_owned() };
        let key = match temporary {
            Some(keys) if session == Some(keys.session.as_str()) => {
                if state.refuses || keys.revoked || keys.ends <= Instant::now() {
                    let words = "The security token included in the request is expired";
                    return Err(refused("ExpiredTokenException", words));
                }
                &keys.key
            }
            None if signed.key_id == user.id && session.is_none() => &user,
            _ => {
                let words = "The security token included in the request is invalid.";
                return Err(refused("UnrecognizedClientException", words));
            }
        };
        let scope = Scope { region: &self.region, service };
        signed.check(head, body, key, scope, now).map_err(|words| refused("InvalidSignatureException", &words))
    }
}

fn text(status: u16, body: &str) -> Given {
    Given { status, content_type: "text/plain", body: body.to_owned() }
}

fn sts_error(status: u16, code: &str, words: &str) -> Given {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>Sender</Type>\n    \
         <Code>{code}</Code>\n    <Message>{words}</Message>\n  </Error>\n</ErrorResponse>\n"
    );
    Given { status, content_type: "text/xml", body }
}

/// A 403 as Bedrock's front says it.
fn refused(kind: &str, words: &str) -> Refusal {
    let headers = vec![("x-amzn-errortype".to_owned(), kind.to_owned())];
    Refusal { status: 403, message: words.to_owned(), headers, body: json!({"message": words}) }
}
