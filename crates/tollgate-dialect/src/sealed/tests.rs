use super::*;

fn state(family: &str, details: Option<&'static str>) -> SealedState<'static> {
    SealedState { family: family.into(), details: details.map(Json::literal) }
}

#[test]
fn what_was_sealed_opens_again() {
    let seal = Seal::new(b"secret");
    for state in [
        state("deepseek", None),
        state("openrouter", Some(r#"[{"type":"reasoning.encrypted","data":"a\"b=="}]"#)),
        state("", Some("null")),
    ] {
        let envelope = seal.seal(&state);
        assert!(is_ours(&envelope));
        assert_eq!(seal.open(&envelope), Opened::Ours(state));
    }
}

#[test]
fn an_envelope_is_the_same_every_time_and_needs_no_escape() {
    let seal = Seal::new(b"secret");
    let a = seal.seal(&state("kimi", Some("[1]")));
    assert_eq!(a, Seal::new(b"secret").seal(&state("kimi", Some("[1]"))));
    assert!(a.escaped().bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')));
}

#[test]
fn every_single_changed_character_breaks_the_envelope() {
    let seal = Seal::new(b"secret");
    let good = seal.seal(&state("kimi", Some("[1,2]"))).escaped().to_string();
    for at in PREFIX.len()..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(bytes).unwrap();
        assert_eq!(seal.open(&Text::plain(&forged)), Opened::Broken, "changed at {at}");
    }
    for cut in PREFIX.len()..good.len() {
        assert_eq!(seal.open(&Text::plain(&good[..cut])), Opened::Broken, "cut at {cut}");
    }
}

#[test]
fn another_key_does_not_open_it() {
    let envelope = Seal::new(b"one").seal(&state("kimi", None));
    assert_eq!(Seal::new(b"two").open(&envelope), Opened::Broken);
}

#[test]
fn signatures_of_others_are_foreign() {
    let seal = Seal::new(b"secret");
    for signature in ["", "EqQBCkYICxgCKkBq", "tg", "TG1.x"] {
        assert_eq!(seal.open(&Text::plain(signature)), Opened::Foreign);
    }
}

#[test]
fn the_key_is_not_shown() {
    assert_eq!(format!("{:?}", Seal::new(b"secret")), "Seal([redacted])");
}

#[test]
fn a_bare_state_opens_for_nobody_but_is_found_again() {
    let details = Json::literal(r#"{"encrypted_content":"a\"b"}"#);
    let bare = bare(&details);
    assert!(is_ours(&bare));
    assert_eq!(Seal::new(b"secret").open(&bare), Opened::Broken);
    assert_eq!(bare_details(&bare), Some(details.clone()));
    let envelope = Seal::new(b"secret").seal(&SealedState { family: "a".into(), details: Some(details) });
    assert_eq!(bare_details(&envelope), None);
    assert_eq!(bare_details(&Text::plain("tg1.={broken")), None);
}
