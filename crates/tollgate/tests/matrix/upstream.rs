//! The upstreams of the matrix: what is configured for each, what its simulated provider says, and how a request that reached it
//! is read. The readers share no code with the gateway's codecs.
//!
//! A further upstream is a variant, its lines in the three matches below, a file, and its lines in the lists of tests, which ask for them.

mod behind;
mod chat;
mod converse;
mod gemini;
mod invoke;
mod messages;
mod responses;

use serde_json::{Value, json};
use tollgate_sim::{Recorded, SimConfig, Step};

use crate::client::{CLIENTS, Call, Client};
use crate::loss::{CASES, Case};

/// One thing that was said, in the order of the conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    User(String),
    /// Base64.
    Image(String),
    /// Base64 of a PDF.
    Document(String),
    Said(String),
    /// `state`: what the provider signed or encrypted.
    Thought {
        text: String,
        state: String,
    },
    Call(Call),
    Result {
        id: String,
        text: String,
        /// Base64.
        images: Vec<String>,
    },
}

/// What reached an upstream, in its own form there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Got {
    pub system: String,
    pub items: Vec<Item>,
    /// Names and schemas.
    pub tools: Vec<(String, Value)>,
    /// The name of the tool that must be called, `auto`, or nothing.
    pub choice: String,
    /// The schema of the answer.
    pub shape: Option<Value>,
    pub max_tokens: Option<u64>,
    /// How much shall be thought, in the dialect's word.
    pub effort: String,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    End,
    Length,
    Refusal,
    /// At one of the client's stop sequences.
    Sequence,
}

pub const STOPS: [Stop; 4] = [Stop::End, Stop::Length, Stop::Refusal, Stop::Sequence];

/// The words of every error.
pub const WORDS: &str = "the very words of the upstream";

/// One upstream of the matrix.
pub trait Plays: Sync {
    /// `litellm_params` but the key.
    fn params(&self, base: &str) -> Value;
    /// What it takes to sign in is among them.
    fn signs_in(&self) -> bool {
        false
    }
    /// Its provider, strict.
    fn sim(&self) -> SimConfig;
    /// The provider's name of the model.
    fn model(&self) -> &'static str;
    fn read(&self, request: &Recorded) -> Got;
    /// What stands before a call when a thought that led to it comes back whole.
    fn thought(&self, text: &str, call: &Call) -> Vec<Item>;
    /// What stands before the first call of an answer without thoughts.
    fn unasked(&self, _call: &Call) -> Option<Item> {
        None
    }
    /// 100 tokens fresh, 1000 read from a cache, 200 written to one where the provider tells that; 50 of output, 20 of them thoughts.
    fn usage(&self) -> Value;
    /// The provider's word, where it has one.
    fn stop(&self, stop: Stop) -> Option<&'static str>;
    /// What clients of other dialects are told beside the text when the answer was refused.
    fn refusal_note(&self) -> &'static str {
        ""
    }
    /// An error that a client is told with the status 400, 429 or 503.
    fn error(&self, status: u16) -> Step;
    /// So many frames of a stream go before the second piece of text.
    fn opening(&self) -> usize;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    Chat,
    Responses,
    Messages,
    Gemini,
    /// Claude by Amazon Bedrock's Converse.
    Converse,
    /// Claude on Amazon Bedrock in its own form.
    Invoke,
    /// Claude that thinks on a budget.
    Budget,
    VertexGemini,
    VertexClaude,
    Azure,
    /// Claude in Azure's Foundry.
    Foundry,
    /// Converse with requests that are signed with an account's keys.
    Signed,
}

pub const UPSTREAMS: [Upstream; 6] =
    [Upstream::Chat, Upstream::Responses, Upstream::Messages, Upstream::Gemini, Upstream::Converse, Upstream::Invoke];

/// Dialects from above at other places, which play some of the cases.
pub const FURTHER: [Upstream; 6] = [
    Upstream::Budget,
    Upstream::VertexGemini,
    Upstream::VertexClaude,
    Upstream::Azure,
    Upstream::Foundry,
    Upstream::Signed,
];

pub fn pairs() -> impl Iterator<Item = (Client, Upstream)> {
    CLIENTS.into_iter().flat_map(|client| UPSTREAMS.map(|upstream| (client, upstream)))
}

