//! Everything else that a request says, and the generic rows.

use tollgate_dialect::quirks::ResponseFormat;

use super::{Row, Words, anything};
use crate::repair::Fact;

pub const ROWS: &[Row] = &[
    Row {
        id: "cache_control",
        words: Words::Parameter,
        sent: |r| r.has_anywhere("cache_control"),
        teaches: |r, found| {
            let path = found.path();
            let at = path.iter().position(|part| *part == "cache_control")?;
            let part = path[at..].last().copied().filter(|part| matches!(*part, "scope" | "ttl"));
            let name = part
                .filter(|part| r.has_anywhere(part))
                .map_or("cache_control".into(), |p| format!("cache_control.{p}"));
            Some(Fact::Refuses(name))
        },
        repair: "cache marks are left out, or the part of them that is refused",
        reports: "cache_control*",
        seen: &[
            (
                "system.2.cache_control.ephemeral.scope: Extra inputs are not permitted",
                "Bedrock and Vertex, github.com/anthropics/claude-code/issues/41966, 2026-04",
            ),
            (
                "messages.0.content.0.text.cache_control: Extra inputs are not permitted",
                "Vertex, github.com/cline/cline/issues/261, 2024-09",
            ),
            (
                "cache_control: Extra inputs are not permitted",
                "Bedrock, github.com/UKGovernmentBEIS/inspect_ai/pull/3851, 2026-05",
            ),
        ],
    },
    Row {
        id: "betas",
        words: Words::Any(&["unexpected value(s) * for the anthropic-beta header"]),
        sent: anything,
        teaches: |r, _| {
            let (_, after) = r.words.split_once("unexpected value(s) ")?;
            let (list, _) = after.split_once(" for the anthropic-beta header")?;
            let betas = list.split(',').map(|beta| beta.trim().to_string()).filter(|beta| !beta.is_empty());
            Some(Fact::RefusesBetas(betas.collect())).filter(|fact| *fact != Fact::RefusesBetas(Vec::new()))
        },
        repair: "the beta is not asked for",
        reports: "anthropic-beta.*",
        seen: &[(
            "Unexpected value(s) `context-1m-2025-08-07` for the `anthropic-beta` header. Please consult our documentation at docs.claude.com or try again without the header.",
            "Anthropic",
        )],
    },
    Row {
        id: "no_betas",
        words: Words::Any(&["invalid beta flag", "anthropic-beta header is not supported"]),
        sent: anything,
        teaches: |_, _| Some(Fact::NoBetas),
        repair: "no betas are asked for",
        reports: "anthropic-beta",
        seen: &[("invalid beta flag", "Bedrock")],
    },
    Row {
        id: "response_format",
        words: Words::Any(&[
            "response_format of type * is not supported",
            "does not support response format",
            "response_format type is unavailable",
            "json_schema is not supported",
            "json_object is not supported",
        ]),
        sent: |r| r.has("response_format"),
        teaches: |r, _| match r.format() {
            "json_schema" => Some(Fact::ResponseFormat(ResponseFormat::JsonObject)),
            "json_object" => Some(Fact::ResponseFormat(ResponseFormat::None)),
            _ => None,
        },
        repair: "`json_schema` becomes `json_object`, that a wish, with the schema in the system prompt",
        reports: "response_format",
        seen: &[
            (
                "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
                "OpenAI, github.com/web-infra-dev/midscene/issues/259, 2025-01",
            ),
            ("This response_format type is unavailable now", "DeepSeek"),
        ],
    },
    Row {
        id: "output_format",
        words: Words::Parameter,
        sent: |r| r.has_anywhere("output_config"),
        teaches: |r, found| {
            let wished = matches!(found.path()[..], ["output_config"] | ["output_config", "format"]);
            (wished && r.has_anywhere("schema")).then(|| Fact::Refuses("output_config.format".into()))
        },
        repair: "the wished form of the answer goes into the system prompt",
        reports: "output_config.format",
        seen: &[("output_config.format: Extra inputs are not permitted", "Messages layers")],
    },
    Row {
        id: "max_temperature",
        words: Words::Any(&[
            "temperature: range: 0..#",
            "temperature: input should be less than or equal to #",
            "temperature*expected a value <= #",
            "temperature*between 0 and #",
            "temperature*range of [0*, #]",
            "temperature*range of [0*, #)",
            "temperature*range is [0, #]",
            "temperature*less than or equal to #",
        ]),
        sent: |r| r.temperature().is_some(),
        teaches: |r, found| {
            let most = found.decimal().filter(|most| r.temperature().is_some_and(|sent| sent > *most))?;
            Some(Fact::MaxTemperature((most * 1000.0) as u32))
        },
        repair: "higher temperatures are cut to the highest",
        reports: "temperature",
        seen: &[
            ("temperature: range: 0..1", "Anthropic"),
            (
                "Invalid 'temperature': decimal above maximum value. Expected a value <= 1, but got 1.5 instead.",
                "OpenAI's form",
            ),
        ],
    },
    Row {
        id: "temperature_or_top_p",
        words: Words::Any(&["temperature and top_p cannot both be specified"]),
        sent: |r| r.has("temperature") && r.has("top_p"),
        teaches: |_, _| Some(Fact::TemperatureOrTopP),
        repair: "of the two `temperature` stays",
        reports: "top_p",
        seen: &[(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one.",
            "Anthropic from 4.1, Bedrock",
        )],
    },
    Row {
        id: "max_stop",
        words: Words::Any(&[
            "stop: array too long*maximum length #",
            "stop*at most # ",
            "maximum of # stop sequences",
            "up to # stop sequences",
        ]),
        sent: |r| r.has("stop"),
        teaches: |r, found| {
            let most = usize::try_from(found.count()?).ok()?;
            (most < r.stops()).then_some(Fact::MaxStop(most))
        },
        repair: "the rest of the stop sequences is watched for here",
        reports: "stop",
        seen: &[(
            "Invalid 'stop': array too long. Expected an array with maximum length 2, but got an array with length 3 instead.",
            "OpenAI's form",
        )],
    },
    Row {
        id: "no_stop",
        words: Words::Parameter,
        sent: |r| r.has("stop"),
        teaches: |_, found| (found.path() == ["stop"]).then_some(Fact::MaxStop(0)),
        repair: "stop sequences are watched for here",
        reports: "stop",
        seen: &[
            ("Argument not supported on this model: stop", "xAI"),
            ("Unsupported parameter: 'stop' is not supported with this model.", "OpenAI o3"),
        ],
    },
    Row {
        id: "parameter",
        words: Words::Parameter,
        sent: anything,
        teaches: |r, found| {
            let name = *found.path().first()?;
            // A field of another one is not the whole of it.
            let whole =
                found.path().len() == 1 || !matches!(name, "messages" | "tools" | "thinking" | "response_format");
            (whole && r.may_lose(name)).then(|| Fact::Refuses(name.into()))
        },
        repair: "the parameter is left out: always where it only gives a hint or changes nothing, else only with `drop_params`",
        reports: "*",
        seen: &[
            ("Unrecognized request argument supplied: reasoning_effort", "OpenAI, Azure"),
            ("Extra inputs are not permitted, field: 'parallel_tool_calls', value: False", "Fireworks"),
            ("property 'reasoning_effort' is unsupported", "Groq"),
            ("context_management: Extra inputs are not permitted", "Anthropic without the beta, Messages layers"),
        ],
    },
];
