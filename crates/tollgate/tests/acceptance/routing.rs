//! Which deployment is asked, and what happens when it fails.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Answer, Ending, Faults, Step};

use crate::fleet::{Fleet, Ship, ship};
use crate::stage::{BOTH, Client, Upstream, has, merged};
use crate::support::isolated;

fn refused(status: u16, words: &str) -> Step {
    Step::json(status, &json!({"error": {"message": words, "type": "some_error", "code": null}}))
}

fn text(words: &str) -> Step {
    Step::text(words)
}

#[test]
fn s26_a_deployment_that_asks_for_a_rest_gets_it_and_another_is_asked_at_once() {
    isolated(|| async {
        let ships = vec![ship("m", refused(429, "slow down").header("retry-after", "30")), ship("m", text("from b"))];
        let fleet = Fleet::start(ships, json!({})).await;
        for client in BOTH {
            for stream in [false, true] {
                let answer = fleet.ask(client, &client.hello(json!({"stream": stream}))).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert_eq!(answer.header("x-tollgate-deployment"), Some("d1"));
            }
        }
        // The first was asked once; it rests since.
        assert_eq!(fleet.counts(), [1, 4]);
    });
}

#[test]
fn s26_when_all_rest_nobody_is_asked_and_the_client_is_told_how_long() {
    isolated(|| async {
        let ships = vec![
            ship("m", refused(429, "slow down").header("retry-after", "30")),
            ship("m", refused(429, "you too").header("retry-after", "90")),
        ];
        let fleet = Fleet::start(ships, json!({})).await;
        assert_eq!(fleet.ask(Client::Chat, &Client::Chat.hello(json!({}))).await.status, 429);
        assert_eq!(fleet.counts(), [1, 1]);
        for client in BOTH {
            let answer = fleet.ask(client, &client.hello(json!({}))).await;
            assert_eq!(answer.status, 429, "{}", answer.text());
            let (kind, message) = client.error(&answer);
            assert_eq!(kind, "rate_limit_error");
            has(&message, "slow down");
            let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
            assert!((25..=30).contains(&seconds), "{seconds}");
            assert_eq!(answer.header("x-tollgate-upstream-status"), Some("429"));
            assert_eq!(answer.header("x-tollgate-reason"), Some("resting"));
        }
        assert_eq!(fleet.counts(), [1, 1]);
    });
}

