//! S03: OpenAI's Responses API on both sides, and by which of OpenAI's two APIs a model is called.

mod beside;
mod failures;
mod kept;
mod references;

use serde_json::{Value, json};
use tollgate_sim::{
    Answer as Said, Ending, Faults, Match, Provider, Sim, SimConfig, Step, call_signature, encrypted, signature,
};

use super::stage::{Client, MASTER_KEY, Stage, Upstream, config, has_change, merged};
use super::support::http::{Answer, post};
use super::support::{Gateway, checker, isolated, responses_checker};

const RESPONSES: &str = "/v1/responses";

fn hello(more: Value) -> Value {
    merged(json!({"model": "m", "max_output_tokens": 100, "input": "hello"}), more)
}

/// What a Responses client asks of the route `m`.
async fn ask(stage: &Stage, body: &Value) -> Answer {
    post(&stage.gateway.url(RESPONSES), &[("x-api-key", MASTER_KEY)], body).await
}

fn sim(providers: &[Provider]) -> SimConfig {
    SimConfig { providers: providers.to_vec(), ..SimConfig::default() }
}

/// A model that thinks, says something and calls a tool, and after the result says what it found.
fn session() -> [Step; 2] {
    let call = Said::thinking("Look first.").and_text("I look.").and_tool("call_1", "Read", &json!({"path": "a b"}));
    let after_result = |yes| Match { has_tool_result: Some(yes), ..Match::default() };
    [Step::answer(call).when(after_result(false)), Step::text("Found.").when(after_result(true))]
}

fn schema() -> Value {
    json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]})
}

#[test]
fn s03_a_messages_client_holds_a_tool_session_with_a_responses_upstream() {
    for stream in [true, false] {
        isolated(move || async move {
            let config = sim(&[Provider::Responses]).steps(session());
            let stage = Stage::chat(config, responses_mode()).await;
            let ask = |messages: Value| {
                Client::Messages.hello(json!({"stream": stream, "messages": messages, "thinking": {"type": "adaptive"},
                    "output_config": {"effort": "low"}, "tools": [{"name": "Read", "input_schema": schema()}]}))
            };
            let user = json!({"role": "user", "content": "go"});
            let answer = stage.ask(Client::Messages, &ask(json!([user]))).await;
            let seen = read_messages(&answer, stream);
            assert_eq!(seen.stop_reason.as_deref(), Some("tool_use"));
            let input = json!({"path": "a b"});
            let expected =
                [checker::thinking("Look first."), checker::text("I look."), checker::tool("call_1", "Read", &input)];
            assert_eq!(seen.blocks, expected);
            let first = stage.last();
            assert_eq!((&first["store"], &first["include"]), (&json!(false), &json!(["reasoning.encrypted_content"])));
            assert_eq!(first["reasoning"], json!({"effort": "low", "summary": "auto"}));

            let signature = signature_in(&answer, stream);
            let content = json!([{"type": "thinking", "thinking": "Look first.", "signature": signature},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "call_1", "name": "Read", "input": input}]);
            let result = json!([{"type": "tool_result", "tool_use_id": "call_1", "content": "text"}]);
            let turn = json!([user, {"role": "assistant", "content": content}, {"role": "user", "content": result}]);
            let answer = stage.ask(Client::Messages, &ask(turn)).await;
            assert_eq!(read_messages(&answer, stream).blocks, [checker::text("Found.")]);
            stage.nothing_was_refused();
            let items = stage.last()["input"].clone();
            assert_eq!(items[1]["encrypted_content"], encrypted("Look first."), "its own state comes back");
            assert_eq!(items[4], json!({"type": "function_call_output", "call_id": "call_1", "output": "text"}));
            assert!(stage.sent().iter().all(|request| request.path == "/v1/responses"));
        });
    }
}

fn responses_mode() -> Value {
    json!({"api_mode": "responses", "reasoning": "effort"})
}

fn read_messages(answer: &Answer, stream: bool) -> checker::Seen {
    assert_eq!(answer.status, 200, "{}", answer.text());
    if stream { checker::stream(&answer.body).whole().clone() } else { checker::message(&answer.json()) }
}

