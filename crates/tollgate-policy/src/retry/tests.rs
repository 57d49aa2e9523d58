use super::*;

#[test]
fn a_class_with_a_number_of_its_own_goes_before_the_default_and_that_before_the_deployments() {
    let mut policy = RetryPolicy { default: None, by_class: vec![(Class::RateLimit, 5), (Class::Timeout, 0)] };
    assert_eq!(policy.retries(Class::RateLimit, 2), 5);
    assert_eq!(policy.retries(Class::Timeout, 2), 0);
    assert_eq!(policy.retries(Class::InternalServer, 2), 2);
    policy.default = Some(1);
    assert_eq!(policy.retries(Class::InternalServer, 2), 1);
}

#[test]
fn pauses_double_up_to_a_limit_and_vary_by_a_quarter() {
    let none = Duration::ZERO;
    let longest: Vec<u128> = (0..6).map(|n| pause(n, none, 0).as_millis()).collect();
    assert_eq!(longest, [500, 1000, 2000, 4000, 8000, 8000]);
    for chance in 0..1000 {
        let pause = pause(1, none, chance).as_millis();
        assert!((750..=1000).contains(&pause), "{pause}");
    }
    assert_eq!(pause(1, none, 250).as_millis(), 750);
}

#[test]
fn a_pause_is_never_shorter_than_the_upstream_asked() {
    for chance in 0..1000 {
        assert!(pause(0, Duration::from_secs(3), chance) >= Duration::from_secs(3));
        assert!(pause(0, Duration::from_secs(60), chance) >= Duration::from_secs(60));
    }
}

#[test]
fn a_route_under_load_retries_at_most_a_fifth_of_its_requests() {
    let mut budget = RetryBudget::default();
    let mut retries = 0;
    for _ in 0..1000 {
        budget.deposit();
        // All at one time: nothing comes back by waiting.
        retries += u32::from(budget.withdraw(0));
    }
    // 10 of the reserve and a fifth of 1000.
    assert_eq!(retries, 210);
}

#[test]
fn without_traffic_a_retry_comes_back_every_second_up_to_the_reserve() {
    let mut budget = RetryBudget::default();
    let all = |budget: &mut RetryBudget, now| (0..100).filter(|_| budget.withdraw(now)).count();
    assert_eq!(all(&mut budget, 0), 10);
    assert_eq!(all(&mut budget, 999), 0);
    assert_eq!(all(&mut budget, 3000), 3);
    assert_eq!(all(&mut budget, 3_600_000), 10);
}
