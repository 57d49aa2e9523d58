//! Gemini's dialect, on either side of the gateway.

mod edges;
pub mod speaker;

use serde_json::{Value, json};
use speaker::{Form, Speaker, Turn};
use tollgate_sim::{Answer, GeminiStrictness, Provider, Sim, SimConfig, Step, call_signature, encrypted};

use crate::stage::{MASTER_KEY, PROVIDER_KEY, config, merged};
use crate::support::{Gateway, isolated};

const SPEAKERS: [Speaker; 3] = [Speaker::Messages, Speaker::Chat, Speaker::Gemini];
const FORMS: [Form; 2] = [Form::Whole, Form::Stream];

/// Who the gateway asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Upstream {
    Chat,
    Messages,
    Responses,
    Gemini3,
    Gemini25,
}

impl Upstream {
    fn params(self, sim: &Sim) -> Value {
        let base = sim.base_url();
        match self {
            Upstream::Chat => json!({"model": "openai/x", "api_base": format!("{base}/v1"), "api_key": PROVIDER_KEY}),
            Upstream::Messages => {
                json!({"model": "anthropic/claude-sonnet-4-6", "api_base": base, "api_key": PROVIDER_KEY})
            }
            Upstream::Responses => {
                let own = json!({"api_mode": "responses", "reasoning": "effort"});
                merged(Upstream::Chat.params(sim), own)
            }
            Upstream::Gemini3 => json!({"model": "gemini/gemini-3-pro", "api_base": base, "api_key": PROVIDER_KEY}),
            Upstream::Gemini25 => {
                json!({"model": "gemini/gemini-2.5-flash", "api_base": base, "api_key": PROVIDER_KEY})
            }
        }
    }

    fn strictness(self) -> GeminiStrictness {
        if self == Upstream::Gemini25 { GeminiStrictness::older() } else { GeminiStrictness::default() }
    }
}

/// A gateway with the route `m` to one simulated provider.
async fn stage(upstream: Upstream, mut sim: SimConfig) -> (Sim, Gateway) {
    if upstream == Upstream::Responses {
        sim.providers = vec![Provider::Responses];
    }
    let sim = Sim::start(sim.key(PROVIDER_KEY).gemini(upstream.strictness())).await;
    let entry = json!({"model_name": "m", "litellm_params": upstream.params(&sim)});
    let mut config = config(&[entry]);
    config["litellm_settings"] = json!({"num_retries": 0});
    let gateway = Gateway::start(&config.to_string(), &[]).await;
    (sim, gateway)
}

#[track_caller]
fn nothing_was_refused(sim: &Sim, about: &str) {
    let refused: Vec<String> = sim.requests().into_iter().filter_map(|request| request.refused).collect();
    assert_eq!(refused, Vec::<String>::new(), "{about}");
}

/// Thinks, says something, calls two tools; then answers.
fn conversation() -> SimConfig {
    let calls = Answer::thinking("I have to look.")
        .and_text("Reading both.")
        .and_tool("call_a", "read", &json!({"path": "a\n\u{e9}"}))
        .and_tool("call_b", "read", &json!({"path": "b"}));
    SimConfig::default().steps([Step::answer(calls), Step::text("Both are empty.")])
}

/// A conversation of two turns with every client that can be had on this upstream.
async fn two_turns(upstream: Upstream, speaker: Speaker, form: Form) -> (Sim, Turn) {
    let about = format!("{speaker:?} on {upstream:?}, {form:?}");
    let (sim, gateway) = stage(upstream, conversation()).await;
    let mut history = vec![speaker.says("Look at both files.")];
    let first = speaker.ask(&gateway, form, &history).await;
    assert_eq!(first.text, "Reading both.", "{about}");
    let called: Vec<(&str, &Value)> = first.calls.iter().map(|call| (call.name.as_str(), &call.args)).collect();
    assert_eq!(called, [("read", &json!({"path": "a\n\u{e9}"})), ("read", &json!({"path": "b"}))], "{about}");
    assert!(first.usage > 0, "{about}");
    history.push(first.message.clone());
    history.extend(speaker.results(&first.calls, &["empty", "as well"]));
    let second = speaker.ask(&gateway, form, &history).await;
    assert_eq!((second.text.as_str(), second.calls.len()), ("Both are empty.", 0), "{about}");
    nothing_was_refused(&sim, &about);
    (sim, first)
}

#[test]
fn every_client_calls_tools_over_two_turns_on_gemini_3_and_the_signature_comes_back() {
    isolated(|| async {
        let signature = call_signature("read", &json!({"path": "a\n\u{e9}"}));
        for speaker in SPEAKERS {
            for form in FORMS {
                let (sim, first) = two_turns(Upstream::Gemini3, speaker, form).await;
                let sent = sim.requests().last().expect("two requests").json();
                let model = &sent["contents"][1];
                assert_eq!(model["role"], "model", "{sent}");
                let calls: Vec<&Value> = model["parts"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|p| p.get("functionCall").is_some())
                    .collect();
                assert_eq!(calls[0]["thoughtSignature"], signature, "{speaker:?} {form:?}: {sent}");
                assert!(calls[1].get("thoughtSignature").is_none(), "{sent}");
                assert_eq!(calls[0]["functionCall"]["id"], "call_a", "{sent}");
                let results = sent["contents"][2]["parts"].as_array().expect("results");
                let outputs: Vec<&Value> =
                    results.iter().map(|r| &r["functionResponse"]["response"]["output"]).collect();
                assert_eq!(outputs, ["empty", "as well"], "{sent}");
                assert_eq!(first.thoughts, speaker.shows_thoughts("I have to look."), "{speaker:?} {form:?}");
            }
        }
    });
}

