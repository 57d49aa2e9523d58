//! Plain answers: in one piece and streamed, with usage, stop sequences, thinking.

use serde_json::json;
use tollgate_sim::{Answer, ChatStrictness, Finish, SimConfig, Step, Usage, signature};

use crate::desk::{CHAT, CLAUDE, Desk, Sdk, THINKER, ask, good};
use crate::support::isolated;

const TEXT: &str = "Grüße aus dem Simulator – 你好, and more than one piece of it.";

#[test]
fn the_anthropic_sdk_gets_the_same_message_whole_and_streamed_from_both_upstreams() {
    isolated(|| async {
        let desk = Desk::script([Step::text(TEXT).always()]).await;
        for model in [CHAT, CLAUDE] {
            let args = json!({"model": model, "max_tokens": 100, "system": "Be kind.", "messages": ask("hi")});
            let told = desk
                .calls(
                    Sdk::Anthropic,
                    json!([{"do": "create", "args": args}, {"do": "stream", "args": args}, {"do": "events", "args": args}]),
                )
                .await;
            for told in &told[..2] {
                let message = &good(told)["message"];
                assert_eq!(message["content"][0]["type"], "text", "{model}: {told:#}");
                assert_eq!(message["content"][0]["text"], TEXT, "{model}");
                assert_eq!(message["stop_reason"], "end_turn", "{model}");
                assert_eq!(message["role"], "assistant");
                let usage = &message["usage"];
                let input = usage["input_tokens"].as_u64().zip(usage["cache_read_input_tokens"].as_u64());
                assert!(input.is_some_and(|(fresh, cached)| fresh + cached > 0), "{model}: {told:#}");
                // 65 bytes of UTF-8 at four to a token, rounded up, is what the simulator counts.
                assert_eq!(message["usage"]["output_tokens"], TEXT.len().div_ceil(4), "{model}");
            }
            assert!(told[0]["request_id"].as_str().is_some_and(|id| id.starts_with("req_")), "{told:#?}");
            let events = good(&told[2])["events"].as_array().expect("events").clone();
            let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
            assert_eq!(kinds[..2], ["message_start", "content_block_start"], "{model}");
            let end = ["content_block_stop", "message_delta", "message_stop"];
            assert_eq!(kinds[kinds.len() - 3..], end, "{model}");
            assert_eq!(kinds.iter().filter(|kind| **kind == "message_start").count(), 1);
            assert!(kinds.iter().filter(|kind| **kind == "content_block_delta").count() > 2, "{model}: {kinds:?}");
        }
        let sent = desk.sent();
        assert_eq!(sent[0]["messages"][0], json!({"role": "system", "content": "Be kind."}));
        assert_eq!(sent[3]["system"], "Be kind.");
        assert_eq!(sent[3]["model"], "claude-sonnet-4-6");
    });
}

#[test]
fn the_openai_sdk_gets_the_same_completion_whole_and_streamed_from_both_upstreams() {
    isolated(|| async {
        let desk = Desk::script([Step::text(TEXT).always()]).await;
        for model in [CHAT, CLAUDE] {
            let messages = json!([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]);
            let args = json!({"model": model, "max_tokens": 100, "messages": messages});
            let mut counted = args.clone();
            counted["stream_options"] = json!({"include_usage": true});
            let told = desk
                .calls(
                    Sdk::OpenAi,
                    json!([{"do": "create", "args": args}, {"do": "stream", "args": counted}, {"do": "chunks", "args": args},
                        {"do": "chunks", "args": counted}]),
                )
                .await;
            for told in &told[..2] {
                let answer = &good(told)["answer"];
                assert_eq!(answer["choices"][0]["message"]["content"], TEXT, "{model}");
                assert_eq!(answer["choices"][0]["finish_reason"], "stop", "{model}");
                let usage = &answer["usage"];
                assert_eq!(usage["completion_tokens"], TEXT.len().div_ceil(4), "{model}");
                let (prompt, output) = (usage["prompt_tokens"].as_u64(), usage["completion_tokens"].as_u64());
                assert!(prompt > Some(0), "{model}: {told:#}");
                assert_eq!(usage["total_tokens"].as_u64(), prompt.zip(output).map(|(a, b)| a + b), "{model}");
            }
            assert!(told[0]["request_id"].as_str().is_some_and(|id| id.starts_with("req_")), "{told:#?}");
            let usages = |told: &serde_json::Value| {
                let chunks = good(told)["chunks"].as_array().expect("chunks").clone();
                chunks.iter().filter(|chunk| chunk["usage"].is_object()).count()
            };
            assert_eq!(usages(&told[2]), 0, "{model}: no usage unless it is asked for");
            assert_eq!(usages(&told[3]), 1, "{model}");
        }
        let sent = desk.sent();
        assert!(sent[4]["system"].to_string().contains("Be kind."), "{:#}", sent[4]);
        assert_eq!(sent[4]["messages"].as_array().map(Vec::len), Some(1));
    });
}

