use proptest::prelude::*;

use super::*;

/// A piece that owns its bytes: event, data, raw. A keep-alive has no event.
type Seen = (Option<String>, Vec<u8>, Vec<u8>);

fn owned(piece: Piece<'_>) -> Seen {
    match piece {
        Piece::Frame(f) => (Some(f.event.to_string()), f.data.to_vec(), f.raw.to_vec()),
        Piece::KeepAlive(raw) => (None, Vec::new(), raw.to_vec()),
    }
}

fn read<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Seen> {
    let mut reader = SseReader::default();
    let mut seen = Vec::new();
    for chunk in chunks {
        reader.feed(chunk);
        while let Some(piece) = reader.next() {
            seen.push(owned(piece.unwrap()));
        }
    }
    while let Some(piece) = reader.finish() {
        seen.push(owned(piece.unwrap()));
    }
    seen
}

/// The frames alone, as event and data.
fn frames(stream: &[u8]) -> Vec<(String, String)> {
    read([stream]).into_iter().filter_map(|(event, data, _)| Some((event?, String::from_utf8(data).unwrap()))).collect()
}

fn frame(event: &str, data: &str) -> (String, String) {
    (event.into(), data.into())
}

const STREAMS: &[&[u8]] = &[
    b"data: {\"a\":1}\n\ndata: [DONE]\n\n",
    b"event: message_start\ndata: {\"type\":\"message_start\"}\n\n: ping\n\nevent: ping\ndata: {}\n\n",
    b"event: a\r\ndata: 1\r\n\r\n: c\r\n\r\ndata:2\r\ndata:3\r\n\r\n",
    b"data: 1\rdata: 2\r\r\revent: x\r\rdata: 3",
    b"\xef\xbb\xbfdata: bom\n\n",
    b"\xef\xbbdata: half a bom\n\ndata: x\n\n",
    "data: {\"text\":\"héllo 世界 🦀\"}\n\nevent: é\ndata: ü\n\n".as_bytes(),
    b"data: mixed\n\r\ndata: ends\r\n\rdata: here\r\r\ndata: \r\n\n",
    b"id: 7\nretry: 10\n\ndata\n\ndata:\n\ndata:  two\n: inside\ndata: x\n\n",
    b"event: bad \xff name\ndata: \xff\xfe\n\n",
    b"\n\n\r\n\rdata: after blanks\n\n\n\n",
    b"{\"error\":{\"message\":\"no\"}}\n",
    b"data: cut\r",
    b": comment",
    b"",
];

#[test]
fn every_single_split_gives_the_same_pieces() {
    for stream in STREAMS {
        let whole = read([*stream]);
        for at in 0..=stream.len() {
            let (head, tail) = stream.split_at(at);
            assert_eq!(read([head, tail]), whole, "{:?} split at {at}", String::from_utf8_lossy(stream));
        }
        assert_eq!(read(stream.chunks(1)), whole, "{:?} byte by byte", String::from_utf8_lossy(stream));
    }
}

proptest! {
    #[test]
    fn random_chunks_of_random_bytes_give_the_same_pieces(
        lines in prop::collection::vec(
            prop_oneof![
                "data:? ?[a-z{}\"é🦀]{0,6}", "event: ?[a-z]{0,4}", ": ?[a-z]{0,3}", "[a-z:{ ]{0,5}", Just(String::new())
            ],
            0..14,
        ),
        ends in prop::collection::vec(prop_oneof![Just("\n"), Just("\r\n"), Just("\r")], 14),
        sizes in prop::collection::vec(1usize..9, 1..40),
    ) {
        let stream: Vec<u8> = lines.iter().zip(&ends).flat_map(|(line, end)| [line.as_bytes(), end.as_bytes()].concat()).collect();
        let mut rest = &stream[..];
        let mut chunks = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() { break; }
            let (head, tail) = rest.split_at((*size).min(rest.len()));
            chunks.push(head);
            rest = tail;
        }
        prop_assert_eq!(read(chunks), read([&stream[..]]));
    }
}

#[test]
fn a_frame_has_its_name_its_data_and_its_own_bytes() {
    let seen = read([&b"event: delta\ndata: {\"a\":1}\n\ndata: x\n\n"[..]]);
    assert_eq!(
        seen,
        [
            (Some("delta".into()), b"{\"a\":1}".to_vec(), b"event: delta\ndata: {\"a\":1}\n\n".to_vec()),
            (Some(String::new()), b"x".to_vec(), b"data: x\n\n".to_vec()),
        ]
    );
}

#[test]
fn line_feed_carriage_return_and_both_end_a_line() {
    for stream in [
        "event: e\ndata: 1\n\ndata: 2\n\n",
        "event: e\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n",
        "event: e\rdata: 1\r\rdata: 2\r\r",
    ] {
        assert_eq!(frames(stream.as_bytes()), [frame("e", "1"), frame("", "2")], "{stream:?}");
    }
}

#[test]
fn a_frame_is_not_held_up_by_the_line_end_of_the_next() {
    for stream in ["data: 1\n\n", "data: 1\r\n\r\n", "data: 1\r\r"] {
        let mut reader = SseReader::default();
        reader.feed(stream.as_bytes());
        assert!(matches!(reader.next(), Some(Ok(Piece::Frame(_)))), "{stream:?}");
    }
}

