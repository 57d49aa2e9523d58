//! Which provider a deployment means, at which address, in which dialect.

use http::Uri;
use tollgate_dialect::Dialect;
use tollgate_policy::nearest::nearest;

use crate::registry::{self, Auth, Known, Provider};

use super::aws::Asked;
use super::azure;
use super::bedrock;
use super::google::Credentials;
use super::model::Paths;
use super::problem::Pos;
use super::section::Section;
use super::vertex;

/// The row of `bedrock/mantle/`.
const MANTLE: &str = "bedrock_mantle";

pub struct Target {
    pub row: &'static Provider,
    /// The provider as it is written.
    pub written: String,
    /// The provider's name for the model.
    pub model: String,
    pub dialect: Dialect,
    /// Nothing says which of OpenAI's two APIs is meant.
    pub either_api: bool,
    pub base_url: Uri,
    pub paths: Paths,
    pub auth: Auth,
    /// With what a deployment on Vertex AI signs in, unless by `api_key`.
    pub google: Option<Credentials>,
    /// Where a key is looked for when the configuration gives none.
    pub key_variables: Vec<String>,
    pub key_required: bool,
    /// For what requests to AWS are signed, unless a key signs in.
    pub aws: Option<Asked>,
}

/// What the entry says beside the model and its address.
pub struct Wanted<'w> {
    /// `supported_endpoints` names `/v1/messages`.
    pub messages_listed: bool,
    /// What `api_mode` says.
    pub api: Option<Dialect>,
    pub base_model: Option<&'w str>,
    /// What deployments on Vertex AI have that name no project or location.
    pub vertex: &'w vertex::Defaults,
}

/// What `model:` and `custom_llm_provider:` say.
struct Named {
    row: &'static Provider,
    prefix: String,
    model: String,
}

/// `None` with a problem reported.
pub fn find(params: &Section<'_, '_>, wanted: &Wanted<'_>) -> Option<Target> {
    let mut named = named(params)?;
    let mut api = wanted.api;
    // LiteLLM's `openai/responses/NAME`.
    if let Some(model) = named.model.strip_prefix("responses/").filter(|_| named.row.responses) {
        named.model = model.to_string();
        api = api.or(Some(Dialect::Responses));
    }
    let address = address(params, &named.row.name);
    let endpoints = [
        ("chat", Dialect::Chat),
        ("messages", Dialect::Messages),
        ("responses", Dialect::Responses),
        ("gemini", Dialect::Gemini),
        ("converse", Dialect::Converse),
    ];
    let endpoint = params.choice("endpoint", &endpoints);
    let host_row = address.as_ref().and_then(|a| registry::embedded().by_host(a.uri.authority()?.as_str()));
    let mut row = row_at(&named, address.as_ref(), host_row);
    let mut dialect = endpoint.unwrap_or_else(|| dialect(&named, row, address.as_ref(), wanted.messages_listed));
    if let (None, Dialect::Chat, Some(api)) = (endpoint, dialect, api) {
        dialect = api;
    }
    let mut aws = None;
    let mut google = None;
    let (base_url, paths) = match &address {
        address if row.is_aws() => {
            let on_bedrock = bedrock::named(&named.model, wanted.base_model, row.name == MANTLE);
            if on_bedrock.mantle {
                row = registry::embedded().row(MANTLE);
            }
            dialect = endpoint.unwrap_or(on_bedrock.dialect);
            let given = address.as_ref().map(|address| trimmed(&address.uri, dialect));
            let found = bedrock::find(params, given.as_deref(), &on_bedrock, row.aws_service())?;
            named.model = on_bedrock.model.to_string();
            aws = Some(found.asked);
            (found.base_url, if row.name == MANTLE { Paths::Plain } else { Paths::OfModel })
        }
        address if row.is_vertex() => {
            named.model = vertex::model_name(dialect, &named.model).to_string();
            let given = address.as_ref().map(|a| vertex::Given { uri: &a.uri, at: a.at, key: a.key });
            let found = vertex::find(params, given.as_ref(), dialect, &named.model, wanted.vertex)?;
            google = found.credentials;
            (found.base_url, found.paths)
        }
        Some(address) if row.is_azure() => {
            named.model = azure::deployment_name(&named.model).to_string();
            let (query, at, key) = (address.uri.query(), address.at, address.key);
            let given = azure::Given { url: trimmed(&address.uri, dialect), query, at, key };
            azure::base_url(params, &given, dialect, &named.model)?
        }
        _ => (base_url(params, row, dialect, address.as_ref())?, Paths::Plain),
    };

    let mut key_variables = row.key_variables(if row.name == named.row.name { &named.prefix } else { &row.name });
    if row.name != named.row.name {
        // As LiteLLM does: `openai/` means OPENAI_API_KEY wherever `api_base` leads.
        key_variables.extend(named.row.key_variables(&named.prefix));
    }
    let at_home = row.base_url.is_none() || row_owns(row, &base_url);
    Some(Target {
        row,
        written: named.row.name.clone(),
        // `anthropic/` promises Anthropic's own header, wherever it leads.
        auth: if named.row.name == "anthropic" { named.row.auth(dialect) } else { row.auth(dialect) },
        model: named.model,
        dialect,
        either_api: dialect == Dialect::Chat && endpoint.is_none() && api.is_none(),
        base_url,
        paths,
        google,
        key_variables,
        key_required: !row.key_optional && at_home,
        aws,
    })
}

