//! The decision about one request: refuse it, or play the step that fits.

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use crate::embed::{OwnForm, own_form};
use crate::faults::{Content, Faults, Frame, Piece, Shape};
use crate::operations::Operation;
use crate::places::Place;
use crate::refusal::Refusal;
use crate::script::{Answer, Match, Reply, Step, Uses};
use crate::server::{Provider, State, lock};
use crate::{chat, converse, gemini, invoke, messages, responses, vertex};

/// A response that is decided and not yet sent.
pub(crate) struct Plan {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub content: Content,
    pub faults: Faults,
    /// The name of an error frame's event.
    pub error_event: Option<&'static str>,
    /// That of a model call.
    pub place: Option<Place>,
}

impl Plan {
    fn new(status: u16, content_type: &str, content: Content) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, content, faults: Faults::default(), error_event: None, place: None }
    }

    fn json(status: u16, body: &Value) -> Self {
        let mut plan = Self::new(status, "application/json", Content::Pieces(Vec::new()));
        plan.set_body(body.to_string().into());
        plan
    }

    /// A document of any kind in one piece.
    fn text(status: u16, content_type: &str, body: String) -> Self {
        let mut plan = Self::new(status, content_type, Content::Pieces(Vec::new()));
        plan.set_body(body.into());
        plan
    }

    pub fn refusal(refusal: &Refusal) -> Self {
        let mut plan = Self::json(refusal.status, &refusal.body);
        plan.headers.extend(refusal.headers.iter().cloned());
        plan
    }

    /// The pieces of a stream as one array, which is what Google sends to those who do not ask for events.
    fn into_array(self) -> Self {
        let Content::Frames(frames) = self.content else { return self };
        let items: Vec<String> = frames.map(|frame| frame.data).collect();
        let mut plan = Self::new(self.status, "application/json", Content::Pieces(Vec::new()));
        plan.set_body(format!("[{}]", items.join(",\n")).into());
        plan.faults = self.faults;
        plan
    }

    /// A body of known length, in two halves so that it can be cut.
    fn set_body(&mut self, mut body: Bytes) {
        self.headers.push(("content-length".to_owned(), body.len().to_string()));
        let first = body.split_to(body.len() / 2);
        self.content = Content::Pieces(vec![Piece::Bytes(first), Piece::Bytes(body)]);
    }
}

/// One request and the server that it came to.
pub(crate) struct Call<'a> {
    pub head: &'a http::request::Parts,
    pub bytes: &'a Bytes,
    pub state: &'a State,
}

