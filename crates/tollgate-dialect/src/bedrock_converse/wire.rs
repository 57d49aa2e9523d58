//! Shapes as on the wire, of answers. Every field may be missing and of any type: whoever reads one says so.

use crate::json::Text;
use crate::scan::{Bad, Cursor, Raw, object};

object! {
    /// A whole answer.
    pub Answer {
        stop_reason = "stopReason",
        usage,
    } within {
        output: Output,
        additional: Additional = "additionalModelResponseFields",
    }
}

object! {
    /// Fields of the model's own answer that were asked for.
    pub Additional {
        stop_sequence,
    }
}

object! {
    pub Output {} within {
        message: Message,
    }
}

object! {
    pub Message {
        content,
    }
}

object! {
    /// A block of a whole answer, one of these.
    pub Block {
        text,
        tool_use = "toolUse",
        reasoning_content = "reasoningContent",
        citations_content = "citationsContent",
        image,
        video,
        audio,
    }
}

object! {
    pub ToolUse {
        tool_use_id = "toolUseId",
        name,
        input,
        kind = "type",
    }
}

object! {
    pub Reasoning {
        reasoning_text = "reasoningText",
        redacted_content = "redactedContent",
    }
}

object! {
    pub ReasoningText {
        text,
        signature,
    }
}

object! {
    pub Citations {
        content,
    }
}

object! {
    /// Whatever an event holds that is looked at.
    pub Event {
        content_block_index = "contentBlockIndex",
        stop_reason = "stopReason",
        usage,
    } within {
        start: Start,
        delta: Delta,
        additional: Additional = "additionalModelResponseFields",
    }
}

object! {
    pub Start {
        tool_use = "toolUse",
    }
}

object! {
    pub Delta {
        text,
    } within {
        /// A piece of a call's input.
        tool_use: ToolDelta = "toolUse",
        reasoning_content: ReasoningDelta = "reasoningContent",
    }
}

object! {
    pub ToolDelta {
        input,
    }
}

object! {
    pub ReasoningDelta {
        text,
        signature,
        redacted_content = "redactedContent",
    }
}

object! {
    pub Usage {
        input_tokens = "inputTokens",
        output_tokens = "outputTokens",
        cache_read_input_tokens = "cacheReadInputTokens",
        cache_write_input_tokens = "cacheWriteInputTokens",
        cache_details = "cacheDetails",
    }
}

object! {
    pub CacheDetail {
        ttl,
        input_tokens = "inputTokens",
    }
}

/// A string with something in it.
pub fn some_text(raw: Option<Raw<'_>>) -> Option<Text<'_>> {
    raw?.text().filter(|text| !text.is_empty())
}

/// More tokens than this no model can count: such a number is a mistake, and sums must not overflow.
const MOST_TOKENS: u64 = 1 << 48;

pub fn count_of(raw: Option<Raw<'_>>) -> Option<u64> {
    raw?.json().as_count().filter(|&count| count <= MOST_TOKENS)
}

/// The objects of a list; what is no object is passed over.
pub fn each<'a, T>(list: Option<Raw<'a>>, read: impl Fn(&'a str) -> Result<T, Bad>) -> Vec<T> {
    let mut found = Vec::new();
    if let Some(list) = list.filter(|raw| raw.is_array()) {
        let read_all = Cursor::new(list.get()).items(|cursor| {
            found.extend(read(cursor.value()?.get()).ok());
            Ok::<(), Bad>(())
        });
        debug_assert!(read_all.is_ok(), "it was read before");
    }
    found
}
