//! Every URL of the gateway, in one table.

use std::borrow::Cow;

use http::Method;
use tollgate_dialect::Dialect;
use tollgate_dialect::operation::{Operation, Speaks};

use crate::admin::routes::{self, Found};

/// What a path is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A model call in the client's dialect. `model`: from the path, where it stands there.
    Generate {
        dialect: Dialect,
        model: Option<String>,
    },
    /// Another endpoint of OpenAI's API, or Gemini's of the same.
    Operate {
        operation: Operation,
        speaks: Speaks,
        model: Option<String>,
    },
    /// The same for a count of tokens.
    CountTokens {
        dialect: Dialect,
        model: Option<String>,
    },
    Models,
    Model(String),
    Alive,
    Ready,
    Health,
    /// Numbers for Prometheus.
    Metrics,
    /// The management API: the position of its route, and what its path has in place of the braces.
    Manage {
        route: usize,
        arguments: Vec<String>,
    },
    /// The latest requests.
    Requests,
    /// What happened to one of them.
    Request(String),
    /// Claude Code warms its connection with `HEAD /api/hello`.
    Hello,
    /// An answer that a Responses client got before.
    Kept {
        path: KeptPath,
        id: String,
    },
    /// A path of the configuration, with another server behind it: its position there, and what stands behind the path.
    PassThrough {
        index: usize,
        rest: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptPath {
    Get,
    Delete,
    Cancel,
    InputItems,
}

/// Why a request has no endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoEndpoint {
    UnknownPath,
    /// The path is for another method.
    WrongMethod {
        allowed: Method,
    },
}

/// Finds the endpoint. Queries never matter.
pub fn endpoint(method: &Method, path: &str) -> Result<Endpoint, NoEndpoint> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let after = |version| path.strip_prefix(version).filter(|rest: &&str| rest.starts_with('/'));
    // Cohere's second version has one path that is served.
    let second = || after("/v2").filter(|rest| *rest == "/rerank");
    let unversioned = after("/v1").or_else(|| after("/v1beta")).or_else(second).unwrap_or(path);
    let (allowed, found) = match unversioned {
        "/messages" => (Method::POST, Endpoint::Generate { dialect: Dialect::Messages, model: None }),
        "/messages/count_tokens" => (Method::POST, Endpoint::CountTokens { dialect: Dialect::Messages, model: None }),
        "/chat/completions" => (Method::POST, Endpoint::Generate { dialect: Dialect::Chat, model: None }),
        "/responses" => (Method::POST, Endpoint::Generate { dialect: Dialect::Responses, model: None }),
        "/responses/input_tokens" => (Method::POST, Endpoint::CountTokens { dialect: Dialect::Responses, model: None }),
        "/models" => (Method::GET, Endpoint::Models),
        "/health/liveliness" | "/health/liveness" => (Method::GET, Endpoint::Alive),
        "/health/readiness" => (Method::GET, Endpoint::Ready),
        "/health" => (Method::GET, Endpoint::Health),
        "/metrics" => (Method::GET, Endpoint::Metrics),
        "/tollgate/requests" => (Method::GET, Endpoint::Requests),
        "/api/hello" | "" => (Method::GET, Endpoint::Hello),
        other => match Operation::at(other) {
            Some(operation) => (Method::POST, Endpoint::Operate { operation, speaks: Speaks::OpenAi, model: None }),
            None => return nested(method, other),
        },
    };
    if *method == Method::HEAD && allowed == Method::GET {
        return Ok(found);
    }
    only(allowed, method, found)
}

fn only(allowed: Method, method: &Method, found: Endpoint) -> Result<Endpoint, NoEndpoint> {
    if *method == allowed { Ok(found) } else { Err(NoEndpoint::WrongMethod { allowed }) }
}