#[test]
fn s26_a_short_rest_is_waited_for_if_retries_are_allowed() {
    isolated(|| async {
        let mut ship = ship("m", text("at last")).with(json!({"num_retries": 1}));
        ship.sim = tollgate_sim::SimConfig::default().step(refused(429, "slow down").header("retry-after", "1"));
        let fleet = Fleet::start(vec![ship], json!({})).await;
        let began = std::time::Instant::now();
        let answer = fleet.ask(Client::Messages, &Client::Messages.hello(json!({}))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert_eq!(answer.header("x-tollgate-attempts"), Some("2"));
    });
}

#[test]
fn s18_a_model_that_is_gone_is_told_apart_from_one_that_is_away() {
    isolated(|| async {
        // OpenRouter's words for both.
        let gone = refused(404, "No endpoints found for moonshotai/kimi-k2:free.");
        let away = refused(503, "There is no available model provider that meets your routing requirements");
        let rows = [
            (gone, 404, 404, "model_gone", "not_found_error", Some("false"), 1),
            (away, 529, 503, "temporarily_unavailable", "overloaded_error", None, 3),
        ];
        for (step, status, chat_status, reason, kind, should_retry, requests) in rows {
            let fleet = Fleet::start(vec![ship("m", step).with(json!({"num_retries": 2}))], json!({})).await;
            let answer = fleet.ask(Client::Messages, &Client::Messages.hello(json!({}))).await;
            assert_eq!(answer.status, status, "{}", answer.text());
            let (found, message) = Client::Messages.error(&answer);
            assert_eq!(found, kind);
            has(&message, reason);
            assert_eq!(answer.header("x-tollgate-reason"), Some(reason));
            assert_eq!(answer.header("x-should-retry"), should_retry);
            // What is gone is asked once, what is away again.
            assert_eq!(fleet.counts(), [requests], "{reason}");
            let answer = fleet.ask(Client::Chat, &Client::Chat.hello(json!({"num_retries": 0}))).await;
            assert_eq!(answer.status, chat_status, "{}", answer.text());
            assert_eq!(answer.header("x-tollgate-reason"), Some(reason));
        }
    });
}

#[test]
fn s19_members_that_vanish_are_left_out_and_the_client_sees_200_while_any_lives() {
    isolated(|| async {
        let gone = || refused(404, "No endpoints found for this model.");
        let ships = vec![ship("free", gone()), ship("free", gone()), ship("free", text("still here"))];
        let fleet = Fleet::start(ships, json!({})).await;
        for _ in 0..5 {
            for client in BOTH {
                let answer = fleet.ask(client, &client.hello(json!({"model": "free"}))).await;
                assert_eq!(client.text(&answer), "still here");
            }
        }
        assert_eq!(fleet.counts(), [1, 1, 10]);
    });
}

#[test]
fn s19_a_member_that_is_gone_is_asked_again_after_the_set_time() {
    isolated(|| async {
        let mut first = ship("free", text("back again"));
        first.sim = tollgate_sim::SimConfig::default().step(refused(404, "No endpoints found."));
        let ships = vec![first, ship("free", text("b"))];
        let fleet = Fleet::start(ships, json!({"tollgate_settings": {"model_gone_s": 0.3}})).await;
        let ask = || async {
            let answer = fleet.ask(Client::Chat, &Client::Chat.hello(json!({"model": "free"}))).await;
            answer.header("x-tollgate-deployment").unwrap().to_string()
        };
        assert_eq!(ask().await, "d1");
        assert_eq!(ask().await, "d1");
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert_eq!(ask().await, "d0");
    });
}

#[test]
fn s32_fallbacks_are_found_by_alias_group_wildcard_star_default_and_request() {
    isolated(|| async {
        let broken = || refused(500, "the first is broken");
        let ships = || {
            vec![
                ship("main", broken()),
                ship("w-*", broken()).with(json!({"model": "openai/*"})),
                ship("backup", text("from backup")),
            ]
        };
        let aliases = json!({"alias": "main"});
        let rows = [
            ("main", json!({"router_settings": {"fallbacks": [{"main": ["backup"]}]}}), json!({})),
            (
                "alias",
                json!({"router_settings": {"fallbacks": [{"alias": ["backup"]}], "model_group_alias": aliases}}),
                json!({}),
            ),
            (
                "alias",
                json!({"router_settings": {"fallbacks": [{"main": ["backup"]}], "model_group_alias": aliases}}),
                json!({}),
            ),
            ("w-9", json!({"litellm_settings": {"fallbacks": [{"w-*": ["backup"]}]}}), json!({})),
            ("main", json!({"litellm_settings": {"fallbacks": [{"*": ["backup"]}]}}), json!({})),
            ("main", json!({"litellm_settings": {"default_fallbacks": ["backup"]}}), json!({})),
            ("main", json!({}), json!({"fallbacks": ["backup"]})),
        ];
        for (model, more, asked) in rows {
            let fleet = Fleet::start(ships(), more.clone()).await;
            for client in BOTH {
                for stream in [false, true] {
                    let body = client.hello(merged(json!({"model": model, "stream": stream}), asked.clone()));
                    let answer = fleet.ask(client, &body).await;
                    assert_eq!(answer.status, 200, "{more} {}", answer.text());
                    has(&answer.text(), "backup");
                    assert_eq!(answer.header("x-tollgate-deployment"), Some("d2"), "{more}");
                }
            }
            // What is for us does not go up.
            assert!(fleet.sent(2).iter().all(|sent| sent.json().get("fallbacks").is_none()));
        }
    });
}

#[test]
fn s32_fallbacks_can_be_refused_and_have_fallbacks_of_their_own_up_to_a_number() {
    isolated(|| async {
        let broken = |words: &str| refused(500, words);
        let chain = json!([{"a": ["b"]}, {"b": ["c"]}, {"c": ["a", "d"]}]);
        let ships = || {
            vec![
                ship("a", broken("cause")),
                ship("b", broken("bb")),
                ship("c", broken("cc")),
                ship("d", text("from d")),
            ]
        };
        let fleet = Fleet::start(ships(), json!({"router_settings": {"fallbacks": chain}})).await;
        let ask = |more: Value| Client::Messages.hello(merged(json!({"model": "a"}), more));
        let answer = fleet.ask(Client::Messages, &ask(json!({}))).await;
        assert_eq!(Client::Messages.text(&answer), "from d");
        assert_eq!(answer.header("x-tollgate-attempts"), Some("4"));
        assert_eq!(fleet.counts(), [1, 1, 1, 1]);
        let answer = fleet.ask(Client::Messages, &ask(json!({"disable_fallbacks": true}))).await;
        assert_eq!(answer.status, 500);
        has(&answer.text(), "cause");
        assert_eq!(fleet.counts(), [2, 1, 1, 1]);

        let fleet = Fleet::start(ships(), json!({"router_settings": {"fallbacks": chain, "max_fallbacks": 1}})).await;
        let answer = fleet.ask(Client::Messages, &ask(json!({}))).await;
        // The first failure is the cause of all: the client is told that one.
        assert_eq!(answer.status, 500);
        has(&answer.text(), "cause");
        assert_eq!(fleet.counts(), [1, 1, 0, 0]);
    });
}

#[test]
fn a_refused_request_is_sent_once_and_goes_nowhere_else() {
    isolated(|| async {
        let more =
            json!({"router_settings": {"num_retries": 5}, "litellm_settings": {"default_fallbacks": ["backup"]}});
        let ships = vec![
            ship("m", refused(400, "no such thing as a frobnicator")).with(json!({"num_retries": 5})),
            ship("m", text("b")),
            ship("backup", text("c")),
        ];
        let fleet = Fleet::start(ships, more).await;
        for client in BOTH {
            for stream in [false, true] {
                let answer = fleet.ask(client, &client.hello(json!({"stream": stream}))).await;
                assert_eq!(answer.status, 400);
                has(&answer.text(), "no such thing as a frobnicator");
            }
        }
        assert_eq!(fleet.counts(), [4, 0, 0]);
    });
}

#[test]
fn what_does_not_fit_goes_to_the_route_for_it_whether_the_upstream_says_so_or_we_know() {
    isolated(|| async {
        let overflow =
            "This model's maximum context length is 1000 tokens. However, your messages resulted in 5000 tokens.";
        let more = json!({"litellm_settings": {"context_window_fallbacks": [{"m": ["large"]}, {"known": ["large"]}]}});
        let ships = vec![
            ship("m", refused(400, overflow)),
            ship("known", text("too small for this")).info(json!({"max_input_tokens": 1000})),
            ship("large", text("from large")),
            ship("alone", text("too small for this")).info(json!({"max_input_tokens": 1000})),
        ];
        let fleet = Fleet::start(ships, more).await;
        let long = "word and word, ".repeat(2000);
        for client in BOTH {
            let ask = |model: &str, words: &str| {
                client.hello(json!({"model": model, "messages": [{"role": "user", "content": words}]}))
            };
            assert_eq!(client.text(&fleet.ask(client, &ask("m", "short")).await), "from large");
            assert_eq!(client.text(&fleet.ask(client, &ask("known", &long)).await), "from large");
            assert_eq!(client.text(&fleet.ask(client, &ask("known", "short")).await), "too small for this");
            let answer = fleet.ask(client, &ask("alone", &long)).await;
            assert_eq!(answer.status, 400);
            // What makes Claude Code compact.
            has(&client.error(&answer).1, "prompt is too long: ");
            has(&client.error(&answer).1, " tokens > 1000 maximum");
        }
        assert_eq!(fleet.counts(), [2, 2, 4, 0]);
    });
}

#[test]
fn without_a_list_for_long_prompts_the_general_fallbacks_serve() {
    isolated(|| async {
        let overflow =
            "This model's maximum context length is 1000 tokens. However, your messages resulted in 5000 tokens.";
        let ships = vec![ship("m", refused(400, overflow)), ship("large", text("from large"))];
        let fleet = Fleet::start(ships, json!({"litellm_settings": {"fallbacks": [{"m": ["large"]}]}})).await;
        for client in BOTH {
            assert_eq!(client.text(&fleet.ask(client, &client.hello(json!({}))).await), "from large");
            let answer = fleet.ask(client, &client.hello(json!({"disable_fallbacks": true}))).await;
            assert_eq!(answer.status, 400);
            has(&answer.text(), "maximum context length");
        }
    });
}

#[test]
fn a_deployment_that_is_too_small_is_neither_asked_nor_waited_for() {
    isolated(|| async {
        let ships = vec![
            ship("m", text("too small for this")).info(json!({"max_input_tokens": 1000})),
            ship("m", refused(401, "key revoked")),
        ];
        let fleet = Fleet::start(ships, json!({"router_settings": {"num_retries": 3}})).await;
        let long = "word and word, ".repeat(2000);
        let body = json!({"num_retries": 3, "messages": [{"role": "user", "content": long}]});
        let answer = fleet.ask(Client::Chat, &Client::Chat.hello(body)).await;
        assert_eq!(answer.status, 502, "{}", answer.text());
        assert_eq!(fleet.counts(), [0, 1]);
    });
}

#[test]
fn what_is_refused_for_its_content_goes_to_the_route_for_it_and_to_no_other() {
    isolated(|| async {
        let filtered = Step::json(400, &json!({"error": {"message": "flagged", "code": "content_filter"}}));
        let more = json!({"litellm_settings": {"content_policy_fallbacks": [{"m": ["milder"]}], "default_fallbacks": ["any"]}});
        let ships = vec![
            ship("m", filtered.clone()),
            ship("m", text("never asked")),
            ship("milder", text("from milder")),
            ship("any", text("never asked")),
            ship("strict", filtered),
        ];
        let fleet = Fleet::start(ships, more).await;
        for client in BOTH {
            for stream in [false, true] {
                let answer = fleet.ask(client, &client.hello(json!({"stream": stream}))).await;
                assert_eq!(answer.header("x-tollgate-deployment"), Some("d2"), "{}", answer.text());
            }
            let answer = fleet.ask(client, &client.hello(json!({"model": "strict"}))).await;
            assert_eq!(answer.status, 400);
            has(&answer.text(), "flagged");
        }
        assert_eq!(fleet.counts(), [4, 0, 4, 0, 2]);
    });
}

#[test]
fn the_answers_length_is_cut_to_what_the_window_has_left() {
    isolated(|| async {
        let ship = ship("m", text("fine")).info(json!({"max_input_tokens": 4000}));
        let fleet = Fleet::start(vec![ship], json!({})).await;
        let long = "word and word, ".repeat(500);
        for client in BOTH {
            let body = client.hello(json!({"max_tokens": 3900, "messages": [{"role": "user", "content": long}]}));
            let answer = fleet.ask(client, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            has(answer.header("x-tollgate-changes").unwrap_or(""), "clamped:max_tokens");
            // 500 times "word and word, ": 4 tokens each.
            let sent = fleet.sent(0).last().unwrap().json()["max_tokens"].as_u64().unwrap();
            assert!((1700..2000).contains(&sent), "{sent}");
            let answer = fleet.ask(client, &client.hello(json!({"max_tokens": 3900}))).await;
            assert_eq!(answer.header("x-tollgate-changes"), None);
        }
    });
}

#[test]
fn a_conversation_stays_with_the_deployment_that_has_its_prompt() {
    isolated(|| async {
        let same = |words: &str| ship("m", text(words)).with(json!({"order": 1}));
        let fleet = Fleet::start(vec![same("a"), same("b"), same("c")], json!({})).await;
        let mut used = std::collections::BTreeSet::new();
        for session in 0..12 {
            let name = format!("session-{session}");
            let mut first = None;
            for turn in 0..4 {
                let body = Client::Messages.hello(json!({"stream": turn % 2 == 0}));
                let headers = [("x-claude-code-session-id", name.as_str())];
                let answer = fleet.ask_with(Client::Messages, &headers, &body).await;
                let deployment = answer.header("x-tollgate-deployment").unwrap().to_string();
                assert_eq!(*first.get_or_insert(deployment.clone()), deployment);
                used.insert(deployment);
            }
        }
        assert_eq!(used.len(), 3);

        // Without a name, by how it begins.
        for conversation in 0..8 {
            let opening = json!({"role": "user", "content": format!("conversation {conversation}")});
            let mut messages = vec![opening];
            let mut first = None;
            for turn in 0..4 {
                let answer = fleet.ask(Client::Chat, &Client::Chat.hello(json!({"messages": messages}))).await;
                let deployment = answer.header("x-tollgate-deployment").unwrap().to_string();
                assert_eq!(*first.get_or_insert(deployment.clone()), deployment, "turn {turn}");
                messages.push(json!({"role": "assistant", "content": "a"}));
                messages.push(json!({"role": "user", "content": "go on"}));
            }
        }
    });
}

#[test]
fn equal_deployments_share_requests_that_belong_to_no_conversation() {
    isolated(|| async {
        let same = |words: &str, weight: u32| ship("m", text(words)).with(json!({"order": 1, "weight": weight}));
        let fleet = Fleet::start(vec![same("a", 3), same("b", 1), same("c", 0)], json!({})).await;
        for _ in 0..80 {
            fleet.ask(Client::Chat, &Client::Chat.hello(json!({}))).await;
        }
        let counts = fleet.counts();
        // 60 of 80 expected, with a standard deviation of 3.9.
        assert!((40..=76).contains(&counts[0]) && counts[1] >= 4, "{counts:?}");
        assert_eq!(counts[2], 0);
    });
}

#[test]
fn tags_of_the_request_choose_among_deployments() {
    isolated(|| async {
        let tagged = |words: &str, tags: Value| ship("m", text(words)).with(json!({"order": 1, "tags": tags}));
        let ships =
            vec![tagged("free", json!(["free"])), tagged("paid", json!(["paid"])), tagged("any", json!(["default"]))];
        let fleet = Fleet::start(ships, json!({"router_settings": {"enable_tag_filtering": true}})).await;
        let client = Client::Chat;
        let of = |answer: &crate::support::http::Answer| client.text(answer);
        for _ in 0..5 {
            assert_eq!(of(&fleet.ask(client, &client.hello(json!({}))).await), "any");
            let by_header = fleet.ask_with(client, &[("x-litellm-tags", "free, x")], &client.hello(json!({}))).await;
            assert_eq!(of(&by_header), "free");
            let by_body = fleet.ask(client, &client.hello(json!({"metadata": {"tags": ["paid"]}}))).await;
            assert_eq!(of(&by_body), "paid");
        }
    });
}

#[test]
fn a_failing_deployment_is_left_after_some_failures_and_comes_back() {
    isolated(|| async {
        let mut first = ship("m", text("well again"));
        first.sim = tollgate_sim::SimConfig::default().step(refused(500, "broken").times(3));
        let more = json!({"router_settings": {"allowed_fails": 2, "cooldown_time": 0.5}});
        let fleet = Fleet::start(vec![first, ship("m", text("b"))], more).await;
        let ask = || async {
            let answer = fleet.ask(Client::Chat, &Client::Chat.hello(json!({}))).await;
            assert_eq!(answer.status, 200);
            answer.header("x-tollgate-deployment").unwrap().to_string()
        };
        for _ in 0..6 {
            assert_eq!(ask().await, "d1");
        }
        // Two failures are borne; with the third it rests.
        assert_eq!(fleet.counts(), [3, 6]);
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(ask().await, "d0");
    });
}

#[test]
fn a_deployment_whose_headers_say_that_nothing_is_left_is_passed_over() {
    isolated(|| async {
        let spent = text("the last one")
            .header("x-ratelimit-remaining-requests", "0")
            .header("x-ratelimit-reset-requests", "1m30s");
        let fleet = Fleet::start(vec![ship("m", spent), ship("m", text("b"))], json!({})).await;
        let mut used = Vec::new();
        for _ in 0..3 {
            let answer = fleet.ask(Client::Chat, &Client::Chat.hello(json!({}))).await;
            used.push(answer.header("x-tollgate-deployment").expect("a deployment").to_string());
        }
        assert_eq!(used, ["d0", "d1", "d1"]);
    });
}

#[test]
fn a_refused_credential_rests_with_every_deployment_that_uses_it() {
    isolated(|| async {
        // Both deployments are one provider with one key.
        let mut sim = tollgate_sim::SimConfig::default();
        sim = sim.step(refused(401, "key revoked").always());
        let provider = tollgate_sim::Sim::start(sim.key(crate::stage::PROVIDER_KEY)).await;
        let entry = |id: &str, model: &str| {
            let mut entry = Upstream::Chat.entry(&provider, "m", json!({"model": model, "num_retries": 0, "order": 1}));
            entry["model_info"] = json!({"id": id});
            entry
        };
        let other = tollgate_sim::Sim::start(tollgate_sim::SimConfig::default().key(crate::stage::PROVIDER_KEY)).await;
        let mut last = Upstream::Chat.entry(&other, "m", json!({"num_retries": 0, "order": 2}));
        last["model_info"] = json!({"id": "other"});
        let config = crate::stage::config(&[entry("x", "openai/x"), entry("y", "openai/y"), last]);
        let gateway = crate::support::Gateway::start(&config.to_string(), &[]).await;
        let fleet = Fleet { sims: vec![provider, other], gateway };
        let answer = fleet.ask(Client::Chat, &Client::Chat.hello(json!({}))).await;
        assert_eq!(answer.header("x-tollgate-deployment"), Some("other"), "{}", answer.text());
        assert_eq!(fleet.counts(), [1, 1]);
    });
}

#[test]
fn a_dying_provider_is_not_stormed_by_retries() {
    isolated(|| async {
        let ship = ship("m", refused(500, "broken")).with(json!({"num_retries": 3}));
        let more = json!({"router_settings": {"disable_cooldowns": true}});
        let fleet = Fleet::start(vec![ship], more).await;
        let body = Client::Chat.hello(json!({}));
        let asks = (0..60).map(|_| fleet.ask(Client::Chat, &body));
        for answer in futures_util::future::join_all(asks).await {
            assert_eq!(answer.status, 500);
        }
        // 60 requests, a reserve of 10 retries, 12 for 60 requests, and one for each second that it takes.
        let sent = fleet.counts()[0];
        assert!((60..=60 + 10 + 12 + 20).contains(&sent), "{sent}");
    });
}

#[test]
fn retries_follow_the_policy_of_the_failures_class_and_the_requests_own_wish() {
    isolated(|| async {
        let rows = [
            (refused(500, "x"), json!({"retry_policy": {"InternalServerErrorRetries": 1}}), json!({}), 2),
            (refused(503, "x"), json!({"retry_policy": {"InternalServerErrorRetries": 1}}), json!({}), 1),
            (refused(429, "x"), json!({"model_group_retry_policy": {"m": {"RateLimitErrorRetries": 2}}}), json!({}), 3),
            (refused(500, "x"), json!({}), json!({"num_retries": 1}), 2),
            (Step::refused(Ending::Reset), json!({}), json!({"num_retries": 2}), 3),
        ];
        for (step, router, asked, requests) in rows {
            let fleet = Fleet::start(vec![ship("m", step)], json!({"router_settings": router})).await;
            let answer = fleet.ask(Client::Messages, &Client::Messages.hello(asked)).await;
            assert!(answer.status.as_u16() >= 429, "{}", answer.text());
            assert_eq!(fleet.counts(), [requests], "{router}");
            assert_eq!(answer.header("x-tollgate-attempts"), Some(requests.to_string().as_str()));
        }
    });
}

// ---- S15

/// Text in pieces, cut after some of them.
fn cut(words: &str, after: usize, ending: Ending) -> Step {
    let answer = Answer { piece_chars: 4, ..Answer::text(words) };
    let faults = Faults { cut_after: Some((after, ending)), pace: Duration::from_millis(2), ..Faults::default() };
    Step::answer(answer).faults(faults)
}

fn pair(upstream: Upstream, first: Step, second: Step) -> Vec<Ship> {
    vec![ship("m", first).speaks(upstream), ship("m", second).speaks(upstream)]
}

#[test]
fn s15_a_stream_that_breaks_before_content_fails_over_unseen_with_one_message_start() {
    isolated(|| async {
        for upstream in [Upstream::Chat, Upstream::Messages] {
            for ending in [Ending::Reset, Ending::Close, Ending::Clean] {
                let fleet = Fleet::start(pair(upstream, cut("never seen", 1, ending), text("whole")), json!({})).await;
                for client in BOTH {
                    let answer = fleet.ask(client, &client.hello(json!({"stream": true}))).await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    has(&answer.text(), "whole");
                    assert!(!answer.text().contains("never"), "{}", answer.text());
                    if client == Client::Messages {
                        assert_eq!(answer.text().matches("event: message_start").count(), 1);
                        assert_eq!(answer.text().matches("event: message_stop").count(), 1);
                    }
                }
            }
        }
    });
}

#[test]
fn s15_after_content_the_cause_is_told_and_nobody_else_is_asked() {
    isolated(|| async {
        for upstream in [Upstream::Chat, Upstream::Messages] {
            let first = || cut("some words that the client sees", 5, Ending::Close);
            let more = json!({"litellm_settings": {"default_fallbacks": ["backup"]}});
            let mut ships = pair(upstream, first(), text("second"));
            ships.push(ship("backup", text("third")));
            let fleet = Fleet::start(ships, more).await;
            for client in BOTH {
                let answer = fleet.ask(client, &client.hello(json!({"stream": true}))).await;
                assert_eq!(answer.status, 200);
                has(&answer.text(), "some");
                has(&answer.text(), "broke the connection before the answer was complete");
                assert!(
                    !answer.text().contains("message_stop") && !answer.text().contains("[DONE]"),
                    "{}",
                    answer.text()
                );
            }
            assert_eq!(fleet.counts(), [2, 0, 0]);
        }
    });
}

#[test]
fn s15_the_start_of_a_stream_can_be_held_back_so_that_an_early_death_is_not_seen() {
    isolated(|| async {
        for hold in [json!({"hold_ms": 3000}), json!({"hold_events": 8})] {
            for upstream in [Upstream::Chat, Upstream::Messages] {
                let first = cut("an early death of a stream", 5, Ending::Close);
                let fleet =
                    Fleet::start(pair(upstream, first, text("whole")), json!({"tollgate_settings": hold})).await;
                for client in BOTH {
                    let answer = fleet.ask(client, &client.hello(json!({"stream": true}))).await;
                    has(&answer.text(), "whole");
                    assert!(!answer.text().contains("early"), "{}", answer.text());
                }
            }
        }
    });
}

#[test]
fn s15_what_is_held_back_goes_out_in_time_and_whole() {
    isolated(|| async {
        for hold in [json!({"hold_ms": 100}), json!({"hold_events": 3}), json!({"hold_ms": 60000, "hold_events": 2})] {
            for upstream in [Upstream::Chat, Upstream::Messages] {
                let answer = Answer { piece_chars: 4, ..Answer::text("one two three four five six") };
                let slow = Faults { pace: Duration::from_millis(40), ..Faults::default() };
                let ships = vec![ship("m", Step::answer(answer).faults(slow)).speaks(upstream)];
                let fleet = Fleet::start(ships, json!({"tollgate_settings": hold})).await;
                for client in BOTH {
                    let answer = fleet.ask(client, &client.hello(json!({"stream": true}))).await;
                    assert_eq!(said(client, &answer.text()), "one two three four five six", "{hold}");
                }
            }
        }
    });
}

/// The text of a stream.
fn said(client: Client, stream: &str) -> String {
    let events = stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let text = |data: &str| {
        let event: Value = serde_json::from_str(data).expect("JSON");
        let text = match client {
            Client::Messages => &event["delta"]["text"],
            Client::Chat => &event["choices"][0]["delta"]["content"],
        };
        text.as_str().unwrap_or("").to_string()
    };
    events.map(text).collect()
}

#[test]
fn s15_continuation_is_opt_in_and_goes_on_where_the_text_stopped() {
    isolated(|| async {
        for upstream in [Upstream::Chat, Upstream::Messages] {
            let first = cut("The answer is forty", 6, Ending::Close);
            let more = json!({"tollgate_settings": {"mid_stream": "continue"}});
            let fleet = Fleet::start(pair(upstream, first, text(" and two.")), more).await;
            for client in BOTH {
                let answer = fleet.ask(client, &client.hello(json!({"stream": true}))).await;
                let words = said(client, &answer.text());
                assert!(words.starts_with("The answer") && words.ends_with(" and two."), "{words}");
                if client == Client::Messages {
                    for once in ["message_start", "content_block_start", "content_block_stop", "message_stop"] {
                        assert_eq!(answer.text().matches(&format!("event: {once}")).count(), 1, "{}", answer.text());
                    }
                } else {
                    assert_eq!(answer.text().matches("\"role\":\"assistant\"").count(), 1, "{}", answer.text());
                    has(&answer.text(), "[DONE]");
                }
                let sent = fleet.sent(1).last().unwrap().json();
                let messages = sent["messages"].as_array().unwrap().clone();
                let last = messages.last().unwrap();
                if upstream == Upstream::Chat {
                    assert_eq!(last["role"], "user", "{sent}");
                    has(&last.to_string(), "cut off");
                    has(&messages[messages.len() - 2].to_string(), "The answer");
                }
            }
        }
    });
}

#[test]
fn s15_a_model_that_refuses_prefill_is_asked_by_a_turn_of_the_user() {
    isolated(|| async {
        let more = json!({"tollgate_settings": {"mid_stream": "continue"}});
        for (prefill, role) in [(true, "assistant"), (false, "user")] {
            let first = cut("The answer is forty", 6, Ending::Close);
            let ships: Vec<Ship> = pair(Upstream::Messages, first, text(" and two."))
                .into_iter()
                .map(|ship| ship.info(json!({"supports_assistant_prefill": prefill})))
                .collect();
            let fleet = Fleet::start(ships, more.clone()).await;
            let answer = fleet.ask(Client::Messages, &Client::Messages.hello(json!({"stream": true}))).await;
            has(&said(Client::Messages, &answer.text()), " and two.");
            let sent = fleet.sent(1).last().unwrap().json();
            let last = sent["messages"].as_array().unwrap().last().unwrap().clone();
            assert_eq!(last["role"], role, "{sent}");
        }
    });
}

#[test]
fn s15_thoughts_and_tool_calls_are_never_continued() {
    isolated(|| async {
        let more = json!({"tollgate_settings": {"mid_stream": "continue"}});
        let answers = [
            (Answer::thinking("a long thought about it"), 4),
            (Answer::text("I call").and_tool("call_1", "Bash", &json!({"command": "ls -la and more"})), 5),
        ];
        for (answer, after) in answers {
            let answer = Answer { piece_chars: 6, ..answer };
            let faults =
                Faults { cut_after: Some((after, Ending::Close)), pace: Duration::from_millis(2), ..Faults::default() };
            let first = Step::answer(answer).faults(faults);
            let fleet = Fleet::start(pair(Upstream::Chat, first, text("never")), more.clone()).await;
            let tools = json!({"stream": true, "tools": [{"name": "Bash", "input_schema": {"type": "object"}}]});
            let answer = fleet.ask(Client::Messages, &Client::Messages.hello(tools)).await;
            has(&answer.text(), "event: error");
            assert!(!answer.text().contains("message_stop"), "{}", answer.text());
            assert_eq!(fleet.counts(), [1, 0]);
        }
    });
}
