#![no_main]
//! However a stream is cut into chunks, the same frames come out. The first byte seeds the cuts.

use libfuzzer_sys::fuzz_target;
use tollgate_dialect::frame::sse::{Piece, SseReader};

type Seen = (Option<String>, Vec<u8>, Vec<u8>);

fn take(piece: Piece<'_>) -> Seen {
    match piece {
        Piece::Frame(frame) => (Some(frame.event.to_string()), frame.data.to_vec(), frame.raw.to_vec()),
        Piece::KeepAlive(raw) => (None, Vec::new(), raw.to_vec()),
    }
}

fn read<'c>(chunks: impl Iterator<Item = &'c [u8]>) -> Vec<Seen> {
    let mut reader = SseReader::default();
    let mut seen = Vec::new();
    for chunk in chunks {
        reader.feed(chunk);
        while let Some(piece) = reader.next() {
            seen.push(take(piece.expect("inputs are far below the limit")));
        }
    }
    while let Some(piece) = reader.finish() {
        seen.push(take(piece.expect("inputs are far below the limit")));
    }
    seen
}

fuzz_target!(|input: &[u8]| {
    let Some((seed, stream)) = input.split_first() else { return };
    let whole = read([stream].into_iter());
    let mut rest = stream;
    let mut state = u32::from(*seed) | 1;
    let chunks = std::iter::from_fn(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = ((state >> 24) as usize % 7).min(rest.len());
        let (chunk, after) = rest.split_at(size);
        let had = !rest.is_empty();
        rest = after;
        had.then_some(chunk)
    });
    assert_eq!(read(chunks), whole);
    assert!(whole.iter().map(|(_, _, raw)| raw.len()).sum::<usize>() <= stream.len());
});
