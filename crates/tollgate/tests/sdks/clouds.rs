//! The SDKs of the clouds against the simulated clouds themselves: what stands behind the gateway in other tests takes what these SDKs
//! sign and send, answers so that they can read it, and refuses what the clouds refuse.

use serde_json::{Value, json};
use tollgate_sim::{API_VERSION, Answer, Aws, Azure, Grants, Identity, Match, Provider, Sim, SimConfig, Step};

use crate::support::{Session, isolated};

async fn told(script: &str, env: &[(&str, &str)]) -> Value {
    let run = Session::new().python(script, env).await;
    assert_eq!(run.code, Some(0), "{run:?}");
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

#[test]
fn boto3_calls_the_simulated_bedrock_with_keys_that_sts_gave_and_is_refused_with_wrong_ones() {
    isolated(|| async {
        let aws = Aws::new(Grants::Role { external_id: None });
        let (id, secret) = aws.user();
        let ended = aws.issue();
        aws.revoke();
        let call = Answer::thinking("Hm.").and_text("See.").and_tool("t1", "look", &json!({"at": "ü"}));
        let there = |there| Match { has_tools: Some(true), has_tool_result: Some(there), ..Match::default() };
        let sim = SimConfig::default()
            .aws(&aws)
            .steps([Step::answer(call).when(there(false)).always(), Step::text("Seen.").when(there(true)).always()]);
        let sim = Sim::start(sim).await;
        let ended = json!(ended).to_string();
        let env = [("URL", &*sim.base_url()), ("ROLE", aws.role()), ("ID", id), ("SECRET", secret), ("ENDED", &ended)];
        let told = told(include_str!("boto3_calls.py"), &env).await;
        let content = json!([{"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": tollgate_sim::signature("Hm.")}}},
            {"text": "See."}, {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"at": "ü"}}}]);
        let talk = json!([{"content": content, "stop": "tool_use", "end": "Seen."}, {"content": content, "stop": "tool_use", "end": "Seen."}]);
        assert_eq!(told["converse"], talk, "{told:#}");
        assert_eq!(told["invoke"], json!(["Hello from the simulated model.", "Hello from the simulated model."]));
        let refused = json!([
            "InvalidSignatureException",
            "ExpiredTokenException",
            "UnrecognizedClientException",
            "ValidationException"
        ]);
        assert_eq!(told["refused"], refused, "{told:#}");
    });
}

#[test]
fn openais_sdk_for_azure_calls_the_simulated_azure_with_a_token_of_entra_id_until_it_ends() {
    isolated(|| async {
        let azure = Azure::new(Identity::Imds);
        let good = azure.issue();
        azure.issue_for(0);
        let ended = azure.issue();
        let providers = vec![Provider::Chat];
        let sim = Sim::start(SimConfig { providers, ..SimConfig::default() }.azure(&azure)).await;
        let tokens = json!([good, ended, "none"]).to_string();
        let script = r#"
import json, openai, os
told = []
for token in json.loads(os.environ["TOKENS"]):
    client = openai.AzureOpenAI(azure_endpoint=os.environ["URL"], api_version=os.environ["VERSION"], azure_ad_token=token, max_retries=0)
    try:
        answer = client.chat.completions.create(model="my-gpt", messages=[{"role": "user", "content": "hi"}])
        told.append(answer.choices[0].message.content)
    except openai.APIStatusError as error:
        told.append(type(error).__name__)
print(json.dumps(told))
"#;
        let env = [("URL", &*sim.base_url()), ("TOKENS", &tokens), ("VERSION", API_VERSION)];
        let expected = json!(["Hello from the simulated model.", "AuthenticationError", "AuthenticationError"]);
        assert_eq!(told(script, &env).await, expected);
    });
}
