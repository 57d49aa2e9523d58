use super::*;

fn own() -> Reach {
    Reach::Some(Box::new(Own {
        key: "h0".into(),
        user: Some("ada".into()),
        teams: vec!["core".into(), "led".into()],
        admin_of_teams: vec!["led".into()],
        organisations: vec!["org".into()],
        ..Own::default()
    }))
}

fn key(user: Option<&str>, team: Option<&str>) -> VirtualKey {
    VirtualKey {
        hash: "h1".into(),
        user_id: user.map(Into::into),
        team_id: team.map(Into::into),
        ..VirtualKey::default()
    }
}

#[test]
fn a_user_changes_its_own_keys_and_those_of_teams_that_it_leads() {
    for (key, allowed) in [
        (key(Some("ada"), None), true),
        (key(Some("bob"), Some("led")), true),
        (key(None, Some("led")), true),
        (key(Some("bob"), Some("core")), false),
        (key(Some("bob"), None), false),
        (key(None, None), false),
    ] {
        assert_eq!(own().may(Right::Change, Subject::Key(&key)), allowed, "{key:?}");
    }
}

#[test]
fn members_see_their_team_and_admins_change_it() {
    assert!(own().may(Right::See, Subject::Team("core")));
    assert!(!own().may(Right::Change, Subject::Team("core")));
    assert!(own().may(Right::Change, Subject::Team("led")));
    assert!(!own().may(Right::See, Subject::Team("other")));
}

#[test]
fn the_key_itself_may_be_seen_by_who_holds_it_but_not_changed() {
    let mine = VirtualKey { hash: "h0".into(), ..VirtualKey::default() };
    assert!(own().may(Right::See, Subject::Key(&mine)));
    assert!(!own().may(Right::Change, Subject::Key(&mine)));
}

#[test]
fn a_viewer_sees_everything_and_changes_nothing() {
    for subject in [Subject::Team("core"), Subject::User("bob"), Subject::Organisation("x")] {
        assert!(Reach::SeesEverything.may(Right::See, subject));
        assert!(!Reach::SeesEverything.may(Right::Change, subject));
        assert!(Reach::Everything.may(Right::Change, subject));
    }
}

#[test]
fn a_refusal_to_touch_a_key_does_not_say_which_key() {
    let error = own().check(Right::Change, Subject::Key(&key(Some("bob"), None))).unwrap_err().told();
    assert_eq!((error.status, error.kind), (403, "auth_error"));
    assert!(!error.message.contains("h1"), "{}", error.message);
}
