//! What is beside the conversation: errors, counts, lists, keys, the array form, cuts.

use serde_json::{Value, json};
use tollgate_sim::{Ending, Faults, Finish, Usage};

use super::*;
use crate::support::http::{self, post};

const WHOLE: &str = "/v1beta/models/m:generateContent";
const EVENTS: &str = "/v1beta/models/m:streamGenerateContent?alt=sse";
const ARRAY: &str = "/v1beta/models/m:streamGenerateContent";

fn hello() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]})
}

async fn ask(gateway: &Gateway, path: &str, body: &Value) -> http::Answer {
    post(&gateway.url(path), &[("x-goog-api-key", MASTER_KEY)], body).await
}

const UPSTREAMS: [Upstream; 3] = [Upstream::Chat, Upstream::Messages, Upstream::Gemini3];

#[test]
fn without_alt_sse_a_stream_is_one_json_array() {
    isolated(|| async {
        for upstream in UPSTREAMS {
            let (_sim, gateway) = stage(upstream, SimConfig::default().step(Step::text("one and two and three"))).await;
            let answer = ask(&gateway, ARRAY, &hello()).await;
            assert!(answer.header("content-type").is_some_and(|t| t.starts_with("application/json")), "{answer:?}");
            let pieces = answer.json();
            let pieces = pieces.as_array().expect("an array");
            let parts =
                pieces.iter().flat_map(|p| p["candidates"][0]["content"]["parts"].as_array().into_iter().flatten());
            let text: String = parts.filter_map(|part| part["text"].as_str()).collect();
            assert_eq!(text, "one and two and three", "{upstream:?}");
            assert_eq!(pieces.last().expect("a piece")["candidates"][0]["finishReason"], "STOP", "{upstream:?}");
        }
    });
}

#[test]
fn the_model_may_stand_behind_either_version_and_the_key_in_any_place() {
    isolated(|| async {
        let (sim, gateway) = stage(Upstream::Gemini3, SimConfig::default()).await;
        for path in [WHOLE, "/v1/models/m:generateContent", "/models/m:generateContent"] {
            assert_eq!(ask(&gateway, path, &hello()).await.status, 200, "{path}");
        }
        let by_query = format!("{WHOLE}?key={MASTER_KEY}");
        assert_eq!(post(&gateway.url(&by_query), &[], &hello()).await.status, 200);
        let bearer = format!("Bearer {MASTER_KEY}");
        assert_eq!(post(&gateway.url(WHOLE), &[("authorization", &bearer)], &hello()).await.status, 200);
        for path in [WHOLE.to_owned(), format!("{WHOLE}?key=wrong")] {
            let refused = post(&gateway.url(&path), &[], &hello()).await;
            assert_eq!(refused.status, 401, "{path}");
            assert_eq!(refused.json()["error"]["status"], "UNAUTHENTICATED", "{}", refused.text());
        }
        // The key of a query is for Google's clients alone.
        let chat = format!("/v1/chat/completions?key={MASTER_KEY}");
        assert_eq!(post(&gateway.url(&chat), &[], &json!({"model": "m"})).await.status, 401);
        for request in sim.requests() {
            assert_eq!(
                (request.path.as_str(), request.query.as_deref()),
                ("/v1beta/models/gemini-3-pro:generateContent", None)
            );
            assert_eq!(request.header("x-goog-api-key"), Some(PROVIDER_KEY));
        }
        assert!(!gateway.log().contains(MASTER_KEY));
    });
}