#[test]
fn every_client_calls_tools_over_two_turns_on_gemini_25_which_knows_no_ids() {
    isolated(|| async {
        for speaker in SPEAKERS {
            for form in FORMS {
                let (sim, first) = two_turns(Upstream::Gemini25, speaker, form).await;
                let body = String::from_utf8_lossy(&sim.requests().last().expect("two requests").body).into_owned();
                assert!(!body.contains("\"id\""), "{body}");
                // The ids are ours then, or none for clients that do without; calls stay apart all the same.
                assert!(speaker == Speaker::Gemini || first.calls[0].id != first.calls[1].id);
            }
        }
    });
}

#[test]
fn a_gemini_client_calls_tools_over_two_turns_on_chat_messages_and_responses_upstreams() {
    isolated(|| async {
        for form in FORMS {
            let (sim, _) = two_turns(Upstream::Chat, Speaker::Gemini, form).await;
            let sent = sim.requests().last().expect("two requests").json();
            let roles: Vec<&str> =
                sent["messages"].as_array().into_iter().flatten().filter_map(|m| m["role"].as_str()).collect();
            assert_eq!(roles, ["system", "user", "assistant", "tool", "tool"], "{sent}");
            let (sim, _) = two_turns(Upstream::Messages, Speaker::Gemini, form).await;
            let sent = sim.requests().last().expect("two requests").json();
            assert_eq!(sent["messages"][2]["content"][0]["tool_use_id"], "call_a", "{sent}");
            let (sim, first) = two_turns(Upstream::Responses, Speaker::Gemini, form).await;
            assert_eq!(first.thoughts, "I have to look.", "{form:?}");
            assert!(sim.requests().iter().all(|request| request.path == "/v1/responses"));
            let sent = sim.requests().last().expect("two requests").json();
            assert_eq!(sent["max_output_tokens"], 4000, "{sent}");
            assert_eq!(kinds(&sent), EVERY_KIND, "{sent}");
        }
    });
}

/// The user's words, what the model thought, said and called, and the results.
const EVERY_KIND: [&str; 7] = [
    "message",
    "reasoning",
    "message",
    "function_call",
    "function_call",
    "function_call_output",
    "function_call_output",
];

fn kinds(sent: &Value) -> Vec<&str> {
    let items = sent["input"].as_array().into_iter().flatten();
    items.map(|item| item["type"].as_str().unwrap_or("message")).collect()
}

/// Without what Gemini CLI leaves out of its history.
fn without_thoughts(mut message: Value) -> Value {
    message["parts"].as_array_mut().expect("parts").retain(|part| part["thought"] != true);
    message
}

#[test]
fn openais_reasoning_survives_a_gemini_client_that_drops_it() {
    isolated(|| async {
        for form in FORMS {
            let (sim, gateway) = stage(Upstream::Responses, conversation()).await;
            let speaker = Speaker::Gemini;
            let mut history = vec![speaker.says("Look.")];
            let first = speaker.ask(&gateway, form, &history).await;
            history.push(without_thoughts(first.message.clone()));
            history.extend(speaker.results(&first.calls, &["1", "2"]));
            speaker.ask(&gateway, form, &history).await;
            nothing_was_refused(&sim, "reasoning");
            let sent = sim.requests().last().expect("two requests").json();
            assert_eq!(kinds(&sent), EVERY_KIND, "{form:?}: {sent}");
            assert_eq!(sent["input"][1]["encrypted_content"], encrypted("I have to look."), "{sent}");
        }
    });
}

#[test]
fn claudes_thoughts_survive_a_gemini_client_that_drops_them() {
    isolated(|| async {
        for form in FORMS {
            let (sim, gateway) = stage(Upstream::Messages, conversation()).await;
            let speaker = Speaker::Gemini;
            let mut history = vec![speaker.says("Look.")];
            let first = speaker.ask(&gateway, form, &history).await;
            history.push(without_thoughts(first.message.clone()));
            history.extend(speaker.results(&first.calls, &["1", "2"]));
            speaker.ask(&gateway, form, &history).await;
            nothing_was_refused(&sim, "thoughts");
            let sent = sim.requests().last().expect("two requests").json();
            let block = &sent["messages"][1]["content"];
            let kinds: Vec<&str> = block.as_array().into_iter().flatten().filter_map(|b| b["type"].as_str()).collect();
            assert!(kinds.contains(&"thinking"), "{form:?}: {sent}");
            let thinking = block.as_array().into_iter().flatten().find(|b| b["type"] == "thinking").expect("thinking");
            assert_eq!(thinking["thinking"], "I have to look.", "{sent}");
            assert_eq!(thinking["signature"], tollgate_sim::signature("I have to look."), "{sent}");
        }
    });
}

#[test]
fn a_conversation_that_began_with_another_model_goes_on_with_gemini() {
    isolated(|| async {
        for speaker in SPEAKERS {
            let (_sim, gateway) = stage(Upstream::Chat, conversation()).await;
            let mut history = vec![speaker.says("Look.")];
            let first = speaker.ask(&gateway, Form::Whole, &history).await;
            history.push(first.message.clone());
            history.extend(speaker.results(&first.calls, &["1", "2"]));
            let (sim, gateway) = stage(Upstream::Gemini3, SimConfig::default().step(Step::text("done"))).await;
            assert_eq!(speaker.ask(&gateway, Form::Stream, &history).await.text, "done");
            nothing_was_refused(&sim, "another model's calls");
            let body = String::from_utf8_lossy(&sim.requests()[0].body).into_owned();
            assert!(body.contains("skip_thought_signature_validator"), "{body}");
        }
    });
}
