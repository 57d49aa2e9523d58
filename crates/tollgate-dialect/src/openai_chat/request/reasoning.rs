//! How much the model shall think, in the target's own words.

use crate::error::ChangeKind;
use crate::json::Writer;
use crate::quirks::{Quirks, ReasoningControl};
use crate::request::{Effort, Reasoning, ReasoningMode};

use super::encode::Out;

pub fn write(out: &mut Out<'_>, asked: Option<Reasoning>, max_tokens: Option<u64>) {
    let quirks = out.quirks();
    let max_tokens = max_tokens.map(|n| n.min(out.target.max_output_tokens.unwrap_or(n)));
    let written = fields(quirks, asked, max_tokens);
    let refused = |name: &str| quirks.refuses.iter().any(|r| r == name);
    let mut dropped = quirks.reasoning == ReasoningControl::None && asked.is_some_and(|r| !is_off(r));
    for (name, value) in written {
        if refused(name) {
            dropped = true;
        } else {
            out.writer.key(name).raw(&value);
        }
    }
    let told = asked.and_then(|asked| told(quirks, asked));
    if dropped {
        out.change(ChangeKind::Dropped, "thinking");
    } else if let Some((what, field)) = told {
        out.change(what, field);
    }
}

/// What the target does not get of a wish, where it has some control.
fn told(quirks: &Quirks, asked: Reasoning) -> Option<(ChangeKind, &'static str)> {
    let on = !is_off(asked) && asked.mode != ReasoningMode::BetweenTools;
    let budget = matches!(asked.mode, ReasoningMode::Budget(_));
    match quirks.reasoning {
        ReasoningControl::None => None,
        ReasoningControl::ReasoningSplit if !on => Some((ChangeKind::Softened, "thinking")),
        _ if !on && quirks.thinking_always => Some((ChangeKind::Softened, "thinking")),
        ReasoningControl::Effort => {
            difference(asked, effort(asked).and_then(|wanted| nearest(wanted, &quirks.efforts)))
        }
        _ if !on => None,
        ReasoningControl::Reasoning if budget => None,
        ReasoningControl::Reasoning | ReasoningControl::ThinkingEffort => {
            difference(asked, effort(asked).and_then(|wanted| nearest(wanted, &quirks.efforts)))
        }
        ReasoningControl::EnableThinking if budget => None,
        _ if budget => Some((ChangeKind::Dropped, "thinking.budget_tokens")),
        _ => asked.effort.map(|_| (ChangeKind::Dropped, "effort")),
    }
}

/// Told where the model gets another effort than it was asked for. What was a budget becomes the effort that means as much.
pub fn difference(asked: Reasoning, given: Option<Effort>) -> Option<(ChangeKind, &'static str)> {
    match asked.effort {
        _ if is_off(asked) => given.filter(|given| *given != Effort::None).map(|_| (ChangeKind::Softened, "thinking")),
        Some(effort) if given != Some(effort) => Some((ChangeKind::Clamped, "effort")),
        _ => None,
    }
}

/// Thinking shall be as little as the model can.
pub fn is_off(asked: Reasoning) -> bool {
    asked.mode == ReasoningMode::Off || (asked.mode == ReasoningMode::Adaptive && asked.effort == Some(Effort::None))
}

/// The top-level fields, with their values as JSON.
pub fn fields(quirks: &Quirks, asked: Option<Reasoning>, max_tokens: Option<u64>) -> Vec<(&'static str, String)> {
    // Not a wish of the client: it decides in which form thoughts come back.
    if quirks.reasoning == ReasoningControl::ReasoningSplit {
        return vec![("reasoning_split", "true".into())];
    }
    let Some(asked) = asked else { return Vec::new() };
    let effort = effort(asked).and_then(|wanted| nearest(wanted, &quirks.efforts));
    let named = |effort: Effort| format!("\"{}\"", effort.name());
    let on = !is_off(asked) && asked.mode != ReasoningMode::BetweenTools;
    if !on && quirks.thinking_always {
        return Vec::new();
    }
    let switch = || format!(r#"{{"type":"{}"}}"#, if on { "enabled" } else { "disabled" });
    match quirks.reasoning {
        ReasoningControl::None | ReasoningControl::ReasoningSplit => Vec::new(),
        ReasoningControl::Effort => effort.map(|e| ("reasoning_effort", named(e))).into_iter().collect(),
        ReasoningControl::Thinking => vec![("thinking", switch())],
        ReasoningControl::ThinkingEffort => {
            let effort = effort.filter(|_| on).map(|e| ("reasoning_effort", named(e)));
            std::iter::once(("thinking", switch())).chain(effort).collect()
        }
        ReasoningControl::EnableThinking => {
            let budget = match asked.mode {
                ReasoningMode::Budget(tokens) => Some(("thinking_budget", tokens.to_string())),
                _ => None,
            };
            std::iter::once(("enable_thinking", on.to_string())).chain(budget).collect()
        }
        ReasoningControl::ChatTemplate => {
            vec![("chat_template_kwargs", format!(r#"{{"enable_thinking":{on}}}"#))]
        }
        ReasoningControl::Reasoning => {
            let mut writer = Writer::default();
            writer.open_object();
            match (asked.mode, effort) {
                _ if is_off(asked) => writer.key("enabled").bool(false),
                // A budget that would leave no room for the answer: the effort sets a share instead.
                (ReasoningMode::Budget(tokens), _) if max_tokens.is_none_or(|most| tokens < most) => {
                    writer.key("max_tokens").number(tokens)
                }
                (_, Some(effort)) => writer.key("effort").str(effort.name()),
                (_, None) => writer.key("enabled").bool(true),
            };
            writer.close_object();
            vec![("reasoning", String::from_utf8(writer.out).expect("written from strings"))]
        }
    }
}

pub fn effort(asked: Reasoning) -> Option<Effort> {
    match asked.mode {
        ReasoningMode::Off | ReasoningMode::BetweenTools => Some(Effort::None),
        ReasoningMode::Adaptive => asked.effort,
        ReasoningMode::Budget(tokens) => Some(asked.effort.unwrap_or_else(|| Effort::of_budget(tokens))),
    }
}

/// The level closest to the wanted one; of two equally close the higher.
pub fn nearest(wanted: Effort, known: &[Effort]) -> Option<Effort> {
    let rank = |effort: Effort| Effort::ALL.iter().position(|e| *e == effort).unwrap_or(0);
    known.iter().copied().min_by_key(|e| (rank(*e).abs_diff(rank(wanted)), usize::MAX - rank(*e)))
}
