//! State of thoughts: signatures and redacted thoughts, which only their maker's models can read.
//!
//! Claude's are Anthropic's own on every cloud and travel as such. Those of other makers go to clients in an envelope
//! ([`crate::sealed`]) that names the maker, and back only to models of the same at the same provider.

use crate::Target;
use crate::json::{Json, Text, Writer};
use crate::quirks::Maker;
use crate::request::Thinking;
use crate::scan::{Raw, object};
use crate::sealed::{Opened, SealedState};

object! {
    Outer {} within {
        bedrock: Inner,
    }
}

object! {
    Inner {
        maker,
        signature,
        redacted,
    }
}

/// What came with thoughts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Signature,
    Redacted,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Field::Signature => "signature",
            Field::Redacted => "redacted",
        }
    }
}

/// For the envelope. `None`: nobody knows whose model it is, so nobody could be given it back.
pub fn details(maker: Maker, field: Field, value: &Text<'_>) -> Option<Json<'static>> {
    let maker = maker.name()?;
    let mut writer = Writer::default();
    writer.open_object().key("bedrock").open_object().key("maker").str(maker);
    writer.key(field.name()).text(value).close_object().close_object();
    let json = String::from_utf8(writer.out).ok()?;
    Json::parse(&json).ok().map(Json::into_owned)
}

/// What may go back with a thought to a model that is no Claude.
#[derive(Debug, PartialEq)]
pub enum Own {
    /// Its text is all there is.
    Plain,
    Signature(Text<'static>),
    Redacted(Text<'static>),
}

/// `None`: another provider's, or another maker's.
pub fn own(thinking: &Thinking<'_>, target: &Target<'_>) -> Option<Own> {
    let provider = target.label.split('/').next().unwrap_or("");
    let Opened::Ours(state) = target.seal.open(thinking.signature.as_ref()?) else { return None };
    let SealedState { family, details } = state;
    if family != provider {
        return None;
    }
    let Some(details) = details else { return Some(Own::Plain) };
    let inner = Outer::parse(details.get()).ok()?.bedrock?;
    let text = |raw: Option<Raw<'_>>| raw.and_then(Raw::text).map(Text::into_owned);
    if inner.maker.map(Raw::word) != target.quirks.converse.maker.name() {
        return None;
    }
    text(inner.signature).map(Own::Signature).or_else(|| text(inner.redacted).map(Own::Redacted))
}
