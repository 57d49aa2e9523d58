//! The messages of a Messages request: roles, contents, and calls with their results.

use serde_json::Value;

use super::validate::known_keys;
use super::{Strictness, blocks, bound, invalid};
use crate::refusal::Check;

pub(super) fn check(body: &Value, s: &Strictness) -> Check {
    let messages = match &body["messages"] {
        Value::Array(messages) if messages.is_empty() => {
            return Err(invalid("messages: at least one message is required"));
        }
        Value::Array(messages) => messages,
        _ => return Err(invalid("messages: Input should be a valid list")),
    };
    for (i, message) in messages.iter().enumerate() {
        check_message(message, i, i + 1 == messages.len(), s)?;
    }
    if messages[0]["role"] == "assistant" {
        return Err(invalid("messages: first message must use the \"user\" role"));
    }
    let turns = turns(messages);
    check_results(&turns)?;
    check_loop(body, &turns)?;
    bound::check(body, s)?;
    check_end(messages, s)
}

fn check_message(message: &Value, index: usize, last: bool, s: &Strictness) -> Check {
    let path = format!("messages.{index}");
    let Some(object) = message.as_object() else { return Err(invalid(format!("{path}: Input should be an object"))) };
    let role = message["role"].as_str().unwrap_or_default();
    match role {
        "user" | "assistant" => known_keys(object, &["role", "content"], &path)?,
        "system" if !s.refuses_system_messages => {
            known_keys(object, &["role", "content", "clear_at", "output_config"], &path)?;
        }
        _ => return Err(invalid(format!("{path}.role: Input should be 'user' or 'assistant'"))),
    }
    let empty = || {
        if last && role == "assistant" {
            return Ok(());
        }
        Err(invalid(format!(
            "{path}: all messages must have non-empty content except for the optional final assistant message"
        )))
    };
    match &message["content"] {
        Value::String(text) if text.is_empty() => empty(),
        Value::String(_) => Ok(()),
        Value::Array(blocks) if blocks.is_empty() => empty(),
        Value::Array(blocks) => blocks
            .iter()
            .enumerate()
            .try_for_each(|(i, block)| blocks::check_block(block, role, &format!("{path}.content.{i}"), s)),
        Value::Null => Err(invalid(format!("{path}.content: Field required"))),
        _ => Err(invalid(format!("{path}.content: Input should be a valid list"))),
    }
}

/// One turn: neighbours of one role are one message for the server. System messages stand outside.
struct Turn<'a> {
    first: usize,
    assistant: bool,
    blocks: Vec<&'a Value>,
}

fn turns(messages: &[Value]) -> Vec<Turn<'_>> {
    let mut turns: Vec<Turn<'_>> = Vec::new();
    for (i, message) in messages.iter().enumerate().filter(|(_, message)| message["role"] != "system") {
        let assistant = message["role"] == "assistant";
        // A plain string is one block that is neither call nor result.
        let content = &message["content"];
        let blocks: Vec<&Value> = content.as_array().map_or_else(|| vec![content], |all| all.iter().collect());
        match turns.last_mut() {
            Some(turn) if turn.assistant == assistant => turn.blocks.extend(blocks),
            _ => turns.push(Turn { first: i, assistant, blocks }),
        }
    }
    turns
}

fn check_results(turns: &[Turn<'_>]) -> Check {
    let mut open: Vec<&str> = Vec::new();
    let mut at = 0;
    for turn in turns {
        if turn.assistant {
            at = turn.first;
            open.clear();
            for id in ids(&turn.blocks, "tool_use", "id") {
                if open.contains(&id) {
                    return Err(invalid(format!("messages.{at}: `tool_use` ids must be unique")));
                }
                open.push(id);
            }
            continue;
        }
        let leading: Vec<&Value> =
            turn.blocks.iter().copied().take_while(|block| block["type"] == "tool_result").collect();
        let answered = ids(&leading, "tool_result", "tool_use_id");
        let unanswered: Vec<&str> = open.iter().copied().filter(|id| !answered.contains(id)).collect();
        if !unanswered.is_empty() {
            return Err(without_results(at, &unanswered));
        }
        for (i, id) in ids(&turn.blocks, "tool_result", "tool_use_id").into_iter().enumerate() {
            let Some(found) = open.iter().position(|call| *call == id) else {
                return Err(invalid(format!(
                    "messages.{}.content.{i}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
                    turn.first
                )));
            };
            open.remove(found);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(without_results(at, &open)) }
}

/// A tool loop that is thought about on a budget began with thoughts (Anthropic, extended thinking).
fn check_loop(body: &Value, turns: &[Turn<'_>]) -> Check {
    let in_loop = turns.last().is_some_and(|t| !t.assistant && t.blocks.iter().any(|b| b["type"] == "tool_result"));
    let Some(latest) = turns.iter().rev().find(|turn| turn.assistant).filter(|_| in_loop) else { return Ok(()) };
    let first = latest.blocks.first().and_then(|block| block["type"].as_str()).unwrap_or("text");
    if body["thinking"]["type"] != "enabled" || matches!(first, "thinking" | "redacted_thinking") {
        return Ok(());
    }
    Err(invalid(format!(
        "messages.{}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks).",
        latest.first
    )))
}

fn ids<'a>(blocks: &[&'a Value], kind: &str, key: &str) -> Vec<&'a str> {
    blocks.iter().filter(|block| block["type"] == kind).filter_map(|block| block[key].as_str()).collect()
}

fn without_results(at: usize, ids: &[&str]) -> crate::refusal::Refusal {
    invalid(format!(
        "messages.{at}: `tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
        ids.join(", ")
    ))
}

fn check_end(messages: &[Value], s: &Strictness) -> Check {
    let Some(last) = messages.last().filter(|last| last["role"] == "assistant") else { return Ok(()) };
    if s.refuses_prefill {
        let message =
            "This model does not support assistant message prefill. The conversation must end with a user message.";
        return Err(invalid(message));
    }
    let text = last["content"].as_str().or_else(|| last["content"].as_array()?.last()?["text"].as_str());
    if text.is_some_and(|text| text.ends_with(char::is_whitespace)) {
        return Err(invalid("messages: final assistant content cannot end with trailing whitespace"));
    }
    Ok(())
}
