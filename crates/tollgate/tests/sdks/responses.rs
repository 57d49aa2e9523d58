//! What the Responses API has beside whole conversations (they are in `sessions.rs`), as OpenAI's SDK calls it.

use serde_json::{Value, json};
use tollgate_sim::{Provider, Sim, SimConfig, Step};

use crate::desk::{Desk, KEY};
use crate::support::{Gateway, Session, isolated};

const SCRIPT: &str = r#"
import json, openai, os
client = openai.OpenAI(base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["KEY"], max_retries=0)
told = []
for args in ({"model": "none-such", "input": "x"}, {"model": "gpt", "input": "x", "previous_response_id": "resp_1"}):
    try:
        client.responses.create(**args)
    except openai.APIStatusError as error:
        told.append([type(error).__name__, error.code, error.param])
print(json.dumps(told))
"#;

#[test]
fn errors_of_the_responses_api_reach_the_openai_sdk_in_its_classes() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let run = Session::new().python(SCRIPT, &[("BASE_URL", &desk.gateway.url("")), ("KEY", KEY)]).await;
        let expected =
            json!([["NotFoundError", "model_not_found", null], ["BadRequestError", null, "previous_response_id"]]);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&run.stdout).ok(), Some(expected), "{run:?}");
        assert_eq!(desk.sent().len(), 0);
    });
}

#[test]
fn the_openai_sdk_counts_prompts_everywhere_and_compacts_where_the_upstream_can() {
    isolated(|| async {
        let providers = vec![Provider::Chat, Provider::Messages, Provider::Responses];
        let config = SimConfig { providers, ..SimConfig::default() };
        let sim = Sim::start(config.step(Step::text("Sunny.").always())).await;
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
        for model in ["chat", "claude", "responses"] {
            let [alone, whole] = [0, 1].map(|n| told["counts"][model][n].as_u64().expect("a count"));
            assert!(whole > alone + 10, "{model}: {alone} {whole}");
        }
        // Two tokens of text (tiktoken's README) and six of a message; four bytes of `nullnull"hello world"` are one to the simulator.
        assert_eq!((&told["counts"]["chat"][0], &told["counts"]["responses"][0]), (&json!(8), &json!(5)));
        assert_eq!(told["compacted"], json!(["response.compaction", ["message", "compaction"], true]));
        let cannot = json!(["BadRequestError", null, "model"]);
        assert_eq!(told["errors"], json!([cannot, cannot]), "two of the upstreams cannot compact");
        let refused: Vec<String> = sim.requests().into_iter().filter_map(|request| request.refused).collect();
        assert_eq!(refused, Vec::<String>::new(), "strict servers take what the gateway sends");
        // Three to go on from, two counts, a compaction and an answer after it.
        assert_eq!(sim.requests().len(), 3 + 2 + 2);
    });
}
