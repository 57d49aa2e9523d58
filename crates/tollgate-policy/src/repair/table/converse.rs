//! What Bedrock's Converse refuses in words of its own. Texts: users' reports and LiteLLM's issues, read 2026-11.

use tollgate_dialect::quirks::{IdForm, ResponseFormat};

use super::{Row, Words};
use crate::repair::Fact;

/// "This model doesn't support the … field. Remove … and try again."
const FIELD: Words = Words::Any(&["model doesnt support the {} field"]);

pub const ROWS: &[Row] = &[
    Row {
        id: "text_beside_results",
        words: Words::Any(&["conversation blocks and tool result blocks cannot be provided in the same turn"]),
        sent: |r| r.has_anywhere("toolResult"),
        teaches: |_, _| Some(Fact::ResultsAlone),
        repair: "what the user says beside tool results goes into the last of them",
        reports: "text_beside_results",
        seen: &[(
            "A conversation turn is invalid: conversation blocks and tool result blocks cannot be provided in the same turn.",
            "Bedrock, Cohere and Mistral models",
        )],
    },
    Row {
        id: "converse_named_tool",
        words: FIELD,
        sent: |r| r.has_anywhere("toolChoice"),
        teaches: |_, found| (found.path() == ["toolconfig", "toolchoice", "tool"]).then_some(Fact::NoNamedTool),
        repair: "a named tool becomes any tool",
        reports: "tool_choice_named",
        seen: &[(
            "This model doesn't support the toolConfig.toolChoice.tool field. Remove toolConfig.toolChoice.tool and try again.",
            "Bedrock, Llama and Nova models",
        )],
    },
    Row {
        id: "converse_tool_choice",
        words: FIELD,
        sent: |r| r.has_anywhere("toolChoice"),
        teaches: |_, found| found.path().starts_with(&["toolconfig", "toolchoice"]).then_some(Fact::NoForcedTool),
        repair: "a forced choice is said in words",
        reports: "tool_choice",
        seen: &[(
            "This model doesn't support the toolConfig.toolChoice.any field. Remove toolConfig.toolChoice.any and try again.",
            "Bedrock, Llama models",
        )],
    },
    Row {
        id: "converse_stop",
        words: FIELD,
        sent: |r| r.has_anywhere("stopSequences"),
        teaches: |_, found| (found.path().last() == Some(&"stopsequences")).then(|| Fact::Refuses("stop".into())),
        repair: "stop sequences are looked for here",
        reports: "stop",
        seen: &[(
            "This model doesn't support the stopSequences field. Remove stopSequences and try again.",
            "Bedrock, AI21 and Cohere models",
        )],
    },
    Row {
        id: "converse_format",
        words: FIELD,
        sent: |r| r.has_anywhere("textFormat"),
        teaches: |_, found| {
            (found.path().first() == Some(&"outputconfig")).then_some(Fact::ResponseFormat(ResponseFormat::None))
        },
        repair: "a schema for the answer is said in words",
        reports: "response_format",
        seen: &[(
            "This model doesn't support the outputConfig.textFormat field. Remove outputConfig.textFormat and try again.",
            "Bedrock's form",
        )],
    },
    Row {
        id: "converse_images",
        words: Words::Any(&["support the image content block", "support the messages.#.content.#.image"]),
        sent: |r| r.has_anywhere("image"),
        teaches: |_, _| Some(Fact::NoImages),
        repair: "images are left out, with a note in their place",
        reports: "images",
        seen: &[(
            "This model doesn't support the image content block that you provided. Remove the image content block and try again.",
            "Bedrock, models of text",
        )],
    },
    Row {
        id: "converse_cache",
        words: Words::Any(&["did not allow prompt caching", "does not support prompt caching"]),
        sent: |r| r.has_anywhere("cachePoint"),
        teaches: |_, _| Some(Fact::Refuses("cache_control".into())),
        repair: "cache points are left out",
        reports: "cache_control",
        seen: &[(
            "You invoked an unsupported model or your request did not allow prompt caching. See the documentation for more information.",
            "Bedrock",
        )],
    },
    Row {
        id: "converse_cache_ttl",
        words: Words::Any(&["extraneous key [ttl]", "cachepoint.ttl"]),
        sent: |r| r.has_anywhere("cachePoint") && r.has_anywhere("ttl"),
        teaches: |_, _| Some(Fact::Refuses("cache_control.ttl".into())),
        repair: "cache points have their usual life",
        reports: "cache_control.ttl",
        seen: &[(
            "Malformed input request: #/messages/0/content/1/cachePoint: extraneous key [ttl] is not permitted, please reformat your input and try again.",
            "Bedrock's form",
        )],
    },
    Row {
        id: "converse_tool_ids",
        words: Words::Any(&["[a-za-z0-9]{9}"]),
        sent: |r| r.has_anywhere("toolUseId"),
        teaches: |_, _| Some(Fact::ToolIds(IdForm::NineAlnum)),
        repair: "ids of calls are shortened to nine letters and digits",
        reports: "tool_ids",
        seen: &[(
            "Value 'tooluse_abc' at 'toolUseId' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9]{9}$",
            "Bedrock, Mistral models",
        )],
    },
    Row {
        id: "converse_max_tokens",
        words: Words::Any(&["maximum tokens you requested exceeds the model limit of #"]),
        sent: |r| r.has_anywhere("maxTokens"),
        teaches: |r, found| {
            let most = found.count()?;
            r.sent.max_tokens.is_some_and(|asked| asked > most).then_some(Fact::MaxOutputTokens(most))
        },
        repair: "limits are cut to the most that is given",
        reports: "max_tokens_cap",
        seen: &[(
            "The maximum tokens you requested exceeds the model limit of 4096. Try again with a maximum tokens value that is lower than 4096.",
            "Bedrock",
        )],
    },
    Row {
        id: "converse_native",
        words: Words::Any(&["extraneous key {} is not permitted"]),
        sent: |r| r.has("additionalModelRequestFields"),
        teaches: |r, found| match found.path()[..] {
            ["top_k"] if r.sent.drop_params => Some(Fact::Refuses("top_k".into())),
            ["thinking"] => Some(Fact::Refuses("thinking".into())),
            ["reasoningconfig" | "reasoning_effort"] => Some(Fact::NoEffort),
            ["anthropic_beta"] => Some(Fact::NoBetas),
            _ => None,
        },
        repair: "a field in its maker's words that the model does not know is left out",
        reports: "*",
        seen: &[
            (
                "Malformed input request: #: extraneous key [thinking] is not permitted, please reformat your input and try again.",
                "Bedrock, Claude before 3.7",
            ),
            (
                "Malformed input request: #: extraneous key [reasoning_effort] is not permitted, please reformat your input and try again.",
                "Bedrock's form",
            ),
        ],
    },
    Row {
        id: "converse_signature",
        words: Words::Any(&[
            "invalid signature in thinking block",
            "thinking or redacted_thinking blocks in the latest",
        ]),
        sent: |r| r.has_anywhere("reasoningContent"),
        teaches: |_, _| Some(Fact::StripThoughts),
        repair: "the thoughts of this conversation stay here; not remembered",
        reports: "thinking_signature",
        seen: &[(
            "The model returned the following errors: messages.1.content.0: Invalid `signature` in `thinking` block",
            "Bedrock, Claude",
        )],
    },
];
