//! A provider of each dialect behind the gateway, as strict as its vendor is.

use serde_json::{Value, json};
use tollgate_sim::{
    Answer, Aws, ChatStrictness, Grants, MessagesStrictness, Part, Provider, SimConfig, call_signature, encrypted,
    signature,
};

/// The key of those that have one; the gateway must never show it.
const KEY: &str = "sk-provider";

/// A call of a tool by the model.
pub struct Call {
    pub tool: &'static str,
    pub input: Value,
    /// It has one text in place of an object, where the dialect knows that.
    free_text: bool,
}

impl Call {
    pub fn new(tool: &'static str, input: Value) -> Call {
        Call { tool, input, free_text: false }
    }

    pub fn free_text(tool: &'static str, text: &str) -> Call {
        Call { tool, input: json!({"input": text}), free_text: true }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    Chat,
    Responses,
    Messages,
    Gemini,
    Converse,
    /// Claude on Bedrock in its own form, behind AWS's signatures.
    Invoke,
}

pub const UPSTREAMS: [Upstream; 6] =
    [Upstream::Chat, Upstream::Responses, Upstream::Messages, Upstream::Gemini, Upstream::Converse, Upstream::Invoke];

impl Upstream {
    /// An entry of `model_list` for a model that takes images.
    pub fn entry(self, name: &str, base: &str) -> Value {
        json!({"model_name": name, "litellm_params": self.params(base), "model_info": {"supports_vision": true}})
    }

    fn params(self, base: &str) -> Value {
        let key = KEY;
        let (id, secret) = Aws::new(Grants::Nobody).user();
        match self {
            Upstream::Chat => json!({"model": "openai/kimi-k2.5", "api_base": format!("{base}/v1"), "api_key": key}),
            Upstream::Responses => json!({"model": "openai/gpt-5.5", "api_base": format!("{base}/v1"), "api_key": key,
                "api_mode": "responses", "reasoning": "effort"}),
            Upstream::Messages => json!({"model": "anthropic/claude-sonnet-5", "api_base": base, "api_key": key}),
            Upstream::Gemini => {
                json!({"model": "gemini/gemini-3-pro-preview", "api_base": format!("{base}/v1beta"), "api_key": key})
            }
            Upstream::Converse => json!({"model": "bedrock/converse/us.anthropic.claude-sonnet-4-6", "api_base": base,
                "api_key": key, "aws_region_name": "us-east-1"}),
            Upstream::Invoke => {
                json!({"model": "bedrock/us.anthropic.claude-sonnet-4-6", "aws_region_name": "eu-west-1",
                "aws_bedrock_runtime_endpoint": base, "aws_access_key_id": id, "aws_secret_access_key": secret})
            }
        }
    }

    pub fn sim(self) -> SimConfig {
        let sim = SimConfig { providers: vec![self.provider()], ..SimConfig::default() };
        match self {
            Upstream::Invoke => sim.aws(&Aws::new(Grants::Nobody)),
            Upstream::Chat => sim.key(KEY).chat(ChatStrictness::default().accepting(&["reasoning_content"])),
            Upstream::Messages => sim.key(KEY).messages(MessagesStrictness {
                thinking_types: ["adaptive", "disabled"].map(str::to_owned).into(),
                refuses_prefill: true,
                refuses_sampling: true,
                ..MessagesStrictness::default()
            }),
            _ => sim.key(KEY),
        }
    }

    fn provider(self) -> Provider {
        match self {
            Upstream::Chat => Provider::Chat,
            Upstream::Responses => Provider::Responses,
            Upstream::Messages => Provider::Messages,
            Upstream::Gemini => Provider::Gemini,
            Upstream::Converse => Provider::Converse,
            Upstream::Invoke => Provider::Invoke,
        }
    }

    /// The model calls a tool. Only OpenAI's Responses API knows calls with a free text.
    pub fn call(self, answer: Answer, id: &str, call: &Call) -> Answer {
        match (self, call.free_text) {
            (Upstream::Responses, true) => answer
                .and(Part::Block(json!({"type": "custom_tool_call", "status": "completed",
                "id": format!("ctc_{id}"), "call_id": id, "name": call.tool, "input": call.input["input"]}))),
            _ => answer.and_tool(id, call.tool, &call.input),
        }
    }

    pub fn offers_tools(self, body: &Value) -> bool {
        let tools = if self == Upstream::Converse { &body["toolConfig"]["tools"] } else { &body["tools"] };
        tools.as_array().is_some_and(|tools| !tools.is_empty())
    }

    /// What the provider wants back of a thought: its words, or what it signed or encrypted.
    pub fn state(self, thought: &str, call: &Call) -> String {
        match self {
            Upstream::Chat => thought.to_owned(),
            Upstream::Responses => encrypted(thought),
            Upstream::Messages | Upstream::Converse | Upstream::Invoke => signature(thought),
            Upstream::Gemini => call_signature(call.tool, &call.input),
        }
    }
}
