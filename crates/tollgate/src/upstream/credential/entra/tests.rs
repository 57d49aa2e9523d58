use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::upstream::credential::exchange::passing;

fn good_for(answer: &Value) -> u64 {
    let left = token(answer).expect("a token").ends - Instant::now();
    (left + Duration::from_millis(500)).as_secs()
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_token_is_read_in_every_form() {
    let in_an_hour = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() + 3600;
    let stamp = jiff::Timestamp::from_second(i64::try_from(in_an_hour).expect("fits")).expect("a time").to_string();
    let forms = [
        json!({"access_token": "t", "expires_in": 3600}),
        json!({"access_token": "t", "expires_in": "3600", "expires_on": "1"}),
        json!({"access_token": "t", "expires_on": in_an_hour.to_string()}),
        json!({"accessToken": "t", "expires_on": in_an_hour, "expiresOn": "2026-11-26 04:00:00.000000"}),
        json!({"token": "t", "expiresOn": stamp}),
        json!({"accessToken": "t", "expireTime": stamp}),
    ];
    for form in forms {
        assert!((3598..=3600).contains(&good_for(&form)), "{form}");
    }
    assert_eq!(good_for(&json!({"accessToken": "t"})), 900, "nothing said");
    assert_eq!(token(&json!({"access_token": ""})).map(|_| ()), Err(lasting("the answer holds no token")));
}

#[test]
fn a_refusal_keeps_the_first_line_loses_the_secret_and_says_what_to_do() {
    let said = json!({"error": "invalid_client", "error_description":
        "AADSTS7000222: The provided client secret keys s3cret are expired.\r\nTrace ID: 1\r\n"});
    let refused = refusal(StatusCode::UNAUTHORIZED, Some(&said), b"", &Secret::new("s3cret"));
    let expected = "status 401: invalid_client: AADSTS7000222: The provided client secret keys [redacted] are expired. \
                    (the client secret has expired: make a new one)";
    assert_eq!(refused, lasting(expected));
    let away = refusal(StatusCode::SERVICE_UNAVAILABLE, None, b"<html>", &Secret::new(""));
    assert_eq!(away, passing("status 503: <html>"));
}

#[test]
fn what_is_special_in_a_form_is_escaped() {
    assert_eq!(escaped("a-Z_0.9~ &=+/ü"), "a-Z_0.9~%20%26%3D%2B%2F%C3%BC");
}
