//! Bedrock's Converse behind every client.

use serde_json::{Value, json};
use tollgate_sim::{
    Answer, ConverseStrictness, Ending, Faults, Piece, Recorded, Sim, SimConfig, Step, exception, signature,
};

use crate::gemini::speaker::{Form, Speaker};
use crate::stage::{BOTH, Client, MASTER_KEY, PROVIDER_KEY, config, merged};
use crate::support::http::post;
use crate::support::{Gateway, isolated};

const SPEAKERS: [Speaker; 4] = [Speaker::Messages, Speaker::Chat, Speaker::Responses, Speaker::Gemini];
const FORMS: [Form; 2] = [Form::Whole, Form::Stream];

const CLAUDE: &str = "bedrock/converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const PLAIN: &str = "bedrock/meta.llama4-maverick-17b-instruct-v1:0";

/// A gateway with the route `m` to this model of Bedrock's.
async fn stage(model: &str, sim: SimConfig, params: Value) -> (Sim, Gateway) {
    let sim = Sim::start(sim.key(PROVIDER_KEY)).await;
    let own = json!({"model": model, "aws_region_name": "us-east-1", "api_key": PROVIDER_KEY,
        "aws_bedrock_runtime_endpoint": sim.base_url()});
    let mut config = config(&[json!({"model_name": "m", "litellm_params": merged(own, params)})]);
    config["litellm_settings"] = json!({"num_retries": 0});
    let gateway = Gateway::start(&config.to_string(), &[]).await;
    (sim, gateway)
}

#[track_caller]
fn nothing_was_refused(sim: &Sim, about: &str) {
    let refused: Vec<String> = sim.requests().into_iter().filter_map(|request| request.refused).collect();
    assert_eq!(refused, Vec::<String>::new(), "{about}");
}

fn last(sim: &Sim) -> Recorded {
    sim.requests().pop().expect("a request")
}

/// All blocks of this kind in the bodies' messages, in order.
fn blocks(body: &Value, kind: &str) -> Vec<Value> {
    let messages = body["messages"].as_array().into_iter().flatten();
    let content = messages.flat_map(|message| message["content"].as_array().into_iter().flatten());
    content.filter_map(|block| block.get(kind).cloned()).collect()
}

async fn hello(gateway: &Gateway, client: Client, more: Value) -> crate::support::http::Answer {
    post(&gateway.url(client.path()), &[("x-api-key", MASTER_KEY)], &client.hello(more)).await
}

#[test]
fn every_client_is_answered_in_one_piece_and_as_a_stream() {
    isolated(|| async {
        for speaker in SPEAKERS {
            for form in FORMS {
                let about = format!("{speaker:?} {form:?}");
                let (sim, gateway) =
                    stage(CLAUDE, SimConfig::default().step(Step::text("Héllo\nthere")), json!({})).await;
                let turn = speaker.ask(&gateway, form, &[speaker.says("hi")]).await;
                assert_eq!(turn.text, "Héllo\nthere", "{about}");
                assert!(turn.usage > 0, "{about}");
                nothing_was_refused(&sim, &about);
                let sent = last(&sim);
                let method = if form == Form::Stream { "converse-stream" } else { "converse" };
                // The model is one segment of the path.
                assert_eq!(
                    sent.path,
                    format!("/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/{method}"),
                    "{about}"
                );
                assert_eq!(sent.header("authorization"), Some(format!("Bearer {PROVIDER_KEY}").as_str()));
                let body = sent.json();
                assert_eq!(body["system"], json!([{"text": "Be brief."}]), "{about}");
                assert_eq!(body["messages"], json!([{"role": "user", "content": [{"text": "hi"}]}]), "{about}");
                assert!(body.get("model").is_none() && body.get("stream").is_none(), "{body}");
            }
        }
    });
}

/// Thinks, says something, calls two tools; then answers.
fn conversation() -> SimConfig {
    let calls = Answer::thinking("I have to look.")
        .and_text("Reading both.")
        .and_tool("tooluse_a", "read", &json!({"path": "a\n\u{e9}"}))
        .and_tool("tooluse_b", "read", &json!({"path": "b"}));
    SimConfig::default().steps([Step::answer(calls), Step::text("Both are empty.")])
}

