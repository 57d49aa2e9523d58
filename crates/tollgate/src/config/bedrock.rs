//! Addresses on Amazon Bedrock: which of its APIs a model is called by, in which region, and how the paths follow.
//!
//! docs.aws.amazon.com, Amazon Bedrock API Reference (`InvokeModel`, `Converse`) and "Amazon Bedrock endpoints and quotas", 2026-11.

use http::{HeaderName, HeaderValue, Uri};
use serde_json::Value;
use tollgate_dialect::json::Json;
use tollgate_dialect::{Dialect, in_path};

use super::aws::{self, Asked};
use super::section::Section;

/// What LiteLLM 1.109.1 knows to stand before a model: by which API it is called.
const ROUTES: [(&str, Route); 4] = [
    ("invoke/", Route::Invoke),
    ("converse/", Route::Converse),
    ("converse_like/", Route::Converse),
    ("mantle/", Route::Mantle),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Route {
    Converse,
    Invoke,
    Mantle,
}

/// What a model's name says beside the model.
pub struct Named<'m> {
    pub model: &'m str,
    pub dialect: Dialect,
    /// It is called by Mantle, which has the APIs of Anthropic and OpenAI as they are.
    pub mantle: bool,
    region: Option<&'m str>,
}

/// `base_model`: which model that is, where an ARN does not tell. `mantle`: the provider says so.
pub fn named<'m>(model: &'m str, base_model: Option<&str>, mantle: bool) -> Named<'m> {
    let route = ROUTES.iter().find_map(|(name, route)| Some((*route, model.strip_prefix(name)?)));
    let (route, rest) = route.map_or((None, model), |(route, rest)| (Some(route), rest));
    let (region, rest) = match rest.split_once('/') {
        Some((first, rest)) if is_region(first) => (Some(first), rest),
        _ => (None, rest),
    };
    let mantle = mantle || route == Some(Route::Mantle);
    // In its own form all that Claude's clients say goes on.
    let is_claude = base_model.unwrap_or(rest).contains("claude");
    let dialect = match route {
        Some(Route::Converse) => Dialect::Converse,
        Some(Route::Invoke) => Dialect::Messages,
        _ if is_claude => Dialect::Messages,
        _ if mantle => Dialect::Chat,
        _ => Dialect::Converse,
    };
    Named { model: rest, dialect, mantle, region }
}

/// `us-east-1`, `us-gov-west-1`
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let letters = |part: &&str| part.len() >= 2 && part.bytes().all(|b| b.is_ascii_lowercase());
    parts.len() >= 3
        && parts[..parts.len() - 1].iter().all(letters)
        && parts[parts.len() - 1].bytes().all(|b| b.is_ascii_digit())
}

/// Where a deployment's requests go.
pub struct Found {
    pub base_url: Uri,
    pub asked: Asked,
}

/// `given`: an address, without path of the dialect. `None` with a problem reported.
pub fn find(params: &Section<'_, '_>, given: Option<&str>, named: &Named<'_>, service: &str) -> Option<Found> {
    let given = given.map(str::to_string).or_else(|| endpoint(params, named.mantle));
    let host = given.as_deref().and_then(|url| url.parse::<Uri>().ok()).and_then(|uri| uri.host().map(str::to_string));
    let region = aws::region(params, named.region, named.model, host.as_deref());
    let url = match (given, named.mantle) {
        (Some(url), _) => url,
        (None, true) => format!("https://bedrock-mantle.{}.api.aws", aws::needed_region(params, region.as_deref())?),
        (None, false) => {
            let region = aws::needed_region(params, region.as_deref())?;
            format!("https://bedrock-runtime.{region}.{}", aws::domain(region))
        }
    };
    let below = match named.dialect {
        _ if !named.mantle => "",
        Dialect::Messages => "/anthropic",
        _ => "/openai/v1",
    };
    let url = url.trim_end_matches('/');
    match format!("{}{below}", url.strip_suffix(below).unwrap_or(url)).parse() {
        Ok(base_url) => Some(Found { base_url, asked: Asked { service: service.to_string(), region } }),
        Err(_) => {
            let hint = "write it like https://bedrock-runtime.us-east-1.amazonaws.com";
            params.cx.error(params.at, &params.path_of("aws_bedrock_runtime_endpoint"), "is no address", hint);
            None
        }
    }
}

fn endpoint(params: &Section<'_, '_>, mantle: bool) -> Option<String> {
    let given = params.text("aws_bedrock_runtime_endpoint").filter(|_| !mantle);
    let variables: &[&str] = match mantle {
        true => &["AWS_ENDPOINT_URL_BEDROCK_MANTLE"],
        false => &["AWS_BEDROCK_RUNTIME_ENDPOINT", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"],
    };
    let given = given.or_else(|| variables.iter().find_map(|name| params.cx.variable(name)));
    given.map(|url| url.trim().to_string()).filter(|url| !url.is_empty())
}

/// The path of a call of Claude in its own form.
pub fn path(model: &str, stream: bool) -> String {
    path_of_method(model, if stream { "invoke-with-response-stream" } else { "invoke" })
}

pub fn path_of_method(model: &str, method: &str) -> String {
    format!("/model/{}/{method}", in_path(model))
}

/// What Converse has in its body, and InvokeModel in headers: the field, the member of it (none: the whole of it, as JSON), the header.
const HEADERS: [(&str, Option<&str>, HeaderName); 6] = [
    ("guardrailConfig", Some("guardrailIdentifier"), HeaderName::from_static("x-amzn-bedrock-guardrailidentifier")),
    ("guardrailConfig", Some("guardrailVersion"), HeaderName::from_static("x-amzn-bedrock-guardrailversion")),
    ("guardrailConfig", Some("trace"), HeaderName::from_static("x-amzn-bedrock-trace")),
    ("performanceConfig", Some("latency"), HeaderName::from_static("x-amzn-bedrock-performanceconfig-latency")),
    ("serviceTier", Some("type"), HeaderName::from_static("x-amzn-bedrock-service-tier")),
    ("requestMetadata", None, HeaderName::from_static("x-amzn-bedrock-request-metadata")),
];

/// Takes these fields out of what is added to InvokeModel's bodies, which are Claude's own and know none of them. A guardrail that is
/// configured has to be in force by either API.
pub fn to_headers(extra_body: &mut Vec<(String, Json<'static>)>, headers: &mut Vec<(HeaderName, HeaderValue)>) {
    for (field, member, header) in HEADERS {
        let Some((_, value)) = extra_body.iter().find(|(name, _)| name == field) else { continue };
        let value = value.to_value();
        let text = match member.map(|member| &value[member]) {
            // Converse's `enabled` is `ENABLED` here.
            Some(Value::String(text)) if member == Some("trace") => text.to_ascii_uppercase(),
            Some(Value::String(text)) => text.clone(),
            Some(_) => continue,
            None => value.to_string(),
        };
        headers.extend(HeaderValue::from_str(&text).ok().map(|value| (header, value)));
    }
    extra_body.retain(|(name, _)| HEADERS.iter().all(|(field, ..)| field != name));
}
