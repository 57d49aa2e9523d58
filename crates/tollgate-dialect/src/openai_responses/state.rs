//! Encrypted reasoning: OpenAI's own, and other vendors' state in its place.
//!
//! An OpenAI upstream's state is `{id, encrypted_content}`: for other dialects' clients it travels in an envelope
//! ([`crate::sealed`]), for Responses clients as it is. Another vendor's state reaches a Responses client as an envelope in
//! `encrypted_content`. Whatever is no state of OpenAI's own never goes to an upstream of this dialect.

use crate::event::ThinkingState;
use crate::json::{Json, Text, Writer};
use crate::scan::{Raw, object};
use crate::sealed::{self, Opened, Seal, SealedState};

object! {
    Own {
        id,
        encrypted_content,
    }
}

/// OpenAI's state of a reasoning item.
#[derive(Clone, Debug, PartialEq)]
pub struct Encrypted {
    pub id: Option<Text<'static>>,
    pub content: Text<'static>,
}

impl Encrypted {
    /// `None` for another vendor's state.
    pub fn of_details(details: &Json<'_>) -> Option<Encrypted> {
        let own = Own::parse(details.get()).ok()?;
        let content = own.encrypted_content.and_then(Raw::text).filter(|t| !t.is_empty())?.into_owned();
        Some(Encrypted { id: own.id.and_then(Raw::text).filter(|t| !t.is_empty()).map(Text::into_owned), content })
    }

    /// What a `signature` holds for a provider of this dialect: state that it gave itself, or that came from its own client.
    pub fn of_signature(signature: &Text<'_>, seal: &Seal, family: &str) -> Option<Encrypted> {
        if let Some(details) = sealed::bare_details(signature) {
            return Encrypted::of_details(&details);
        }
        match seal.open(signature) {
            Opened::Ours(SealedState { family: maker, details: Some(details) }) if maker == family => {
                Encrypted::of_details(&details)
            }
            _ => None,
        }
    }
}

/// The details of a reasoning item with these fields; `None` without encrypted content.
pub fn details(id: Option<Raw<'_>>, content: Option<Raw<'_>>) -> Option<Json<'static>> {
    let content = content.and_then(Raw::text).filter(|t| !t.is_empty())?;
    let mut writer = Writer::default();
    writer.open_object();
    if let Some(id) = id.and_then(Raw::text).filter(|t| !t.is_empty()) {
        writer.key("id").text(&id);
    }
    writer.key("encrypted_content").text(&content).close_object();
    json(writer)
}

/// The `signature` that a client's reasoning item becomes.
pub fn signature_of(id: Option<Raw<'_>>, content: Option<Raw<'_>>) -> Option<Text<'static>> {
    let text = content.and_then(Raw::text).filter(|t| !t.is_empty())?;
    if sealed::is_ours(&text) {
        return Some(text.into_owned());
    }
    details(id, content).map(|details| sealed::bare(&details))
}

/// What a client gets as `encrypted_content`.
pub fn encrypted_content(state: &ThinkingState<'_>, seal: &Seal, family: &str) -> Text<'static> {
    let details = match state {
        ThinkingState::Details(details) => match Encrypted::of_details(details) {
            Some(own) => return own.content,
            None => details.borrowed(),
        },
        ThinkingState::Signature(signature) => anthropics("signature", signature),
    };
    seal.seal(&SealedState { family: family.to_string(), details: Some(details.into_owned()) })
}

/// Redacted thoughts of Anthropic's, as `encrypted_content`.
pub fn redacted_content(data: &Text<'_>, seal: &Seal, family: &str) -> Text<'static> {
    seal.seal(&SealedState { family: family.to_string(), details: Some(anthropics("data", data)) })
}

/// The `encrypted_content` of thoughts that are words alone. An item without any is one that OpenAI looks up by its id, and does not
/// know (404, "Items are not persisted"; github.com/can1357/oh-my-pi/issues/41, 2026-02); by the envelope we know it for no item of its own.
pub fn no_content(seal: &Seal, family: &str) -> Text<'static> {
    seal.seal(&SealedState { family: family.to_string(), details: None })
}

fn anthropics(field: &str, value: &Text<'_>) -> Json<'static> {
    let mut writer = Writer::default();
    writer.open_object().key(field).text(value).close_object();
    json(writer).unwrap_or(Json::EMPTY_OBJECT)
}

fn json(writer: Writer) -> Option<Json<'static>> {
    let text = String::from_utf8(writer.out).ok()?;
    Json::parse(&text).ok().map(Json::into_owned)
}