#[test]
fn a_gemini_client_keeps_its_bytes_on_a_gemini_upstream() {
    isolated(|| async {
        let (sim, gateway) = stage(Upstream::Gemini3, SimConfig::default()).await;
        let body = r#"{ "contents" : [{"role":"user","parts":[{"text":"caf\u00e9"}]}],"safetySettings":[] }"#;
        for path in [WHOLE, EVENTS] {
            let headers = [("x-goog-api-key", MASTER_KEY), ("content-type", "application/json")];
            let answer = http::send(::http::Method::POST, &gateway.url(path), &headers, body.to_owned()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(sim.requests().last().expect("a request").body, body);
        }
        assert_eq!(sim.requests()[1].query.as_deref(), Some("alt=sse"));
    });
}

#[test]
fn tokens_are_counted_for_every_model_in_both_shapes() {
    isolated(|| async {
        for upstream in UPSTREAMS {
            let (sim, gateway) = stage(upstream, SimConfig::default()).await;
            let path = "/v1beta/models/m:countTokens";
            let plain = ask(&gateway, path, &hello()).await.json();
            let mut whole = hello();
            whole["model"] = json!("models/m");
            let wrapped = ask(&gateway, path, &json!({"generateContentRequest": whole})).await.json();
            assert!(plain["totalTokens"].as_u64().is_some_and(|n| (1..100).contains(&n)), "{plain}");
            assert_eq!(plain, wrapped);
            assert!(sim.requests().is_empty(), "nobody upstream is asked");
        }
    });
}

#[test]
fn models_are_listed_in_googles_shape() {
    isolated(|| async {
        let (_sim, gateway) = stage(Upstream::Chat, SimConfig::default()).await;
        let headers = [("x-goog-api-key", MASTER_KEY)];
        let list = http::send(::http::Method::GET, &gateway.url("/v1beta/models"), &headers, "").await.json();
        assert_eq!(list["models"][0]["name"], "models/m", "{list}");
        assert_eq!(list["models"][0]["supportedGenerationMethods"], json!(["generateContent", "countTokens"]));
        let one = http::send(::http::Method::GET, &gateway.url("/v1beta/models/m"), &headers, "").await.json();
        assert_eq!(one, list["models"][0]);
        let unknown = http::send(::http::Method::GET, &gateway.url("/v1beta/models/zzz"), &headers, "").await;
        assert_eq!((unknown.status.as_u16(), &unknown.json()["error"]["status"]), (404, &json!("NOT_FOUND")));
    });
}

#[test]
fn errors_have_googles_shape_whoever_refused() {
    isolated(|| async {
        let google = |code: u16, status: &str, details: Value| {
            Step::json(
                code,
                &json!({"error": {"code": code, "message": "words", "status": status, "details": details}}),
            )
        };
        let retry = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]);
        let openai = |code: u16| Step::json(code, &json!({"error": {"message": "words", "type": "x", "code": null}}));
        let claude = |code: u16, kind: &str| {
            Step::json(code, &json!({"type": "error", "error": {"type": kind, "message": "words"}}))
        };
        for (upstream, step, code, status) in [
            (Upstream::Gemini3, google(400, "INVALID_ARGUMENT", json!([])), 400, "INVALID_ARGUMENT"),
            (Upstream::Gemini3, google(429, "RESOURCE_EXHAUSTED", retry), 429, "RESOURCE_EXHAUSTED"),
            (Upstream::Gemini3, google(503, "UNAVAILABLE", json!([])), 503, "UNAVAILABLE"),
            (Upstream::Chat, openai(404), 404, "NOT_FOUND"),
            (Upstream::Chat, openai(500), 500, "INTERNAL"),
            (Upstream::Messages, claude(529, "overloaded_error"), 503, "UNAVAILABLE"),
        ] {
            for path in [WHOLE, EVENTS, ARRAY] {
                let (_sim, gateway) = stage(upstream, SimConfig::default().step(step.clone().always())).await;
                let answer = ask(&gateway, path, &hello()).await;
                let error = answer.json()["error"].clone();
                assert_eq!(answer.status.as_u16(), code, "{upstream:?} {path}: {error}");
                assert_eq!(
                    (&error["code"], &error["status"]),
                    (&json!(code), &json!(status)),
                    "{upstream:?} {path}: {error}"
                );
                assert!(error["message"].as_str().is_some_and(|m| m.contains("words")), "{error}");
            }
        }
    });
}

