//! Messages: roles in turn, all calls answered in the next message, nothing blank.

use serde_json::Value;

use super::blocks::{self, Seen};
use super::validate::{list, object};
use super::{Strictness, invalid};
use crate::refusal::Check;

pub(super) fn check(body: &Value, s: &Strictness) -> Check {
    let messages = list(&body["messages"], "/messages")?;
    if messages.is_empty() {
        return Err(invalid(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        ));
    }
    let mut calls: Vec<&str> = Vec::new();
    let mut seen = Seen::default();
    let mut uses_tools = false;
    let mut before = "";
    for (i, message) in messages.iter().enumerate() {
        object(message, &["role", "content"], &format!("/messages/{i}"))?;
        let role = match message["role"].as_str() {
            Some(role @ ("user" | "assistant")) => role,
            _ => return Err(invalid(format!("The role at messages.{i} must be user or assistant"))),
        };
        if i == 0 && role != "user" {
            return Err(invalid(
                "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
            ));
        }
        if role == before {
            return Err(invalid(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
            ));
        }
        before = role;
        let content = list(&message["content"], &format!("/messages/{i}/content"))?;
        if content.is_empty() {
            return Err(invalid(format!(
                "The content field in the Message object at messages.{i} is empty. Add a ContentBlock object to the content field and try again."
            )));
        }
        blocks::check(content, i, role == "assistant", &mut seen, s)?;
        let of = |kind: &'static str, id: &'static str| -> Vec<&str> {
            content.iter().filter_map(|block| block.get(kind)?[id].as_str()).collect()
        };
        let results = of("toolResult", "toolUseId");
        answers(&calls, &results, i)?;
        if !results.is_empty() && !s.text_beside_results && results.len() < content.len() {
            return Err(invalid(
                "A conversation turn is invalid: conversation blocks and tool result blocks cannot be provided in the same turn.",
            ));
        }
        calls = of("toolUse", "toolUseId");
        uses_tools |= !results.is_empty() || !calls.is_empty();
    }
    if uses_tools && body["toolConfig"].is_null() {
        return Err(invalid("The toolConfig field must be defined when using toolUse and toolResult content blocks."));
    }
    let last = messages.last().filter(|message| message["role"] == "assistant");
    let end = last.and_then(|message| message["content"].as_array()?.last()?["text"].as_str());
    if end.is_some_and(|text| text.ends_with(char::is_whitespace)) {
        return Err(invalid(
            "The model returned the following errors: messages: final assistant content cannot end with trailing whitespace",
        ));
    }
    if last.is_some() && body["additionalModelRequestFields"]["thinking"]["type"] == "enabled" {
        return Err(invalid(
            "The model returned the following errors: This model does not support assistant message prefill. The conversation must end with a user message.",
        ));
    }
    Ok(())
}

/// The calls of one message are answered in the next one: all, each once, and nothing else.
fn answers(calls: &[&str], results: &[&str], at: usize) -> Check {
    let missing: Vec<&str> = calls.iter().filter(|id| !results.contains(id)).copied().collect();
    if !missing.is_empty() {
        return Err(invalid(format!(
            "Expected toolResult blocks at messages.{at}.content for the following Ids: {}",
            missing.join(", ")
        )));
    }
    if results.len() > calls.len() {
        return Err(invalid(format!(
            "The number of toolResult blocks at messages.{at}.content exceeds the number of toolUse blocks of previous turn."
        )));
    }
    Ok(())
}
