//! Every SDK on an upstream of every dialect: a conversation of two turns, in which the model thinks and calls two tools at once, in one
//! piece and streamed.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Match, Sim, Step};

use crate::desk::KEY;
use crate::support::upstreams::{Call, UPSTREAMS, Upstream};
use crate::support::{Gateway, Session, isolated};

const THOUGHT: &str = "Which city first?";

fn calls() -> [Call; 2] {
    ["Oslo", "Bergen \"west\""].map(|city| Call::new("weather", json!({"city": city})))
}

fn script(upstream: Upstream) -> [Step; 2] {
    let there = |there| Match { has_tool_result: Some(there), ..Match::default() };
    let answer = Answer::thinking(THOUGHT).and_text("I look.");
    let [one, two] = calls();
    let answer = upstream.call(upstream.call(answer, "call_a", &one), "call_b", &two);
    [Step::answer(answer).when(there(false)).always(), Step::text("Sunny in both.").when(there(true)).always()]
}

/// `keeps`: whether the SDK's format has a place for what the provider needs of its thoughts.
async fn holds_a_session(sdk: &str, keeps: fn(Upstream) -> bool) {
    let mut sims = Vec::new();
    for upstream in UPSTREAMS {
        sims.push(Sim::start(upstream.sim().steps(script(upstream))).await);
    }
    let names = UPSTREAMS.map(|upstream| format!("{upstream:?}").to_lowercase());
    let entries = UPSTREAMS.iter().zip(&names).zip(&sims).map(|((one, name), sim)| one.entry(name, &sim.base_url()));
    let config = json!({"model_list": entries.collect::<Vec<_>>(), "general_settings": {"master_key": KEY},
        "litellm_settings": {"num_retries": 0, "drop_params": true}});
    let gateway = Gateway::start(&config.to_string(), &[]).await;
    let env = [("BASE_URL", gateway.url("")), ("KEY", KEY.into()), ("SDK", sdk.into()), ("MODELS", names.join(","))];
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let run = Session::new().python(include_str!("sessions.py"), &env).await;
    assert_eq!(run.code, Some(0), "{run:?}\n{}", gateway.log());
    let told: Vec<Value> = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    assert_eq!(told.len(), 12, "two of each");
    for (i, told) in told.iter().enumerate() {
        let (upstream, sim) = (UPSTREAMS[i / 2], &sims[i / 2]);
        let about = format!("{sdk} on {upstream:?}, {}: {told:#}", if i % 2 == 1 { "streamed" } else { "whole" });
        let made = calls().map(|call| json!([call.tool, call.input]));
        assert_eq!((&told["text"], &told["calls"]), (&json!("I look."), &json!(made)), "{about}");
        assert_eq!(told["thoughts"], THOUGHT, "{about}");
        assert_eq!(told["end"], "Sunny in both.", "{about}");
        assert!(told["tokens"].as_u64() > Some(0), "{about}");
        let requests = sim.requests();
        let refused: Vec<_> = requests.iter().filter_map(|request| request.refused.clone()).collect();
        assert_eq!((requests.len(), refused), (4, vec![]), "{about}");
        let second = requests[1 + 2 * (i % 2)].json().to_string();
        let (oslo, bergen) = (second.find("sun in Oslo"), second.find("sun in Bergen"));
        assert!(oslo.is_some() && oslo < bergen, "the results in their order: {second}");
        if keeps(upstream) {
            let [first, _] = calls();
            let state = upstream.state(THOUGHT, &first);
            assert!(second.contains(&state), "{about}\n{state} is not in {second}");
        }
    }
}

#[test]
fn anthropics_sdk_holds_a_tool_session_on_every_upstream() {
    isolated(|| holds_a_session("anthropic", |_| true));
}

#[test]
fn openais_sdk_holds_a_tool_session_by_responses_on_every_upstream() {
    isolated(|| holds_a_session("responses", |_| true));
}

/// Chat has no place for signatures. What a chat provider wants back is remembered, and Google's stands on the call.
#[test]
fn openais_sdk_holds_a_tool_session_by_chat_on_every_upstream() {
    isolated(|| holds_a_session("chat", |upstream| matches!(upstream, Upstream::Chat | Upstream::Gemini)));
}

#[test]
fn googles_sdk_holds_a_tool_session_on_every_upstream() {
    isolated(|| holds_a_session("google", |_| true));
}
