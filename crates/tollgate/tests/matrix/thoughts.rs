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
        (Client::Chat, Upstream::Messages | Upstream::Responses) => Vec::new(),
        (_, Upstream::Gemini) => whole.into_iter().filter(signature).collect(),
        (_, _) => whole,
    }
}

/// The same for another upstream than the one whose thought it was: a chat server that wants thoughts takes any words, and words
/// that need no signature stay where a client's bytes go on.
pub fn goes_elsewhere(client: Client, upstream: Upstream, thought: &str) -> Vec<Item> {
    let words = Item::Thought { text: thought.to_owned(), state: String::new() };
    let stays = upstream == Upstream::Chat || (client, upstream) == (Client::Gemini, Upstream::Gemini);
    if stays { vec![words] } else { Vec::new() }
}
