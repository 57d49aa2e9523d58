//! The same-dialect lane: the client's own bytes, with edits at named places. Key order, white space, fields that nobody here
//! knows and with them prompt caches and signatures survive.

mod answer;
pub(crate) mod edit;
mod marks;
mod turns;

pub use answer::{frame, response};

use crate::error::{Change, ChangeKind, Invalid};
use crate::json::{Json, Text, Writer};
use crate::quirks::ThinkingType;
use crate::request::{Effort, Reasoning, ReasoningMode};
use crate::{Encoded, ForwardError, Target, schema};

use super::request::{Form, budget_for, choose, fitting_tokens, nearest};
use super::wire::{ATTRIBUTION, Content, Members, Raw, WireBlock, count_of, parse, text_of, word};
use crate::scan::items;
use edit::Edits;

pub fn request(body: &[u8], target: &Target<'_>) -> Result<Encoded, ForwardError> {
    let body = std::str::from_utf8(body).map_err(|_| Invalid::new("", "The request body is not valid UTF-8"))?;
    let members = parse(body, Members::read).map_err(Invalid::from)?;
    let mut lane =
        Lane { edits: Edits::new(body), drop: vec![false; members.0.len()], members, target, changes: Vec::new() };
    lane.model(body);
    lane.stream(body);
    let (max_tokens, clamped) = lane.max_tokens();
    let seen = match lane.members.get("messages") {
        Some(messages) if needs_turns(body, target) => {
            turns::edit(messages, target, &mut lane.edits, &mut lane.changes)
        }
        _ => turns::Seen::default(),
    };
    let thinks = lane.thinking(max_tokens, clamped, seen);
    lane.tool_choice(thinks);
    lane.sampling();
    lane.refused();
    lane.output_config();
    lane.attribution();
    lane.tools();
    if target.quirks.messages.refuses.iter().any(|key| key.starts_with("cache_control")) {
        marks::edit(&lane.members, target, &mut lane.edits, &mut lane.changes);
    }
    lane.edits.drop_members(&lane.members, &lane.drop);
    Ok(Encoded { body: lane.edits.apply(), changes: lane.changes })
}

/// Reading the conversation costs more than all else here, so it is read only where something in it may have to change.
fn needs_turns(body: &str, target: &Target<'_>) -> bool {
    let rules = &target.quirks.messages;
    rules.genuine
        || !rules.mid_system
        || !rules.media_in_tool_result
        || !rules.effort
        || !rules.prefill
        || !rules.empty_text
        || !rules.earlier_thoughts
        || rules.loop_needs_thoughts
        || target.quirks.tool_ids != crate::quirks::IdForm::Any
        || rules.refuses.iter().any(|key| key == "output_config")
        || memchr::memmem::find(body.as_bytes(), b"\"tg1.").is_some()
}

struct Lane<'b, 't> {
    members: Members<'b>,
    /// The top-level members that go.
    drop: Vec<bool>,
    edits: Edits<'b>,
    target: &'t Target<'t>,
    changes: Vec<Change>,
}

