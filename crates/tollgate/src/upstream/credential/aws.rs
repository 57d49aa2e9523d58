//! How each source of AWS keys is asked, and what its answer means.
//!
//! STS: AWS Security Token Service API Reference, version 2011-06-15. Containers and virtual machines: AWS SDKs and Tools Reference
//! Guide, "Container credential provider" and "IMDS credential provider" (IMDSv2 only). Programs: "Process credential provider".
//! All as on docs.aws.amazon.com, 2026-11.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, StatusCode};
use http_body_util::Full;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::exchange::{bounded, escaped, exchange, lasting, may_pass, passing};
use super::sigv4::{Scope, sign};
use super::{Client, Grant, Held, NoToken, cli};
use crate::config::aws::{Keys, Proof, Role, Source, Sts};
use crate::config::identity::Who;
use crate::config::secret::Secret;

/// Keys that do not say when they end are asked for again after this.
const UNSAID: Duration = Duration::from_secs(30 * 86_400);

/// Codes of STS, and what to do about each (STS API Reference, errors of AssumeRole and AssumeRoleWithWebIdentity, 2026-11).
const HINTS: [(&str, &str); 7] = [
    ("AccessDenied", "the role's trust policy must let this identity assume it, with this external id if it names one"),
    ("ExpiredToken", "the keys or the token that assume the role have ended"),
    ("InvalidClientTokenId", "aws_access_key_id is no access key of this partition"),
    ("SignatureDoesNotMatch", "aws_secret_access_key does not belong to the access key id"),
    ("InvalidIdentityToken", "the token's issuer must be an identity provider of the account, for this audience"),
    ("RegionDisabledException", "activate STS in this region, or set another aws_region_name or aws_sts_endpoint"),
    ("ValidationError", "look at aws_role_name, aws_session_name and aws_external_id"),
];

pub(super) async fn fetch(client: &Client, source: &Source) -> Result<Held, NoToken> {
    let (name, asked) = match source {
        Source::Keys(keys) => return Ok(Held { grant: Grant::Keys(keys.clone()), ends: Instant::now() + UNSAID }),
        Source::Role { sts, role, external_id, base } => {
            ("STS AssumeRole", assume(client, sts, role, external_id.as_deref(), Who::Aws(base.clone())).await)
        }
        Source::WebIdentity { sts, role, proof } => {
            ("STS AssumeRoleWithWebIdentity", web_identity(client, sts, role, proof).await)
        }
        Source::Process(command) => ("credential_process", process(command).await),
        Source::Container { url, token } => ("container credentials", container(client, url, token.as_ref()).await),
        Source::Instance { base } => ("instance role (IMDS)", instance(client, base).await),
    };
    asked.map_err(|error| NoToken { words: bounded(&format!("{name}: {}", error.words)), ..error })
}

// ---- STS

async fn assume(
    client: &Client,
    sts: &Sts,
    role: &Role,
    external_id: Option<&str>,
    base: Who,
) -> Result<Held, NoToken> {
    let slot = client.tokens.slot(&base);
    // A source may have a source: the future of the same function.
    let Grant::Keys(keys) = Box::pin(client.grant(&slot)).await? else { return Err(lasting("needs keys of AWS")) };
    let request = form(sts, "AssumeRole", role, &[("ExternalId", external_id)])?;
    let request = sign(request, &keys, Scope { region: &sts.region, service: "sts" }, Timestamp::now())?;
    let (status, body) = exchange(client, request).await?;
    of_sts(status, &body, &keys.secrets())
}

async fn web_identity(client: &Client, sts: &Sts, role: &Role, proof: &Proof) -> Result<Held, NoToken> {
    let token = shown(proof).await?;
    let request = form(sts, "AssumeRoleWithWebIdentity", role, &[("WebIdentityToken", Some(token.expose()))])?;
    let (status, body) = exchange(client, request).await?;
    of_sts(status, &body, &[token.expose()])
}

fn form(sts: &Sts, action: &str, role: &Role, more: &[(&str, Option<&str>)]) -> Result<Request<Full<Bytes>>, NoToken> {
    let own = [
        ("Action", Some(action)),
        ("Version", Some("2011-06-15")),
        ("RoleArn", Some(role.arn.as_str())),
        ("RoleSessionName", Some(role.session.as_str())),
    ];
    let fields = own.iter().chain(more);
    let pairs: Vec<String> =
        fields.filter_map(|(name, value)| Some(format!("{name}={}", escaped((*value)?)))).collect();
    let request = Request::post(format!("{}/", sts.url))
        .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .body(Full::new(Bytes::from(pairs.join("&"))));
    request.map_err(|_| lasting("aws_sts_endpoint is no address"))
}

/// An XML document, of which a few elements are needed whose names occur once.
fn of_sts(status: StatusCode, body: &[u8], secrets: &[&str]) -> Result<Held, NoToken> {
    let text = String::from_utf8_lossy(body);
    let element = |name: &str| {
        let (_, after) = text.split_once(&format!("<{name}>"))?;
        let (inner, _) = after.split_once(&format!("</{name}>"))?;
        Some(unescaped(inner.trim()))
    };
    if !status.is_success() {
        let code = element("Code").unwrap_or_default();
        let said = element("Message").unwrap_or_else(|| text.trim().to_string());
        let words = if code.is_empty() { said } else { format!("{code}: {said}") };
        let again = may_pass(status) || ["Throttling", "IDPCommunicationError"].contains(&code.as_str());
        return Err(refused(status, &words, &code, secrets, again));
    }
    keys(&element, ["AccessKeyId", "SecretAccessKey", "SessionToken"])
}

fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_string(), |text, (entity, character)| text.replace(entity, character))
}

// ---- agents on the spot

async fn container(client: &Client, url: &str, token: Option<&Proof>) -> Result<Held, NoToken> {
    let mut request = Request::get(url);
    let mut secret = Secret::new("");
    if let Some(proof) = token {
        secret = shown(proof).await?;
        request = request.header(AUTHORIZATION, secret.expose());
    }
    let request = request.body(Full::default());
    let request = request.map_err(|_| lasting("its address or AWS_CONTAINER_AUTHORIZATION_TOKEN is malformed"))?;
    let (status, body) = exchange(client, request).await?;
    json(status, &body, &[secret.expose()])
}

async fn instance(client: &Client, base: &str) -> Result<Held, NoToken> {
    let session = Request::put(format!("{base}/latest/api/token")).header("x-aws-ec2-metadata-token-ttl-seconds", "60");
    let session = text(client, session).await.map_err(|error| {
        let words = format!(
            "{} (is this a virtual machine of AWS with a role? else give credentials: docs/bedrock.md)",
            error.words
        );
        NoToken { words, ..error }
    })?;
    let folder = format!("{base}/latest/meta-data/iam/security-credentials/");
    let get = |url: &str| Request::get(url).header("x-aws-ec2-metadata-token", &session);
    let roles = text(client, get(&folder)).await?;
    let role = roles.lines().next().map(str::trim).filter(|role| !role.is_empty());
    let role = role.ok_or_else(|| lasting("the machine has no role"))?;
    let request = get(&format!("{folder}{role}")).body(Full::default());
    let (status, body) = exchange(client, request.map_err(|_| malformed())?).await?;
    json(status, &body, &[&session])
}

async fn text(client: &Client, request: http::request::Builder) -> Result<String, NoToken> {
    let (status, body) = exchange(client, request.body(Full::default()).map_err(|_| malformed())?).await?;
    let text = String::from_utf8_lossy(&body).trim().to_string();
    if status.is_success() { Ok(text) } else { Err(refused(status, &text, "", &[], may_pass(status))) }
}

fn malformed() -> NoToken {
    lasting("AWS_EC2_METADATA_SERVICE_ENDPOINT is no address")
}

/// `{"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}`, or `{"code", "message"}`.
fn json(status: StatusCode, body: &[u8], secrets: &[&str]) -> Result<Held, NoToken> {
    let answer: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let element = |name: &str| answer[name].as_str().map(str::to_string);
    let code = element("Code").or_else(|| element("code")).filter(|code| code != "Success");
    if !status.is_success() || code.is_some() {
        let said = element("Message").or_else(|| element("message"));
        let said = said.unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_string());
        let words = code.map_or(said.clone(), |code| format!("{code}: {said}"));
        return Err(refused(status, &words, "", secrets, may_pass(status)));
    }
    keys(&element, ["AccessKeyId", "SecretAccessKey", "Token"])
}

// ---- programs

/// `{"Version": 1, "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}`
async fn process(command: &str) -> Result<Held, NoToken> {
    let answer = cli::run("sh", &["-c", command]).await?;
    if answer["Version"] != 1 {
        return Err(lasting("it printed no `\"Version\": 1`"));
    }
    keys(&|name| answer[name].as_str().map(str::to_string), ["AccessKeyId", "SecretAccessKey", "SessionToken"])
}

// ---- all of them

async fn shown(proof: &Proof) -> Result<Secret, NoToken> {
    match proof {
        Proof::Text(secret) => Ok(secret.clone()),
        // Read anew each time: it is replaced while the gateway runs.
        Proof::File(file) => {
            let read = tokio::fs::read_to_string(file).await;
            let read = read.map_err(|error| lasting(format!("{} cannot be read: {error}", file.display())))?;
            Ok(Secret::new(read.trim()))
        }
    }
}

fn keys(of: &dyn Fn(&str) -> Option<String>, [id, secret, session]: [&str; 3]) -> Result<Held, NoToken> {
    let (Some(id), Some(secret)) = (of(id), of(secret)) else { return Err(lasting("the answer holds no keys")) };
    let session = of(session).filter(|session| !session.is_empty()).map(Secret::new);
    let left = match of("Expiration").map(|end| end.parse::<Timestamp>()) {
        None => UNSAID,
        Some(Ok(end)) => {
            let end = UNIX_EPOCH + Duration::from_secs(u64::try_from(end.as_second()).unwrap_or_default());
            end.duration_since(SystemTime::now()).unwrap_or_default()
        }
        Some(Err(_)) => return Err(passing("the answer does not say when its keys end")),
    };
    let keys = Keys { id, secret: Secret::new(secret), session };
    Ok(Held { grant: Grant::Keys(keys), ends: Instant::now() + left.min(UNSAID) })
}

fn refused(status: StatusCode, said: &str, code: &str, secrets: &[&str], again: bool) -> NoToken {
    let held = secrets.iter().filter(|secret| !secret.is_empty());
    let said = held.fold(said.to_string(), |said, secret| said.replace(secret, "[redacted]"));
    let said: String = said.chars().take(super::exchange::MOST_WORDS - 100).collect();
    let hint =
        HINTS.iter().find(|(known, _)| code.trim_end_matches("Exception") == known.trim_end_matches("Exception"));
    let hint = hint.map(|(_, hint)| format!(" ({hint})")).unwrap_or_default();
    NoToken { words: format!("status {}: {said}{hint}", status.as_u16()), temporary: again }
}

#[cfg(test)]
mod tests;
