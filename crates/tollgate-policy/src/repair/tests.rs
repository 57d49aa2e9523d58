use tollgate_dialect::error::{ErrorKind, Scope, UpstreamError};
use tollgate_dialect::quirks::TokenField;

use super::table::rows;
use super::{Fact, Sent, recognise};
use crate::glob::Glob;

fn refused(message: &str) -> UpstreamError {
    UpstreamError {
        status: 400,
        kind: ErrorKind::InvalidRequest,
        scope: Scope::Unsaid,
        message: message.into(),
        code: None,
        param: None,
        overflow: None,
        retry_after: None,
        temporary: false,
    }
}

fn sent(body: &str, max_tokens: u64, stream: bool, drop_params: bool) -> Sent<'_> {
    Sent { body: body.as_bytes(), max_tokens: Some(max_tokens), stream, drop_params }
}

/// Texts as the vendors write them (reference: openai-compatible-quirks, sections C and F; OpenAI's and DeepSeek's own words).
#[test]
fn each_known_refusal_teaches_one_fact() {
    let body = r#"{"model":"m","max_tokens":32000,"temperature":0.3,"top_k":5,"reasoning_effort":"high","parallel_tool_calls":false,"messages":[]}"#;
    let rows: &[(&str, Fact)] = &[
        ("Requests with max_tokens > 4096 must have stream=true", Fact::NonstreamMaxTokens(4096)),
        ("requests with max_tokens > 4096 must have stream: true", Fact::NonstreamMaxTokens(4096)),
        ("max_tokens > 4096 must have stream = true", Fact::NonstreamMaxTokens(4096)),
        ("This model only supports stream mode, please enable the stream parameter", Fact::StreamOnly),
        (
            "max_tokens is too large: 32000. This model supports at most 16384 completion tokens, whereas you provided 32000.",
            Fact::MaxOutputTokens(16384),
        ),
        ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", Fact::MaxOutputTokens(8192)),
        (
            "Unable to submit request because it has a maxOutputTokens value of 32000 but the supported range is from 1 (inclusive) to 8193 (exclusive).",
            Fact::MaxOutputTokens(8192),
        ),
        (
            "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window` for this model",
            Fact::MaxOutputTokens(8192),
        ),
        (
            "max_tokens: 32,000 > 8,192, which is the maximum allowed number of output tokens",
            Fact::MaxOutputTokens(8192),
        ),
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            Fact::TokenField(TokenField::MaxCompletionTokens),
        ),
        ("Unrecognized request argument supplied: reasoning_effort", Fact::Refuses("reasoning_effort".into())),
        (
            "Extra inputs are not permitted, field: 'parallel_tool_calls', value: False",
            Fact::Refuses("parallel_tool_calls".into()),
        ),
        ("property 'reasoning_effort' is unsupported", Fact::Refuses("reasoning_effort".into())),
        ("parallel_tool_calls: Extra inputs are not permitted", Fact::Refuses("parallel_tool_calls".into())),
    ];
    for (words, fact) in rows {
        assert_eq!(recognise(&refused(words), &sent(body, 32000, false, false)).as_ref(), Some(fact), "{words}");
    }
}

#[test]
fn a_parameter_with_the_callers_meaning_is_only_dropped_when_that_is_allowed() {
    let body = r#"{"model":"m","max_tokens":100,"temperature":0.3,"messages":[]}"#;
    let words = "Unsupported parameter: 'temperature' is not supported with this model.";
    assert_eq!(recognise(&refused(words), &sent(body, 100, false, false)), None);
    assert_eq!(recognise(&refused(words), &sent(body, 100, false, true)), Some(Fact::Refuses("temperature".into())));
}

#[test]
fn an_unknown_refusal_or_one_about_something_not_sent_teaches_nothing() {
    let body = r#"{"model":"m","max_tokens":100,"messages":[]}"#;
    for words in [
        "messages: text content blocks must be non-empty",
        "tool_choice: Tool 'Read' not found in provided tools",
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1",
        "Unsupported parameter: 'seed'",
        "Bad request",
        "",
        "Model not found: 4096",
    ] {
        assert_eq!(recognise(&refused(words), &sent(body, 100, false, true)), None, "{words}");
    }
}

#[test]
fn a_stream_is_not_asked_to_be_a_stream() {
    let body = r#"{"model":"m","stream":true,"messages":[]}"#;
    assert_eq!(recognise(&refused("max_tokens > 4096 must have stream = true"), &sent(body, 4096, true, true)), None);
}

