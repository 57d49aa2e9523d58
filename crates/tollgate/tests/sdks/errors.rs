//! Failures: the SDK raises the class that fits, with the upstream's words and a request id, and tries again where that helps.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Faults, Match, Step};

use crate::desk::{CHAT, CLAUDE, Desk, Sdk, ask};
use crate::support::isolated;

/// An upstream's refusal and what becomes of it.
struct Case {
    upstream: u16,
    /// The error's type in Anthropic's form, and type and code in OpenAI's.
    anthropic: &'static str,
    openai: (&'static str, Option<&'static str>),
    words: &'static str,
    headers: &'static [(&'static str, &'static str)],
    /// What the client sees: status, and class at Anthropic's and at OpenAI's SDK.
    status: u16,
    classes: (&'static str, &'static str),
    /// Anthropic's word for the kind.
    kind: &'static str,
    /// An SDK that may try once more does so.
    again: bool,
}

const fn case(upstream: u16, anthropic: &'static str, words: &'static str) -> Case {
    Case {
        upstream,
        anthropic,
        openai: ("invalid_request_error", None),
        words,
        headers: &[],
        status: upstream,
        classes: ("BadRequestError", "BadRequestError"),
        kind: anthropic,
        again: false,
    }
}

/// Statuses and kinds: Anthropic's table of errors; classes: `_exceptions.py` of anthropic 2.11.0 and openai 3.52.0.
const CASES: &[Case] = &[
    case(400, "invalid_request_error", "flux.7: Extra inputs are not permitted"),
    Case {
        status: 502,
        classes: ("InternalServerError", "InternalServerError"),
        kind: "api_error",
        openai: ("invalid_request_error", Some("invalid_api_key")),
        ..case(401, "authentication_error", "invalid x-api-key given")
    },
    Case {
        classes: ("PaymentRequiredError", "APIStatusError"),
        ..case(402, "billing_error", "Your credit balance is too low")
    },
    Case {
        status: 502,
        classes: ("InternalServerError", "InternalServerError"),
        kind: "api_error",
        ..case(403, "permission_error", "This key may not use the model")
    },
    Case { classes: ("NotFoundError", "NotFoundError"), ..case(404, "not_found_error", "model: no-such-model") },
    Case {
        classes: ("ContentTooLargeError", "APIStatusError"),
        ..case(413, "request_too_large", "Request exceeds the maximum size")
    },
    Case {
        classes: ("InternalServerError", "InternalServerError"),
        openai: ("server_error", None),
        again: true,
        ..case(500, "api_error", "Internal trouble in rack 9")
    },
    Case {
        classes: ("InternalServerError", "InternalServerError"),
        openai: ("server_error", None),
        again: true,
        ..case(502, "api_error", "Bad gateway in rack 9")
    },
    Case {
        status: 529,
        classes: ("OverloadedError", "InternalServerError"),
        kind: "overloaded_error",
        openai: ("server_error", Some("server_is_overloaded")),
        again: true,
        ..case(503, "overloaded_error", "The engine is overloaded")
    },
    Case {
        classes: ("OverloadedError", "InternalServerError"),
        openai: ("server_error", None),
        again: true,
        ..case(529, "overloaded_error", "Overloaded")
    },
    // The last: after it the deployment is left alone for a second.
    Case {
        classes: ("RateLimitError", "RateLimitError"),
        openai: ("requests", Some("rate_limit_exceeded")),
        headers: &[("retry-after", "1")],
        again: true,
        ..case(429, "rate_limit_error", "Too many requests for this minute")
    },
];

impl Case {
    fn marker(&self) -> String {
        format!("case-{}", self.upstream)
    }

    fn step(&self, path: &str) -> Step {
        let body = if path == "/chat/" {
            json!({"error": {"message": self.words, "type": self.openai.0, "param": null, "code": self.openai.1}})
        } else {
            json!({"type": "error", "error": {"type": self.anthropic, "message": self.words}, "request_id": "req_upstream"})
        };
        let when = Match { path: Some(path.into()), contains: Some(self.marker()), ..Match::default() };
        let step = Step::json(self.upstream, &body).when(when).always();
        self.headers.iter().fold(step, |step, (name, value)| step.header(name, value))
    }
}

