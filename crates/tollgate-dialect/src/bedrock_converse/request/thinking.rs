//! How much the model shall think, in its maker's words.

use crate::anthropic_messages::request::turns::Turn;
use crate::anthropic_messages::request::{Form, choose, continues_without_thoughts, nearest, told};
use crate::error::ChangeKind;
use crate::json::Writer;
use crate::openai_chat::request::reasoning::difference;
use crate::quirks::Maker;
use crate::request::{Effort, Reasoning, ReasoningMode, Request};

use super::encode::Out;
use super::native::Native;

#[derive(Default)]
pub struct Thinking {
    /// Claude's.
    pub form: Option<Form>,
    /// Claude's has a field of Converse's own, others' are fields of theirs.
    pub effort: Option<Effort>,
    display: Option<&'static str>,
    /// Another maker's model is told not to think.
    off: bool,
}

impl Thinking {
    pub fn is_on(&self) -> bool {
        self.form.is_some_and(Form::is_on)
    }

    pub fn choose(out: &mut Out<'_>, request: &Request<'_>, turns: &[Turn<'_>]) -> Thinking {
        let Some(wish) = request.reasoning else { return Thinking::default() };
        let quirks = out.quirks();
        let refuses = |list: &[String], param: &str| list.iter().any(|name| name == param);
        match quirks.converse.maker {
            Maker::Anthropic if !refuses(&quirks.messages.refuses, "thinking") => of_claude(out, request, wish, turns),
            Maker::Amazon | Maker::Openai if refuses(&quirks.refuses, "reasoning_effort") => left_out(out, wish),
            Maker::Amazon if is_off(wish) => Thinking { off: true, ..Thinking::default() },
            Maker::Openai if is_off(wish) => {
                out.change(ChangeKind::Softened, "thinking");
                Thinking { effort: Some(Effort::Low), ..Thinking::default() }
            }
            Maker::Amazon | Maker::Openai => {
                let effort = match wish.mode {
                    ReasoningMode::Budget(tokens) => wish.effort.unwrap_or_else(|| Effort::of_budget(tokens)),
                    _ => wish.effort.unwrap_or(Effort::Medium),
                };
                let effort = nearest(effort, &quirks.efforts);
                if let Some((what, field)) = difference(wish, effort) {
                    out.change(what, field);
                }
                Thinking { effort, ..Thinking::default() }
            }
            Maker::Anthropic | Maker::Other => left_out(out, wish),
        }
    }

    /// All but Claude's effort.
    pub fn write(&self, out: &mut Out<'_>, native: &mut Native) {
        match out.quirks().converse.maker {
            Maker::Anthropic => {
                if let Some(form) = self.form {
                    let mut writer = Writer::default();
                    form.write(&mut writer, self.display);
                    native.add("thinking", String::from_utf8_lossy(&writer.out));
                }
            }
            Maker::Amazon if self.off => native.add("reasoningConfig", r#"{"type":"disabled"}"#),
            Maker::Amazon => {
                if let Some(effort) = self.effort {
                    let effort = effort.name();
                    native.add("reasoningConfig", format!(r#"{{"type":"enabled","maxReasoningEffort":"{effort}"}}"#));
                }
            }
            Maker::Openai => {
                if let Some(effort) = self.effort {
                    native.add("reasoning_effort", format!(r#""{}""#, effort.name()));
                }
            }
            Maker::Other => {}
        }
    }
}

fn left_out(out: &mut Out<'_>, wish: Reasoning) -> Thinking {
    if !is_off(wish) {
        out.change(ChangeKind::Dropped, "thinking");
    }
    Thinking::default()
}

fn is_off(wish: Reasoning) -> bool {
    matches!(wish.mode, ReasoningMode::Off | ReasoningMode::BetweenTools)
        || (wish.mode == ReasoningMode::Adaptive && wish.effort == Some(Effort::None))
}

fn of_claude(out: &mut Out<'_>, request: &Request<'_>, wish: Reasoning, turns: &[Turn<'_>]) -> Thinking {
    let quirks = out.quirks();
    // Without a limit the model's own holds, which leaves room for any budget.
    let limit = request.max_tokens.or(out.target.max_output_tokens).unwrap_or(u64::MAX);
    let control = choose(&wish, quirks, limit.min(out.target.max_output_tokens.unwrap_or(u64::MAX)));
    if let Some(change) = told(&wish, &control, &quirks.messages) {
        out.change(change.what, &change.field);
    }
    let mut form = control.form;
    let needs_thoughts = matches!(form, Some(Form::Enabled(_)))
        || (quirks.messages.loop_needs_thoughts && form.is_some_and(Form::is_on));
    if needs_thoughts && continues_without_thoughts(turns) {
        form = None;
        out.change(ChangeKind::Softened, "thinking");
    }
    let shown = !quirks.messages.refuses.iter().any(|name| name == "thinking.display");
    let display = wish.visible.filter(|_| shown).map(|visible| if visible { "summarized" } else { "omitted" });
    Thinking { form, effort: control.effort, display, off: false }
}
