//! "The prompt up to here is worth caching", as the target is told it.

use crate::json::Writer;
use crate::request::CacheMark;

/// The form of marks that the target knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    None,
    /// Anthropic's own, inside a content part.
    CacheControl,
    /// OpenAI's (platform.openai.com, prompt caching, 2026-11): kept longer than Anthropic keeps what it is asked to.
    Breakpoints,
}

impl Marks {
    pub fn are_kept(self) -> bool {
        self != Marks::None
    }

    /// Writes a member of the part that is open, if there is a mark and a form for it.
    pub fn write(self, writer: &mut Writer, mark: Option<CacheMark>) {
        let Some(mark) = mark else { return };
        match (self, mark) {
            (Marks::None, _) => writer,
            (Marks::CacheControl, CacheMark::Short) => writer.key("cache_control").raw(r#"{"type":"ephemeral"}"#),
            (Marks::CacheControl, CacheMark::Long) => {
                writer.key("cache_control").raw(r#"{"type":"ephemeral","ttl":"1h"}"#)
            }
            (Marks::Breakpoints, CacheMark::Short) => {
                writer.key("prompt_cache_breakpoint").raw(r#"{"mode":"explicit","ttl":"30m"}"#)
            }
            (Marks::Breakpoints, CacheMark::Long) => {
                writer.key("prompt_cache_breakpoint").raw(r#"{"mode":"explicit","ttl":"12h"}"#)
            }
        };
    }
}