#[test]
fn how_long_to_wait_goes_from_googles_details_to_every_client() {
    isolated(|| async {
        let details = json!([{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "61s"}]);
        let error =
            json!({"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": details}});
        let (_sim, gateway) =
            stage(Upstream::Gemini3, SimConfig::default().step(Step::json(429, &error).always())).await;
        let chat = json!({"model": "m", "messages": [{"role": "user", "content": "hello"}]});
        let told = post(&gateway.url("/v1/chat/completions"), &[("x-api-key", MASTER_KEY)], &chat).await;
        assert_eq!(told.status, 429, "{}", told.text());
        let seconds: u64 = told.header("retry-after").expect("a wait").parse().expect("seconds");
        assert!((1..=61).contains(&seconds), "{seconds}");
        let google = ask(&gateway, WHOLE, &hello()).await;
        let delay = google.json()["error"]["details"].to_string();
        assert!(delay.contains("google.rpc.RetryInfo") && delay.contains("retryDelay"), "{}", google.text());
    });
}

#[test]
fn our_own_credential_is_no_matter_of_the_clients() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key("another key")).await;
        let entry = json!({"model_name": "m", "litellm_params": Upstream::Gemini3.params(&sim)});
        let gateway = Gateway::start(&config(&[entry]).to_string(), &[]).await;
        let answer = ask(&gateway, WHOLE, &hello()).await;
        assert_eq!(answer.status, 502, "{}", answer.text());
        assert_eq!(answer.json()["error"]["status"], "INTERNAL");
        assert!(!answer.text().contains(PROVIDER_KEY));
    });
}

#[test]
fn a_stream_that_is_cut_is_never_complete() {
    isolated(|| async {
        for upstream in UPSTREAMS {
            for path in [EVENTS, ARRAY] {
                let cut = Faults { cut_after: Some((2, Ending::Reset)), ..Faults::default() };
                let step = Step::text("one two three four five six seven eight nine ten").faults(cut).always();
                let (_sim, gateway) = stage(upstream, SimConfig::default().step(step)).await;
                let answer = ask(&gateway, path, &hello()).await;
                assert!(!answer.text().contains("finishReason"), "{upstream:?} {path}: {}", answer.text());
                assert!(answer.text().contains("\"error\""), "{upstream:?} {path}: {}", answer.text());
                if path == ARRAY {
                    assert!(answer.json().is_object() || answer.json().as_array().is_some_and(|all| !all.is_empty()));
                }
            }
        }
    });
}

#[test]
fn an_answer_that_google_stopped_is_told_in_every_dialect() {
    isolated(|| async {
        for (reason, claude, openai, google) in
            [("MAX_TOKENS", "max_tokens", "length", "MAX_TOKENS"), ("SAFETY", "refusal", "content_filter", "SAFETY")]
        {
            let step = Step::answer(Answer::text("part").finish(Finish::Given(reason.into()))).always();
            let (_sim, gateway) = stage(Upstream::Gemini3, SimConfig::default().step(step)).await;
            let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]});
            let key = [("x-api-key", MASTER_KEY)];
            let told = post(&gateway.url("/v1/messages"), &key, &body).await.json();
            assert_eq!(told["stop_reason"], claude, "{told}");
            let told = post(&gateway.url("/v1/chat/completions"), &key, &body).await.json();
            assert_eq!(told["choices"][0]["finish_reason"], openai, "{told}");
            let told = ask(&gateway, WHOLE, &hello()).await.json();
            assert_eq!(told["candidates"][0]["finishReason"], google, "{told}");
        }
    });
}

#[test]
fn a_call_that_google_could_not_read_is_a_failure_with_its_name() {
    isolated(|| async {
        let step = Step::answer(Answer::default().finish(Finish::Given("MALFORMED_FUNCTION_CALL".into()))).always();
        let (_sim, gateway) = stage(Upstream::Gemini3, SimConfig::default().step(step)).await;
        let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]});
        let answer = post(&gateway.url("/v1/messages"), &[("x-api-key", MASTER_KEY)], &body).await;
        assert_eq!(answer.status, 502, "{}", answer.text());
        assert!(answer.text().contains("MALFORMED_FUNCTION_CALL"), "{}", answer.text());
    });
}

