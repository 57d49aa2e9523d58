//! How a deployment signs in to Google Cloud: described here, done in `upstream/credential`.
//!
//! The forms of credentials and where they are looked for are those of Application Default Credentials
//! (docs.cloud.google.com/docs/authentication/application-default-credentials, 2026-11) and of google-auth 2.56; the keys in
//! `litellm_params` are LiteLLM's.

mod file;

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::context::Resolved;
use super::secret::Secret;
use super::section::{Section, json};
use super::yaml;

/// Where tokens come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A signed assertion is exchanged for a token (RFC 7523).
    ServiceAccount { token_url: String, email: String, key_id: Option<String>, key: Secret },
    /// A person's, as `gcloud auth application-default login` leaves it.
    AuthorizedUser { token_url: String, client_id: String, client_secret: Secret, refresh_token: Secret },
    /// Workload identity federation: another issuer's token is exchanged (RFC 8693).
    External(Box<External>),
    /// A service account, in whose name `by` asks.
    Impersonated { url: String, seconds: u64, delegates: Vec<String>, by: Box<Source> },
    /// The machine's or workload's own service account.
    Metadata { base: String },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct External {
    pub token_url: String,
    pub audience: String,
    pub subject_token_type: String,
    pub subject: Subject,
    /// Where the other issuer's token is found in what `subject` gives; `None`: that is the token.
    pub field: Option<String>,
    pub client: Option<(String, Secret)>,
    /// Of a workforce pool: the project that is billed.
    pub user_project: Option<String>,
}

/// Asked anew each time: whoever issues these tokens replaces them before they end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    File(PathBuf),
    Url { url: String, headers: Vec<(String, Secret)> },
}

impl Source {
    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Source::ServiceAccount { key, .. } => vec![key.expose()],
            Source::AuthorizedUser { client_secret, refresh_token, .. } => {
                vec![client_secret.expose(), refresh_token.expose()]
            }
            Source::External(external) => {
                let headers = match &external.subject {
                    Subject::File(_) => &[],
                    Subject::Url { headers, .. } => headers.as_slice(),
                };
                let client = external.client.iter().map(|(_, secret)| secret);
                client.chain(headers.iter().map(|(_, value)| value)).map(Secret::expose).collect()
            }
            Source::Impersonated { by, .. } => by.secrets(),
            Source::Metadata { .. } => Vec::new(),
        }
    }
}

/// What credentials say.
#[derive(Clone, Debug, PartialEq)]
pub struct Credentials {
    pub source: Source,
    /// Theirs, for deployments that name none.
    pub project: Option<String>,
    /// Whose quota is used, where it is not the resource's own.
    pub quota_project: Option<String>,
}

const KEYS: [&str; 2] = ["vertex_credentials", "vertex_ai_credentials"];
const METADATA_HOST: &str = "metadata.google.internal";

/// Whether the deployment itself names credentials.
pub fn named(params: &Section<'_, '_>) -> bool {
    KEYS.iter().fold(false, |named, key| params.take(key).is_some() | named)
}

/// The first that there are: of the deployment, of the environment, of gcloud, of the machine. `None` with a problem reported.
pub fn credentials(params: &Section<'_, '_>) -> Option<Credentials> {
    let cx = params.cx;
    if let Some((key, node)) = KEYS.iter().find_map(|key| Some((*key, params.take(key)?))) {
        let place = Place { params, key, what: key };
        return match (&node.value, cx.resolve(node)) {
            (yaml::Value::Map(_), _) => {
                file::read(&place, &json(cx, node, &params.path_of(key)).to_value(), &metadata_base(params))
            }
            (_, Resolved::Text(text)) => place.text(&text),
            (_, Resolved::Missing(name)) => {
                place.wrong(&format!("the environment variable {name} is not set"), &format!("set {name}"))
            }
            _ => {
                params.wrong(node, key, "a path or JSON");
                None
            }
        };
    }
    for name in ["VERTEXAI_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS"] {
        if let Some(text) = cx.variable(name) {
            return Place { params, key: KEYS[0], what: name }.text(&text);
        }
    }
    if let Some(path) = of_gcloud(params).filter(|path| path.is_file()) {
        return Place { params, key: KEYS[0], what: "gcloud's application_default_credentials.json" }.file(&path);
    }
    if !on_google_cloud(params) {
        let message = "there are no credentials of Google Cloud: tokens will be asked of the metadata server";
        let hint = "outside of Google Cloud there is none: write `vertex_credentials: PATH`, set \
                    GOOGLE_APPLICATION_CREDENTIALS, or run `gcloud auth application-default login`; docs/vertex.md";
        cx.warning(params.at, &params.path_of(KEYS[0]), message, hint);
    }
    let source = Source::Metadata { base: metadata_base(params) };
    Some(Credentials { source, project: None, quota_project: None })
}

fn of_gcloud(params: &Section<'_, '_>) -> Option<PathBuf> {
    let folder = match params.cx.variable("CLOUDSDK_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(params.cx.variable("HOME")?).join(".config/gcloud"),
    };
    Some(folder.join("application_default_credentials.json"))
}

fn metadata_base(params: &Section<'_, '_>) -> String {
    let host = params.cx.variable("GCE_METADATA_HOST");
    format!("http://{}", host.as_deref().unwrap_or(METADATA_HOST).trim().trim_end_matches('/'))
}

/// As google-auth tells: by a variable of Cloud Run and its like, or by what the machine's firmware calls itself.
fn on_google_cloud(params: &Section<'_, '_>) -> bool {
    let product = || std::fs::read_to_string("/sys/class/dmi/id/product_name");
    ["GCE_METADATA_HOST", "K_SERVICE"].iter().any(|name| params.cx.variable(name).is_some())
        || product().is_ok_and(|name| name.starts_with("Google"))
}

/// Where credentials stand, for problems.
struct Place<'p, 'c, 'e> {
    params: &'p Section<'c, 'e>,
    key: &'static str,
    /// The key or variable that names them.
    what: &'static str,
}

impl Place<'_, '_, '_> {
    fn wrong<T>(&self, message: &str, hint: &str) -> Option<T> {
        let at = self.params.entry(self.key).map_or(self.params.at, |entry| entry.node.at);
        let message = if self.what == self.key { message.to_string() } else { format!("{}: {message}", self.what) };
        self.params.cx.error(at, &self.params.path_of(self.key), message, hint);
        None
    }

    /// A path, or the credentials themselves.
    fn text(&self, text: &str) -> Option<Credentials> {
        let text = text.trim();
        if text.starts_with('{') {
            return self.json(text);
        }
        match text.strip_prefix("~/").zip(self.params.cx.variable("HOME")) {
            Some((below, home)) => self.file(&Path::new(&home).join(below)),
            None => self.file(Path::new(text)),
        }
    }

    fn file(&self, path: &Path) -> Option<Credentials> {
        match std::fs::read_to_string(path) {
            Ok(text) => self.json(&text),
            Err(error) => self.wrong(
                &format!("the file with the credentials cannot be read: {error}"),
                "give the path of a file that the gateway may read, or the JSON in it",
            ),
        }
    }

    fn json(&self, text: &str) -> Option<Credentials> {
        match serde_json::from_str::<Value>(text) {
            Ok(value) => file::read(self, &value, &metadata_base(self.params)),
            Err(_) => self.wrong(
                "the credentials are not JSON",
                "give the file as Google's console or gcloud wrote it; in YAML, JSON on one line stands in single quotes",
            ),
        }
    }
}
