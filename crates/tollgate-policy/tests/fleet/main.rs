//! Ten thousand requests over four deployments that become slow, fail, are throttled and recover, in simulated time: what the rules of
//! routing, rests and retries come to together.

mod upstream;
mod world;

use tollgate_policy::balance::Strategy;
use upstream::{CALM, TROUBLED};
use world::{Outcome, World};

const REQUESTS: usize = 10_000;

const STRATEGIES: [Strategy; 3] = [Strategy::Shuffle, Strategy::Latency, Strategy::LeastBusy];

fn ran(strategy: Strategy, upstreams: [upstream::Upstream; 4]) -> Outcome {
    let mut world = World::new(strategy, upstreams);
    world.run(REQUESTS);
    world.outcome
}

#[test]
fn while_nothing_fails_conversations_stay_where_their_prompt_is_cached() {
    for strategy in STRATEGIES {
        let outcome = ran(strategy, CALM);
        assert_eq!((outcome.answered, outcome.sent, outcome.gave_up), (REQUESTS, REQUESTS, 0), "{strategy:?}");
        assert!(outcome.further_turns > REQUESTS / 2, "{strategy:?}: {outcome:?}");
        let rate = outcome.stayed as f64 / outcome.further_turns as f64;
        assert!(rate > 0.95, "{strategy:?}: {rate}");
        // And yet the load is shared: a quarter each, give or take.
        assert!(outcome.by_deployment.iter().all(|count| *count > REQUESTS / 10), "{strategy:?}: {outcome:?}");
    }
}

#[test]
fn no_request_goes_to_a_deployment_that_rests_while_a_healthy_one_is_left() {
    for strategy in STRATEGIES {
        let outcome = ran(strategy, TROUBLED);
        assert!(outcome.rests > 5, "{strategy:?}: {outcome:?}");
        assert_eq!(outcome.in_vain, 0, "{strategy:?}: {outcome:?}");
    }
}

#[test]
fn trouble_costs_few_requests_beyond_one_each_and_nobody_notices() {
    for strategy in STRATEGIES {
        let outcome = ran(strategy, TROUBLED);
        let amplification = outcome.sent as f64 / REQUESTS as f64;
        assert!(outcome.failed > 20, "the trouble was felt, {strategy:?}: {outcome:?}");
        assert!(amplification < 1.2, "{strategy:?}: {amplification}");
        assert_eq!((outcome.answered, outcome.gave_up), (REQUESTS, 0), "{strategy:?}");
    }
}

#[test]
fn when_everything_is_down_retries_are_bounded_too() {
    let outcome = ran(Strategy::Shuffle, upstream::ALL_DOWN);
    assert_eq!(outcome.answered + outcome.gave_up, REQUESTS);
    assert!(outcome.gave_up > REQUESTS / 2, "{outcome:?}");
    // Each request may ask each deployment once; beyond that the route's budget of retries lets a fifth more through.
    let rounds = outcome.rounds as f64 / REQUESTS as f64;
    assert!(rounds < 1.25, "{rounds}: {outcome:?}");
}
