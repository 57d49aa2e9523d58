use super::*;

fn check(yaml: &str, json: bool) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, yaml).expect("written");
    let mut report = report(&path, &config::load(&path, &|_| None), json);
    for text in [&mut report.problems, &mut report.answer] {
        *text = text.replace(&format!("{}/", folder.path().display()), "");
    }
    report
}

#[test]
fn a_good_file_shows_where_its_routes_lead() {
    let report = check(
        "model_list:
  - model_name: kimi-k2.5
    litellm_params: {model: openai/kimi-k2.5, api_base: 'https://user:secret@llm.example.com/v1', api_key: sk-x}
  - model_name: local
    litellm_params: {model: ollama/qwen3}
  - model_name: claude
    litellm_params: {model: anthropic/claude-opus-5, api_key: sk-y}
router_settings:
  model_group_alias: {fast: local}
",
        false,
    );
    assert_eq!(report.problems, "");
    assert_eq!(
        report.answer,
        "kimi-k2.5 → openai_like/kimi-k2.5 @ https://llm.example.com/v1
local     → ollama/qwen3 @ http://localhost:11434/v1
claude    → anthropic/claude-opus-5 @ https://api.anthropic.com (Messages)
fast      → local
config.yaml: good
"
    );
    assert_eq!(report.exit, 0);
}

#[test]
fn a_broken_file_shows_place_message_and_hint_and_exits_with_2() {
    let report = check("model_list:\n  - model_name: x\n    litellm_params:\n      api_base: https://x/v1\n", false);
    assert_eq!(
        report.problems,
        "config.yaml:2:5: model_list[0].litellm_params.model: is missing: a deployment needs the provider's name for the model
    hint: write `model: PROVIDER/NAME`, such as `model: openrouter/moonshotai/kimi-k2.5`
"
    );
    assert_eq!((report.answer.as_str(), report.exit), ("", 2));
}

#[test]
fn warnings_alone_are_good() {
    let report =
        check("model_list:\n  - model_name: x\n    litellm_params: {model: ollama/x}\nrouter_setings: {a: 1}\n", false);
    assert_eq!(
        report.problems,
        "config.yaml:4:1: warning: router_setings: is not a known key and has no effect\n    hint: did you mean `router_settings`?\n"
    );
    assert_eq!(report.exit, 0);
    assert!(report.answer.ends_with("config.yaml: good, with 1 remark\n"));
}

#[test]
fn json_has_the_same_for_programs() {
    let report = check("model_list: []\n", true);
    let value: serde_json::Value = serde_json::from_str(&report.answer).expect("is JSON");
    assert_eq!((value["ok"].as_bool(), report.exit), (Some(false), 2));
    assert_eq!(value["problems"][0]["severity"], "error");
    assert_eq!(value["problems"][0]["line"], 1);
    let good = check("model_list: [{model_name: x, litellm_params: {model: ollama/y}}]\n", true);
    let value: serde_json::Value = serde_json::from_str(&good.answer).expect("is JSON");
    assert_eq!(value["routes"][0]["provider"], "ollama");
}

#[test]
fn captures_are_a_note_that_names_the_folder() {
    let yaml = "model_list: [{model_name: x, litellm_params: {model: ollama/x}}]\ntollgate_settings: {capture: true}\n";
    let report = check(yaml, false);
    assert!(report.problems.starts_with("config.yaml:2:30: note: tollgate_settings.capture: bodies of requests"));
    assert!(
        report.problems.contains("are stored in the folder `captures` of the data directory"),
        "{}",
        report.problems
    );
    assert_eq!(report.exit, 0);
}
