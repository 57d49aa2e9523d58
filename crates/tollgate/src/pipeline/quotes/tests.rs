use super::left_out;

const BODY: &str = r#"{"model": "a-model-with-a-very-long-name-1", "messages": [
    {"role": "user", "content": "Our secret plan is to buy the \"lighthouse\" at the northern cape before June."},
    {"role": "assistant", "tool_calls": [{"function": {"name": "a_tool_with_a_very_long_name_too", "arguments": "{\"path\": \"/home/ada/letters/to-grandmother.txt\"}"}}]}]}"#;

#[test]
fn what_an_error_quotes_of_the_requests_texts_is_left_out() {
    for (words, wanted) in [
        ("Invalid content: 'at the northern cape before June.'", "Invalid content: '[from the request]'"),
        // The body has a backslash before each quotation mark.
        (
            "`Our secret plan is to buy the \"lighthouse\" at the northern cape before` is refused",
            "`[from the request]\"lighthouse[from the request]` is refused",
        ),
        ("cannot read /home/ada/letters/to-grandmother.txt", "cannot read [from the request]"),
    ] {
        assert_eq!(left_out(words, BODY.as_bytes()), wanted);
    }
}

#[test]
fn names_short_pieces_and_what_is_not_of_the_request_stay() {
    for words in [
        "",
        "The model `a-model-with-a-very-long-name-1` does not exist",
        "the tool a_tool_with_a_very_long_name_too is unknown",
        "buy the northern cape",
        "prompt is too long: 214315 tokens > 200000 maximum",
        "Größe überschritten: zu viele Zeichen in der Anfrage",
    ] {
        assert_eq!(left_out(words, BODY.as_bytes()), words);
    }
}

#[test]
fn texts_of_any_script_and_bodies_that_break_off_are_no_trouble() {
    let body = "{\"content\": \"Приве́т, это очень секретный план и он длинный";
    let words = "ошибка: «это очень секретный план» — нет";
    let left = left_out(words, body.as_bytes());
    assert!(left.starts_with("ошибка: «") && left.ends_with("» — нет") && !left.contains("секрет"), "{left}");
    for cut in 0..BODY.len() {
        left_out("at the northern cape before June", &BODY.as_bytes()[..cut]);
    }
}
