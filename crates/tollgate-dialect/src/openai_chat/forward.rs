//! The same-dialect lane: a chat client's bytes to a chat upstream, with named edits.
//!
//! Messages are passed on as they are. Two deviations need edits inside them: servers that take text only as a string, and
//! servers that insist on thoughts which the client has not kept.

pub(crate) mod edits;
mod messages;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Change, ChangeKind, Invalid, Unsupported};
use crate::frame::sse::Frame;
use crate::json::{Json, Text};
use crate::quirks::{Quirks, ReasoningControl, ResponseFormat, StreamUsage, TokenField, ToolChoiceForms, may_go};
use crate::request::Effort;
use crate::{Encoded, ForwardError, Forwarded, Target};

use super::request::{self, Members, WireThinking, params, reasoning};
use edits::{Edits, Member};

pub fn request(body: &[u8], target: &Target<'_>) -> Result<Encoded, ForwardError> {
    let text = std::str::from_utf8(body).map_err(|_| Invalid::new("", "The request body is not UTF-8"))?;
    let members: Members<'_> = serde_json::from_str(text).map_err(Invalid::from)?;
    let members = edits::members(text, members);
    if needs_rewriting(&members, target.quirks) {
        return Ok(request::encode(&request::decode(body)?, target)?);
    }
    let mut lane = Lane { target, edits: Edits::new(text), changes: Vec::new(), members: &members };
    lane.model();
    lane.max_tokens()?;
    lane.stream();
    lane.reasoning();
    lane.sampling()?;
    lane.tools()?;
    lane.renamed();
    lane.refused()?;
    if let Some(value) = lane.value("messages") {
        messages::edit(value, target.quirks, &mut lane.edits);
    }
    let Lane { edits, changes, .. } = lane;
    Ok(Encoded { body: edits.apply(), changes })
}

/// A wished form of answer that the target lacks has to be said in the system prompt.
fn needs_rewriting(members: &[Member<'_>], quirks: &Quirks) -> bool {
    #[derive(Deserialize)]
    struct Format<'a> {
        #[serde(borrow, rename = "type")]
        kind: Option<Text<'a>>,
    }
    let Some(format) = members.iter().find(|m| m.name == "response_format") else { return false };
    let Ok(format) = serde_json::from_str::<Format<'_>>(format.value.get()) else { return false };
    match format.kind.as_ref().map(Text::escaped) {
        Some("json_schema") => quirks.response_format != ResponseFormat::JsonSchema,
        Some("json_object") => quirks.response_format == ResponseFormat::None,
        _ => false,
    }
}

struct Lane<'l, 't, 'b> {
    target: &'t Target<'t>,
    edits: Edits<'b>,
    changes: Vec<Change>,
    members: &'l [Member<'b>],
}

