//! One cell of the matrix: a client, an upstream, a form of answer, an arrangement of deployments; and its check.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Ending, SimConfig, Step};

use crate::script;
use crate::support::chat_checker;
use crate::support::checker::{self, Block};
use crate::support::fleet::{Ship, ship};
use crate::support::http::Answer as Answered;
use crate::support::stage::{Client, Upstream};
use crate::table::{Ends, Fault, Form, How, Row, Told};

/// Who is there beside the deployment that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrangement {
    Alone,
    /// Alone, and one retry is allowed.
    Retry,
    /// Another deployment of the route.
    Other,
    Fallback,
}

pub const ARRANGEMENTS: [Arrangement; 4] =
    [Arrangement::Alone, Arrangement::Retry, Arrangement::Other, Arrangement::Fallback];

#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub client: Client,
    pub upstream: Upstream,
    pub form: Form,
    pub arrangement: Arrangement,
    pub ending: Ending,
    /// The failing deployment's place in the fleet; the one that is well follows it.
    pub first: usize,
}

/// How long a silence is borne: longer than a busy machine takes for what is no silence. The table names it.
const LIMIT_S: u32 = 3;

/// What the deployment that is well says.
const WELL: &str = "All is well.";

impl Cell {
    pub fn route(&self) -> String {
        format!("route-{}", self.first)
    }

    fn fallback_route(&self) -> String {
        format!("fallback-{}", self.first)
    }

    pub fn fallbacks(&self) -> Option<Value> {
        (self.arrangement == Arrangement::Fallback).then(|| json!({self.route(): [self.fallback_route()]}))
    }

    pub fn ships(&self, fault: Fault) -> Vec<Ship> {
        let step = script::step(fault, self.form, self.upstream, self.ending);
        let mut failing = ship(&self.route(), step.clone()).speaks(self.upstream);
        if matches!(fault, Fault::SilentBeforeHeaders | Fault::SilentInTheMiddle) {
            failing = failing.with(json!({"timeout": LIMIT_S, "stream_timeout": LIMIT_S}));
        }
        if fault == Fault::Refused {
            // A port that needs rights to be listened on: no other deployment gets it meanwhile.
            failing = failing.with(json!({"api_base": "http://127.0.0.1:1"}));
        }
        let well = || Step::answer(Answer { piece_chars: 4, ..Answer::text(WELL) }).always();
        match self.arrangement {
            Arrangement::Alone => vec![failing],
            Arrangement::Retry => {
                failing.sim = SimConfig::default().step(step).step(well());
                vec![failing.with(json!({"num_retries": 1}))]
            }
            Arrangement::Other => vec![failing, ship(&self.route(), well()).speaks(self.upstream)],
            Arrangement::Fallback => vec![failing, ship(&self.fallback_route(), well()).speaks(self.upstream)],
        }
    }

    pub fn body(&self) -> Value {
        let schema = json!({"type": "object", "properties": {"command": {"type": "string"}}});
        let tool = match self.client {
            Client::Messages => json!({"name": "Bash", "input_schema": schema}),
            Client::Chat => json!({"type": "function", "function": {"name": "Bash", "parameters": schema}}),
        };
        self.client.hello(json!({"model": self.route(), "stream": self.form == Form::Stream, "tools": [tool]}))
    }

    fn ends(&self, row: &Row) -> Ends {
        match self.arrangement {
            Arrangement::Alone => Ends::Told(1),
            Arrangement::Retry => row.retry,
            Arrangement::Other => row.other,
            Arrangement::Fallback => row.fallback,
        }
    }

    fn same_dialect(&self) -> bool {
        self.upstream.speaks() == self.client
    }

    /// The model that an answer names: the upstream's own where its bytes go on.
    fn model(&self) -> String {
        if self.same_dialect() { self.upstream.model().to_owned() } else { self.route() }
    }

    /// `requests`: how many the failing deployment got, and the one that is well, if there is one.
    pub fn check(&self, row: &Row, answer: &Answered, requests: &[usize]) {
        let ends = self.ends(row);
        let attempts = match ends {
            Ends::Answered => 2,
            Ends::Told(attempts) => attempts,
        };
        assert_eq!(answer.header("x-tollgate-attempts"), Some(attempts.to_string().as_str()));
        let another = ends == Ends::Answered && self.arrangement != Arrangement::Retry;
        let by = if another { self.first + 1 } else { self.first };
        assert_eq!(answer.header("x-tollgate-deployment"), Some(format!("d{by}").as_str()));
        // Nobody counts the requests to a port where nobody listens.
        let to_failing = if row.fault == Fault::Refused { 0 } else { attempts as usize - usize::from(another) };
        let expected = [to_failing, usize::from(another)];
        assert_eq!(requests, &expected[..requests.len()], "requests of each deployment");
        match ends {
            Ends::Answered => self.answered(answer),
            Ends::Told(_) => match row.told.how {
                How::Status(messages, chat) => {
                    let status = if self.client == Client::Messages { messages } else { chat };
                    self.told(row, status, answer);
                }
                How::Event => self.told_in_stream(&row.told, answer),
            },
        }
    }

