//! How much a model shall think, said in the forms that it takes.

use crate::error::{Change, ChangeKind};
use crate::json::Writer;
use crate::quirks::{MessagesQuirks, Quirks, ThinkingType};
use crate::request::{Effort, Reasoning, ReasoningMode};

/// What Claude Code asks for where only a budget is understood.
const FULL_BUDGET: u64 = 31_999;
/// Anthropic refuses less.
const LEAST_BUDGET: u64 = 1024;

/// A value of `thinking`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Adaptive,
    Enabled(u64),
    Disabled,
    BetweenTools,
}

impl Form {
    pub fn is_on(self) -> bool {
        matches!(self, Form::Adaptive | Form::Enabled(_))
    }

    pub fn write(self, w: &mut Writer, display: Option<&str>) {
        w.open_object().key("type");
        match self {
            Form::Adaptive => w.raw(r#""adaptive""#),
            Form::Enabled(budget) => w.raw(r#""enabled""#).key("budget_tokens").number(budget),
            Form::Disabled => w.raw(r#""disabled""#),
            Form::BetweenTools => w.raw(r#""between_tools""#),
        };
        if let Some(display) = display.filter(|_| self.is_on()) {
            w.key("display").str(display);
        }
        w.close_object();
    }
}

/// `thinking` and `output_config.effort`; `None` leaves the field out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    pub form: Option<Form>,
    pub effort: Option<Effort>,
}

/// The nearest that the target has to what was asked for.
pub fn choose(reasoning: &Reasoning, quirks: &Quirks, max_tokens: u64) -> Control {
    let rules = &quirks.messages;
    let takes = |form: ThinkingType| rules.thinking.contains(&form);
    let mode = if reasoning.effort == Some(Effort::None) { ReasoningMode::Off } else { reasoning.mode };
    let efforts = if rules.efforts.is_empty() { &quirks.efforts } else { &rules.efforts };
    let effort = |effort: Option<Effort>| effort.filter(|_| rules.effort).and_then(|e| nearest(e, efforts));
    match mode {
        ReasoningMode::Off => {
            off(rules, [(ThinkingType::Disabled, Form::Disabled), (ThinkingType::BetweenTools, Form::BetweenTools)])
        }
        ReasoningMode::BetweenTools => {
            off(rules, [(ThinkingType::BetweenTools, Form::BetweenTools), (ThinkingType::Disabled, Form::Disabled)])
        }
        ReasoningMode::Adaptive if takes(ThinkingType::Adaptive) => {
            Control { form: Some(Form::Adaptive), effort: effort(reasoning.effort) }
        }
        ReasoningMode::Adaptive if takes(ThinkingType::Enabled) => Control {
            form: budget_for(wanted(reasoning.effort), max_tokens).map(Form::Enabled),
            effort: effort(reasoning.effort),
        },
        ReasoningMode::Budget(budget) if takes(ThinkingType::Enabled) => {
            Control { form: budget_for(budget, max_tokens).map(Form::Enabled), effort: effort(reasoning.effort) }
        }
        ReasoningMode::Budget(budget) if takes(ThinkingType::Adaptive) => {
            Control { form: Some(Form::Adaptive), effort: effort(reasoning.effort.or(Some(Effort::of_budget(budget)))) }
        }
        ReasoningMode::Adaptive | ReasoningMode::Budget(_) => Control { form: None, effort: effort(reasoning.effort) },
    }
}

/// What the target does not get of a wish.
pub fn told(asked: &Reasoning, control: &Control, rules: &MessagesQuirks) -> Option<Change> {
    let off = asked.mode == ReasoningMode::Off || asked.effort == Some(Effort::None);
    let thinks = rules.effort || !rules.thinking.is_empty();
    match (control.form, asked.effort, control.effort) {
        _ if asked.mode == ReasoningMode::BetweenTools => None,
        (form, ..) if off => {
            let is_off = matches!(form, Some(Form::Disabled | Form::BetweenTools));
            (thinks && !is_off).then(|| Change::new(ChangeKind::Softened, "thinking"))
        }
        (None, _, None) => Some(Change::dropped("thinking")),
        (_, Some(asked), Some(given)) if asked != given => Some(Change::new(ChangeKind::Clamped, "effort")),
        (Some(Form::Adaptive), Some(_), None) => Some(Change::dropped("effort")),
        _ => None,
    }
}

/// The first form that switches thinking off, else the lowest effort, else nothing.
fn off(rules: &MessagesQuirks, forms: [(ThinkingType, Form); 2]) -> Control {
    match forms.into_iter().find(|(kind, _)| rules.thinking.contains(kind)) {
        Some((_, form)) => Control { form: Some(form), effort: None },
        None => Control { form: None, effort: rules.effort.then_some(Effort::Low) },
    }
}

/// Thresholds are those of [`Effort::of_budget`], so that a budget that became an effort becomes the same budget again.
fn wanted(effort: Option<Effort>) -> u64 {
    match effort {
        Some(Effort::Minimal) => LEAST_BUDGET,
        Some(Effort::Low) => 2048,
        Some(Effort::Medium) => 8192,
        Some(Effort::High) => 24_576,
        _ => FULL_BUDGET,
    }
}

/// A budget must be at least 1,024 and below `max_tokens`; `None` where that leaves no room.
pub fn budget_for(wanted: u64, max_tokens: u64) -> Option<u64> {
    let most = FULL_BUDGET.max(wanted).min(max_tokens.saturating_sub(1));
    (most >= LEAST_BUDGET).then(|| wanted.clamp(LEAST_BUDGET, most))
}

/// Anthropic's efforts begin with `low`.
pub fn nearest(effort: Effort, known: &[Effort]) -> Option<Effort> {
    let distance = |other: Effort| (other as i8 - effort as i8).unsigned_abs();
    known.iter().copied().filter(|&e| e >= Effort::Low).min_by_key(|&e| distance(e))
}
