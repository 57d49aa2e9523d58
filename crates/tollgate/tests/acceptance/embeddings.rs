//! `/v1/embeddings` before providers that have a form of their own, and Gemini's embeddings before all of them.

use http::Method;
use serde_json::{Value, json};
use tollgate_sim::{Aws, Google, Grants, Recorded, Sim, SimConfig, Step};
use tollgate_store::database::Database;
use tollgate_store::usage;

use crate::stage::{Client, MASTER_KEY, PROVIDER_KEY, changes, config, has, has_change, merged};
use crate::support::http::{Answer, post, send};
use crate::support::{Gateway, isolated};

/// Who embeds, as LiteLLM's configurations name it.
const GEMINI: &str = "gemini/text-embedding-004";
const TITAN: &str = "bedrock/amazon.titan-embed-text-v2:0";
const COHERE: &str = "bedrock/cohere.embed-multilingual-v3";
const VERTEX: &str = "vertex_ai/text-embedding-005";

/// A gateway with the route `m` to one model, or to many behind a wildcard.
pub struct Stage {
    pub sim: Sim,
    pub gateway: Gateway,
}

impl Stage {
    pub async fn start(model: &str, more: Value) -> Stage {
        Stage::scripted(model, SimConfig::default(), more).await
    }

    pub async fn scripted(model: &str, sim: SimConfig, more: Value) -> Stage {
        Stage::named(if model.contains('*') { model } else { "m" }, model, sim, more).await
    }

    async fn named(name: &str, model: &str, sim: SimConfig, more: Value) -> Stage {
        let google = Google::new();
        let aws = Aws::new(Grants::Nobody);
        let (sim, own) = match model.split('/').next() {
            Some("vertex_ai") => {
                let sim = Sim::start(sim.google(&google)).await;
                let credentials = google.service_account(&sim.base_url()).to_string();
                let own = json!({"vertex_project": google.project, "vertex_location": google.location,
                    "vertex_credentials": credentials, "api_base": sim.base_url()});
                (sim, own)
            }
            Some("bedrock") => {
                let sim = Sim::start(sim.aws(&aws)).await;
                let (id, secret) = aws.user();
                let own = json!({"aws_region_name": aws.region, "aws_access_key_id": id, "aws_secret_access_key": secret,
                    "aws_bedrock_runtime_endpoint": sim.base_url()});
                (sim, own)
            }
            Some("openai") => {
                let sim = Sim::start(sim.key(PROVIDER_KEY)).await;
                let own = json!({"api_base": format!("{}/v1", sim.base_url()), "api_key": PROVIDER_KEY});
                (sim, own)
            }
            _ => {
                let sim = Sim::start(sim.key(PROVIDER_KEY)).await;
                let own = json!({"api_base": sim.base_url(), "api_key": PROVIDER_KEY});
                (sim, own)
            }
        };
        let params = merged(merged(json!({"model": model, "num_retries": 0}), own), more);
        let config = config(&[json!({"model_name": name, "litellm_params": params, "model_info": {"id": "d0"}})]);
        Stage { gateway: Gateway::start(&config.to_string(), &[]).await, sim }
    }

    async fn ask(&self, more: Value) -> Answer {
        let body = merged(json!({"model": "m"}), more);
        post(&self.gateway.url("/v1/embeddings"), &[("x-api-key", MASTER_KEY)], &body).await
    }

    /// As Google's SDKs ask.
    async fn ask_gemini(&self, method: &str, body: &Value) -> Answer {
        let url = self.gateway.url(&format!("/v1beta/models/m:{method}"));
        post(&url, &[("x-goog-api-key", MASTER_KEY)], body).await
    }

    /// The calls of models.
    pub fn sent(&self) -> Vec<Recorded> {
        self.sim.requests().into_iter().filter(|call| call.path != "/token").collect()
    }

    #[track_caller]
    pub fn nothing_was_refused(&self) {
        let refused: Vec<String> = self.sim.requests().into_iter().filter_map(|request| request.refused).collect();
        assert_eq!(refused, Vec::<String>::new());
    }
}

