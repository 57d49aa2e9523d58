//! Answers as on the wire. Fields that some provider sends in another shape than documented stay unread until they are needed.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::scan::{Bad, Cursor, object};

object! {
    /// A chunk of a stream or a whole answer: they differ only in where the message stands.
    pub Chunk {
        id,
        model,
        usage,
        error,
        kind = "type",
        object,
        message,
        detail,
    } within {
        choices: Choices,
        x_groq: XGroq,
        base_resp: BaseResp,
    }
}

/// The choice with index 0 or none; nobody reads the others.
pub struct Choices<'a> {
    pub first: Option<Choice<'a>>,
}

impl<'a> Choices<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, Bad> {
        let mut first = None;
        cursor.items(|cursor| {
            let choice = Choice::read(cursor)?;
            if first.is_none() && choice.index.is_none_or(|i| matches!(i.get(), "0" | "\"0\"")) {
                first = Some(choice);
            }
            Ok::<(), Bad>(())
        })?;
        Ok(Choices { first })
    }
}

object! {
    pub Choice {
        index,
        /// A [`Delta`] as well; unread because whole answers are rare and chunks many.
        message,
        finish_reason,
        /// Moonshot's place for it.
        usage,
    } within {
        delta: Delta,
    }
}

object! {
    pub Delta {
        content,
        reasoning_content,
        reasoning,
        reasoning_details,
        refusal,
        tool_calls,
        function_call,
        annotations,
    }
}

object! {
    pub XGroq {
        usage,
        error,
    }
}

object! {
    /// MiniMax reports errors in here, under status 200.
    pub BaseResp {
        status_code,
    }
}

#[derive(Deserialize, Default)]
pub struct CallPiece<'a> {
    #[serde(borrow)]
    pub index: Option<&'a RawValue>,
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub function: Option<FunctionPiece<'a>>,
    /// Google's: `{"google": {"thought_signature": …}}`.
    #[serde(borrow)]
    pub extra_content: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
pub struct FunctionPiece<'a> {
    #[serde(borrow)]
    pub name: Option<&'a RawValue>,
    #[serde(borrow)]
    pub arguments: Option<&'a RawValue>,
}

/// Mistral's form of content.
#[derive(Deserialize)]
pub struct ContentPart<'a> {
    #[serde(borrow)]
    pub text: Option<&'a RawValue>,
    #[serde(borrow)]
    pub thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    pub refusal: Option<&'a RawValue>,
}
