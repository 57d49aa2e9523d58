//! Addresses on Vertex AI: at which host, in which project and location, and how the paths of each publisher's models follow.

use http::Uri;
use tollgate_dialect::Dialect;

use super::google::{self, Credentials};
use super::model::Paths;
use super::problem::Pos;
use super::section::Section;

/// `litellm_settings.vertex_project` and `vertex_location`: for deployments that name none.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    pub project: Option<String>,
    pub location: Option<String>,
}

/// `api_base`, or what stands for it.
pub struct Given<'g> {
    pub uri: &'g Uri,
    pub at: Pos,
    pub key: &'static str,
}

/// Where a deployment's requests go.
pub struct Found {
    pub base_url: Uri,
    pub paths: Paths,
    /// `None`: `api_key` signs in.
    pub credentials: Option<Credentials>,
}

/// Of publishers whose models have no API that is spoken here.
const OWN_WAY: [&str; 3] = ["mistral", "codestral", "jamba"];

/// Which API a model has: Claude its own, models with their publisher before the slash OpenAI's, and all others Gemini's.
pub fn dialect(model: &str) -> Dialect {
    match model.split_once('/') {
        _ if model.contains("claude") => Dialect::Messages,
        Some(("gemini" | "google", _)) | None => Dialect::Gemini,
        Some(_) => Dialect::Chat,
    }
}

/// The name in the path, in which the publisher has a place of its own.
pub fn model_name(dialect: Dialect, model: &str) -> &str {
    let publishers: &[&str] = match dialect {
        Dialect::Messages => &["anthropic/"],
        Dialect::Gemini => &["gemini/", "google/"],
        Dialect::Chat | Dialect::Responses | Dialect::Converse => &[],
    };
    publishers.iter().find_map(|publisher| model.strip_prefix(publisher)).unwrap_or(model)
}

/// `None` with a problem reported.
pub fn find(
    params: &Section<'_, '_>,
    given: Option<&Given<'_>>,
    dialect: Dialect,
    model: &str,
    defaults: &Defaults,
) -> Option<Found> {
    if dialect == Dialect::Gemini && OWN_WAY.iter().any(|name| model.starts_with(name)) {
        let at = params.entry("model").map_or(params.at, |entry| entry.node.at);
        let hint = "name the publisher of a model that is served by OpenAI's API, such as `vertex_ai/meta/NAME`";
        params.cx.error(at, &params.path_of("model"), "this model has an API of its own that is not spoken yet", hint);
        return None;
    }
    let named = google::named(params);
    let by_key = params.take("api_key").is_some() && !named;
    let credentials = if by_key { None } else { Some(google::credentials(params)?) };
    let address = given.map(|given| Address::read(given.uri)).unwrap_or_default();
    let scope = |host: &str| address.scope.clone().unwrap_or_else(|| format!("https://{host}/v1"));
    let project = said(params, PROJECT).or(address.project);
    if by_key && project.is_none() {
        return found(params, given, &express(params, &scope(GLOBAL), dialect)?, dialect, None);
    }
    let of_credentials = credentials.as_ref().and_then(|credentials| credentials.project.clone());
    let variable = |names: &[&str]| names.iter().find_map(|name| params.cx.variable(name));
    let project = project
        .or_else(|| defaults.project.clone())
        .or_else(|| variable(&["VERTEXAI_PROJECT", "GOOGLE_CLOUD_PROJECT"]))
        .or(of_credentials);
    let location = said(params, LOCATION)
        .or(address.location)
        .or_else(|| defaults.location.clone())
        .or_else(|| variable(&["VERTEXAI_LOCATION", "VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION"]));
    let project = need(params, PROJECT[0], project, NO_PROJECT);
    let location = need(params, LOCATION[0], location, NO_LOCATION);
    let (project, location) = (project?, location?);
    let base = format!("{}/projects/{project}/locations/{location}", scope(&host(&location)));
    found(params, given, &base, dialect, credentials)
}

fn said(params: &Section<'_, '_>, keys: [&str; 2]) -> Option<String> {
    let [usual, other] = keys.map(|key| params.text(key).filter(|text| !text.trim().is_empty()));
    usual.or(other).map(|text| text.trim().to_string())
}

const PROJECT: [&str; 2] = ["vertex_project", "vertex_ai_project"];
const LOCATION: [&str; 2] = ["vertex_location", "vertex_ai_location"];
const GLOBAL: &str = "aiplatform.googleapis.com";
const NO_PROJECT: (&str, &str) = (
    "there is no project: neither here nor in VERTEXAI_PROJECT or GOOGLE_CLOUD_PROJECT, and the credentials name none",
    "write `vertex_project: PROJECT_ID`; `gcloud config get project` shows yours",
);
const NO_LOCATION: (&str, &str) = (
    "there is no location: neither here nor in VERTEXAI_LOCATION or GOOGLE_CLOUD_LOCATION",
    "write `vertex_location: global`, or the region in which you use the model, such as `us-central1`",
);

