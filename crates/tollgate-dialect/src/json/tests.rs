use proptest::prelude::*;

use super::*;

/// The text whose token is `"` + escaped + `"`.
fn token(escaped: &str) -> Text<'static> {
    Text::of_token(&format!("\"{escaped}\"")).unwrap().into_owned()
}

fn text_of(json: &str) -> Result<Text<'_>, serde_json::Error> {
    serde_json::from_str(json)
}

// ---- text

#[test]
fn a_text_keeps_the_escapes_it_came_with() {
    for escaped in ["", "plain", r"a\nb", r"\u00e9 é", r"\/", r"cut \ud83d here", r"\ud83e\udd80", r#"\"\\"#] {
        let json = format!(" \"{escaped}\" ");
        assert_eq!(text_of(&json).unwrap().escaped(), escaped);
    }
    for no_string in ["1", "null", "{}", "[\"a\"]", "\"open", "\"bad \\x\""] {
        assert!(text_of(no_string).is_err(), "{no_string}");
    }
}

#[test]
fn a_text_borrows_from_its_document() {
    let body = r#"{"a":"x\ny"}"#;
    #[derive(serde::Deserialize)]
    struct Document<'a> {
        #[serde(borrow)]
        a: Text<'a>,
    }
    let document: Document<'_> = serde_json::from_str(body).unwrap();
    assert!(body.as_bytes().as_ptr_range().contains(&document.a.escaped().as_ptr()));
}

#[test]
fn decoding_reads_every_escape() {
    let escaped = r#"\"\\\/\b\f\n\r\t\u0041\u00e9\ud83e\udd80 é🦀"#;
    assert_eq!(token(escaped).decode(), "\"\\/\u{8}\u{c}\n\r\tAé🦀 é🦀");
}

#[test]
fn lone_surrogates_decode_to_the_replacement_character() {
    for (escaped, expected) in [
        (r"cut \ud83d here", "cut \u{FFFD} here"),
        (r"\udd80\ud83e", "\u{FFFD}\u{FFFD}"),
        (r"\ud83d\ud83e\udd80", "\u{FFFD}🦀"),
        (r"\ud83d\n\u0041\/", "\u{FFFD}\nA/"),
        (r"\ud83d", "\u{FFFD}"),
    ] {
        assert_eq!(token(escaped).decode(), expected, "{escaped}");
    }
}

proptest! {
    #[test]
    fn plain_text_survives_escaping(text in any::<String>()) {
        let escaped = Text::plain(&text);
        prop_assert_eq!(escaped.decode(), text.as_str());
        prop_assert_eq!(serde_json::from_str::<String>(&format!("\"{}\"", escaped.escaped())).unwrap(), text);
    }

    #[test]
    fn joined_escapes_are_the_escape_of_the_joined(a in any::<String>(), b in any::<String>()) {
        let mut both = Text::plain(&a);
        both.push(&Text::plain(&b));
        prop_assert_eq!(both, Text::plain(&format!("{a}{b}")));
    }

    #[test]
    fn decoding_any_valid_token_never_panics(escaped in r#"(\\u[d][89c-f][0-9a-f]{2}|\\n|\\u00e9|[a-zé🦀 ]){0,8}"#) {
        let token = token(&escaped);
        prop_assert_eq!(token.decode().is_empty(), escaped.is_empty());
    }
}

#[test]
fn blank_is_nothing_but_white_space_however_it_is_written() {
    for (escaped, blank) in [("", true), (r" \n\t\u0020", true), ("\u{a0}", true), (r" \u0041", false), ("x", false)] {
        assert_eq!(token(escaped).is_blank(), blank, "{escaped:?}");
    }
}

#[test]
fn texts_are_joined_with_a_separator_between() {
    let pieces = [Text::literal("a"), Text::literal(r"\n"), Text::literal("c")];
    assert_eq!(Text::join(&pieces, &Text::literal(", ")).escaped(), r"a, \n, c");
    assert_eq!(Text::join(&pieces[..1], &Text::literal(", ")).escaped(), "a");
    assert_eq!(Text::join(&[], &Text::literal(", ")), Text::EMPTY);
}

#[test]
fn only_a_string_token_has_an_inside() {
    assert_eq!(Text::of_token("\"a\""), Some(Text::literal("a")));
    for other in ["a", "\"", "", "1", "{\"a\":1}"] {
        assert_eq!(Text::of_token(other), None, "{other}");
    }
}

// ---- values

