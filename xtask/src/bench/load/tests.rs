use super::*;
use crate::bench::{bodies, mock};

fn load(path: &'static str, body: String, end: &'static str) -> Load {
    Load { to: mock::start().unwrap(), path, body, mark: mock::MARK, end }
}

#[test]
fn every_answer_of_the_mock_counts_as_good() {
    assert_eq!(load(mock::CHAT, bodies::small_chat(), "}").once(), Ok(()));
    assert_eq!(load(mock::MESSAGES, bodies::large_messages(), "}").once(), Ok(()));
    assert_eq!(load(mock::MESSAGES, bodies::stream_messages(), "{\"type\":\"message_stop\"}").once(), Ok(()));
}

#[test]
fn an_answer_without_its_end_is_bad() {
    let cut = load(mock::MESSAGES, bodies::stream_messages(), "[DONE]");
    assert!(cut.once().is_err());
    let outcome = cut.run(1, Duration::from_millis(20));
    assert!(outcome.good == 0 && outcome.bad > 0, "{outcome:?}");
}
