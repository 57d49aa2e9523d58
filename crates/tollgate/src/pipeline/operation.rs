//! Endpoints that are no conversation: the client's body goes to the same path of a provider, with another model's name. Providers that
//! have a form of their own are asked in that (`translating.rs`).

use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Uri};
use hyper::body::Incoming;
use tollgate_dialect::error::{ErrorKind, Invalid, Unsupported, UpstreamError};
use tollgate_dialect::json::{Json, members};
use tollgate_dialect::operation::{Form, Operation, Speaks, Task, Took, Way};
use tollgate_dialect::sealed::Seal;
use tollgate_dialect::{Dialect, answer, decode_count_request};
use tollgate_policy::budget::Estimate;
use tollgate_policy::failover::Failure as AttemptFailure;
use tollgate_policy::price::Price;

use super::attempt::{Driver, Whole};
use super::exchange::{Address, Ended, Failed, lacks_path, upstream_request};
use super::fare::Fare;
use super::inbound::{self, Inbound};
use super::passing::Passing;
use super::prepare::{self, Prepared};
use super::route::Route;
use super::spend::{USUAL_OUTPUT, cache_writes};
use crate::app::{App, Known, Live};
use crate::config::model::Deployment;
use crate::config::rewrite;
use crate::failure::Failure;
use crate::tokens;

/// What is asked for, where it is no conversation.
#[derive(Clone, Debug)]
pub struct Asked {
    pub operation: Operation,
    pub speaks: Speaks,
    /// The body is a form, of this `content-type`.
    form: Option<HeaderValue>,
}

/// A request of one of these endpoints.
pub async fn read(
    live: &Live,
    (operation, speaks): (Operation, Speaks),
    path_model: Option<String>,
    request: http::Request<Incoming>,
) -> Result<Inbound, Failure> {
    let (parts, body) = inbound::receive(live, request).await?;
    let form = parts.headers.get(CONTENT_TYPE).filter(|value| Form::is_meant(value.to_str().unwrap_or(""))).cloned();
    let asked = Asked { operation, speaks, form: form.filter(|_| speaks == Speaks::OpenAi) };
    let dialect = dialect_of(operation, speaks);
    let mut inbound = match &asked.form {
        // What decides is read as from JSON; the configuration's rules are for JSON and leave forms alone.
        Some(kind) => {
            let head = parsed(kind, &body)?.as_json().into();
            let mut inbound = inbound::understand(live, dialect, path_model, &parts, head)?;
            inbound.body = body;
            inbound.changes.retain(|change| change.field == "model");
            inbound
        }
        None => {
            let named = std::str::from_utf8(&body).ok().and_then(|text| members(text).ok());
            let names_one = named.is_none_or(|members| members.iter().any(|(name, _)| *name == "model"));
            let usual = operation.usual_model().filter(|_| !names_one).map(str::to_string);
            inbound::understand(live, dialect, path_model.or(usual), &parts, body)?
        }
    };
    // Sound is no stream of events, in which signs of life could stand.
    inbound.stream &= operation != Operation::Speech;
    // What is made shorter is no answer that could be gone on from.
    if let Some(wish) = &mut inbound.kept {
        wish.keep = false;
    }
    // Captures and their replay know conversations only.
    inbound.capture = None;
    inbound.operation = Some(asked);
    Ok(inbound)
}

fn parsed<'b>(kind: &HeaderValue, body: &'b [u8]) -> Result<Form<'b>, Invalid> {
    Form::parse(kind.to_str().unwrap_or(""), body)
}

/// In what form errors are told.
pub fn dialect_of(operation: Operation, speaks: Speaks) -> Dialect {
    match speaks {
        Speaks::OpenAi => operation.dialect(),
        Speaks::EmbedContent | Speaks::BatchEmbedContents => Dialect::Gemini,
    }
}