async fn check(sdk: Sdk, model: &str) {
    let desk = Desk::script(CASES.iter().flat_map(|case| [case.step("/chat/"), case.step("/messages")])).await;
    let call = |case: &Case| {
        json!({"do": "create", "client": {"max_retries": 1},
            "args": {"model": model, "max_tokens": 9, "messages": ask(&case.marker())}})
    };
    let told = desk.calls(sdk, CASES.iter().map(call).collect()).await;
    for (case, told) in CASES.iter().zip(&told) {
        let error = &told["error"];
        let class = if sdk == Sdk::Anthropic { case.classes.0 } else { case.classes.1 };
        // In its own dialect the upstream's answer passes unmodified, with its status.
        let unmodified = (sdk == Sdk::Anthropic) == (model == CLAUDE) && case.status != 502;
        let (status, class) = match (unmodified, case.upstream) {
            // OpenAI's own word for an overload is 503; 529 is Anthropic's.
            (false, 503 | 529) if sdk == Sdk::OpenAi => (503, class),
            (true, 503) => (503, if sdk == Sdk::Anthropic { "ServiceUnavailableError" } else { class }),
            _ => (case.status, class),
        };
        let what = format!("{sdk:?} {model} {}", case.upstream);
        assert_eq!((&error["class"], &error["status"]), (&json!(class), &json!(status)), "{what}: {told:#}");
        assert!(error["message"].as_str().is_some_and(|m| m.contains(case.words)), "{what}: {told:#}");
        assert!(error["request_id"].as_str().is_some_and(|id| id.starts_with("req_")), "{what}: {told:#}");
        assert!(
            desk.gateway.logged(error["request_id"].as_str().unwrap_or("?")).await.contains("request failed"),
            "{what}: the id is in the log"
        );
        assert_eq!(error["headers"]["x-tollgate-upstream-status"], case.upstream.to_string(), "{what}");
        if sdk == Sdk::Anthropic {
            assert_eq!(error["type"], case.kind, "{what}: {told:#}");
        }
        for (name, value) in case.headers {
            assert_eq!(error["headers"][name], *value, "{what}");
        }
        if !case.again {
            assert_eq!(error["headers"]["x-should-retry"], "false", "{what}");
        }
        assert_eq!(desk.count_of(&case.marker()), if case.again { 2 } else { 1 }, "{what}: {told:#}");
        assert!(!told.to_string().contains("sk-upstream"), "{what}");
    }
}

#[test]
fn every_class_of_error_reaches_the_anthropic_sdk_from_a_chat_upstream() {
    isolated(|| check(Sdk::Anthropic, CHAT));
}

#[test]
fn every_class_of_error_reaches_the_anthropic_sdk_from_anthropic() {
    isolated(|| check(Sdk::Anthropic, CLAUDE));
}

#[test]
fn every_class_of_error_reaches_the_openai_sdk_from_a_chat_upstream() {
    isolated(|| check(Sdk::OpenAi, CHAT));
}

#[test]
fn every_class_of_error_reaches_the_openai_sdk_from_anthropic() {
    isolated(|| check(Sdk::OpenAi, CLAUDE));
}

#[test]
fn a_prompt_that_is_too_long_is_a_400_in_the_words_that_claude_code_compacts_on() {
    isolated(|| async {
        let words = "This model's maximum context length is 1000 tokens. However, your messages resulted in 2345 tokens. Please reduce the length of the messages.";
        let body = json!({"error": {"message": words, "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}});
        let desk = Desk::script([Step::json(400, &body).always()]).await;
        let args = json!({"model": CHAT, "max_tokens": 9, "messages": ask("x")});
        let told =
            desk.calls(Sdk::Anthropic, json!([{"do": "create", "args": args}, {"do": "stream", "args": args}])).await;
        for told in &told {
            assert_eq!(told["error"]["class"], "BadRequestError", "{told:#}");
            let message = told["error"]["body"]["error"]["message"].as_str().unwrap_or_default();
            assert!(message.starts_with("prompt is too long: 2345 tokens > 1000 maximum"), "{told:#}");
        }
    });
}

#[test]
fn the_gateways_own_refusals_are_errors_of_the_sdk_and_are_not_tried_again() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let client = json!({"api_key": "sk-wrong", "max_retries": 1});
        let args = |model: &str| json!({"model": model, "max_tokens": 9, "messages": ask("x")});
        let calls = json!([{"do": "create", "args": args(CHAT), "client": client}, {"do": "create", "args": args("gpd")},
            {"do": "create", "args": {"model": CHAT, "max_tokens": 9, "messages": [{"role": "user", "content": 7}]}}]);
        for sdk in [Sdk::Anthropic, Sdk::OpenAi] {
            let told = desk.calls(sdk, calls.clone()).await;
            let classes: Vec<&Value> = told.iter().map(|told| &told["error"]["class"]).collect();
            let expected = ["AuthenticationError", "NotFoundError", "BadRequestError"];
            if sdk == Sdk::Anthropic {
                assert_eq!(classes, expected);
            } else {
                // What a chat upstream gets from a chat client is its own to refuse.
                assert_eq!(classes, expected, "{told:#?}");
            }
            for told in &told[..2] {
                assert_eq!(told["error"]["headers"]["x-should-retry"], "false");
                assert!(told["error"]["request_id"].is_string(), "{told:#}");
            }
        }
    });
}

