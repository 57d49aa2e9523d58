//! The Responses API of OpenAI's SDK, with every kind of upstream.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Match, Provider, Sim, SimConfig, Step};

use crate::desk::KEY;
use crate::support::{Gateway, Session, isolated};

fn steps() -> [Step; 2] {
    let call =
        Answer::thinking("Which city?").and_text("I look.").and_tool("call_a", "weather", &json!({"city": "Oslo"}));
    let there = |there| Match { has_tool_result: Some(there), ..Match::default() };
    [Step::answer(call).when(there(false)).always(), Step::text("Sunny.").when(there(true)).always()]
}

#[test]
fn a_tool_session_of_the_openai_sdk_by_responses_goes_through_every_upstream() {
    isolated(|| async {
        let providers = vec![Provider::Chat, Provider::Messages, Provider::Responses];
        let sim = Sim::start(SimConfig { providers, ..SimConfig::default() }.steps(steps())).await;
        let url = sim.base_url();
        let config = format!(
            "model_list:
  - model_name: chat
    litellm_params: {{model: openai/x, api_base: {url}/v1, api_key: upstream-key}}
  - model_name: claude
    litellm_params: {{model: anthropic/claude-sonnet-4-6, api_base: {url}, api_key: upstream-key}}
  - model_name: responses
    litellm_params: {{model: openai/x, api_base: {url}/v1, api_key: upstream-key, api_mode: responses}}
general_settings: {{master_key: {KEY}}}
"
        );
        let gateway = Gateway::start(&config, &[]).await;
        let env = [("BASE_URL", gateway.url("")), ("KEY", KEY.into()), ("MODELS", "chat,claude,responses".into())];
        let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let run = Session::new().python(include_str!("responses_calls.py"), &env).await;
        assert_eq!(run.code, Some(0), "{run:?}\n{}", gateway.log());
        let told: Value = serde_json::from_str(&run.stdout).expect("JSON");

        let sessions = told["told"].as_array().expect("sessions");
        assert_eq!(sessions.len(), 6);
        for (session, model) in sessions.iter().zip(["chat", "chat", "claude", "claude", "x", "x"]) {
            assert_eq!((&session["model"], &session["text"]), (&json!(model), &json!("I look.")));
            assert_eq!(session["kinds"], json!(["reasoning", "message", "function_call"]));
            assert_eq!(session["calls"], json!([["call_a", "weather", {"city": "Oslo"}]]));
            assert_eq!((&session["end"], &session["status"]), (&json!("Sunny."), &json!("completed")));
            assert!(session["tokens"].as_u64() > Some(0), "{session}");
        }
        let not_there = json!(["BadRequestError", null, "model"]);
        let errors = json!([
            ["NotFoundError", "model_not_found", null],
            ["BadRequestError", null, "previous_response_id"],
            not_there,
            not_there
        ]);
        assert_eq!(told["errors"], errors, "two of the upstreams cannot compact");
        for model in ["chat", "claude", "responses"] {
            let [alone, whole] = [0, 1].map(|n| told["counts"][model][n].as_u64().expect("a count"));
            assert!(whole > alone + 10, "{model}: {alone} {whole}");
        }
        // Two tokens of text (tiktoken's README) and six of a message; four bytes of `nullnull"hello world"` are one to the simulator.
        assert_eq!((&told["counts"]["chat"][0], &told["counts"]["responses"][0]), (&json!(8), &json!(5)));
        assert_eq!(told["compacted"], json!(["response.compaction", ["message", "compaction"], true]));
        let refused: Vec<String> = sim.requests().into_iter().filter_map(|request| request.refused).collect();
        assert_eq!(refused, Vec::<String>::new(), "strict servers take what the gateway sends");
        // Twelve of the sessions; three to go on from, two counts, a compaction and an answer after it.
        assert_eq!(sim.requests().len(), 12 + 3 + 2 + 2);
    });
}
