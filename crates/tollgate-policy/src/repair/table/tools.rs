//! Tools, the choice among them, and their schemas.

use tollgate_dialect::quirks::{IdForm, SchemaForm};

use super::{Row, Words};
use crate::repair::{Fact, Refusal};

fn forces_tool(refusal: &Refusal<'_>) -> bool {
    refusal.forces_tool()
}

pub const ROWS: &[Row] = &[
    Row {
        id: "tool_choice_thinking",
        words: Words::Any(&[
            "tool_choice*incompatible with thinking",
            "tool_choice*in thinking mode",
            "thinking may not be enabled when tool_choice forces",
            "thinking*not*with*tool_choice",
        ]),
        sent: forces_tool,
        teaches: |_, _| Some(Fact::NoForcedToolWhileThinking),
        repair: "a forced choice becomes `auto` while the model thinks, and stays where it does not",
        reports: "tool_choice",
        seen: &[
            (
                "tool_choice 'required' is incompatible with thinking enabled",
                "Moonshot, github.com/can1357/oh-my-pi/issues/1077, 2026-05",
            ),
            (
                "<400> InternalError.Algo.InvalidParameter: The tool_choice parameter does not support being set to required or object in thinking mode",
                "DashScope, github.com/cloudwego/eino/issues/994, 2026-04",
            ),
            ("Thinking may not be enabled when tool_choice forces tool use.", "Anthropic"),
        ],
    },
    Row {
        id: "tool_choice_named",
        words: Words::Any(&[
            "invalid tool_choice type: object",
            "tool_choice*should be a valid string",
            "tool_choice: expected a string",
        ]),
        sent: |r| r.names_tool(),
        teaches: |_, _| Some(Fact::NoNamedTool),
        repair: "a choice of one tool becomes `required`",
        reports: "tool_choice_named",
        seen: &[(
            "Invalid tool_choice type: 'object'. Supported string values: none, auto, required",
            "LM Studio, github.com/lmstudio-ai/lmstudio-bug-tracker/issues/670, 2025-05",
        )],
    },
    Row {
        id: "tool_choice",
        words: Words::Any(&[
            "tool_choice*not support",
            "tool_choice*unsupported",
            "not support*tool_choice",
            "tool_choice*not permitted",
            "tool_choice*must be auto",
            "unsupported*tool_choice",
            "argument*tool_choice",
            "forced tool use is not supported",
        ]),
        sent: forces_tool,
        teaches: |_, _| Some(Fact::NoForcedTool),
        repair: "a forced choice becomes `auto`",
        reports: "tool_choice",
        seen: &[
            ("tool_choice: forced tool use is not supported for this model.", "Anthropic, Claude 5.5"),
            ("Unsupported value: 'tool_choice' does not support 'required' with this model.", "OpenAI's form"),
        ],
    },
    Row {
        id: "schema_moonshot",
        words: Words::Any(&["moonshot flavored json schema"]),
        sent: |r| r.has_schemas(),
        teaches: |_, _| Some(Fact::SchemaForm(SchemaForm::Moonshot)),
        repair: "schemas are written in Moonshot's form",
        reports: "schema",
        seen: &[(
            "tools.function.parameters is not a valid moonshot flavored json schema, details: <At path 'properties.skill': when using anyOf, type should be defined in anyOf items instead of the parent schema>",
            "Moonshot, github.com/nicobailon/pi-subagents/issues/127, 2026-04",
        )],
    },
    Row {
        id: "schema_llama_cpp",
        words: Words::Any(&["pattern must start with ^ and end with $"]),
        sent: |r| r.has_schemas(),
        teaches: |_, _| Some(Fact::SchemaForm(SchemaForm::LlamaCpp)),
        repair: "patterns in schemas are anchored",
        reports: "schema",
        seen: &[(
            "JSON schema conversion failed:\nPattern must start with '^' and end with '$'",
            "llama.cpp, common/json-schema-to-grammar.cpp",
        )],
    },
    Row {
        id: "schema_gemini",
        words: Words::Any(&["only enum and date-time are supported for string", "should be non-empty for object type"]),
        sent: |r| r.has_schemas(),
        teaches: |_, _| Some(Fact::SchemaForm(SchemaForm::Gemini)),
        repair: "schemas are written in Gemini's subset",
        reports: "schema",
        seen: &[(
            "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties[u].format: only 'enum' and 'date-time' are supported for STRING type",
            "Gemini's OpenAI layer",
        )],
    },
    Row {
        id: "schema_root",
        words: Words::Any(&[
            "does not support oneof, allof, or anyof at the top level",
            "schema must have type object and not have",
        ]),
        sent: |r| r.has_schemas(),
        teaches: |_, _| Some(Fact::SchemaRoot),
        repair: "a union at the root of a tool's schema becomes one object",
        reports: "schema_root",
        seen: &[
            (
                "tools.0.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level",
                "Anthropic",
            ),
            (
                "Invalid schema for function 'f': schema must have type 'object' and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level.",
                "OpenAI",
            ),
        ],
    },
    Row {
        id: "strict",
        words: Words::Any(&[
            "strict=true are not supported",
            "additionalproperties is required to be supplied",
            "required is required to be supplied and to be an array including every key",
            "strict mode is not supported",
        ]),
        sent: |r| r.has_anywhere("strict"),
        teaches: |_, _| Some(Fact::RefusesInTools("strict".into())),
        repair: "`strict` is left out of tools",
        reports: "tools.strict",
        seen: &[
            (
                "Tools with strict=True are not supported by this model",
                "Cerebras, github.com/livekit/agents/pull/3134, 2025-08",
            ),
            (
                "Invalid schema for function 'f': In context=(), 'additionalProperties' is required to be supplied and to be false.",
                "OpenAI",
            ),
        ],
    },
    Row {
        id: "schema_keyword",
        words: Words::Any(&[
            "unknown name {} at *function_declarations",
            "unsupported json schema fields: {{}",
            "invalid schema for *, {} is not permitted",
            "invalid schema for *: {} is not permitted",
            "parameters.*{}: extra inputs are not permitted",
            "parameters.{}: extra inputs are not permitted",
            "input_schema.*{}: extra inputs are not permitted",
            "for string type*, properties {} are not supported",
            "does not support the {} keyword",
        ]),
        sent: |r| r.has_schemas(),
        teaches: |r, found| r.schema_keyword(found.path().last()?).map(|k| Fact::SchemaKeyword(k.into())),
        repair: "the keyword is left out of schemas",
        reports: "schema.*",
        seen: &[
            (
                "Invalid JSON payload received. Unknown name \"additionalProperties\" at 'tools[0].function_declarations[0].parameters': Cannot find field.",
                "Gemini's OpenAI layer",
            ),
            (
                "Unsupported JSON schema fields: {'minItems', 'items'}",
                "Cerebras, github.com/musistudio/claude-code-router/issues/708, 2025-08",
            ),
            (
                "Invalid schema for response_format 'answer': In context=('properties', 'u'), 'pattern' is not permitted.",
                "OpenAI",
            ),
        ],
    },
    Row {
        id: "schema_format",
        words: Words::Any(&["invalid schema *is not a valid format", "output_config.format.schema*string format"]),
        sent: |r| r.has_anywhere("format"),
        teaches: |_, _| Some(Fact::SchemaKeyword("format".into())),
        repair: "`format` is left out of schemas",
        reports: "schema.format",
        seen: &[(
            "Invalid schema for function 'f': In context=('properties', 'u'), 'uri' is not a valid format.",
            "OpenAI",
        )],
    },
    Row {
        id: "tool_names",
        words: Words::Any(&[
            "name: string too long*maximum length #",
            "name: string should have at most # characters",
            "name: string should match pattern",
            "name: string does not match pattern",
            "invalid function name. must start with a letter",
            "function name is invalid, must start with a letter",
        ]),
        sent: |r| r.has("tools"),
        teaches: |_, found| Some(Fact::ToolNames(found.count().and_then(|n| usize::try_from(n).ok()).unwrap_or(64))),
        repair: "tool names are shortened to what is taken, and given back as they were",
        reports: "tool_names",
        seen: &[
            (
                "Invalid 'tools[0].function.name': string too long. Expected a string with maximum length 64, but got a string with length 70 instead.",
                "OpenAI",
            ),
            ("tools.0.custom.name: String should have at most 64 characters", "Anthropic"),
            (
                "Invalid 'tools[0].function.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'.",
                "OpenAI",
            ),
            (
                "Invalid function name. Must start with a letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 128.",
                "Gemini's OpenAI layer",
            ),
        ],
    },
    Row {
        id: "tool_ids",
        words: Words::Any(&[
            "tool call id *length of 9",
            ".id: string too long*maximum length #",
            "tool_call_id: string too long*maximum length #",
            "tool_use.id: string should match pattern",
            "tool_use_id: string should match pattern",
        ]),
        sent: |r| r.calls_tools(),
        teaches: |r, found| {
            let most = found.count().and_then(|n| usize::try_from(n).ok()).filter(|n| *n >= 30);
            Some(Fact::ToolIds(match most {
                _ if r.words.contains("length of 9") => IdForm::NineAlnum,
                Some(most) => IdForm::AtMost(most),
                None => IdForm::Word,
            }))
        },
        repair: "ids of tool calls get the form that is taken",
        reports: "tool_ids",
        seen: &[
            (
                "Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a string with length 51 instead.",
                "OpenAI, github.com/vercel/ai/issues/8132, 2025-08",
            ),
            ("Tool call id was call_abcdefghijkl but must be a-z, A-Z, 0-9, with a length of 9.", "Mistral"),
            ("messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'", "Anthropic"),
        ],
    },
    Row {
        id: "tool_type",
        words: Words::Any(&["tools*unknown variant custom", "tools*type*expected function"]),
        sent: |r| r.has("tools"),
        teaches: |_, _| Some(Fact::RefusesInTools("type".into())),
        repair: "`type: custom` is left out of tools",
        reports: "tools.type",
        seen: &[(
            "Failed to deserialize the JSON body into the target type: tools[0].type: unknown variant `custom`, expected `function`",
            "DeepSeek's form; that its Messages layer refuses it: LiteLLM 1.109.1",
        )],
    },
    Row {
        id: "tool_fields",
        words: Words::Parameter,
        sent: |r| r.has("tools"),
        teaches: |r, found| {
            let path = found.path();
            let [first, .., last] = path.as_slice() else { return None };
            let hints = ["type", "strict", "defer_loading", "eager_input_streaming", "input_examples"];
            let may_go = hints.contains(last) || (*last == "allowed_callers" && r.sent.drop_params);
            (*first == "tools" && may_go && r.has_anywhere(last)).then(|| Fact::RefusesInTools((*last).into()))
        },
        repair: "the field is left out of tools",
        reports: "tools.*",
        seen: &[
            (
                "tools.0.custom.eager_input_streaming: Extra inputs are not permitted",
                "Anthropic's form, on Bedrock and Vertex",
            ),
            ("tools.0.custom.defer_loading: Extra inputs are not permitted", "Anthropic's form, on Bedrock and Vertex"),
            ("Extra inputs are not permitted, field: 'tools[0].function.strict', value: True", "Fireworks"),
        ],
    },
];
