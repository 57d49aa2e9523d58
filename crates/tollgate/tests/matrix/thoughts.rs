//! Which thoughts go back, by hand from the dialects: what each client can hold and each provider takes.

use crate::client::{Call, Client};
use crate::upstream::{Item, Upstream};

/// What stands before a call, when this thought led to it and the same upstream gets it back. `kept`: the client sent thoughts back.
pub fn comes_back(client: Client, upstream: Upstream, kept: bool, thought: &str, call: &Call) -> Vec<Item> {
    let whole = upstream.plays().thought(thought, call);
    let signature = |item: &Item| matches!(item, Item::Thought { text, .. } if text.is_empty());
    match (client, upstream) {
        (Client::Gemini, Upstream::Gemini) if kept => whole,
        // The words of earlier thoughts are not for Google; the signature stands on the call.
        (_, Upstream::Gemini) => whole.into_iter().filter(signature).collect(),
        // Where the client's bytes go on, nothing is put between them. A chat server that wants thoughts back is told them.
        (_, Upstream::Chat) => whole,
        (_, upstream) if !kept && upstream.own_client() == Some(client) => Vec::new(),
        (_, _) => whole,
    }
}

/// Whether the gateway puts the thoughts back, from memory. A Gemini client's signatures stand on its calls, and carry other makers'
/// thoughts; a chat client has no place for any state but Google's.
pub fn is_restored(client: Client, upstream: Upstream, kept: bool) -> bool {
    match (client, upstream) {
        (Client::Chat, Upstream::Chat | Upstream::Gemini) => !kept,
        (Client::Chat, _) => true,
        (Client::Gemini, upstream) => !kept && upstream == Upstream::Chat,
        (client, upstream) => !kept && upstream.own_client() != Some(client),
    }
}

/// Whether two upstreams can have each other's state from this client. Claude's signatures are Anthropic's own on every cloud; what
/// stands in the envelope that a Responses client keeps goes back to the provider that it came from alone, and what the gateway
/// keeps for a chat client to the route.
pub fn share(client: Client, one: Upstream, other: Upstream) -> bool {
    let anthropic = |upstream| upstream == Upstream::Messages;
    match client {
        Client::Chat => false,
        Client::Responses => one.is_claude() && other.is_claude() && anthropic(one) == anthropic(other),
        Client::Messages | Client::Gemini => one.is_claude() && other.is_claude(),
    }
}

/// Whether what this client sends back of an upstream's thoughts has a signature, as another upstream sees them. Google's stands on
/// the call, and a chat server has none.
pub fn sends_signature(client: Client, of: Upstream) -> bool {
    match client {
        Client::Messages | Client::Responses => true,
        Client::Chat => false,
        Client::Gemini => !matches!(of, Upstream::Chat | Upstream::Gemini),
    }
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
