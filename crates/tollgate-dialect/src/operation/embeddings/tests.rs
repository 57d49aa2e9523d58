use serde_json::{Value, json};

use super::super::{AnswerFacts, Answered, Host, Operation, Speaks, Task, Took, Way, Work};

fn facts() -> AnswerFacts<'static> {
    AnswerFacts { model: "m", id: "req_1", created: 1, took: Took::tokens(Some(7)) }
}

fn task(speaks: Speaks, host: Host, model: &str) -> Task<'_> {
    Task { operation: Operation::Embeddings, speaks, host, model, label: "p/x", drop_params: false }
}

fn work(host: Host, model: &str, body: &Value) -> Work {
    task(Speaks::OpenAi, host, model).work(&body.to_string()).unwrap().expect("it is translated")
}

fn bodies(work: &Work) -> Vec<Value> {
    work.calls.iter().map(|call| serde_json::from_slice(&call.body).unwrap()).collect()
}

fn answered(body: &Value) -> Answered {
    Answered { body: serde_json::to_string_pretty(body).unwrap(), input_tokens: None }
}

fn answer(work: &Work, body: &Value) -> Value {
    serde_json::from_slice(&work.answer(&[answered(body)], &facts()).unwrap()).unwrap()
}

/// The answers as the vendors' pages show them, with numbers in the places of `float`.
#[test]
fn every_documented_answer_is_read_with_its_tokens() {
    let input = json!({"model": "m", "input": "a"});
    let vector = json!([0.5, -1e-3]);
    let by_type =
        json!({"embeddings": {"float": [vector]}, "id": "i", "response_type": "embeddings_by_type", "texts": ["a"]});
    for (host, model, body, tokens) in [
        (
            Host::Bedrock,
            "amazon.titan-embed-text-v2:0",
            json!({"embedding": vector, "inputTextTokenCount": 4, "embeddingsByType": {"binary": [1], "float": vector}}),
            Some(4),
        ),
        (Host::Bedrock, "amazon.titan-embed-text-v1", json!({"embedding": vector, "inputTextTokenCount": 4}), Some(4)),
        (
            Host::Bedrock,
            "cohere.embed-english-v3",
            json!({"embeddings": [vector], "id": "i", "response_type": "embeddings_floats", "texts": ["a"]}),
            None,
        ),
        (Host::Bedrock, "cohere.embed-v4:0", by_type, None),
        (
            Host::Vertex,
            "text-embedding-005",
            json!({"predictions": [{"embeddings": {"statistics": {"truncated": false, "token_count": 4}, "values": vector}}]}),
            Some(4),
        ),
        (
            Host::Vertex,
            "gemini-embedding-2",
            json!({"embedding": {"values": vector}, "usageMetadata": {"promptTokenCount": 4}}),
            Some(4),
        ),
        (Host::Gemini, "gemini-embedding-001", json!({"embeddings": [{"values": vector}]}), None),
        (
            Host::Gemini,
            "gemini-embedding-001",
            json!({"embeddings": [{"values": vector, "statistics": {"tokenCount": 4}}]}),
            Some(4),
        ),
    ] {
        let work = work(host, model, &input);
        assert_eq!(work.took(0, &answered(&body)), Ok(Took::tokens(tokens)), "{model}");
        let data = answer(&work, &body);
        assert_eq!(data["data"], json!([{"object": "embedding", "index": 0, "embedding": vector}]), "{model}");
        assert_eq!(data["usage"], json!({"prompt_tokens": 7, "total_tokens": 7}), "{model}");
    }
}

#[test]
fn what_is_no_json_inside_a_text_or_a_name_is_refused() {
    let bodies = ["{\"input\":\"a\u{1}\"}", "{\"input\":[\"\\x\"]}", "{\"input\":\"a\",\"b\u{1}\":1}"];
    for (host, model) in [(Host::Gemini, "gemini-embedding-001"), (Host::Bedrock, "amazon.titan-embed-text-v2:0")] {
        for body in bodies {
            let task = Task { drop_params: true, ..task(Speaks::OpenAi, host, model) };
            assert!(task.work(body).is_err(), "{body:?} {model}");
        }
    }
    let named = "{\"content\":{\"parts\":[{\"text\":\"a\"}]},\"b\u{1}\":1}";
    for host in [Host::Gemini, Host::OpenAi] {
        let task = task(Speaks::EmbedContent, host, "gemini-embedding-001");
        assert!(task.as_openai(named).is_err() || task.work(named).is_err(), "{host:?}");
    }
}

