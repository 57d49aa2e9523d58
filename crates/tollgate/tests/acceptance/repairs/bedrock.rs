//! Rows for Bedrock's Converse, with models of which nothing is known and with Claude.

use http::HeaderMap;
use serde_json::{Value, json};
use tollgate_sim::signature;

use super::cases::{Case, claude_called, claude_tools, has, hi, list, messages};
use super::user;
use crate::stage::merged;

const PLAIN: &str = "bedrock/converse/acme.some-model-v1:0";
const CLAUDE: &str = "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OPEN: &str = "bedrock/converse/openai.gpt-oss-120b-1:0";

fn asked(model: &str, row: &'static str, body: Value, refuses: fn(&Value, &HeaderMap) -> bool) -> Case {
    messages(row, body, refuses).params(json!({"model": model}))
}

fn blocks(body: &Value) -> impl Iterator<Item = &Value> {
    list(body, "messages").iter().flat_map(|message| list(message, "content"))
}

pub fn cases() -> Vec<Case> {
    let picture = json!({"messages": [user(json!([{"type": "text", "text": "what is it"}, {"type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]))]});
    let marked = |ttl: Value| {
        let mark = merged(json!({"type": "ephemeral"}), ttl);
        json!({"messages": [user(json!([{"type": "text", "text": "hi", "cache_control": mark}]))]})
    };
    let mut beside = claude_called(&[], json!({}));
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"});
    beside["messages"][2] = user(json!([result, {"type": "text", "text": "go on"}]));
    let chosen = |choice: Value| hi(json!({"tools": claude_tools(json!({})), "tool_choice": choice}));
    let format = json!({"format": {"type": "json_schema",
        "schema": {"type": "object", "properties": {}, "additionalProperties": false}}});
    let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4000});
    let thought = json!({"type": "thinking", "thinking": "Hm.", "signature": signature("Hm.")});
    vec![
        asked(PLAIN, "text_beside_results", beside, |b, _| {
            let message_with_both = |message: &Value| {
                let of = |kind: &str| list(message, "content").iter().any(|block| !block[kind].is_null());
                of("toolResult") && of("text")
            };
            list(b, "messages").iter().any(message_with_both)
        }),
        asked(CLAUDE, "converse_named_tool", chosen(json!({"type": "tool", "name": "f"})), |b, _| {
            !b["toolConfig"]["toolChoice"]["tool"].is_null()
        }),
        asked(CLAUDE, "converse_tool_choice", chosen(json!({"type": "any"})), |b, _| {
            !b["toolConfig"]["toolChoice"]["any"].is_null()
        }),
        asked(PLAIN, "converse_stop", hi(json!({"stop_sequences": ["a"]})), |b, _| {
            !b["inferenceConfig"]["stopSequences"].is_null()
        }),
        asked(CLAUDE, "converse_format", hi(json!({"output_config": format})), |b, _| {
            !b["outputConfig"]["textFormat"].is_null()
        }),
        asked(PLAIN, "converse_images", picture, |b, _| blocks(b).any(|block| !block["image"].is_null())),
        asked(CLAUDE, "converse_cache", marked(json!({})), |b, _| has(b, "cachePoint")),
        asked(CLAUDE, "converse_cache_ttl", marked(json!({"ttl": "1h"})), |b, _| has(b, "\"ttl\"")),
        asked(PLAIN, "converse_tool_ids", claude_called(&[], json!({})), |b, _| {
            let long = |id: &Value| id.as_str().is_some_and(|id| id.len() != 9);
            blocks(b).any(|block| long(&block["toolUse"]["toolUseId"]) || long(&block["toolResult"]["toolUseId"]))
        }),
        asked(PLAIN, "converse_max_tokens", hi(json!({"max_tokens": 32000})), |b, _| {
            b["inferenceConfig"]["maxTokens"].as_u64() > Some(4096)
        }),
        asked(CLAUDE, "converse_native", hi(thinking.clone()), |b, _| {
            !b["additionalModelRequestFields"]["thinking"].is_null()
        }),
        asked(OPEN, "converse_native", hi(json!({"output_config": {"effort": "low"}})), |b, _| {
            !b["additionalModelRequestFields"]["reasoning_effort"].is_null()
        })
        .words(1),
        asked(CLAUDE, "converse_signature", claude_called(&[thought], thinking), |b, _| has(b, "reasoningContent"))
            .each_time(),
    ]
}
