//! `count_tokens`: for every model, near to what the upstream will say, and many at once.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tollgate_sim::{Answer, Match, Step, Usage};

use crate::desk::{CHAT, CLAUDE, Desk, KEY, Sdk, ask, good};
use crate::support::{http, isolated};

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

async fn count(desk: &Desk, body: &Value) -> u64 {
    let answer =
        http::post(&desk.gateway.url("/v1/messages/count_tokens?beta=true"), &[("x-api-key", KEY)], body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["input_tokens"].as_u64().unwrap_or_else(|| panic!("{}", answer.text()))
}

/// English prose of about this many words, different for each seed.
fn prose(words: usize, seed: usize) -> String {
    const WORDS: [&str; 12] = [
        "river", "the", "quickly", "engine", "because", "small", "answer", "window", "between", "history", "of",
        "number",
    ];
    let mut text = String::new();
    for i in 0..words {
        text.push_str(WORDS[(i * 7 + seed * 5 + i / 11) % WORDS.len()]);
        text.push(if i % 13 == 12 { '.' } else { ' ' });
    }
    text
}

#[test]
fn the_sdk_counts_texts_tools_and_images_for_every_model_and_nobody_upstream_is_asked() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        for model in [CHAT, CLAUDE] {
            let plain = json!({"model": model, "messages": ask("hello world")});
            let tools = json!({"model": model, "messages": ask("hello world"), "tools": [{"name": "look", "description": "Looks at a thing.",
                "input_schema": {"type": "object", "properties": {"thing": {"type": "string"}}}}]});
            let image = json!({"model": model, "system": "Be kind.", "messages": [{"role": "user", "content": [
                {"type": "text", "text": "hello world"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]}]});
            let calls: Vec<Value> =
                [plain, tools, image].iter().map(|args| json!({"do": "count", "args": args})).collect();
            let told = desk.calls(Sdk::Anthropic, calls.into()).await;
            let counts: Vec<u64> = told.iter().filter_map(|told| good(told)["input_tokens"].as_u64()).collect();
            // Two tokens of text (tiktoken's README), three around the message and three for the beginning of the answer.
            assert_eq!(counts[0], 8, "{model}: {counts:?}");
            assert!(counts[1] > counts[0] + 8 && counts[2] > counts[0], "{model}: {counts:?}");
        }
        let told =
            desk.calls(Sdk::Anthropic, json!([{"do": "count", "args": {"model": "gpd", "messages": ask("x")}}])).await;
        assert_eq!(told[0]["error"]["class"], "NotFoundError");
        assert_eq!(desk.sim.requests().len(), 0);
    });
}

/// The upstream counts 1.4 or 0.7 times as much as we do. After a few answers we say what it says.
#[test]
fn after_a_few_answers_a_count_is_within_a_tenth_of_the_upstreams() {
    isolated(|| async {
        for (model, factor) in [(CHAT, 1.4), (CLAUDE, 0.7), (CLAUDE, 1.4), (CHAT, 0.7)] {
            let desk = Desk::script([]).await;
            let body = |seed: usize, words: usize| json!({"model": model, "messages": ask(&format!("case-{seed} {}", prose(words, seed)))});
            let wanted = body(99, 700);
            let before = count(&desk, &wanted).await as f64;
            let bodies: Vec<Value> = (0..5).map(|seed| body(seed, 200 + 100 * seed)).collect();
            let ours = join_all(bodies.iter().map(|body| count(&desk, body))).await;
            for (seed, (mut body, ours)) in bodies.into_iter().zip(ours).enumerate() {
                let upstream = (ours as f64 * factor).round() as u64;
                let usage = if model == CHAT {
                    json!({"prompt_tokens": upstream, "completion_tokens": 3, "total_tokens": upstream + 3})
                } else {
                    // Half of it from the cache: the whole prompt is what counts.
                    json!({"input_tokens": upstream - upstream / 2, "cache_read_input_tokens": upstream / 2,
                        "cache_creation_input_tokens": 0, "output_tokens": 3})
                };
                let when = Match { contains: Some(format!("case-{seed} ")), ..Match::default() };
                desk.sim.push(Step::answer(Answer::text("ok").usage(Usage::Exact(usage))).when(when));
                body["max_tokens"] = json!(9);
                body["stream"] = json!(seed % 2 == 0);
                let answer = http::post(&desk.gateway.url("/v1/messages"), &[("x-api-key", KEY)], &body).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
            }
            let after = count(&desk, &wanted).await as f64;
            let ratio = after / (before * factor);
            assert!((0.9..=1.1).contains(&ratio), "{model} × {factor}: {before} before, {after} after");
        }
    });
}

/// About a hundred kilobytes in which hardly a word comes twice, as in the worst of logs.
fn log(seed: u64) -> String {
    let mut text = String::new();
    let mut state = seed + 1;
    while text.len() < 100_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{:x} at {} ", state >> 24, state >> 50));
    }
    text
}

#[test]
fn s01_twenty_five_large_counts_at_once_are_all_answered() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let bodies: Vec<Value> = (0..25).map(|seed| json!({"model": CHAT, "messages": ask(&log(seed))})).collect();
        // The first count loads the vocabulary, which stays.
        count(&desk, &bodies[0]).await;
        let before = desk.gateway.memory_kib("VmHWM");
        let counts = join_all(bodies.iter().map(|body| count(&desk, body))).await;
        assert!(counts.iter().all(|count| *count > 10_000), "{counts:?}");
        // A thread that counts keeps megabytes for its caches: as many threads as requests kept 60 MiB and more.
        let grown = desk.gateway.memory_kib("VmHWM").saturating_sub(before);
        assert!(grown < 48 * 1024, "{grown} KiB");
    });
}