fn named(params: &Section<'_, '_>) -> Option<Named> {
    let cx = params.cx;
    let at = params.entry("model").map_or(params.at, |entry| entry.node.at);
    let path = params.path_of("model");
    let Some(model) = params.text("model").filter(|model| !model.trim().is_empty()) else {
        let hint = "write `model: PROVIDER/NAME`, such as `model: openrouter/moonshotai/kimi-k2.5`";
        cx.error(at, &path, "is missing: a deployment needs the provider's name for the model", hint);
        return None;
    };
    let provider = params.text("custom_llm_provider");
    let (prefix, rest) = match &provider {
        Some(name) => (name.as_str(), model.strip_prefix(&format!("{name}/")).unwrap_or(&model)),
        None => model.split_once('/').unwrap_or(("", &model)),
    };
    match registry::embedded().find(prefix) {
        Known::Provider(row) => Some(Named { row, prefix: prefix.to_string(), model: rest.to_string() }),
        Known::Later => {
            let hint = "take this deployment out until then; `tollgate check` names every such deployment";
            cx.error(at, &path, format!("the provider {prefix} arrives in a later version"), hint);
            None
        }
        Known::Unknown => match provider {
            Some(_) => {
                unknown_provider(
                    params,
                    params.entry("custom_llm_provider").map_or(at, |e| e.node.at),
                    "custom_llm_provider",
                    prefix,
                );
                None
            }
            None => unprefixed(params, at, prefix, &model),
        },
    }
}

/// No known provider stands before the slash, or there is no slash.
fn unprefixed(params: &Section<'_, '_>, at: Pos, prefix: &str, model: &str) -> Option<Named> {
    let by_address = params.text("api_base").or_else(|| params.text("base_url"));
    let by_address = by_address.and_then(|url| url.trim().parse::<Uri>().ok());
    let by_address = by_address.and_then(|uri| registry::embedded().by_host(uri.authority()?.as_str()));
    if let Some(row) = by_address.or_else(|| registry::embedded().infer(model)) {
        return Some(Named { row, prefix: row.name.clone(), model: model.to_string() });
    }
    unknown_provider(params, at, "model", prefix);
    None
}

fn unknown_provider(params: &Section<'_, '_>, at: Pos, key: &str, prefix: &str) {
    let near = nearest(prefix, registry::embedded().prefixes(), 1);
    let hint = match near.first() {
        Some(near) => format!(
            "did you mean `{near}/…`? For any other OpenAI-compatible server write `openai/NAME` and its `api_base`"
        ),
        None => "write `PROVIDER/NAME`; for any OpenAI-compatible server `openai/NAME` and its `api_base`".to_string(),
    };
    let from_variable = matches!(params.entry(key).map(|e| &e.node.value), Some(super::yaml::Value::Text(t)) if t.starts_with("os.environ/"));
    let message = match prefix {
        "" => "does not say which provider the model belongs to".to_string(),
        _ if from_variable => "begins with no known provider".to_string(),
        _ => format!("no provider is called {prefix}"),
    };
    params.cx.error(at, &params.path_of(key), message, hint);
}

struct Address {
    uri: Uri,
    at: Pos,
    key: &'static str,
}

fn address(params: &Section<'_, '_>, provider: &str) -> Option<Address> {
    for key in ["api_base", "base_url", "azure_endpoint"] {
        if let Some(text) = params.text(key) {
            let at = params.entry(key).map_or(params.at, |entry| entry.node.at);
            return parse_address(params, &text, at, key);
        }
    }
    let variable = format!("{}_API_BASE", provider.to_uppercase().replace('-', "_"));
    let text = params.cx.variable(&variable)?;
    parse_address(params, &text, params.at, "api_base")
}

fn parse_address(params: &Section<'_, '_>, text: &str, at: Pos, key: &'static str) -> Option<Address> {
    let uri: Option<Uri> = text.trim().trim_end_matches('/').parse().ok();
    let uri = uri
        .filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|h| !h.is_empty()));
    match uri {
        Some(uri) => Some(Address { uri, at, key }),
        None => {
            let hint = "write it like https://api.example.com/v1";
            params.cx.error(at, &params.path_of(key), "is no address that begins with http:// or https://", hint);
            None
        }
    }
}

