//! By which of OpenAI's two APIs a model is called.

use tollgate_dialect::quirks::Api;

use super::{Row, Words};
use crate::repair::Fact;

pub const ROWS: &[Row] = &[Row {
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
}];
