use super::Files;
use crate::config::model::CaptureRules;

fn read(capture: &str) -> (Option<CaptureRules>, Vec<String>) {
    let yaml = format!(
        "model_list: [{{model_name: a, litellm_params: {{model: ollama/a}}}}]\ntollgate_settings:\n  capture: {capture}\n"
    );
    let (config, problems) = Files::new(&yaml).good();
    (config.settings.capture, problems)
}

#[test]
fn without_the_key_or_with_false_nothing_is_captured() {
    let without = Files::new("model_list: [{model_name: a, litellm_params: {model: ollama/a}}]\n").good();
    assert_eq!((without.0.settings.capture, without.1), (None, vec![]));
    assert_eq!(read("false"), (None, vec![]));
    assert_eq!(read(""), (None, vec![]));
}

#[test]
fn every_form_is_read_and_one_note_says_what_is_stored_where() {
    let all = CaptureRules { models: vec![], failures_only: false, on_request: false, max_bytes: 64 * 1024 * 1024 };
    let asked = CaptureRules { on_request: true, ..all.clone() };
    let some = CaptureRules {
        models: vec![tollgate_policy::glob::Glob::new("kimi-*"), tollgate_policy::glob::Glob::new("glm-5")],
        failures_only: true,
        max_bytes: 5 * 1024 * 1024,
        on_request: false,
    };
    let forms =
        [("true", all), ("on_request", asked), ("{models: ['kimi-*', glm-5], failures_only: true, max_mb: 5}", some)];
    for (text, expected) in forms {
        let (rules, problems) = read(text);
        assert_eq!(rules, Some(expected), "{text}");
        let [note] = problems.as_slice() else { panic!("one note: {problems:?}") };
        assert!(note.starts_with("config.yaml:3:12: note: tollgate_settings.capture: bodies of requests and answers"));
        assert!(note.contains("`captures` of the data directory"), "{note}");
    }
}

#[test]
fn what_cannot_be_understood_is_an_error_and_never_captures_by_mistake() {
    for (text, place) in [
        ("sometimes", "capture:"),
        ("[kimi]", "capture:"),
        ("{model: a}", "capture.model:"),
        ("{models: []}", "models:"),
    ] {
        let yaml = format!(
            "model_list: [{{model_name: a, litellm_params: {{model: ollama/a}}}}]\ntollgate_settings:\n  capture: {text}\n"
        );
        let problems = Files::new(&yaml).bad();
        assert!(problems.iter().any(|line| line.contains(place) && !line.contains("note:")), "{text}: {problems:?}");
    }
}
