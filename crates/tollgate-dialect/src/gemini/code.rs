//! Code that Google ran for its model, and what came of it: no other maker knows such parts, so they are text elsewhere.

use super::wire::{CodeExecutionResult, ExecutableCode, Part, parse, text_of, word};
use crate::json::Text;

/// The texts that a part becomes; most parts become none.
pub fn texts(part: &Part<'_>) -> Vec<Text<'static>> {
    let code = part.executable_code.and_then(|raw| parse(raw.get(), ExecutableCode::read).ok());
    let code = code.map(|code| fenced(&word(code.language).to_ascii_lowercase(), text_of(code.code)));
    let result = part.code_execution_result.and_then(|raw| parse(raw.get(), CodeExecutionResult::read).ok());
    let result = result.map(|result| fenced("", text_of(result.output)));
    code.into_iter().chain(result).collect()
}

fn fenced(language: &str, text: Option<Text<'_>>) -> Text<'static> {
    let mut fenced = Text::plain(&format!("\n```{language}\n"));
    fenced.push(&text.unwrap_or_default());
    fenced.push(&Text::literal("\\n```\\n"));
    fenced
}
