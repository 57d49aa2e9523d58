use super::*;

/// The example of the IAM User Guide: `ListUsers`, signed at 2015-08-30T12:36:00Z.
fn list_users(signature: &str) -> Parts {
    let credential = "AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request";
    let request = http::Request::get("/?Action=ListUsers&Version=2010-05-08")
        .header("host", "iam.amazonaws.com")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("x-amz-date", "20150830T123600Z")
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=content-type;host;x-amz-date, Signature={signature}"),
        );
    request.body(()).unwrap().into_parts().0
}

const GOOD: &str = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
const IAM: Scope<'_> = Scope { region: "us-east-1", service: "iam" };

fn checked(head: &Parts, secret: &str, scope: Scope<'_>, at: &str, body: &[u8]) -> Result<(), String> {
    let key = Key { id: "AKIDEXAMPLE".into(), secret: secret.into() };
    SignedBy::read(head)?.check(head, body, &key, scope, at.parse().unwrap())
}

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const THEN: &str = "2015-08-30T12:38:00Z";

#[test]
fn the_user_guides_example_is_accepted() {
    assert_eq!(checked(&list_users(GOOD), SECRET, IAM, THEN, b""), Ok(()));
}

#[test]
fn whatever_differs_is_refused_in_awss_words() {
    let head = list_users(GOOD);
    let mismatch = "The request signature we calculated does not match the signature you provided.";
    let wrong = |result: Result<(), String>, words: &str| {
        let said = result.expect_err("is refused");
        assert!(said.starts_with(words), "{said}");
    };
    wrong(checked(&head, "another", IAM, THEN, b""), mismatch);
    wrong(checked(&head, SECRET, IAM, THEN, b"a body"), mismatch);
    wrong(checked(&list_users(&GOOD.replace('5', "6")), SECRET, IAM, THEN, b""), mismatch);
    let region = Scope { region: "us-west-2", service: "iam" };
    wrong(checked(&head, SECRET, region, THEN, b""), "Credential should be scoped to a valid region.");
    let service = Scope { region: "us-east-1", service: "bedrock" };
    wrong(checked(&head, SECRET, service, THEN, b""), "Credential should be scoped to correct service: 'bedrock'.");
    wrong(
        checked(&head, SECRET, IAM, "2015-08-30T12:41:01Z", b""),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)",
    );
    wrong(checked(&head, SECRET, IAM, "2015-08-30T12:30:59Z", b""), "Signature not yet current: 20150830T123600Z");
    let mut moved = list_users(GOOD);
    moved.headers.insert("x-amz-security-token", "unsigned".parse().unwrap());
    wrong(checked(&moved, SECRET, IAM, THEN, b""), "'x-amz-security-token' must be a 'SignedHeader'");
    let mut bare = list_users(GOOD);
    bare.headers.remove("authorization");
    wrong(checked(&bare, SECRET, IAM, THEN, b""), "Missing Authentication Token");
}

/// Two requests to Bedrock as botocore 1.44.8 signs them (November 2026); the second one's path is escaped twice in what is signed.
#[test]
fn what_botocore_signs_is_accepted_and_with_another_path_refused() {
    let names = "content-type;host;x-amz-date";
    let cases = [
        (
            "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream",
            "eu-west-1",
            None,
            "{\"a\":\"ü\"}",
            "2dc6e61e6e3f1b772cfaf76c26f336ad1c2fad3de6f8e61cc19c031122c0c2fe",
        ),
        (
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fx1/converse",
            "us-east-1",
            Some("session/token+1="),
            "{}",
            "71960a93a8c598fb9803149ca7475506c73fbdc81eb4ee36204de9c6695bf3ec",
        ),
    ];
    for (path, region, session, body, signature) in cases {
        let head = |path: &str| {
            let names = if session.is_some() { format!("{names};x-amz-security-token") } else { names.to_owned() };
            let reach = format!("AKIDEXAMPLE/20261126/{region}/bedrock/aws4_request");
            let signed = format!("AWS4-HMAC-SHA256 Credential={reach}, SignedHeaders={names}, Signature={signature}");
            let mut request = http::Request::post(path)
                .header("host", format!("bedrock-runtime.{region}.amazonaws.com"))
                .header("content-type", "application/json")
                .header("x-amz-date", "20261126T102030Z")
                .header("authorization", signed);
            if let Some(session) = session {
                request = request.header("x-amz-security-token", session);
            }
            request.body(()).unwrap().into_parts().0
        };
        let scope = Scope { region, service: "bedrock" };
        let check = |path: &str| checked(&head(path), SECRET, scope, "2026-11-26T10:21:00Z", body.as_bytes());
        assert_eq!(check(path), Ok(()), "{path}");
        assert!(check(&path.replace("%3A", ":")).is_err(), "{path}");
    }
}
