use super::*;
use crate::gemini::testing::told;

fn events(body: &str) -> Result<String, AnswerError> {
    let mut events = Vec::new();
    decode(body.as_bytes(), &mut |event| events.push(event.into_owned()))?;
    Ok(told(&events))
}

#[test]
fn an_answer_in_one_piece_needs_no_reason_and_an_array_does() {
    let piece = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#;
    assert_eq!(events(piece), Ok("a|EndTurn".into()));
    assert_eq!(events(&format!("[{piece}]")), Err(AnswerError::Cut));
    assert_eq!(events(" "), Err(AnswerError::Empty));
    assert_eq!(events("[]"), Err(AnswerError::Empty));
}

#[test]
fn a_candidate_without_content_is_an_empty_answer() {
    assert_eq!(events(r#"{"candidates":[{"finishReason":"STOP"}]}"#), Ok("|EndTurn".into()));
    assert_eq!(
        events(r#"{"candidates":[{"content":{"role":"model"},"finishReason":"MAX_TOKENS"}]}"#),
        Ok("|MaxTokens".into())
    );
}

#[test]
fn a_count_is_a_total() {
    assert_eq!(encode_count(31), br#"{"totalTokens":31}"#);
}
