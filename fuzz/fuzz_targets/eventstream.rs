#![no_main]
//! However an event stream is cut into chunks, the same messages and the same end come out. The first byte seeds the cuts, the
//! second says whether the bytes stand in a message with right checksums, so that its headers are reached.

use libfuzzer_sys::fuzz_target;
use tollgate_dialect::frame::eventstream::{EventStreamError, EventStreamReader, MessageType};

#[path = "eventstream/message.rs"]
mod message;

type Seen = (MessageType, String, Vec<u8>, Vec<u8>);

fn read<'c>(chunks: impl Iterator<Item = &'c [u8]>) -> (Vec<Seen>, Result<(), EventStreamError>) {
    let mut reader = EventStreamReader::default();
    let mut seen = Vec::new();
    for chunk in chunks {
        reader.feed(chunk);
        while let Some(Ok(m)) = reader.next() {
            seen.push((m.kind, m.name.to_string(), m.payload.to_vec(), m.raw.to_vec()));
        }
    }
    (seen, reader.finish())
}

fuzz_target!(|input: &[u8]| {
    let [seed, wrap, bytes @ ..] = input else { return };
    let stream = if *wrap & 1 == 1 {
        let (headers, payload) = bytes.split_at((usize::from(*wrap) >> 1).min(bytes.len()));
        [message::of(headers, payload), bytes.to_vec()].concat()
    } else {
        bytes.to_vec()
    };
    let whole = read([&stream[..]].into_iter());
    let mut rest = &stream[..];
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
    assert!(whole.0.iter().map(|(.., raw)| raw.len()).sum::<usize>() <= stream.len());
});