#[test]
fn cached_tokens_come_back_in_the_words_of_the_sdk() {
    isolated(|| async {
        // 1,000 tokens in all, of which 600 were read from the cache and, at Anthropic, 100 written to it.
        let chat = json!({"prompt_tokens": 1000, "completion_tokens": 7, "total_tokens": 1007,
            "prompt_tokens_details": {"cached_tokens": 600}});
        let messages = json!({"input_tokens": 300, "cache_read_input_tokens": 600, "cache_creation_input_tokens": 100,
            "output_tokens": 7});
        for (model, usage, fresh, written) in [(CHAT, chat, 400, 0), (CLAUDE, messages, 300, 100)] {
            let desk = Desk::script([Step::answer(Answer::text("ok").usage(Usage::Exact(usage))).always()]).await;
            let args = json!({"model": model, "max_tokens": 10, "messages": ask("hi")});
            let told = desk
                .calls(Sdk::Anthropic, json!([{"do": "create", "args": args}, {"do": "stream", "args": args}]))
                .await;
            for told in &told {
                let usage = &good(told)["message"]["usage"];
                assert_eq!(usage["input_tokens"], fresh, "{model}: {told:#}");
                assert_eq!(usage["cache_read_input_tokens"], 600, "{model}: {told:#}");
                assert_eq!(usage["cache_creation_input_tokens"].as_u64().unwrap_or(0), written, "{model}: {told:#}");
                assert_eq!(usage["output_tokens"], 7, "{model}");
            }
            let counted = json!({"model": model, "messages": ask("hi"), "stream_options": {"include_usage": true}});
            let args = json!({"model": model, "messages": ask("hi")});
            let told = desk
                .calls(Sdk::OpenAi, json!([{"do": "create", "args": args}, {"do": "stream", "args": counted}]))
                .await;
            for told in &told {
                let usage = &good(told)["answer"]["usage"];
                assert_eq!(usage["prompt_tokens"], 1000, "{model}: {told:#}");
                assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 600, "{model}: {told:#}");
                assert_eq!(usage["completion_tokens"], 7, "{model}");
                assert_eq!(usage["total_tokens"], 1007, "{model}");
            }
        }
    });
}

#[test]
fn the_end_of_an_answer_has_its_reason_in_both_dialects() {
    isolated(|| async {
        let finish = |word: &str| Step::answer(Answer::text("ab").finish(Finish::Given(word.into())));
        let on =
            |path: &str, step: Step| step.when(tollgate_sim::Match { path: Some(path.into()), ..Default::default() });
        let desk = Desk::script([
            on("/chat/", finish("length")).times(2),
            on("/chat/", finish("content_filter")).times(2),
            on("/messages", finish("max_tokens")).times(2),
            on("/messages", finish("refusal")).times(2),
        ])
        .await;
        for model in [CHAT, CLAUDE] {
            let args = json!({"model": model, "max_tokens": 10, "messages": ask("hi")});
            let create = json!({"do": "create", "args": args});
            let limit = desk.calls(Sdk::Anthropic, json!([create])).await;
            assert_eq!(good(&limit[0])["message"]["stop_reason"], "max_tokens", "{model}");
            let both = desk.calls(Sdk::OpenAi, json!([create, create])).await;
            assert_eq!(good(&both[0])["answer"]["choices"][0]["finish_reason"], "length", "{model}");
            assert_eq!(good(&both[1])["answer"]["choices"][0]["finish_reason"], "content_filter", "{model}");
            let refusal = desk.calls(Sdk::Anthropic, json!([create])).await;
            assert_eq!(good(&refusal[0])["message"]["stop_reason"], "refusal", "{model}");
        }
    });
}

#[test]
fn stop_sequences_reach_both_upstreams_in_their_field() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let both = |model: &str| json!({"model": model, "max_tokens": 10, "messages": ask("hi"), "stop_sequences": ["END", "\n\n---"]});
        let calls = json!([{"do": "create", "args": both(CHAT)}, {"do": "create", "args": both(CLAUDE)}]);
        desk.calls(Sdk::Anthropic, calls).await.iter().for_each(|told| {
            good(told);
        });
        let both =
            |model: &str| json!({"model": model, "max_tokens": 10, "messages": ask("hi"), "stop": ["END", "###"]});
        let calls = json!([{"do": "create", "args": both(CHAT)}, {"do": "create", "args": both(CLAUDE)}]);
        desk.calls(Sdk::OpenAi, calls).await.iter().for_each(|told| {
            good(told);
        });
        let sent = desk.sent();
        assert_eq!(sent[0]["stop"], json!(["END", "\n\n---"]));
        assert_eq!(sent[1]["stop_sequences"], json!(["END", "\n\n---"]));
        assert_eq!(sent[2]["stop"], json!(["END", "###"]));
        assert_eq!(sent[3]["stop_sequences"], json!(["END", "###"]));
    });
}

