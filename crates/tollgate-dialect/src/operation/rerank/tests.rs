use serde_json::{Value, json};

use super::*;
use crate::operation::{Answered, Operation, Speaks, Work};

fn work(model: &str, body: &Value) -> Result<Work, ForwardError> {
    let task = Task {
        operation: Operation::Rerank,
        speaks: Speaks::OpenAi,
        host: Host::Bedrock,
        model,
        label: "bedrock/x",
        drop_params: false,
    };
    task.work(&body.to_string()).map(|work| work.expect("it is translated"))
}

fn sent(model: &str, body: &Value) -> Value {
    serde_json::from_slice(&work(model, body).unwrap().calls[0].body).unwrap()
}

#[test]
fn each_makers_model_has_its_own_form() {
    let asked = json!({"model": "m", "query": "q", "documents": ["a", {"text": "b"}], "top_n": 1});
    let expected = json!({"query": "q", "documents": ["a", "b"], "top_n": 1});
    assert_eq!(sent("amazon.rerank-v1:0", &asked), expected);
    let arn = "arn:aws:bedrock:us-west-2::foundation-model/cohere.rerank-v3-5:0";
    let mut of_cohere = expected;
    of_cohere["api_version"] = json!(2);
    assert_eq!(sent(arn, &asked), of_cohere);
}

#[test]
fn an_answer_is_cohere_s_with_a_search_for_each_hundred_documents() {
    let documents: Vec<String> = (0..101).map(|nth| format!("d{nth}")).collect();
    let asked = json!({"query": "q", "documents": documents, "return_documents": true});
    let work = work("cohere.rerank-v3-5:0", &asked).unwrap();
    let given = json!({"results": [{"index": 100, "relevance_score": 0.75}, {"index": 0, "relevance_score": 1e-4}]});
    let given = Answered { body: given.to_string(), input_tokens: None };
    let took = work.took(0, &given).unwrap();
    assert_eq!(took, Took { queries: 2 * ONE, ..Took::default() });
    let facts = AnswerFacts { model: "m", id: "req_1", created: 1, took };
    let answer: Value = serde_json::from_slice(&work.answer(&[given], &facts).unwrap()).unwrap();
    let expected = json!({
        "id": "req_1",
        "results": [{"index": 100, "relevance_score": 0.75, "document": {"text": "d100"}},
            {"index": 0, "relevance_score": 1e-4, "document": {"text": "d0"}}],
        "meta": {"billed_units": {"search_units": 2}},
    });
    assert_eq!(answer, expected);
}

#[test]
fn what_is_no_request_and_what_is_no_answer_are_refused() {
    for body in [
        json!({"documents": ["a"]}),
        json!({"query": "q"}),
        json!({"query": "q", "documents": []}),
        json!({"query": "q", "documents": [5]}),
        json!({"query": "q", "documents": ["a"], "rank_fields": ["x"]}),
    ] {
        assert!(work("amazon.rerank-v1:0", &body).is_err(), "{body}");
    }
    let work = work("amazon.rerank-v1:0", &json!({"query": "q", "documents": ["a"]})).unwrap();
    for body in [r#"{"message": "no"}"#, r#"{"results": [{"index": "x"}]}"#, "[]"] {
        assert!(work.took(0, &Answered { body: body.into(), input_tokens: None }).is_err(), "{body}");
    }
}
