//! AWS's own examples: the Signature Version 4 test suite, and the IAM request of the User Guide.

use super::*;
use crate::config::secret::Secret;

const SUITE: Scope<'_> = Scope { region: "us-east-1", service: "service" };

fn keys(session: Option<&str>) -> Keys {
    Keys {
        id: "AKIDEXAMPLE".into(),
        secret: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session: session.map(Secret::new),
    }
}

fn signature(scope: Scope<'_>, session: Option<&str>, request: Request<&'static str>) -> (String, String) {
    let at: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
    let request = sign(request.map(|body| Full::new(Bytes::from(body))), &keys(session), scope, at).unwrap();
    let value = request.headers()[AUTHORIZATION].to_str().unwrap();
    let reach = format!("20150830/us-east-1/{}/aws4_request", scope.service);
    let rest = value.strip_prefix(&format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{reach}, SignedHeaders=")).unwrap();
    let (names, signature) = rest.split_once(", Signature=").unwrap();
    assert_eq!(request.headers()["x-amz-date"], "20150830T123600Z");
    (names.to_string(), signature.to_string())
}

fn ask(method: &str, url: &str) -> http::request::Builder {
    Request::builder().method(method).uri(url)
}

const SESSION_TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

#[test]
fn the_signatures_of_awss_test_suite_come_out() {
    let root = "https://example.amazonaws.com/";
    let form = "application/x-www-form-urlencoded";
    let cases = [
        (
            "get-vanilla",
            ask("GET", root).body("").unwrap(),
            None,
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "get-vanilla-query-order-key-case",
            ask("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1").body("").unwrap(),
            None,
            "host;x-amz-date",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "post-vanilla",
            ask("POST", root).body("").unwrap(),
            None,
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "post-x-www-form-urlencoded",
            ask("POST", root).header(CONTENT_TYPE, form).body("Param1=value1").unwrap(),
            None,
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "post-sts-header-before",
            ask("POST", root).body("").unwrap(),
            Some(SESSION_TOKEN),
            "host;x-amz-date;x-amz-security-token",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
    ];
    for (name, request, session, names, expected) in cases {
        assert_eq!(signature(SUITE, session, request), (names.to_string(), expected.to_string()), "{name}");
    }
}

#[test]
fn the_signature_of_the_user_guides_example_comes_out() {
    let request = ask("GET", "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")
        // What a proxy may change is not signed, and what was there before goes.
        .header("user-agent", "x")
        .header(AUTHORIZATION, "Bearer old")
        .body("")
        .unwrap();
    let expected = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    let scope = Scope { region: "us-east-1", service: "iam" };
    assert_eq!(signature(scope, None, request), ("content-type;host;x-amz-date".into(), expected.into()));
}

#[test]
fn a_path_is_escaped_once_more_than_it_is_sent() {
    let sent = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/invoke";
    let expected = "/model/arn%253Aaws%253Abedrock%253Aus-east-1%253A1%253Ainference-profile%252Fx/invoke";
    assert_eq!(escaped_path(sent), expected);
    assert_eq!(
        escaped_path("/model/us.anthropic.claude-opus-5-v1:0/invoke"),
        "/model/us.anthropic.claude-opus-5-v1%3A0/invoke"
    );
}

#[test]
fn the_host_is_signed_as_it_is_sent() {
    for (url, expected) in [
        ("https://a.example.com:443/x", "a.example.com"),
        ("http://a.example.com:80/", "a.example.com"),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
        ("https://a.example.com:80/", "a.example.com:80"),
    ] {
        assert_eq!(host(&url.parse().unwrap()), expected);
    }
}

/// Computed with botocore 1.44.8 (`SigV4Auth`, November 2026), AWS's own signer in Python.
#[test]
fn the_signatures_of_botocore_come_out_for_what_bedrock_and_sts_are_asked() {
    let invoke = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/invoke-with-response-stream";
    let converse = "https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fx1/converse";
    let (json, form) = ("application/json", "application/x-www-form-urlencoded; charset=utf-8");
    let role = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr";
    let cases = [
        (
            Scope { region: "eu-west-1", service: "bedrock" },
            (invoke, json, "{\"a\":\"ü\"}"),
            None,
            "2dc6e61e6e3f1b772cfaf76c26f336ad1c2fad3de6f8e61cc19c031122c0c2fe",
        ),
        (
            Scope { region: "us-east-1", service: "bedrock" },
            (converse, json, "{}"),
            Some("session/token+1="),
            "71960a93a8c598fb9803149ca7475506c73fbdc81eb4ee36204de9c6695bf3ec",
        ),
        (
            Scope { region: "us-east-1", service: "sts" },
            ("https://sts.us-east-1.amazonaws.com/", form, role),
            None,
            "1aa1c7ba2ff83093cdf2b17995b7ba565187cea4ce0a50da776505c95dd6b2ee",
        ),
    ];
    let at: Timestamp = "2026-11-26T10:20:30Z".parse().unwrap();
    for (scope, (url, kind, body), session, expected) in cases {
        let request = ask("POST", url).header(CONTENT_TYPE, kind).body(Full::new(Bytes::from(body))).unwrap();
        let signed = sign(request, &keys(session), scope, at).unwrap();
        let value = signed.headers()[AUTHORIZATION].to_str().unwrap();
        assert_eq!(value.rsplit_once("Signature=").unwrap().1, expected, "{url}");
    }
}
