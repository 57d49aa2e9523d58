//! A scripted coding agent: it writes one file and says so.

use std::time::Duration;

use serde_json::json;

use crate::faults::Faults;
use crate::script::{Answer, Match, Step};

/// Two steps that hold for any number of conversations: a `Write` call, and, once its result is there, a last text.
/// Streams come with small pauses, as from a real model.
pub fn coding_agent(file_path: &str, content: &str) -> Vec<Step> {
    let pace = Faults { pace: Duration::from_millis(15), ..Faults::default() };
    let write = Answer::text(&format!("I will write {file_path}.")).and_tool(
        "call_write_1",
        "Write",
        &json!({"file_path": file_path, "content": content}),
    );
    let done = Answer::text(&format!("Done: {file_path} holds {} bytes.", content.len()));
    let result_is_there = |there| Match { has_tools: Some(true), has_tool_result: Some(there), ..Match::default() };
    vec![
        Step::answer(write).when(result_is_there(false)).always().faults(pace.clone()),
        Step::answer(done).when(result_is_there(true)).always().faults(pace),
    ]
}
