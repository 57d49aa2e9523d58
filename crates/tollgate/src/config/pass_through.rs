//! `general_settings.pass_through_endpoints`: paths of the gateway behind which another server answers, request for request.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri};

use super::context::Context;
use super::secret::Secret;
use super::section::Section;
use super::yaml::{Node, Value};

const KEY: &str = "pass_through_endpoints";

/// LiteLLM's (1.109.1).
const TIMEOUT: Duration = Duration::from_secs(600);

const SHAPE: &str = "write `{path: /v1/rank, target: https://api.example.com/v1/rank, headers: {authorization: bearer os.environ/NAME}}`";

#[derive(Clone, Debug)]
pub struct PassThrough {
    /// Without a slash at its end.
    pub path: String,
    pub target: Uri,
    pub headers: Vec<(HeaderName, Secret)>,
    /// What is under the path goes to the same under the target.
    pub include_subpath: bool,
    /// Empty: all.
    pub methods: Vec<Method>,
    /// Of each request that is answered.
    pub cost_nanos: u64,
    /// Who asks must have a key.
    pub needs_key: bool,
    /// The client's headers go on, but for its credentials.
    pub forward_headers: bool,
    /// Until the head of the answer, and between two pieces of it.
    pub timeout: Duration,
}

impl PassThrough {
    /// What stands behind the path, if the request is for it.
    pub fn rest<'p>(&self, method: &Method, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.path.as_str())?;
        let whole = rest.is_empty() || rest == "/";
        let under = self.include_subpath && rest.starts_with('/');
        let taken = self.methods.is_empty() || self.methods.contains(method);
        ((whole || under) && taken).then_some(if whole { "" } else { rest })
    }

    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        // `bearer` and the like are no part of it.
        self.headers
            .iter()
            .map(|(_, value)| value.expose().rsplit(' ').next().unwrap_or(""))
            .filter(|part| part.len() > 7)
    }
}

pub fn read(section: &Section<'_, '_>) -> Vec<PassThrough> {
    let timeout = section.seconds("pass_through_request_timeout").unwrap_or(TIMEOUT);
    let nodes = section.list(KEY);
    let each = nodes.iter().enumerate().filter_map(|(index, node)| {
        let path = format!("{}[{index}]", section.path_of(KEY));
        one(&Section::of(section.cx, node, &path)?, timeout)
    });
    each.collect()
}

fn one(section: &Section<'_, '_>, timeout: Duration) -> Option<PassThrough> {
    let (path, target) = (section.text("path"), section.text("target"));
    let include_subpath = section.bool("include_subpath").unwrap_or(false);
    let methods = section.list("methods").iter().filter_map(|node| method(section, node)).collect();
    let cost_nanos = section.dollars("cost_per_request").unwrap_or(0);
    let needs_key = section.bool("auth").unwrap_or(true);
    let forward_headers = section.bool("forward_headers").unwrap_or(false);
    let headers = section.section("headers").map(|headers| read_headers(&headers)).unwrap_or_default();
    for ignored in ["id", "is_from_config"] {
        section.take(ignored);
    }
    for entry in section.rest() {
        section.cx.warning(entry.at, &section.path_of(&entry.key), "has no effect here", SHAPE);
    }
    let (Some(path), Some(target)) = (path, target) else {
        section.cx.error(section.at, &section.path, "needs `path` and `target`", SHAPE);
        return None;
    };
    let target =
        target.trim_end_matches('/').parse::<Uri>().ok().filter(|uri| uri.host().is_some() && uri.scheme().is_some());
    if target.is_none() || !path.starts_with('/') || path.trim_end_matches('/').is_empty() {
        section.cx.error(
            section.at,
            &section.path,
            "needs a `path` such as /v1/rank and a whole URL as `target`",
            SHAPE,
        );
    }
    let path = path.trim_end_matches('/').to_string();
    Some(PassThrough {
        path,
        target: target?,
        headers,
        include_subpath,
        methods,
        cost_nanos,
        needs_key,
        forward_headers,
        timeout,
    })
}

fn method(section: &Section<'_, '_>, node: &Node) -> Option<Method> {
    let method = match &node.value {
        Value::Text(text) => text.to_uppercase().parse().ok(),
        _ => None,
    };
    if method.is_none() {
        section.wrong(node, "methods", "a list such as [GET, POST]");
    }
    method
}

fn read_headers(section: &Section<'_, '_>) -> Vec<(HeaderName, Secret)> {
    let header = |entry: super::yaml::Entry| {
        let path = section.path_of(&entry.key);
        let Value::Text(text) = &entry.node.value else {
            section.cx.error(entry.at, &path, "is no text", SHAPE);
            return None;
        };
        let value = with_variables(section.cx, &entry.node, &path, text);
        match (entry.key.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            (Ok(name), Ok(_)) => Some((name, Secret::new(value))),
            _ => {
                section.cx.error(entry.at, &path, "is no header", SHAPE);
                None
            }
        }
    };
    section.rest().into_iter().filter_map(header).collect()
}

/// `bearer os.environ/NAME`: a variable may be a word of the text.
fn with_variables(cx: &Context<'_>, node: &Node, path: &str, text: &str) -> String {
    let word = |word: &str| match word.strip_prefix("os.environ/") {
        None => word.to_string(),
        Some(name) => cx.variable(name).unwrap_or_else(|| {
            cx.missing_variable(node.at, path, name);
            String::new()
        }),
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
