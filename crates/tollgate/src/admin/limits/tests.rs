use serde_json::json;

use super::*;

// 2026-11-26T00:00:00Z
const NOW: u64 = 1_795_651_200_000;

fn taken(limits: &mut Limits, extra: &mut Extra, value: Value) {
    let mut fields = Fields::parse(value.to_string().as_bytes()).unwrap();
    read(&mut fields, limits, extra).unwrap();
}

fn told(limits: &Limits, extra: &Extra) -> Value {
    let mut row = Map::new();
    write(&mut row, limits, extra, NOW, &TimeZone::UTC);
    Value::Object(row)
}

#[test]
fn what_is_set_is_shown_as_it_was_given() {
    let (mut limits, mut extra) = Default::default();
    let given = json!({
        "max_budget": 10.5, "budget_duration": "30d", "tpm_limit": 1000, "rpm_limit": 5, "max_parallel_requests": 2,
        "soft_budget": 8, "budget_limits": [{"max_budget": 1, "budget_duration": "1d"}],
        "model_max_budget": {"gpt-4o": {"budget_limit": "0.0000001", "time_period": "1d"}},
        "model_rpm_limit": {"gpt-4o": 3}, "model_tpm_limit": {"gpt-4o": 300},
    });
    taken(&mut limits, &mut extra, given);
    let row = told(&limits, &extra);
    assert_eq!(row["max_budget"], 10.5);
    assert_eq!(row["budget_duration"], "30d");
    // The calendar's month ends with November.
    assert_eq!(row["budget_reset_at"], "2026-12-01T00:00:00.000000+00:00");
    assert_eq!(
        (&row["tpm_limit"], &row["rpm_limit"], &row["max_parallel_requests"]),
        (&json!(1000), &json!(5), &json!(2))
    );
    assert_eq!(row["soft_budget"], 8.0);
    assert_eq!(row["budget_limits"], json!([{"max_budget": 1.0, "budget_duration": "1d"}]));
    assert_eq!(row["model_max_budget"], json!({"gpt-4o": {"max_budget": 1e-7, "budget_duration": "1d"}}));
    assert_eq!(row["model_rpm_limit"], json!({"gpt-4o": 3}));
    assert_eq!(row["model_tpm_limit"], json!({"gpt-4o": 300}));
}

#[test]
fn null_and_empty_clear_every_limit_and_the_row_shows_none() {
    let (mut limits, mut extra) = Default::default();
    let given = json!({
        "max_budget": 1, "budget_duration": "1d", "tpm_limit": 1, "rpm_limit": 1, "tpd_limit": 1, "soft_budget": 1,
        "max_parallel_requests": 1, "budget_limits": [{"max_budget": 1}], "model_max_budget": {"m": 1},
        "model_rpm_limit": {"m": 1}, "temp_budget_increase": 5, "temp_budget_expiry": "2030-01-01",
    });
    taken(&mut limits, &mut extra, given);
    let cleared = json!({
        "max_budget": null, "budget_duration": null, "tpm_limit": null, "rpm_limit": null, "tpd_limit": null,
        "soft_budget": null, "max_parallel_requests": null, "budget_limits": [], "model_max_budget": {},
        "model_rpm_limit": null, "temp_budget_increase": null,
    });
    taken(&mut limits, &mut extra, cleared);
    assert_eq!(limits, Limits::default());
    let row = told(&limits, &extra);
    for field in
        ["max_budget", "budget_duration", "budget_reset_at", "tpm_limit", "rpm_limit", "tpd_limit", "soft_budget"]
    {
        assert_eq!(row[field], Value::Null, "{field}");
    }
    assert_eq!((&row["budget_limits"], &row["model_max_budget"]), (&json!([]), &json!({})));
}

#[test]
fn amount_and_duration_are_changed_each_without_the_other() {
    let (mut limits, mut extra) = Default::default();
    taken(&mut limits, &mut extra, json!({"budget_duration": "1mo"}));
    assert_eq!(limits.budget, None);
    taken(&mut limits, &mut extra, json!({"max_budget": 2}));
    assert_eq!(limits.budget, Some(Budget { max_nanos: 2_000_000_000, window: Window::Month }));
    assert_eq!(told(&limits, &extra)["budget_duration"], "1mo");
    taken(&mut limits, &mut extra, json!({"budget_duration": null}));
    assert_eq!(limits.budget, Some(Budget { max_nanos: 2_000_000_000, window: Window::Total }));
}

#[test]
fn a_model_budget_that_cannot_be_read_is_refused_with_what_is_allowed() {
    let mut fields = Fields::parse(br#"{"model_max_budget": {"m": {"max_budget": "ten"}}}"#).unwrap();
    let error = read(&mut fields, &mut Limits::default(), &mut Extra::new()).unwrap_err().told();
    assert_eq!(error.param.as_deref(), Some("model_max_budget"));
    assert!(error.message.contains("`max_budget` in dollars"), "{}", error.message);
}
