//! How often an upstream is asked, and what the log says of it.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Ending, SimConfig, Step};

use crate::script::{error, step};
use crate::support::fleet::{Fleet, ship};
use crate::support::isolated;
use crate::support::stage::{BOTH, Client, Upstream, has};
use crate::table::{Fault, Form, WORDS};

/// The JSON lines of the log of one request with this message, once the request is over.
async fn lines(fleet: &Fleet, id: &str, message: &str) -> Vec<Value> {
    let over = format!("\"request_id\":\"{id}\",\"status\":");
    let log = fleet.gateway.logged(&over).await;
    let lines = log.lines().filter(|line| line.contains(id)).map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["message"] == message || line["fields"]["message"] == message).collect()
}

#[test]
fn every_attempt_is_counted_and_a_failure_that_does_not_end_the_request_has_its_line() {
    isolated(|| async {
        let status = |status| Step::json(status, &error(Upstream::Chat, status));
        let cut = step(Fault::CutAfterText, Form::Stream, Upstream::Chat, Ending::Close);
        let mut again = ship("again", status(500)).with(json!({"num_retries": 2}));
        again.sim = SimConfig::default().step(status(500).times(2));
        let ships = vec![
            ship("all", status(500)),
            ship("all", Step::refused(Ending::Reset)),
            ship("backup", status(503)),
            again,
            ship("cut", cut),
            ship("refused", status(400)),
            ship("well", Step::text("fine")),
            ship("small", Step::json(400, &json!({"error": {"message": "prompt is too long"}}))),
            ship("large", Step::text("it fits")),
        ];
        let fallbacks = json!({"fallbacks": [{"all": ["backup"]}], "context_window_fallbacks": [{"small": ["large"]}]});
        let fleet = Fleet::start(ships, json!({"router_settings": fallbacks})).await;
        let rows: [(&str, u16, &str, &[&str], &str); 6] = [
            ("all", 502, "3", &["d0", "d1", "d2"], "request failed"),
            ("again", 200, "3", &["d3", "d3"], "request"),
            ("cut", 200, "1", &[], "request failed"),
            ("refused", 400, "1", &[], "request failed"),
            ("well", 200, "1", &[], "request"),
            ("small", 200, "2", &["d7"], "request"),
        ];
        for (route, status, attempts, failed, end) in rows {
            let answer = fleet.ask(Client::Chat, &Client::Chat.hello(json!({"model": route, "stream": true}))).await;
            assert_eq!(answer.status, status, "{route}: {}", answer.text());
            assert_eq!(answer.header("x-tollgate-attempts"), Some(attempts), "{route}");
            let id = answer.header("request-id").unwrap();
            // The line of a request that one failure ended tells of that failure.
            let told = lines(&fleet, id, "attempt failed").await;
            let deployments: Vec<&str> = told.iter().map(|line| field(line, "deployment")).collect();
            assert_eq!(deployments, failed, "{route}");
            assert_eq!(lines(&fleet, id, end).await.len(), 1, "{route}: {}", fleet.gateway.log());
            if route == "all" {
                has(field(&told[0], "error"), WORDS);
                // The client is told the last failure of the route that it asked for, and whose it was.
                has(&answer.text(), "closed before an answer");
                assert_eq!(answer.header("x-tollgate-deployment"), Some("d1"));
            }
        }
        assert_eq!(fleet.counts(), [1, 1, 1, 3, 1, 1, 1, 1, 1]);
    });
}

#[test]
fn of_several_failures_the_client_is_told_one_that_may_pass_and_the_shortest_wait() {
    isolated(|| async {
        let status = |status| Step::json(status, &error(Upstream::Messages, status));
        let wait = |seconds: &str| status(429).header("retry-after", seconds);
        let rows = [
            // (first, second): status, deployment, retry-after, x-should-retry
            (status(401), status(503), (503, "d1", None, None)),
            (status(503), status(401), (503, "d0", None, None)),
            (status(401), status(404), (404, "d1", None, Some("false"))),
            (wait("30"), status(401), (429, "d0", Some("30"), None)),
            (wait("30"), wait("90"), (429, "d1", Some("30"), None)),
            (wait("90"), wait("30"), (429, "d1", Some("30"), None)),
        ];
        for (first, second, expected) in rows {
            let ships = [first, second].map(|step| ship("m", step).speaks(Upstream::Messages));
            let fleet = Fleet::start(ships.into(), json!({})).await;
            let answer = fleet.ask(Client::Messages, &Client::Messages.hello(json!({}))).await;
            let header = |name| answer.header(name);
            let told = (
                answer.status.as_u16(),
                header("x-tollgate-deployment").unwrap(),
                header("retry-after"),
                header("x-should-retry"),
            );
            assert_eq!(told, expected, "{}", answer.text());
            assert_eq!(header("x-tollgate-attempts"), Some("2"));
            assert_eq!(fleet.counts(), [1, 1]);
        }
    });
}

#[test]
fn a_client_gives_up_only_if_neither_the_route_nor_its_fallbacks_may_answer_another_time() {
    isolated(|| async {
        let status = |status| Step::json(status, &error(Upstream::Chat, status));
        for (fallback, should_retry) in [(status(503), None), (status(403), Some("false"))] {
            let ships = vec![ship("m", status(401)), ship("backup", fallback)];
            let fleet = Fleet::start(ships, json!({"router_settings": {"fallbacks": [{"m": ["backup"]}]}})).await;
            for client in BOTH {
                let answer = fleet.ask(client, &client.hello(json!({}))).await;
                // The first failure is the cause of all, and the client is told that one.
                assert_eq!(answer.status, 502, "{}", answer.text());
                assert_eq!(answer.header("x-tollgate-deployment"), Some("d0"));
                assert_eq!(answer.header("x-tollgate-upstream-status"), Some("401"));
                assert_eq!(answer.header("x-should-retry"), should_retry);
            }
            assert_eq!(fleet.counts(), [2, 2]);
        }
    });
}

fn field<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().or(line["fields"][name].as_str()).unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[test]
fn a_client_that_leaves_between_two_retries_is_not_asked_for_any_more() {
    isolated(|| async {
        let cases: Vec<_> = BOTH.iter().flat_map(|&client| [true, false].map(|stream| (client, stream))).collect();
        let broken = || Step::json(500, &error(Upstream::Chat, 500));
        let ships = (0..cases.len()).map(|n| ship(&format!("route-{n}"), broken()).with(json!({"num_retries": 5})));
        let fleet = Fleet::start(ships.collect(), json!({"router_settings": {"retry_after": 3}})).await;
        {
            let asking = cases.iter().enumerate().map(|(n, (client, stream))| {
                let body = client.hello(json!({"model": format!("route-{n}"), "stream": stream}));
                let fleet = &fleet;
                async move { fleet.ask(*client, &body).await }
            });
            let answered = async { futures_util::future::join_all(asking).await.len() };
            let failed = async {
                for sim in &fleet.sims {
                    sim.wait_until(|requests| !requests.is_empty()).await;
                }
                // Every route is in its pause once its failure is logged.
                while fleet.gateway.log().matches("attempt failed").count() < cases.len() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::select! {
                n = answered => panic!("{n} answers came before the first retry"),
                () = failed => {}
            }
        }
        let gone = async {
            while fleet.gateway.log().matches("client went away").count() < cases.len() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the gateway sees that its clients left");
        // Longer than the pause: a retry would have come.
        tokio::time::sleep(Duration::from_millis(3500)).await;
        assert_eq!(fleet.counts(), vec![1; cases.len()]);
    });
}
