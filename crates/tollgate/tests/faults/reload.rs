//! S10: what a failing upstream is called, and a configuration that changes while requests fail.

use serde_json::json;
use tollgate_sim::{Sim, SimConfig, Step};

use crate::script::error;
use crate::support::fleet::{Fleet, ship};
use crate::support::isolated;
use crate::support::stage::{BOTH, Client, PROVIDER_KEY, Upstream, config, has, merged};
use crate::table::WORDS;

#[test]
fn s10_a_5xx_keeps_the_upstreams_words_and_names_the_deployment() {
    isolated(|| async {
        for upstream in [Upstream::Chat, Upstream::Messages] {
            for status in [500, 503, 520] {
                let fleet = Fleet::start(
                    vec![ship("m", Step::json(status, &error(upstream, status))).speaks(upstream)],
                    json!({}),
                )
                .await;
                for client in BOTH {
                    let answer = fleet.ask(client, &client.hello(json!({}))).await;
                    assert!(answer.status.is_server_error(), "{}", answer.text());
                    has(&answer.text(), WORDS);
                    assert_eq!(answer.header("x-tollgate-deployment"), Some("d0"));
                    if upstream.speaks() != client {
                        assert!(client.error(&answer).1.starts_with("m: "), "{}", answer.text());
                    }
                }
            }
        }
    });
}

#[test]
fn s10_a_changed_configuration_is_in_force_without_a_restart_and_rests_survive_it() {
    isolated(|| async {
        let busy = Step::json(429, &error(Upstream::Chat, 429)).header("retry-after", "600");
        let mut fleet = Fleet::start(vec![ship("m", busy)], json!({})).await;
        let client = Client::Messages;
        assert_eq!(fleet.ask(client, &client.hello(json!({}))).await.status, 429);
        let unknown = fleet.ask(client, &client.hello(json!({"model": "backup"}))).await;
        assert_eq!(unknown.status, 404, "{}", unknown.text());
        let pid = fleet.gateway.pid();

        // A second deployment, a new route, and a fallback to it.
        let broken = Step::json(500, &error(Upstream::Chat, 500));
        let mut entries = vec![Upstream::Chat.entry(&fleet.sims[0], "m", json!({"num_retries": 0}))];
        for (name, step) in [("m", broken), ("backup", Step::text("from the new route"))] {
            let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY).step(step.always())).await;
            entries.push(Upstream::Chat.entry(&sim, name, json!({"num_retries": 0})));
            fleet.sims.push(sim);
        }
        for (n, entry) in entries.iter_mut().enumerate() {
            entry["model_info"] = json!({"id": format!("d{n}")});
            entry["litellm_params"]["order"] = json!(n);
        }
        let changed = merged(config(&entries), json!({"router_settings": {"fallbacks": [{"m": ["backup"]}]}}));
        std::fs::write(fleet.gateway.config_file(), changed.to_string()).unwrap();
        fleet.gateway.logged("configuration reloaded").await;

        let answer = fleet.ask(client, &client.hello(json!({}))).await;
        assert_eq!(client.text(&answer), "from the new route");
        assert_eq!(answer.header("x-tollgate-deployment"), Some("d2"));
        assert_eq!(answer.header("x-tollgate-attempts"), Some("2"));
        // The first is still left alone as it asked for.
        assert_eq!(fleet.counts(), [1, 1, 1]);
        assert_eq!(
            client.text(&fleet.ask(client, &client.hello(json!({"model": "backup"}))).await),
            "from the new route"
        );

        // A broken file changes nothing.
        std::fs::write(fleet.gateway.config_file(), "model_list: [{").unwrap();
        fleet.gateway.logged("stays in force").await;
        assert_eq!(client.text(&fleet.ask(client, &client.hello(json!({}))).await), "from the new route");
        assert_eq!(fleet.gateway.pid(), pid);
    });
}
