//! `inferenceConfig` and `outputConfig`.

use crate::Target;
use crate::anthropic_messages::request::output_schema;
use crate::error::{ChangeKind, Unsupported};
use crate::json::{Json, Text};
use crate::quirks::{Maker, ResponseFormat};
use crate::request::{OutputFormat, Request};
use crate::schema;

use super::encode::Out;
use super::native::Native;
use super::thinking::Thinking;

pub fn write(
    out: &mut Out<'_>,
    request: &Request<'_>,
    thinking: &Thinking,
    native: &mut Native,
) -> Result<(), Unsupported> {
    let start = out.writer.out.len();
    out.writer.key("inferenceConfig").open_object();
    max_tokens(out, request.max_tokens)?;
    sampling(out, request, thinking, native)?;
    stop(out, request);
    if out.writer.out.ends_with(b"{") {
        out.writer.out.truncate(start);
    } else {
        out.writer.close_object();
    }
    Ok(())
}

fn max_tokens(out: &mut Out<'_>, asked: Option<u64>) -> Result<(), Unsupported> {
    let Some(asked) = asked else { return Ok(()) };
    if asked == 0 {
        return Err(Unsupported::content(
            "max_tokens",
            format!("0 (warming a prompt cache without an answer) is not supported by {}", out.target.label),
        ));
    }
    let least = out.quirks().min_output_tokens.unwrap_or(0);
    let fitting = asked.max(least).min(out.target.max_output_tokens.unwrap_or(u64::MAX));
    if fitting != asked {
        out.change(ChangeKind::Clamped, "max_tokens");
    }
    out.writer.key("maxTokens").number(fitting);
    Ok(())
}

/// Temperatures end at 1 here, whoever made the model.
fn sampling(
    out: &mut Out<'_>,
    request: &Request<'_>,
    thinking: &Thinking,
    native: &mut Native,
) -> Result<(), Unsupported> {
    let quirks = out.quirks();
    let claude = quirks.converse.maker == Maker::Anthropic;
    let given = |value: &Option<Json<'_>>| value.as_ref().filter(|v| !v.is_null()).map(|v| v.get().to_string());
    // While it thinks, Claude refuses all of them; older ones refuse temperature and top_p together.
    let none = claude && (!quirks.messages.sampling || thinking.is_on());
    let temperature = given(&request.temperature);
    let one_only = temperature.is_some() && (claude || quirks.temperature_or_top_p);
    for (name, value, wanted) in [
        ("temperature", temperature, true),
        ("top_p", given(&request.top_p), !one_only),
        ("top_k", given(&request.top_k), true),
    ] {
        let Some(value) = value else { continue };
        if none || !wanted {
            out.change(ChangeKind::Dropped, name);
        } else if out.takes(name, &value)? {
            sampled(out, name, value, native);
        }
    }
    Ok(())
}

fn sampled(out: &mut Out<'_>, name: &str, value: String, native: &mut Native) {
    match (name, out.quirks().converse.maker) {
        ("temperature", _) if value.parse::<f64>().is_ok_and(|t| t > 1.0) => {
            out.change(ChangeKind::Clamped, name);
            out.writer.key("temperature").raw("1");
        }
        ("temperature", _) => _ = out.writer.key("temperature").raw(&value),
        ("top_p", _) => _ = out.writer.key("topP").raw(&value),
        (_, Maker::Anthropic) => native.add("top_k", value),
        (_, Maker::Amazon) => native.add("inferenceConfig", format!(r#"{{"topK":{value}}}"#)),
        _ => out.change(ChangeKind::Dropped, name),
    }
}

/// What does not fit is enforced on our side, so nothing is lost and nothing reported. White space alone is refused.
fn stop(out: &mut Out<'_>, request: &Request<'_>) {
    let sent = request.stop.len() - excess_stops(&request.stop, out.target).len();
    let usable: Vec<&Text<'_>> = request.stop[..sent].iter().filter(|stop| !stop.is_blank()).collect();
    if usable.len() < sent {
        out.change(ChangeKind::Dropped, "stop");
    }
    if !usable.is_empty() {
        out.writer.key("stopSequences").open_array();
        usable.into_iter().for_each(|stop| _ = out.writer.text(stop));
        out.writer.close_array();
    }
}

/// The stop sequences that the target does not take and that must be looked for in its answer.
pub fn excess_stops<'r, 'a>(stop: &'r [Text<'a>], target: &Target<'_>) -> &'r [Text<'a>] {
    let refused = target.quirks.refuses.iter().any(|name| name == "stop");
    let most = if refused { 0 } else { target.quirks.max_stop.unwrap_or(usize::MAX) };
    stop.get(most..).unwrap_or(&[])
}

/// Writes `outputConfig`. Where the target has no formats, gives what to tell the model instead.
pub fn output(out: &mut Out<'_>, request: &Request<'_>, thinking: &Thinking) -> Option<Text<'static>> {
    let quirks = out.quirks();
    let claude = quirks.converse.maker == Maker::Anthropic;
    let effort = thinking.effort.filter(|_| claude && !quirks.refuses.iter().any(|name| name == "output_config"));
    let format = match &request.output_format {
        Some(OutputFormat::JsonSchema { name, description, schema, .. })
            if quirks.response_format == ResponseFormat::JsonSchema =>
        {
            Some((name, description, schema))
        }
        _ => None,
    };
    if effort.is_some() || format.is_some() {
        out.writer.key("outputConfig").open_object();
        if let Some((name, description, wanted)) = format {
            let schema = if claude {
                output_schema(wanted)
            } else {
                schema::clean_answer(wanted, quirks.schema, &quirks.schema_drops).get().to_string()
            };
            if !schema::keeps(wanted, &schema) {
                out.change(ChangeKind::Rewritten, "response_format");
            }
            let writer = out.writer.key("textFormat").open_object().key("type").str("json_schema");
            writer.key("structure").open_object().key("jsonSchema").open_object().key("schema").str(&schema);
            for (key, value) in [("name", name), ("description", description)] {
                if let Some(value) = value.as_ref().filter(|value| !value.is_blank()) {
                    writer.key(key).text(value);
                }
            }
            writer.close_object().close_object().close_object();
        }
        if let Some(effort) = effort {
            out.writer.key("effort").str(effort.name());
        }
        out.writer.close_object();
    }
    let words = match request.output_format.as_ref().filter(|_| format.is_none())? {
        OutputFormat::JsonObject => "Answer with one JSON object and nothing else.".to_string(),
        OutputFormat::JsonSchema { schema, .. } => {
            let schema = schema.get();
            format!("Answer with one JSON value that follows this JSON Schema and with nothing else:\n{schema}")
        }
    };
    out.change(ChangeKind::Textualised, "response_format");
    Some(Text::plain(&words))
}