impl Asked {
    /// The deployments of a route that serve it.
    pub fn able(&self, app: &App, live: &Live, route: &Route) -> Result<Vec<usize>, Failure> {
        let deployment = |index: &usize| &live.config.deployments[*index];
        let is_able = |index: &usize| match self.operation.dialect() {
            Dialect::Responses => route.speaks(app, live, *index) == Dialect::Responses,
            _ => {
                let model = super::route::upstream_model(live, &route.name, deployment(index));
                self.task(deployment(index), &model, "").and_then(|task| task.way()).is_some()
            }
        };
        let able: Vec<usize> = route.deployments.iter().copied().filter(is_able).collect();
        if !able.is_empty() {
            return Ok(able);
        }
        let all: Vec<&str> = route.deployments.iter().map(|index| deployment(index).provider.as_str()).collect();
        if self.operation == Operation::Compact {
            return Err(Failure::Unsupported(Unsupported {
                param: "model".into(),
                message: format!(
                    "/v1/responses/compact needs a provider that is asked by OpenAI's Responses API; the deployments of {}, of {}, are asked by \
                     another (litellm_params.api_mode decides, where a provider has both). Let the client make its conversation shorter itself: \
                     Codex does with any provider that is not named OpenAI, as `tollgate run codex` sets it up.",
                    route.group,
                    all.join(", ")
                ),
            }));
        }
        Err(Failure::Unsupported(Unsupported {
            param: "model".into(),
            message: format!(
                "/v1{} needs an OpenAI-compatible provider{}; the deployments of {} are of {}, whose API has no such endpoint for \
                 this model (litellm_params.model decides).",
                self.operation.path(),
                self.operation.others(),
                route.group,
                all.join(", ")
            ),
        }))
    }

    /// What it is for a deployment; `None`: its provider has nothing but conversations.
    fn task<'t>(&self, deployment: &Deployment, model: &'t str, label: &'t str) -> Option<Task<'t>> {
        Some(Task {
            operation: self.operation,
            speaks: self.speaks,
            host: deployment.host()?,
            model,
            label,
            drop_params: deployment.drop_params,
        })
    }

    /// The text of a body, as far as it is one.
    pub fn text<'b>(&self, body: &'b [u8]) -> &'b str {
        if self.form.is_some() { "" } else { std::str::from_utf8(body).unwrap_or("") }
    }

    /// The input's tokens by our own count, a little more rather than less: names of fields are counted too.
    pub fn input_tokens(&self, body: &[u8]) -> u64 {
        let of_responses = self.operation.dialect() == Dialect::Responses;
        match of_responses.then(|| decode_count_request(Dialect::Responses, body)) {
            Some(Ok(request)) => tokens::count_quickly(&request).tokens,
            _ => tokens::count_json_quickly(self.text(body)),
        }
    }

    /// The most that it can cost. `choices`: how many are asked for. Of a sound's length only its bytes tell.
    pub fn estimate(&self, price: &Price, body: &[u8], choices: u64) -> Estimate {
        /// Of an image of OpenAI's highest quality and largest size (6,240, API guide for images, 2026-11), and some more.
        const IMAGE_TOKENS: u64 = 6400;
        /// Of sound at 32 kbit/s: hardly any is smaller.
        const BYTES_PER_SECOND: u64 = 4000;
        let mut most = Took::asked(self.operation, self.text(body));
        let one = 1_000_000_000u64;
        match self.operation {
            Operation::ImageGenerations | Operation::ImageEdits => {
                most.images = one.saturating_mul(choices);
                most.output = Some(one.saturating_mul(choices).saturating_mul(IMAGE_TOKENS));
                most.output_image = most.output.unwrap_or(0);
            }
            Operation::Compact => most.output = Some(one.saturating_mul(USUAL_OUTPUT)),
            Operation::Transcriptions => most.seconds = one.saturating_mul(body.len() as u64 / BYTES_PER_SECOND + 1),
            _ => {}
        }
        let input = (self.input_tokens(body) as f64 * super::spend::INPUT_MARGIN) as u64;
        Estimate::new(price, input, cache_writes(body), 0, 0).plus(price.cost_of(&most))
    }

    /// The body in OpenAI's form, with what the configuration says; one that is forwarded in its own form stays as it is.
    fn prepare(
        &self,
        inbound: &Inbound,
        deployment: &Deployment,
        known: &Known,
        task: Option<&Task<'_>>,
        model: &str,
        seal: &Seal,
    ) -> Result<Prepared, Failure> {
        if self.operation.dialect() == Dialect::Responses {
            return prepare::as_it_is(inbound, deployment, known, model, seal);
        }
        let mut prepared = Prepared {
            dialect: deployment.dialect,
            body: Vec::new(),
            changes: Vec::new(),
            stream: inbound.stream,
            same_dialect: true,
            context: answer::Context::default(),
            counted_input: None,
            conversation: None,
        };
        if let Some(kind) = &self.form {
            prepared.body = parsed(kind, &inbound.body)?.with("model", model);
            return Ok(prepared);
        }
        let translated = match task {
            Some(task) if matches!(task.way(), Some(Way::Forwards)) => {
                prepared.body = inbound.body.to_vec();
                return Ok(prepared);
            }
            Some(task) => task.as_openai(self.text(&inbound.body))?,
            None => None,
        };
        let name = Json::of(&serde_json::Value::String(model.to_string()));
        let (body, _) = rewrite::set_first_of(&["model"], &name, translated.as_deref().unwrap_or(&inbound.body))
            .ok_or_else(|| Invalid::new("", "The request body is not valid JSON."))?;
        prepared.body = body;
        prepare::configure(&mut prepared, deployment);
        Ok(prepared)
    }
}

