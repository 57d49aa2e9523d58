//! What Gemini's own API refuses and others do not know.

use super::{Row, Words};
use crate::repair::{Fact, GeminiFact};

pub const ROWS: &[Row] = &[
    Row {
        id: "gemini_ids",
        words: Words::Any(&["unknown name id at contents"]),
        sent: |r| r.has_anywhere("functionCall"),
        teaches: |_, _| Some(Fact::Gemini(GeminiFact::NoIds)),
        repair: "calls and results go without ids, told apart by their order",
        reports: "call_ids",
        seen: &[(
            "Invalid JSON payload received. Unknown name \"id\" at 'contents[1].parts[0].function_call': Cannot find field.",
            "Gemini before 3, litellm 1.109.1",
        )],
    },
    Row {
        id: "gemini_signatures",
        words: Words::Any(&["missing a thought_signature"]),
        sent: |r| r.has_anywhere("functionCall"),
        teaches: |_, _| Some(Fact::Gemini(GeminiFact::Signatures)),
        repair: "the first call of a turn has its signature, or Google's word where it is lost",
        reports: "thought_signature",
        seen: &[
            (
                "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing thought_signature may lead to degraded model performance.",
                "Gemini 3, users' reports, 2025-11",
            ),
            (
                "Unable to submit request because function call `default_api:read` in the 2. content block is missing a `thought_signature`. Learn more: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/thought-signatures",
                "Gemini 3 on Vertex AI, users' reports, 2026-05",
            ),
        ],
    },
    Row {
        id: "gemini_foreign_signatures",
        words: Words::Any(&["thought signature is not valid", "corrupted thought signature"]),
        sent: |r| r.has_anywhere("thoughtSignature"),
        teaches: |_, _| Some(Fact::Gemini(GeminiFact::ForeignSignatures)),
        repair: "the signatures of this conversation stay here, Google's word stands in for them; not remembered",
        reports: "thought_signature",
        seen: &[
            (
                "Unable to submit request because Thought signature is not valid.",
                "Vertex AI, after AI Studio; users' reports, 2026-02",
            ),
            ("Corrupted thought signature.", "AI Studio, after Vertex AI; users' reports, 2026-07"),
        ],
    },
    Row {
        id: "gemini_thinking_level",
        words: Words::Any(&["thinking level is not supported", "unknown name thinkinglevel"]),
        sent: |r| r.has_anywhere("thinkingLevel"),
        teaches: |_, _| Some(Fact::Gemini(GeminiFact::NoLevel)),
        repair: "how much to think is said as a budget",
        reports: "thinkingLevel",
        seen: &[("Thinking level is not supported for this model.", "Gemini 2.5")],
    },
    Row {
        id: "gemini_format_with_tools",
        words: Words::Any(&["function calling with a response mime type"]),
        sent: |r| r.has_anywhere("responseMimeType"),
        teaches: |_, _| Some(Fact::Gemini(GeminiFact::NoFormatWithTools)),
        repair: "beside tools JSON is asked for in words",
        reports: "response_format",
        seen: &[(
            "Function calling with a response mime type: 'application/json' is unsupported",
            "Gemini before 3, users' reports",
        )],
    },
    Row {
        id: "gemini_json_schema",
        words: Words::Any(&["unknown name parametersjsonschema", "unknown name responsejsonschema"]),
        sent: |r| r.has_anywhere("parametersJsonSchema") || r.has_anywhere("responseJsonSchema"),
        teaches: |_, _| Some(Fact::Gemini(GeminiFact::NoJsonSchema)),
        repair: "schemas are written in Gemini's subset of OpenAPI",
        reports: "schema",
        seen: &[(
            "Invalid JSON payload received. Unknown name \"parametersJsonSchema\" at 'tools[0].function_declarations[0]': Cannot find field.",
            "Gemini's form, models before 2.5",
        )],
    },
    Row {
        id: "gemini_media_in_results",
        words: Words::Any(&["unknown name parts at*function_response"]),
        sent: |r| r.has_anywhere("functionResponse"),
        teaches: |_, _| Some(Fact::NoMediaInResults),
        repair: "media goes beside the results, with the id of its call",
        reports: "media_in_tool_result",
        seen: &[(
            "Invalid JSON payload received. Unknown name \"parts\" at 'contents[2].parts[0].function_response': Cannot find field.",
            "Gemini before 3",
        )],
    },
];
