//! What stands in `thoughtSignature`: Google's own state, and that of other makers on its way through a client of Google's.
//!
//! Such clients send back the signatures of calls and texts, though not always the thoughts (Gemini CLI 0.61.0 drops them). So
//! other makers' thoughts travel there with their signatures, as base64 of `{"tollgate":[…]}`. It needs no seal: Anthropic
//! checks its own signatures, and every other state is one of our envelopes already.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use serde::Deserialize;

use crate::Target;
use crate::answer::MAX_THINKING_BYTES;
use crate::event::ThinkingState;
use crate::json::{Json, Text, Writer, members};
use crate::request::Thinking;
use crate::sealed::{Opened, Seal, SealedState};

/// For calls that another model made (ai.google.dev/gemini-api/docs/thought-signatures, 2026-11).
pub const NONE: Text<'static> = Text::literal("skip_thought_signature_validator");

/// How base64 of `{"tollgate":[` begins.
pub const CARRIED: &str = "eyJ0b2xsZ2F0ZSI6";

/// A client's signature.
#[derive(Clone, Debug)]
pub enum Signature<'a> {
    /// Google's, or of anybody but us.
    Google(Text<'a>),
    /// Thoughts of another maker. None where what we wrote was changed on the way.
    Carried(Vec<Thinking<'static>>),
}

impl<'a> Signature<'a> {
    pub fn read(signature: Text<'a>) -> Signature<'a> {
        if !signature.escaped().starts_with(CARRIED) {
            return Signature::Google(signature);
        }
        Signature::Carried(unpack(&signature.decode()).unwrap_or_default())
    }
}

#[derive(Deserialize)]
struct Carried<'a> {
    #[serde(borrow)]
    tollgate: Vec<Block<'a>>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow)]
    thinking: Option<Text<'a>>,
    #[serde(borrow)]
    signature: Text<'a>,
}

/// Some SDKs write bytes in the alphabet for URLs, whatever they were read in.
fn unpack(encoded: &str) -> Option<Vec<Thinking<'static>>> {
    const ENGINE: GeneralPurpose = GeneralPurpose::new(
        &ALPHABET,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let json = ENGINE.decode(encoded.replace('-', "+").replace('_', "/")).ok()?;
    let carried: Carried<'_> = serde_json::from_slice(&json).ok()?;
    let thinking = |block: Block<'_>| Thinking {
        redacted: block.thinking.is_none(),
        text: block.thinking.unwrap_or_default().into_owned(),
        signature: Some(block.signature.into_owned()),
    };
    Some(carried.tollgate.into_iter().map(thinking).collect())
}

/// State of an answer that waits for the part that carries it: the next call or text.
#[derive(Debug, Default)]
pub struct Carry {
    /// The thoughts since the last state.
    thoughts: Text<'static>,
    /// They are too long to be carried.
    too_long: bool,
    google: Option<Text<'static>>,
    /// Members of the list, each an object.
    blocks: String,
}

impl Carry {
    pub fn thinking(&mut self, text: &Text<'_>) {
        self.too_long |= self.thoughts.escaped().len() + text.escaped().len() > MAX_THINKING_BYTES;
        if !self.too_long {
            self.thoughts.push(text);
        }
    }

    pub fn state(&mut self, state: &ThinkingState<'_>, seal: &Seal, family: &str) {
        let (thoughts, too_long) = self.take_thoughts();
        match state {
            // Half of the thoughts would not fit the signature.
            ThinkingState::Signature(_) if too_long => {}
            ThinkingState::Signature(signature) => self.block(Some(&thoughts), signature),
            ThinkingState::Details(details) => match google(details) {
                Some((signature, _)) => self.google = Some(signature.into_owned()),
                None => {
                    let state = SealedState { family: family.to_string(), details: Some(details.borrowed()) };
                    // OpenAI's state goes back beside its summary; where that is too long, without it.
                    self.block(Some(if too_long { &Text::EMPTY } else { &thoughts }), &seal.seal(&state));
                }
            },
        }
    }

    pub fn redacted(&mut self, data: &Text<'_>) {
        self.block(None, data);
    }

    fn take_thoughts(&mut self) -> (Text<'static>, bool) {
        (std::mem::take(&mut self.thoughts), std::mem::take(&mut self.too_long))
    }

    fn block(&mut self, thinking: Option<&Text<'_>>, signature: &Text<'_>) {
        let mut writer = Writer::default();
        writer.open_object();
        if let Some(thinking) = thinking {
            writer.key("thinking").text(thinking);
        }
        writer.key("signature").text(signature).close_object();
        if !self.blocks.is_empty() {
            self.blocks.push(',');
        }
        self.blocks.push_str(&String::from_utf8_lossy(&writer.out));
    }

