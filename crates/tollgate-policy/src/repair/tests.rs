use tollgate_dialect::error::{ErrorKind, UpstreamError};
use tollgate_dialect::quirks::TokenField;

use super::{Fact, Sent, recognise};

fn refused(message: &str) -> UpstreamError {
    UpstreamError {
        status: 400,
        kind: ErrorKind::InvalidRequest,
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