fn signature_in(answer: &Answer, stream: bool) -> String {
    if !stream {
        return answer.json()["content"][0]["signature"].as_str().expect("a signature").to_owned();
    }
    let text = answer.text();
    let at = text.find("\"signature_delta\",\"signature\":\"").expect("a signature") + 31;
    text[at..].split('"').next().expect("its end").to_owned()
}

#[test]
fn s03_a_chat_client_holds_a_tool_session_with_a_responses_upstream() {
    for stream in [true, false] {
        isolated(move || async move {
            let config = sim(&[Provider::Responses]).steps(session());
            let stage = Stage::chat(config, responses_mode()).await;
            let ask = |messages: Value| {
                Client::Chat.hello(json!({"stream": stream, "messages": messages,
                    "tools": [{"type": "function", "function": {"name": "Read", "parameters": schema()}}]}))
            };
            let user = json!({"role": "user", "content": "go"});
            let answer = stage.ask(Client::Chat, &ask(json!([user]))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let call = json!({"id": "call_1", "type": "function", "function": {"name": "Read", "arguments": "{\"path\":\"a b\"}"}});
            if stream {
                let text = answer.text();
                assert!(
                    text.contains("\"reasoning_content\"") && text.contains("\"finish_reason\":\"tool_calls\""),
                    "{text}"
                );
                assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
            } else {
                let message = answer.json()["choices"][0]["message"].clone();
                assert_eq!((&message["content"], &message["tool_calls"]), (&json!("I look."), &json!([call])));
                assert_eq!(message["reasoning_content"], "Look first.");
            }
            let turn = json!([user, {"role": "assistant", "content": "I look.", "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "call_1", "content": "text"}]);
            let answer = stage.ask(Client::Chat, &ask(turn)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(answer.text().contains("Found") || stream, "{}", answer.text());
            stage.nothing_was_refused();
            assert!(stage.sent().iter().all(|request| request.path == "/v1/responses"));
        });
    }
}

/// What Codex 0.169 sends, with the history of earlier turns.
fn codex(items: &[Value], stream: bool) -> Value {
    json!({"model": "m", "stream": stream, "store": false, "tool_choice": "auto", "parallel_tool_calls": true,
        "reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "thread-1",
        "client_metadata": {"x": "y"}, "input": items, "tools": [
            {"type": "function", "name": "Read", "description": "Reads", "strict": false, "parameters": schema()},
            {"type": "namespace", "name": "multi_agent_v1", "description": "Agents", "tools": [
                {"type": "function", "name": "spawn_agent", "strict": false, "parameters": {"type": "object", "properties": {}}}]},
            {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
            {"type": "web_search", "external_web_access": false}, {"type": "tool_search", "execution": "client"}]})
}

fn read_responses(answer: &Answer, stream: bool) -> Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    if stream {
        return responses_checker::stream(&answer.body).complete().items.clone();
    }
    let body = answer.json();
    assert_eq!((&body["object"], &body["status"]), (&json!("response"), &json!("completed")), "{body}");
    assert!(body["usage"]["input_tokens"].is_u64() && body["usage"]["total_tokens"].is_u64(), "{body}");
    body["output"].as_array().expect("items").clone()
}

/// Codex gives items back with their ids, reasoning with an empty content.
fn echoed(items: &[Value]) -> Vec<Value> {
    let echo = |item: &Value| match item["type"].as_str() {
        Some("reasoning") => merged(item.clone(), json!({"content": null})),
        _ => item.clone(),
    };
    items.iter().map(echo).collect()
}

#[test]
fn s03_a_responses_client_holds_a_tool_session_with_every_kind_of_upstream() {
    for provider in [Provider::Chat, Provider::Messages, Provider::Responses, Provider::Gemini] {
        for stream in [true, false] {
            isolated(move || async move {
                let (upstream, params) = match provider {
                    Provider::Chat => (Upstream::Chat, json!({})),
                    Provider::Messages | Provider::Invoke | Provider::Converse => {
                        (Upstream::Messages, json!({"max_output_tokens": 4000}))
                    }
                    Provider::Responses => (Upstream::Chat, responses_mode()),
                    // Its address has no path either.
                    Provider::Gemini => (Upstream::Messages, json!({"model": "gemini/gemini-3-pro"})),
                };
                let stage = Stage::start(sim(&[provider]).steps(session()), upstream, params, json!({})).await;
                let system = json!({"type": "message", "role": "developer",
                    "content": [{"type": "input_text", "text": "You are an agent."}]});
                let user =
                    json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]});
                let mut items = vec![system, user];
                let answer = ask(&stage, &codex(&items, stream)).await;
                let made = read_responses(&answer, stream);
                // The signature of Gemini's call travels in an item of its own, without words.
                let told: Vec<&Value> =
                    made.iter().filter(|item| item["type"] != "reasoning" || item["summary"] != json!([])).collect();
                let kinds: Vec<&str> = told.iter().filter_map(|item| item["type"].as_str()).collect();
                assert_eq!(kinds, ["reasoning", "message", "function_call"], "{provider:?}");
                assert_eq!(told[0]["summary"][0]["text"], "Look first.");
                assert_eq!(told[1]["content"][0]["text"], "I look.");
                assert_eq!((&told[2]["name"], &told[2]["call_id"]), (&json!("Read"), &json!("call_1")));
                assert_eq!(told[2]["arguments"], "{\"path\":\"a b\"}");

                items.extend(echoed(&made));
                items.push(json!({"type": "function_call_output", "call_id": "call_1", "output": "text"}));
                let answer = ask(&stage, &codex(&items, stream)).await;
                assert_eq!(read_responses(&answer, stream)[0]["content"][0]["text"], "Found.", "{provider:?}");
                stage.nothing_was_refused();
                let last = stage.last();
                match provider {
                    // The provider checks its own state, so what came is what it gave.
                    Provider::Responses => {
                        assert_eq!(last["input"][2]["encrypted_content"], encrypted("Look first."));
                        assert_eq!(last["tools"], codex(&[], stream)["tools"], "tools go on as they are");
                    }
                    Provider::Messages | Provider::Invoke | Provider::Converse => {
                        let thought = &last["messages"][1]["content"][0];
                        assert_eq!(thought["signature"], signature("Look first."));
                    }
                    Provider::Chat => {
                        let names: Vec<&Value> =
                            last["tools"].as_array().expect("tools").iter().map(|t| &t["function"]["name"]).collect();
                        assert_eq!(names, ["Read", "multi_agent_v1__spawn_agent", "apply_patch"]);
                        has_change(&answer, "dropped:web_search");
                    }
                    Provider::Gemini => {
                        let parts = last["contents"][1]["parts"].as_array().expect("parts").clone();
                        let call = parts.iter().find(|part| part.get("functionCall").is_some()).expect("a call");
                        let signature = call_signature("Read", &json!({"path": "a b"}));
                        assert_eq!(call["thoughtSignature"], signature, "its own state comes back: {last}");
                        has_change(&answer, "dropped:web_search");
                    }
                }
            });
        }
    }
}

#[test]
fn s03_calls_find_back_to_namespaces_and_custom_tools() {
    for stream in [true, false] {
        isolated(move || async move {
            let said = Said::tool("call_1", "multi_agent_v1__spawn_agent", &json!({}));
            let said = said.and_tool("call_2", "apply_patch", &json!({"input": "*** Begin \"Patch\"\n"}));
            let stage = Stage::chat(sim(&[Provider::Chat]).step(Step::answer(said)), json!({})).await;
            let answer = ask(&stage, &codex(&[json!({"role": "user", "content": "go"})], stream)).await;
            let made = read_responses(&answer, stream);
            let calls: Vec<&Value> = made.iter().filter(|item| item["type"] != "message").collect();
            assert_eq!((&calls[0]["namespace"], &calls[0]["name"]), (&json!("multi_agent_v1"), &json!("spawn_agent")));
            assert_eq!((&calls[1]["type"], &calls[1]["name"]), (&json!("custom_tool_call"), &json!("apply_patch")));
            assert_eq!(calls[1]["input"], "*** Begin \"Patch\"\n");
        });
    }
}

#[test]
fn s03_a_stream_that_breaks_off_never_looks_complete_to_a_responses_client() {
    isolated(|| async {
        let faults = Faults { cut_after: Some((2, Ending::Clean)), ..Faults::default() };
        let cut = Step::text("a long text that is cut somewhere").faults(faults);
        let stage = Stage::chat(sim(&[Provider::Chat]).step(cut), json!({"num_retries": 0})).await;
        let answer = ask(&stage, &hello(json!({"stream": true}))).await;
        let seen = responses_checker::stream(&answer.body);
        assert_eq!(seen.failed()["code"], "server_error");
    });
}

#[test]
fn s03_a_refusal_reaches_a_responses_client_as_an_openai_error() {
    isolated(|| async {
        let refusal = json!({"error": {"message": "This model's maximum context length is 100 tokens. However, your messages resulted in 200 tokens.",
            "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}});
        let stage = Stage::chat(sim(&[Provider::Chat]).step(Step::json(400, &refusal)), json!({})).await;
        let answer = ask(&stage, &hello(json!({"stream": true}))).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.json()["error"]["code"], "context_length_exceeded");
        let body = json!({"model": "m", "input": "x", "previous_response_id": "resp_1"});
        let answer = ask(&stage, &body).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"]["param"].clone()),
            (400, json!("previous_response_id"))
        );
        assert_eq!(stage.sent().len(), 1, "what cannot be understood is not sent");
    });
}

/// A provider that is known to have both APIs, at this address.
async fn azure(sim: &Sim, model: &str, params: Value) -> Gateway {
    let own =
        json!({"model": format!("azure/{model}"), "api_base": format!("{}/openai/v1", sim.base_url()), "api_key": "k"});
    let entry = json!({"model_name": "m", "litellm_params": merged(own, params)});
    Gateway::start(&config(&[entry]).to_string(), &[]).await
}

/// The small request of a Messages or chat client, or of a Responses client.
async fn asked(gateway: &Gateway, client: Option<Client>) -> u16 {
    let (path, body) = match client {
        Some(client) => (client.path(), client.hello(json!({}))),
        None => (RESPONSES, hello(json!({}))),
    };
    post(&gateway.url(path), &[("x-api-key", MASTER_KEY)], &body).await.status.as_u16()
}

fn paths(sim: &Sim) -> Vec<String> {
    sim.requests().into_iter().map(|request| request.path.trim_start_matches("/openai/v1").to_owned()).collect()
}

#[test]
fn s03_auto_calls_a_model_by_responses_only_where_the_provider_has_it_and_the_model_needs_it() {
    isolated(|| async {
        let both = || sim(&[Provider::Chat, Provider::Responses]);
        for (model, params, expected) in [
            ("gpt-6-sol", json!({}), "/chat/completions"),
            ("gpt-5.3-codex", json!({}), "/responses"),
            ("gpt-5.3-codex", json!({"api_mode": "chat"}), "/chat/completions"),
            ("gpt-6-sol", json!({"api_mode": "responses"}), "/responses"),
        ] {
            let sim = Sim::start(both()).await;
            let gateway = azure(&sim, model, params).await;
            for client in [Client::Messages, Client::Chat] {
                assert_eq!(asked(&gateway, Some(client)).await, 200, "{model}");
            }
            assert_eq!(paths(&sim), [expected, expected], "{model}");
        }
        // Nothing is known of a server behind `api_base`.
        let stage = Stage::chat(both(), json!({})).await;
        for client in [Some(Client::Messages), Some(Client::Chat), None] {
            assert_eq!(asked(&stage.gateway, client).await, 200);
        }
        assert!(stage.sent().iter().all(|request| request.path == "/v1/chat/completions"));
    });
}

#[test]
fn s03_a_404_on_one_api_is_remembered_and_the_other_is_tried_once() {
    isolated(|| async {
        for (has, client, expected) in [
            (Provider::Responses, Some(Client::Messages), ["/chat/completions", "/responses", "/responses"]),
            (Provider::Responses, Some(Client::Chat), ["/chat/completions", "/responses", "/responses"]),
            (Provider::Chat, None, ["/responses", "/chat/completions", "/chat/completions"]),
        ] {
            let sim = Sim::start(sim(&[has])).await;
            let gateway = azure(&sim, "gpt-6-sol", json!({})).await;
            assert_eq!([asked(&gateway, client).await, asked(&gateway, client).await], [200, 200], "{client:?}");
            assert_eq!(paths(&sim), expected, "{client:?}");
        }
        // Where neither is there, each is asked once.
        let sim = Sim::start(sim(&[])).await;
        let gateway = azure(&sim, "gpt-6-sol", json!({})).await;
        assert_eq!(asked(&gateway, Some(Client::Chat)).await, 404);
        assert_eq!(paths(&sim), ["/chat/completions", "/responses"]);
    });
}
