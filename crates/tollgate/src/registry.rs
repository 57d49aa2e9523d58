//! What is known of providers and models, as data: `providers.toml` and `models.toml` beside this file are part of the program.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use tollgate_dialect::Dialect;
use tollgate_dialect::quirks::Quirks;
use tollgate_policy::glob::Glob;

pub mod catalogue;
mod merge;
#[cfg(test)]
mod tests;

pub use merge::merge;

static EMBEDDED: LazyLock<Registry> = LazyLock::new(|| {
    Registry::parse(include_str!("registry/providers.toml"), include_str!("registry/models.toml"))
        .expect("the embedded registry is read by a test")
});

pub fn embedded() -> &'static Registry {
    &EMBEDDED
}

#[derive(Debug)]
pub struct Registry {
    providers: BTreeMap<String, Provider>,
    /// Further prefixes to rows.
    aliases: BTreeMap<String, String>,
    later: Vec<String>,
    models: Vec<ModelRow>,
    /// Pattern, the same compiled, provider.
    bare: Vec<(String, Glob, String)>,
    well_known: BTreeMap<String, Vec<String>>,
}

/// A row of `providers.toml`, where the columns are explained.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Provider {
    #[serde(skip)]
    pub name: String,
    aliases: Vec<String>,
    dialect: RowDialect,
    pub base_url: Option<String>,
    pub path_if_bare: Option<String>,
    /// The chat endpoint of a provider whose own dialect is another.
    pub chat_url: Option<String>,
    pub messages_url: Option<String>,
    messages_path: Option<String>,
    /// It has the Responses API beside chat completions.
    pub responses: bool,
    hosts: Vec<String>,
    key_env: Vec<String>,
    pub key_optional: bool,
    auth: Auth,
    messages_auth: Option<Auth>,
    entra_scope: Option<String>,
    aws_service: Option<String>,
    messages_entra_scope: Option<String>,
    /// Vertex AI's addresses and Google's credentials.
    vertex: bool,
    pub quirks: toml::Table,
    pub source: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RowDialect {
    #[default]
    Chat,
    Messages,
    Gemini,
}

/// The header that carries the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// `authorization: Bearer KEY`
    #[default]
    Bearer,
    XApiKey,
    ApiKey,
    XGoogApiKey,
}

impl Provider {
    pub fn dialect(&self) -> Dialect {
        match self.dialect {
            RowDialect::Chat => Dialect::Chat,
            RowDialect::Messages => Dialect::Messages,
            RowDialect::Gemini => Dialect::Gemini,
        }
    }

    pub fn auth(&self, dialect: Dialect) -> Auth {
        match dialect {
            Dialect::Messages => self.messages_auth.unwrap_or(self.auth),
            // Every chat endpoint beside another one takes a bearer.
            Dialect::Chat if self.dialect() != Dialect::Chat => Auth::Bearer,
            _ => self.auth,
        }
    }

    pub fn is_azure(&self) -> bool {
        self.entra_scope.is_some()
    }

    pub fn is_vertex(&self) -> bool {
        self.vertex
    }

    /// For a token of Entra ID; `None`: the provider takes none. Only Azure does.
    pub fn entra_scope(&self, dialect: Dialect) -> Option<&str> {
        let of_messages = self.messages_entra_scope.as_deref().filter(|_| dialect == Dialect::Messages);
        of_messages.or(self.entra_scope.as_deref())
    }

    pub fn is_aws(&self) -> bool {
        self.aws_service.is_some()
    }

    /// The service's name in signatures.
    pub fn aws_service(&self) -> &str {
        self.aws_service.as_deref().unwrap_or_default()
    }

    /// Variables that may hold the key, the likeliest first. `prefix` is the name under which the row was asked for.
    pub fn key_variables(&self, prefix: &str) -> Vec<String> {
        let mut names = self.key_env.clone();
        if names.is_empty() {
            names.push(key_variable(&self.name));
        }
        let own = key_variable(prefix);
        if prefix != self.name && !names.contains(&own) {
            names.push(own);
        }
        names
    }

    /// It has a Messages endpoint, at a known address or one that the user gives.
    pub fn has_messages(&self) -> bool {
        self.dialect() == Dialect::Messages || self.messages_url.is_some() || self.messages_path.is_some()
    }

