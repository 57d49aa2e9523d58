use serde_json::json;

use super::*;

fn fields(value: Value) -> Fields {
    Fields::parse(value.to_string().as_bytes()).unwrap()
}

#[test]
fn absent_keeps_null_clears_and_a_value_replaces() {
    let mut limit = Some(5);
    fields(json!({})).count("rpm_limit").unwrap().set(&mut limit);
    assert_eq!(limit, Some(5));
    fields(json!({"rpm_limit": 7})).count("rpm_limit").unwrap().set(&mut limit);
    assert_eq!(limit, Some(7));
    fields(json!({"rpm_limit": null})).count("rpm_limit").unwrap().set(&mut limit);
    assert_eq!(limit, None);
}

#[test]
fn null_and_an_empty_list_both_empty_a_list() {
    for cleared in [json!(null), json!([])] {
        let mut models = vec!["m".to_string()];
        fields(json!({"models": cleared})).texts("models").unwrap().put(&mut models);
        assert_eq!(models, Vec::<String>::new());
    }
}

#[test]
fn an_error_says_which_field_and_what_it_takes() {
    let error = fields(json!({"rpm_limit": -3})).count("rpm_limit").unwrap_err();
    assert_eq!(error.told().param.as_deref(), Some("rpm_limit"));
    assert_eq!(error.told().message, "rpm_limit: must be a whole number of 0 or more, or null for no limit");
    let error = fields(json!({"role": "king"})).choice("role", &[("admin", 1), ("user", 2)]).unwrap_err();
    assert_eq!(error.told().message, "role: must be one of admin, user");
}

#[test]
fn what_nobody_takes_is_kept_and_null_takes_it_away() {
    let mut extra = Extra::new();
    fields(json!({"guardrails": ["a"], "config": {}})).keep_rest(&mut extra);
    fields(json!({"guardrails": null})).keep_rest(&mut extra);
    assert_eq!(Value::Object(extra), json!({"config": {}}));
}