impl<'b> Lane<'_, '_, 'b> {
    fn find(&self, name: &str) -> Option<&Member<'b>> {
        self.members.iter().rfind(|m| m.name == name)
    }

    /// A value that is not null.
    fn value(&self, name: &str) -> Option<&'b RawValue> {
        self.find(name).map(|m| m.value).filter(|v| v.get() != "null")
    }

    fn change(&mut self, what: ChangeKind, field: &str) {
        let change = Change::new(what, field);
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    fn remove(&mut self, name: &str) {
        for member in self.members.iter().filter(|m| m.name == name) {
            self.edits.remove(member);
        }
    }

    fn replace(&mut self, name: &str, value: &str) {
        match self.find(name).map(|m| m.value) {
            Some(old) => self.edits.replace(old.get(), value),
            None => self.edits.insert(name, value),
        }
    }

    /// Takes out a parameter that the target does not take, or refuses the request.
    fn drop_param(&mut self, name: &str) -> Result<(), Unsupported> {
        if let Some(value) = self.value(name) {
            if !self.target.drop_params && !may_go(name, value.get()) {
                return Err(Unsupported::param(name, self.target.label));
            }
            self.change(ChangeKind::Dropped, name);
        }
        self.remove(name);
        Ok(())
    }

    fn model(&mut self) {
        let model = Text::plain(self.target.model);
        let model = format!("\"{}\"", model.escaped());
        let given: Vec<&RawValue> = self.members.iter().filter(|m| m.name == "model").map(|m| m.value).collect();
        if given.is_empty() {
            self.edits.insert("model", &model);
        }
        // Every one: servers differ in which of two they read.
        given.iter().for_each(|old| self.edits.replace(old.get(), &model));
    }

    fn max_tokens(&mut self) -> Result<(), ForwardError> {
        let field = self.target.quirks.token_field;
        let (own, other) = (field.name(), field.other().name());
        // The newer name wins where a client sends both, whichever the target wants.
        let newer = TokenField::MaxCompletionTokens.name();
        let given = if self.value(newer).is_some() { newer } else { TokenField::MaxTokens.name() };
        let Some(value) = self.value(given) else {
            self.remove(other);
            return Ok(());
        };
        let json: Json<'_> = request::parse(given, value, "expected a whole number")?;
        let asked = json.as_count().ok_or_else(|| Invalid::new(given, "expected a whole number"))?;
        let fitting = params::fitting_tokens(asked, self.target);
        if asked != fitting {
            self.change(ChangeKind::Clamped, given);
        }
        if given == own {
            if asked != fitting {
                self.edits.replace(value.get(), &fitting.to_string());
            }
            self.remove(other);
            return Ok(());
        }
        self.change(ChangeKind::Renamed, given);
        self.remove(own);
        self.remove(given);
        self.edits.insert(own, &fitting.to_string());
        Ok(())
    }

    fn stream(&mut self) {
        let asked = self.value("stream").is_some_and(|v| v.get() == "true");
        let stream = self.target.stream;
        if asked != stream {
            self.replace("stream", if stream { "true" } else { "false" });
        }
        let options = self.value("stream_options");
        if !stream || self.target.quirks.stream_usage == StreamUsage::Silent {
            self.remove("stream_options");
            return;
        }
        let options = options.map(|v| serde_json::from_str(v.get()).unwrap_or_default());
        let mut options: serde_json::Map<String, serde_json::Value> = options.unwrap_or_default();
        if options.get("include_usage") != Some(&true.into()) {
            options.insert("include_usage".into(), true.into());
            self.replace("stream_options", &serde_json::Value::Object(options).to_string());
        }
    }

    /// The two fields that clients know are kept where the target knows them as well, else said in its own words.
    fn reasoning(&mut self) {
        let (effort, thinking) = (self.value("reasoning_effort"), self.value("thinking"));
        if effort.is_none() && thinking.is_none() {
            return;
        }
        let quirks = self.target.quirks;
        let level = effort.and_then(|v| Effort::of_name(&Text::of_token(v.get())?.decode()));
        let thinking = thinking.map(|v| serde_json::from_str::<WireThinking<'_>>(v.get()).unwrap_or_default());
        let effort_fits = effort.is_none() || level.is_some_and(|e| quirks.efforts.contains(&e));
        let switch = thinking.as_ref().is_none_or(|t| t.is_switch());
        let native = match quirks.reasoning {
            ReasoningControl::Effort => thinking.is_none() && effort_fits,
            ReasoningControl::Thinking => effort.is_none() && switch,
            ReasoningControl::ThinkingEffort => effort_fits && switch,
            _ => false,
        };
        if native {
            return;
        }
        let wish = thinking.and_then(|t| t.wish(level)).or_else(|| level.map(request::effort_wish));
        self.remove("reasoning_effort");
        self.remove("thinking");
        let fields = reasoning::fields(quirks, wish, None);
        if fields.is_empty() {
            self.change(ChangeKind::Dropped, if effort.is_some() { "reasoning_effort" } else { "thinking" });
        }
        for (name, value) in fields.iter().filter(|(name, _)| !quirks.refuses.iter().any(|r| r == name)) {
            if self.find(name).is_none() || matches!(*name, "reasoning_effort" | "thinking") {
                self.edits.insert(name, value);
            }
        }
    }

    fn sampling(&mut self) -> Result<(), ForwardError> {
        let quirks = self.target.quirks;
        if let Some(value) = self.value("temperature") {
            let json: Json<'_> = request::parse("temperature", value, "expected a number")?;
            if let Some(most) = params::clamped_temperature(&json, quirks) {
                self.change(ChangeKind::Clamped, "temperature");
                self.edits.replace(value.get(), &most);
            }
            if quirks.temperature_or_top_p && self.value("top_p").is_some() {
                self.change(ChangeKind::Dropped, "top_p");
                self.remove("top_p");
            }
        }
        if quirks.thinking_refuses_sampling && !self.thinking_is_off() {
            for name in params::SAMPLING {
                match self.value(name).map(RawValue::get) {
                    Some("1" | "1.0") => {
                        self.change(ChangeKind::Dropped, name);
                        self.remove(name);
                    }
                    _ => self.drop_param(name)?,
                }
            }
        }
        Ok(())
    }

    fn thinking_is_off(&self) -> bool {
        let says = |name: &str, value: &str| self.value(name).is_some_and(|v| v.get() == value);
        let switch =
            self.value("thinking").map(|v| serde_json::from_str::<WireThinking<'_>>(v.get()).unwrap_or_default());
        says("reasoning_effort", "\"none\"")
            || says("enable_thinking", "false")
            || switch.is_some_and(|t| t.kind.is_some_and(|k| k.escaped() == "disabled"))
    }

    fn tools(&mut self) -> Result<(), Unsupported> {
        let quirks = self.target.quirks;
        if !quirks.tools {
            self.drop_param("tools")?;
            self.remove("tool_choice");
            self.remove("parallel_tool_calls");
            return Ok(());
        }
        if !quirks.parallel_tool_calls {
            if self.value("parallel_tool_calls").is_some_and(|v| v.get() == "false") {
                self.change(ChangeKind::Dropped, "parallel_tool_calls");
            }
            self.remove("parallel_tool_calls");
        }
        let Some(choice) = self.value("tool_choice").map(RawValue::get) else { return Ok(()) };
        let forced = !matches!(choice, "\"auto\"" | "\"none\"");
        let while_thinking = !quirks.forced_tool_while_thinking && !self.thinking_is_off();
        match quirks.tool_choice {
            form if forced && (while_thinking || form == ToolChoiceForms::AutoNone) => {
                self.change(ChangeKind::Softened, "tool_choice");
                self.replace("tool_choice", "\"auto\"");
            }
            ToolChoiceForms::Words if choice.starts_with('{') => {
                self.change(ChangeKind::Softened, "tool_choice");
                self.replace("tool_choice", "\"required\"");
            }
            ToolChoiceForms::Any if choice == "\"required\"" => self.replace("tool_choice", "\"any\""),
            _ => {}
        }
        Ok(())
    }

    /// Parameters that have another name at the target.
    fn renamed(&mut self) {
        let quirks = self.target.quirks;
        let names = [("seed", quirks.seed_field.as_deref().or(Some("seed"))), ("user", quirks.user_field.as_deref())];
        for (name, theirs) in names {
            let Some(value) = self.value(name) else { continue };
            if theirs == Some(name) {
                continue;
            }
            self.remove(name);
            if let Some(theirs) = theirs
                && self.find(theirs).is_none()
            {
                self.edits.insert(theirs, value.get());
            }
        }
    }

    fn refused(&mut self) -> Result<(), Unsupported> {
        let quirks = self.target.quirks;
        for name in &quirks.refuses {
            match name.as_str() {
                // We ask for it, not the client.
                "stream_options" => {
                    self.remove(name);
                    self.edits.withdraw(name);
                }
                name => {
                    self.drop_param(name)?;
                    self.edits.withdraw(name);
                }
            }
        }
        Ok(())
    }
}

/// Drops the usage chunk that only we asked for. Everything else goes on as it came.
pub fn frame(frame: &Frame<'_>, stream_usage: bool) -> Forwarded {
    #[derive(Deserialize)]
    struct Extra<'a> {
        #[serde(borrow)]
        choices: Option<Vec<&'a RawValue>>,
        #[serde(borrow)]
        usage: Option<&'a RawValue>,
        #[serde(borrow)]
        error: Option<&'a RawValue>,
    }
    if stream_usage || memmem::find(frame.data, b"\"usage\"").is_none() {
        return Forwarded::AsIs;
    }
    match serde_json::from_slice::<Extra<'_>>(frame.data) {
        Ok(Extra { choices: Some(choices), usage: Some(_), error: None }) if choices.is_empty() => Forwarded::Drop,
        _ => Forwarded::AsIs,
    }
}

/// A whole answer needs no edit.
pub fn response(_body: &[u8]) -> Option<Vec<u8>> {
    None
}

#[cfg(test)]
mod tests;