    /// The path by which an `api_base` is known to be the Messages endpoint.
    pub fn messages_path(&self) -> Option<&str> {
        let path = match (&self.messages_path, &self.messages_url) {
            (Some(path), _) => path.as_str(),
            (None, Some(url)) => url.splitn(4, '/').nth(3).unwrap_or(""),
            (None, None) => return None,
        };
        Some(path.trim_matches('/')).filter(|path| !path.is_empty())
    }

    fn owns_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|h| h == host)
            || [&self.base_url, &self.messages_url, &self.chat_url]
                .into_iter()
                .flatten()
                .any(|url| host_of(url) == Some(host))
    }
}

fn key_variable(name: &str) -> String {
    format!("{}_API_KEY", name.to_uppercase().replace('-', "_"))
}

fn host_of(url: &str) -> Option<&str> {
    let host = url.split_once("://")?.1.split('/').next()?;
    // Loopback addresses are whoever's server runs there.
    (!host.starts_with("localhost")).then_some(host)
}

/// What a provider's name or prefix stands for.
#[derive(Debug)]
pub enum Known<'r> {
    Provider(&'r Provider),
    /// In LiteLLM's list, but not to be reached yet.
    Later,
    Unknown,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelRow {
    #[serde(rename = "match", deserialize_with = "globs")]
    patterns: Vec<Glob>,
    #[serde(default)]
    providers: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
    context_window: Option<u64>,
    max_output_tokens: Option<u64>,
    #[serde(default)]
    quirks: toml::Table,
    #[allow(dead_code, reason = "required of every row so that each fact can be checked")]
    source: String,
}

fn globs<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Glob>, D::Error> {
    Ok(Vec::<String>::deserialize(deserializer)?.iter().map(|pattern| Glob::new(pattern)).collect())
}

/// What all matching rows of `models.toml` say together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelFacts {
    pub context_window: Option<u64>,
    pub max_output_tokens: Option<u64>,
    pub quirks: toml::Table,
}

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("{file}: {source}")]
    Toml { file: &'static str, source: toml::de::Error },
    #[error("providers.toml: two rows claim the name {0}")]
    Twice(String),
    #[error("models.toml: no provider is called {0}")]
    NoProvider(String),
    #[error("quirks of {row}: {source}")]
    Quirks { row: String, source: toml::de::Error },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProvidersFile {
    messages_layer: toml::Table,
    api_base_required: Vec<String>,
    later: Vec<String>,
    provider: BTreeMap<String, Provider>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelsFile {
    bare: Vec<BareRow>,
    well_known: BTreeMap<String, Vec<String>>,
    model: Vec<ModelRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BareRow {
    provider: String,
    #[serde(rename = "match")]
    patterns: Vec<String>,
}

impl Registry {
    pub fn parse(providers: &str, models: &str) -> Result<Registry, RegistryError> {
        let providers: ProvidersFile =
            toml::from_str(providers).map_err(|source| RegistryError::Toml { file: "providers.toml", source })?;
        let models: ModelsFile =
            toml::from_str(models).map_err(|source| RegistryError::Toml { file: "models.toml", source })?;
        let mut registry = Registry {
            providers: BTreeMap::new(),
            aliases: BTreeMap::new(),
            later: providers.later,
            models: models.model,
            bare: Vec::new(),
            well_known: models.well_known,
        };
        let plain = providers.api_base_required.into_iter().map(|name| (name, Provider::default()));
        for (name, mut row) in providers.provider.into_iter().chain(plain) {
            for alias in &row.aliases {
                if registry.aliases.insert(alias.clone(), name.clone()).is_some() {
                    return Err(RegistryError::Twice(alias.clone()));
                }
            }
            row.name = name.clone();
            row.quirks = with_messages_layer(row.quirks, &providers.messages_layer);
            if registry.providers.insert(name.clone(), row).is_some() {
                return Err(RegistryError::Twice(name));
            }
        }
        for row in models.bare {
            registry.bare.extend(row.patterns.into_iter().map(|p| (p.clone(), Glob::new(&p), row.provider.clone())));
        }
        registry.check()?;
        Ok(registry)
    }

    fn check(&self) -> Result<(), RegistryError> {
        if let Some(name) = self.aliases.keys().chain(&self.later).find(|name| self.providers.contains_key(*name)) {
            return Err(RegistryError::Twice(name.clone()));
        }
        let named = self.models.iter().flat_map(|row| row.providers.iter().chain(&row.except));
        let named = named.chain(self.bare.iter().map(|(_, _, provider)| provider)).chain(self.well_known.keys());
        if let Some(name) = named.into_iter().find(|name| !self.providers.contains_key(*name)) {
            return Err(RegistryError::NoProvider(name.clone()));
        }
        let of_providers = self.providers.values().map(|p| (&p.name, &p.quirks));
        let of_models = self.models.iter().map(|row| (&row.source, &row.quirks));
        for (row, quirks) in of_providers.chain(of_models) {
            quirks_of(quirks.clone()).map_err(|source| RegistryError::Quirks { row: row.clone(), source })?;
        }
        Ok(())
    }

    /// By name, alias or prefix.
    pub fn find(&self, name: &str) -> Known<'_> {
        let row = self.aliases.get(name).map_or(name, String::as_str);
        match self.providers.get(row) {
            Some(provider) => Known::Provider(provider),
            None if self.later.iter().any(|later| later == name) => Known::Later,
            None => Known::Unknown,
        }
    }

    /// A row that must exist.
    pub fn row(&self, name: &str) -> &Provider {
        self.providers.get(name).expect("named in code, so in the embedded registry")
    }

    pub fn by_host(&self, host: &str) -> Option<&Provider> {
        self.providers.values().find(|provider| provider.owns_host(host))
    }

    /// For a model name without prefix.
    pub fn infer(&self, model: &str) -> Option<&Provider> {
        let (_, _, provider) = self.bare.iter().find(|(_, glob, _)| glob.matches(model))?;
        self.providers.get(provider)
    }

    /// Names without prefix that can only mean this provider's models.
    pub fn bare_patterns(&self, provider: &str) -> impl Iterator<Item = &str> {
        self.bare.iter().filter(move |(_, _, p)| p == provider).map(|(pattern, _, _)| pattern.as_str())
    }

    /// Every name that may stand before the slash of `model:`.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.providers.keys().chain(self.aliases.keys()).chain(&self.later).map(String::as_str)
    }

    pub fn providers(&self) -> impl Iterator<Item = &Provider> {
        self.providers.values()
    }

    pub fn well_known(&self, provider: &str) -> &[String] {
        self.well_known.get(provider).map_or(&[], Vec::as_slice)
    }

    pub fn model(&self, provider: &str, model: &str) -> ModelFacts {
        let names = names_of(model);
        let here = |row: &&ModelRow| {
            (row.providers.is_empty() || row.providers.iter().any(|p| p == provider))
                && !row.except.iter().any(|p| p == provider)
                && row.patterns.iter().any(|glob| names.iter().any(|name| glob.matches(name)))
        };
        self.models.iter().filter(here).fold(ModelFacts::default(), |facts, row| ModelFacts {
            context_window: row.context_window.or(facts.context_window),
            max_output_tokens: row.max_output_tokens.or(facts.max_output_tokens),
            quirks: merge(facts.quirks, &row.quirks),
        })
    }
}

/// The forms of a model's name that patterns are matched on.
fn names_of(model: &str) -> Vec<String> {
    let whole = model.to_lowercase();
    let mut names = vec![whole.clone()];
    if let Some((_, tail)) = whole.rsplit_once('/') {
        names.push(tail.to_string());
    }
    // Bedrock has the vendor before the name, and before it perhaps a group of regions.
    if let Some((_, tail)) = whole.rsplit_once("anthropic.") {
        names.push(tail.to_string());
    }
    let dashed: Vec<String> =
        names.iter().filter(|n| n.starts_with("claude") && n.contains('.')).map(|n| n.replace('.', "-")).collect();
    names.extend(dashed);
    names
}

/// Others than Anthropic lack what is newest in its API, unless their row says otherwise.
fn with_messages_layer(quirks: toml::Table, layer: &toml::Table) -> toml::Table {
    let genuine = quirks.get("messages").and_then(|m| m.get("genuine")).and_then(toml::Value::as_bool) == Some(true);
    if genuine {
        return quirks;
    }
    let mut base = toml::Table::new();
    base.insert("messages".into(), toml::Value::Table(layer.clone()));
    merge(base, &quirks)
}

/// The defaults of the vocabulary, overlaid by `table`. Unknown words are refused.
pub fn quirks_of(table: toml::Table) -> Result<Quirks, toml::de::Error> {
    toml::Value::Table(table).try_into()
}
