use proptest::prelude::*;

use super::wire::{event, message, string};
use super::*;

type Seen = (MessageType, String, String, Vec<u8>);

/// All messages of the chunks, and how the stream ended.
fn read<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> (Vec<Seen>, Result<(), EventStreamError>) {
    let mut reader = EventStreamReader::default();
    let mut seen = Vec::new();
    for chunk in chunks {
        reader.feed(chunk);
        while let Some(Ok(m)) = reader.next() {
            seen.push((m.kind, m.name.to_string(), m.error_message.to_string(), m.payload.to_vec()));
        }
    }
    (seen, reader.finish())
}

fn seen(kind: MessageType, name: &str, payload: &str) -> Seen {
    (kind, name.into(), String::new(), payload.into())
}

/// An event, an exception and an error, as Bedrock sends them.
fn usual() -> Vec<u8> {
    let error = [string(":message-type", "error"), string(":error-code", "Boom"), string(":error-message", "it broke")]
        .concat();
    [
        event("contentBlockDelta", r#"{"delta":{"text":"é"}}"#),
        wire::exception("throttlingException", r#"{"message":"slow"}"#),
        message(&error, b""),
    ]
    .concat()
}

fn usual_seen() -> Vec<Seen> {
    vec![
        seen(MessageType::Event, "contentBlockDelta", r#"{"delta":{"text":"é"}}"#),
        seen(MessageType::Exception, "throttlingException", r#"{"message":"slow"}"#),
        (MessageType::Error, "Boom".into(), "it broke".into(), Vec::new()),
    ]
}

/// The check value of CRC-32/ISO-HDLC in Greg Cook's catalogue, and the checksum of nothing.
#[test]
fn the_checksum_is_that_of_zlib() {
    assert_eq!(crc32::of(b"123456789"), 0xCBF4_3926);
    assert_eq!(crc32::of(b""), 0);
}

/// A test vector that the AWS SDKs share (`empty_message`): bytes not made here.
#[test]
fn a_message_without_headers_and_payload_is_read() {
    let empty = [0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
    assert_eq!(read([&empty[..]]), (vec![seen(MessageType::Event, "", "")], Ok(())));
}

#[test]
fn bytes_cut_at_any_two_places_give_the_same_messages() {
    let wire = usual();
    for first in 0..=wire.len() {
        for second in first..=wire.len() {
            let chunks = [&wire[..first], &wire[first..second], &wire[second..]];
            assert_eq!(read(chunks), (usual_seen(), Ok(())), "{first} {second}");
        }
    }
    assert_eq!(read(wire.chunks(1)), (usual_seen(), Ok(())));
}

#[test]
fn an_end_within_a_message_is_an_error_and_between_messages_is_none() {
    let wire = usual();
    let first = event("contentBlockDelta", r#"{"delta":{"text":"é"}}"#).len();
    for length in 0..first {
        let expected = if length == 0 { Ok(()) } else { Err(EventStreamError::Truncated) };
        assert_eq!(read([&wire[..length]]), (Vec::new(), expected), "{length}");
    }
    assert_eq!(read([&wire[..first]]), (usual_seen()[..1].to_vec(), Ok(())));
}

#[test]
fn no_changed_byte_goes_unseen() {
    let wire = event("messageStop", r#"{"stopReason":"end_turn"}"#);
    for at in 0..wire.len() {
        let mut wrong = wire.clone();
        wrong[at] ^= 0x10;
        let (seen, end) = read([&wrong[..]]);
        assert_eq!((seen, end), (Vec::new(), Err(EventStreamError::Checksum)), "{at}");
    }
}

#[test]
fn headers_of_every_type_are_passed_over() {
    let mut headers = Vec::new();
    let values: [(u8, usize); 8] = [(0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)];
    for (kind, length) in values {
        headers.extend_from_slice(&[1, b'x', kind]);
        headers.extend(std::iter::repeat_n(7, length));
    }
    headers.extend_from_slice(&[1, b'b', 6, 0, 2, 9, 9]);
    headers.extend(string(":event-type", "metadata"));
    assert_eq!(read([&message(&headers, b"{}")[..]]), (vec![seen(MessageType::Event, "metadata", "{}")], Ok(())));
}

#[test]
fn headers_that_do_not_fit_their_length_or_have_no_known_type_are_malformed() {
    for headers in [&[5, b'x'][..], &[1, b'x'], &[1, b'x', 10], &[1, b'x', 7, 0, 9, b'y'], &[1, b'x', 9, 0]] {
        assert_eq!(read([&message(headers, b"")[..]]), (Vec::new(), Err(EventStreamError::Malformed)), "{headers:?}");
    }
}

/// A prelude alone is enough to refuse.
fn prelude(total: u32, headers: u32) -> Vec<u8> {
    let mut out = [total.to_be_bytes(), headers.to_be_bytes()].concat();
    out.extend_from_slice(&crc32::of(&out).to_be_bytes());
    out
}

#[test]
fn lengths_beyond_the_bounds_are_refused_before_the_bytes_are_there() {
    const KIB: u32 = 1024;
    let most = 16 + 128 * KIB + 24 * KIB * KIB;
    let long = |headers: u32, payload: u32| {
        Err(EventStreamError::TooLong { headers: headers as usize, payload: payload as usize })
    };
    let rows = [
        (most, 128 * KIB, Err(EventStreamError::Truncated)),
        (most + 1, 128 * KIB, long(128 * KIB, 24 * KIB * KIB + 1)),
        (most, 128 * KIB + 1, long(128 * KIB + 1, 24 * KIB * KIB - 1)),
        (15, 0, Err(EventStreamError::Malformed)),
        (20, 5, Err(EventStreamError::Malformed)),
    ];
    for (total, headers, expected) in rows {
        assert_eq!(read([&prelude(total, headers)[..]]), (Vec::new(), expected), "{total} {headers}");
    }
}

#[test]
fn nothing_comes_after_an_error() {
    let mut reader = EventStreamReader::default();
    reader.feed(&[0; 12]);
    assert_eq!(reader.next(), Some(Err(EventStreamError::Checksum)));
    reader.feed(&event("metadata", "{}"));
    assert_eq!(reader.next(), None);
    assert_eq!(reader.finish(), Err(EventStreamError::Checksum));
}

#[test]
fn the_reader_keeps_no_more_than_a_message() {
    let mut reader = EventStreamReader::default();
    let long = event("contentBlockDelta", &"x".repeat(1 << 20));
    for _ in 0..20 {
        reader.feed(&long);
        assert!(reader.next().is_some_and(|m| m.is_ok()));
    }
    assert!(reader.buffer.capacity() < 3 << 20, "{}", reader.buffer.capacity());
    reader.feed(&event("metadata", "{}"));
    assert!(reader.next().is_some_and(|m| m.is_ok()));
    assert!(reader.buffer.capacity() <= 4 * KEEP_BYTES, "{}", reader.buffer.capacity());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        _ = read([&data[..]]);
        // Headers of any bytes behind right checksums.
        _ = read([&message(&data, b"{}")[..]]);
    }
}