#[test]
fn silence_of_the_upstream_is_a_timeout_error_that_names_its_setting() {
    isolated(|| async {
        let slow = Faults { before_headers: Duration::from_secs(60), ..Faults::default() };
        let config = tollgate_sim::SimConfig::default().step(Step::text("late").faults(slow).always());
        let desk = Desk::with_settings(config, ", timeout: 1, stream_timeout: 1").await;
        let calls = |model: &str| {
            let args = json!({"model": model, "max_tokens": 9, "messages": ask("x")});
            json!([{"do": "create", "args": args}, {"do": "stream", "args": args}])
        };
        for (sdk, class) in [(Sdk::Anthropic, "GatewayTimeoutError"), (Sdk::OpenAi, "InternalServerError")] {
            for model in [CHAT, CLAUDE] {
                let told = desk.calls(sdk, calls(model)).await;
                for (told, key) in told.iter().zip(["litellm_params.timeout", "litellm_params.stream_timeout"]) {
                    assert_eq!(
                        (&told["error"]["class"], &told["error"]["status"]),
                        (&json!(class), &json!(504)),
                        "{told:#}"
                    );
                    let message = told["error"]["message"].as_str().unwrap_or_default();
                    assert!(message.contains(key) && message.contains("after 1 s"), "{told:#}");
                    if sdk == Sdk::Anthropic {
                        assert_eq!(told["error"]["type"], "timeout_error");
                    }
                }
            }
        }
    });
}

#[test]
fn an_error_in_the_middle_of_a_stream_is_raised_by_both_sdks_after_what_had_come() {
    isolated(|| async {
        let chat = json!({"error": {"message": "The engine fell over", "type": "server_error", "code": "server_is_overloaded"}});
        let messages =
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "The engine fell over"}});
        let long = "a text of some length, so that there are several pieces of it".repeat(3);
        let step = |path: &str, after: usize, error: &Value| {
            let faults = Faults { error_after: Some((after, error.clone())), ..Faults::default() };
            let when = Match { path: Some(path.into()), ..Match::default() };
            Step::text(&long).when(when).faults(faults).always()
        };
        let desk = Desk::script([step("/chat/", 4, &chat), step("/messages", 5, &messages)]).await;
        for model in [CHAT, CLAUDE] {
            let args = json!({"model": model, "max_tokens": 99, "messages": ask("x")});
            let told =
                desk.calls(Sdk::Anthropic, json!([{"do": "events", "args": args, "client": {"max_retries": 2}}])).await;
            let events = told[0]["events"].as_array().unwrap_or_else(|| panic!("{told:#?}"));
            assert!(events.iter().any(|event| event["type"] == "content_block_delta"), "{told:#?}");
            assert!(!events.iter().any(|event| event["type"] == "message_stop"), "{told:#?}");
            assert!(
                told[0]["error"]["message"].as_str().is_some_and(|m| m.contains("The engine fell over")),
                "{told:#?}"
            );
            assert_eq!(told[0]["error"]["type"], "overloaded_error", "{told:#?}");
            let told =
                desk.calls(Sdk::OpenAi, json!([{"do": "chunks", "args": args, "client": {"max_retries": 2}}])).await;
            assert!(told[0]["chunks"].as_array().is_some_and(|chunks| chunks.len() > 1), "{told:#?}");
            assert_eq!(told[0]["error"]["class"], "APIError", "{told:#?}");
            assert!(
                told[0]["error"]["message"].as_str().is_some_and(|m| m.contains("The engine fell over")),
                "{told:#?}"
            );
        }
        assert_eq!(desk.sim.requests().len(), 4, "nobody asks again after a part of the answer was given");
    });
}

#[test]
fn a_stream_that_is_refused_before_its_first_word_is_an_http_error() {
    isolated(|| async {
        let messages = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Not now"}});
        let chat = json!({"error": {"message": "Not now", "type": "server_error", "code": "server_is_overloaded"}});
        let step = |path: &str, error: &Value| {
            let faults = Faults { error_after: Some((0, error.clone())), ..Faults::default() };
            Step::text("x").when(Match { path: Some(path.into()), ..Match::default() }).faults(faults).always()
        };
        let desk = Desk::script([step("/chat/", &chat), step("/messages", &messages)]).await;
        for model in [CHAT, CLAUDE] {
            let args = json!({"model": model, "max_tokens": 99, "messages": ask("x")});
            let told = desk.calls(Sdk::Anthropic, json!([{"do": "stream", "args": args}])).await;
            assert_eq!(
                (&told[0]["error"]["status"], &told[0]["error"]["class"]),
                (&json!(529), &json!("OverloadedError")),
                "{told:#?}"
            );
            let told = desk.calls(Sdk::OpenAi, json!([{"do": "stream", "args": args}])).await;
            assert_eq!(
                (&told[0]["error"]["status"], &told[0]["error"]["class"]),
                (&json!(503), &json!("InternalServerError")),
                "{told:#?}"
            );
        }
    });
}