    fn answered(&self, answer: &Answered) {
        assert_eq!(answer.status, 200);
        for header in ["retry-after", "x-should-retry", "x-tollgate-reason", "x-tollgate-upstream-status"] {
            assert_eq!(answer.header(header), None, "{header}");
        }
        let model = self.model();
        match (self.client, self.form) {
            (Client::Messages, form) => {
                let seen = match form {
                    Form::Stream => checker::stream_of(&model, &answer.body),
                    Form::Piece => checker::message_of(&model, &answer.json()),
                };
                assert_eq!(seen.whole().blocks, [checker::text(WELL)]);
                assert_eq!(seen.stop_reason.as_deref(), Some("end_turn"));
            }
            (Client::Chat, Form::Stream) => {
                let seen = self.chat_stream(answer);
                assert!(seen.done && seen.error.is_none(), "{seen:?}");
                assert_eq!((seen.text.as_str(), seen.finish.as_deref()), (WELL, Some("stop")));
            }
            (Client::Chat, Form::Piece) => {
                let body = answer.json();
                assert_eq!(body["choices"][0]["message"]["content"], WELL);
                assert_eq!(body["choices"][0]["finish_reason"], "stop");
            }
        }
    }

    fn chat_stream(&self, answer: &Answered) -> chat_checker::Seen {
        if self.same_dialect() {
            chat_checker::lenient(&answer.body)
        } else {
            chat_checker::strict_of(&self.model(), &answer.body)
        }
    }

    fn told(&self, row: &Row, status: u16, answer: &Answered) {
        let told = &row.told;
        let text = |value: Option<u16>| value.map(|value| value.to_string());
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("x-tollgate-reason"), Some(told.reason));
        assert_eq!(answer.header("x-tollgate-upstream-status"), text(told.upstream).as_deref());
        assert_eq!(answer.header("retry-after"), text(told.wait).as_deref());
        assert_eq!(answer.header("x-should-retry"), told.for_good.then_some("false"));
        if let Some(upstream) = told.upstream.filter(|_| told.unmodified && self.same_dialect()) {
            assert_eq!(answer.status, upstream);
            assert_eq!(answer.json(), script::error(self.upstream, upstream));
            return;
        }
        assert_eq!(answer.status, status);
        let (kind, message) = self.client.error(answer);
        self.told_as(told, &kind, &message);
    }

    fn told_as(&self, told: &Told, kind: &str, message: &str) {
        assert_eq!(kind, if self.client == Client::Messages { told.kinds.0 } else { told.kinds.1 });
        assert!(message.contains(told.words), "{:?} is not in {message:?}", told.words);
        assert!(message.starts_with(&format!("{}: ", self.route())), "names no deployment: {message:?}");
    }

    /// A stream that had begun: one error is its last event, nothing in it looks complete, and no call can be run.
    fn told_in_stream(&self, told: &Told, answer: &Answered) {
        assert_eq!(answer.status, 200);
        let error = match self.client {
            Client::Messages => {
                let seen = checker::stream_of(&self.model(), &answer.body);
                assert!(seen.started && seen.stop_reason.is_none(), "{seen:?}");
                assert!(!seen.blocks.iter().any(|block| matches!(block, Block::Tool { .. })), "{seen:?}");
                assert!(answer.text().matches("\"tool_use\"").count() <= 1, "a second call");
                assert!(!answer.text().contains(WELL));
                seen.failed().clone()
            }
            Client::Chat => {
                let seen = self.chat_stream(answer);
                assert_eq!(seen.finish, None);
                assert!(!(seen.text.is_empty() && seen.reasoning.is_empty() && seen.calls.is_empty()), "{seen:?}");
                assert!(seen.calls.len() <= 1, "a second call: {seen:?}");
                for (_, _, arguments) in &seen.calls {
                    assert!(serde_json::from_str::<Value>(arguments).is_err(), "a call that can be run: {arguments}");
                }
                seen.failed().clone()
            }
        };
        self.told_as(told, error["type"].as_str().unwrap(), error["message"].as_str().unwrap());
    }
}
