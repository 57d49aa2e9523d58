//! Anthropic's own state that came through a client of another dialect, in an envelope of ours.

use std::borrow::Cow;

use crate::Target;
use crate::json::Text;
use crate::request::{Message, Part, Thinking};
use crate::scan::{Raw, object};
use crate::sealed::{self, Opened};

object! {
    /// One of the two, as the Responses dialect seals it.
    State {
        signature,
        data,
    }
}

/// The messages with the envelopes opened that this very service's state is in.
pub fn unwrapped<'r, 'a>(messages: &'r [Message<'a>], target: &Target<'_>) -> Cow<'r, [Message<'a>]> {
    let is_sealed = |part: &Part<'_>| match part {
        Part::Thinking(thinking) => thinking.signature.as_ref().is_some_and(sealed::is_ours),
        _ => false,
    };
    if !messages.iter().flat_map(|m| &m.parts).any(is_sealed) {
        return Cow::Borrowed(messages);
    }
    let mut messages = messages.to_vec();
    for part in messages.iter_mut().flat_map(|m| &mut m.parts) {
        if let Part::Thinking(thinking) = part {
            unwrap(thinking, target);
        }
    }
    Cow::Owned(messages)
}

fn unwrap(thinking: &mut Thinking<'_>, target: &Target<'_>) {
    let family = target.label.split('/').next().unwrap_or("");
    let Some(signature) = &thinking.signature else { return };
    let Opened::Ours(state) = target.seal.open(signature) else { return };
    let Some(details) = state.details.filter(|_| state.family == family) else { return };
    let Ok(state) = State::parse(details.get()) else { return };
    let text = |raw: Option<Raw<'_>>| raw.and_then(Raw::text).map(Text::into_owned);
    let (signature, data) = (text(state.signature), text(state.data));
    thinking.redacted = signature.is_none() && data.is_some();
    thinking.signature = signature.or(data).or(thinking.signature.take());
}
