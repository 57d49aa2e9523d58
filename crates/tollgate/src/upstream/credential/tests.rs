use super::*;

fn lasting(seconds: u64) -> State {
    let ends = Instant::now() + Duration::from_secs(seconds);
    State { token: Some(Token { secret: Secret::new("t"), ends }.into()), ..State::default() }
}

#[tokio::test(start_paused = true)]
async fn s27_a_token_is_due_for_replacement_before_its_last_five_minutes_begin() {
    for (seconds, good, due) in [
        (3600, true, false),
        (361, true, false),
        (360, true, true),
        (301, true, true),
        (11, true, true),
        (10, false, true),
    ] {
        let (state, now) = (lasting(seconds), Instant::now());
        assert_eq!(state.good(now).is_some(), good, "{seconds}");
        assert_eq!(state.is_to_be_replaced(now), due, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_could_not_be_replaced_is_tried_again_after_half_a_minute() {
    let mut state = lasting(300);
    state.replace_after = Some(Instant::now() + PAUSE);
    assert!(!state.is_to_be_replaced(Instant::now()));
    tokio::time::advance(Duration::from_secs(30)).await;
    assert!(state.is_to_be_replaced(Instant::now()));
}
