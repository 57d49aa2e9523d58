//! Roles, their order, and what a message may hold.

use tollgate_dialect::quirks::SystemRole;

use super::{Row, Words, anything};
use crate::repair::Fact;

pub const ROWS: &[Row] = &[
    Row {
        id: "prefill",
        words: Words::Any(&[
            "does not support assistant message prefill",
            "conversation must end with a user message",
            "expected last role user or tool",
            "prefill is incompatible with enable_thinking",
            "last message must have role user",
            "last message must be from the user",
            "when the last message is from the assistant",
        ]),
        sent: |r| r.ends_with_assistant(),
        teaches: |_, _| Some(Fact::NoPrefill),
        repair: "after a last message of the assistant the user says `Continue.`",
        reports: "prefill",
        seen: &[
            (
                "This model does not support assistant message prefill. The conversation must end with a user message.",
                "Anthropic, from 4.6",
            ),
            (
                "Expected last role User or Tool (or Assistant with prefix True) for serving but got assistant",
                "Mistral, github.com/0xPlaygrounds/rig/issues/708, 2025-08",
            ),
            (
                "Assistant response prefill is incompatible with enable_thinking.",
                "llama.cpp, github.com/ggml-org/llama.cpp/issues/20861, 2026-03",
            ),
            (
                "Cannot set `add_generation_prompt` to True when the last message is from the assistant. Consider using `continue_final_message` instead.",
                "vLLM",
            ),
        ],
    },
    Row {
        id: "developer_role",
        words: Words::Any(&[
            "unknown variant developer",
            "invalid role developer",
            "invalid value: developer",
            "developer is not one of",
            "does not support developer",
            "role developer",
            "unexpected role developer",
        ]),
        sent: |r| r.says("developer"),
        teaches: |_, _| Some(Fact::SystemRole(SystemRole::System)),
        repair: "the `developer` role becomes `system`",
        reports: "system_role",
        seen: &[
            (
                "Failed to deserialize the JSON body into the target type: messages[0].role: unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`, `latest_reminder`",
                "DeepSeek, github.com/num-scope/pix/issues/34, 2026-08",
            ),
            (
                "developer is not one of ['system', 'assistant', 'user', 'tool', 'function'] - 'messages.['0].role'",
                "DashScope, github.com/haru/redmine_ai_helper/issues/242, 2026-03",
            ),
            (
                "The parameter `messages.role` specified in the request are not valid: invalid value: `developer`, supported values are: `system`, `assistant`, `user`, `tool`.",
                "Volcengine, github.com/agno-agi/agno/issues/6697, 2026-02",
            ),
            (
                "Unsupported value: 'messages[0].role' does not support 'developer' with this model.",
                "OpenAI o1-preview, github.com/lobehub/lobehub/issues/5704, 2025-02",
            ),
        ],
    },
    Row {
        id: "mid_system",
        words: Words::Any(&[
            "system message must be at the beginning",
            "messages.#.role: input should be user or assistant",
            "unexpected role system after role",
            "system messages are only allowed at the beginning",
            "system message must be the first",
        ]),
        sent: |r| r.system_in_the_middle(),
        teaches: |_, _| Some(Fact::NoMidSystem),
        repair: "later system messages are said by the user",
        reports: "mid_system",
        seen: &[
            (
                "Jinja Exception: System message must be at the beginning.",
                "Qwen's templates in llama.cpp, github.com/ggml-org/llama.cpp/issues/27367, 2026-08",
            ),
            ("messages.1.role: Input should be 'user' or 'assistant'", "Anthropic before Opus 4.8, Messages layers"),
            ("Unexpected role 'system' after role 'user'", "Mistral"),
        ],
    },
    Row {
        id: "system_to_developer",
        words: Words::Any(&["does not support system*developer", "use the developer role", "use developer instead"]),
        sent: |r| r.says("system"),
        teaches: |_, _| Some(Fact::SystemRole(SystemRole::Developer)),
        repair: "the `system` role becomes `developer`",
        reports: "system_role",
        seen: &[(
            "Unsupported value: 'messages[0].role' does not support 'system' with this model. Use 'developer' instead.",
            "OpenAI's form",
        )],
    },
    Row {
        id: "no_system_role",
        words: Words::Any(&[
            "system role not supported",
            "system role is not supported",
            "does not support system",
            "developer instruction is not enabled",
            "system instruction is not enabled",
            "unknown variant system",
        ]),
        sent: |r| r.says("system"),
        teaches: |_, _| Some(Fact::SystemRole(SystemRole::User)),
        repair: "the system prompt goes to the head of the first user message",
        reports: "system_role",
        seen: &[
            ("System role not supported", "Gemma's chat template"),
            ("Developer instruction is not enabled for models/gemma-3-27b-it", "Gemini's OpenAI layer"),
            ("Unsupported value: 'messages[0].role' does not support 'system' with this model.", "OpenAI o1-mini"),
        ],
    },
    Row {
        id: "alternation",
        words: Words::Any(&["roles must alternate", "should alternate with assistant"]),
        sent: anything,
        teaches: |_, _| Some(Fact::Alternation),
        repair: "neighbouring messages of one role become one",
        reports: "alternation",
        seen: &[
            (
                "Conversation roles must alternate user/assistant/user/assistant/...",
                "chat templates of Mistral and Gemma",
            ),
            (
                "After the (optional) system message(s), user or tool message(s) should alternate with assistant message(s).",
                "Perplexity",
            ),
        ],
    },
    Row {
        id: "media_in_tool_result",
        words: Words::Any(&[
            "message with role tool contains an image",
            "image*in tool_result*not supported",
            "tool_result*image*not supported",
        ]),
        sent: |r| r.images_in_results(),
        teaches: |_, _| Some(Fact::NoMediaInResults),
        repair: "images of tool results follow in the user's message",
        reports: "media_in_tool_result",
        seen: &[(
            "Invalid 'messages[2]'. Image URLs are only allowed for messages with role 'user', but this message with role 'tool' contains an image URL.",
            "OpenAI",
        )],
    },
    Row {
        id: "images",
        words: Words::Any(&[
            "unknown variant image_url",
            "support image input",
            "image input is not supported",
            "does not support image",
            "images are not supported",
            "image_url is not supported",
            "is not a multimodal model",
            "does not support vision",
            "image_url is only supported by certain models",
            "invalid type: sequence, expected a string",
        ]),
        sent: |r| r.images(),
        teaches: |_, _| Some(Fact::NoImages),
        repair: "a note stands in place of each image",
        reports: "images",
        seen: &[
            (
                "Failed to deserialize the JSON body into the target type: messages[0]: unknown variant `image_url`, expected `text`",
                "DeepSeek, github.com/lessweb/deepcode-cli/issues/50, 2026-05",
            ),
            ("No endpoints found that support image input", "OpenRouter"),
            (
                "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
                "llama.cpp",
            ),
        ],
    },
    Row {
        id: "string_content",
        words: Words::Any(&[
            "invalid type: sequence, expected a string",
            "content must be a string",
            "content: expected a string, but got an array",
            "content: input should be a valid string",
            "content*expected a string, got list",
        ]),
        sent: |r| r.has_parts(),
        teaches: |_, _| Some(Fact::StringContent),
        repair: "text goes as one string",
        reports: "string_content",
        seen: &[
            (
                "Failed to deserialize the JSON body into the target type: messages[1]: invalid type: sequence, expected a string",
                "DeepSeek, github.com/cline/cline/issues/230, 2024-09",
            ),
            (
                "Invalid type for 'messages[0].content': expected a string, but got an array instead.",
                "Azure, github.com/danny-avila/LibreChat/issues/3111, 2024-06",
            ),
        ],
    },
    Row {
        id: "null_content",
        words: Words::Any(&[
            "content: expected a string, got null",
            "content: expected a string, but got null",
            "content: none is not an allowed value",
            "content*invalid type: null, expected a string",
        ]),
        sent: |r| r.null_content(),
        teaches: |_, _| Some(Fact::NoNullContent),
        repair: "`content` beside tool calls is an empty string",
        reports: "null_content",
        seen: &[("Invalid value for 'content': expected a string, got null.", "OpenAI")],
    },
    Row {
        id: "empty_content",
        words: Words::Any(&[
            "text content blocks must be non-empty",
            "must contain non-whitespace text",
            "message at position # with role {} must not be empty",
            "text field in the contentblock object * is blank",
            "content cannot be empty",
            "content must not be empty",
        ]),
        sent: |r| r.empty_content(),
        teaches: |_, _| Some(Fact::NoEmptyContent),
        repair: "empty texts are left out, or a word stands for them",
        reports: "empty_content",
        seen: &[
            (
                "Invalid request: the message at position 1 with role 'assistant' must not be empty",
                "Moonshot, github.com/lobehub/lobehub/pull/8419, 2025-07",
            ),
            ("messages: text content blocks must be non-empty", "Anthropic"),
            (
                "The text field in the ContentBlock object at messages.1.content.0 is blank. Add text to the text field, and try again.",
                "Bedrock",
            ),
        ],
    },
    Row {
        id: "message_fields",
        words: Words::Parameter,
        sent: |r| r.has("messages"),
        teaches: |r, found| {
            let path = found.path();
            let hints = [
                "refusal",
                "annotations",
                "audio",
                "provider_specific_fields",
                "reasoning",
                "reasoning_details",
                "name",
            ];
            let [first, .., last] = path.as_slice() else { return None };
            (*first == "messages" && hints.contains(last) && r.has_anywhere(last)).then_some(Fact::PlainMessages)
        },
        repair: "messages are written with the fields that everybody knows",
        reports: "message_fields",
        seen: &[
            ("property 'messages.1.annotations' is unsupported", "Groq's form"),
            ("Extra inputs are not permitted, field: 'messages[1].assistant.refusal', value: None", "Fireworks"),
        ],
    },
];
