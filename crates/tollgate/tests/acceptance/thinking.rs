//! S08: how much a model shall think, in the words of every provider.

use serde_json::{Map, Value, json};
use tollgate_sim::{ChatStrictness, MessagesStrictness, SimConfig};

use crate::stage::{BOTH, Client, Stage, Upstream, has_change, merged};
use crate::support::isolated;

/// Every field by which some provider controls thinking.
const FIELDS: [&str; 7] = [
    "thinking",
    "reasoning_effort",
    "enable_thinking",
    "thinking_budget",
    "reasoning",
    "chat_template_kwargs",
    "reasoning_split",
];

fn wishes(client: Client) -> Vec<(&'static str, Value)> {
    match client {
        Client::Messages => vec![
            ("budget", json!({"thinking": {"type": "enabled", "budget_tokens": 10_000}})),
            ("small budget", json!({"thinking": {"type": "enabled", "budget_tokens": 2000}})),
            ("adaptive", json!({"thinking": {"type": "adaptive"}})),
            ("low", json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}})),
            ("off", json!({"thinking": {"type": "disabled"}})),
        ],
        Client::Chat => vec![
            ("low", json!({"reasoning_effort": "low"})),
            ("off", json!({"reasoning_effort": "none"})),
            // Chat clients that were made for one vendor, or for Claude behind a chat door.
            ("small budget", json!({"thinking": {"type": "enabled", "budget_tokens": 2000}})),
            ("budget", json!({"thinking": {"type": "enabled", "budget_tokens": 10_000}})),
        ],
    }
}

/// What goes up for a wish. Budgets become efforts at 2k (low), 8k (medium) and 24k (high); the default efforts are low,
/// medium and high, so that `none` becomes the nearest of them.
fn expected(control: &str, wish: &str) -> Value {
    let on = wish != "off";
    let effort = match wish {
        "budget" => Some("high"),
        "small budget" | "low" => Some("low"),
        _ => None,
    };
    let budget = match wish {
        "budget" => Some(10_000),
        "small budget" => Some(2000),
        _ => None,
    };
    let switch = json!({"type": if on { "enabled" } else { "disabled" }});
    match control {
        "none" => json!({}),
        "effort" if wish == "off" => json!({"reasoning_effort": "low"}),
        "effort" => effort.map_or(json!({}), |e| json!({"reasoning_effort": e})),
        "thinking" => json!({"thinking": switch}),
        "thinking_effort" => {
            effort.map_or(json!({"thinking": switch}), |e| json!({"thinking": switch, "reasoning_effort": e}))
        }
        "enable_thinking" => {
            budget.map_or(json!({"enable_thinking": on}), |b| json!({"enable_thinking": on, "thinking_budget": b}))
        }
        "reasoning" => json!({"reasoning": match (wish, budget) {
            (_, Some(budget)) => json!({"max_tokens": budget}),
            ("low", _) => json!({"effort": "low"}),
            ("off", _) => json!({"enabled": false}),
            _ => json!({"enabled": true}),
        }}),
        "chat_template" => json!({"chat_template_kwargs": {"enable_thinking": on}}),
        "reasoning_split" => json!({"reasoning_split": true}),
        other => panic!("no control {other}"),
    }
}

/// A server that refuses every field that is not its own.
fn strict(control: &str) -> SimConfig {
    let own: &[&str] = match control {
        "none" | "effort" => &[],
        "thinking" | "thinking_effort" => &["thinking"],
        "enable_thinking" => &["enable_thinking", "thinking_budget"],
        "chat_template" => &["chat_template_kwargs"],
        other => &[other],
    };
    let strictness = ChatStrictness::default().accepting(own);
    let takes_effort = matches!(control, "effort" | "thinking_effort");
    SimConfig::default().chat(if takes_effort { strictness } else { strictness.refusing(&["reasoning_effort"]) })
}

fn sent_fields(body: &Value) -> Value {
    let fields: Map<String, Value> =
        FIELDS.iter().filter_map(|name| Some(((*name).to_owned(), body.get(name)?.clone()))).collect();
    Value::Object(fields)
}

const CONTROLS: [&str; 8] = [
    "none",
    "effort",
    "thinking",
    "thinking_effort",
    "enable_thinking",
    "reasoning",
    "chat_template",
    "reasoning_split",
];

#[test]
fn s08_every_wish_to_think_becomes_the_providers_own_control_and_nothing_else() {
    isolated(|| async {
        for control in CONTROLS {
            let stage = Stage::chat(strict(control), json!({"quirks": {"reasoning": control}})).await;
            for client in BOTH {
                for (wish, fields) in wishes(client) {
                    let from = stage.sent().len();
                    let body = client.hello(merged(json!({"max_tokens": 32_000}), fields));
                    let answer = stage.ask(client, &body).await;
                    assert_eq!(answer.status, 200, "{control} {client:?} {wish}: {}", answer.text());
                    let sent = sent_fields(&stage.last());
                    // A level that the provider knows is passed on as it stands, without a switch that was not asked for.
                    let kept = (client, control, wish) == (Client::Chat, "thinking_effort", "low");
                    let wanted = if kept { json!({"reasoning_effort": "low"}) } else { expected(control, wish) };
                    assert_eq!(sent, wanted, "{control} {client:?} {wish}");
                    assert_eq!(stage.sent().len(), from + 1, "{control} {client:?} {wish}: right at the first try");
                    if control == "none" && wish != "off" {
                        let lost = if fields_name(&body) == "thinking" { "thinking" } else { "reasoning_effort" };
                        has_change(&answer, &format!("dropped:{lost}"));
                    }
                }
            }
            stage.nothing_was_refused();
        }
    });
}

