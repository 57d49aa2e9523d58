//! Answers as on the wire. Fields that some provider sends in another shape than documented stay unread until they are needed.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A chunk of a stream or a whole answer: they differ only in where the message stands.
#[derive(Deserialize)]
pub struct Chunk<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub model: Option<&'a RawValue>,
    #[serde(borrow)]
    pub choices: Option<Choices<'a>>,
    #[serde(borrow)]
    pub usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    pub kind: Option<&'a RawValue>,
    #[serde(borrow)]
    pub object: Option<&'a RawValue>,
    #[serde(borrow)]
    pub message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub detail: Option<&'a RawValue>,
    #[serde(borrow)]
    pub x_groq: Option<XGroq<'a>>,
    #[serde(borrow)]
    pub base_resp: Option<BaseResp<'a>>,
}

/// The choice with index 0 or none; nobody reads the others.
pub struct Choices<'a> {
    pub first: Option<Choice<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Choices<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Choices<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of choices")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Choices<'de>, A::Error> {
                let mut first = None;
                while let Some(choice) = list.next_element::<Choice<'de>>()? {
                    if first.is_none() && choice.index.is_none_or(|i| matches!(i.get(), "0" | "\"0\"")) {
                        first = Some(choice);
                    }
                }
                Ok(Choices { first })
            }
        }
        deserializer.deserialize_seq(List)
    }
}

#[derive(Deserialize)]
pub struct Choice<'a> {
    #[serde(borrow)]
    pub index: Option<&'a RawValue>,
    #[serde(borrow)]
    pub delta: Option<Delta<'a>>,
    /// A [`Delta`] as well; unread because whole answers are rare and chunks many.
    #[serde(borrow)]
    pub message: Option<&'a RawValue>,
    #[serde(borrow)]
    pub finish_reason: Option<&'a RawValue>,
    /// Moonshot's place for it.
    #[serde(borrow)]
    pub usage: Option<&'a RawValue>,
}

#[derive(Deserialize)]
pub struct Delta<'a> {
    #[serde(borrow)]
    pub content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub reasoning_content: Option<&'a RawValue>,
    #[serde(borrow)]
    pub reasoning: Option<&'a RawValue>,
    #[serde(borrow)]
    pub reasoning_details: Option<&'a RawValue>,
    #[serde(borrow)]
    pub refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    pub tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    pub function_call: Option<&'a RawValue>,
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

#[derive(Deserialize)]
pub struct XGroq<'a> {
    #[serde(borrow)]
    pub usage: Option<&'a RawValue>,
    #[serde(borrow)]
    pub error: Option<&'a RawValue>,
}

/// MiniMax reports errors in here, under status 200.
#[derive(Deserialize)]
pub struct BaseResp<'a> {
    #[serde(borrow)]
    pub status_code: Option<&'a RawValue>,
}
