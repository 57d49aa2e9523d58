//! The clients of the matrix: what they send, written by hand in their own dialect, and how they read answers.

pub mod chat;
mod gemini;
mod messages;
mod responses;

use serde_json::{Value, json};

use crate::support::gateway::Gateway;
use crate::support::http::{Answer, post};
use crate::support::stage::MASTER_KEY;

/// A file of each kind. Nothing looks inside but at the first bytes.
pub const PNG: &str = "iVBORw0KGgoAAAAN";
pub const PDF: &str = "JVBERi0xLjcKJcfs";

/// What every client's system prompt says.
pub const SYSTEM: &str = "Answer in one sentence.";

/// What a tool's result says beside its picture.
pub const CAPTION: &str = "A picture:";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Stream,
    Piece,
}

pub const FORMS: [Form; 2] = [Form::Stream, Form::Piece];

/// What a client asks in the first turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Words alone.
    Text,
    /// With a system prompt.
    System,
    Image,
    Document,
    /// With the tool `look`.
    Tools,
    /// The history has a call of `look` whose result is a text and a picture.
    ResultImage,
    /// With the tool `look`, thinking a little.
    Think,
    /// The answer shall have the form of [`shape`].
    Structured,
    /// With the tool `look`, which must be called, thinking a little.
    Forced,
}

/// The schema of the tool `look`.
pub fn look() -> Value {
    json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"], "additionalProperties": false})
}

/// The schema of the structured answer.
pub fn shape() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false})
}

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub id: String,
    pub name: String,
    pub args: Value,
}

/// What a client makes of a whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub text: String,
    /// What is told apart from the text as a refusal.
    pub refusal: String,
    pub thoughts: String,
    pub calls: Vec<Call>,
    /// In the dialect's own word, with the stop sequence where it is told.
    pub stop: String,
    /// The dialect's own counts.
    pub usage: Value,
    /// What goes into the history, piece by piece.
    pub history: Vec<Value>,
}

/// An error as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    pub kind: String,
    pub words: String,
}

/// One client of the matrix.
pub trait Speaks: Sync {
    fn path(&self, route: &str, form: Form) -> String;
    fn body(&self, ask: Ask, words: &str) -> Value;
    /// The model and the form, where the dialect has them in the body.
    fn address(&self, body: &mut Value, route: &str, form: Form);
    /// The next turn: the answer as it came, and what its calls gave.
    fn go_on(&self, body: &mut Value, seen: &Seen, outputs: &[&str]);
    /// Pieces of the history without thoughts, as clients keep them that do not know any.
    fn without_thoughts(&self, history: &[Value]) -> Vec<Value>;
    /// An answer of the model `model`, strictly. `ours`: our encoder wrote it.
    fn read(&self, answer: &Answer, form: Form, model: &str, ours: bool) -> Seen;
    /// An HTTP error.
    fn failed(&self, body: &Value) -> Failed;
    /// A stream that broke off: its last event, and nothing in it that looks complete.
    fn broken(&self, answer: &Answer, model: &str, ours: bool) -> Failed;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Messages,
    Chat,
    Responses,
    Gemini,
}

pub const CLIENTS: [Client; 4] = [Client::Messages, Client::Chat, Client::Responses, Client::Gemini];

impl Client {
    pub fn name(self) -> &'static str {
        match self {
            Client::Messages => "Messages",
            Client::Chat => "chat",
            Client::Responses => "Responses",
            Client::Gemini => "Gemini",
        }
    }

    pub fn speaks(self) -> &'static dyn Speaks {
        match self {
            Client::Messages => &messages::Messages,
            Client::Chat => &chat::Chat,
            Client::Responses => &responses::Responses,
            Client::Gemini => &gemini::Gemini,
        }
    }

    /// Sends a body to a route.
    pub async fn send(self, gateway: &Gateway, route: &str, form: Form, body: &Value) -> Answer {
        let mut body = body.clone();
        self.speaks().address(&mut body, route, form);
        let header = if self == Client::Gemini { "x-goog-api-key" } else { "x-api-key" };
        post(&gateway.url(&self.speaks().path(route, form)), &[(header, MASTER_KEY)], &body).await
    }
}

/// The data of every frame but chat's end mark.
fn frames(answer: &Answer) -> Vec<Value> {
    let text = answer.text();
    let data =
        text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {data}"))).collect()
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn push(list: &mut Value, more: impl IntoIterator<Item = Value>) {
    list.as_array_mut().expect("a list").extend(more);
}
