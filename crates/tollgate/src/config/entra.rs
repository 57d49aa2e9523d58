//! How a deployment signs in to Azure with Entra ID: described here, done in `upstream/credential`.
//!
//! Variables and their meaning are those of Microsoft's azure-identity (learn.microsoft.com, credential chains, 2026-08); the keys
//! in `litellm_params` are LiteLLM's.

use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderValue, Uri};

use super::identity::{Identity, SignIn};
use super::secret::Secret;
use super::section::Section;
use super::target::Target;

/// Tokens for one scope. What is equal signs in once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entra {
    pub scope: String,
    /// Asked one after the other until one gives a token; one at least.
    pub sources: Vec<Source>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    ClientSecret {
        token_url: String,
        client_id: String,
        secret: Secret,
    },
    Password {
        token_url: String,
        client_id: String,
        username: String,
        password: Secret,
    },
    /// The token in the file is proof of who asks. Who issues it writes the file anew before it ends.
    Workload {
        token_url: String,
        client_id: String,
        file: PathBuf,
    },
    /// Managed identity in App Service, Functions and Container Apps.
    AppService {
        endpoint: String,
        header: Secret,
        client_id: Option<String>,
    },
    /// Managed identity of a virtual machine.
    Imds {
        base: String,
        client_id: Option<String>,
    },
    /// `az login`
    Cli {
        tenant: Option<String>,
    },
    /// `azd auth login`
    DeveloperCli {
        tenant: Option<String>,
    },
}

impl Entra {
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().filter_map(|source| match source {
            Source::ClientSecret { secret, .. } => Some(secret.expose()),
            Source::Password { password, .. } => Some(password.expose()),
            Source::AppService { header, .. } => Some(header.expose()),
            Source::Workload { .. } | Source::Imds { .. } | Source::Cli { .. } | Source::DeveloperCli { .. } => None,
        })
    }
}

/// `chain`: `litellm_settings.enable_azure_ad_token_refresh`, which means DefaultAzureCredential.
pub fn sign_in(params: &Section<'_, '_>, target: &Target, chain: bool) -> SignIn {
    let Some(usual_scope) = target.row.entra_scope(target.dialect) else { return SignIn::Key };
    let scope = params.text("azure_scope").or_else(|| params.cx.variable("AZURE_SCOPE"));
    let said = Said::read(params);
    if given(params, "api_key") {
        return SignIn::Key;
    }
    let one = |source| (source, None);
    let (sources, token) = if given(params, "azure_ad_token") {
        match said.token.as_deref() {
            Some(token) if token.starts_with("oidc/") => (said.federated(token), None),
            Some(token) => (None, Some(token)),
            // A missing variable was reported.
            None => return SignIn::Wrong,
        }
    } else if given(params, "client_secret") {
        one(said.secret().map(|source| vec![source]))
    } else if given(params, "azure_username") || given(params, "azure_password") {
        one(said.password().map(|source| vec![source]))
    } else if target.key_variables.iter().any(|name| params.cx.variable(name).is_some()) && !said.names_identity() {
        return SignIn::Key;
    } else if let Some(token) = said.token.as_deref() {
        (None, Some(token))
    } else if chain || said.names_identity() || said.environment_has_source() {
        one(said.chain())
    } else {
        return SignIn::Key;
    };
    if let Some(token) = token {
        return fixed(params, token);
    }
    let Some(sources) = sources else { return SignIn::Wrong };
    let scope = scope.unwrap_or_else(|| usual_scope.to_string());
    SignIn::As(Identity::Entra(Arc::new(Entra { scope, sources })))
}

fn given(params: &Section<'_, '_>, key: &str) -> bool {
    params.take(key).is_some()
}

fn fixed(params: &Section<'_, '_>, token: &str) -> SignIn {
    let value = format!("Bearer {}", token.trim());
    if HeaderValue::from_str(&value).is_ok() {
        return SignIn::Token(Secret::new(value));
    }
    let at = params.entry("azure_ad_token").map_or(params.at, |entry| entry.node.at);
    let hint = "look for a line break or a character outside ASCII in it";
    params.cx.error(
        at,
        &params.path_of("azure_ad_token"),
        "the token holds a character that no HTTP header can carry",
        hint,
    );
    SignIn::Wrong
}

