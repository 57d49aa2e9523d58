//! The cases: what the upstream says, what must have reached it, and what the client must see.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Answer, Ending, Faults, Finish, Step, Usage};

use crate::cell::{Cell, Stage, with_look};
use crate::client::{Ask, CAPTION, Call, Client, Form, PDF, PNG, SYSTEM, Seen, shape};
use crate::converse::to;
use crate::loss::{Case, Lost};
use crate::upstream::{Got, Item, STOPS, Stop, Upstream, WORDS};

/// What the model says at the end of each case.
const SAID: &str = "One short sentence of the model.";

const THOUGHTS: [&str; 2] = ["Look at a first.", "Now look at b."];

const STATUSES: [u16; 3] = [400, 503, 429];

fn call(id: &str, path: &str) -> Call {
    Call { id: id.to_owned(), name: "look".to_owned(), args: json!({"path": path}) }
}

fn calling(answer: Answer, calls: &[Call]) -> Answer {
    calls.iter().fold(answer, |answer, call| answer.and_tool(&call.id, &call.name, &call.args))
}

fn result(id: &str, text: &str) -> Item {
    Item::Result { id: id.to_owned(), text: text.to_owned(), images: Vec::new() }
}

fn user(words: &str) -> Item {
    Item::User(words.to_owned())
}

fn said() -> Step {
    Step::text(SAID)
}

impl Cell {
    /// What the upstream answers, request by request.
    pub fn script(&self) -> Vec<Step> {
        let words = self.words("");
        let steps = match self.case {
            Case::Text | Case::System | Case::Image | Case::Document | Case::ResultImage => vec![said()],
            Case::ToolCall => vec![Step::answer(calling(Answer::text("I look."), &[call("call_1", "a b")])), said()],
            Case::ParallelCalls => {
                vec![Step::answer(calling(Answer::default(), &[call("call_1", "a"), call("call_2", "b")])), said()]
            }
            Case::Thinking => vec![
                Step::answer(calling(Answer::thinking(THOUGHTS[0]), &[call("call_1", "a")])),
                Step::answer(calling(Answer::thinking(THOUGHTS[1]), &[call("call_2", "b")])),
                said(),
            ],
            Case::Structured => vec![Step::text("{\"city\": \"Rome\"}")],
            Case::Usage => {
                let usage = Usage::Exact(self.upstream.plays().usage());
                vec![Step::answer(Answer::thinking("hm").and_text(SAID).usage(usage))]
            }
            Case::Stops => return self.stops().map(|stop| self.stop_step(stop)).collect(),
            Case::Error => return STATUSES.map(|status| self.error_step(status)).into(),
            Case::Cut => vec![self.cut_step()],
        };
        steps.into_iter().map(|step| to(&words, step)).collect()
    }

    pub async fn play(&self, stage: &Stage) {
        match self.case {
            Case::Text => self.one(stage, Ask::Text, |words| Got { items: vec![user(words)], ..Got::default() }).await,
            Case::System => {
                let got = |words: &str| Got { system: SYSTEM.to_owned(), items: vec![user(words)], ..Got::default() };
                self.one(stage, Ask::System, got).await;
            }
            Case::Image => {
                let items = |words: &str| vec![user(words), Item::Image(PNG.to_owned())];
                self.one(stage, Ask::Image, |words| Got { items: items(words), ..Got::default() }).await;
            }
            Case::Document => {
                let items = |words: &str| vec![user(words), Item::Document(PDF.to_owned())];
                self.one(stage, Ask::Document, |words| Got { items: items(words), ..Got::default() }).await;
            }
            Case::ResultImage => {
                let got = |words: &str| with_look(Got { items: self.result_with_image(words), ..Got::default() });
                self.one(stage, Ask::ResultImage, got).await;
            }
            Case::ToolCall => self.tool_call(stage).await,
            Case::ParallelCalls => self.parallel_calls(stage).await,
            Case::Thinking => self.thinking(stage).await,
            Case::Structured => self.structured(stage).await,
            Case::Stops => self.check_stops(stage).await,
            Case::Usage => self.usage(stage).await,
            Case::Error => self.errors(stage).await,
            Case::Cut => self.cut(stage).await,
        }
        self.check_losses();
    }

