use std::time::Duration;

use super::Files;
use crate::config::model::FairQueue;

const ONE: &str = "model_list: [{model_name: a, litellm_params: {model: ollama/a}}]\n";

#[test]
fn s20_the_queue_is_bounded_with_and_without_settings() {
    let queue = |more: &str| {
        let (config, problems) = Files::new(&format!("{ONE}{more}")).good();
        assert_eq!(problems, [""; 0]);
        config.settings.fair_queue
    };
    assert_eq!(queue(""), FairQueue { max_waiting: 1000, max_wait: Duration::from_secs(300) });
    assert_eq!(
        queue("tollgate_settings: {fair_queue: {max_waiting: 0, max_wait_s: 2.5}}\n"),
        FairQueue { max_waiting: 0, max_wait: Duration::from_millis(2500) }
    );
    assert_eq!(
        queue("tollgate_settings: {fair_queue: {max_wait_s: 20}}\n"),
        FairQueue { max_waiting: 1000, max_wait: Duration::from_secs(20) }
    );
}

#[test]
fn a_wait_of_nothing_is_an_error_with_its_place() {
    let problems = Files::new(&format!("{ONE}tollgate_settings: {{fair_queue: {{max_wait_s: 0}}}}\n")).bad();
    assert!(problems[0].contains("tollgate_settings.fair_queue.max_wait_s"), "{problems:?}");
}

#[test]
fn s20_a_deployments_own_number_goes_before_the_routers_default() {
    let yaml = "model_list:
  - {model_name: own, litellm_params: {model: ollama/a, max_parallel_requests: 3}}
  - {model_name: none, litellm_params: {model: ollama/a, max_parallel_requests: 0}}
  - {model_name: default, litellm_params: {model: ollama/a}}
router_settings: {default_max_parallel_requests: 7}
";
    let (config, problems) = Files::new(yaml).good();
    assert_eq!(problems, [""; 0]);
    let limits: Vec<Option<u32>> = config.deployments.iter().map(|deployment| deployment.limits.parallel).collect();
    assert_eq!(limits, [Some(3), None, Some(7)]);
}