/// What parameters and variables say, the parameter first.
struct Said<'p, 'c, 'e> {
    params: &'p Section<'c, 'e>,
    token: Option<String>,
    tenant: Option<String>,
    client: Option<String>,
    secret: Option<String>,
    username: Option<String>,
    password: Option<String>,
}

impl<'p, 'c, 'e> Said<'p, 'c, 'e> {
    fn read(params: &'p Section<'c, 'e>) -> Self {
        let said = |key: &str, variable: &str| {
            let text = params.text(key).filter(|text| !text.trim().is_empty());
            text.or_else(|| params.cx.variable(variable)).map(|text| text.trim().to_string())
        };
        Said {
            params,
            token: said("azure_ad_token", "AZURE_AD_TOKEN"),
            tenant: said("tenant_id", "AZURE_TENANT_ID"),
            client: said("client_id", "AZURE_CLIENT_ID"),
            secret: said("client_secret", "AZURE_CLIENT_SECRET"),
            username: said("azure_username", "AZURE_USERNAME"),
            password: said("azure_password", "AZURE_PASSWORD"),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.params.cx.variable(name)
    }

    /// The deployment says which identity, so a key that is meant for others is not used.
    fn names_identity(&self) -> bool {
        given(self.params, "tenant_id") || given(self.params, "client_id")
    }

    /// Without this, the absence of a key is more likely a mistake than a wish to sign in.
    fn environment_has_source(&self) -> bool {
        let all = |names: &[&str]| names.iter().all(|name| self.variable(name).is_some());
        all(&["AZURE_TOKEN_CREDENTIALS"])
            || all(&["AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"])
            || all(&["AZURE_FEDERATED_TOKEN_FILE"])
            || all(&["IDENTITY_ENDPOINT", "IDENTITY_HEADER"])
    }

    /// All of them, or a problem that names the missing ones.
    fn need<const N: usize>(&self, what: &str, parts: [(&str, &str, &Option<String>); N]) -> Option<[String; N]> {
        let missing: Vec<String> = parts
            .iter()
            .filter(|(_, _, value)| value.is_none())
            .map(|(key, variable, _)| format!("`{key}` (or {variable})"))
            .collect();
        if missing.is_empty() {
            return Some(parts.map(|(_, _, value)| value.clone().unwrap_or_default()));
        }
        let message = format!("{what} is not whole: there is no {}", missing.join(" and no "));
        self.wrong(parts[0].0, &message, "write them into `litellm_params` or set the variables; docs/azure.md");
        None
    }

    fn wrong(&self, key: &str, message: &str, hint: &str) {
        let at = self.params.entry(key).map_or(self.params.at, |entry| entry.node.at);
        self.params.cx.error(at, &self.params.path_of(key), message, hint);
    }

    fn secret(&self) -> Option<Source> {
        let parts = [
            ("tenant_id", "AZURE_TENANT_ID", &self.tenant),
            ("client_id", "AZURE_CLIENT_ID", &self.client),
            ("client_secret", "AZURE_CLIENT_SECRET", &self.secret),
        ];
        let [tenant, client_id, secret] = self.need("the client secret", parts)?;
        Some(Source::ClientSecret { token_url: self.token_url(&tenant)?, client_id, secret: Secret::new(secret) })
    }

    fn password(&self) -> Option<Source> {
        let parts = [
            ("tenant_id", "AZURE_TENANT_ID", &self.tenant),
            ("client_id", "AZURE_CLIENT_ID", &self.client),
            ("azure_username", "AZURE_USERNAME", &self.username),
            ("azure_password", "AZURE_PASSWORD", &self.password),
        ];
        let [tenant, client_id, username, password] = self.need("the user's sign-in", parts)?;
        let (token_url, password) = (self.token_url(&tenant)?, Secret::new(password));
        Some(Source::Password { token_url, client_id, username, password })
    }

    fn workload(&self, file: String) -> Option<Source> {
        let parts = [("tenant_id", "AZURE_TENANT_ID", &self.tenant), ("client_id", "AZURE_CLIENT_ID", &self.client)];
        let [tenant, client_id] = self.need("the workload identity", parts)?;
        Some(Source::Workload { token_url: self.token_url(&tenant)?, client_id, file: PathBuf::from(file) })
    }

    /// `oidc/file/PATH`, as LiteLLM writes it.
    fn federated(&self, token: &str) -> Option<Vec<Source>> {
        match token.strip_prefix("oidc/file/") {
            Some(file) => Some(vec![self.workload(file.to_string())?]),
            None => {
                let hint = "write `oidc/file/PATH`, or set AZURE_FEDERATED_TOKEN_FILE";
                self.wrong("azure_ad_token", "a token by `oidc/…` can be had only from a file", hint);
                None
            }
        }
    }

    fn token_url(&self, tenant: &str) -> Option<String> {
        let host = self.variable("AZURE_AUTHORITY_HOST");
        let host = host.unwrap_or_else(|| "https://login.microsoftonline.com".to_string());
        let host = if host.contains("://") { host } else { format!("https://{host}") };
        let url = format!("{}/{tenant}/oauth2/v2.0/token", host.trim_end_matches('/'));
        let uri = url.parse::<Uri>().ok();
        if uri.is_some_and(|uri| uri.scheme_str() == Some("https") || uri.host().is_some_and(is_loopback)) {
            return Some(url);
        }
        let message = "the address to sign in at is none: AZURE_AUTHORITY_HOST must begin with https://";
        self.wrong("tenant_id", message, "for the public cloud do not set it; tenant_id is an id or a domain");
        None
    }

    /// DefaultAzureCredential's order; AZURE_TOKEN_CREDENTIALS chooses from it.
    fn chain(&self) -> Option<Vec<Source>> {
        let chosen = self.variable("AZURE_TOKEN_CREDENTIALS");
        let chosen = chosen.map(|words| words.trim().to_ascii_lowercase());
        let words = LINKS.iter().flat_map(|link| [link.name, link.kind]);
        if chosen.as_ref().is_some_and(|chosen| !words.clone().any(|word| word == chosen)) {
            let hint = "it may be prod, dev, EnvironmentCredential, WorkloadIdentityCredential, ManagedIdentityCredential, \
                        AzureCliCredential or AzureDeveloperCliCredential";
            self.wrong("model", "AZURE_TOKEN_CREDENTIALS names no source of tokens that is known", hint);
            return None;
        }
        let links = LINKS.iter().filter(|link| chosen.as_ref().is_none_or(|c| c == link.name || c == link.kind));
        let sources: Vec<Source> = links.filter_map(|link| (link.source)(self)).collect();
        if sources.is_empty() {
            let hint = "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET or AZURE_FEDERATED_TOKEN_FILE";
            self.wrong("model", "AZURE_TOKEN_CREDENTIALS chooses a source of tokens that is not set up", hint);
            return None;
        }
        Some(sources)
    }

    fn environment(&self) -> Option<Source> {
        let whole = self.tenant.is_some() && self.client.is_some();
        if whole && self.secret.is_some() {
            return self.secret();
        }
        (whole && self.username.is_some() && self.password.is_some()).then(|| self.password())?
    }

    fn federated_file(&self) -> Option<Source> {
        self.tenant.as_ref().and(self.client.as_ref())?;
        self.workload(self.variable("AZURE_FEDERATED_TOKEN_FILE")?)
    }

    fn managed(&self) -> Source {
        let client_id = self.client.clone();
        match (self.variable("IDENTITY_ENDPOINT"), self.variable("IDENTITY_HEADER")) {
            (Some(endpoint), Some(header)) => Source::AppService { endpoint, header: Secret::new(header), client_id },
            _ => {
                let base = self.variable("AZURE_POD_IDENTITY_AUTHORITY_HOST");
                let base = base.unwrap_or_else(|| "http://169.254.169.254".to_string());
                Source::Imds { base: base.trim_end_matches('/').to_string(), client_id }
            }
        }
    }
}

/// One of the chain.
struct Link {
    /// In lower case, as AZURE_TOKEN_CREDENTIALS is compared.
    name: &'static str,
    kind: &'static str,
    source: fn(&Said<'_, '_, '_>) -> Option<Source>,
}

const LINKS: [Link; 5] = [
    Link { name: "environmentcredential", kind: "prod", source: |said| said.environment() },
    Link { name: "workloadidentitycredential", kind: "prod", source: |said| said.federated_file() },
    Link { name: "managedidentitycredential", kind: "prod", source: |said| Some(said.managed()) },
    Link {
        name: "azureclicredential",
        kind: "dev",
        source: |said| Some(Source::Cli { tenant: said.params.text("tenant_id") }),
    },
    Link {
        name: "azuredeveloperclicredential",
        kind: "dev",
        source: |said| Some(Source::DeveloperCli { tenant: said.params.text("tenant_id") }),
    },
];

pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