/// `openai/` and `anthropic/` with an `api_base` say only what is spoken there, not who speaks.
fn row_at(named: &Named, address: Option<&Address>, host_row: Option<&'static Provider>) -> &'static Provider {
    let family = named.row.name.as_str();
    let Some(address) = address.filter(|_| matches!(family, "openai" | "anthropic")) else { return named.row };
    if row_owns(named.row, &address.uri) {
        return named.row;
    }
    match (family, host_row) {
        (_, Some(row)) => row,
        // A proxy in front of Anthropic.
        ("anthropic", None) if named.model.contains("claude") || named.model.contains('*') => named.row,
        ("anthropic", None) => registry::embedded().row("anthropic_like"),
        _ if azure_v1(&address.uri) => registry::embedded().row("azure"),
        _ => registry::embedded().row("openai_like"),
    }
}

fn azure_v1(uri: &Uri) -> bool {
    uri.host().is_some_and(|host| host.ends_with(".openai.azure.com")) && uri.path().contains("/openai/v1")
}

fn row_owns(row: &'static Provider, uri: &Uri) -> bool {
    let owner = uri.authority().and_then(|host| registry::embedded().by_host(host.as_str()));
    owner.is_some_and(|owner| owner.name == row.name)
}

fn dialect(named: &Named, row: &Provider, address: Option<&Address>, messages_listed: bool) -> Dialect {
    if named.row.dialect() == Dialect::Messages {
        return Dialect::Messages;
    }
    if row.is_vertex() {
        return vertex::dialect(&named.model);
    }
    let path = address.map_or("", |address| address.uri.path());
    let ends_in_messages =
        row.messages_path().is_some_and(|end| path.trim_end_matches("/v1/messages").ends_with(&format!("/{end}")));
    let bare = path.trim_end_matches('/').is_empty();
    let claude_in_foundry = row.is_azure() && row.has_messages() && bare && named.model.contains("claude");
    if ends_in_messages || claude_in_foundry || (messages_listed && (row.has_messages() || row.name == "openai_like")) {
        return Dialect::Messages;
    }
    let ends_in_chat = row.chat_url.as_deref().and_then(path_of).is_some_and(|end| path.contains(end));
    if ends_in_chat { Dialect::Chat } else { row.dialect() }
}

/// `/v1beta/openai` of an address.
fn path_of(url: &str) -> Option<&str> {
    let (_, after) = url.split_once("://")?;
    after.find('/').map(|at| &after[at..])
}

fn base_url(params: &Section<'_, '_>, row: &Provider, dialect: Dialect, address: Option<&Address>) -> Option<Uri> {
    // OpenAI's two APIs stand side by side.
    let dialect = if dialect == Dialect::Responses { Dialect::Chat } else { dialect };
    let own = match dialect {
        Dialect::Messages if row.dialect() == Dialect::Chat => row.messages_url.as_deref(),
        Dialect::Chat if dialect != row.dialect() => row.chat_url.as_deref(),
        _ if dialect != row.dialect() => None,
        _ => row.base_url.as_deref(),
    };
    let given = address.filter(|a| {
        // The address of the other endpoint was repeated: the row knows this one.
        !(dialect != row.dialect()
            && own.is_some()
            && Some(trimmed(&a.uri, row.dialect()).as_str()) == row.base_url.as_deref())
    });
    let Some(given) = given else {
        return own.map(|url| url.parse().expect("the registry's addresses are tested")).or_else(|| {
            let hint = "write `api_base: https://…`, the address before /chat/completions (or /v1/messages, or /v1beta/models)";
            let message = format!("{} has no address that is known: `api_base` is needed", row.name);
            params.cx.error(params.at, &params.path_of("api_base"), message, hint);
            None
        });
    };
    let mut url = trimmed(&given.uri, dialect);
    if let Some(path) = row.path_if_bare.as_deref().filter(|_| dialect == Dialect::Chat && given.uri.path() == "/") {
        url.push_str(path);
    }
    let query = given.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{url}{query}").parse().expect("a shortened address is an address"))
}

/// Without query, the dialect's own path and slashes at the end.
fn trimmed(uri: &Uri, dialect: Dialect) -> String {
    let whole = uri.to_string();
    let url = whole.split('?').next().unwrap_or_default().trim_end_matches('/');
    let paths: &[&str] = match dialect {
        Dialect::Messages => &[Dialect::Messages.path()],
        Dialect::Chat | Dialect::Responses => &[Dialect::Chat.path(), Dialect::Responses.path()],
        Dialect::Gemini => &[Dialect::Gemini.path()],
        Dialect::Converse => &[Dialect::Converse.path()],
    };
    let url = paths.iter().find_map(|path| url.strip_suffix(path)).unwrap_or(url).trim_end_matches('/');
    match dialect {
        Dialect::Messages => url.strip_suffix("/v1").unwrap_or(url).to_string(),
        Dialect::Chat | Dialect::Responses | Dialect::Converse => url.to_string(),
        Dialect::Gemini => url.strip_suffix("/v1beta").or(url.strip_suffix("/v1")).unwrap_or(url).to_string(),
    }
}
