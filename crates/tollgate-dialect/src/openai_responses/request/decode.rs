//! A Responses client's body to the canonical request.

use crate::error::Invalid;
use crate::json::{Json, Text};
use crate::openai_chat::request::effort_wish;
use crate::openai_responses::wire::word;
use crate::request::{Effort, OutputFormat, Reasoning, Request, TextPart};
use crate::scan::{Cursor, Raw, items, object};

use super::{decode_items, decode_tools};

/// What concerns the transport, or is what every body that we write says anyway.
const MOOT: [&str; 4] = ["store", "stream_options", "client_metadata", "access_programs"];

pub fn decode(body: &[u8]) -> Result<Request<'_>, Invalid> {
    read(body, true)
}

/// Of what is only counted the input may be missing.
pub fn decode_count(body: &[u8]) -> Result<Request<'_>, Invalid> {
    read(body, false)
}

fn read(body: &[u8], needs_input: bool) -> Result<Request<'_>, Invalid> {
    let body = std::str::from_utf8(body)
        .map_err(|e| Invalid::new("", format!("The request body is not valid UTF-8 at byte {}", e.valid_up_to())))?;
    let mut fields = Fields::default();
    let mut cursor = Cursor::new(body);
    let read = cursor.members(|c, key| fields.read(key, c.value()?)).and_then(|()| Ok(cursor.end()?));
    if let Err(invalid) = read {
        // A mistake in the JSON itself comes first, and with its line.
        serde_json::from_str::<serde::de::IgnoredAny>(body)?;
        return Err(invalid);
    }
    fields.into_request(needs_input)
}

/// The body's fields on the way to a request.
#[derive(Default)]
struct Fields<'a> {
    request: Request<'a>,
    has_model: bool,
    instructions: Option<Raw<'a>>,
    input: Option<Raw<'a>>,
}

impl<'a> Fields<'a> {
    fn read(&mut self, key: Text<'a>, value: Raw<'a>) -> Result<(), Invalid> {
        if value.is_null() {
            return Ok(());
        }
        let request = &mut self.request;
        match key.escaped() {
            "model" => {
                request.model = string("model", value)?;
                self.has_model = true;
            }
            "instructions" => self.instructions = Some(value),
            "input" => self.input = Some(value),
            "tools" => request.tools = decode_tools::tools(value)?,
            "tool_choice" => request.tool_choice = Some(decode_tools::choice(value)?),
            "parallel_tool_calls" => request.parallel_tool_calls = Some(boolean("parallel_tool_calls", value)?),
            "max_output_tokens" => request.max_tokens = Some(count("max_output_tokens", value)?),
            "temperature" => request.temperature = Some(number("temperature", value)?),
            "top_p" => request.top_p = Some(number("top_p", value)?),
            "reasoning" => request.reasoning = reasoning(value)?,
            "text" => self.text(value)?,
            "stream" => request.stream = boolean("stream", value)?,
            "user" => request.user = Some(string("user", value)?),
            "include" => self.include(value)?,
            "truncation" if value.word() == "disabled" => {}
            "top_logprobs" if value.get() == "0" => {}
            name if MOOT.contains(&name) => {}
            "background" if value.get() == "false" => {}
            name @ ("previous_response_id" | "conversation" | "prompt" | "background") => return Err(kept_there(name)),
            _ => request.extra.push((key, value.json())),
        }
        Ok(())
    }

    fn text(&mut self, value: Raw<'a>) -> Result<(), Invalid> {
        object! {
            TextConfig {
                format,
                verbosity,
            }
        }
        let config = TextConfig::parse(value.get()).map_err(|_| Invalid::new("text", "expected an object"))?;
        if let Some(format) = config.format {
            self.request.output_format = output_format(format)?;
        }
        if let Some(verbosity) = config.verbosity {
            self.request.extra.push((Text::literal("verbosity"), verbosity.json()));
        }
        Ok(())
    }

    /// Encrypted reasoning is asked for by us wherever there is some.
    fn include(&mut self, value: Raw<'a>) -> Result<(), Invalid> {
        let wanted = items(value.get()).ok_or_else(|| Invalid::new("include", "expected a list of strings"))?;
        if wanted.iter().any(|item| item.word() != "reasoning.encrypted_content") {
            self.request.extra.push((Text::literal("include"), value.json()));
        }
        Ok(())
    }