fn fields_name(body: &Value) -> &'static str {
    if body.get("reasoning_effort").is_some() { "reasoning_effort" } else { "thinking" }
}

#[test]
fn s08_a_plain_server_gets_no_word_about_thinking_without_any_config() {
    isolated(|| async {
        for client in BOTH {
            for stream in [false, true] {
                let strict = ChatStrictness::default().refusing(&["reasoning_effort"]);
                let stage = Stage::chat(SimConfig::default().chat(strict), json!({})).await;
                for (wish, fields) in wishes(client) {
                    let body = client.hello(merged(json!({"max_tokens": 32_000, "stream": stream}), fields));
                    let answer = stage.ask(client, &body).await;
                    assert_eq!(answer.status, 200, "{client:?} {wish}: {}", answer.text());
                    assert_eq!(sent_fields(&stage.last()), json!({}), "{client:?} {wish}");
                }
                stage.nothing_was_refused();
            }
        }
    });
}

#[test]
fn s08_the_word_in_the_config_chooses_the_control() {
    isolated(|| async {
        let rows = [
            ("none", "openai/x", json!({})),
            ("effort", "openai/x", json!({"reasoning_effort": "high"})),
            ("budget", "openai/x", json!({"enable_thinking": true, "thinking_budget": 10_000})),
            ("toggle", "openai/x", json!({"thinking": {"type": "enabled"}})),
            // What the provider has itself is kept where the word fits it.
            ("budget", "openrouter/x/y", json!({"reasoning": {"max_tokens": 10_000}})),
            ("auto", "openrouter/x/y", json!({"reasoning": {"max_tokens": 10_000}})),
            ("none", "openrouter/x/y", json!({})),
        ];
        for (word, model, wanted) in rows {
            let sim = SimConfig::default().chat(ChatStrictness::default().accepting(&FIELDS));
            let stage = Stage::chat(sim, json!({"reasoning": word, "model": model})).await;
            let body =
                Client::Messages.hello(merged(json!({"max_tokens": 32_000}), wishes(Client::Messages)[0].1.clone()));
            let answer = stage.ask(Client::Messages, &body).await;
            assert_eq!(answer.status, 200, "{word} {model}: {}", answer.text());
            assert_eq!(sent_fields(&stage.last()), wanted, "{word} {model}");
        }
    });
}

#[test]
fn s08_a_server_that_turns_out_to_refuse_the_control_is_asked_without_it() {
    isolated(|| async {
        for client in BOTH {
            let strict = ChatStrictness::default().refusing(&["reasoning_effort"]);
            let params = json!({"reasoning": "effort"});
            let stage = Stage::chat(SimConfig::default().chat(strict), params).await;
            let body = client.hello(merged(json!({"max_tokens": 32_000}), wishes(client)[0].1.clone()));
            let answer = stage.ask(client, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            has_change(&answer, "repaired:reasoning_effort");
            assert_eq!(stage.ask(client, &body).await.status, 200);
            assert_eq!(stage.sent().len(), 3);
        }
    });
}

#[test]
fn s08_claude_models_get_the_form_of_thinking_that_they_take() {
    isolated(|| async {
        let rows = [
            // Claude before 4.6: budgets only. From Opus 4.7: adaptive only.
            ("anthropic/claude-opus-4-5", &["enabled", "disabled"][..]),
            ("anthropic/claude-sonnet-5", &["adaptive", "disabled"]),
        ];
        for (model, takes) in rows {
            let strictness = MessagesStrictness {
                thinking_types: takes.iter().map(|t| (*t).to_owned()).collect(),
                ..MessagesStrictness::default()
            };
            let sim = SimConfig::default().messages(strictness);
            let stage = Stage::start(sim, Upstream::Messages, json!({"model": model}), json!({})).await;
            for client in BOTH {
                for (wish, fields) in wishes(client) {
                    let body = client.hello(merged(json!({"max_tokens": 32_000}), fields));
                    let answer = stage.ask(client, &body).await;
                    assert_eq!(answer.status, 200, "{model} {client:?} {wish}: {}", answer.text());
                    let sent = &stage.last()["thinking"];
                    match wish {
                        "off" => assert!(sent.is_null() || sent["type"] == "disabled", "{model} {client:?} {sent}"),
                        _ => assert_eq!(sent["type"], takes[0], "{model} {client:?} {wish}"),
                    }
                }
            }
            stage.nothing_was_refused();
        }
    });
}