#[test]
fn every_client_calls_tools_over_two_turns_and_claudes_signature_comes_back() {
    isolated(|| async {
        for speaker in SPEAKERS {
            for form in FORMS {
                let about = format!("{speaker:?} {form:?}");
                let (sim, gateway) = stage(CLAUDE, conversation(), json!({})).await;
                let mut history = vec![speaker.says("Look at both files.")];
                let first = speaker.ask(&gateway, form, &history).await;
                assert_eq!(first.text, "Reading both.", "{about}");
                let called: Vec<(&str, &Value)> = first.calls.iter().map(|c| (c.name.as_str(), &c.args)).collect();
                let expected = [json!({"path": "a\n\u{e9}"}), json!({"path": "b"})];
                assert_eq!(called, [("read", &expected[0]), ("read", &expected[1])], "{about}");
                history.push(first.message.clone());
                history.extend(speaker.results(&first.calls, &["empty", "as well"]));
                let second = speaker.ask(&gateway, form, &history).await;
                assert_eq!((second.text.as_str(), second.calls.len()), ("Both are empty.", 0), "{about}");
                nothing_was_refused(&sim, &about);
                let body = last(&sim).json();
                let results = blocks(&body, "toolResult");
                assert_eq!(results[0]["toolUseId"], "tooluse_a", "{about}: {body}");
                assert_eq!(results[0]["content"], json!([{"text": "empty"}]), "{about}");
                assert_eq!(results[1]["content"], json!([{"text": "as well"}]), "{about}");
                // Chat has no place for a signature: the gateway puts it back.
                let thoughts = blocks(&body, "reasoningContent");
                let own =
                    json!({"reasoningText": {"text": "I have to look.", "signature": signature("I have to look.")}});
                assert_eq!(thoughts, [own], "{about}: {body}");
            }
        }
    });
}

/// Turn after turn the model thinks and calls; every thought so far is in the last request, in order.
#[test]
fn thoughts_of_three_turns_come_back_each_with_its_own_signature() {
    isolated(|| async {
        const THOUGHTS: [&str; 3] = ["First \"a\".", "Then\nb.", "Last c."];
        for speaker in SPEAKERS {
            for form in FORMS {
                let about = format!("{speaker:?} {form:?}");
                let turn = |(n, thought): (usize, &&str)| {
                    Step::answer(Answer::thinking(thought).and_tool(&format!("t{n}"), "read", &json!({"path": "x"})))
                };
                let steps: Vec<Step> = THOUGHTS.iter().enumerate().map(turn).collect();
                let sim = SimConfig::default().steps(steps).step(Step::text("Done."));
                let (sim, gateway) = stage(CLAUDE, sim, json!({})).await;
                let mut history = vec![speaker.says("Go.")];
                for _ in THOUGHTS {
                    let turn = speaker.ask(&gateway, form, &history).await;
                    history.push(turn.message.clone());
                    history.extend(speaker.results(&turn.calls, &["ok"]));
                }
                assert_eq!(speaker.ask(&gateway, form, &history).await.text, "Done.", "{about}");
                nothing_was_refused(&sim, &about);
                let signed = |text: &&str| json!({"reasoningText": {"text": text, "signature": signature(text)}});
                let expected: Vec<Value> = THOUGHTS.iter().map(signed).collect();
                assert_eq!(blocks(&last(&sim).json(), "reasoningContent"), expected, "{about}");
            }
        }
    });
}

