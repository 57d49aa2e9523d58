//! Where a request says how long its answer may be, and how many answers it wants.

use tollgate_dialect::Dialect;
use tollgate_dialect::error::Invalid;
use tollgate_dialect::json::{Json, members};

/// The places of the limit, the first that is there counts. Where there is none it is written to the last.
pub fn places(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Messages => &["max_tokens"],
        Dialect::Chat => &["max_completion_tokens", "max_tokens"],
        Dialect::Responses => &["max_output_tokens"],
        Dialect::Gemini => &[
            "generation_config.max_output_tokens",
            "generation_config.maxOutputTokens",
            "generationConfig.max_output_tokens",
            "generationConfig.maxOutputTokens",
        ],
        Dialect::Converse => &["inferenceConfig.maxTokens"],
    }
}

pub fn choices(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Messages | Dialect::Responses | Dialect::Converse => &[],
        Dialect::Chat => &["n"],
        Dialect::Gemini => &[
            "generation_config.candidate_count",
            "generation_config.candidateCount",
            "generationConfig.candidate_count",
            "generationConfig.candidateCount",
        ],
    }
}

/// The first number of the places. `body`: its members.
pub fn count(places: &[&str], body: &[(&str, &str)]) -> Result<Option<u64>, Invalid> {
    for place in places {
        let (outer, inner) = place.split_once('.').map_or((*place, None), |(outer, inner)| (outer, Some(inner)));
        let Some(mut value) = member(body, outer) else { continue };
        if let Some(inner) = inner {
            let fields = members(value).unwrap_or_default();
            let Some(field) = member(&fields, inner) else { continue };
            value = field;
        }
        let value =
            Json::parse(value).map_err(|error| Invalid::new(*place, format!("Input should be valid JSON: {error}")))?;
        if let Some(count) = value.as_count() {
            return Ok(Some(count));
        }
    }
    Ok(None)
}

/// Of several of one name the last counts.
fn member<'b>(body: &[(&str, &'b str)], name: &str) -> Option<&'b str> {
    body.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value)
}