    fn into_request(self, needs_input: bool) -> Result<Request<'a>, Invalid> {
        let mut request = self.request;
        if !self.has_model {
            return Err(Invalid::new("model", "a model is required"));
        }
        if let Some(instructions) = self.instructions {
            match instructions.text() {
                Some(text) if text.is_empty() => {}
                Some(text) => request.system.push(TextPart { text, cache: None }),
                // A list of items, as answers echo it.
                None => decode_items::decode("instructions", instructions, &mut request)?,
            }
        }
        match self.input {
            Some(input) => decode_items::decode("input", input, &mut request)?,
            None if needs_input => return Err(Invalid::new("input", "an input is required")),
            None => {}
        }
        Ok(request)
    }
}

fn kept_there(name: &str) -> Invalid {
    let instead = match name {
        "conversation" => {
            "send the whole conversation in `input`, or go on from an answer that the gateway keeps with `previous_response_id`"
        }
        "prompt" => "send the template's text, with its variables filled in, in `instructions` and `input`",
        "background" => "send the request without it, with `stream: true` if the answer takes long",
        _ => "send the whole conversation in `input`",
    };
    let message = format!(
        "`{name}` refers to what a provider keeps, and this route leads to one that keeps nothing for us; {instead}"
    );
    Invalid::new(name, message)
}

fn reasoning(value: Raw<'_>) -> Result<Option<Reasoning>, Invalid> {
    object! {
        Wish {
            effort,
            summary,
            generate_summary,
        }
    }
    let wish = Wish::parse(value.get()).map_err(|_| Invalid::new("reasoning", "expected an object"))?;
    let summary = wish.summary.or(wish.generate_summary);
    let visible = summary.map(|summary| summary.word() != "none");
    let Some(effort) = wish.effort else {
        return Ok(visible.map(|visible| Reasoning { visible: Some(visible), ..Reasoning::default() }));
    };
    let known = Effort::of_name(effort.word()).ok_or_else(|| {
        Invalid::new("reasoning.effort", "expected one of none, minimal, low, medium, high, xhigh, max")
    })?;
    Ok(Some(Reasoning { visible, ..effort_wish(known) }))
}

fn output_format(value: Raw<'_>) -> Result<Option<OutputFormat<'_>>, Invalid> {
    object! {
        Format {
            kind = "type",
            name,
            description,
            schema,
            strict,
        }
    }
    let format = Format::parse(value.get()).map_err(|_| Invalid::new("text.format", "expected an object"))?;
    match word(format.kind) {
        "text" => Ok(None),
        "json_object" => Ok(Some(OutputFormat::JsonObject)),
        "json_schema" => {
            let schema = format.schema.ok_or_else(|| Invalid::new("text.format.schema", "a schema is required"))?;
            Ok(Some(OutputFormat::JsonSchema {
                name: format.name.and_then(Raw::text),
                description: format.description.and_then(Raw::text),
                schema: schema.json(),
                strict: Some(format.strict.is_some_and(|strict| strict.get() == "true")),
            }))
        }
        other => Err(Invalid::new("text.format.type", format!("unknown format `{other}`"))),
    }
}

pub fn string<'a>(param: &str, value: Raw<'a>) -> Result<Text<'a>, Invalid> {
    value.text().ok_or_else(|| Invalid::new(param, "expected a string"))
}

/// A field that must be there, `input[3].name`.
pub fn required<'a>(at: &str, field: &str, value: Option<Raw<'a>>) -> Result<Text<'a>, Invalid> {
    let param = format!("{at}.{field}");
    match value {
        Some(value) => string(&param, value),
        None => Err(Invalid::new(param, format!("`{field}` is required"))),
    }
}

fn boolean(param: &str, value: Raw<'_>) -> Result<bool, Invalid> {
    value.json().as_bool().ok_or_else(|| Invalid::new(param, "expected true or false"))
}

fn number<'a>(param: &str, value: Raw<'a>) -> Result<Json<'a>, Invalid> {
    let json = value.json();
    if json.as_f64().is_none() {
        return Err(Invalid::new(param, "expected a number"));
    }
    Ok(json)
}

fn count(param: &str, value: Raw<'_>) -> Result<u64, Invalid> {
    let json = value.json();
    json.as_count().filter(|_| json.as_text().is_none()).ok_or_else(|| Invalid::new(param, "expected a whole number"))
}
