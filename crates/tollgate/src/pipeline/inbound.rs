//! A client's request, read and checked as far as routing needs it.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::Incoming;
use tollgate_dialect::Dialect;
use tollgate_dialect::error::{Change, Invalid};
use tollgate_dialect::json::{Json, Text, Uncut, Writer, members};

use super::operation::Asked;
use super::session::{self, Conversation};
use super::tap;
use super::tenant::Tenant;
use super::wishes::{self, Wishes};
use super::{body, kept, output_limit};
use crate::app::Live;
use crate::config::rewrite;
use crate::failure::Failure;
use crate::http::{NoEndpoint, in_query, shown};

pub struct Inbound {
    /// It is no conversation, but this.
    pub operation: Option<Asked>,
    pub dialect: Dialect,
    /// The client's bytes, rewritten by the rules of the configuration where one matches.
    pub body: Bytes,
    /// The name that the client asked for.
    pub model: String,
    /// The client wants a stream. Rules that set `stream` change what goes up, never what the client gets.
    pub stream: bool,
    pub stream_usage: bool,
    /// The stream is one JSON array, as Gemini clients have it that do not ask for server-sent events.
    pub json_array: bool,
    /// `stream` as a rewrite rule set it.
    pub stream_upstream: bool,
    pub max_tokens: Option<u64>,
    /// Answers that are asked for at once.
    pub choices: Option<u64>,
    /// The customer of the caller whom the request is for.
    pub end_user: Option<String>,
    /// The client's `anthropic-*` and `x-claude-code-*` headers, which belong to the upstream in the same-dialect lane.
    pub forward: Vec<(HeaderName, HeaderValue)>,
    pub changes: Vec<Change>,
    /// The client's name for itself.
    pub client: String,
    pub conversation: Conversation,
    pub wishes: Wishes,
    pub tenant: Tenant,
    /// Of a Responses client: what it wants to be kept, or refers to.
    pub kept: Option<kept::Wish>,
    /// The request is to be captured.
    pub capture: Option<Box<tap::Asked>>,
}

/// The top-level fields that decide before anything is translated.
#[derive(Default)]
struct Head<'a> {
    model: Option<Json<'a>>,
    stream: Option<Json<'a>>,
    stream_options: Option<Json<'a>>,
    user: Option<Json<'a>>,
    max_tokens: Option<u64>,
    choices: Option<u64>,
    /// The conversation's name, where the body has one.
    session: Option<Json<'a>>,
    store: Option<Json<'a>>,
    previous: Option<Json<'a>>,
    background: Option<Json<'a>>,
    wishes: Wishes,
    /// Members that are for us alone.
    ours: bool,
}

pub async fn read(
    live: &Live,
    dialect: Dialect,
    path_model: Option<String>,
    request: http::Request<Incoming>,
) -> Result<Inbound, Failure> {
    let (parts, body) = receive(live, request).await?;
    understand(live, dialect, path_model, &parts, body)
}

/// The whole body.
pub async fn receive(live: &Live, request: http::Request<Incoming>) -> Result<(Parts, Bytes), Failure> {
    let (parts, incoming) = request.into_parts();
    plain_encoding(&parts.headers)?;
    let limit = live.config.settings.max_request_bytes.unwrap_or(body::DEFAULT_LIMIT);
    Ok((parts, body::read(incoming, limit).await?))
}

