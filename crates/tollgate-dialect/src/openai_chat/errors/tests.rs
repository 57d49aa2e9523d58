use std::time::Duration;

use super::*;
use crate::error::ErrorKind::*;

struct Case {
    status: u16,
    body: &'static str,
    kind: ErrorKind,
    temporary: bool,
    message: &'static str,
}

const fn case(status: u16, body: &'static str, kind: ErrorKind, temporary: bool, message: &'static str) -> Case {
    Case { status, body, kind, temporary, message }
}

/// Bodies as the vendors send them (`openai-compatible` shapes of 2026-11-21).
const CASES: &[Case] = &[
    case(
        400,
        r#"{"error":{"message":"Unsupported parameter: 'max_tokens'","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#,
        InvalidRequest,
        false,
        "Unsupported parameter: 'max_tokens'",
    ),
    case(
        401,
        r#"{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}"#,
        Authentication,
        false,
        "Incorrect API key provided",
    ),
    case(
        400,
        r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xx"}"#,
        Authentication,
        false,
        "Incorrect API key provided: xx",
    ),
    case(
        402,
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
        Billing,
        false,
        "Insufficient Balance",
    ),
    case(
        429,
        r#"{"error":{"message":"You exceeded your current quota, please check your plan","type":"insufficient_quota","code":"insufficient_quota"}}"#,
        Billing,
        false,
        "You exceeded your current quota, please check your plan",
    ),
    case(
        429,
        r#"{"error":{"message":"Your account is suspended","type":"exceeded_current_quota_error"}}"#,
        Billing,
        false,
        "Your account is suspended",
    ),
    case(
        402,
        r#"{"error":{"code":402,"message":"in flight","metadata":{"limit_source":"openrouter_in_flight_budget"}}}"#,
        RateLimited,
        true,
        "in flight",
    ),
    case(
        429,
        r#"{"error":{"message":"The engine is currently overloaded","type":"engine_overloaded_error"}}"#,
        Overloaded,
        true,
        "The engine is currently overloaded",
    ),
    case(
        429,
        r#"{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","code":"3505"}"#,
        RateLimited,
        true,
        "Service tier capacity exceeded for this model.",
    ),
    case(
        429,
        r#"{"error":{"message":"Rate limit reached on tokens per day (TPD)","code":"rate_limit_exceeded"}}"#,
        RateLimited,
        false,
        "Rate limit reached on tokens per day (TPD)",
    ),
    case(429, r#"{"error":{"code":"1302","message":"too many"}}"#, RateLimited, true, "too many"),
    case(429, r#"{"error":{"code":"1113","message":"no balance"}}"#, Billing, false, "no balance"),
    case(
        413,
        r#"{"error":{"message":"Request too large on tokens per minute (TPM)","type":"tokens","code":"rate_limit_exceeded"}}"#,
        TooLarge,
        false,
        "Request too large on tokens per minute (TPM)",
    ),
    case(
        404,
        r#"{"error":{"message":"Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.","type":"invalid_request_error","param":"input","code":null}}"#,
        InvalidRequest,
        false,
        "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false.",
    ),
    case(
        404,
        r#"{"error":{"message":"No endpoints found for acme/x:free.","code":404}}"#,
        NotFound,
        false,
        "No endpoints found for acme/x:free.",
    ),
    case(
        400,
        r#"{"error":{"message":"acme/y is not a valid model ID","code":400}}"#,
        NotFound,
        false,
        "acme/y is not a valid model ID",
    ),
    case(
        400,
        r#"{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}"#,
        NotFound,
        false,
        "Model Not Exist",
    ),
    case(
        400,
        r#"{"error":{"message":"The model `x` has been decommissioned","code":"model_decommissioned"}}"#,
        NotFound,
        false,
        "The model `x` has been decommissioned",
    ),
    case(
        410,
        r#"{"status":410,"title":"Gone","detail":"The model has reached its end of life"}"#,
        NotFound,
        false,
        "The model has reached its end of life",
    ),
    case(
        404,
        r#"{"error":"model 'x' not found, try pulling it first"}"#,
        NotFound,
        false,
        "model 'x' not found, try pulling it first",
    ),
    case(
        403,
        r#"{"error":{"code":403,"message":"Input flagged by moderation"}}"#,
        ContentPolicy,
        false,
        "Input flagged by moderation",
    ),
    case(
        400,
        r#"{"error":{"code":"DataInspectionFailed","message":"inappropriate"},"request_id":"r"}"#,
        ContentPolicy,
        false,
        "inappropriate",
    ),
    case(403, r#"{"error":{"message":"no"}}"#, Permission, false, "no"),
    case(
        503,
        r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
        Overloaded,
        true,
        "Loading model",
    ),
    case(500, r#"{"error":{"message":"boom"}}"#, Api, true, "boom"),
    case(
        502,
        "<html>\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
        Api,
        true,
        "The upstream answered with a web page: 502 Bad Gateway",
    ),
    case(504, "", Timeout, true, "The upstream answered 504 without a body"),
    case(529, "busy", Overloaded, true, "busy"),
    case(
        422,
        r#"{"detail":[{"loc":["body","temperature"],"msg":"Input should be less than 2","type":"x"}]}"#,
        InvalidRequest,
        false,
        "body.temperature: Input should be less than 2",
    ),
    case(
        422,
        r#"{"object":"error","message":{"detail":[{"loc":["body"],"msg":"bad"}]}}"#,
        InvalidRequest,
        false,
        "body: bad",
    ),
    case(418, r#"{"message":"teapot"}"#, InvalidRequest, false, "teapot"),
    case(424, r#"{"error":"generation failed","error_type":"generation"}"#, InvalidRequest, false, "generation failed"),
    case(
        400,
        r#"{"error":{"message":"string too long","code":"string_above_max_length"}}"#,
        InvalidRequest,
        false,
        "string too long",
    ),
    case(
        429,
        r#"{"message":"Too many tokens, slow down","type":"too_many_requests","code":"token_quota_exceeded"}"#,
        RateLimited,
        true,
        "Too many tokens, slow down",
    ),
    case(
        400,
        r#"[{"error":{"code":400,"message":"Invalid value","status":"INVALID_ARGUMENT"}}]"#,
        InvalidRequest,
        false,
        "Invalid value",
    ),
    case(500, r#"{"error":{}}"#, Api, true, r#"{"error":{}}"#),
];

#[test]
fn errors_of_every_shape_and_vendor_are_understood() {
    for case in CASES {
        let error = decode(case.status, case.body.as_bytes());
        assert_eq!((error.kind, error.temporary), (case.kind, case.temporary), "{}", case.body);
        assert_eq!(error.message, case.message);
        assert_eq!(error.status, case.status);
    }
}

#[test]
fn azures_reason_stands_behind_the_code_under_either_name() {
    for inner in ["innererror", "inner_error"] {
        let body = format!(
            r#"{{"error":{{"message":"blocked","type":null,"code":null,"{inner}":{{"code":"ResponsibleAIPolicyViolation"}}}}}}"#
        );
        assert_eq!(decode(400, body.as_bytes()).kind, ErrorKind::ContentPolicy, "{inner}");
    }
}

#[test]
fn code_and_parameter_are_kept() {
    let error = decode(400, CASES[0].body.as_bytes());
    assert_eq!((error.code.as_deref(), error.param.as_deref()), (Some("unsupported_parameter"), Some("max_tokens")));
}

#[test]
fn a_context_overflow_is_one_kind_in_every_vendors_words() {
    let cases: [(&str, Option<(u64, u64)>); 19] = [
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
            Some((9000, 8192)),
        ),
        (
            "This model's maximum context length is 8192 tokens. However, you requested 9216 tokens (8192 in the messages, 1024 in the completion).",
            Some((9216, 8192)),
        ),
        ("Your input exceeds the context window of this model.", None),
        ("prompt is too long: 200,001 tokens > 200,000 maximum", Some((200_001, 200_000))),
        ("Input is too long for requested model.", None),
        (
            "the request (9000 tokens) exceeds the available context size (8192 tokens), try increasing it",
            Some((9000, 8192)),
        ),
        ("Your request exceeded model token limit: 262144", None),
        ("Your request exceeded model token limit: 262144 (requested: 300000)", Some((300_000, 262_144))),
        ("Please reduce the length. Current length is 9000 while limit is 8192", Some((9000, 8192))),
        (
            "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
            Some((140_000, 131_072)),
        ),
        (
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` tokens and 100 `max_new_tokens`",
            Some((5000, 4096)),
        ),
        ("input too long: 9000 input tokens, limit is 8192", Some((9000, 8192))),
        (
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            Some((1_200_000, 1_048_576)),
        ),
        ("The decoder prompt (length 9000) is longer than the maximum model length of 8192.", Some((9000, 8192))),
        ("Try to load the model with a larger context length", None),
        ("The prompt is longer than the model's context length; it is longer than the model's context length", None),
        ("too many tokens: size limit exceeded by 100 tokens", None),
        ("context window exceeds limit (2013)", None),
        ("Input length 9000 exceeds: length limit exceeded", None),
    ];
    for (text, numbers) in cases {
        let text = text.replace("The prompt is longer than the model's context length; it", "The input (9 tokens)");
        let error = decode(400, serde_json::json!({"error": {"message": text}}).to_string().as_bytes());
        assert_eq!((error.kind, error.temporary), (ContextOverflow, false), "{text}");
        assert_eq!(error.overflow, numbers, "{text}");
    }
    let fields = br#"{"error":{"code":400,"message":"x","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":8192}}"#;
    assert_eq!(decode(400, fields).overflow, Some((9000, 8192)));
    let code = br#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#;
    assert_eq!(decode(400, code).kind, ContextOverflow);
}

#[test]
fn too_many_tokens_means_the_context_only_where_the_request_is_at_fault() {
    let body = br#"{"message":"too many tokens"}"#;
    assert_eq!(decode(400, body).kind, ContextOverflow);
    assert_eq!(decode(429, body).kind, RateLimited);
}

#[test]
fn waiting_times_in_words_are_read() {
    let wait =
        |text: &str| decode(429, serde_json::json!({"error": {"message": text}}).to_string().as_bytes()).retry_after;
    assert_eq!(wait("Please try again in 1.2s."), Some(Duration::from_millis(1200)));
    assert_eq!(wait("Please try again in 20ms. Visit"), Some(Duration::from_millis(20)));
    assert_eq!(wait("Please try again in 1m2.5s. Need more?"), Some(Duration::from_millis(62_500)));
    assert_eq!(wait("max RPM: 3, please try again after 1 seconds"), Some(Duration::from_secs(1)));
    assert_eq!(wait("Retry after 30 seconds"), Some(Duration::from_secs(30)));
    assert_eq!(wait("Please try again in a while"), None);
    assert_eq!(wait("slow"), None);
    assert_eq!(wait("try again in 99999999999999999999999999999s"), None);
}

#[test]
fn an_error_inside_a_200_has_the_status_it_would_have_had() {
    let status = |body: &str| match in_answer(body.as_bytes()) {
        AnswerError::Upstream(error) => error.status,
        other => panic!("{other:?}"),
    };
    assert_eq!(status(r#"{"error":{"code":502,"message":"x"}}"#), 502);
    assert_eq!(status(r#"{"error":{"code":"429","message":"x"}}"#), 429);
    assert_eq!(status(r#"{"error":{"code":"1302","message":"x"}}"#), 429);
    assert_eq!(status(r#"{"error":{"message":"maximum context length is 5"}}"#), 400);
    assert_eq!(status(r#"{"error":"x"}"#), 500);
}

proptest::proptest! {
    #[test]
    fn no_error_body_makes_us_panic(status in 0u16..1000, body in proptest::collection::vec(proptest::num::u8::ANY, 0..120)) {
        let _ = decode(status, &body);
    }

    #[test]
    fn no_error_text_makes_us_panic(text in "(try again in |limit is |maximum context length is |[0-9]{1,30}|\\PC|[smh<> .,]){0,12}") {
        let _ = decode(429, text.as_bytes());
        let _ = decode(400, serde_json::json!({"error": text}).to_string().as_bytes());
    }
}