    /// The last request was this, and the answer is what the model says at the end.
    fn ended(&self, stage: &Stage, seen: &Seen, got: Got) {
        assert_eq!((seen.text.as_str(), seen.calls.len()), (SAID, 0), "{}", self.name());
        assert_eq!(seen.stop, self.stop_word(Stop::End), "{}", self.name());
        self.reached(stage, got);
    }

    fn reached(&self, stage: &Stage, got: Got) {
        let expected = Got { max_tokens: Some(2000), ..got };
        assert_eq!(self.got(stage, &self.words("")), expected, "{}: what reached the upstream", self.name());
    }

    async fn one(&self, stage: &Stage, ask: Ask, got: impl Fn(&str) -> Got) {
        let words = self.words("");
        let seen = self.turn(stage, &self.body(ask, &words)).await;
        self.ended(stage, &seen, got(&words));
    }

    fn result_with_image(&self, words: &str) -> Vec<Item> {
        let calls = [user(words), Item::Call(call("call_1", "a.png"))];
        let image = PNG.to_owned();
        let result = if !self.loses(Lost::ResultPlace) {
            vec![Item::Result { id: "call_1".to_owned(), text: CAPTION.to_owned(), images: vec![image] }]
        } else if self.client == Client::Chat {
            vec![result("call_1", CAPTION), Item::Image(image)]
        } else {
            // The words of `docs/translation.md`: behind the results, with the call's id.
            let caption = format!("{CAPTION}\n\n[image: see the next user message]");
            vec![result("call_1", &caption), user("[image from tool result call_1]"), Item::Image(image)]
        };
        calls.into_iter().chain(result).collect()
    }

    async fn tool_call(&self, stage: &Stage) {
        let (words, called) = (self.words(""), call("call_1", "a b"));
        let mut body = self.body(Ask::Tools, &words);
        let first = self.turn(stage, &body).await;
        assert_eq!((first.text.as_str(), &first.calls), ("I look.", &vec![called.clone()]), "{}", self.name());
        assert_eq!(first.stop, self.called_word(), "{}", self.name());
        self.client.speaks().go_on(&mut body, &first, &["It is \"empty\"."]);
        let second = self.turn(stage, &body).await;
        let mut items = vec![user(&words), Item::Said("I look.".to_owned())];
        items.extend(self.upstream.plays().unasked(&called));
        items.extend([Item::Call(called), result("call_1", "It is \"empty\".")]);
        self.ended(stage, &second, with_look(Got { items, ..Got::default() }));
    }

    async fn parallel_calls(&self, stage: &Stage) {
        let (words, called) = (self.words(""), [call("call_1", "a"), call("call_2", "b")]);
        let mut body = self.body(Ask::Tools, &words);
        let first = self.turn(stage, &body).await;
        assert_eq!(first.calls, called, "{}", self.name());
        assert_eq!(first.stop, self.called_word(), "{}", self.name());
        self.client.speaks().go_on(&mut body, &first, &["one", "two"]);
        let second = self.turn(stage, &body).await;
        let mut items = vec![user(&words)];
        items.extend(self.upstream.plays().unasked(&called[0]));
        items.extend(called.map(Item::Call));
        items.extend([result("call_1", "one"), result("call_2", "two")]);
        self.ended(stage, &second, with_look(Got { items, ..Got::default() }));
    }

    async fn thinking(&self, stage: &Stage) {
        let words = self.words("");
        let mut body = self.body(Ask::Think, &words);
        let mut items = vec![user(&words)];
        for (thought, called) in THOUGHTS.into_iter().zip([call("call_1", "a"), call("call_2", "b")]) {
            let seen = self.turn(stage, &body).await;
            assert_eq!(seen.thoughts, thought, "{}", self.name());
            assert_eq!(seen.calls, std::slice::from_ref(&called), "{}", self.name());
            self.client.speaks().go_on(&mut body, &seen, &["seen"]);
            items.extend(self.thought(thought, &called));
            items.extend([Item::Call(called.clone()), result(&called.id, "seen")]);
        }
        let seen = self.turn(stage, &body).await;
        self.ended(stage, &seen, with_look(Got { items, effort: "low".to_owned(), ..Got::default() }));
    }

    /// What comes back of a thought that led to a call.
    fn thought(&self, text: &str, call: &Call) -> Vec<Item> {
        let whole = self.upstream.plays().thought(text, call);
        let words = !self.loses(Lost::ThoughtWords);
        let signature = |item: &Item| matches!(item, Item::Thought { text, .. } if text.is_empty());
        whole.into_iter().filter(|item| words || signature(item)).collect()
    }

