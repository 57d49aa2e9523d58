use super::*;

fn in_an_hour() -> String {
    let end = Timestamp::now() + jiff::Span::new().hours(1);
    end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn got(token: Result<Held, NoToken>) -> (Keys, u64) {
    let token = token.expect("keys");
    let Grant::Keys(keys) = token.grant else { panic!("keys of AWS") };
    let left = token.ends.saturating_duration_since(Instant::now()) + Duration::from_millis(900);
    (keys, left.as_secs())
}

fn expected() -> Keys {
    Keys { id: "ASIA1".into(), secret: Secret::new("s/+="), session: Some(Secret::new("t==")) }
}

#[test]
fn keys_and_their_end_are_read_from_sts_and_from_agents() {
    let end = in_an_hour();
    // The shape of the API Reference's example of AssumeRole.
    let xml = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><AssumedRoleUser>\
         <Arn>arn:aws:sts::1:assumed-role/demo/TestAR</Arn></AssumedRoleUser><Credentials><AccessKeyId>ASIA1</AccessKeyId>\
         <SecretAccessKey>s/+=</SecretAccessKey><SessionToken>\n t==\n</SessionToken><Expiration>{end}</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>"
    );
    let (keys, left) = got(of_sts(StatusCode::OK, xml.as_bytes(), &[]));
    assert_eq!(keys, expected());
    assert!((3598..=3600).contains(&left), "{left}");
    let body = format!(
        r#"{{"Code":"Success","AccessKeyId":"ASIA1","SecretAccessKey":"s/+=","Token":"t==","Expiration":"{end}"}}"#
    );
    let (keys, left) = got(json(StatusCode::OK, body.as_bytes(), &[]));
    assert_eq!(keys, expected());
    assert!((3598..=3600).contains(&left), "{left}");
    let (keys, left) = got(json(StatusCode::OK, br#"{"AccessKeyId":"a","SecretAccessKey":"b"}"#, &[]));
    assert_eq!((keys.session, left), (None, 30 * 86_400), "nothing said of an end");
}

#[test]
fn a_refusal_keeps_the_words_loses_the_secrets_and_says_what_to_do() {
    let xml =
        b"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/a is \
                not authorized: &quot;s3cret&quot;</Message></Error></ErrorResponse>";
    let words = "status 403: AccessDenied: User: arn:aws:iam::1:user/a is not authorized: \"[redacted]\" (the role's trust policy \
                 must let this identity assume it, with this external id if it names one)";
    assert_eq!(of_sts(StatusCode::FORBIDDEN, xml, &["s3cret"]).map(|_| ()), Err(lasting(words)));
    let expired = b"<ErrorResponse><Error><Code>ExpiredTokenException</Code><Message>Token expired</Message></Error></ErrorResponse>";
    let words =
        "status 400: ExpiredTokenException: Token expired (the keys or the token that assume the role have ended)";
    assert_eq!(of_sts(StatusCode::BAD_REQUEST, expired, &[]).map(|_| ()), Err(lasting(words)));
    let away = json(StatusCode::SERVICE_UNAVAILABLE, b"<html>", &[]);
    assert_eq!(away.map(|_| ()), Err(passing("status 503: <html>")));
    let failed =
        json(StatusCode::OK, br#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role"}"#, &[]);
    assert_eq!(
        failed.map(|_| ()),
        Err(lasting("status 200: AssumeRoleUnauthorizedAccess: EC2 cannot assume the role"))
    );
}
