//! Items, parts and events as on the wire. Fields stay unread until they are needed.

use crate::scan::{Raw, object};

object! {
    /// An item of `input` or `output`, of any type.
    pub Item {
        kind = "type",
        id,
        role,
        content,
        call_id,
        name,
        namespace,
        arguments,
        input,
        output,
        summary,
        encrypted_content,
    }
}

object! {
    /// A part of a message, of a tool's output or of a summary.
    pub Part {
        kind = "type",
        text,
        refusal,
        image_url,
        file_id,
        file_data,
        file_url,
        filename,
        detail,
        input_audio,
        prompt_cache_breakpoint,
        annotations,
    }
}

object! {
    /// The data of a stream's event.
    pub Event {
        kind = "type",
        response,
        item,
        part,
        delta,
        text,
        refusal,
        arguments,
        input,
        output_index,
        summary_index,
        error,
        object,
        choices,
        annotation,
    }
}

object! {
    /// A whole answer, or what an event tells of it.
    pub Response {
        id,
        object,
        model,
        status,
        output,
        usage,
        error,
        incomplete_details,
        choices,
    }
}

object! {
    pub Incomplete {
        reason,
    }
}

/// Items of tools that run at the provider, or in clients that the provider knows: they have no counterpart elsewhere.
const HOSTED_ITEMS: [&str; 22] = [
    "file_search_call",
    "web_search_call",
    "computer_call",
    "computer_call_output",
    "image_generation_call",
    "code_interpreter_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "tool_search_call",
    "tool_search_output",
    "program",
    "program_output",
    "additional_tools",
    "configuration_update",
];

pub fn is_hosted(kind: &str) -> bool {
    HOSTED_ITEMS.contains(&kind)
}

/// Tools of the provider's own, by the beginning of their type.
const HOSTED_TOOLS: [&str; 11] = [
    "web_search",
    "file_search",
    "code_interpreter",
    "computer",
    "image_generation",
    "mcp",
    "local_shell",
    "shell",
    "apply_patch",
    "tool_search",
    "programmatic_tool_calling",
];

/// A tool object whose `type` could stand in a Responses request as it is. Anthropic's own types end in a date without dashes.
pub fn is_hosted_tool(kind: &str) -> bool {
    let dated = kind.rsplit('_').next().is_some_and(|date| date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()));
    !dated && HOSTED_TOOLS.iter().any(|tool| kind.starts_with(tool)) && !kind.starts_with("mcp_toolset")
}

/// A word of the format's own; empty where there is none.
pub fn word(raw: Option<Raw<'_>>) -> &str {
    raw.map_or("", Raw::word)
}
