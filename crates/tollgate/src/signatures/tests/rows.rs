//! The texts that people search for, each with the acceptance row that answers it.

use super::*;

const ROWS: &[(&str, &[&str])] = &[
    ("API Error: 400 litellm bad request", &["S02", "S03"]),
    ("spinner of 3-4 minutes, proxy log says 200, upstream has no `/v1/responses`", &["S03"]),
    ("requests with max_tokens > 4096 must have stream: true", &["S05"]),
    ("API Error: 400 litellm.BadRequest with DeepSeek thinking; `reasoning_content` must be passed back", &["S12"]),
    ("The `reasoning_content` in the thinking mode must be passed back to the API.", &["S12"]),
    ("undefined is not an object (evaluating '_.input_tokens')", &["S09"]),
    ("undefined is not an object (evaluating 'R2.usage.input_tokens')", &["S09"]),
    ("Received Model Group=kimi, Available Model Group Fallbacks=None", &["S10"]),
    ("400s for `claude-haiku-4-5-20251001` in the log that nobody asked for", &["S11"]),
    ("400 model claude-haiku-4-5-20251001 not found", &["S11"]),
    ("Claude Code hangs in a multi-turn conversation behind a gateway", &["S02", "S03"]),
    ("Both ANTHROPIC_API_KEY and ANTHROPIC_AUTH_TOKEN are set", &["S14"]),
    ("Input should be a valid integer, got a number with a fractional part", &["S33"]),
    (
        "HTTP 400: This model does not support assistant message prefill. The conversation must end with a user message.",
        &["S15"],
    ),
    ("`InvalidHTTPResponse` fetching the proxy, nothing in the client's log", &["S16"]),
    ("tool_choice forced on an adaptive-thinking model, request rejected", &["S17"]),
    ("OpenRouter: model unavailable, unclear whether for now or for ever", &["S18", "S19"]),
    ("No endpoints found for acme/x:free.", &["S18", "S19"]),
    ("OpenRouter: Model acme/x is not available", &["S18", "S19"]),
    ("Model … is not available", &["S18", "S19"]),
    ("Error: 404 Model 'acme/x:free' is not available", &["S18", "S19"]),
    ("free models that turn 404", &["S18", "S19"]),
    ("one client's burst starves the others", &["S20"]),
    ("`GET /v1/models` lists models that the key may not call", &["S21"]),
    ("litellm.APIConnectionError: Request timed out. Please increase the max_retries parameter.", &["S22"]),
    ("month-to-date usage starts with last month's tokens", &["S23"]),
    ("Prisma query engine killed (OOM) on the usage page, proxy alive without a database", &["S24"]),
    ("429 body with a SHA-256 of the key; 429 wrapped as `APIConnectionError`", &["S25"]),
    ("RateLimitError: Request failed due to rate limiting. Retry after 30 seconds", &["S26"]),
    ("Azure: `Authentication Error 401` with `DefaultAzureCredential`", &["S27"]),
    (
        "AzureException AuthenticationError - Access denied due to invalid subscription key or wrong API endpoint",
        &["S27"],
    ),
    ("memory grows with streamed tool arguments", &["S28"]),
    ("spending over the budget; `budget_limits` cannot be removed", &["S29", "S30"]),
    ("container of a gateway exits at start over its arguments", &["S31"]),
    ("No fallback model group found for original model_group=primary", &["S32"]),
    (
        "Error transforming OpenRouter image generation response: 2 validation errors for ImageUsage … got a number with a fractional part",
        &["S33"],
    ),
    ("both `ANTHROPIC_API_KEY` and `ANTHROPIC_AUTH_TOKEN` set, the client refuses to start", &["S14"]),
    ("`prompt is too long`", &["S01"]),
    ("context length exceeded in any vendor's words", &["S01"]),
];

#[test]
fn s38_every_text_that_people_search_for_is_answered_by_its_row() {
    for (text, rows) in ROWS {
        let found = best(text).unwrap_or_else(|| panic!("{text} is not known"));
        for row in *rows {
            assert!(found.rows.iter().any(|r| r == row), "{text} is {} with {:?}", found.id, found.rows);
        }
    }
}

/// Vendors' words for a prompt that is too long (reference: openai-compatible-quirks, section "Context-overflow phrases", and
/// the pages of Anthropic, Bedrock, Gemini and llama.cpp).
#[test]
fn s38_a_context_overflow_is_known_in_every_vendors_words() {
    for text in [
        "This model's maximum context length is 8192 tokens",
        "error code: context_length_exceeded",
        "Your input exceeds the context window of this model",
        "context window exceeds limit (2013)",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "Input is too long for requested model.",
        "the request exceeds the available context size, try increasing it",
        "{\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":9000,\"n_ctx\":8192}",
        "the prompt is longer than the maximum model length of 32768",
        "The prompt (total length 40000) is longer than the model's context length",
        "This model's maximum prompt length is 131072 but the request contains 140000 tokens",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "Your request exceeded model token limit: 262144",
        "`inputs` tokens + `max_new_tokens` must be <= 4097",
        "Please reduce the length. Current length is 70000 while limit is 65536",
        "Input too long: 150000 input tokens, limit is 131072",
        "input tokens exceed the configured limit of 272000 tokens",
        "Try to load the model with a larger context length",
    ] {
        let found = best(text).unwrap_or_else(|| panic!("{text} is not known"));
        assert!(found.rows.iter().any(|row| row == "S01"), "{text} is {}", found.id);
    }
}

/// What several texts at once are known as, the telling one first.
#[test]
fn a_wrapper_goes_behind_what_it_wraps() {
    let ids = |text: &str| matching(text).iter().map(|found| found.id.clone()).collect::<Vec<_>>();
    assert_eq!(
        ids(
            "API Error: 400 litellm.BadRequestError: OpenrouterException - requests with max_tokens > 4096 must have stream: true"
        ),
        ["max-tokens-needs-stream", "litellm-bad-request"]
    );
    assert_eq!(
        ids(
            "litellm.RateLimitError: OpenAIException - You exceeded your current quota, please check your plan and billing \
             details. Received Model Group=gpt\nAvailable Model Group Fallbacks=None"
        ),
        ["openai-insufficient-quota", "litellm-model-group", "litellm-rate-limit"]
    );
    assert_eq!(ids("API Error: 400 {}"), ["status-400"]);
}
