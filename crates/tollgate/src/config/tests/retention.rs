use std::time::Duration;

use super::*;
use crate::config::model::Retention;

const HOUR: u64 = 3_600;

fn general(lines: &str) -> Files {
    Files::new(&format!(
        "model_list:\n  - {{model_name: a, litellm_params: {{model: openai/a, api_base: http://h/v1, api_key: k}}}}\n\
         general_settings: {{{lines}}}\n"
    ))
}

#[test]
fn rows_of_the_ledger_are_kept_for_ever_or_as_long_as_litellms_key_says() {
    for (lines, keep, look_every) in [
        ("", None, HOUR),
        ("maximum_spend_logs_retention_period: 7d", Some(7 * 24 * HOUR), HOUR),
        (
            "maximum_spend_logs_retention_period: 12h, maximum_spend_logs_retention_interval: 1d",
            Some(12 * HOUR),
            24 * HOUR,
        ),
        (
            "maximum_spend_logs_retention_period: 30d, maximum_spend_logs_retention_interval: 90s",
            Some(30 * 24 * HOUR),
            90,
        ),
        ("maximum_spend_logs_retention_period: 2mo", Some(60 * 24 * HOUR), HOUR),
    ] {
        let (config, problems) = general(lines).good();
        assert_eq!(problems, [""; 0], "{lines}");
        let wanted = Retention { keep: keep.map(Duration::from_secs), look_every: Duration::from_secs(look_every) };
        assert_eq!(config.settings.retention, wanted, "{lines}");
    }
}

#[test]
fn rows_are_kept_for_an_hour_at_least_and_what_is_no_duration_is_an_error() {
    let (config, problems) = general("maximum_spend_logs_retention_period: 30s").good();
    assert_eq!(config.settings.retention.keep, Some(Duration::from_secs(HOUR)));
    assert!(problems[0].contains("an hour at least"), "{problems:?}");
    let problems = general("maximum_spend_logs_retention_period: a while").bad();
    assert!(problems[0].contains("`a while` is no duration such as 12h or 30d"), "{problems:?}");
}