#[test]
fn a_value_keeps_its_bytes() {
    for json in ["0.10", "1e400", "12345678901234567890123", r#"{"z":1, "a": [ ]}"#, r#""\ud83d""#, "null"] {
        assert_eq!(Json::parse(&format!(" {json} ")).unwrap().get(), json);
    }
    assert!(Json::parse("{").is_err() && Json::parse("1 2").is_err());
}

#[test]
fn counts_are_read_from_numbers_and_from_numbers_in_strings() {
    for (json, count) in [
        ("12", Some(12)),
        ("\"12\"", Some(12)),
        ("12.5", Some(13)),
        ("\"12.4\"", Some(12)),
        ("1e3", Some(1000)),
        ("0", Some(0)),
        ("-1", None),
        ("1e999", None),
        ("null", None),
        ("true", None),
        ("\"\"", None),
        ("\"NaN\"", None),
        ("{}", None),
        ("[1]", None),
    ] {
        assert_eq!(Json::literal(json).as_count(), count, "{json}");
    }
}

#[test]
fn kinds_are_told_by_the_first_byte() {
    let kinds = |json| {
        let json = Json::literal(json);
        (json.is_null(), json.is_object(), json.is_array(), json.as_bool(), json.as_text().is_some())
    };
    assert_eq!(kinds("null"), (true, false, false, None, false));
    assert_eq!(kinds("{}"), (false, true, false, None, false));
    assert_eq!(kinds("[]"), (false, false, true, None, false));
    assert_eq!(kinds("true"), (false, false, false, Some(true), false));
    assert_eq!(kinds("\"x\""), (false, false, false, None, true));
}

// ---- writing

#[test]
fn commas_come_by_themselves() {
    let mut json = Writer::default();
    json.open_object()
        .key("a")
        .number(1)
        .key("b")
        .open_array()
        .bool(true)
        .null()
        .str("x\"y")
        .open_object()
        .close_object();
    json.close_array().key("c").text(&Text::literal("")).key("d").json(&Json::literal("[1,2]"));
    json.key("e").json_in_string(&Json::literal("{\"k\":1}")).close_object();
    assert_eq!(
        String::from_utf8(json.out).unwrap(),
        r#"{"a":1,"b":[true,null,"x\"y",{}],"c":"","d":[1,2],"e":"{\"k\":1}"}"#
    );
}

#[test]
fn values_that_end_like_a_separator_are_followed_by_a_comma() {
    let mut json = Writer::default();
    json.open_array();
    for text in ["{", "[", ":", ",", " ", ""] {
        json.str(text);
    }
    json.close_array();
    assert_eq!(json.out, br#"["{","[",":",","," ",""]"#);
}

#[test]
fn a_writer_can_go_on_after_other_bytes() {
    let mut json = Writer { out: b"data: ".to_vec() };
    json.open_object().close_object();
    json.out.extend_from_slice(b"\n\ndata: ");
    json.open_object().close_object();
    assert_eq!(json.out, b"data: {}\n\ndata: {}");
}

// ---- members

#[test]
fn an_object_is_cut_into_its_members_in_order() {
    let body = " { \"a\" : 1 ,\"b\":\"x, }\\\" y\",\"c\":{\"d\":[1,{\"e\":\"]\"}]}, \"a\":null,\"long name with ] and } inside\":[ ] } \n";
    let expected = [
        ("a", "1"),
        ("b", "\"x, }\\\" y\""),
        ("c", "{\"d\":[1,{\"e\":\"]\"}]}"),
        ("a", "null"),
        ("long name with ] and } inside", "[ ]"),
    ];
    assert_eq!(members(body).unwrap(), expected);
    assert_eq!(members("{}").unwrap(), []);
}

#[test]
fn what_is_no_object_is_not_cut() {
    let broken = [
        "",
        " ",
        "[]",
        "1",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":}",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":1}x",
        "{\"a\":\"x}",
        "{\"a\":\"x\\",
        "{\"a\":[}",
        "{,}",
    ];
    for body in broken {
        assert_eq!(members(body), Err(Uncut::NoObject), "{body}");
    }
}

#[test]
fn nesting_up_to_the_limit_passes_and_beyond_it_does_not() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(members(&nested(MAX_DEPTH - 1)).is_ok());
    assert_eq!(members(&nested(MAX_DEPTH)), Err(Uncut::TooDeep));
    assert_eq!(members(&"{\"a\":".repeat(MAX_DEPTH + 1)), Err(Uncut::TooDeep));
    assert!(members(&format!("{{\"a\":[{}]}}", ["[[]]"; 1000].join(","))).is_ok(), "depth, not number");
    let brackets = "[".repeat(MAX_DEPTH + 1);
    assert!(members(&format!("{{\"a\":\"\\\"{brackets}\"}}")).is_ok(), "brackets in strings do not nest");
}