#[test]
fn configured_parameters_stand_where_google_has_them() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY)).await;
        let mut params = Upstream::Gemini3.params(&sim);
        params["temperature"] = json!(0.25);
        params["max_tokens"] = json!(77);
        params["stop"] = json!("END");
        let entry = json!({"model_name": "m", "litellm_params": params});
        let gateway = Gateway::start(&config(&[entry]).to_string(), &[]).await;
        let mut body = hello();
        body["generationConfig"] = json!({"temperature": 1.5});
        assert_eq!(ask(&gateway, WHOLE, &body).await.status, 200);
        let sent = sim.requests()[0].json();
        let expected = json!({"temperature": 1.5, "maxOutputTokens": 77, "stopSequences": ["END"]});
        assert_eq!(sent["generationConfig"], expected, "{sent}");
        nothing_was_refused(&sim, "defaults");
    });
}

#[test]
fn counts_that_google_leaves_out_are_estimated_and_said_to_be() {
    isolated(|| async {
        let step = Step::answer(Answer::text("hi").usage(Usage::Missing)).always();
        let (_sim, gateway) = stage(Upstream::Gemini3, SimConfig::default().step(step)).await;
        let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]});
        let answer = post(&gateway.url("/v1/messages"), &[("x-api-key", MASTER_KEY)], &body).await;
        assert!(answer.header("x-tollgate-changes").is_some_and(|c| c.contains("estimated:usage")), "{answer:?}");
        assert!(answer.json()["usage"]["output_tokens"].as_u64().is_some_and(|n| n > 0));
    });
}

#[test]
fn a_stream_of_googles_in_any_frames_and_pieces_gives_every_client_the_same() {
    isolated(|| async {
        let odd = [
            Faults { split_bytes: Some(1), ..Faults::default() },
            Faults { split_seed: Some(7), crlf: true, ..Faults::default() },
            Faults { no_space: true, comment: Some("keep".into()), ..Faults::default() },
        ];
        for faults in odd {
            for speaker in SPEAKERS {
                let answer = Answer::thinking("h\u{e9}").and_text("\u{1f600} text").and_tool(
                    "c",
                    "read",
                    &json!({"path": "\u{e9}\n"}),
                );
                let step = Step::answer(answer).faults(faults.clone());
                let (_sim, gateway) = stage(Upstream::Gemini3, SimConfig::default().step(step)).await;
                let turn = speaker.ask(&gateway, Form::Stream, &[speaker.says("go")]).await;
                assert_eq!(turn.text, "\u{1f600} text", "{speaker:?} {faults:?}");
                assert_eq!(turn.calls[0].args, json!({"path": "\u{e9}\n"}), "{speaker:?} {faults:?}");
            }
        }
    });
}

#[test]
fn a_stream_that_broke_off_is_gone_on_with() {
    isolated(|| async {
        let cut = Faults { cut_after: Some((2, Ending::Reset)), ..Faults::default() };
        let steps = [Step::text("one two three four five six seven").faults(cut), Step::text(" and the rest")];
        let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY).steps(steps)).await;
        let entry = json!({"model_name": "m", "litellm_params": Upstream::Gemini3.params(&sim)});
        let mut config = config(&[entry]);
        config["tollgate_settings"] = json!({"mid_stream": "continue"});
        let gateway = Gateway::start(&config.to_string(), &[]).await;
        let turn = Speaker::Gemini.ask(&gateway, Form::Stream, &[Speaker::Gemini.says("go")]).await;
        assert!(turn.text.starts_with("one two") && turn.text.ends_with(" and the rest"), "{}", turn.text);
        nothing_was_refused(&sim, "the continuation");
        let sent = sim.requests()[1].json();
        assert_eq!(sent["contents"][1]["role"], "model", "{sent}");
        assert_eq!(sent["contents"][2]["role"], "user", "{sent}");
    });
}