#[test]
fn tokens_that_a_header_tells_count_where_the_body_tells_none() {
    let work = work(Host::Bedrock, "cohere.embed-english-v3", &json!({"input": "a"}));
    let told = Answered { body: r#"{"embeddings": [[1]]}"#.into(), input_tokens: Some(3) };
    assert_eq!(work.took(0, &told), Ok(Took::tokens(Some(3))));
}

/// 1.0 is 3f800000, -0.5 is bf000000 (IEEE 754), the lowest byte first.
#[test]
fn base64_has_the_lowest_byte_first() {
    let work = work(Host::Bedrock, "amazon.titan-embed-text-v1", &json!({"input": "a", "encoding_format": "base64"}));
    let data = answer(&work, &json!({"embedding": [1, -0.5]}));
    assert_eq!(data["data"][0]["embedding"], "AACAPwAAAL8=");
}

#[test]
fn an_answer_that_has_not_one_vector_for_each_text_is_none() {
    let work = work(Host::Gemini, "embedding-001", &json!({"input": ["a", "b"]}));
    for body in [
        json!({"embeddings": [{"values": [1]}]}),
        json!({"embeddings": [{"values": [1]}, {"values": [1]}, {"values": [1]}]}),
        json!({"embeddings": [{"values": [1]}, {}]}),
        json!({"error": {"code": 500}}),
    ] {
        assert!(work.took(0, &answered(&body)).is_err(), "{body}");
    }
    for vector in [json!(["a", "b"]), json!("ab"), json!([null])] {
        let body = json!({"embeddings": [{"values": vector}, {"values": [1]}]});
        assert!(work.answer(&[answered(&body)], &facts()).is_err(), "{body}");
    }
}

#[test]
fn openais_vectors_are_put_in_the_order_of_the_texts() {
    let task = task(Speaks::BatchEmbedContents, Host::OpenAi, "x");
    let body = json!({"requests": [{"content": {"parts": [{"text": "a"}, {"text": "b\n"}]}}, {"content": {"parts": [{"text": "c"}]}}]});
    let common = task.as_openai(&body.to_string()).unwrap().expect("it becomes OpenAI's");
    assert_eq!(serde_json::from_slice::<Value>(&common).unwrap(), json!({"model": "x", "input": ["a\nb\n", "c"]}));
    let work = task.work(std::str::from_utf8(&common).unwrap()).unwrap().unwrap();
    let data = json!([{"index": 1, "embedding": [2]}, {"index": 0, "embedding": [1]}]);
    assert_eq!(answer(&work, &json!({"data": data}))["embeddings"], json!([{"values": [1]}, {"values": [2]}]));
}

#[test]
fn a_wildcards_model_keeps_its_place_in_what_is_forwarded() {
    let body =
        json!({"model": "models/m", "content": {"parts": [{"inlineData": {}}]}, "embedContentConfig": {"title": "t"}});
    let call = |host| task(Speaks::EmbedContent, host, "gemini-embedding-2").work(&body.to_string()).unwrap().unwrap();
    let on_gemini = call(Host::Gemini);
    assert!(on_gemini.forwards());
    let mut expected = body.clone();
    expected["model"] = json!("models/gemini-embedding-2");
    assert_eq!(bodies(&on_gemini), [expected.clone()]);
    // Vertex AI's predict knows texts alone; its Gemini models take what Gemini takes, without the name.
    assert!(task(Speaks::EmbedContent, Host::Vertex, "text-embedding-005").as_openai(&body.to_string()).is_err());
    expected.as_object_mut().unwrap().remove("model");
    let on_vertex = task(Speaks::EmbedContent, Host::Vertex, "gemini-embedding-2").work(&body.to_string()).unwrap();
    assert_eq!(bodies(&on_vertex.unwrap()), [expected]);
}

#[test]
fn models_that_embed_nothing_have_no_way() {
    for model in
        ["amazon.nova-lite-v1:0", "anthropic.claude-opus-5", "cohere.command-r-v1:0", "amazon.titan-embed-image-v1"]
    {
        assert!(task(Speaks::OpenAi, Host::Bedrock, model).way().is_none(), "{model}");
    }
    let passes = task(Speaks::OpenAi, Host::OpenAi, "text-embedding-3-small");
    assert!(matches!(passes.way(), Some(Way::Passes)));
    let moderated = Task { operation: Operation::Moderations, ..task(Speaks::OpenAi, Host::Gemini, "gemini-3-pro") };
    assert!(moderated.way().is_none());
}

#[test]
fn what_calls_took_is_added_and_not_known_if_one_does_not_tell() {
    let [two, three] = [2, 3].map(|tokens| Took::tokens(Some(tokens)));
    assert_eq!(two.and(&three), Took::tokens(Some(5)));
    assert_eq!(two.and(&Took::tokens(None)), Took::tokens(None));
}
