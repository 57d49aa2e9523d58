//! Sending a captured request again: through the whole pipeline, in this process, to one deployment or one route.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use tollgate_dialect::Dialect;
use tollgate_dialect::json::{Text, Writer, members};
use tollgate_dialect::quirks::Quirks;
use tollgate_policy::fallback::Fallbacks;
use tollgate_policy::route::{CatchAll, RouteTable};
use tollgate_store::capture::Capture;
use tollgate_store::learned::LearnedFacts;

use super::super::{CliError, run, serve};
use crate::app::App;
use crate::capture::Captures;
use crate::config::model::{CaptureRules, Config};
use crate::server;

/// Whom to ask, where it is not whom it was.
pub struct To<'t> {
    pub deployment: Option<&'t str>,
    pub model: Option<&'t str>,
}

/// All that is needed to send the request.
pub struct Sending {
    config: Config,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Sending {
    /// What each deployment's answers are like, by its id.
    pub fn quirks(&self) -> Vec<(String, Quirks)> {
        self.config.deployments.iter().map(|d| (d.id.clone(), d.quirks.clone())).collect()
    }
}

pub fn prepare(mut config: Config, then: &Capture, to: &To<'_>) -> Result<Sending, CliError> {
    let last = then.exchanges.last().map(|exchange| exchange.attempt.deployment.as_str());
    let name = to.model.unwrap_or(&then.record.model);
    match (to.deployment, to.model) {
        (None, Some(name)) => {
            run::model(&config, Some(name))?;
        }
        // It was refused before anyone was asked.
        (None, None) if last.is_none() => {}
        (asked, _) => pin(&mut config, asked.or(last).unwrap_or_default(), name)?,
    }
    config.routing.fallbacks = Fallbacks::default();
    config.settings.capture = Some(CaptureRules { max_bytes: u64::MAX, ..CaptureRules::default() });
    let body = then.body.text();
    let (path, body) = match to.model {
        // The path that the client took may name its model.
        None => (then.record.path.clone(), body.into_owned()),
        Some(name) => {
            let in_body = |path: &str| (path.to_string(), for_model(&body, name));
            match Dialect::of_name(&then.record.dialect) {
                Some(Dialect::Messages) => in_body("/v1/messages"),
                // No client speaks Converse.
                Some(Dialect::Chat | Dialect::Converse) | None => in_body("/v1/chat/completions"),
                Some(Dialect::Responses) => in_body("/v1/responses"),
                Some(Dialect::Gemini) => {
                    let method = then.record.path.rsplit(':').next().unwrap_or("generateContent");
                    (format!("/v1beta/models/{name}:{method}"), body.into_owned())
                }
            }
        }
    };
    let mut headers = then.headers.clone();
    let own =
        [("content-type", "application/json"), ("x-litellm-num-retries", "0"), ("x-litellm-disable-fallbacks", "true")];
    headers.extend(own.map(|(name, value)| (name.to_string(), value.to_string())));
    if let Some(key) = &config.master_key {
        headers.push(("x-api-key".into(), key.expose().to_string()));
    }
    Ok(Sending { config, path, headers, body })
}

/// Leaves one deployment, and leads every name to it.
fn pin(config: &mut Config, id: &str, name: &str) -> Result<(), CliError> {
    let Some(index) = config.deployments.iter().position(|deployment| deployment.id == id) else {
        let known: Vec<String> = config.deployments.iter().map(|d| format!("{} ({})", d.id, d.group)).collect();
        return Err(CliError::usage(format!(
            "deployment {id} is not in the configuration; choose with --deployment or --model: {}",
            known.join(", ")
        )));
    };
    let deployment = config.deployments.swap_remove(index);
    // A wildcard's model is known only by a name that fits the wildcard.
    let pattern = if deployment.model.contains('*') { deployment.group.as_str() } else { "*" };
    config.routes = RouteTable::new([pattern], Vec::new(), CatchAll::default());
    if config.routes.resolve(name).is_err() {
        let pattern = &deployment.group;
        return Err(CliError::usage(format!(
            "deployment {id} is for names like {pattern}, and {name} is none; add --model NAME"
        )));
    }
    config.deployments = vec![deployment];
    config.routing.tags = None;
    Ok(())
}

/// The body with another model; all other bytes stay.
fn for_model(body: &str, name: &str) -> String {
    let Ok(members) = members(body) else { return body.to_string() };
    let mut w = Writer::with_capacity(body.len() + name.len());
    w.open_object().key("model").text(&Text::plain(name));
    for (key, value) in members.into_iter().filter(|(key, _)| *key != "model") {
        w.key(key).raw(value);
    }
    w.close_object();
    String::from_utf8(w.out).unwrap_or_else(|_| body.to_string())
}

/// What came of it, as a capture.
pub fn send(sending: Sending, data_dir: Option<&Path>) -> Result<Capture, CliError> {
    let (handed, captured) = channel();
    let learned = match data_dir {
        Some(dir) => LearnedFacts::open(dir.join("learned.json"))
            .map_err(|error| CliError::failure(format!("the data directory cannot be used: {error}")))?
            .without_file(),
        None => LearnedFacts::in_memory(),
    };
    let Sending { config, path, headers, body } = sending;
    let app = App::for_replay(config, learned, Captures::handed_to(handed))
        .map_err(|error| CliError::failure(error.to_string()))?;
    let runtime = serve::runtime(None)?;
    let sent = runtime.block_on(async {
        let listener = server::bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).await;
        let listener =
            listener.map_err(|error| CliError::failure(format!("no port on 127.0.0.1 can be had: {error}")))?;
        let port = listener.local_addr().map_err(|e| CliError::failure(e.to_string()))?.port();
        tokio::spawn(server::serve(Arc::new(app), listener, std::future::pending()));
        post(&format!("http://127.0.0.1:{port}{path}"), &headers, body).await
    });
    // With it goes the gateway, which hands over what it captured before it ends.
    drop(runtime);
    let refused = sent?;
    captured.recv().map_err(|_| CliError::failure(format!("the request was refused before it was read: {refused}")))
}

/// Reads the whole answer; what counts of it is in the capture.
async fn post(url: &str, headers: &[(String, String)], body: String) -> Result<String, CliError> {
    let client =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request = http::Request::post(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let failed = |error: &dyn std::error::Error| CliError::failure(format!("the gateway did not answer: {error}"));
    let request = request.body(Full::new(Bytes::from(body))).map_err(|error| failed(&error))?;
    let answer = client.request(request).await.map_err(|error| failed(&error))?;
    let whole = answer.into_body().collect().await.map_err(|error| failed(&error))?.to_bytes();
    Ok(String::from_utf8_lossy(&whole).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_model_changes_nothing_else() {
        assert_eq!(for_model(r#"{"a" : 1.50,"model":"x", "b":[ ]}"#, "y\""), r#"{"model":"y\"","a":1.50,"b":[ ]}"#);
    }
}
