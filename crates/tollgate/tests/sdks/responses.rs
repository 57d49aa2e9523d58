//! Errors of the Responses API, as OpenAI's SDK has them. Whole conversations are in `sessions.rs`.

use serde_json::json;

use crate::desk::{Desk, KEY};
use crate::support::{Session, isolated};

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