fn nested(method: &Method, path: &str) -> Result<Endpoint, NoEndpoint> {
    if let Some(found) = gemini(path) {
        return only(Method::POST, method, found);
    }
    if let Some(id) = path.strip_prefix("/models/").filter(|id| !id.is_empty()) {
        return only(Method::GET, method, Endpoint::Model(percent_decode(id)));
    }
    if let Some(id) = path.strip_prefix("/tollgate/requests/").filter(|id| !id.is_empty()) {
        return only(Method::GET, method, Endpoint::Request(percent_decode(id)));
    }
    if let Some(rest) = path.strip_prefix("/responses/").filter(|rest| !rest.is_empty()) {
        return kept(method, rest);
    }
    for prefix in ["/openai/deployments/", "/engines/"] {
        let Some(rest) = path.strip_prefix(prefix) else { continue };
        if let Some(model) = rest.strip_suffix("/chat/completions") {
            let found = Endpoint::Generate { dialect: Dialect::Chat, model: Some(percent_decode(model)) };
            return only(Method::POST, method, found);
        }
        for operation in Operation::ALL {
            if let Some(model) = rest.strip_suffix(operation.path()).filter(|model| !model.is_empty()) {
                let model = Some(percent_decode(model));
                let found = Endpoint::Operate { operation, speaks: Speaks::OpenAi, model };
                return only(Method::POST, method, found);
            }
        }
    }
    match routes::find(method, path) {
        Some(Found::Here(route, arguments)) => Ok(Endpoint::Manage { route, arguments }),
        Some(Found::WrongMethod(allowed)) => Err(NoEndpoint::WrongMethod { allowed }),
        None => Err(NoEndpoint::UnknownPath),
    }
}

fn kept(method: &Method, rest: &str) -> Result<Endpoint, NoEndpoint> {
    let found = |path, id: &str| Endpoint::Kept { path, id: percent_decode(id) };
    match rest.split_once('/') {
        None if *method == Method::DELETE => Ok(found(KeptPath::Delete, rest)),
        None => only(Method::GET, method, found(KeptPath::Get, rest)),
        Some((id, "cancel")) => only(Method::POST, method, found(KeptPath::Cancel, id)),
        Some((id, "input_items")) => only(Method::GET, method, found(KeptPath::InputItems, id)),
        Some(_) => Err(NoEndpoint::UnknownPath),
    }
}

/// Names of providers that clients put before a path, as if each had a gateway of its own.
const PROVIDERS: [&str; 6] = ["/anthropic", "/openai", "/gemini", "/vertex_ai", "/cohere", "/mistral"];

/// The path without the provider's name before it, where it begins with a version behind that.
pub fn without_provider(path: &str) -> &str {
    let rest = PROVIDERS.iter().find_map(|provider| path.strip_prefix(provider));
    let versioned = |rest: &&str| ["/v1/", "/v1beta/", "/v2/"].iter().any(|version| rest.starts_with(version));
    rest.filter(versioned).unwrap_or(path)
}

/// A path for logs and messages: keys that stand in it, as in `/key/{key}/regenerate`, are left out.
pub fn shown(path: &str) -> Cow<'_, str> {
    let secret =
        |part: &str| part.starts_with("sk-") || (part.len() == 64 && part.bytes().all(|b| b.is_ascii_hexdigit()));
    if !path.split('/').any(secret) {
        return Cow::Borrowed(path);
    }
    let parts: Vec<&str> = path.split('/').map(|part| if secret(part) { "[redacted]" } else { part }).collect();
    Cow::Owned(parts.join("/"))
}

/// `/models/{model}:generateContent` and its kin, also behind a project's and a publisher's path as Vertex AI has it.
fn gemini(path: &str) -> Option<Endpoint> {
    const PUBLISHED: &str = "/publishers/google/models/";
    let named = match path.find(PUBLISHED) {
        Some(at) => &path[at + PUBLISHED.len()..],
        None => path.strip_prefix("/models/")?,
    };
    let (model, method) = named.rsplit_once(':')?;
    let (dialect, model) = (Dialect::Gemini, Some(percent_decode(model)).filter(|model| !model.is_empty()));
    match method {
        "generateContent" | "streamGenerateContent" => Some(Endpoint::Generate { dialect, model }),
        "countTokens" => Some(Endpoint::CountTokens { dialect, model }),
        "embedContent" => Some(embeds(Speaks::EmbedContent, model)),
        "batchEmbedContents" => Some(embeds(Speaks::BatchEmbedContents, model)),
        _ => None,
    }
}

