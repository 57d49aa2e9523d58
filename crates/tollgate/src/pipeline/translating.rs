//! Endpoints that are no conversation, of providers with a form of their own: one request becomes the calls that the provider needs for
//! it, one after the other, and their answers become one.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Uri};
use tokio::time::Instant;
use tollgate_dialect::Dialect;
use tollgate_dialect::operation::{AnswerFacts, Answered, Call, Host, Work};
use tollgate_policy::failover::Failure as AttemptFailure;

use super::attempt::{Driver, Whole};
use super::exchange::{Address, Ended, upstream_request};
use super::operation::Asked;
use super::passing::{add, hand_over};
use super::relay::{Patience, failure, next_data};
use super::{reply, upstream_limits};
use crate::app::Live;
use crate::failure::Failure;
use crate::unix_time::unix_ms;

/// What InvokeModel tells of the tokens of a prompt, for models whose own answer does not (read by LiteLLM 1.109.1).
const INPUT_TOKENS: &str = "x-amzn-bedrock-input-token-count";

/// One deployment that is asked for a model.
struct Asking<'a> {
    live: &'a Arc<Live>,
    index: usize,
    model: &'a str,
}

impl Driver {
    pub(super) async fn translate(
        &mut self,
        live: &Arc<Live>,
        index: usize,
        upstream_model: &str,
        asked: &Asked,
        mut work: Work,
    ) -> Result<Option<Whole>, Ended> {
        let asking = Asking { live, index, model: upstream_model };
        let mut fare = self.fare(asked, self.app.known(live, index, upstream_model).price);
        let began = Instant::now();
        let calls = std::mem::take(&mut work.calls);
        let last = calls.len().saturating_sub(1);
        let mut all = Vec::with_capacity(calls.len());
        let mut headers = HeaderMap::new();
        for (nth, call) in calls.into_iter().enumerate() {
            let (upstream, answered) = self.call(&asking, call, work.forwards()).await?;
            headers = upstream;
            let took = work.took(nth, &answered).map_err(failure)?;
            fare.took = if nth == 0 { took } else { fare.took.and(&took) };
            // Whatever becomes of the others, this one is paid for.
            fare.settle(&mut self.recorder, nth == last);
            all.push(answered);
        }
        live.abilities[index].health().answering(self.app.now_ms(), began.elapsed());
        let facts = AnswerFacts {
            model: &self.inbound.model,
            id: &self.recorder.id,
            created: unix_ms() / 1000,
            took: fare.so_far(),
        };
        let body = work.answer(&all, &facts).map_err(failure)?;
        let mut answer = reply::headers(&self.recorder);
        upstream_limits::pass_on(&headers, &mut answer, self.recorder.admission.is_limited());
        answer.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(hand_over(&mut self.line, &mut self.recorder, answer, body).await)
    }

    async fn call(&mut self, asking: &Asking<'_>, call: Call, same_form: bool) -> Result<(HeaderMap, Answered), Ended> {
        let Asking { live, index, model } = *asking;
        let deployment = &live.config.deployments[index];
        let known = self.app.known(live, index, model);
        // Errors of AWS have one form, whichever API the model converses in.
        let dialect = if deployment.host() == Some(Host::Bedrock) { Dialect::Converse } else { deployment.dialect };
        let mut request =
            upstream_request(deployment, Address { dialect, model, stream: false }, &known, &[], call.body.into())?;
        let url: Uri = deployment
            .address_of_method(model, call.method)
            .parse()
            .map_err(|_| Ended::Final(Failure::Internal("a deployment's URL cannot be built")))?;
        *request.uri_mut() = url;
        let began = Instant::now();
        let answer = self.answer_to(live, index, dialect, request, false, same_form).await?;
        let (parts, mut body) = answer.into_parts();
        let mut whole = Vec::new();
        let patience = || Patience::between_pieces(&deployment.timeouts, false, began);
        while let Some(chunk) = next_data(&mut self.line, patience(), true, &mut body).await? {
            self.recorder.first_byte();
            add(&mut whole, &chunk)?;
        }
        let body =
            String::from_utf8(whole).map_err(|_| AttemptFailure::Broken("the upstream's answer is no text".into()))?;
        let told = parts.headers.get(INPUT_TOKENS).and_then(|count| count.to_str().ok()?.parse().ok());
        Ok((parts.headers, Answered { body, input_tokens: told }))
    }
}
