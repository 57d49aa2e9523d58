use super::*;

#[test]
fn an_id_alone_is_a_question_about_a_request_and_everything_else_a_text() {
    let id = "req_019a8f0c2b7d7f3e8a1c5d9e0f4b6a72";
    assert_eq!(Question::new(&format!(" {id}\n")), Question::RequestId(id.into()));
    for text in [format!("{id} failed"), "req_011CVXyz".into(), "req_".into(), String::new()] {
        assert_eq!(Question::new(&text), Question::Text(text.clone()));
    }
}

#[test]
fn an_id_inside_an_unknown_text_is_named_in_the_next_step() {
    let steps = next_steps("odd failure (request_id: req_019a8f0c2b7d7f3e8a1c5d9e0f4b6a72)");
    assert!(steps[1].contains("`tollgate explain req_019a8f0c2b7d7f3e8a1c5d9e0f4b6a72`"), "{steps:?}");
}

#[test]
fn every_signature_fits_a_narrow_terminal() {
    for signature in signatures::topics().iter().flat_map(|topic| &topic.signatures) {
        let text = shown("", &[signature], Layout::plain(60));
        for line in
            text.lines().filter(|line| !line.contains("://") && !line.contains('`') && !line.starts_with("      "))
        {
            assert!(line.chars().count() <= 60 || line.split_whitespace().count() == 1, "{}: {line}", signature.id);
        }
    }
}
