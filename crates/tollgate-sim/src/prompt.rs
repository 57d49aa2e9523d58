//! Plausible token counts: four bytes are one token, and a prefix seen before is cached.

use std::sync::Mutex;

/// Tokens of a prompt. `cached` and `written` are parts of `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PromptTokens {
    pub total: u64,
    pub cached: u64,
    pub written: u64,
}

/// The prompts seen so far.
#[derive(Debug, Default)]
pub(crate) struct PromptCache(Mutex<Vec<String>>);

impl PromptCache {
    /// Counts a prompt and remembers it. Only its first `cacheable` bytes are kept and compared.
    pub fn count(&self, prompt: &str, cacheable: usize) -> PromptTokens {
        let mut seen = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let head = &prompt.as_bytes()[..cacheable.min(prompt.len())];
        let longest = seen.iter().map(|old| shared_prefix(old.as_bytes(), head)).max().unwrap_or(0);
        seen.push(String::from_utf8_lossy(head).into_owned());
        let tokens = |bytes: usize| bytes as u64 / 4;
        let cached = tokens(longest);
        PromptTokens { total: tokens(prompt.len()).max(1), cached, written: tokens(head.len()) - cached }
    }
}

fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests;
