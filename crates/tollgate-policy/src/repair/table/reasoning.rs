//! Thinking: whether, how much, and what becomes of thoughts.

use tollgate_dialect::quirks::ThinkingType;
use tollgate_dialect::request::Effort;

use super::{Row, Words, anything};
use crate::repair::{Fact, Refusal};

pub const ROWS: &[Row] = &[
    Row {
        id: "reasoning_wanted",
        words: Words::Any(&[
            "reasoning_content*must be passed back",
            "content[].thinking*must be passed back",
            "reasoning_content is missing",
            "reasoning_content is required",
            "reasoning_content: field required",
        ]),
        sent: anything,
        teaches: |_, _| Some(Fact::WantsReasoning),
        repair: "earlier thoughts go back with their messages; a filler stands for lost ones",
        reports: "reasoning_content",
        seen: &[
            ("The `reasoning_content` in the thinking mode must be passed back to the API.", "DeepSeek"),
            (
                "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2",
                "Moonshot",
            ),
            ("The `content[].thinking` in the thinking mode must be passed back to the API.", "DeepSeek, Messages"),
        ],
    },
    Row {
        id: "reasoning_refused",
        words: Words::Parameter,
        sent: |r| r.has_anywhere("reasoning_content"),
        teaches: |_, found| (found.path().last() == Some(&"reasoning_content")).then_some(Fact::NoReasoning),
        repair: "earlier thoughts stay here",
        reports: "reasoning_content",
        seen: &[
            ("Unknown parameter: 'messages[2].reasoning_content'.", "OpenAI"),
            (
                "Extra inputs are not permitted, field: 'messages[1].assistant.reasoning_content', value: 'hm'",
                "Fireworks",
            ),
        ],
    },
    Row {
        id: "thinking_signature",
        words: Words::Any(&[
            "invalid signature in thinking block",
            "thinking.signature: field required",
            "thinking or redacted_thinking blocks in the latest assistant message cannot be modified",
        ]),
        sent: |r| r.thoughts(),
        teaches: |_, _| Some(Fact::StripThoughts),
        repair: "the thoughts of this conversation stay here; not remembered",
        reports: "thinking_signature",
        seen: &[
            (
                "messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to \"drop_block\".",
                "Anthropic, preserved thinking, 2026-09",
            ),
            ("messages.1.content.0: Invalid `signature` in `thinking` block", "Anthropic"),
            ("messages.1.content.0.thinking.signature: Field required", "Anthropic"),
            (
                "messages.1.content.0: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must remain as they were in the original response.",
                "Anthropic",
            ),
        ],
    },
    Row {
        id: "reasoning_summary",
        words: Words::Any(&["must be verified to generate reasoning summaries"]),
        sent: |r| r.has_anywhere("summary"),
        teaches: |_, _| Some(Fact::Refuses("reasoning.summary".into())),
        repair: "thoughts are not asked for in words",
        reports: "reasoning.summary",
        seen: &[("Your organization must be verified to generate reasoning summaries.", "OpenAI")],
    },
    Row {
        id: "encrypted_content",
        words: Words::Any(&["encrypted content is not supported"]),
        sent: |r| r.has_anywhere("include"),
        teaches: |_, _| Some(Fact::Refuses("reasoning.encrypted_content".into())),
        repair: "encrypted reasoning is not asked for",
        reports: "reasoning.encrypted_content",
        seen: &[("Encrypted content is not supported with this model.", "OpenAI")],
    },
    Row {
        id: "encrypted_reasoning",
        words: Words::Any(&["encrypted content {} could not be verified", "encrypted content could not be verified"]),
        sent: |r| r.has_anywhere("encrypted_content"),
        teaches: |_, _| Some(Fact::StripThoughts),
        repair: "the reasoning of this conversation stays here; not remembered",
        reports: "thinking_signature",
        seen: &[("The encrypted content gAAA could not be verified.", "OpenAI, code invalid_encrypted_content")],
    },
    Row {
        id: "thinking_in_tool_loop",
        words: Words::Any(&["expected thinking or redacted_thinking, but found", "must start with a thinking block"]),
        sent: |r| r.calls_tools(),
        teaches: |_, _| Some(Fact::LoopNeedsThoughts),
        repair: "thinking pauses for a tool loop that began without it",
        reports: "thinking_in_tool_loop",
        seen: &[(
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and `tool_result` blocks).",
            "Anthropic, extended thinking",
        )],
    },
    Row {
        id: "thinking_type",
        words: Words::Any(&[
            "thinking.type.{} is not supported",
            "thinking.type: {} is not supported",
            "{} thinking is not supported",
            "thinking: input tag {} found using type does not match",
            "thinking.type: unknown variant {},",
            "thinking cannot be {}",
        ]),
        sent: |r| r.has("thinking"),
        teaches: |r, found| {
            let kind = match *found.path().last()? {
                "adaptive" => ThinkingType::Adaptive,
                "enabled" => ThinkingType::Enabled,
                "disabled" => ThinkingType::Disabled,
                "between_tools" => ThinkingType::BetweenTools,
                _ => return None,
            };
            (found.path().last() == Some(&r.thinking())).then_some(Fact::NoThinkingType(kind))
        },
        repair: "the nearest form of thinking that is taken, or none",
        reports: "thinking.*",
        seen: &[
            ("adaptive thinking is not supported on this model", "Anthropic, models before 4.6"),
            (
                "\"thinking.type.enabled\" is not supported for this model. Use \"thinking.type.adaptive\" and \"output_config.effort\" to control thinking behavior.",
                "Anthropic, models from 4.7",
            ),
            (
                "\"thinking.type.disabled\" is not supported for this model. Use \"thinking.type.between_tools\".",
                "Anthropic, Sonnet 5.5",
            ),
            (
                "thinking: Input tag 'adaptive' found using 'type' does not match any of the expected tags: 'disabled', 'enabled'",
                "pydantic's form, Messages layers",
            ),
        ],
    },
    Row {
        id: "thinking_display",
        words: Words::Parameter,
        sent: |r| r.has("thinking"),
        teaches: |_, found| {
            matches!(found.path()[..], ["thinking", .., "display"]).then(|| Fact::Refuses("thinking.display".into()))
        },
        repair: "`thinking.display` is left out",
        reports: "thinking.display",
        seen: &[("thinking.adaptive.display: Extra inputs are not permitted", "Anthropic's form, older surfaces")],
    },
    Row {
        id: "efforts",
        words: Words::Any(&[
            "effort*supported values are: *",
            "unsupported value*supported values are: *",
            "effort: input should be *",
            "effort*expected one of *",
            "effort*must be one of *",
        ]),
        sent: |r| r.effort().is_some(),
        teaches: |r, _| efforts(r),
        repair: "the nearest effort that is taken",
        reports: "efforts",
        seen: &[
            (
                "Unsupported value: 'reasoning_effort' does not support 'xhigh' with this model. Supported values are: 'low', 'medium', and 'high'.",
                "OpenAI, github.com/anomalyco/opencode/issues/4451, 2025-11",
            ),
            ("output_config.effort: Input should be 'low', 'medium' or 'high'", "Anthropic's form"),
        ],
    },
    Row {
        id: "effort",
        words: Words::Any(&[
            "does not support the effort parameter",
            "output_config.effort: extra inputs are not permitted",
            "effort is not supported",
            "reasoning_effort does not support",
        ]),
        sent: |r| r.effort().is_some(),
        teaches: |_, _| Some(Fact::NoEffort),
        repair: "no effort is set",
        reports: "reasoning_effort",
        seen: &[("This model does not support the effort parameter.", "Anthropic, as Claude Code 2.1 reads it")],
    },
];

/// The efforts that the words list, after what they say about the refused one.
fn efforts(refusal: &Refusal<'_>) -> Option<Fact> {
    let asked = refusal.effort()?;
    let leads = ["supported values are", "input should be", "expected one of", "must be one of"];
    let list = leads.iter().find_map(|lead| refusal.words.split_once(lead)).map(|(_, list)| list)?;
    let named = |effort: &Effort| list.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == effort.name());
    let known: Vec<Effort> = Effort::ALL.into_iter().filter(named).collect();
    (!known.is_empty() && !known.contains(&asked)).then_some(Fact::Efforts(known))
}
