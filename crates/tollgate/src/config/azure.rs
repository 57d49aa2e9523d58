//! Addresses on Azure: the classic API, where the path names the deployment, the v1 API, and Claude in Foundry.

use http::Uri;
use tollgate_dialect::Dialect;

use super::model::Paths;
use super::problem::Pos;
use super::section::Section;

/// As LiteLLM 1.109.1 has it (AZURE_DEFAULT_API_VERSION).
const USUAL_VERSION: &str = "2025-02-01-preview";
/// Of the model-inference API below `/models` (learn.microsoft.com, Foundry Models endpoints, 2026-08).
const MODELS_VERSION: &str = "2024-05-01-preview";
/// Versions of the v1 API; all others are dates and belong to the classic one.
const V1: [&str; 3] = ["v1", "latest", "preview"];
const V1_PATH: &str = "/openai/v1";
/// LiteLLM's marks for what a deployment's name does not show; they are no part of the name.
const MARKS: [&str; 2] = ["o_series/", "gpt5_series/"];

/// The deployment's name in what `model:` says.
pub fn deployment_name(model: &str) -> &str {
    MARKS.iter().find_map(|mark| model.strip_prefix(mark)).unwrap_or(model)
}

/// `api_base` or what stands for it: `url` is without query and path of the dialect.
pub struct Given<'g> {
    pub url: String,
    pub query: Option<&'g str>,
    pub at: Pos,
    pub key: &'g str,
}

/// What requests go to, and how their paths follow. `None` with a problem reported.
pub fn base_url(params: &Section<'_, '_>, given: &Given<'_>, dialect: Dialect, model: &str) -> Option<(Uri, Paths)> {
    let version = params.text("api_version").map(|version| version.trim().to_string());
    let version = version.filter(|version| !version.is_empty()).or_else(|| params.cx.variable("AZURE_API_VERSION"));
    let version = version.as_deref();
    let url = given.url.as_str();
    let (base, paths, needed) = if dialect == Dialect::Messages {
        let claude = if has_path(url) { "" } else { "/anthropic" };
        (format!("{url}{claude}"), Paths::Plain, None)
    } else if let Some((resource, name)) = url.split_once("/openai/deployments/") {
        let name = name.split('/').next().unwrap_or_default();
        (format!("{resource}/openai"), Paths::OfDeployment(name.to_string()), Some(version.unwrap_or(USUAL_VERSION)))
    } else if url.contains(V1_PATH) || version.is_some_and(|version| V1.contains(&version)) {
        let resource = url.strip_suffix("/openai").unwrap_or(url);
        let base = if url.contains(V1_PATH) { url.to_string() } else { format!("{resource}{V1_PATH}") };
        // A version of the classic API, perhaps left over in the environment, means nothing here.
        (base, Paths::Plain, version.filter(|version| V1.contains(version)))
    } else if url.ends_with("/models") {
        (url.to_string(), Paths::Plain, Some(version.unwrap_or(MODELS_VERSION)))
    } else if version.is_none() && url.ends_with(".services.ai.azure.com") {
        (format!("{url}{V1_PATH}"), Paths::Plain, None)
    } else {
        let resource = url.strip_suffix("/openai").unwrap_or(url);
        let paths = Paths::OfDeployment(model.to_string());
        (format!("{resource}/openai"), paths, Some(version.unwrap_or(USUAL_VERSION)))
    };
    let paths = named_well(params, given, paths)?;
    // A version in the address goes before.
    let query = match (given.query, needed) {
        (Some(query), Some(version)) if !query.contains("api-version=") => format!("?{query}&api-version={version}"),
        (Some(query), _) => format!("?{query}"),
        (None, Some(version)) => format!("?api-version={version}"),
        (None, None) => String::new(),
    };
    match format!("{base}{query}").parse() {
        Ok(uri) => Some((uri, paths)),
        Err(_) => {
            let hint = "write a version such as `api_version: 2025-04-01-preview`";
            let at = params.entry("api_version").map_or(params.at, |entry| entry.node.at);
            params.cx.error(at, &params.path_of("api_version"), "cannot stand in an address", hint);
            None
        }
    }
}

/// The name becomes a part of the path.
fn named_well(params: &Section<'_, '_>, given: &Given<'_>, paths: Paths) -> Option<Paths> {
    let Paths::OfDeployment(name) = &paths else { return Some(paths) };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && name.chars().all(fits) {
        return Some(paths);
    }
    if name.contains('*') {
        let hint = "write `api_base: https://RESOURCE.openai.azure.com/openai/v1`";
        params.cx.error(given.at, &params.path_of(given.key), "a wildcard needs the v1 API of the resource", hint);
    } else {
        let at = params.entry("model").map_or(params.at, |entry| entry.node.at);
        let hint = "write `model: azure/NAME` with the name that the deployment has in the resource";
        params.cx.error(at, &params.path_of("model"), "is no name of an Azure deployment", hint);
    }
    None
}

fn has_path(url: &str) -> bool {
    url.splitn(4, '/').nth(3).is_some_and(|path| !path.is_empty())
}
