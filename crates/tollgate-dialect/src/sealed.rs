//! Opaque state of one provider carried through another's client, versioned and authenticated.
//!
//! A client of Anthropic Messages gives back every thinking block with its `signature`, whatever that holds, and a client of
//! OpenAI Responses the `encrypted_content` of its reasoning. So the state of another provider travels there, as an envelope: `tg1.` and the base64url of
//! version byte, 16-byte tag, length of the family, family, details. The tag is HMAC-SHA256 over all that follows it.
//! It is not encrypted: what it holds was the client's to see in any case.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::json::{Json, Text};

const PREFIX: &str = "tg1.";
/// Behind the prefix: the state is not sealed. No envelope has this letter.
const BARE: &str = "=";
const VERSION: u8 = 1;
const TAG_LEN: usize = 16;

/// What a sealed signature holds.
#[derive(Clone, Debug, PartialEq)]
pub struct SealedState<'a> {
    /// Who made the state and alone may have it back: the provider's name.
    pub family: String,
    /// The provider's own state; `None` where the thinking text is all there is.
    pub details: Option<Json<'a>>,
}

/// What a signature turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Opened {
    Ours(SealedState<'static>),
    /// It has our form but not our mark: forged, or sealed under another key. Worth nothing, and never to be sent on.
    Broken,
    /// Made by someone else, such as Anthropic. Empty signatures are foreign too.
    Foreign,
}

/// The key under which states are sealed.
#[derive(Clone)]
pub struct Seal {
    key: [u8; 32],
}

impl Seal {
    /// Takes a secret of any length; equal secrets make equal seals, so replicas share one.
    pub fn new(secret: &[u8]) -> Seal {
        let mut mac = keyed(secret);
        mac.update(b"tollgate: seal of thinking state, version 1");
        Seal { key: mac.finalize().into_bytes().into() }
    }

    pub fn seal(&self, state: &SealedState<'_>) -> Text<'static> {
        let mut cut = state.family.len().min(usize::from(u8::MAX));
        while !state.family.is_char_boundary(cut) {
            cut -= 1;
        }
        let family = &state.family.as_bytes()[..cut];
        let details = state.details.as_ref().map_or("", |d| d.get());
        let mut envelope = Vec::with_capacity(2 + TAG_LEN + family.len() + details.len());
        envelope.push(VERSION);
        envelope.extend_from_slice(&[0; TAG_LEN]);
        envelope.push(family.len() as u8);
        envelope.extend_from_slice(family);
        envelope.extend_from_slice(details.as_bytes());
        let mut mac = keyed(&self.key);
        mac.update(&envelope[1 + TAG_LEN..]);
        envelope[1..=TAG_LEN].copy_from_slice(&mac.finalize().into_bytes()[..TAG_LEN]);
        Text::plain(&format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(envelope)))
    }

    pub fn open(&self, signature: &Text<'_>) -> Opened {
        if !is_ours(signature) {
            return Opened::Foreign;
        }
        self.unpack(&signature.escaped()[PREFIX.len()..]).map_or(Opened::Broken, Opened::Ours)
    }

    fn unpack(&self, encoded: &str) -> Option<SealedState<'static>> {
        let envelope = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (&version, rest) = envelope.split_first()?;
        let (tag, payload) = rest.split_at_checked(TAG_LEN)?;
        let mut mac = keyed(&self.key);
        mac.update(payload);
        mac.verify_truncated_left(tag).ok()?;
        let (&family_len, payload) = payload.split_first()?;
        let (family, details) = payload.split_at_checked(usize::from(family_len))?;
        if version != VERSION {
            return None;
        }
        let details = match std::str::from_utf8(details).ok()? {
            "" => None,
            json => Some(Json::parse(json).ok()?.into_owned()),
        };
        Some(SealedState { family: String::from_utf8(family.to_vec()).ok()?, details })
    }
}

/// True for anything in the form of an envelope, whoever sealed it: such a signature never goes to a provider.
pub fn is_ours(signature: &Text<'_>) -> bool {
    signature.escaped().starts_with(PREFIX)
}

/// State that a client sent in its maker's own form, which needs no seal: its maker checks it. In the form of an envelope,
/// so that nobody else is sent it.
pub fn bare(details: &Json<'_>) -> Text<'static> {
    Text::plain(&format!("{PREFIX}{BARE}{}", details.get()))
}

/// What [`bare`] was made of.
pub fn bare_details(signature: &Text<'_>) -> Option<Json<'static>> {
    let decoded = signature.decode();
    let json = decoded.strip_prefix(PREFIX)?.strip_prefix(BARE)?;
    Some(Json::parse(json).ok()?.into_owned())
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length")
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal([redacted])")
    }
}

#[cfg(test)]
mod tests;
