//! Shapes as on the wire, in requests and answers. Every field may be missing and of any type: whoever reads one says so.

use std::borrow::Cow;

use crate::json::Text;
pub use crate::scan::Raw;
use crate::scan::{Bad, Cursor};

/// A message of Google's of which some fields are wanted, each under either spelling. `null` counts as missing.
macro_rules! message {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident $(= $camel:literal)?),* $(,)? }
     $(within { $($inner:ident: $kind:ident $(= $inner_camel:literal)?,)* })?) => {
        $(#[$doc])*
        #[derive(Default)]
        pub struct $name<'a> {
            $($(#[$about])* pub $field: Option<Raw<'a>>,)*
            $($(pub $inner: Option<$kind<'a>>,)*)?
        }

        impl<'a> $name<'a> {
            pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Bad> {
                let mut object = Self::default();
                cursor.members(|cursor, key| {
                    match key.escaped() {
                        $(message!(@name $field) $(| $camel)? => object.$field = cursor.present()?,)*
                        $($(message!(@name $inner) $(| $inner_camel)? => {
                            object.$inner = cursor.unless_null($kind::read)?;
                        })*)?
                        _ => _ = cursor.value()?,
                    }
                    Ok::<(), Bad>(())
                })?;
                Ok(object)
            }
        }
    };
    (@name $field:ident) => { stringify!($field) };
}

message!(
    /// A whole answer, or a piece of a streamed one.
    Answer {
        prompt_feedback = "promptFeedback",
        usage_metadata = "usageMetadata",
        model_version = "modelVersion",
        response_id = "responseId",
        error,
    } within {
        candidates: Candidates,
    }
);

/// The candidate with index 0 or none; nobody reads the others.
pub struct Candidates<'a> {
    pub first: Option<Candidate<'a>>,
}

impl<'a> Candidates<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Bad> {
        let mut first = None;
        each(cursor, |cursor| {
            let candidate = Candidate::read(cursor)?;
            if first.is_none() && candidate.index.is_none_or(|index| index.get() == "0") {
                first = Some(candidate);
            }
            Ok::<(), Bad>(())
        })?;
        Ok(Candidates { first })
    }
}

message!(
    Candidate {
        index,
        finish_reason = "finishReason",
        finish_message = "finishMessage",
        grounding_metadata = "groundingMetadata",
    } within {
        content: Content,
    }
);

message!(
    PromptFeedback {
        block_reason = "blockReason",
        block_reason_message = "blockReasonMessage",
    }
);

message!(
    Content {
        role,
    } within {
        parts: Parts,
    }
);

/// The parts of a content; a single one may stand without its list.
#[derive(Default)]
pub struct Parts<'a>(pub Vec<Part<'a>>);

impl<'a> Parts<'a> {
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, Bad> {
        let mut parts = Vec::new();
        each(cursor, |cursor| {
            parts.push(Part::read(cursor)?);
            Ok::<(), Bad>(())
        })?;
        Ok(Parts(parts))
    }
}

message!(
    Part {
        text,
        thought,
        thought_signature = "thoughtSignature",
        executable_code = "executableCode",
        code_execution_result = "codeExecutionResult",
        tool_call = "toolCall",
        tool_response = "toolResponse",
    } within {
        inline_data: Blob = "inlineData",
        file_data: FileData = "fileData",
        function_call: FunctionCall = "functionCall",
        function_response: FunctionResponse = "functionResponse",
    }
);

message!(Blob { mime_type = "mimeType", data, display_name = "displayName", });

message!(FileData { file_uri = "fileUri", mime_type = "mimeType", display_name = "displayName", });

message!(FunctionCall { id, name, args });

message!(FunctionResponse {
    id,
    name,
    response,
    /// Parts again; unread, because they could hold function responses without end.
    parts,
});

message!(ExecutableCode { language, code });

message!(CodeExecutionResult { outcome, output });

message!(
    Usage {
        prompt_token_count = "promptTokenCount",
        cached_content_token_count = "cachedContentTokenCount",
        candidates_token_count = "candidatesTokenCount",
        thoughts_token_count = "thoughtsTokenCount",
        tool_use_prompt_token_count = "toolUsePromptTokenCount",
        total_token_count = "totalTokenCount",
    }
);

message!(
    FunctionDeclaration {
        name,
        description,
        parameters,
        parameters_json_schema = "parametersJsonSchema",
    }
);

message!(
    ThinkingConfig {
        include_thoughts = "includeThoughts",
        thinking_budget = "thinkingBudget",
        thinking_level = "thinkingLevel",
    }
);

message!(ToolConfig { function_calling_config = "functionCallingConfig", });

message!(FunctionCallingConfig { mode, allowed_function_names = "allowedFunctionNames", });

/// Reads all of `json`.
pub fn parse<'a, T>(json: &'a str, read: impl FnOnce(&mut Cursor<'a>) -> Result<T, Bad>) -> Result<T, Bad> {
    let mut cursor = Cursor::new(json);
    let found = read(&mut cursor)?;
    cursor.end()?;
    Ok(found)
}

/// What stands in a list, or the one thing that stands in its place.
pub fn each<'a, E: From<Bad>>(
    cursor: &mut Cursor<'a>,
    read: impl FnMut(&mut Cursor<'a>) -> Result<(), E>,
) -> Result<(), E> {
    let mut read = read;
    if cursor.peek() == b'[' { cursor.items(read) } else { read(cursor) }
}

/// `max_output_tokens` as `maxOutputTokens`.
pub fn camel(name: &str) -> Cow<'_, str> {
    if !name.contains('_') {
        return Cow::Borrowed(name);
    }
    let mut pieces = name.split('_').filter(|piece| !piece.is_empty());
    let mut camel = String::from(pieces.next().unwrap_or(""));
    for piece in pieces {
        let (head, tail) = piece.split_at(piece.chars().next().map_or(0, char::len_utf8));
        camel.push_str(&head.to_uppercase());
        camel.push_str(tail);
    }
    Cow::Owned(camel)
}

/// A string; `None` for anything else.
pub fn text_of<'a>(raw: Option<Raw<'a>>) -> Option<Text<'a>> {
    raw?.text()
}

/// A string with something in it.
pub fn some_text<'a>(raw: Option<Raw<'a>>) -> Option<Text<'a>> {
    text_of(raw).filter(|text| !text.is_empty())
}

/// A word of the format's own, which has no escapes; empty for anything but a string.
pub fn word<'a>(raw: Option<Raw<'a>>) -> &'a str {
    raw.and_then(|raw| raw.get().strip_prefix('"')?.strip_suffix('"')).unwrap_or("")
}

pub fn is_true(raw: Option<Raw<'_>>) -> bool {
    raw.is_some_and(|raw| raw.get() == "true")
}

/// More tokens than this no model can count: such a number is a mistake, and sums must not overflow.
const MOST_TOKENS: u64 = 1 << 48;

/// Whole numbers may stand in strings, as protobuf writes those of 64 bits.
pub fn count_of(raw: Option<Raw<'_>>) -> Option<u64> {
    raw?.json().as_count().filter(|&count| count <= MOST_TOKENS)
}
