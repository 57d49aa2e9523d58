//! Which thoughts go back, by hand from the dialects: what each client can hold and each provider takes.

use crate::client::{Call, Client};
use crate::upstream::{Item, Upstream};

/// What stands before a call, when this thought led to it and the same upstream gets it back. `kept`: the client sent thoughts back.
pub fn comes_back(client: Client, upstream: Upstream, kept: bool, thought: &str, call: &Call) -> Vec<Item> {
    let whole = upstream.plays().thought(thought, call);
    let signature = |item: &Item| matches!(item, Item::Thought { text, .. } if text.is_empty());
    match (client, upstream) {
        // The gateway remembers the words of thoughts that a chat server wants back.
        (_, Upstream::Chat) => whole,
        (Client::Gemini, Upstream::Gemini) if kept => whole,
        // Google's signature stands on the call, and other makers' state in the place of Google's.
        (Client::Gemini, Upstream::Gemini) => whole.into_iter().filter(signature).collect(),
        (Client::Gemini, _) => whole,
        (_, _) if !kept => Vec::new(),
        // Chat has no place for their state.
        (Client::Chat, Upstream::Responses) => Vec::new(),
        (Client::Chat, claude) if claude.is_claude() => Vec::new(),
        (_, Upstream::Gemini) => whole.into_iter().filter(signature).collect(),
        (_, _) => whole,
    }
}

/// Whether two upstreams can have each other's state from this client. Claude's signatures are Anthropic's own on every cloud; what
/// stands in the envelope that a Responses client keeps goes back to the provider that it came from alone.
pub fn share(client: Client, one: Upstream, other: Upstream) -> bool {
    let anthropic = |upstream| upstream == Upstream::Messages;
    one.is_claude() && other.is_claude() && (client != Client::Responses || anthropic(one) == anthropic(other))
}

/// The same for another upstream than the one whose thought it was: a chat server that wants thoughts takes any words, and words
/// that need no signature stay where a client's bytes go on.
pub fn goes_elsewhere(client: Client, from: Upstream, to: Upstream, thought: &str, call: &Call) -> Vec<Item> {
    if share(client, from, to) {
        return comes_back(client, to, true, thought, call);
    }
    let words = Item::Thought { text: thought.to_owned(), state: String::new() };
    let stays = to == Upstream::Chat || (client, to) == (Client::Gemini, Upstream::Gemini);
    if stays { vec![words] } else { Vec::new() }
}