#[test]
fn an_image_reaches_the_model_from_every_client() {
    isolated(|| async {
        let shown = json!({"format": "png", "source": {"bytes": "QUJD"}});
        let messages = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
            {"type": "text", "text": "what?"}]}]});
        let chat = json!({"model": "m", "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}, {"type": "text", "text": "what?"}]}]});
        let responses = json!({"model": "m", "input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": "data:image/png;base64,QUJD"}, {"type": "input_text", "text": "what?"}]}]});
        let gemini = json!({"contents": [{"role": "user", "parts": [
            {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}, {"text": "what?"}]}]});
        let rows = [
            ("/v1/messages", messages),
            ("/v1/chat/completions", chat),
            ("/v1/responses", responses),
            ("/v1beta/models/m:generateContent", gemini),
        ];
        for (path, body) in rows {
            let (sim, gateway) = stage(CLAUDE, SimConfig::default(), json!({})).await;
            let answer = post(&gateway.url(path), &[("x-api-key", MASTER_KEY)], &body).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            nothing_was_refused(&sim, path);
            let content = last(&sim).json()["messages"][0]["content"].clone();
            assert_eq!(content, json!([{"image": shown}, {"text": "what?"}]), "{path}");
        }
    });
}

#[test]
fn a_stream_that_is_cut_anywhere_never_looks_complete() {
    isolated(|| async {
        // Seven messages: the start, three of the text and its end, the stop, the metadata.
        let clean = (1..7).map(|frames| (frames, Ending::Clean));
        for (frames, ending) in clean.chain([(3, Ending::Close), (6, Ending::Reset)]) {
            let faults = Faults { cut_after: Some((frames, ending)), ..Faults::default() };
            let answer = Answer { piece_chars: 2, ..Answer::text("abcdef") };
            let sim = SimConfig::default().step(Step::answer(answer).faults(faults));
            let (_sim, gateway) = stage(CLAUDE, sim, json!({})).await;
            let answer = hello(&gateway, Client::Messages, json!({"stream": true})).await;
            let text = answer.text();
            let failed = answer.status.is_server_error() || text.contains("event: error");
            assert!(failed && !text.contains("message_stop"), "{frames} {ending:?}: {} {text}", answer.status);
        }
    });
}

#[test]
fn a_stream_in_pieces_of_any_size_is_read_as_one() {
    isolated(|| async {
        for split in [1, 3, 7, 40] {
            let faults = Faults { split_bytes: Some(split), ..Faults::default() };
            let sim = SimConfig::default().step(Step::answer(Answer::text("Hé\u{1F600} there")).faults(faults));
            let (_sim, gateway) = stage(CLAUDE, sim, json!({})).await;
            let turn = Speaker::Chat.ask(&gateway, Form::Stream, &[Speaker::Chat.says("hi")]).await;
            assert_eq!(turn.text, "Hé\u{1F600} there", "{split}");
        }
    });
}

#[test]
fn an_exception_in_the_stream_is_told_as_the_error_that_it_is() {
    isolated(|| async {
        let stream = |kind: &str, words: &str| {
            Step::new(tollgate_sim::Reply::Raw {
                content_type: "application/vnd.amazon.eventstream".to_owned(),
                pieces: vec![Piece::Bytes(exception(kind, words))],
            })
        };
        // Before anything was sent it is an HTTP error.
        let rows = [
            ("throttlingException", "Too many tokens, please wait before trying again.", 429, "rate_limit_error"),
            ("serviceUnavailableException", "The service is away.", 529, "overloaded_error"),
            ("validationException", "Input is too long for requested model.", 400, "invalid_request_error"),
        ];
        for (kind, words, status, expected) in rows {
            let (_sim, gateway) = stage(CLAUDE, SimConfig::default().step(stream(kind, words)), json!({})).await;
            let answer = hello(&gateway, Client::Messages, json!({"stream": true})).await;
            let (told, _) = Client::Messages.error(&answer);
            assert_eq!((answer.status.as_u16(), told.as_str()), (status, expected), "{kind}: {}", answer.text());
        }
    });
}

