//! How much the model shall think: `thinkingConfig`.

use super::encode::Out;
use crate::Target;
use crate::error::ChangeKind;
use crate::json::Writer;
use crate::openai_chat::request::reasoning::difference;
use crate::quirks::{GeminiThinking, Quirks};
use crate::request::{Effort, Reasoning, ReasoningMode};

/// Writes `thinkingConfig` into the open `generationConfig`. Without a wish the model does as it likes.
pub fn write(out: &mut Out<'_>, wish: Option<Reasoning>) {
    let Some(wish) = wish else { return };
    let refused = out.quirks().refuses.iter().any(|name| name == "thinkingConfig");
    if refused || out.quirks().gemini.thinking == GeminiThinking::None {
        if !is_off(wish) {
            out.change(ChangeKind::Dropped, "thinking");
        }
        return;
    }
    if let Some((what, field)) = told(wish, out.quirks()) {
        out.change(what, field);
    }
    let target = out.target;
    let value = of_target(wish, target);
    if value != "{}" {
        out.writer.key("thinkingConfig").raw(&value);
    }
}

/// What the model does not get of a wish. An effort becomes the budget that means as much.
fn told(wish: Reasoning, quirks: &Quirks) -> Option<(ChangeKind, &'static str)> {
    match (quirks.gemini.thinking, wish.mode) {
        (GeminiThinking::None, _) => None,
        (GeminiThinking::Level, ReasoningMode::BetweenTools) => None,
        (GeminiThinking::Level, _) if is_off(wish) => Some((ChangeKind::Softened, "thinking")),
        (GeminiThinking::Level, _) => difference(wish, wish.effort.and_then(|wanted| nearest(wanted, &quirks.efforts))),
        (GeminiThinking::Budget, _) if is_off(wish) => {
            quirks.thinking_always.then_some((ChangeKind::Softened, "thinking"))
        }
        (GeminiThinking::Budget, ReasoningMode::Budget(tokens)) => {
            (tokens > MOST).then_some((ChangeKind::Clamped, "thinking.budget_tokens"))
        }
        (GeminiThinking::Budget, _) => None,
    }
}

/// The value of `thinkingConfig`.
pub fn of_target(wish: Reasoning, target: &Target<'_>) -> String {
    let quirks = target.quirks;
    let mut json = Writer::default();
    let writer = &mut json;
    writer.open_object();
    match quirks.gemini.thinking {
        GeminiThinking::Level => level(writer, wish, quirks),
        GeminiThinking::Budget => budget(writer, wish, quirks),
        GeminiThinking::None => {}
    }
    if !is_off(wish) && wish.visible != Some(false) {
        writer.key("includeThoughts").bool(true);
    }
    writer.close_object();
    String::from_utf8_lossy(&json.out).into_owned()
}

pub fn is_off(wish: Reasoning) -> bool {
    matches!(wish.mode, ReasoningMode::Off | ReasoningMode::BetweenTools)
        || (wish.mode == ReasoningMode::Adaptive && wish.effort == Some(Effort::None))
}

/// These models cannot stop thinking: off is their lowest level.
fn level(writer: &mut Writer, wish: Reasoning, quirks: &Quirks) {
    let wanted = match wish.mode {
        _ if is_off(wish) => Some(Effort::None),
        ReasoningMode::Budget(tokens) => Some(wish.effort.unwrap_or_else(|| Effort::of_budget(tokens))),
        _ => wish.effort,
    };
    if let Some(level) = wanted.and_then(|wanted| nearest(wanted, &quirks.efforts)) {
        writer.key("thinkingLevel").str(&level.name().to_ascii_uppercase());
    }
}

/// The level closest to the wanted one; of two equally close the higher. None is off, which is no level.
fn nearest(wanted: Effort, known: &[Effort]) -> Option<Effort> {
    let rank = |effort: Effort| effort as i32;
    let levels = known.iter().copied().filter(|&effort| effort > Effort::None);
    levels.min_by_key(|&effort| ((rank(effort) - rank(wanted)).abs(), -rank(effort)))
}

fn budget(writer: &mut Writer, wish: Reasoning, quirks: &Quirks) {
    let tokens = match (wish.mode, wish.effort) {
        _ if is_off(wish) => {
            if !quirks.thinking_always {
                writer.key("thinkingBudget").number(0);
            }
            return;
        }
        (ReasoningMode::Budget(tokens), _) => tokens.min(MOST),
        // The thresholds of `Effort::of_budget`: what became an effort becomes the same budget again.
        (_, Some(Effort::Minimal)) => 512,
        (_, Some(Effort::Low)) => 2048,
        (_, Some(Effort::Medium)) => 8192,
        (_, Some(_)) => MOST,
        (_, None) => {
            writer.key("thinkingBudget").raw("-1");
            return;
        }
    };
    writer.key("thinkingBudget").number(tokens);
}

/// Gemini 2.5 Flash takes no more (ai.google.dev/gemini-api/docs/thinking, 2026-11).
const MOST: u64 = 24_576;