impl Asked {
    /// A server that has no such path has the model all the same: it must not rest for it.
    fn without_path(&self, ended: Ended) -> Ended {
        match ended {
            Ended::Failed(Failed { failure: AttemptFailure::Refused(error), upstream_id, .. })
                if self.operation == Operation::Compact && lacks_path(&error) =>
            {
                let message = format!(
                    "the provider's Responses API has no {}; let the client make its conversation shorter itself. The provider said: {}",
                    self.operation.path(),
                    error.message
                );
                let error = UpstreamError { kind: ErrorKind::InvalidRequest, message, ..error };
                Ended::Failed(Failed { failure: AttemptFailure::Refused(error), raw: None, upstream_id })
            }
            ended => ended,
        }
    }
}

impl Driver {
    /// Tries one deployment. What is refused is not repaired: there is no table of cures for these endpoints.
    pub(super) async fn operate(
        &mut self,
        live: &Arc<Live>,
        index: usize,
        upstream_model: &str,
        asked: &Asked,
    ) -> Result<Option<Whole>, Ended> {
        self.afford().await.map_err(Ended::Final)?;
        let deployment = &live.config.deployments[index];
        let known = self.app.known(live, index, upstream_model);
        let label = format!("{}/{upstream_model}", deployment.provider);
        let task = asked.task(deployment, upstream_model, &label);
        let prepared = asked.prepare(&self.inbound, deployment, &known, task.as_ref(), upstream_model, &live.seal);
        let mut prepared = prepared.map_err(Ended::Final)?;
        let body = std::mem::take(&mut prepared.body);
        let work = match task {
            Some(task) => task.work(asked.text(&body)).map_err(|error| Ended::Final(error.into()))?,
            None => None,
        };
        prepared.changes.extend(work.iter().flat_map(|work| work.changes.clone()));
        self.note(live, index, &prepared, &[], upstream_model, body.len());
        let tried = match work {
            Some(work) => self.translate(live, index, upstream_model, asked, work).await,
            None => self.ask_operation(live, index, upstream_model, asked, body).await,
        };
        self.recorder.attempt_ended(tried.as_ref().err().map(|ended| self.failure_for_record(live, ended)));
        tried
    }

    async fn ask_operation(
        &mut self,
        live: &Arc<Live>,
        index: usize,
        upstream_model: &str,
        asked: &Asked,
        body: Vec<u8>,
    ) -> Result<Option<Whole>, Ended> {
        let deployment = &live.config.deployments[index];
        let known = self.app.known(live, index, upstream_model);
        let began = tokio::time::Instant::now();
        let to = Address { dialect: deployment.dialect, model: upstream_model, stream: self.inbound.stream };
        let mut request = upstream_request(deployment, to, &known, &[], body.into())?;
        let url: Uri = deployment
            .url(asked.operation.path())
            .parse()
            .map_err(|_| Ended::Final(Failure::Internal("a deployment's URL cannot be built")))?;
        *request.uri_mut() = url;
        if let Some(form) = &asked.form {
            request.headers_mut().insert(CONTENT_TYPE, form.clone());
        }
        if !self.inbound.stream {
            // Sound, subtitles and text come as such.
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
        }
        let answer = self.answer_to(live, index, deployment.dialect, request, self.inbound.stream, true).await;
        let answer = answer.map_err(|ended| asked.without_path(ended))?;
        let passing = Passing {
            fare: self.fare(asked, known.price),
            line: &mut self.line,
            record: &mut self.recorder,
            deployment,
            stream: self.inbound.stream,
            began,
        };
        live.abilities[index].health().answering(self.app.now_ms(), began.elapsed());
        passing.run(answer).await.map_err(Ended::from)
    }

    pub(super) fn fare(&self, asked: &Asked, price: Option<Price>) -> Fare {
        Fare {
            operation: asked.operation,
            input_tokens: asked.input_tokens(&self.inbound.body),
            took: Took::asked(asked.operation, asked.text(&self.inbound.body)),
            text_bytes: 0,
            spent_before: self.recorder.cost_nanos,
            price,
        }
    }
}