/// A provider that takes DeepSeek's switch for thinking and wants thoughts back with tool calls.
fn deepseek() -> SimConfig {
    let strictness = ChatStrictness { requires_reasoning_content: true, ..ChatStrictness::default() };
    SimConfig::default().chat(strictness.accepting(&["thinking"]))
}

#[test]
fn thinking_of_a_chat_model_is_a_signed_block_that_is_replayed_as_reasoning() {
    isolated(|| async {
        let first = Answer::thinking("Let me look.").and_tool("call_1", "look", &json!({"at": "x"}));
        let desk = Desk::new(deepseek().step(Step::answer(first)).step(Step::text("seen"))).await;
        let tools =
            json!([{"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}]);
        let thinking = json!({"type": "adaptive"});
        let next = json!([{"role": "user", "content": "go"}, {"role": "assistant", "content": {"$content": 0}},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "a cat"}]}]);
        let told = desk
            .calls(
                Sdk::Anthropic,
                json!([
                    {"do": "stream", "args": {"model": THINKER, "max_tokens": 2000, "thinking": thinking, "tools": tools, "messages": ask("go")}},
                    {"do": "create", "args": {"model": THINKER, "max_tokens": 2000, "thinking": thinking, "tools": tools, "messages": next}},
                ]),
            )
            .await;
        let content = &good(&told[0])["message"]["content"];
        assert_eq!(content[0]["type"], "thinking", "{told:#?}");
        assert_eq!(content[0]["thinking"], "Let me look.");
        assert!(content[0]["signature"].as_str().is_some_and(|s| !s.is_empty()), "strict SDKs want one: {content}");
        assert_eq!(content[1]["type"], "tool_use");
        good(&told[1]);
        let sent = desk.sent();
        let replayed = &sent[1]["messages"][1];
        assert_eq!(replayed["reasoning_content"], "Let me look.", "{replayed:#}");
        assert_eq!(replayed["tool_calls"][0]["id"], "call_1");
        assert!(!sent[1].to_string().contains("signature"), "a signature is nothing for a chat upstream");
    });
}

#[test]
fn thinking_of_anthropic_comes_and_goes_with_its_own_signature() {
    isolated(|| async {
        let thought = "First, the premises.";
        let desk =
            Desk::script([Step::answer(Answer::thinking(thought).and_text("So.")).times(2), Step::text("done")]).await;
        let thinking = json!({"type": "enabled", "budget_tokens": 1024});
        let args = json!({"model": CLAUDE, "max_tokens": 2000, "thinking": thinking, "messages": ask("why")});
        let next = json!({"model": CLAUDE, "max_tokens": 2000, "thinking": thinking, "messages": [{"role": "user", "content": "why"},
            {"role": "assistant", "content": {"$content": 1}}, {"role": "user", "content": "and?"}]});
        let told = desk
            .calls(
                Sdk::Anthropic,
                json!([{"do": "create", "args": args}, {"do": "stream", "args": args}, {"do": "create", "args": next}]),
            )
            .await;
        for told in &told[..2] {
            let block = &good(told)["message"]["content"][0];
            assert_eq!(block["thinking"], thought);
            assert_eq!(block["signature"], signature(thought));
        }
        good(&told[2]);
        let block = &desk.sent()[2]["messages"][1]["content"][0];
        assert_eq!((&block["thinking"], &block["signature"]), (&json!(thought), &json!(signature(thought))));
    });
}

#[test]
fn the_openai_sdk_sees_the_thoughts_of_both_upstreams() {
    isolated(|| async {
        let desk = Desk::new(deepseek().step(Step::answer(Answer::thinking("Hm.").and_text("So.")).always())).await;
        for model in [THINKER, CLAUDE] {
            let args = json!({"model": model, "max_tokens": 3000, "reasoning_effort": "low", "messages": ask("why")});
            let told =
                desk.calls(Sdk::OpenAi, json!([{"do": "create", "args": args}, {"do": "chunks", "args": args}])).await;
            let message = &good(&told[0])["answer"]["choices"][0]["message"];
            assert_eq!(message["reasoning_content"], "Hm.", "{model}: {told:#?}");
            assert_eq!(message["content"], "So.");
            let chunks = good(&told[1])["chunks"].as_array().expect("chunks").clone();
            let all = |field: &str| -> String {
                let pieces = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"][field].as_str());
                pieces.collect()
            };
            assert_eq!((all("reasoning_content"), all("content")), ("Hm.".into(), "So.".into()), "{model}");
        }
        let sent = desk.sent();
        assert!(
            sent[2]["thinking"]["type"] == "adaptive" && sent[2]["output_config"]["effort"] == "low",
            "{:#}",
            sent[2]
        );
    });
}