impl Call<'_> {
    pub fn plan(&self) -> Result<Plan, Refusal> {
        let path = self.head.uri.path().trim_end_matches('/');
        let config = &self.state.config;
        if let Some(azure) = &config.azure {
            if let Some(answer) = azure.token_endpoint(self.head, self.bytes) {
                return answer.map(|token| Plan::json(200, &token));
            }
            azure.front(self.head)?;
        }
        if let Some(aws) = &config.aws {
            if let Some(answer) = aws.endpoint(self.head, self.bytes) {
                return Ok(Plan::text(answer.status, answer.content_type, answer.body));
            }
            aws.front(self.head, self.bytes)?;
        }
        if let Some(google) = &config.google {
            if let Some(answer) = google.token_endpoint(self.head, self.bytes) {
                return answer.map(|token| Plan::json(200, &token));
            }
            google.front(self.head)?;
            if let Some(predict) = vertex::Predict::of(&self.head.uri) {
                let body = predict.check(&self.head.headers, self.bytes, &config.messages)?;
                let refusal = |status, words: &str| Refusal::messages(status, "rate_limit_error", words);
                return self.play_step(&body, Provider::Messages, refusal);
            }
        }
        let plays = |provider| config.providers.contains(&provider);
        if self.head.method == Method::POST && path.ends_with("/chat/completions") && plays(Provider::Chat) {
            chat::check_key(&self.head.headers, config.key.as_deref())?;
            let body = chat::parse(self.bytes)?;
            let refusal = |status, words: &str| Refusal::chat(status, words, None, None);
            config.rules.iter().try_for_each(|rule| rule.check(&body, &self.head.headers, refusal))?;
            chat::check(&body, &config.chat)?;
            return self.play_step(&body, Provider::Chat, refusal);
        }
        if self.head.method == Method::POST && path.ends_with("/responses") && plays(Provider::Responses) {
            chat::check_key(&self.head.headers, config.key.as_deref())?;
            let body = chat::parse(self.bytes)?;
            let refusal = |status, words: &str| Refusal::chat(status, words, None, None);
            config.rules.iter().try_for_each(|rule| rule.check(&body, &self.head.headers, refusal))?;
            responses::check(&body)?;
            return self.play_step(&body, Provider::Responses, refusal);
        }
        if let Some(beside) = responses::Beside::at(path)
            && self.head.method == Method::POST
            && plays(Provider::Responses)
        {
            chat::check_key(&self.head.headers, config.key.as_deref())?;
            let body = chat::parse(self.bytes)?;
            beside.check(&body)?;
            return self
                .play_step(&body, Provider::Responses, |status, words| Refusal::chat(status, words, None, None));
        }
        let operation = Operation::at(path).filter(|_| self.head.method == Method::POST && plays(Provider::Chat));
        if let Some(operation) = operation {
            chat::check_key(&self.head.headers, config.key.as_deref())?;
            let body = operation.read(&self.head.headers, self.bytes)?;
            return self.play_step(&body, Provider::Chat, |status, words| Refusal::chat(status, words, None, None));
        }
        if self.head.method == Method::POST && plays(Provider::Messages) {
            let counting = path.ends_with("/v1/messages/count_tokens");
            if counting || path.ends_with("/v1/messages") {
                let body = messages::parse(self.bytes)?;
                let refusal = |status, words: &str| Refusal::messages(status, "invalid_request_error", words);
                config.rules.iter().try_for_each(|rule| rule.check(&body, &self.head.headers, refusal))?;
                messages::check_headers(&self.head.headers, config.key.as_deref(), &config.messages)?;
                messages::check(&body, &self.head.headers, counting, &config.messages)?;
                if counting {
                    return Ok(Plan::json(200, &json!({"input_tokens": messages::tokens(&body)})));
                }
                let refusal = |status, words: &str| Refusal::messages(status, "rate_limit_error", words);
                return self.play_step(&body, Provider::Messages, refusal);
            }
        }
        if let Some(form) = own_form(&self.head.uri).filter(|_| self.head.method == Method::POST) {
            return self.in_own_form(&*form);
        }
        if let Some(method) = gemini::Method::of(&self.head.uri)
            && self.head.method == Method::POST
            && plays(Provider::Gemini)
        {
            return self.gemini(&method);
        }
        if let Some(method) = invoke::Method::of(&self.head.uri).filter(|_| self.head.method == Method::POST) {
            return self.invoke(&method);
        }
        if let Some(method) = converse::Method::of(&self.head.uri)
            && self.head.method == Method::POST
            && plays(Provider::Converse)
        {
            return self.converse(&method);
        }
        if self.head.method == Method::GET {
            let anthropic = plays(Provider::Messages) && self.head.headers.contains_key("anthropic-version");
            let list = if anthropic { messages::models(&config.models) } else { chat::models(&config.models) };
            if path.ends_with("/models") {
                return Ok(Plan::json(200, &list));
            }
            let found = path
                .rsplit_once("/models/")
                .and_then(|(_, id)| list["data"].as_array()?.iter().find(|model| model["id"] == id).cloned());
            if let Some(model) = found {
                return Ok(Plan::json(200, &model));
            }
        }
        let message = format!("Invalid URL ({} {path})", self.head.method);
        Err(if self.head.headers.contains_key("anthropic-version") {
            Refusal::messages(404, "not_found_error", message)
        } else {
            Refusal::chat(404, message, None, None)
        })
    }

    fn gemini(&self, method: &gemini::Method) -> Result<Plan, Refusal> {
        let config = &self.state.config;
        gemini::check_key(&self.head.headers, self.head.uri.query(), config.key.as_deref())?;
        let mut body = gemini::parse(self.bytes)?;
        if method.name == "countTokens" {
            return Ok(Plan::json(200, &json!({"totalTokens": gemini::tokens(&body)})));
        }
        let refusal = |status, words: &str| gemini::refusal(status, words);
        config.rules.iter().try_for_each(|rule| rule.check(&body, &self.head.headers, refusal))?;
        gemini::check(&body, &config.gemini)?;
        // Other providers have these in the body, where conditions look for them.
        body["model"] = json!(method.model);
        body["stream"] = json!(method.streams());
        let plan = self.play_step(&body, Provider::Gemini, refusal)?;
        Ok(if method.streams() && !method.events { plan.into_array() } else { plan })
    }

    fn in_own_form(&self, form: &dyn OwnForm) -> Result<Plan, Refusal> {
        let config = &self.state.config;
        match form.on_aws() {
            true if config.aws.is_none() => converse::check_key(&self.head.headers, config.key.as_deref())?,
            false if config.google.is_none() => {
                gemini::check_key(&self.head.headers, self.head.uri.query(), config.key.as_deref())?;
            }
            _ => {}
        }
        let body = form.read(self.bytes)?;
        let provider = if form.on_aws() { Provider::Invoke } else { Provider::Gemini };
        self.play_step(&body, provider, |status, words| form.refusal(status, words))
    }

    fn invoke(&self, method: &invoke::Method) -> Result<Plan, Refusal> {
        let config = &self.state.config;
        let refusal = |status, words: &str| invoke::refusal(status, "ThrottlingException", words);
        let body = invoke::read(method, self.bytes, &config.messages)?;
        config.rules.iter().try_for_each(|rule| {
            rule.check(&body, &self.head.headers, |status, words| invoke::refusal(status, "ValidationException", words))
        })?;
        self.play_step(&body, Provider::Invoke, refusal)
    }

    fn converse(&self, method: &converse::Method) -> Result<Plan, Refusal> {
        let config = &self.state.config;
        if config.aws.is_none() {
            converse::check_key(&self.head.headers, config.key.as_deref())?;
        }
        let mut body = converse::parse(self.bytes)?;
        let refusal = |status, words: &str| invoke::refusal(status, "ValidationException", words);
        config.rules.iter().try_for_each(|rule| rule.check(&body, &self.head.headers, refusal))?;
        converse::check(&body, &config.converse)?;
        // Other providers have these in the body, where conditions look for them.
        body["model"] = json!(method.model);
        body["stream"] = json!(method.streams);
        let refusal = |status, words: &str| invoke::refusal(status, "ThrottlingException", words);
        self.play_step(&body, Provider::Converse, refusal)
    }

    /// `refusal` gives words of the provider their shape.
    fn play_step(
        &self,
        body: &Value,
        provider: Provider,
        refusal: impl Fn(u16, &str) -> Refusal,
    ) -> Result<Plan, Refusal> {
        let at_once = self.state.config.at_once.as_ref();
        let place = self.state.places.take(at_once.map(|(most, _)| *most));
        if let (None, Some((_, words))) = (&place, at_once) {
            return Err(refusal(429, words));
        }
        let drawn = self.state.config.bucket.map(|rules| self.state.bucket.draw(rules));
        if drawn.as_ref().is_some_and(|drawn| !drawn.allowed) {
            return Err(refusal(429, "Rate limit reached for requests"));
        }
        let step = self.take_step(body);
        let (reply, faults) = step.map_or_else(
            || (Reply::Answer(Answer::text("Hello from the simulated model.")), Faults::default()),
            |step| (step.reply, step.faults),
        );
        let mut plan = match reply {
            Reply::Answer(answer) => self.answer(body, provider, answer, &faults),
            Reply::Http { status, headers, body } => {
                let mut plan = Plan::new(status, "", Content::Pieces(Vec::new()));
                plan.headers = headers;
                plan.set_body(body);
                plan
            }
            Reply::Raw { content_type, pieces } => Plan::new(200, &content_type, Content::Pieces(pieces)),
        };
        plan.error_event = (provider == Provider::Messages).then_some("error");
        plan.headers.extend(drawn.into_iter().flat_map(|drawn| drawn.headers));
        plan.faults = faults;
        plan.place = place;
        Ok(plan)
    }

    fn answer(&self, body: &Value, provider: Provider, answer: Answer, faults: &Faults) -> Plan {
        let stream = match faults.shape {
            Some(shape) => shape == Shape::Sse,
            None => body["stream"] == true || body["stream"] == "true",
        };
        if let Some(operation) = Operation::at(self.head.uri.path()) {
            if stream {
                return stream_plan(Box::new(operation.frames(body).into_iter()));
            }
            let (kind, bytes) = operation.whole(body);
            let mut plan = Plan::new(200, kind, Content::Pieces(Vec::new()));
            plan.set_body(bytes);
            return plan;
        }
        if let Some(form) = own_form(&self.head.uri) {
            let (headers, text) = form.answer(body);
            let mut plan = Plan::text(200, "application/json; charset=UTF-8", text);
            plan.headers.extend(headers);
            return plan;
        }
        let prompts = &self.state.prompts;
        let gemini = &self.state.config.gemini;
        let answer = match provider {
            Provider::Messages | Provider::Invoke => messages::signed(body, answer, &self.state.config.messages),
            _ => answer,
        };
        if let Some(beside) = responses::Beside::at(self.head.uri.path()) {
            return Plan::json(200, &beside.answer(body, &answer, prompts));
        }
        match (provider, stream) {
            (Provider::Gemini, true) => stream_plan(Box::new(gemini::frames(body, &answer, prompts, gemini))),
            (Provider::Gemini, false) => Plan::json(200, &gemini::whole(body, &answer, prompts, gemini)),
            (Provider::Chat, true) => stream_plan(Box::new(chat::frames(body, answer, prompts))),
            (Provider::Responses, true) => stream_plan(Box::new(responses::frames(body, answer, prompts))),
            (Provider::Responses, false) => Plan::json(200, &responses::whole(body, &answer, prompts)),
            (Provider::Messages, true) => stream_plan(Box::new(messages::frames(body, answer, prompts))),
            (Provider::Chat, false) => Plan::json(200, &chat::whole(body, &answer, prompts)),
            (Provider::Messages | Provider::Invoke, false) => Plan::json(200, &messages::whole(body, &answer, prompts)),
            (Provider::Converse, false) => Plan::json(200, &converse::whole(body, &answer, prompts)),
            (Provider::Converse, true) => {
                let pieces = converse::pieces(body, &answer, prompts);
                Plan::new(200, "application/vnd.amazon.eventstream", Content::Pieces(pieces))
            }
            (Provider::Invoke, true) => {
                let pieces = invoke::pieces(messages::frames(body, answer, prompts));
                Plan::new(200, "application/vnd.amazon.eventstream", Content::Pieces(pieces))
            }
        }
    }

    fn take_step(&self, body: &Value) -> Option<Step> {
        let mut script = lock(&self.state.script);
        script.1 += 1;
        let (steps, nth) = &mut *script;
        let index = steps.iter().position(|step| self.fits(&step.when, body, *nth))?;
        match &mut steps[index].uses {
            Uses::Times(left) if *left <= 1 => Some(steps.remove(index)),
            Uses::Times(left) => {
                *left -= 1;
                Some(steps[index].clone())
            }
            Uses::Always => Some(steps[index].clone()),
        }
    }

    fn fits(&self, when: &Match, body: &Value, nth: usize) -> bool {
        let holds = |text: &str| !text.is_empty() && memmem(self.bytes, text.as_bytes());
        let tools = body["tools"].as_array().or(body["toolConfig"]["tools"].as_array());
        let has_tools = tools.is_some_and(|tools| !tools.is_empty());
        when.path.as_deref().is_none_or(|path| self.head.uri.path().contains(path))
            && when.model.as_deref().is_none_or(|model| body["model"] == model)
            && when.contains.as_deref().is_none_or(holds)
            && !when.lacks.as_deref().is_some_and(holds)
            && when.nth.is_none_or(|wanted| wanted == nth)
            && when.has_tools.is_none_or(|wanted| wanted == has_tools)
            && when.has_tool_result.is_none_or(|wanted| wanted == has_tool_result(body))
            && when.stream.is_none_or(|wanted| wanted == (body["stream"] == true))
    }
}

fn stream_plan(frames: Box<dyn Iterator<Item = Frame> + Send>) -> Plan {
    Plan::new(200, "text/event-stream; charset=utf-8", Content::Frames(frames))
}

fn memmem(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

fn has_tool_result(body: &Value) -> bool {
    let blocks = |message: &Value| message["content"].as_array().cloned().unwrap_or_default();
    let output = |item: &Value| item["type"].as_str().is_some_and(|kind| kind.ends_with("_call_output"));
    if body["input"].as_array().is_some_and(|items| items.iter().any(output)) {
        return true;
    }
    let converses = |message: &Value| blocks(message).iter().any(|block| block.get("toolResult").is_some());
    if body["messages"].as_array().is_some_and(|all| all.iter().any(converses)) {
        return true;
    }
    let answered = |content: &Value| {
        content["parts"].as_array().is_some_and(|parts| parts.iter().any(|part| part.get("functionResponse").is_some()))
    };
    if body["contents"].as_array().is_some_and(|all| all.iter().any(answered)) {
        return true;
    }
    body["messages"].as_array().is_some_and(|all| {
        all.iter().any(|message| {
            message["role"] == "tool" || blocks(message).iter().any(|block| block["type"] == "tool_result")
        })
    })
}