    async fn structured(&self, stage: &Stage) {
        let words = self.words("");
        let seen = self.turn(stage, &self.body(Ask::Structured, &words)).await;
        assert_eq!(seen.text, "{\"city\": \"Rome\"}", "{}", self.name());
        self.reached(stage, Got { items: vec![user(&words)], shape: Some(shape()), ..Got::default() });
    }

    async fn usage(&self, stage: &Stage) {
        let words = self.words("");
        let seen = self.turn(stage, &self.body(Ask::Text, &words)).await;
        assert_eq!(seen.usage, self.counts(), "{}", self.name());
    }

    /// By hand from what every upstream's [`usage`](crate::upstream::Plays::usage) means: 100 fresh, 1000 read, 200 written
    /// (which Google does not tell and does not count), 30 of text and 20 of thoughts.
    fn counts(&self) -> Value {
        let written = (self.upstream.own_client() != Some(Client::Gemini)).then_some(200);
        let (prompt, total) = if written.is_some() { (1300, 1350) } else { (1100, 1150) };
        let mut counts = match self.client {
            Client::Messages => json!({"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 1000,
                "cache_creation_input_tokens": written.unwrap_or(0), "thinking_tokens": 20}),
            Client::Chat => json!({"prompt_tokens": prompt, "completion_tokens": 50, "total_tokens": total,
                "cached_tokens": 1000, "cache_write_tokens": written, "reasoning_tokens": 20}),
            Client::Responses => json!({"input_tokens": prompt, "output_tokens": 50, "total_tokens": total,
                "cached_tokens": 1000, "cache_write_tokens": written, "reasoning_tokens": 20}),
            Client::Gemini => json!({"promptTokenCount": prompt, "cachedContentTokenCount": 1000,
                "candidatesTokenCount": 30, "thoughtsTokenCount": 20, "totalTokenCount": total}),
        };
        if self.client == Client::Gemini && written.is_some() && !self.loses(Lost::CacheWrites) {
            counts["written"] = json!(written);
        }
        // Without a count thoughts are as the rest of the output; OpenAI's formats need one.
        if self.loses(Lost::ThoughtCount) {
            match self.client {
                Client::Messages => counts["thinking_tokens"] = Value::Null,
                Client::Chat | Client::Responses => counts["reasoning_tokens"] = json!(0),
                Client::Gemini => {
                    counts["candidatesTokenCount"] = json!(50);
                    counts["thoughtsTokenCount"] = Value::Null;
                }
            }
        }
        counts
    }

    fn stops(&self) -> impl Iterator<Item = Stop> {
        STOPS.into_iter().filter(|stop| self.upstream.plays().stop(*stop).is_some())
    }

    fn stop_step(&self, stop: Stop) -> Step {
        let word = self.upstream.plays().stop(stop).expect("a word").to_owned();
        to(&self.words(&format!("{stop:?}")), Step::answer(Answer::text(SAID).finish(Finish::Given(word))))
    }

    async fn check_stops(&self, stage: &Stage) {
        for stop in self.stops() {
            let words = self.words(&format!("{stop:?}"));
            let mut body = self.body(Ask::Text, &words);
            if self.client == Client::Messages {
                body["stop_sequences"] = json!(["END"]);
            }
            let seen = self.turn(stage, &body).await;
            let word = match stop {
                Stop::Sequence if self.loses(Lost::StopSequence) => self.stop_word(Stop::End),
                Stop::Sequence if self.loses(Lost::WhichSequence) => "stop_sequence",
                stop => self.stop_word(stop),
            };
            let note =
                if stop == Stop::Refusal && !self.same_dialect() { self.upstream.plays().refusal_note() } else { "" };
            let told = (seen.text.as_str(), seen.refusal.as_str(), seen.stop.as_str());
            let joined = format!("{SAID}{note}");
            let expected = match (note, self.client) {
                // To a Responses client an answer with a refusal in it is complete.
                (note, Client::Responses) if !note.is_empty() => (SAID, note, "completed"),
                (note, Client::Chat) => (SAID, note, word),
                _ => (joined.as_str(), "", word),
            };
            assert_eq!(told, expected, "{} {stop:?}", self.name());
        }
    }

