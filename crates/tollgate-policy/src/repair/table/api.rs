//! By which of OpenAI's two APIs a model is called, and what servers of the newer one lack.

use tollgate_dialect::quirks::Api;

use super::{Row, Words};
use crate::repair::Fact;

pub const ROWS: &[Row] = &[
    Row {
        id: "api_responses",
        words: Words::Any(&[
            "only supported in v1/responses",
            "only supported in the responses api",
            "please use the responses api",
            "please use /v1/responses",
        ]),
        sent: |r| r.has("messages"),
        teaches: |_, _| Some(Fact::Api(Api::Responses)),
        repair: "the model is called by the Responses API, unless `api_mode` says otherwise",
        reports: "api_responses",
        seen: &[("This model is only supported in v1/responses and not in v1/chat/completions.", "OpenAI")],
    },
    Row {
        id: "plain_tools",
        words: Words::Any(&[
            "unknown variant namespace, expected",
            "unknown variant custom, expected",
            "unknown variant web_search, expected",
            "unknown variant tool_search, expected",
        ]),
        sent: |r| r.has("input") && r.has("tools"),
        teaches: |_, _| Some(Fact::PlainTools),
        repair: "all tools go as functions; those that run at OpenAI are left out",
        reports: "plain_tools",
        seen: &[("tools[3].type: unknown variant `namespace`, expected `function`", "DeepSeek")],
    },
];
