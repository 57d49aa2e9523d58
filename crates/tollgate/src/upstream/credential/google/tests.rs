use super::*;

#[test]
fn a_refusal_is_told_in_googles_words_with_what_to_do_and_without_secrets() {
    let secret = Secret::new("s3cret");
    let words = |status: u16, body: &str| {
        refusal(StatusCode::from_u16(status).expect("a status"), body.as_bytes(), [&secret].into_iter())
    };
    let of_token = r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature. s3cret\nmore"}"#;
    let expected = "status 400: invalid_grant: Invalid JWT Signature. [redacted] (the key of the service account was \
                    deleted or is another's: make a new one)";
    assert_eq!(words(400, of_token), lasting(expected));
    let of_iam = r#"{"error":{"code":403,"message":"Permission 'iam.serviceAccounts.getAccessToken' denied on resource","status":"PERMISSION_DENIED"}}"#;
    let expected = "status 403: PERMISSION_DENIED: Permission 'iam.serviceAccounts.getAccessToken' denied on resource \
                    (give who asks the role Service Account Token Creator, or Workload Identity User)";
    assert_eq!(words(403, of_iam), lasting(expected));
    assert_eq!(words(503, "<html>"), passing("status 503: <html>"));
    assert_eq!(words(404, r#"{"error":"not_found"}"#), lasting("status 404: not_found"));
}