fn embeds(speaks: Speaks, model: Option<String>) -> Endpoint {
    Endpoint::Operate { operation: Operation::Embeddings, speaks, model }
}

/// The value of a name in a query.
pub fn in_query(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = query?.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.find(|(key, value)| *key == name && !value.is_empty())?.1;
    Some(percent_decode(&value.replace('+', " ")))
}

/// For a part of an address.
pub fn percent_encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Model names may hold slashes and colons, which clients send encoded or not.
pub fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let pair = tail.get(..2).and_then(|p| std::str::from_utf8(p).ok()).and_then(|p| u8::from_str_radix(p, 16).ok());
        match pair {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(method: Method, path: &str) -> Result<Endpoint, NoEndpoint> {
        endpoint(&method, path)
    }

    #[test]
    fn every_v1_path_also_works_without_v1() {
        for path in ["/v1/messages", "/messages", "/v1/messages/"] {
            assert_eq!(at(Method::POST, path), Ok(Endpoint::Generate { dialect: Dialect::Messages, model: None }));
        }
        for path in ["/v1/responses", "/responses"] {
            assert_eq!(at(Method::POST, path), Ok(Endpoint::Generate { dialect: Dialect::Responses, model: None }));
        }
        let kept = |path| Ok(Endpoint::Kept { path, id: "resp_1".into() });
        assert_eq!(at(Method::GET, "/v1/responses/resp_1"), kept(KeptPath::Get));
        assert_eq!(at(Method::DELETE, "/responses/resp_1"), kept(KeptPath::Delete));
        assert_eq!(at(Method::POST, "/v1/responses/resp_1/cancel"), kept(KeptPath::Cancel));
        assert_eq!(at(Method::GET, "/v1/responses/resp_1/input_items"), kept(KeptPath::InputItems));
        assert_eq!(at(Method::POST, "/v1/responses/resp_1"), Err(NoEndpoint::WrongMethod { allowed: Method::GET }));
        for path in ["/v1/responses/input_tokens", "/responses/input_tokens"] {
            let count = Endpoint::CountTokens { dialect: Dialect::Responses, model: None };
            assert_eq!(at(Method::POST, path), Ok(count));
        }
        for path in ["/v1/responses/input_tokens", "/v1/responses/compact"] {
            assert_eq!(at(Method::GET, path), Err(NoEndpoint::WrongMethod { allowed: Method::POST }));
            assert_eq!(at(Method::DELETE, path), Err(NoEndpoint::WrongMethod { allowed: Method::POST }));
        }
        assert_eq!(
            at(Method::POST, "/v1/messages/count_tokens"),
            Ok(Endpoint::CountTokens { dialect: Dialect::Messages, model: None })
        );
        assert_eq!(at(Method::GET, "/models"), Ok(Endpoint::Models));
    }

    #[test]
    fn a_model_in_the_path_may_be_encoded() {
        let expected = Endpoint::Generate { dialect: Dialect::Chat, model: Some("moonshot/kimi k2".into()) };
        assert_eq!(at(Method::POST, "/openai/deployments/moonshot%2Fkimi%20k2/chat/completions"), Ok(expected));
        assert_eq!(
            at(Method::GET, "/v1/models/anthropic/kimi-k2.5"),
            Ok(Endpoint::Model("anthropic/kimi-k2.5".into()))
        );
    }

    #[test]
    fn geminis_paths_name_model_and_method_under_either_version() {
        let generate = |model: &str| Endpoint::Generate { dialect: Dialect::Gemini, model: Some(model.into()) };
        for version in ["/v1", "/v1beta", ""] {
            let path = format!("{version}/models/moonshotai/kimi:free:streamGenerateContent");
            assert_eq!(at(Method::POST, &path), Ok(generate("moonshotai/kimi:free")));
        }
        assert_eq!(at(Method::POST, "/v1beta/models/a%2Fb:generateContent"), Ok(generate("a/b")));
        let vertex = "/v1/projects/p/locations/global/publishers/google/models/m:generateContent";
        assert_eq!(at(Method::POST, vertex), Ok(generate("m")));
        let count = Endpoint::CountTokens { dialect: Dialect::Gemini, model: Some("m".into()) };
        assert_eq!(at(Method::POST, "/v1beta/models/m:countTokens"), Ok(count));
        for (method, speaks) in
            [("embedContent", Speaks::EmbedContent), ("batchEmbedContents", Speaks::BatchEmbedContents)]
        {
            let found = at(Method::POST, &format!("/v1beta/models/a%2Fb:{method}"));
            assert_eq!(found, Ok(embeds(speaks, Some("a/b".into()))));
        }
        assert_eq!(
            at(Method::GET, "/v1beta/models/m:generateContent"),
            Err(NoEndpoint::WrongMethod { allowed: Method::POST })
        );
        assert_eq!(at(Method::GET, "/v1beta/models"), Ok(Endpoint::Models));
        assert_eq!(at(Method::GET, "/v1beta/models/m"), Ok(Endpoint::Model("m".into())));
    }

    #[test]
    fn every_endpoint_of_openai_also_has_the_model_in_its_path() {
        for operation in Operation::ALL {
            for path in [format!("/v1{}", operation.path()), operation.path().to_string()] {
                assert_eq!(
                    at(Method::POST, &path),
                    Ok(Endpoint::Operate { operation, speaks: Speaks::OpenAi, model: None }),
                    "{path}"
                );
            }
            for prefix in ["/openai/deployments", "/engines", "/v1/engines"] {
                let found = at(Method::POST, &format!("{prefix}/a%2Fb{}", operation.path()));
                assert_eq!(
                    found,
                    Ok(Endpoint::Operate { operation, speaks: Speaks::OpenAi, model: Some("a/b".into()) })
                );
            }
        }
    }

    #[test]
    fn rerank_is_also_where_coheres_clients_look_for_it() {
        let rerank = Ok(Endpoint::Operate { operation: Operation::Rerank, speaks: Speaks::OpenAi, model: None });
        assert_eq!(at(Method::POST, without_provider("/cohere/v2/rerank")), rerank);
        assert_eq!(at(Method::POST, "/v2/rerank"), rerank);
        assert_eq!(at(Method::POST, "/v2/embeddings"), Err(NoEndpoint::UnknownPath));
    }

    #[test]
    fn a_value_in_a_query_may_be_encoded_and_an_empty_one_is_none() {
        let query = Some("model=moonshot%2Fkimi+k2&model_id=");
        assert_eq!(in_query(query, "model").as_deref(), Some("moonshot/kimi k2"));
        assert_eq!(in_query(query, "model_id"), None);
        assert_eq!(in_query(None, "model"), None);
    }

    #[test]
    fn a_providers_name_may_stand_before_the_path() {
        for (path, plain) in [
            ("/anthropic/v1/messages", "/v1/messages"),
            ("/gemini/v1beta/models/m:generateContent", "/v1beta/models/m:generateContent"),
            ("/openai/v1/responses", "/v1/responses"),
            ("/openai/deployments/m/chat/completions", "/openai/deployments/m/chat/completions"),
            ("/anthropic", "/anthropic"),
            ("/v1/messages", "/v1/messages"),
        ] {
            assert_eq!(without_provider(path), plain);
        }
    }

    #[test]
    fn a_wrong_method_is_told_apart_from_a_wrong_path() {
        assert_eq!(at(Method::GET, "/v1/messages"), Err(NoEndpoint::WrongMethod { allowed: Method::POST }));
        assert_eq!(at(Method::POST, "/v1/message"), Err(NoEndpoint::UnknownPath));
        assert_eq!(at(Method::HEAD, "/api/hello"), Ok(Endpoint::Hello));
    }
}