#[test]
fn refusals_have_the_status_and_the_form_of_the_clients_dialect() {
    isolated(|| async {
        let refusal = |status: u16, kind: &str, words: &str| {
            Step::json(status, &json!({"message": words}))
                .header("x-amzn-errortype", &format!("{kind}:http://internal.amazon.com/coral/"))
        };
        // Claude Code compacts on these words, chat clients on the code.
        for client in BOTH {
            let step = refusal(400, "ValidationException", "Input is too long for requested model.");
            let (_sim, gateway) = stage(CLAUDE, SimConfig::default().step(step), json!({})).await;
            let answer = hello(&gateway, client, json!({})).await;
            assert_eq!(answer.status, 400, "{}", answer.text());
            let text = answer.text();
            let known = if client == Client::Messages { "prompt is too long" } else { "context_length_exceeded" };
            assert!(text.contains(known), "{text}");
        }
        let rows = [
            (429, "ThrottlingException", "Too many requests, please wait before trying again.", 429),
            (429, "ModelNotReadyException", "The model is getting ready.", 529),
            (424, "ModelErrorException", "The model failed.", 502),
            (403, "AccessDeniedException", "You don't have access to the model with the specified model ID.", 502),
            (403, "UnrecognizedClientException", "The security token included in the request is invalid.", 502),
        ];
        for (status, kind, words, told) in rows {
            let (sim, gateway) =
                stage(CLAUDE, SimConfig::default().step(refusal(status, kind, words)), json!({})).await;
            let answer = hello(&gateway, Client::Messages, json!({})).await;
            assert_eq!(answer.status, told, "{kind}: {}", answer.text());
            assert!(!answer.text().contains(PROVIDER_KEY));
            assert_eq!(sim.requests().len(), 1);
        }
    });
}

/// A model that knows little: each refusal is cured once, and the cure is remembered.
#[test]
fn a_plain_models_refusals_are_repaired_and_remembered() {
    isolated(|| async {
        let sim = SimConfig::default().converse(ConverseStrictness::plain());
        let (sim, gateway) = stage(PLAIN, sim, json!({"quirks": {"tool_choice": "all", "cache_control": true}})).await;
        let ask = || async {
            hello(&gateway, Client::Messages, json!({"max_tokens": 9000,
                "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "tool", "name": "f"},
                "messages": [
                    {"role": "user", "content": [{"type": "text", "text": "go", "cache_control": {"type": "ephemeral"}},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}]},
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"},
                        {"type": "text", "text": "and?"}]}]}))
            .await
        };
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(ask().await.status.as_u16());
        }
        assert!(
            answers.contains(&200),
            "{answers:?} {:?}",
            sim.requests().iter().map(|r| r.refused.clone()).collect::<Vec<_>>()
        );
        let before = sim.requests().len();
        let answer = ask().await;
        assert_eq!((answer.status.as_u16(), sim.requests().len()), (200, before + 1), "{}", answer.text());
        let body = last(&sim).json();
        let results = blocks(&body, "toolResult");
        assert_eq!(results[0]["content"], json!([{"text": "x"}, {"text": "and?"}]), "{body}");
        assert_eq!(body["inferenceConfig"]["maxTokens"], 4096);
        assert!(!body.to_string().contains("cachePoint") && blocks(&body, "image").is_empty(), "{body}");
    });
}

#[test]
fn betas_and_parameters_of_the_configuration_have_their_places_in_the_body() {
    isolated(|| async {
        let params = json!({"temperature": 0.2, "max_tokens": 77, "extra_headers": {"anthropic-beta": "context-1m-2025-08-07"},
            "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}, "top_k": 7});
        let (sim, gateway) = stage(CLAUDE, SimConfig::default(), params).await;
        let headers = [
            ("x-api-key", MASTER_KEY),
            ("anthropic-beta", "claude-code-20250219,fine-grained-tool-streaming-2025-05-14"),
        ];
        let body = json!({"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]});
        let answer = post(&gateway.url("/v1/messages"), &headers, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        nothing_was_refused(&sim, "configuration");
        let sent = last(&sim);
        let body = sent.json();
        assert_eq!(body["inferenceConfig"], json!({"maxTokens": 50, "temperature": 0.2}), "{body}");
        let native = &body["additionalModelRequestFields"];
        assert_eq!(
            native["anthropic_beta"],
            json!(["fine-grained-tool-streaming-2025-05-14", "context-1m-2025-08-07"]),
            "{body}"
        );
        assert_eq!(native["top_k"], 7, "{body}");
        assert_eq!(body["guardrailConfig"]["guardrailIdentifier"], "g", "{body}");
        let changes = answer.header("x-tollgate-changes").unwrap_or("");
        assert!(changes.contains("dropped:anthropic-beta"), "{changes}");
    });
}