#[test]
fn s12_a_missing_or_refused_reasoning_content_is_recognised() {
    let without = r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[]}]}"#;
    for words in [
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2",
    ] {
        assert_eq!(recognise(&refused(words), &sent(without, 1, true, false)), Some(Fact::WantsReasoning), "{words}");
    }
    let with = r#"{"model":"m","messages":[{"role":"assistant","reasoning_content":" ","tool_calls":[]}]}"#;
    let words = "Unknown parameter: 'messages[2].reasoning_content'.";
    assert_eq!(recognise(&refused(words), &sent(with, 1, true, false)), Some(Fact::NoReasoning));
    assert_eq!(recognise(&refused(words), &sent(without, 1, true, false)), None);
}

#[test]
fn max_completion_tokens_is_renamed_where_only_the_old_name_is_known() {
    let body = r#"{"model":"m","max_completion_tokens":100,"messages":[]}"#;
    let words = "Extra inputs are not permitted, field: 'max_completion_tokens'";
    assert_eq!(
        recognise(&refused(words), &sent(body, 100, false, false)),
        Some(Fact::TokenField(TokenField::MaxTokens))
    );
}

const CHAT: &str = r#"{"model":"m","max_tokens":32000,"max_completion_tokens":100,"temperature":1.5,"top_p":0.5,
    "stop":["a","b","c"],"reasoning_effort":"xhigh","parallel_tool_calls":false,"stream_options":{},"thinking":{"type":"TYPE"},
    "tool_choice":{"type":"function","function":{"name":"f"}},
    "tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":{"type":"object","additionalProperties":false,
        "properties":{"u":{"type":"string","format":"uri","pattern":"a","minItems":1}}}}}],
    "response_format":{"type":"json_schema","json_schema":{}},
    "messages":[{"role":"system","content":"s"},{"role":"developer","content":"d"},
        {"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}},{"type":"text","text":" "}]},
        {"role":"assistant","content":null,"reasoning_content":"hm","refusal":null,"annotations":[],"tool_calls":[]},
        {"role":"tool","tool_call_id":"c","content":[{"type":"image_url","image_url":{"url":"u"}}]},
        {"role":"assistant","content":"so"}]}"#;

const MESSAGES: &str = r#"{"model":"m","max_tokens":32000,"temperature":1.5,"top_p":0.5,
    "thinking":{"type":"TYPE","display":"omitted"},"output_config":{"effort":"max","format":{"type":"json_schema","schema":{}}},
    "context_management":{"edits":[]},"cache_control":{"type":"ephemeral"},
    "tool_choice":{"type":"any"},
    "tools":[{"type":"custom","name":"f","defer_loading":true,"eager_input_streaming":true,"input_schema":{"type":"object"}}],
    "system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral","scope":"global"}}],
    "messages":[{"role":"user","content":[{"type":"text","text":""}]},{"role":"system","content":"s"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"x"},{"type":"tool_use","id":"c","name":"f","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[]}]},
        {"role":"assistant","content":"so"}]}"#;

const RESPONSES: &str = r#"{"model":"x","tools":[{"type":"namespace"}],"include":["reasoning.encrypted_content"],"input":[{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"},
    {"role":"assistant","content":"so"}]}"#;
const GEMINI: &str = r#"{"generationConfig":{"maxOutputTokens":32000,"thinkingConfig":{"thinkingLevel":"LOW"},"responseMimeType":"application/json"},
    "tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object","additionalProperties":false}}]}],
    "contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"functionCall":{"id":"a","name":"f"},"thoughtSignature":"CikB"}]},
        {"role":"user","parts":[{"functionResponse":{"id":"a","name":"f","response":{},"parts":[]}}]}]}"#;

const CONVERSE: &str = r#"{"inferenceConfig":{"maxTokens":32000,"stopSequences":["a"]},
    "additionalModelRequestFields":{"thinking":{"type":"enabled"},"reasoning_effort":"high"},
    "outputConfig":{"textFormat":{"type":"json_schema"}},
    "toolConfig":{"tools":[{"toolSpec":{"name":"f"}}],"toolChoice":{"any":{}}},
    "messages":[{"role":"user","content":[{"image":{}},{"cachePoint":{"type":"default","ttl":"1h"}}]},
        {"role":"assistant","content":[{"reasoningContent":{}},{"toolUse":{"toolUseId":"a"}}]},
        {"role":"user","content":[{"toolResult":{"toolUseId":"a"}}]}]}"#;

/// The first dialect, and the first `thinking.type`, in which the words teach something.
fn taught(words: &str) -> Vec<Fact> {
    let mut facts = Vec::new();
    for body in [CHAT, MESSAGES, RESPONSES, GEMINI, CONVERSE] {
        for kind in ["adaptive", "enabled", "disabled"] {
            let body = body.replace("TYPE", kind);
            for max_tokens in [32000, 1] {
                facts.extend(recognise(&refused(words), &sent(&body, max_tokens, false, false)));
            }
        }
    }
    facts
}