    /// The client's word for it.
    fn stop_word(&self, stop: Stop) -> &'static str {
        match (self.client, stop) {
            (Client::Messages, Stop::End) => "end_turn",
            (Client::Messages, Stop::Length) => "max_tokens",
            (Client::Messages, Stop::Refusal) => "refusal",
            (_, Stop::Sequence) => "stop_sequence: END",
            (Client::Chat, Stop::End) => "stop",
            (Client::Chat, Stop::Length) => "length",
            (Client::Chat, Stop::Refusal) => "content_filter",
            (Client::Responses, Stop::End) => "completed",
            (Client::Responses, Stop::Length) => "incomplete: max_output_tokens",
            (Client::Responses, Stop::Refusal) => "incomplete: content_filter",
            (Client::Gemini, Stop::End) => "STOP",
            (Client::Gemini, Stop::Length) => "MAX_TOKENS",
            (Client::Gemini, Stop::Refusal) => "SAFETY",
        }
    }

    /// The client's word for an answer that calls a tool.
    fn called_word(&self) -> &'static str {
        match self.client {
            Client::Messages => "tool_use",
            Client::Chat => "tool_calls",
            Client::Responses => "completed",
            Client::Gemini => "STOP",
        }
    }

    fn error_step(&self, status: u16) -> Step {
        to(&self.words(&status.to_string()), self.upstream.plays().error(status))
    }

    async fn errors(&self, stage: &Stage) {
        for status in STATUSES {
            let answer = self.send(stage, &self.body(Ask::Text, &self.words(&status.to_string()))).await;
            let (expected, kind) = self.error_kind(status);
            assert_eq!(answer.status, expected, "{} {status}: {}", self.name(), answer.text());
            let failed = self.client.speaks().failed(&answer.json());
            assert_eq!(failed.kind, kind, "{} {status}: {}", self.name(), answer.text());
            let whole = failed.words == WORDS;
            // AWS's form of errors is no client's own.
            let goes_on = self.same_dialect() && self.upstream != Upstream::Invoke;
            assert!(whole || !goes_on && failed.words.contains(WORDS), "{}: {failed:?}", self.name());
        }
    }

    /// The status and the type of an error in the client's dialect.
    fn error_kind(&self, status: u16) -> (u16, &'static str) {
        match (self.client, status) {
            (Client::Messages, 400) => (400, "invalid_request_error"),
            (Client::Messages, 429) => (429, "rate_limit_error"),
            (Client::Messages, _) => (529, "overloaded_error"),
            (Client::Chat | Client::Responses, 400) => (400, "invalid_request_error"),
            (Client::Chat | Client::Responses, 429) => (429, "rate_limit_error"),
            (Client::Chat | Client::Responses, _) => (503, "server_error"),
            (Client::Gemini, 400) => (400, "INVALID_ARGUMENT"),
            (Client::Gemini, 429) => (429, "RESOURCE_EXHAUSTED"),
            (Client::Gemini, _) => (503, "UNAVAILABLE"),
        }
    }

    /// A stream ends after its second piece of text, a body in the middle.
    fn cut_step(&self) -> Step {
        let frames = if self.form == Form::Stream { self.upstream.plays().opening() + 1 } else { 1 };
        // The pause lets the frames before the cut arrive ahead of it.
        let faults =
            Faults { cut_after: Some((frames, Ending::Close)), pace: Duration::from_millis(2), ..Faults::default() };
        Step::answer(Answer { piece_chars: 10, ..Answer::text(SAID) }).faults(faults)
    }

    async fn cut(&self, stage: &Stage) {
        let answer = self.send(stage, &self.body(Ask::Text, &self.words(""))).await;
        let speaks = self.client.speaks();
        let failed = match self.form {
            Form::Piece => {
                assert_eq!(answer.status, 502, "{}: {}", self.name(), answer.text());
                speaks.failed(&answer.json())
            }
            Form::Stream => {
                assert_eq!(answer.status, 200, "{}: {}", self.name(), answer.text());
                assert!(answer.text().contains("One short "), "{}: {}", self.name(), answer.text());
                speaks.broken(&answer, &self.model(), !self.same_dialect())
            }
        };
        let kind = match self.client {
            Client::Messages => "api_error",
            Client::Chat | Client::Responses => "server_error",
            Client::Gemini => "INTERNAL",
        };
        assert_eq!(failed.kind, kind, "{}", self.name());
        assert!(failed.words.contains("before the answer was complete"), "{}: {failed:?}", self.name());
    }
}
