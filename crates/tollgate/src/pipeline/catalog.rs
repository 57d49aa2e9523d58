//! What is here: models, and the gateway itself.

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use tollgate_dialect::Dialect;
use tollgate_dialect::json::Writer;

use super::authenticate::Caller;
use super::recorder::Recorder;
use super::reply::{self, Reply};
use crate::app::{App, Live};
use crate::failure::Failure;
use crate::http::Endpoint;
use crate::store::Store;
use crate::telemetry::metrics;

/// The creation date of models that have none of their own; clients want one.
const CREATED_S: u64 = 1_767_225_600;
const CREATED_AT: &str = "2026-01-01T00:00:00Z";

/// `GET /v1/models`. Claude Code's discovery only keeps ids that begin with `claude` or `anthropic/`, so for it every other
/// route is also listed as `anthropic/NAME`.
/// In the list's shape of the dialect.
pub fn models(live: &Live, caller: &Caller, dialect: Dialect, record: &mut Recorder) -> Reply {
    let names = caller.models(live, "/v1/chat/completions");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut w = Writer::default();
    if dialect == Dialect::Messages {
        let aliases: Vec<String> =
            names.iter().filter(|n| !is_claude_name(n)).map(|n| format!("anthropic/{n}")).collect();
        let all: Vec<(&str, &str)> = names
            .iter()
            .map(|n| (*n, *n))
            .chain(aliases.iter().map(|a| (a.as_str(), a.trim_start_matches("anthropic/"))))
            .collect();
        w.open_object().key("data").open_array();
        for (id, name) in &all {
            anthropic_model(live, &mut w, id, name);
        }
        w.close_array().key("has_more").bool(false);
        for (key, edge) in [("first_id", all.first()), ("last_id", all.last())] {
            w.key(key);
            match edge {
                Some((id, _)) => w.str(id),
                None => w.null(),
            };
        }
        w.close_object();
    } else if dialect == Dialect::Gemini {
        w.open_object().key("models").open_array();
        for name in &names {
            gemini_model(live, &mut w, name);
        }
        w.close_array().close_object();
    } else {
        w.open_object().key("object").str("list").key("data").open_array();
        for name in &names {
            openai_model(live, &mut w, name);
        }
        w.close_array().close_object();
    }
    reply::json(w.out, record)
}

pub fn model(
    live: &Live,
    caller: &Caller,
    id: &str,
    dialect: Dialect,
    record: &mut Recorder,
) -> Result<Reply, Failure> {
    if let Err(unknown) = live.config.routes.resolve(caller.model(id)) {
        return Err(Failure::UnknownModel { model: id.to_string(), nearest: unknown.nearest, tier_hint: false });
    }
    caller.may(live, "/v1/chat/completions", Some(id))?;
    let mut w = Writer::default();
    match dialect {
        Dialect::Messages => anthropic_model(live, &mut w, id, id),
        Dialect::Chat | Dialect::Responses | Dialect::Converse => openai_model(live, &mut w, id),
        Dialect::Gemini => gemini_model(live, &mut w, id),
    }
    Ok(reply::json(w.out, record))
}

fn is_claude_name(name: &str) -> bool {
    name.starts_with("claude") || name.starts_with("anthropic/")
}

fn anthropic_model(live: &Live, w: &mut Writer, id: &str, name: &str) {
    w.open_object()
        .key("type")
        .str("model")
        .key("id")
        .str(id)
        .key("display_name")
        .str(name)
        .key("created_at")
        .str(CREATED_AT);
    if let Ok(resolved) = live.config.routes.resolve(id)
        && let Some(deployment) = resolved.deployments.first().map(|&i| &live.config.deployments[i])
    {
        if let Some(window) = deployment.context_window {
            w.key("max_input_tokens").number(window);
        }
        if let Some(tokens) = deployment.max_output_tokens {
            w.key("max_tokens").number(tokens);
        }
    }
    w.close_object();
}

/// <https://ai.google.dev/api/models>, `Model`, 2026-11.
fn gemini_model(live: &Live, w: &mut Writer, id: &str) {
    w.open_object().key("name").str(&format!("models/{id}")).key("baseModelId").str(id);
    w.key("displayName").str(id);
    if let Ok(resolved) = live.config.routes.resolve(id)
        && let Some(deployment) = resolved.deployments.first().map(|&i| &live.config.deployments[i])
    {
        if let Some(window) = deployment.context_window {
            w.key("inputTokenLimit").number(window);
        }
        if let Some(tokens) = deployment.max_output_tokens {
            w.key("outputTokenLimit").number(tokens);
        }
    }
    w.key("supportedGenerationMethods").raw(r#"["generateContent","countTokens"]"#).close_object();
}

fn openai_model(live: &Live, w: &mut Writer, id: &str) {
    let owner = live.config.routes.resolve(id).ok().and_then(|r| r.deployments.first().copied());
    let owner = owner.map_or("tollgate", |i| live.config.deployments[i].provider.as_str());
    w.open_object()
        .key("id")
        .str(id)
        .key("object")
        .str("model")
        .key("created")
        .number(CREATED_S)
        .key("owned_by")
        .str(owner)
        .close_object();
}

pub fn health(app: &App, endpoint: &Endpoint, record: &mut Recorder) -> Reply {
    let body: &[u8] = match endpoint {
        Endpoint::Alive => b"\"I'm alive!\"",
        Endpoint::Ready if app.store().is_some_and(Store::is_connected) => br#"{"status":"healthy","db":"connected"}"#,
        Endpoint::Ready => br#"{"status":"healthy","db":"Not connected"}"#,
        _ => br#"{"name":"tollgate"}"#,
    };
    record.quiet = true;
    reply::json(body.to_vec(), record)
}

pub fn metrics(app: &App, live: &Live, record: &mut Recorder) -> Reply {
    record.quiet = true;
    let mut reply = reply::json(metrics::page(app, live).into_bytes(), record);
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
    reply
}
