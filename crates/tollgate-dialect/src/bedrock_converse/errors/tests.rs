use super::*;

fn read(status: u16, name: &str, message: &str) -> (u16, ErrorKind, bool, Option<String>) {
    let error = decode_error(status, name, serde_json::json!({"message": message}).to_string().as_bytes());
    (error.status, error.kind, error.temporary, error.code)
}

/// Statuses and whether to try again: botocore 1.44.8 and docs.aws.amazon.com, Bedrock, "Troubleshooting".
#[test]
fn every_exception_has_its_kind_and_says_whether_waiting_helps() {
    let rows = [
        (429, "ThrottlingException", "Too many requests, please wait before trying again.", RateLimited, true),
        (429, "ThrottlingException", "Too many tokens per day, please wait before trying again.", RateLimited, false),
        (429, "ThrottlingException", "Too many tokens, please wait before trying again.", RateLimited, true),
        (429, "ModelNotReadyException", "Model is getting ready to serve inference.", Overloaded, true),
        (503, "ServiceUnavailableException", "The service is unavailable.", Overloaded, true),
        (500, "InternalServerException", "The system encountered an unexpected error.", Api, true),
        (408, "ModelTimeoutException", "Model has timed out in processing the request.", Timeout, true),
        (424, "ModelErrorException", "The request failed while processing the model.", Api, true),
        (424, "ModelStreamErrorException", "An error occurred while streaming.", Api, true),
        (400, "ServiceQuotaExceededException", "Your request exceeds the service quota.", Billing, false),
        (400, "ConflictException", "Conflict.", InvalidRequest, false),
        (404, "ResourceNotFoundException", "This model version has reached the end of its life.", NotFound, false),
        (
            403,
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
            Permission,
            false,
        ),
        (
            403,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
            Authentication,
            false,
        ),
        (403, "ExpiredTokenException", "The security token included in the request is expired", Authentication, false),
        (
            403,
            "AccessDeniedException",
            "Authentication failed: Please make sure your API Key is valid.",
            Authentication,
            false,
        ),
        (
            400,
            "ValidationException",
            "Malformed input request: #: extraneous key [top_k] is not permitted, please reformat your input and try again.",
            InvalidRequest,
            false,
        ),
        (400, "ValidationException", "The provided model identifier is invalid.", NotFound, false),
        (400, "ValidationException", "Input is too long for requested model.", ContextOverflow, false),
        (
            400,
            "ValidationException",
            "The model returned the following errors: prompt is too long: 208310 tokens > 200000 maximum",
            ContextOverflow,
            false,
        ),
    ];
    for (status, name, message, kind, temporary) in rows {
        let expected = (status, kind, temporary, Some(name.to_string()));
        assert_eq!(read(status, name, message), expected, "{name}: {message}");
        // In a stream, where the status is the exception's own and names begin small.
        let small = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
        assert_eq!(read(200, &small, message), expected, "{small}");
        assert_eq!(read(status, &format!("{name}:http://internal.amazon.com/coral/x/"), message), expected, "{name}");
    }
}

#[test]
fn the_name_may_stand_in_the_body_and_the_words_under_either_spelling() {
    let body = br#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","Message":"no"}"#;
    let error = decode_error(403, "", body);
    assert_eq!((error.kind, error.message.as_str()), (Authentication, "no"));
    let unknown = br#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}"#;
    assert_eq!(decode_error(404, "", unknown).kind, NotFound);
    let nameless = decode_error(403, "", br#"{"Message":"User is not authorized"}"#);
    assert_eq!((nameless.kind, nameless.code, nameless.message.as_str()), (Permission, None, "User is not authorized"));
}

#[test]
fn what_is_no_error_of_aws_is_read_all_the_same() {
    let page = decode_error(502, "", b"<html><title>Bad Gateway</title></html>");
    assert_eq!((page.kind, page.temporary), (Api, true));
    assert!(page.message.contains("Bad Gateway"), "{}", page.message);
    let plain = decode_error(200, "InternalFailure", b"it broke");
    assert_eq!((plain.status, plain.kind, plain.message.as_str()), (500, Api, "it broke"));
}

#[test]
fn a_throttled_model_leaves_the_others_of_the_account_alone() {
    let error = decode_error(429, "ThrottlingException", br#"{"message":"Too many requests"}"#);
    assert_eq!(error.scope, Scope::Model);
}

#[test]
fn an_overflow_tells_its_numbers() {
    let body =
        br#"{"message":"The model returned the following errors: prompt is too long: 208310 tokens > 200000 maximum"}"#;
    assert_eq!(decode_error(400, "ValidationException", body).overflow, Some((208_310, 200_000)));
}
