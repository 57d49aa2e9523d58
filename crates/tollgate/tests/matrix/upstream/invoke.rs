//! Claude on Amazon Bedrock in its own form, InvokeModel: Anthropic's bodies and events, AWS's paths, frames and errors.

use serde_json::{Value, json};
use tollgate_sim::{Provider, Recorded, SimConfig, Step};

use super::messages::Messages;
use super::{Got, Item, Plays, Stop, aws_error};
use crate::client::Call;

pub struct Invoke;

impl Plays for Invoke {
    fn params(&self, base: &str) -> Value {
        json!({"model": "bedrock/invoke/us.anthropic.claude-sonnet-4-6", "aws_region_name": "us-east-1",
            "api_base": base})
    }

    fn sim(&self) -> SimConfig {
        SimConfig { providers: vec![Provider::Invoke], ..SimConfig::default() }
    }

    fn model(&self) -> &'static str {
        "us.anthropic.claude-sonnet-4-6"
    }

    fn read(&self, request: &Recorded) -> Got {
        Messages.read(request)
    }

    fn thought(&self, text: &str, call: &Call) -> Vec<Item> {
        Messages.thought(text, call)
    }

    fn usage(&self) -> Value {
        Messages.usage()
    }

    fn stop(&self, stop: Stop) -> Option<&'static str> {
        Messages.stop(stop)
    }

    fn error(&self, status: u16) -> Step {
        aws_error(status)
    }

    /// `message_start`, the block, a piece of text: Bedrock sends no pings.
    fn opening(&self) -> usize {
        3
    }
}