    /// The signature of the part that comes now.
    pub fn take(&mut self) -> Option<Text<'static>> {
        self.take_thoughts();
        if let Some(google) = self.google.take() {
            return Some(google);
        }
        let blocks = std::mem::take(&mut self.blocks);
        (!blocks.is_empty()).then(|| Text::plain(&STANDARD.encode(format!("{{\"tollgate\":[{blocks}]}}"))))
    }
}

/// Google's signature as state of the thoughts before a part. `on_thought`: it belongs to the thoughts themselves. The form is that
/// of `extra_content` behind Google's chat endpoint, so that both doors of one provider read each other's.
pub fn state(signature: &Text<'_>, on_thought: bool) -> Json<'static> {
    let mut writer = Writer::default();
    writer.open_object().key("google").open_object().key("thought_signature").text(signature).close_object();
    if on_thought {
        writer.key("part").str("thought");
    }
    writer.close_object();
    let json = String::from_utf8_lossy(&writer.out).into_owned();
    Json::parse(&json).map_or(Json::EMPTY_OBJECT, Json::into_owned)
}

/// The signature in such a state, and whether it is that of thoughts.
pub fn google<'j>(state: &'j Json<'_>) -> Option<(Text<'j>, bool)> {
    let fields = members(state.get()).ok()?;
    let find = |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    let google = members(find("google")?).ok()?;
    let signature = google.iter().find(|(key, _)| *key == "thought_signature")?.1;
    Some((Text::of_token(signature).filter(|s| !s.is_empty())?, find("part").is_some()))
}

/// Google's signature that a client of another dialect sent back with thoughts, if this very provider made it.
pub fn own(thinking: &Thinking<'_>, target: &Target<'_>) -> Option<(Text<'static>, bool)> {
    if target.quirks.gemini.foreign_signatures {
        return None;
    }
    let family = target.label.split('/').next().unwrap_or("");
    match target.seal.open(thinking.signature.as_ref()?) {
        Opened::Ours(SealedState { family: theirs, details: Some(details) }) if theirs == family => {
            google(&details).map(|(signature, on_thought)| (signature.into_owned(), on_thought))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_makers_thoughts_survive_a_client_of_googles() {
        let seal = Seal::new(b"secret");
        let mut carry = Carry::default();
        assert_eq!(carry.take(), None);
        carry.thinking(&Text::plain("de"));
        carry.thinking(&Text::literal("ep \\ud83d"));
        carry.state(&ThinkingState::Signature(Text::plain("Eq+/=")), &seal, "anthropic");
        carry.redacted(&Text::plain("Em"));
        carry.state(&ThinkingState::Details(Json::literal("[1]")), &seal, "openrouter");
        let signature = carry.take().expect("there is state");
        assert!(signature.escaped().starts_with(CARRIED));
        let Signature::Carried(thoughts) = Signature::read(signature) else { panic!("ours") };
        let seen: Vec<(&str, &str, bool)> = thoughts
            .iter()
            .map(|t| (t.text.escaped(), t.signature.as_ref().map_or("", Text::escaped), t.redacted))
            .collect();
        let sealed = seal.seal(&SealedState { family: "openrouter".into(), details: Some(Json::literal("[1]")) });
        assert_eq!(seen, [("deep \\ud83d", "Eq+/=", false), ("", "Em", true), ("", sealed.escaped(), false)]);
        assert_eq!(carry.take(), None);
    }

    #[test]
    fn googles_own_signature_is_not_touched_and_a_broken_one_of_ours_is_nothing() {
        let mut carry = Carry::default();
        let state = ThinkingState::Details(state(&Text::plain("CikB"), false));
        carry.state(&state, &Seal::new(b"secret"), "gemini");
        assert_eq!(carry.take(), Some(Text::plain("CikB")));
        assert!(matches!(Signature::read(Text::plain("CikB")), Signature::Google(s) if s.escaped() == "CikB"));
        let broken = Signature::read(Text::plain(&format!("{CARRIED}!!")));
        assert!(matches!(broken, Signature::Carried(thoughts) if thoughts.is_empty()));
    }

    #[test]
    fn thoughts_that_are_too_long_are_not_carried() {
        let mut carry = Carry::default();
        let long = Text::plain(&"x".repeat(MAX_THINKING_BYTES));
        carry.thinking(&long);
        carry.thinking(&long);
        carry.state(&ThinkingState::Signature(Text::plain("S")), &Seal::new(b"s"), "anthropic");
        assert!(carry.take().is_none());
        carry.thinking(&Text::plain("short"));
        carry.state(&ThinkingState::Signature(Text::plain("S")), &Seal::new(b"s"), "anthropic");
        assert!(carry.take().is_some());
    }
}