pub fn understand(
    live: &Live,
    dialect: Dialect,
    path_model: Option<String>,
    parts: &Parts,
    body: Bytes,
) -> Result<Inbound, Failure> {
    let client = parts.headers.get(http::header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or("").to_string();
    let head = head(dialect, &body)?;
    let conversation = session::named(&parts.headers, head.session.as_ref());
    let mut wishes = head.wishes.clone();
    wishes.read_headers(&parts.headers);
    let ours = head.ours;
    let model = match (path_model, &head.model) {
        (Some(model), _) => model,
        (None, Some(model)) => text("model", model)?.decode().into_owned(),
        (None, None) => return Err(Invalid::new("model", "Field required").into()),
    };
    let (stream, json_array) = match dialect {
        Dialect::Gemini => in_address(&parts.uri),
        _ => (flag("stream", head.stream.as_ref())?, false),
    };
    let stream_usage = wants_usage(head.stream_options.as_ref());
    let capture = tap::asked(live, &parts.headers, &model, &body);
    let mut inbound = Inbound {
        operation: None,
        dialect,
        max_tokens: head.max_tokens,
        choices: head.choices,
        end_user: end_user(&parts.headers, head.user.as_ref()),
        stream_upstream: stream,
        body: Bytes::new(),
        model,
        stream,
        stream_usage,
        json_array,
        forward: parts
            .headers
            .iter()
            .filter(|(n, _)| belongs_upstream(n))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect(),
        changes: Vec::new(),
        client,
        conversation,
        wishes,
        tenant: Tenant::default(),
        kept: (dialect == Dialect::Responses).then(|| wish(&head)).transpose()?,
        capture,
    };
    drop(head);
    let body = if ours { wishes::without_ours(&body) } else { body };
    match rewrite::apply(&live.config.settings.rewrite, &body, &inbound.model, &inbound.client) {
        Some((rewritten, changes)) => inbound.rewritten(Bytes::from(rewritten), changes)?,
        None => inbound.body = body,
    }
    Ok(inbound)
}

/// Gemini's path says whether a stream is wanted, and its query in which form.
fn in_address(uri: &http::Uri) -> (bool, bool) {
    let stream = uri.path().ends_with(":streamGenerateContent");
    (stream, stream && in_query(uri.query(), "alt").as_deref() != Some("sse"))
}

/// In what words the gateway itself asks a deployment: in chat's, by translation, but for Anthropic's own.
fn own_dialect(dialect: Dialect) -> Dialect {
    match dialect {
        Dialect::Messages => Dialect::Messages,
        Dialect::Chat | Dialect::Responses | Dialect::Gemini | Dialect::Converse => Dialect::Chat,
    }
}

/// The smallest request that there is, the same in every dialect that the gateway itself speaks.
pub fn ping(dialect: Dialect, model: &str, max_tokens: u64) -> Inbound {
    let mut w = Writer::default();
    w.open_object().key("model").str(model).key("max_tokens").number(max_tokens);
    w.key("messages").open_array().open_object().key("role").str("user").key("content").str("ping");
    w.close_object().close_array().close_object();
    Inbound::own(dialect, model.to_string(), w.out.into(), false, Some(max_tokens))
}

impl Inbound {
    /// A request of the gateway itself to a deployment of this dialect.
    pub fn own(dialect: Dialect, model: String, body: Bytes, stream: bool, max_tokens: Option<u64>) -> Inbound {
        Inbound {
            operation: None,
            dialect: own_dialect(dialect),
            body,
            model,
            stream,
            stream_usage: true,
            json_array: false,
            stream_upstream: false,
            max_tokens,
            choices: None,
            end_user: None,
            forward: Vec::new(),
            changes: Vec::new(),
            client: String::new(),
            conversation: Conversation::default(),
            wishes: Wishes::default(),
            tenant: Tenant::default(),
            kept: None,
            capture: None,
        }
    }

    /// The client's headers for a Messages upstream.
    pub fn for_messages(&self) -> &[(HeaderName, HeaderValue)] {
        if self.dialect == Dialect::Messages { &self.forward } else { &[] }
    }

    /// Takes over what the rules of the configuration made of the body.
    fn rewritten(&mut self, body: Bytes, changes: Vec<Change>) -> Result<(), Failure> {
        let head = head(self.dialect, &body)?;
        self.max_tokens = head.max_tokens;
        self.choices = head.choices;
        self.stream_upstream = match self.dialect {
            Dialect::Gemini => self.stream,
            _ => flag("stream", head.stream.as_ref())?,
        };
        if let Some(model) = head.model.as_ref().filter(|_| changes.iter().any(|c| c.field == "model")) {
            self.model = text("model", model)?.decode().into_owned();
        }
        drop(head);
        self.body = body;
        self.changes = changes;
        Ok(())
    }
}

fn head(dialect: Dialect, body: &[u8]) -> Result<Head<'_>, Failure> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Invalid::new("", "The request body is empty; send a JSON object.").into());
    }
    let text = std::str::from_utf8(body).map_err(|error| {
        Invalid::new("", format!("The request body is not valid UTF-8 (byte {}).", error.valid_up_to()))
    })?;
    if body.iter().find(|b| !b.is_ascii_whitespace()) != Some(&b'{') {
        let error = serde_json::from_slice::<serde::de::IgnoredAny>(body).err();
        let message = match error {
            Some(error) => format!("The request body is not valid JSON: {error}"),
            None => "The request body must be a JSON object.".to_string(),
        };
        return Err(Invalid::new("", message).into());
    }
    let members = match members(text) {
        Ok(members) => members,
        Err(Uncut::TooDeep) => return Err(Failure::TooDeep),
        Err(Uncut::NoObject) => {
            let why = serde_json::from_str::<serde::de::IgnoredAny>(text)
                .err()
                .map_or_else(String::new, |e| format!(": {e}"));
            return Err(Invalid::new("", format!("The request body is not valid JSON{why}")).into());
        }
    };
    let mut head = Head {
        max_tokens: output_limit::count(output_limit::places(dialect), &members)?,
        choices: output_limit::count(output_limit::choices(dialect), &members)?,
        ..Head::default()
    };
    for (name, value) in members {
        let field = match name {
            "model" => &mut head.model,
            "stream" => &mut head.stream,
            "stream_options" => &mut head.stream_options,
            "user" => &mut head.user,
            "store" if dialect == Dialect::Responses => &mut head.store,
            "previous_response_id" if dialect == Dialect::Responses => &mut head.previous,
            "background" if dialect == Dialect::Responses => &mut head.background,
            "prompt_cache_key" | "litellm_session_id" => &mut head.session,
            _ => {
                head.ours |= head.wishes.read_member(name, value);
                continue;
            }
        };
        *field = Some(
            Json::parse(value).map_err(|error| Invalid::new(name, format!("Input should be valid JSON: {error}")))?,
        );
    }
    Ok(head)
}

