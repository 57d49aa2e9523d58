//! How large an answer may be, and in which form it comes.

use tollgate_dialect::quirks::TokenField;

use super::{Row, Words, anything};
use crate::repair::Fact;
use crate::repair::words::numbers;

const WANTS_STREAM: &[&str] = &[
    "must have stream",
    "stream=true",
    "stream = true",
    "stream: true",
    "only supports stream",
    "only support stream",
    "stream must be",
    "use streaming",
    "non-streaming",
    "requires stream",
    "streaming is required",
    "enable stream",
];

/// Under these names a limit of the answer is spoken of.
const TOKEN_WORDS: &[&str] =
    &["max_tokens", "max_completion_tokens", "completion tokens", "max_new_tokens", "output tokens", "maxoutputtokens"];

pub const ROWS: &[Row] = &[
    Row {
        id: "max_tokens_requires_stream",
        words: Words::Any(WANTS_STREAM),
        sent: |r| !r.sent.stream && r.words.contains("max_tokens"),
        teaches: |r, _| numbers(&r.words).next().map(Fact::NonstreamMaxTokens),
        repair: "larger answers are asked for as a stream and given as the client asked",
        reports: "max_tokens_requires_stream",
        seen: &[
            ("Requests with max_tokens > 4096 must have stream=true", "Fireworks, 2026-11"),
            ("max_tokens > 4096 must have stream = true", "users' reports, 2026-11"),
            ("requests with max_tokens > 4096 must have stream: true", "users' reports, 2026-11"),
        ],
    },
    Row {
        id: "requires_stream",
        words: Words::Any(WANTS_STREAM),
        sent: |r| !r.sent.stream,
        teaches: |_, _| Some(Fact::StreamOnly),
        repair: "every answer is asked for as a stream",
        reports: "requires_stream",
        seen: &[
            (
                "This model only supports stream mode, please enable the stream parameter to access the model.",
                "Qwen, DashScope",
            ),
            ("parameter.enable_thinking must be set to false for non-streaming calls", "Qwen, DashScope"),
        ],
    },
    Row {
        id: "max_completion_tokens",
        words: Words::Parameter,
        sent: |r| r.has("max_tokens"),
        teaches: |_, found| {
            (found.path() == ["max_tokens"]).then_some(Fact::TokenField(TokenField::MaxCompletionTokens))
        },
        repair: "the limit goes as `max_completion_tokens`",
        reports: "max_completion_tokens",
        seen: &[(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            "OpenAI reasoning models, Azure",
        )],
    },
    Row {
        id: "max_tokens",
        words: Words::Parameter,
        sent: |r| r.has("max_completion_tokens"),
        teaches: |_, found| {
            (found.path() == ["max_completion_tokens"]).then_some(Fact::TokenField(TokenField::MaxTokens))
        },
        repair: "the limit goes as `max_tokens`",
        reports: "max_tokens",
        seen: &[("Extra inputs are not permitted, field: 'max_completion_tokens', value: 100", "Fireworks")],
    },
    Row {
        id: "max_tokens_minimum",
        words: Words::Any(&[
            "_tokens*below minimum value*>= #",
            "_tokens must be at least #",
            "_tokens*must be greater than or equal to #",
            "_tokens: input should be greater than or equal to #",
        ]),
        sent: anything,
        teaches: |r, found| {
            let least = found.count()?;
            r.sent.max_tokens.is_some_and(|asked| asked < least).then_some(Fact::MinOutputTokens(least))
        },
        repair: "smaller limits are raised to the least that is taken",
        reports: "max_tokens_minimum",
        seen: &[(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 1 instead.",
            "OpenAI, Azure",
        )],
    },
    Row {
        id: "max_tokens_cap",
        words: Words::Any(TOKEN_WORDS),
        // It was a stream already: the number in those words is no cap.
        sent: |r| !WANTS_STREAM.iter().any(|w| r.words.contains(w)),
        teaches: |r, _| {
            let asked = r.sent.max_tokens?;
            let numbers = numbers(&r.words).filter(|n| *n >= 16);
            // Google names the first number that is too much.
            let most = match r.words.contains("(exclusive)") {
                true => numbers.filter(|n| *n <= asked).map(|n| n - 1).min(),
                false => numbers.filter(|n| *n < asked).max(),
            };
            most.map(Fact::MaxOutputTokens)
        },
        repair: "limits are cut to the most that is given",
        reports: "max_tokens_cap",
        seen: &[
            (
                "max_tokens is too large: 32000. This model supports at most 16384 completion tokens, whereas you provided 32000.",
                "OpenAI",
            ),
            ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", "DeepSeek"),
            (
                "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window` for this model",
                "Groq",
            ),
            ("max_tokens: 32,000 > 8,192, which is the maximum allowed number of output tokens", "Anthropic"),
            (
                "Unable to submit request because it has a maxOutputTokens value of 32000 but the supported range is from 1 (inclusive) to 8193 (exclusive). Update the value and try again.",
                "Gemini, Vertex AI",
            ),
        ],
    },
    Row {
        id: "stream_options",
        words: Words::Any(&["stream_options"]),
        sent: |r| r.has("stream_options"),
        teaches: |_, _| Some(Fact::NoUsageOption),
        repair: "usage is not asked for in streams; it is counted here where it does not come",
        reports: "stream_options",
        seen: &[
            (
                "Validation error at #/stream_options: Extra inputs are not permitted",
                "Azure AI Inference, github.com/microsoft/semantic-kernel/issues/10510",
            ),
            ("Unrecognized request argument supplied: stream_options", "Azure before 2024-09-01-preview"),
        ],
    },
];
