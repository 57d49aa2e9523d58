use super::*;

fn read(text: &str) -> Node {
    parse(text, 0).expect("is YAML")
}

fn fails(text: &str) -> (usize, usize, String) {
    let error = parse(text, 0).expect_err("is refused");
    (error.at.line, error.at.column, error.message)
}

fn at<'n>(node: &'n Node, path: &[&str]) -> &'n Node {
    path.iter().fold(node, |node, key| match &node.value {
        Value::Map(map) => map.get(key).expect("is there"),
        Value::List(items) => &items[key.parse::<usize>().expect("is an index")],
        _ => panic!("no {key}"),
    })
}

#[test]
fn everything_knows_its_place() {
    let node = read("# comment\nlist:\n  - name: x\n    deep: {a: 1, b: [2, 3]}\n");
    let place = |path: &[&str]| (at(&node, path).at.line, at(&node, path).at.column);
    assert_eq!(place(&["list", "0", "name"]), (3, 11));
    assert_eq!(place(&["list", "0", "deep", "b", "1"]), (4, 25));
}

#[test]
fn plain_scalars_mean_what_they_mean_to_pyyaml() {
    let of = |text: &str| at(&read(&format!("v: {text}\n")), &["v"]).value.clone();
    for yes in ["true", "Yes", "on", "ON"] {
        assert_eq!(of(yes), Value::Bool(true), "{yes}");
    }
    for no in ["false", "NO", "off"] {
        assert_eq!(of(no), Value::Bool(false), "{no}");
    }
    for (text, number) in [
        ("12", "12"),
        ("-3", "-3"),
        ("+3", "3"),
        ("1_000", "1000"),
        ("012", "10"),
        ("0x1F", "31"),
        ("0b101", "5"),
        ("0.0000025", "0.0000025"),
        ("2.5e-6", "2.5e-6"),
        ("1e-06", "1e-06"),
        (".5", "0.5"),
        ("7.", "7"),
    ] {
        assert_eq!(of(text), Value::Number(number.into()), "{text}");
    }
    for text in ["12:30", "1.2.3", "2026-11-21", "089", "v1", "-x", "1e", "0.5.5", ".nan", "y", "sk-1234"] {
        assert_eq!(of(text), Value::Text(text.into()), "{text}");
    }
    for null in ["", "~", "null"] {
        assert_eq!(of(null), Value::Null, "{null}");
    }
    assert_eq!(of("\"12\""), Value::Text("12".into()));
    assert_eq!(of("'yes'"), Value::Text("yes".into()));
    assert_eq!(of("!!str 12"), Value::Text("12".into()));
}

#[test]
fn anchors_and_merges_keep_the_place_of_the_definition() {
    let node = read(
        "base: &b\n  key: one\n  both: base\nuse:\n  <<: *b\n  both: own\nlist: [*b]\nmany:\n  <<: [*b, {extra: 1}]\n",
    );
    assert_eq!(at(&node, &["use", "key"]).value, Value::Text("one".into()));
    assert_eq!(at(&node, &["use", "key"]).at.line, 2);
    assert_eq!(at(&node, &["use", "both"]).value, Value::Text("own".into()));
    let Value::Map(merged) = &at(&node, &["use"]).value else { panic!("a map") };
    assert_eq!(merged.entries.len(), 2, "what is overridden is gone");
    assert_eq!(at(&node, &["list", "0", "both"]).value, Value::Text("base".into()));
    assert_eq!(at(&node, &["many", "extra"]).value, Value::Number("1".into()));
}

#[test]
fn an_empty_file_is_nothing() {
    assert_eq!(read("").value, Value::Null);
    assert_eq!(read("# only a comment\n").value, Value::Null);
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(at(&read("\u{feff}a: 1\n"), &["a"]).value, Value::Number("1".into()));
}

#[test]
fn broken_files_are_refused_with_the_place() {
    let (line, column, message) = fails("a:\n\tb: 1\n");
    assert_eq!((line, column), (2, 1));
    assert!(message.contains("tab"), "{message}");

    let (line, column, message) = fails("a: 1\nb: 2\na: 3\n");
    assert_eq!((line, column), (3, 1));
    assert!(message.contains("twice") && message.contains("line 1"), "{message}");

    assert_eq!(fails("a: [1, 2\nb: 3\n").0, 2);
    assert_eq!(fails("a: 1\n---\nb: 2\n").0, 2);
    assert_eq!(fails("a: *nowhere\n").0, 1);
    assert_eq!(fails("a: &a [*a]\n").0, 1);
    assert_eq!(fails("a: !!python/object x\n").0, 1);
    assert_eq!(fails("? [a, b]\n: 1\n").0, 1);
    assert_eq!(fails("a: 1\n<<: 2\n").0, 2);
    assert_eq!(fails("a: 'open\n").0, 2);
}

#[test]
fn aliases_cannot_blow_up_the_tree() {
    let mut text = String::from("a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");
    for i in 1..10 {
        let p = i - 1;
        text.push_str(&format!("a{i}: &a{i} [*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p},*a{p}]\n"));
    }
    assert!(fails(&text).2.contains("too large"));
}

#[test]
fn deep_nesting_is_refused() {
    assert!(fails(&"[".repeat(5000)).2.contains("deep") || !fails(&"[".repeat(5000)).2.is_empty());
    assert!(fails(&format!("{}1{}", "[".repeat(70), "]".repeat(70))).2.contains("deep"));
}

#[test]
fn no_message_quotes_the_file() {
    for text in [
        "key: 'sk-canary\n",
        "key: *sk-canary\n",
        "key: [sk-canary\nx: 1\n",
        "key: @sk-canary\n",
        "key: sk-canary: x\n",
    ] {
        let error = parse(text, 0).expect_err("is refused");
        assert!(!format!("{error:?}").contains("canary"), "{text}: {error:?}");
    }
}