impl<'b> Lane<'b, '_> {
    fn drop(&mut self, name: &str) -> bool {
        let mut found = false;
        for (i, (key, _)) in self.members.0.iter().enumerate() {
            if key.escaped() == name {
                self.drop[i] = true;
                found = true;
            }
        }
        found
    }

    fn drop_and_tell(&mut self, name: &str) {
        if self.drop(name) {
            self.note(Change::dropped(name));
        }
    }

    fn note(&mut self, change: Change) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    fn model(&mut self, body: &str) {
        let token = format!("\"{}\"", Text::plain(self.target.model).escaped());
        let models: Vec<Raw<'b>> =
            self.members.0.iter().filter(|(key, _)| key.escaped() == "model").map(|(_, value)| *value).collect();
        if models.is_empty() {
            self.edits.add_member(body.trim(), &format!("\"model\":{token}"));
        }
        for model in models {
            if model.get() != token {
                self.edits.replace(model.get(), token.clone());
            }
        }
    }

    fn stream(&mut self, body: &str) {
        let wanted = if self.target.stream { "true" } else { "false" };
        match self.members.get("stream") {
            Some(stream) if stream.get() != wanted => self.edits.replace(stream.get(), wanted),
            None if self.target.stream => self.edits.add_member(body.trim(), r#""stream":true"#),
            _ => {}
        }
    }

    /// What goes up, and whether that is less than the client asked for.
    fn max_tokens(&mut self) -> (Option<u64>, bool) {
        let raw = self.members.get("max_tokens");
        let wanted = count_of(raw);
        let fitting = wanted.map(|wanted| fitting_tokens(wanted, self.target));
        match (raw, fitting.filter(|_| fitting != wanted)) {
            (Some(raw), Some(fitting)) => {
                self.edits.replace(raw.get(), fitting.to_string());
                self.note(Change::new(ChangeKind::Clamped, "max_tokens"));
                (Some(fitting), true)
            }
            _ => (wanted, false),
        }
    }

    /// Brings `thinking` into a form that the model takes.
    fn thinking(&mut self, max_tokens: Option<u64>, clamped: bool, seen: turns::Seen) -> Thinks {
        let rules = &self.target.quirks.messages;
        if rules.refuses.iter().any(|key| key == "thinking") {
            return Thinks::No;
        }
        let Some(raw) = self.members.get("thinking") else { return Thinks::No };
        let Some(fields) = Members::parse(raw.get()) else { return Thinks::No };
        let budget = count_of(fields.get("budget_tokens"));
        let room = max_tokens.unwrap_or(u64::MAX);
        let (form, mode) = match word(fields.get("type")) {
            "adaptive" => (ThinkingType::Adaptive, ReasoningMode::Adaptive),
            "enabled" => (ThinkingType::Enabled, ReasoningMode::Budget(budget.unwrap_or(u64::MAX))),
            "disabled" => (ThinkingType::Disabled, ReasoningMode::Off),
            "between_tools" => (ThinkingType::BetweenTools, ReasoningMode::BetweenTools),
            // A form that came after this was written.
            _ => return Thinks::No,
        };
        let mut wanted = if rules.thinking.contains(&form) {
            match (budget, form) {
                (Some(budget), ThinkingType::Enabled) if clamped && budget >= room => match budget_for(budget, room) {
                    Some(fitting) => Wanted::Form(Form::Enabled(fitting)),
                    None => Wanted::Nothing,
                },
                _ => Wanted::AsItIs,
            }
        } else {
            let reasoning = Reasoning { mode, effort: self.effort(), visible: None };
            choose(&reasoning, self.target.quirks, room).form.map_or(Wanted::Nothing, Wanted::Form)
        };
        let thinks = match wanted {
            Wanted::AsItIs => Thinks::as_asked(form),
            Wanted::Form(Form::Enabled(_)) => Thinks::OnBudget,
            Wanted::Form(form) if form.is_on() => Thinks::Freely,
            Wanted::Form(_) | Wanted::Nothing => Thinks::No,
        };
        // A budget needs thoughts at the head of the tool loop under way; without them thinking pauses for this loop.
        let needs_thoughts = match thinks {
            Thinks::OnBudget => rules.genuine || rules.loop_needs_thoughts,
            Thinks::Freely => rules.loop_needs_thoughts,
            Thinks::No => false,
        };
        if needs_thoughts && seen.loop_without_thoughts {
            wanted = Wanted::Nothing;
        }
        let shows = !rules.refuses.iter().any(|key| key == "thinking.display");
        match wanted {
            Wanted::AsItIs => {
                let drop: Vec<bool> = fields.0.iter().map(|(key, _)| !shows && key.escaped() == "display").collect();
                if drop.contains(&true) {
                    self.note(Change::dropped("thinking.display"));
                    self.edits.drop_members(&fields, &drop);
                }
                return thinks;
            }
            Wanted::Form(form) => {
                let display = Some(word(fields.get("display")));
                let display = display.filter(|d| rules.genuine && shows && matches!(*d, "summarized" | "omitted"));
                let mut w = Writer::default();
                form.write(&mut w, display);
                let value = String::from_utf8(w.out).expect("only whole strings were written");
                self.edits.replace(raw.get(), value);
                self.note(Change::new(ChangeKind::Rewritten, "thinking"));
                return thinks;
            }
            Wanted::Nothing => self.drop_and_tell("thinking"),
        }
        Thinks::No
    }

    fn effort(&self) -> Option<Effort> {
        let config = Members::parse(self.members.get("output_config")?.get())?;
        Effort::of_name(word(config.get("effort")))
    }

    fn tool_choice(&mut self, thinks: Thinks) {
        let Some(raw) = self.members.get("tool_choice") else { return };
        let Some(fields) = Members::parse(raw.get()) else { return };
        let forced = matches!(word(fields.get("type")), "any" | "tool");
        let quirks = self.target.quirks;
        let while_thinking = match thinks {
            Thinks::No => true,
            Thinks::Freely => quirks.forced_tool_while_thinking,
            Thinks::OnBudget => false,
        };
        if !forced || (quirks.messages.forced_tool && while_thinking) {
            return;
        }
        let parallel = fields.get("disable_parallel_tool_use");
        let parallel = parallel.map_or(String::new(), |p| format!(r#","disable_parallel_tool_use":{}"#, p.get()));
        self.edits.replace(raw.get(), format!(r#"{{"type":"auto"{parallel}}}"#));
        self.note(Change::new(ChangeKind::Softened, "tool_choice"));
    }

    /// Every newer Claude refuses all three, so that a client that sends them could use none: they go, whatever the policy.
    fn sampling(&mut self) {
        if !self.target.quirks.messages.sampling {
            for key in ["temperature", "top_p", "top_k"] {
                self.drop_and_tell(key);
            }
        } else if self.target.quirks.temperature_or_top_p && self.members.get("temperature").is_some() {
            self.drop_and_tell("top_p");
        }
    }

    fn refused(&mut self) {
        for key in &self.target.quirks.messages.refuses {
            self.drop_and_tell(key);
        }
    }

    /// `refuses` may also name a field of `output_config`.
    fn output_config(&mut self) {
        let rules = &self.target.quirks.messages;
        let Some(fields) = self.members.get("output_config").and_then(|c| Members::parse(c.get())) else { return };
        let refused = |name: &str| {
            (name == "effort" && !rules.effort)
                || rules.refuses.iter().any(|key| key.strip_prefix("output_config.") == Some(name))
        };
        let drop: Vec<bool> = fields.0.iter().map(|(key, _)| refused(key.escaped())).collect();
        for (key, _) in fields.0.iter().zip(&drop).filter(|(_, drop)| **drop).map(|(member, _)| member) {
            self.note(Change::dropped(format!("output_config.{}", key.escaped())));
        }
        if drop.iter().all(|&d| d) && !drop.is_empty() {
            self.drop("output_config");
            return;
        }
        self.edits.drop_members(&fields, &drop);
        if let (Some(raw), Some(asked)) = (fields.get("effort"), self.effort())
            && !(rules.efforts.is_empty() || rules.efforts.contains(&asked))
            && let Some(known) = nearest(asked, &rules.efforts)
        {
            self.edits.replace(raw.get(), format!("\"{}\"", known.name()));
            self.note(Change::new(ChangeKind::Rewritten, "output_config.effort"));
        }
    }

    fn attribution(&mut self) {
        let system = self.members.get("system").filter(|s| s.is_array() && !self.target.quirks.messages.genuine);
        let Some(Content::Blocks(blocks)) = system.and_then(|s| Content::parse(s.get())) else { return };
        let attributes = |b: &WireBlock<'_>| text_of(b.text).is_some_and(|t| t.escaped().starts_with(ATTRIBUTION));
        let drop: Vec<bool> = blocks.iter().map(attributes).collect();
        if drop.iter().all(|&d| d) && !drop.is_empty() {
            self.drop("system");
        } else {
            let wholes: Vec<Raw<'b>> = blocks.iter().map(|b| b.whole).collect();
            self.edits.drop_items(&wholes, &drop);
        }
    }

    fn tools(&mut self) {
        let quirks = self.target.quirks;
        let refused = &quirks.messages.refuses_in_tools;
        let cleans = quirks.messages.clean_schemas;
        if refused.is_empty() && !cleans {
            return;
        }
        let tools = self.members.get("tools").and_then(|t| items(t.get())).unwrap_or_default();
        for tool in tools.into_iter().filter_map(|tool| Members::parse(tool.get())) {
            // A tool of the provider's own is nothing without its type.
            let own = !matches!(word(tool.get("type")), "" | "custom");
            let goes = |key: &str| refused.iter().any(|r| r == key) && !(own && key == "type");
            let drop: Vec<bool> = tool.0.iter().map(|(key, _)| goes(key.escaped())).collect();
            for ((key, _), _) in tool.0.iter().zip(&drop).filter(|(_, drop)| **drop) {
                self.note(Change::dropped(format!("tools.{}", key.escaped())));
            }
            self.edits.drop_members(&tool, &drop);
            if let Some(raw) = tool.get("input_schema").filter(|_| cleans)
                && let Ok(schema) = Json::parse(raw.get())
            {
                let cleaned = schema::clean(&schema, quirks.schema, &quirks.schema_drops);
                if cleaned.get() != raw.get() {
                    self.edits.replace(raw.get(), cleaned.get().to_string());
                }
            }
        }
    }
}

/// What the model will do, by what goes up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Thinks {
    No,
    Freely,
    OnBudget,
}

impl Thinks {
    fn as_asked(form: ThinkingType) -> Thinks {
        match form {
            ThinkingType::Enabled => Thinks::OnBudget,
            ThinkingType::Adaptive => Thinks::Freely,
            ThinkingType::Disabled | ThinkingType::BetweenTools => Thinks::No,
        }
    }
}

enum Wanted {
    AsItIs,
    Form(Form),
    Nothing,
}

#[cfg(test)]
mod tests;