/// The vectors of OpenAI's answer, whose other parts are checked.
#[track_caller]
fn vectors(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!((&body["object"], &body["model"]), (&json!("list"), &json!("m")), "{body}");
    let data = body["data"].as_array().expect("a list");
    for (nth, one) in data.iter().enumerate() {
        assert_eq!((&one["object"], &one["index"]), (&json!("embedding"), &json!(nth)), "{body}");
    }
    data.iter().map(|one| one["embedding"].clone()).collect()
}

/// What the simulated models give for a text of so many characters.
fn vector(characters: u32) -> Value {
    json!([f64::from(characters) / 8.0, -0.25])
}

#[test]
fn each_form_embeds_one_text_and_several_with_the_tokens_that_the_provider_tells() {
    isolated(|| async {
        let content = |text: &str| json!({"parts": [{"text": text}]});
        let vertex = "/v1/projects/my-project-1/locations/us-east5/publishers/google/models";
        // The calls for `one` and `two`, and the model's price of three words at the catalogue's dollars per million tokens.
        let forms = [
            (
                GEMINI,
                vec![(
                    "/v1beta/models/text-embedding-004:batchEmbedContents".to_owned(),
                    json!({"requests": [{"model": "models/text-embedding-004", "content": content("one")},
                        {"model": "models/text-embedding-004", "content": content("two six")}]}),
                )],
                None,
            ),
            (
                VERTEX,
                vec![(
                    format!("{vertex}/text-embedding-005:predict"),
                    json!({"instances": [{"content": "one"}, {"content": "two six"}]}),
                )],
                // $0.10
                Some("0.0000003"),
            ),
            (
                "vertex_ai/gemini-embedding-001",
                vec![
                    (format!("{vertex}/gemini-embedding-001:predict"), json!({"instances": [{"content": "one"}]})),
                    (format!("{vertex}/gemini-embedding-001:predict"), json!({"instances": [{"content": "two six"}]})),
                ],
                // $0.15
                Some("0.00000045"),
            ),
            (
                "vertex_ai/gemini-embedding-2",
                vec![(
                    format!("{vertex}/gemini-embedding-2:batchEmbedContents"),
                    json!({"requests": [{"content": content("one")}, {"content": content("two six")}]}),
                )],
                // $0.20
                Some("0.0000006"),
            ),
            (
                TITAN,
                vec![
                    ("/model/amazon.titan-embed-text-v2%3A0/invoke".to_owned(), json!({"inputText": "one"})),
                    ("/model/amazon.titan-embed-text-v2%3A0/invoke".to_owned(), json!({"inputText": "two six"})),
                ],
                // $0.02
                Some("0.00000006"),
            ),
            (
                "bedrock/amazon.titan-embed-text-v1",
                vec![
                    ("/model/amazon.titan-embed-text-v1/invoke".to_owned(), json!({"inputText": "one"})),
                    ("/model/amazon.titan-embed-text-v1/invoke".to_owned(), json!({"inputText": "two six"})),
                ],
                // $0.10
                Some("0.0000003"),
            ),
            (
                COHERE,
                vec![(
                    "/model/cohere.embed-multilingual-v3/invoke".to_owned(),
                    json!({"texts": ["one", "two six"], "input_type": "search_document"}),
                )],
                // $0.10
                Some("0.0000003"),
            ),
            (
                "bedrock/us.cohere.embed-v4:0",
                vec![(
                    "/model/us.cohere.embed-v4%3A0/invoke".to_owned(),
                    json!({"texts": ["one", "two six"], "input_type": "search_document"}),
                )],
                // $0.12
                Some("0.00000036"),
            ),
        ];
        for (model, calls, cost) in forms {
            let stage = Stage::start(model, json!({})).await;
            let answer = stage.ask(json!({"input": ["one", "two six"], "user": "ada"})).await;
            assert_eq!(vectors(&answer), [vector(3), vector(7)], "{model}");
            assert_eq!(answer.json()["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}), "{model}");
            assert_eq!(answer.header("x-litellm-response-cost"), cost, "{model}");
            assert_eq!(changes(&answer), ["dropped:user"], "{model}");
            let sent: Vec<(String, Value)> = stage.sent().iter().map(|call| (call.path.clone(), call.json())).collect();
            assert_eq!(sent, calls, "{model}");
            assert_eq!(vectors(&stage.ask(json!({"input": "one"})).await), [vector(3)], "{model}");
            stage.nothing_was_refused();
        }
    });
}

#[test]
fn a_single_text_has_its_own_method_before_a_gemini_model_of_vertex_ai() {
    isolated(|| async {
        let stage = Stage::start("vertex_ai/gemini-embedding-2", json!({})).await;
        assert_eq!(vectors(&stage.ask(json!({"input": "one", "dimensions": 2})).await), [vector(3)]);
        let call = &stage.sent()[0];
        assert!(call.path.ends_with("/gemini-embedding-2:embedContent"), "{}", call.path);
        let expected =
            json!({"content": {"parts": [{"text": "one"}]}, "embedContentConfig": {"outputDimensionality": 2}});
        assert_eq!(call.json(), expected);
    });
}

#[test]
fn dimensions_have_each_providers_name_and_are_refused_where_there_are_none() {
    isolated(|| async {
        for (model, at, dimensions) in [
            (GEMINI, "/requests/0/outputDimensionality", 6),
            (VERTEX, "/parameters/outputDimensionality", 6),
            (TITAN, "/dimensions", 256),
            ("bedrock/cohere.embed-v4:0", "/output_dimension", 6),
        ] {
            let stage = Stage::start(model, json!({})).await;
            let answer = stage.ask(json!({"input": ["one"], "dimensions": dimensions})).await;
            assert_eq!(vectors(&answer)[0].as_array().unwrap().len(), dimensions, "{model}");
            assert_eq!(stage.sent()[0].json().pointer(at), Some(&json!(dimensions)), "{model}");
        }
        for model in [COHERE, "bedrock/amazon.titan-embed-text-v1"] {
            let strict = Stage::start(model, json!({})).await;
            let refused = strict.ask(json!({"input": "one", "dimensions": 256})).await;
            assert_eq!(refused.status, 400, "{model}");
            has(&Client::Chat.error(&refused).1, "dimensions: not supported by bedrock/");
            assert_eq!(strict.sent().len(), 0, "{model}");
            let lenient = Stage::start(model, json!({"drop_params": true})).await;
            let answer = lenient.ask(json!({"input": "one", "dimensions": 256})).await;
            has_change(&answer, "dropped:dimensions");
            vectors(&answer);
        }
    });
}

#[test]
fn base64_is_made_here_of_little_endian_floats() {
    isolated(|| async {
        for model in [GEMINI, VERTEX, TITAN, COHERE] {
            let stage = Stage::start(model, json!({})).await;
            let answer = stage.ask(json!({"input": "12345678", "encoding_format": "base64"})).await;
            // 1.0 is 00 00 80 3f, -0.25 is 00 00 80 be.
            assert_eq!(vectors(&answer), [json!("AACAPwAAgL4=")], "{model}");
            let odd = stage.ask(json!({"input": "a", "encoding_format": "int8"})).await;
            assert_eq!(odd.status, 400, "{}", odd.text());
        }
    });
}

#[test]
fn what_only_one_provider_knows_is_said_in_its_own_words_or_in_the_configuration() {
    isolated(|| async {
        let cohere = Stage::start(COHERE, json!({"input_type": "search_query"})).await;
        vectors(&cohere.ask(json!({"input": "one", "truncate": "END"})).await);
        let expected = json!({"texts": ["one"], "input_type": "search_query", "truncate": "END"});
        assert_eq!(cohere.sent()[0].json(), expected);
        let titan = Stage::start(TITAN, json!({"dimensions": 512, "extra_body": {"normalize": false}})).await;
        vectors(&titan.ask(json!({"input": "one"})).await);
        assert_eq!(titan.sent()[0].json(), json!({"inputText": "one", "dimensions": 512, "normalize": false}));
        let vertex = Stage::start(VERTEX, json!({})).await;
        vectors(&vertex.ask(json!({"input": "one", "task_type": "RETRIEVAL_QUERY", "auto_truncate": false})).await);
        let instance = json!({"content": "one", "task_type": "RETRIEVAL_QUERY"});
        let expected = json!({"instances": [instance], "parameters": {"autoTruncate": false}});
        assert_eq!(vertex.sent()[0].json(), expected);
    });
}

#[test]
fn more_texts_than_one_call_takes_are_several_calls_and_one_answer() {
    isolated(|| async {
        for (model, most) in [(GEMINI, 100), (VERTEX, 250), (COHERE, 96)] {
            let stage = Stage::start(model, json!({})).await;
            let texts: Vec<String> = (0..=most).map(|nth| "x".repeat(nth % 7 + 1)).collect();
            let answer = stage.ask(json!({"input": texts})).await;
            let expected: Vec<Value> = texts.iter().map(|text| vector(text.len() as u32)).collect();
            assert_eq!(vectors(&answer), expected, "{model}");
            assert_eq!(answer.json()["usage"]["total_tokens"], most + 1, "{model}: a word each");
            assert_eq!((stage.sent().len(), answer.header("x-tollgate-attempts")), (2, Some("1")), "{model}");
        }
    });
}

#[test]
fn texts_go_on_as_they_are_and_tokens_are_refused_with_a_reason() {
    isolated(|| async {
        let stage = Stage::start(TITAN, json!({})).await;
        let body = r#"{"model": "m", "input": "caf\u00e9 \/ \"x\" \ud83d\ude00"}"#;
        let headers = [("x-api-key", MASTER_KEY), ("content-type", "application/json")];
        let answer = send(Method::POST, &stage.gateway.url("/v1/embeddings"), &headers, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sent = String::from_utf8(stage.sent()[0].body.to_vec()).unwrap();
        assert_eq!(sent, r#"{"inputText":"caf\u00e9 \/ \"x\" \ud83d\ude00"}"#);
        for input in [json!([1, 2, 3]), json!([[1, 2], [3]]), json!([]), json!(5), json!([{"text": "a"}]), json!(null)]
        {
            let refused = stage.ask(json!({"input": input})).await;
            assert_eq!(refused.status, 400, "{input}: {}", refused.text());
            has(&Client::Chat.error(&refused).1, "input");
        }
        has(&stage.ask(json!({"input": [1, 2]})).await.text(), "send the text itself");
        assert_eq!(stage.sent().len(), 1);
    });
}

#[test]
fn errors_of_providers_become_openais_and_another_deployment_takes_over() {
    isolated(|| async {
        let throttled = || Step::json(429, &json!({"message": "Too many requests, please wait"}));
        let alone = Stage::scripted(TITAN, SimConfig::default().step(throttled().always()), json!({})).await;
        let failed = alone.ask(json!({"input": "one"})).await;
        assert_eq!(failed.status, 429, "{}", failed.text());
        has(&Client::Chat.error(&failed).1, "Too many requests");
        let quota = json!({"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}});
        let wrong = Stage::scripted(GEMINI, SimConfig::default().step(Step::json(400, &quota)), json!({})).await;
        assert_eq!(wrong.ask(json!({"input": "one"})).await.status, 502, "our credential is nobody's affair but ours");
        // Too few vectors, none, and no JSON: nothing of it is an answer.
        for body in [r#"{"embeddings": [{"values": [1]}]}"#, "{}", "<html>"] {
            let step = Step::http(200, "application/json", body);
            let odd = Stage::scripted(GEMINI, SimConfig::default().step(step), json!({})).await;
            let failed = odd.ask(json!({"input": ["one", "two"]})).await;
            assert_eq!(failed.status, 502, "{body}: {}", failed.text());
        }
    });
}

#[test]
fn the_calls_before_one_that_fails_are_paid_for() {
    isolated(|| async {
        let sim =
            SimConfig::default().step(Step::text("")).step(Step::json(500, &json!({"message": "no luck"})).always());
        let stage = Stage::scripted(TITAN, sim, json!({})).await;
        let failed = stage.ask(json!({"input": ["one two three four five", "six"]})).await;
        assert_eq!(failed.status, 500, "{}", failed.text());
        let id = failed.header("request-id").unwrap().to_owned();
        let database = Database::sqlite(&stage.gateway.data_dir().join("tollgate.db")).await.unwrap();
        let mut rows = Vec::new();
        for _ in 0..500 {
            rows = usage::row(&database, &id).await.unwrap();
            if !rows.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        // 5 × $0.02/M
        assert_eq!(serde_json::to_value(&rows[0]).unwrap()["cost_nanos"], 100);
    });
}

#[test]
fn tokens_that_nobody_tells_are_counted() {
    isolated(|| async {
        let silent = Step::json(200, &json!({"embeddings": [[0.5, -0.25]], "response_type": "embeddings_floats"}));
        let stage = Stage::scripted(COHERE, SimConfig::default().step(silent), json!({})).await;
        let answer = stage.ask(json!({"input": "one"})).await;
        has_change(&answer, "estimated:usage");
        assert!(answer.json()["usage"]["total_tokens"].as_u64().unwrap() > 0, "{}", answer.text());
        assert_ne!(answer.header("x-litellm-response-cost"), Some("0"));
        assert_eq!(vectors(&answer), [json!([0.5, -0.25])]);
    });
}

#[test]
fn wildcards_reach_every_model_that_embeds_and_tell_of_those_that_do_not() {
    isolated(|| async {
        for (wildcard, model) in
            [("gemini/*", GEMINI), ("vertex_ai/*", VERTEX), ("bedrock/*", TITAN), ("bedrock/*", COHERE)]
        {
            let stage = Stage::start(wildcard, json!({})).await;
            let answer = stage.ask(json!({"model": model, "input": "one"})).await;
            assert_eq!(answer.status, 200, "{model}: {}", answer.text());
            assert_eq!(answer.json()["model"], model);
            stage.nothing_was_refused();
        }
        let stage = Stage::start("bedrock/*", json!({})).await;
        for model in ["bedrock/amazon.nova-lite-v1:0", "bedrock/us.anthropic.claude-opus-5"] {
            let refused = stage.ask(json!({"model": model, "input": "one"})).await;
            assert_eq!(refused.status, 400, "{model}: {}", refused.text());
            has(
                &Client::Chat.error(&refused).1,
                "/v1/embeddings needs an OpenAI-compatible provider, a model of Gemini",
            );
        }
        assert_eq!(stage.sent().len(), 0);
    });
}

fn batch(texts: &[&str], more: &Value) -> Value {
    let one = |text: &&str| {
        merged(json!({"model": "models/m", "content": {"role": "user", "parts": [{"text": text}]}}), more.clone())
    };
    json!({"requests": texts.iter().map(one).collect::<Vec<_>>()})
}

#[test]
fn a_gemini_client_embeds_with_every_provider() {
    isolated(|| async {
        for model in [GEMINI, VERTEX, "vertex_ai/gemini-embedding-001", "vertex_ai/gemini-embedding-2", TITAN, COHERE] {
            let stage = Stage::start(model, json!({})).await;
            let config = json!({"taskType": "RETRIEVAL_QUERY"});
            let answer = stage.ask_gemini("batchEmbedContents", &batch(&["one", "two six"], &config)).await;
            assert_eq!(answer.status, 200, "{model}: {}", answer.text());
            let body = answer.json();
            assert_eq!(body["embeddings"], json!([{"values": vector(3)}, {"values": vector(7)}]), "{model}");
            assert_eq!(body["usageMetadata"], json!({"promptTokenCount": 3}), "{model}");
            let one = merged(json!({"content": {"parts": [{"text": "one"}]}}), config);
            let answer = stage.ask_gemini("embedContent", &one).await;
            assert_eq!(answer.status, 200, "{model}: {}", answer.text());
            let expected = json!({"embedding": {"values": vector(3)}, "usageMetadata": {"promptTokenCount": 1}});
            assert_eq!(answer.json(), expected, "{model}");
            stage.nothing_was_refused();
        }
    });
}

#[test]
fn a_gemini_client_embeds_with_openais_models() {
    isolated(|| async {
        let stage = Stage::start("openai/text-embedding-3-small", json!({"input_cost_per_token": 2e-8})).await;
        let body = batch(&["one"], &json!({"outputDimensionality": 2, "taskType": "CLUSTERING"}));
        let answer = stage.ask_gemini("batchEmbedContents", &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let expected = json!({"embeddings": [{"values": [0.1, -0.25]}], "usageMetadata": {"promptTokenCount": 8}});
        assert_eq!(answer.json(), expected);
        has_change(&answer, "dropped:taskType");
        // 8 × $0.02/M
        assert_eq!(answer.header("x-litellm-response-cost"), Some("0.00000016"));
        let sent = &stage.sent()[0];
        let expected = json!({"model": "text-embedding-3-small", "input": ["one"], "dimensions": 2});
        assert_eq!((sent.path.as_str(), sent.json()), ("/v1/embeddings", expected));
    });
}

#[test]
fn before_gemini_itself_a_gemini_clients_requests_go_on_but_for_the_models_name() {
    isolated(|| async {
        let stage = Stage::start(GEMINI, json!({})).await;
        let image = json!({"inlineData": {"mimeType": "image/png", "data": "aGk="}});
        let body = json!({"requests": [{"model": "models/m", "content": {"parts": [image]}, "title": "größer"}]});
        let answer = stage.ask_gemini("batchEmbedContents", &body).await;
        // The simulated model takes texts alone; what it was sent is what counts.
        assert_eq!(answer.status, 400, "{}", answer.text());
        has(&answer.json()["error"]["message"].to_string(), "contents is not specified");
        let mut expected = body.clone();
        expected["requests"][0]["model"] = json!("models/text-embedding-004");
        assert_eq!(stage.sent()[0].json(), expected);
        let elsewhere = Stage::start(TITAN, json!({})).await;
        let refused = elsewhere.ask_gemini("batchEmbedContents", &body).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
        has(&refused.json()["error"]["message"].to_string(), "only texts can be embedded");
    });
}

#[test]
fn a_gemini_clients_mistakes_are_told_in_its_dialect() {
    isolated(|| async {
        let stage = Stage::start(TITAN, json!({})).await;
        for (method, body) in [
            ("batchEmbedContents", json!({"requests": []})),
            ("batchEmbedContents", json!({"requests": [{"content": {"parts": []}}]})),
            ("embedContent", json!({"taskType": "CLUSTERING"})),
        ] {
            let refused = stage.ask_gemini(method, &body).await;
            assert_eq!(refused.status, 400, "{body}: {}", refused.text());
            assert_eq!(refused.json()["error"]["status"], "INVALID_ARGUMENT", "{}", refused.text());
        }
        let mixed = json!({"requests": [
            {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 256},
            {"content": {"parts": [{"text": "b"}]}, "outputDimensionality": 512},
        ]});
        has(&stage.ask_gemini("batchEmbedContents", &mixed).await.text(), "requests.1.outputDimensionality");
        let url = stage.gateway.url("/v1beta/models/m:embedContent");
        let stranger = post(&url, &[("x-goog-api-key", "sk-wrong")], &mixed).await;
        assert_eq!((stranger.status.as_u16(), &stranger.json()["error"]["status"]), (401, &json!("UNAUTHENTICATED")));
        assert_eq!(stage.sent().len(), 0);
    });
}
