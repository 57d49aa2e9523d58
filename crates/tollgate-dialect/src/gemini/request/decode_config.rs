//! `generationConfig` of a client's request.

use crate::error::Invalid;
use crate::gemini::wire::{Raw, ThinkingConfig, is_true, parse, text_of, word};
use crate::json::{Json, Text};
use crate::request::{Effort, OutputFormat, Reasoning, ReasoningMode, Request};
use crate::scan::items;
use crate::schema;

/// Parameters that chat has under another name.
pub const SHARED: [(&str, &str); 4] = [
    ("seed", "seed"),
    ("presencePenalty", "presence_penalty"),
    ("frequencyPenalty", "frequency_penalty"),
    ("candidateCount", "n"),
];

/// Before the name of a field that only Google has, in [`Request::extra`].
pub const OWN: &str = "generationConfig.";

/// What Google's models do by themselves, and Gemini CLI (0.61.0) always says: to another model it is no wish.
const DEFAULT_TOP_K: &str = "64";

const JSON: &str = "application/json";

/// Reads one field; `name` is in camel case.
pub fn generation_config<'a>(request: &mut Request<'a>, name: &str, value: Raw<'a>) -> Result<(), Invalid> {
    if value.is_null() {
        return Ok(());
    }
    let at = || format!("{OWN}{name}");
    match name {
        "temperature" => request.temperature = Some(number(value, at)?),
        "topP" => request.top_p = Some(number(value, at)?),
        "topK" if value.get() == DEFAULT_TOP_K => {}
        "topK" => request.top_k = Some(number(value, at)?),
        "maxOutputTokens" => {
            let count = value.json().as_count().ok_or_else(|| Invalid::new(at(), "expected a whole number"))?;
            request.max_tokens = Some(count);
        }
        "stopSequences" => {
            let sequences = items(value.get()).unwrap_or_else(|| vec![value]);
            let sequences: Option<Vec<Text<'a>>> = sequences.into_iter().map(Raw::text).collect();
            request.stop = sequences.ok_or_else(|| Invalid::new(at(), "expected a list of strings"))?;
        }
        "thinkingConfig" => {
            let wish =
                thinking(value).ok_or_else(|| Invalid::new(at(), "expected an object with numbers and words"))?;
            request.reasoning = Some(wish);
        }
        "responseSchema" | "responseJsonSchema" | "_responseJsonSchema" => {
            if !value.is_object() {
                return Err(Invalid::new(at(), "expected an object"));
            }
            let schema = schema::to_json_schema(value.json());
            request.output_format =
                Some(OutputFormat::JsonSchema { name: None, description: None, schema, strict: None });
        }
        "responseMimeType" => match word(Some(value)) {
            JSON => _ = request.output_format.get_or_insert(OutputFormat::JsonObject),
            "text/plain" => {}
            _ => own(request, name, value),
        },
        "responseModalities" if value.get().eq_ignore_ascii_case(r#"["TEXT"]"#) => {}
        _ => match SHARED.iter().find(|(theirs, _)| *theirs == name) {
            Some((_, chats)) => request.extra.push((Text::literal(chats), value.json())),
            None => own(request, name, value),
        },
    }
    Ok(())
}

fn own<'a>(request: &mut Request<'a>, name: &str, value: Raw<'a>) {
    request.extra.push((Text::plain(&format!("{OWN}{name}")), value.json()));
}

fn number<'a>(value: Raw<'a>, at: impl Fn() -> String) -> Result<Json<'a>, Invalid> {
    let json = value.json();
    if json.as_f64().is_none() {
        return Err(Invalid::new(at(), "expected a number"));
    }
    Ok(json)
}

/// `None` for what is no such object.
pub fn thinking(value: Raw<'_>) -> Option<Reasoning> {
    let config = parse(value.get(), ThinkingConfig::read).ok()?;
    let mut wish = Reasoning { visible: Some(is_true(config.include_thoughts)), ..Reasoning::default() };
    if let Some(level) = text_of(config.thinking_level) {
        wish.effort = Effort::of_name(&level.decode().to_ascii_lowercase());
    }
    if let Some(budget) = config.thinking_budget {
        let budget: f64 = budget.get().trim_matches('"').parse().ok()?;
        wish.mode = match budget {
            0.0 => ReasoningMode::Off,
            // -1: as much as the model likes.
            budget if budget < 0.0 => ReasoningMode::Adaptive,
            budget => ReasoningMode::Budget(budget as u64),
        };
    }
    Some(wish)
}