#[test]
fn every_wording_in_the_table_teaches_what_its_row_reports() {
    for row in rows() {
        assert!(!row.seen.is_empty() && !row.repair.is_empty(), "{}", row.id);
        let reports = Glob::new(row.reports);
        for (words, source) in row.seen {
            assert!(!source.is_empty(), "{words}");
            let facts = taught(words);
            assert!(facts.iter().any(|f| reports.matches(&f.label())), "{} {words}: {facts:?}", row.id);
        }
    }
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let mut ids: Vec<&str> = rows().map(|row| row.id).collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

/// No wording teaches anything where nothing of what it complains about was sent.
#[test]
fn a_complaint_about_what_was_not_sent_teaches_nothing() {
    let body = r#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    // These speak of the conversation or the request as a whole, or of the headers: only an unchanged body shows that there is nothing to cure.
    let anywhere = ["api_responses", "reasoning_wanted", "alternation", "betas", "no_betas"];
    for row in rows().filter(|row| !anywhere.contains(&row.id)) {
        for (words, _) in row.seen {
            let sent = Sent { body: body.as_bytes(), max_tokens: None, stream: true, drop_params: true };
            assert_eq!(recognise(&refused(words), &sent), None, "{} {words}", row.id);
        }
    }
}

/// A rate limit, a lost key or a broken server says nothing about the body, whatever its words.
#[test]
fn only_a_refusal_of_the_request_is_read() {
    let body = CHAT.replace("TYPE", "adaptive");
    let words = "This model does not support assistant message prefill.";
    for (status, kind) in [
        (401, ErrorKind::Authentication),
        (402, ErrorKind::Billing),
        (403, ErrorKind::Permission),
        (429, ErrorKind::RateLimited),
        (503, ErrorKind::Overloaded),
        (400, ErrorKind::ContextOverflow),
        (400, ErrorKind::ContentPolicy),
        (200, ErrorKind::InvalidRequest),
    ] {
        let error = UpstreamError { status, kind, ..refused(words) };
        assert_eq!(recognise(&error, &sent(&body, 10, false, true)), None, "{status} {kind:?}");
    }
    for (status, kind) in [
        (400, ErrorKind::InvalidRequest),
        (404, ErrorKind::NotFound),
        (413, ErrorKind::TooLarge),
        (415, ErrorKind::InvalidRequest),
        (422, ErrorKind::InvalidRequest),
        (500, ErrorKind::Api),
        (501, ErrorKind::Api),
    ] {
        let error = UpstreamError { status, kind, ..refused(words) };
        assert_eq!(recognise(&error, &sent(&body, 10, false, true)), Some(Fact::NoPrefill), "{status} {kind:?}");
    }
}

/// Each expected fact by hand, from the words.
#[test]
fn numbers_names_and_lists_are_read_from_the_words() {
    use tollgate_dialect::quirks::{IdForm, ThinkingType};
    use tollgate_dialect::request::Effort;
    let rows: &[(&str, Fact)] = &[
        (
            "Unsupported value: 'reasoning_effort' does not support 'xhigh' with this model. Supported values are: 'none', 'low', 'medium', and 'high'.",
            Fact::Efforts(vec![Effort::None, Effort::Low, Effort::Medium, Effort::High]),
        ),
        ("Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.", Fact::ToolIds(IdForm::NineAlnum)),
        (
            "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 64, but got a string with length 83 instead.",
            Fact::ToolIds(IdForm::AtMost(64)),
        ),
        ("tools.3.custom.name: String should have at most 64 characters", Fact::ToolNames(64)),
        (
            "Unexpected value(s) `a-2025-01-01`, `b-2026-01-01` for the `anthropic-beta` header. Please consult our documentation.",
            Fact::RefusesBetas(vec!["a-2025-01-01".into(), "b-2026-01-01".into()]),
        ),
        ("temperature: range: 0..1", Fact::MaxTemperature(1000)),
        ("Expected a maximum of 2 stop sequences", Fact::MaxStop(2)),
        ("adaptive thinking is not supported on this model", Fact::NoThinkingType(ThinkingType::Adaptive)),
    ];
    for (words, fact) in rows {
        assert!(taught(words).contains(fact), "{words}: {:?}", taught(words));
    }
}

#[test]
fn a_fact_is_stored_and_read_as_it_was() {
    for row in rows() {
        for (words, _) in row.seen {
            for fact in taught(words) {
                let text = serde_json::to_string(&fact).unwrap();
                assert_eq!(serde_json::from_str::<Fact>(&text).unwrap(), fact);
            }
        }
    }
}

#[test]
fn the_documentation_shows_the_table_as_it_is() {
    let page = include_str!("../../../../docs/repairs.md");
    let table = super::table::markdown();
    assert!(page.ends_with(&table), "replace the table with: cargo run -p tollgate-policy --example repairs");
    assert_eq!(table.lines().count(), rows().count() + 2);
}
