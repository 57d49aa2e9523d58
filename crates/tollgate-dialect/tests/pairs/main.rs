//! Properties of every pair of dialects: what goes there and back loses only what is declared.

mod answer;
mod facts;
mod request;

use tollgate_dialect::Dialect;
use tollgate_dialect::sealed::Seal;

fn seal() -> Seal {
    Seal::new(b"a key for tests")
}

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    Dialect::ALL.into_iter().flat_map(|from| Dialect::ALL.map(|to| (from, to)))
}