impl Upstream {
    pub fn name(self) -> &'static str {
        match self {
            Upstream::Chat => "chat",
            Upstream::Responses => "Responses",
            Upstream::Messages => "Messages",
            Upstream::Gemini => "Gemini",
            Upstream::Converse => "Converse",
            Upstream::Invoke => "InvokeModel",
            Upstream::Budget => "Claude on a budget",
            Upstream::VertexGemini => "Vertex: Gemini",
            Upstream::VertexClaude => "Vertex: Claude",
            Upstream::Azure => "Azure: chat",
            Upstream::Foundry => "Foundry: Claude",
            Upstream::Signed => "Converse, signed",
        }
    }

    pub fn plays(self) -> &'static dyn Plays {
        match self {
            Upstream::Chat => &chat::Chat,
            Upstream::Responses => &responses::Responses,
            Upstream::Messages => &messages::Messages,
            Upstream::Gemini => &gemini::Gemini,
            Upstream::Converse => &converse::Converse,
            Upstream::Invoke => &invoke::Invoke,
            Upstream::Budget => &behind::BUDGET,
            Upstream::VertexGemini => &behind::VERTEX_GEMINI,
            Upstream::VertexClaude => &behind::VERTEX_CLAUDE,
            Upstream::Azure => &behind::AZURE_OPENAI,
            Upstream::Foundry => &behind::FOUNDRY,
            Upstream::Signed => &behind::SIGNED,
        }
    }

    /// The client whose bytes go on as they are.
    pub fn own_client(self) -> Option<Client> {
        match self {
            Upstream::Chat | Upstream::Azure => Some(Client::Chat),
            Upstream::Responses => Some(Client::Responses),
            Upstream::Messages | Upstream::Invoke | Upstream::Budget | Upstream::VertexClaude | Upstream::Foundry => {
                Some(Client::Messages)
            }
            Upstream::Gemini | Upstream::VertexGemini => Some(Client::Gemini),
            Upstream::Converse | Upstream::Signed => None,
        }
    }

    /// The cases that are played here.
    pub fn cases(self) -> &'static [Case] {
        const FURTHER_CASES: &[Case] =
            &[Case::Text, Case::ToolCall, Case::ParallelCalls, Case::ResultImage, Case::Thinking, Case::Structured];
        match self {
            further if !FURTHER.contains(&further) => &CASES,
            // Its chat API tells no thoughts.
            Upstream::Azure => &[Case::Text, Case::ToolCall, Case::ParallelCalls, Case::ResultImage, Case::Structured],
            _ => FURTHER_CASES,
        }
    }

    /// Whether one of the cases is played for a client. What a chat client gives back of Claude's thoughts is played where Claude is at
    /// home.
    pub fn is_played(self, client: Client, case: Case) -> bool {
        let elsewhere = FURTHER.contains(&self) && self.is_claude();
        self.cases().contains(&case) && !(elsewhere && (client, case) == (Client::Chat, Case::Thinking))
    }

    /// Its thoughts are signed by Anthropic.
    pub fn is_claude(self) -> bool {
        self.own_client() == Some(Client::Messages) || matches!(self, Upstream::Converse | Upstream::Signed)
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn thought(text: &str, state: String) -> Item {
    Item::Thought { text: text.to_owned(), state }
}

/// A string, or parts of text joined by a blank line.
fn texts(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        parts => list(parts).iter().map(|part| string(&part["text"])).collect::<Vec<_>>().join("\n\n"),
    }
}

/// The data of a `data:` URL of this type.
fn data_url(url: &Value, media_type: &str) -> String {
    let url = string(url);
    let data = url.strip_prefix(&format!("data:{media_type};base64,"));
    data.unwrap_or_else(|| panic!("no data URL of {media_type}: {url}")).to_owned()
}

fn parsed(arguments: &Value) -> Value {
    serde_json::from_str(arguments.as_str().unwrap_or_default()).unwrap_or_else(|e| panic!("{e}: {arguments}"))
}

/// OpenAI's form of errors, of both of its APIs.
fn openai_error(status: u16) -> Step {
    let (kind, code) = match status {
        400 => ("invalid_request_error", Value::Null),
        429 => ("rate_limit_error", json!("rate_limit_exceeded")),
        _ => ("server_error", json!("server_is_overloaded")),
    };
    Step::json(status, &json!({"error": {"message": WORDS, "type": kind, "param": null, "code": code}}))
}

/// AWS's form of errors: the name stands in a header.
fn aws_error(status: u16) -> Step {
    let name = match status {
        400 => "ValidationException",
        429 => "ThrottlingException",
        _ => "ServiceUnavailableException",
    };
    let name = format!("{name}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    Step::json(status, &json!({"message": WORDS})).header("x-amzn-errortype", &name)
}
