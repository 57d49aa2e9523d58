//! Properties of every pair of dialects: what goes there and back loses only what is declared.

mod answer;
mod facts;
mod fields;
mod losses;
mod request;
mod search;

use tollgate_dialect::Dialect;
use tollgate_dialect::sealed::Seal;

fn seal() -> Seal {
    Seal::new(b"a key for tests")
}

/// Those that both clients and upstreams speak: what goes there can come back.
const BOTH: [Dialect; 4] = [Dialect::Messages, Dialect::Chat, Dialect::Responses, Dialect::Gemini];

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    BOTH.into_iter().flat_map(|from| BOTH.map(|to| (from, to)))
}
