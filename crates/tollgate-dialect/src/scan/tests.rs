use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;

fn accepts(text: &str) -> bool {
    let mut cursor = Cursor::new(text);
    cursor.value().and_then(|_| cursor.end()).is_ok()
}

fn walk(cursor: &mut Cursor<'_>, seen: &mut Vec<String>) -> Result<(), Bad> {
    match cursor.peek() {
        b'{' => cursor.members(|c, key| {
            seen.push(key.escaped().to_string());
            walk(c, seen)
        }),
        b'[' => cursor.items(|c| walk(c, seen)),
        _ => {
            seen.push(cursor.value()?.get().to_string());
            Ok(())
        }
    }
}

#[test]
fn json_is_accepted_and_nothing_else() {
    for good in [
        "null",
        " true ",
        "false",
        "0",
        "-0",
        "10",
        "1.5",
        "-1.5e+10",
        "1E3",
        r#""""#,
        r#""\u00e9\ud83d\n\"\/""#,
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[1,[2,{}],{\"a\":[]}]",
        "\t{\"a\" : 1 ,\n\"b\":[null]}\r\n",
        "\"ü€😀\"",
    ] {
        assert!(accepts(good), "{good}");
    }
    for bad in [
        "",
        " ",
        "nul",
        "truex",
        "01",
        "1.",
        ".5",
        "-",
        "+1",
        "1e",
        "1e+",
        "NaN",
        r#"""#,
        r#""\x""#,
        r#""\u12""#,
        r#""\u12g4""#,
        "\"\n\"",
        "\"\u{1}\"",
        "[",
        "]",
        "[1",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{a:1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1]",
        "[1}",
        "{} {}",
        "1,2",
        "'a'",
        "{\"a\" 1}",
        "{1:2}",
        "/**/1",
    ] {
        assert!(!accepts(bad), "{bad}");
    }
}

#[test]
fn strings_of_every_length_end_where_they_end() {
    for length in 0..40 {
        for tail in ["\"", "\\n\"", "\\\\\"", "é\""] {
            let text = format!("\"{}{tail},", "x".repeat(length));
            let token = Cursor::new(&text).value().unwrap();
            assert_eq!(token.get(), &text[..text.len() - 1]);
        }
        for control in ['\0', '\u{1f}', '\n'] {
            assert!(!accepts(&format!("\"{}{control}\"", "x".repeat(length))));
        }
    }
}

#[test]
fn a_walk_sees_every_key_and_value_in_order() {
    let text = r#" {"a":[1, {"b" : "x"}, []], "c":null} "#;
    let (mut cursor, mut seen) = (Cursor::new(text), Vec::new());
    walk(&mut cursor, &mut seen).unwrap();
    cursor.end().unwrap();
    assert_eq!(seen, ["a", "1", "b", "\"x\"", "c", "null"]);
}

#[test]
fn nesting_has_an_end() {
    let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    assert!(accepts(&nested(MAX_DEPTH)));
    assert!(!accepts(&nested(MAX_DEPTH + 1)));
    assert!(!accepts(&"[".repeat(1_000_000)));
    let mixed = format!("{}1{}", "[{\"a\":".repeat(60), "}]".repeat(60));
    assert!(accepts(&mixed));
}

fn json_like() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just(","),
            Just(":"),
            Just("\"a\""),
            Just("\"\\u00"),
            Just("\""),
            Just("\\"),
            Just("1"),
            Just("-0.5e3"),
            Just("true"),
            Just("null"),
            Just(" "),
            Just("\n"),
            Just("abcdefghij"),
            Just("é"),
        ],
        0..24,
    )
    .prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn it_agrees_with_serde_json_on_pieces_of_json(text in json_like()) {
        prop_assert_eq!(accepts(&text), serde_json::from_str::<&RawValue>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn it_agrees_with_serde_json_on_any_text(text in any::<String>(), quoted in any::<bool>()) {
        let text = if quoted { format!("\"{text}\"") } else { text };
        prop_assert_eq!(accepts(&text), serde_json::from_str::<&RawValue>(&text).is_ok(), "{}", text);
    }

    #[test]
    fn walking_and_passing_over_accept_the_same(text in json_like()) {
        let mut cursor = Cursor::new(&text);
        let walked = walk(&mut cursor, &mut Vec::new()).and_then(|()| cursor.end());
        prop_assert_eq!(walked.is_ok(), accepts(&text));
    }
}

#[test]
fn what_ends_a_run_of_plain_text_is_found_wherever_it_stands() {
    let ends = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // Neighbours that differ from what ends a run by one bit or by one.
    for plain in [b'a', b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa0, 0xa2, 0xdc, 0xff] {
        for length in [1, 7, 8, 9, 31, 32, 33, 40, 70] {
            for (at, byte) in (0..length).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
                let mut text = vec![plain; length];
                text[at] = byte;
                assert_eq!(plain_until(&text, 0), if ends(byte) { at } else { length }, "{text:?}");
                // Of several the first counts.
                text[length - 1] = b'"';
                assert_eq!(plain_until(&text, 0), if ends(byte) { at } else { length - 1 }, "{text:?}");
            }
        }
    }
}
