//! A prompt that does not fit, in the words of every vendor: clients compact on one wording only.

use serde_json::{Value, json};
use tollgate_sim::{ChatStrictness, SimConfig, Step};

use crate::stage::{BOTH, Client, Stage, Upstream, has};
use crate::support::isolated;

fn openai(message: &str) -> Value {
    json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}})
}

type Row = (u16, Value, Option<(u64, u64)>);

/// Status, body, and the numbers (sent, allowed) where the words hold both. Phrases: reference, deviations of compatible
/// providers, "context-overflow phrases" and section F.
fn rows() -> Vec<Row> {
    let coded = |code: &str, message: &str| json!({"error": {"message": message, "code": code}});
    let flat = |message: &str| json!({"object": "error", "message": message, "type": "BadRequestError", "code": 400});
    vec![
        (
            400,
            openai(
                "This model's maximum context length is 131072 tokens. However, your messages resulted in 150000 tokens. Please reduce the length of the messages.",
            ),
            Some((150_000, 131_072)),
        ),
        (400, coded("context_length_exceeded", "Too much."), None),
        (
            400,
            openai("Your input exceeds the context window of this model. Please adjust your input and try again."),
            None,
        ),
        (400, openai("context window exceeds limit (2013)"), None),
        (
            400,
            openai(
                "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or `max_tokens` and try again",
            ),
            None,
        ),
        (400, openai("prompt is too long: 210000 tokens > 200000 maximum"), Some((210_000, 200_000))),
        (400, openai("Input is too long for requested model."), None),
        (
            400,
            json!({"error": {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 8192,
            "message": "the request exceeds the available context size, try increasing it"}}),
            Some((9000, 8192)),
        ),
        (
            400,
            flat("The prompt (total length 50000) is longer than the maximum model length of 40960."),
            Some((50_000, 40_960)),
        ),
        (
            400,
            flat("The input (70000 tokens) is longer than the model's context length (65536 tokens)."),
            Some((70_000, 65_536)),
        ),
        (
            400,
            json!({"code": "Client specified an invalid argument", "error": "This model's maximum prompt length is 131072 but the request contains 200123 tokens."}),
            Some((200_123, 131_072)),
        ),
        (
            400,
            openai("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
            Some((1_200_000, 1_048_576)),
        ),
        (400, openai("Invalid request: Your request exceeded model token limit: 262144"), None),
        (
            422,
            json!({"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 4200 `inputs` tokens and 100 `max_new_tokens`", "error_type": "validation"}),
            Some((4200, 4096)),
        ),
        (
            400,
            json!({"message": "Please reduce the length of the messages or completion. Current length is 70000 while limit is 65536", "type": "invalid_request_error", "param": "messages", "code": "wrong"}),
            Some((70_000, 65_536)),
        ),
        (400, openai("Input too long: 140000 input tokens, limit is 128000"), Some((140_000, 128_000))),
        (400, openai("The input tokens exceed the configured limit of 32768 tokens."), None),
        (
            400,
            json!({"error": "Trying to keep the first 9000 tokens when context the overflows. Try to load the model with a larger context length, or provide a shorter input"}),
            None,
        ),
        (400, openai("The model's context limit is 65536 tokens."), None),
        (400, json!({"message": "too many tokens: total number of tokens in the prompt cannot exceed 4081"}), None),
    ]
}

#[test]
fn a_context_overflow_in_any_vendors_words_becomes_the_one_that_claude_code_compacts_on() {
    isolated(|| async {
        for (status, body, numbers) in rows() {
            let stage = Stage::chat(SimConfig::default().step(Step::json(status, &body).always()), json!({})).await;
            for stream in [false, true] {
                let answer = stage.ask(Client::Messages, &Client::Messages.hello(json!({"stream": stream}))).await;
                assert_eq!(answer.status, 400, "{body}: {}", answer.text());
                let (kind, message) = Client::Messages.error(&answer);
                assert_eq!(kind, "invalid_request_error", "{body}");
                // "input length and `max_tokens` exceed context limit" is Claude Code's other cue: it asks for less.
                if !body.to_string().contains("exceed context limit") {
                    has(&message, "prompt is too long");
                }
                if let Some((tokens, most)) = numbers {
                    has(&message, &format!("prompt is too long: {tokens} tokens > {most} maximum"));
                }
                assert_eq!(answer.header("x-should-retry"), Some("false"));
            }
            assert_eq!(stage.sent().len(), 2, "it is not tried again: {body}");

            let answer = stage.ask(Client::Chat, &Client::Chat.hello(json!({}))).await;
            assert_eq!(answer.json()["error"]["code"], "context_length_exceeded", "{body}");
            if body["error"]["code"] == "context_length_exceeded" {
                assert_eq!(
                    (answer.status.as_u16(), answer.json()),
                    (status, body),
                    "an error in OpenAI's own form goes on"
                );
            } else {
                assert_eq!(answer.status, 400, "{body}");
                let words = body["error"]["message"].as_str().or(body["error"].as_str()).or(body["message"].as_str());
                has(&Client::Chat.error(&answer).1, words.unwrap());
            }
        }
    });
}

#[test]
fn a_layer_before_another_vendors_model_does_not_keep_claude_code_from_compacting() {
    isolated(|| async {
        let rows = [
            (
                "This model's maximum context length is 131072 tokens. However, you requested 150000 tokens",
                "prompt is too long: 150000 tokens > 131072 maximum",
            ),
            ("Invalid request: Your request exceeded model token limit: 262144", "prompt is too long"),
        ];
        for (words, wanted) in rows {
            let body = json!({"type": "error", "error": {"type": "invalid_request_error", "message": words}});
            let sim = SimConfig::default().step(Step::json(400, &body).always());
            let params = json!({"model": "anthropic/kimi-k2.5"});
            let stage = Stage::start(sim, Upstream::Messages, params, json!({})).await;
            let answer = stage.ask(Client::Messages, &Client::Messages.hello(json!({}))).await;
            assert_eq!(answer.status, 400);
            has(&Client::Messages.error(&answer).1, wanted);
            has(&answer.text(), "The upstream said:");
        }
    });
}

#[test]
fn a_server_with_a_small_window_is_told_apart_from_a_rate_limit_and_a_long_string() {
    isolated(|| async {
        let others = [
            (
                429,
                json!({"error": {"message": "Rate limit reached: too many tokens per minute", "code": "rate_limit_exceeded"}}),
                "rate_limit_error",
            ),
            (
                400,
                json!({"error": {"message": "Invalid 'messages[0].name': string too long. Expected a string with maximum length 64.", "code": "string_above_max_length"}}),
                "invalid_request_error",
            ),
        ];
        for (status, body, kind) in others {
            let stage =
                Stage::chat(SimConfig::default().step(Step::json(status, &body).always()), json!({"num_retries": 0}))
                    .await;
            let answer = stage.ask(Client::Messages, &Client::Messages.hello(json!({}))).await;
            assert_eq!(answer.status, status);
            let (found, message) = Client::Messages.error(&answer);
            assert_eq!(found, kind);
            assert!(!message.contains("prompt is too long"), "{message}");
        }
        let window = ChatStrictness { context_window: Some(120), ..ChatStrictness::default() };
        let stage = Stage::chat(SimConfig::default().chat(window), json!({})).await;
        for client in BOTH {
            let long = "word ".repeat(200);
            let body = client.hello(json!({"messages": [{"role": "user", "content": long}]}));
            let answer = stage.ask(client, &body).await;
            assert_eq!(answer.status, 400);
            let wanted =
                if client == Client::Messages { "tokens > 120 maximum" } else { "maximum context length is 120" };
            has(&client.error(&answer).1, wanted);
        }
    });
}
