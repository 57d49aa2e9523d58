use serde_json::json;

use super::*;

fn decoded(status: u16, body: Value) -> UpstreamError {
    decode_error(status, body.to_string().as_bytes())
}

fn status(code: u16, name: &str, message: &str, details: Value) -> Value {
    json!({"error": {"code": code, "message": message, "status": name, "details": details}})
}

#[test]
fn every_status_has_its_kind() {
    let cases = [
        (
            400,
            "INVALID_ARGUMENT",
            "Invalid JSON payload received. Unknown name \"x\"",
            ErrorKind::InvalidRequest,
            false,
        ),
        (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", ErrorKind::Authentication, false),
        (
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            ErrorKind::ContextOverflow,
            false,
        ),
        (400, "FAILED_PRECONDITION", "User location is not supported for the API use.", ErrorKind::Permission, false),
        (401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", ErrorKind::Authentication, false),
        (403, "PERMISSION_DENIED", "no", ErrorKind::Permission, false),
        (404, "NOT_FOUND", "models/x is not found for API version v1beta", ErrorKind::NotFound, false),
        (429, "RESOURCE_EXHAUSTED", "Resource has been exhausted", ErrorKind::RateLimited, true),
        (500, "INTERNAL", "An internal error has occurred.", ErrorKind::Api, true),
        (503, "UNAVAILABLE", "The model is overloaded. Please try again later.", ErrorKind::Overloaded, true),
        (504, "DEADLINE_EXCEEDED", "Deadline expired", ErrorKind::Timeout, true),
    ];
    for (code, name, message, kind, temporary) in cases {
        let body = status(code, name, message, json!([]));
        let error = decoded(code, body.clone());
        assert_eq!((error.status, error.kind, error.temporary), (code, kind, temporary), "{message}");
        assert_eq!((error.message.as_str(), error.code.as_deref()), (message, Some(name)));
        // Inside a stream the body says the status, and a stream that failed at once is an array.
        let inside = decoded(200, json!([body]));
        assert_eq!((inside.status, inside.kind), (code, kind), "{message}");
    }
    let overflow = decoded(400, status(400, "INVALID_ARGUMENT", cases[2].2, json!([])));
    assert_eq!(overflow.overflow, Some((1_200_000, 1_048_576)));
}

#[test]
fn how_long_to_wait_stands_in_the_details() {
    let details = json!([
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel"}]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"},
    ]);
    let error = decoded(429, status(429, "RESOURCE_EXHAUSTED", "quota", details));
    assert_eq!((error.retry_after, error.temporary), (Some(Duration::from_millis(34_070)), true));
    let in_words = decoded(429, status(429, "RESOURCE_EXHAUSTED", "Please retry in 12.5s.", json!([])));
    assert_eq!(in_words.retry_after, Some(Duration::from_millis(12_500)));
}

#[test]
fn a_quota_of_the_day_and_a_long_wait_do_not_pass() {
    let quota =
        |id: &str| json!([{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": id}]}]);
    let retry = |delay: &str| json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}]);
    let reason = |reason: &str| json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]);
    for (details, kind, temporary) in [
        (quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), ErrorKind::RateLimited, false),
        (quota("GenerateRequestsPerMinutePerProjectPerModel"), ErrorKind::RateLimited, true),
        (retry("300s"), ErrorKind::RateLimited, true),
        (retry("301s"), ErrorKind::RateLimited, false),
        (reason("QUOTA_EXHAUSTED"), ErrorKind::RateLimited, false),
        (reason("MODEL_CAPACITY_EXHAUSTED"), ErrorKind::Overloaded, true),
        (reason("INSUFFICIENT_G1_CREDITS_BALANCE"), ErrorKind::Billing, false),
        (reason("API_KEY_INVALID"), ErrorKind::Authentication, false),
    ] {
        let error = decoded(429, status(429, "RESOURCE_EXHAUSTED", "quota", details.clone()));
        assert_eq!((error.kind, error.temporary), (kind, temporary), "{details}");
    }
}

#[test]
fn what_is_no_status_is_read_as_far_as_it_goes() {
    for (status, body, message) in [
        (502, "<html><title>Bad gateway</title></html>", "The upstream answered with a web page: Bad gateway"),
        (500, "", "The upstream answered 500 without a body"),
        (400, r#"{"error":"plain"}"#, "plain"),
        (400, "[]", "[]"),
    ] {
        assert_eq!(decode_error(status, body.as_bytes()).message, message);
    }
}

#[test]
fn what_we_tell_we_understand() {
    let kinds = [
        ErrorKind::InvalidRequest,
        ErrorKind::ContextOverflow,
        ErrorKind::Authentication,
        ErrorKind::Permission,
        ErrorKind::NotFound,
        ErrorKind::RateLimited,
        ErrorKind::Overloaded,
        ErrorKind::Timeout,
    ];
    for (kind, status) in kinds.into_iter().zip([400, 400, 401, 403, 404, 429, 529, 504]) {
        let mut public = PublicError::new(status, kind, "words");
        public.retry_after = Some(Duration::from_millis(1500));
        let body = encode_error(&public);
        let read = decode_error(status_of(&public), &body);
        assert_eq!((read.kind, read.retry_after), (kind, public.retry_after));
        assert!(is_plain_error(&body, kind), "{kind:?}");
    }
    assert!(!is_plain_error(
        br#"{"error":{"code":400,"message":"too long","status":"INVALID_ARGUMENT"}}"#,
        ErrorKind::ContextOverflow
    ));
    assert!(!is_plain_error(br#"{"type":"error","error":{"message":"x"}}"#, ErrorKind::Api));
}

#[test]
fn a_context_overflow_has_googles_sentence_with_its_numbers_where_they_are_known() {
    let told = |message: &str| {
        let body = encode_error(&PublicError::new(400, ErrorKind::ContextOverflow, message));
        serde_json::from_slice::<serde_json::Value>(&body).expect("JSON")["error"]["message"]
            .as_str()
            .map(str::to_string)
    };
    let words = "prompt is too long: 9000 tokens > 8192 maximum";
    let expected = "The input token count (9000) exceeds the maximum number of tokens allowed (8192). ";
    assert_eq!(told(words), Some(format!("{expected}{words}")));
    let bare = "prompt is too long";
    let expected = "The input token count exceeds the maximum number of tokens allowed: ";
    assert_eq!(told(bare), Some(format!("{expected}{bare}")));
}