fn found(
    params: &Section<'_, '_>,
    given: Option<&Given<'_>>,
    base: &str,
    dialect: Dialect,
    credentials: Option<Credentials>,
) -> Option<Found> {
    let (below, paths) = match dialect {
        Dialect::Chat | Dialect::Responses | Dialect::Converse => ("/endpoints/openapi", Paths::Plain),
        Dialect::Gemini | Dialect::Messages => ("", Paths::OfPublisher),
    };
    let query = given.and_then(|given| given.uri.query()).map(|query| format!("?{query}")).unwrap_or_default();
    match format!("{base}{below}{query}").parse() {
        Ok(base_url) => Some(Found { base_url, paths, credentials }),
        Err(_) => {
            let (at, key) = given.map_or((params.at, "api_base"), |given| (given.at, given.key));
            params.cx.error(at, &params.path_of(key), "makes no address", "write it like https://gateway.example.com");
            None
        }
    }
}

fn express(params: &Section<'_, '_>, scope: &str, dialect: Dialect) -> Option<String> {
    if dialect == Dialect::Gemini {
        return Some(scope.to_string());
    }
    let hint = "write `vertex_project` and `vertex_location`, and `vertex_credentials` in place of the key";
    let message = "with a key and without a project there are only Gemini models (express mode)";
    params.cx.error(params.at, &params.path_of(PROJECT[0]), message, hint);
    None
}

/// Google's hosts by location (docs.cloud.google.com, Vertex AI locations, 2026-11).
fn host(location: &str) -> String {
    match location {
        "global" => GLOBAL.to_string(),
        "us" | "eu" => format!("aiplatform.{location}.rep.googleapis.com"),
        region => format!("{region}-{GLOBAL}"),
    }
}

/// What an `api_base` names. What stands behind the location is the models'.
#[derive(Default)]
struct Address {
    /// What stands before `/projects`, with the version of the API.
    scope: Option<String>,
    project: Option<String>,
    location: Option<String>,
}

impl Address {
    fn read(uri: &Uri) -> Address {
        let whole = uri.to_string();
        let address = whole.split('?').next().unwrap_or_default();
        let (scope, place) = match address.split_once("/projects/") {
            Some((scope, place)) => (scope, place),
            None => (address.split("/publishers/").next().unwrap_or_default(), ""),
        };
        let scope = scope.trim_end_matches('/');
        let has_version = ["/v1", "/v1beta1"].iter().any(|version| scope.ends_with(version));
        let parts: Vec<&str> = place.split('/').collect();
        let (project, location) = match parts.as_slice() {
            [project, "locations", location, ..] => (Some(project.to_string()), Some(location.to_string())),
            _ => (None, None),
        };
        Address { scope: Some(format!("{scope}{}", if has_version { "" } else { "/v1" })), project, location }
    }
}

/// It becomes a part of the address.
fn need(params: &Section<'_, '_>, key: &str, value: Option<String>, missing: (&str, &str)) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '_');
    match value {
        Some(value) if value.chars().all(fits) => Some(value),
        Some(_) => {
            let at = params.entry(key).map_or(params.at, |entry| entry.node.at);
            let hint = "letters, digits and hyphens make it; a project's id is not its name";
            params.cx.error(at, &params.path_of(key), "cannot stand in an address", hint);
            None
        }
        None => {
            params.cx.error(params.at, &params.path_of(key), missing.0, missing.1);
            None
        }
    }
}

/// The path of a model below [`Found::base_url`], where [`Paths::OfPublisher`] holds.
pub fn path(dialect: Dialect, model: &str, stream: bool) -> String {
    let (publisher, method) = match (dialect, stream) {
        (Dialect::Messages, false) => ("anthropic", "rawPredict"),
        (Dialect::Messages, true) => ("anthropic", "streamRawPredict"),
        (_, false) => ("google", "generateContent"),
        (_, true) => ("google", "streamGenerateContent?alt=sse"),
    };
    match dialect {
        Dialect::Gemini => path_of_method(model, method),
        _ => format!("/publishers/{publisher}/models/{}:{method}", escaped(model)),
    }
}

/// The same of any method of Google's own models.
pub fn path_of_method(model: &str, method: &str) -> String {
    // A model of one's own tuning is an endpoint with a number.
    if model.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("/endpoints/{model}:{method}");
    }
    format!("/publishers/google/models/{}:{method}", escaped(model))
}

/// A wildcard's text is the client's: it stays one part of the path.
fn escaped(model: &str) -> String {
    model.bytes().fold(String::with_capacity(model.len()), |mut out, byte| {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'@' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}