static END_USER_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("x-litellm-customer-id"), HeaderName::from_static("x-litellm-end-user-id")];

/// LiteLLM's headers for it (1.109.1) go before the body's `user`.
fn end_user(headers: &HeaderMap, user: Option<&Json<'_>>) -> Option<String> {
    let header = END_USER_HEADERS.iter().find_map(|name| headers.get(name));
    let named = header.and_then(|value| value.to_str().ok()).map(str::to_string);
    named.or_else(|| Some(user?.as_text()?.decode().into_owned())).filter(|name| !name.trim().is_empty())
}

fn wish(head: &Head<'_>) -> Result<kept::Wish, Failure> {
    if flag("background", head.background.as_ref())? {
        let words = "`background: true` is not possible here: what such an answer took is known only when somebody asks for it later, so that \
                     no budget holds it. Send the request without it, with `stream: true` if the answer takes long.";
        return Err(Invalid::new("background", words).into());
    }
    let given = |value: &Option<Json<'_>>| value.as_ref().is_some_and(|value| !value.is_null());
    let keep = !given(&head.store) || flag("store", head.store.as_ref())?;
    let previous = match &head.previous {
        Some(id) if !id.is_null() => Some(text("previous_response_id", id)?.decode().into_owned()),
        _ => None,
    };
    Ok(kept::Wish { keep, previous })
}

fn wants_usage(options: Option<&Json<'_>>) -> bool {
    options.is_some_and(|options| options.to_value()["include_usage"] == true)
}

fn text<'a>(field: &str, value: &'a Json<'_>) -> Result<Text<'a>, Failure> {
    value
        .as_text()
        .filter(|t| !t.is_empty())
        .ok_or_else(|| Invalid::new(field, "Input should be a valid string").into())
}

fn flag(field: &str, value: Option<&Json<'_>>) -> Result<bool, Failure> {
    match value {
        None => Ok(false),
        Some(value) if value.is_null() => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| Invalid::new(field, "Input should be a valid boolean").into()),
    }
}

fn plain_encoding(headers: &HeaderMap) -> Result<(), Failure> {
    match headers.get(http::header::CONTENT_ENCODING).and_then(|v| v.to_str().ok()) {
        None | Some("" | "identity") => Ok(()),
        Some(other) => Err(Failure::Encoding(other.chars().take(40).collect())),
    }
}

/// Claude Code's gateway protocol asks for these to be passed on as an open list.
fn belongs_upstream(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("anthropic-") || name.starts_with("x-claude-code-")
}

pub fn no_endpoint(request: &http::Request<Incoming>, why: NoEndpoint) -> Failure {
    let method = request.method().to_string();
    let path = shown(request.uri().path()).into_owned();
    match why {
        NoEndpoint::WrongMethod { allowed } => Failure::WrongMethod { method, path, allowed },
        NoEndpoint::UnknownPath => Failure::NoSuchPath { method, path },
    }
}