#[test]
fn one_space_after_the_colon_is_dropped_and_a_field_may_have_no_colon() {
    assert_eq!(
        frames(b"data:x\n\ndata: x\n\ndata:  x\n\ndata\n\n"),
        [frame("", "x"), frame("", "x"), frame("", " x"), frame("", "")]
    );
}

#[test]
fn data_lines_are_joined_by_line_feeds() {
    assert_eq!(frames(b"data: {\r\ndata:\r\ndata: }\r\n\r\ndata: 2\n\n"), [frame("", "{\n\n}"), frame("", "2")]);
}

#[test]
fn fields_may_come_in_any_order_with_others_between() {
    assert_eq!(frames(b"data: 1\nid: 3\n: c\nretry: 5\nevent: late\ndata: 2\n\n"), [frame("late", "1\n2")]);
}

#[test]
fn a_comment_is_a_keep_alive_at_once_even_without_its_blank_line() {
    let mut reader = SseReader::default();
    reader.feed(b": OPENROUTER PROCESSING\n");
    assert_eq!(reader.next(), Some(Ok(Piece::KeepAlive(b": OPENROUTER PROCESSING\n"))));
    assert_eq!(reader.next(), None);
    reader.feed(b"\ndata: 1\n\n");
    assert!(matches!(reader.next(), Some(Ok(Piece::Frame(Frame { data: b"1", .. })))));
}

#[test]
fn fields_without_meaning_are_a_keep_alive() {
    assert_eq!(read([&b"retry: 3000\n\n"[..]]), [(None, Vec::new(), b"retry: 3000\n\n".to_vec())]);
}

#[test]
fn a_name_without_data_is_a_frame() {
    assert_eq!(frames(b"event: ping\n\ndata: 1\n\n"), [frame("ping", ""), frame("", "1")]);
}

#[test]
fn the_last_frame_needs_no_blank_line() {
    for stream in ["data: 1", "data: 1\n", "data: 1\r", "data: 1\r\n", "data: 1\r\n\r"] {
        let mut reader = SseReader::default();
        reader.feed(stream.as_bytes());
        assert_eq!(reader.next(), None, "{stream:?}");
        assert!(matches!(reader.finish(), Some(Ok(Piece::Frame(Frame { data: b"1", .. })))), "{stream:?}");
        assert_eq!(reader.finish(), None);
    }
}

#[test]
fn a_byte_order_mark_is_skipped_only_at_the_start() {
    assert_eq!(frames("\u{feff}data: 1\n\n\u{feff}data: 2\n\n".as_bytes()), [frame("", "1")]);
}

#[test]
fn a_name_that_is_not_utf8_is_no_known_name() {
    assert_eq!(frames(b"event: \xff\ndata: 1\n\n"), [frame("\u{FFFD}", "1")]);
}

#[test]
fn a_bare_json_object_counts_as_data() {
    assert_eq!(frames(b"{\"error\":{\"message\":\"no\"}}\n"), [frame("", "{\"error\":{\"message\":\"no\"}}")]);
}

#[test]
fn a_frame_above_the_limit_is_an_error_and_ends_the_stream() {
    let mut reader = SseReader::default();
    let chunk = vec![b'x'; 1 << 20];
    reader.feed(b"data: ");
    let mut fed = 0;
    let error = loop {
        reader.feed(&chunk);
        fed += chunk.len();
        if let Some(piece) = reader.next() {
            break piece.unwrap_err();
        }
    };
    assert_eq!((error, fed), (SseError::TooLong, MAX_FRAME_BYTES));
    reader.feed(b"\n\ndata: 1\n\n");
    assert_eq!(reader.finish(), None);
    assert_eq!(reader.buffer.capacity(), 0);
}

#[test]
fn whole_frames_above_the_limit_are_refused_and_frames_at_it_are_not() {
    for (extra, fits) in [(0, true), (1, false)] {
        let mut stream = b"data: ".to_vec();
        stream.resize(MAX_FRAME_BYTES - 2 + extra, b'x');
        stream.extend_from_slice(b"\n\n");
        let mut reader = SseReader::default();
        reader.feed(&stream);
        assert_eq!(reader.next().unwrap().is_ok(), fits);
    }
}

#[test]
fn the_buffer_shrinks_after_a_large_frame() {
    let mut reader = SseReader::default();
    let line = [b"data: ".to_vec(), vec![b'x'; 4 << 20], b"\n".to_vec()].concat();
    reader.feed(&[&line[..], &line[..], b"\n"].concat());
    assert!(reader.next().is_some());
    for _ in 0..2 {
        reader.feed(b"data: small\n\n");
        assert!(reader.next().is_some());
    }
    assert!(reader.buffer.capacity() <= KEEP_BYTES && reader.joined.capacity() <= KEEP_BYTES);
}

#[test]
fn a_long_stream_of_small_frames_does_not_accumulate() {
    let mut reader = SseReader::default();
    for _ in 0..10_000 {
        reader.feed(b"data: {\"choices\":[{\"delta\":{\"content\":\"hello\"}}]}\n\ndata: {\"cho");
        assert!(reader.next().is_some());
        assert_eq!(reader.next(), None);
        reader.feed(b"ices\":[]}\n\n");
        assert!(reader.next().is_some());
    }
    assert!(reader.buffer.capacity() < 1024);
}
