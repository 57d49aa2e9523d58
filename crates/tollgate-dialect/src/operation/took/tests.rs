use super::*;

const T: u64 = ONE;

#[test]
fn s33_fractional_counts_are_kept_exactly_and_rounded_for_the_client() {
    let answer = r#"{"created": 1, "data": [{"b64_json": "aGk="}],  "usage": {"input_tokens": 12.5, "output_tokens": 1056.25,
        "total_tokens": 1068.75, "input_tokens_details": {"image_tokens": 2.5, "text_tokens": 1e1}}}"#;
    let mut took = Took::default();
    took.read(Operation::ImageGenerations, answer);
    assert_eq!((took.input, took.output), (Some(12_500_000_000), Some(1_056_250_000_000)));
    assert_eq!((took.input_image, took.images), (2_500_000_000, T));
    assert_eq!(took.output_image, 1_056_250_000_000, "nothing else came back");
    assert_eq!((took.rounded().input, took.rounded().output), (Some(13), Some(1056)));
    let expected = answer.replace("12.5", "13").replace("1056.25", "1056").replace("1068.75", "1069");
    let expected = expected.replace(": 2.5", ": 3").replace("1e1", "10");
    assert_eq!(String::from_utf8(rounded(answer).unwrap()).unwrap(), expected);
}

#[test]
fn whole_counts_and_what_is_no_count_of_tokens_keep_their_bytes() {
    for answer in [
        r#"{"usage": {"prompt_tokens": 8, "total_tokens": 8, "cost": 0.25}}"#,
        r#"{"usage": {"type": "duration", "seconds": 3.5}}"#,
        r#"{"usage": {"prompt_tokens": null, "total_tokens": "many"}}"#,
        r#"{"usage": null}"#,
        r#"{"usage": [1.5]}"#,
        r#"{"data": []}"#,
        "no JSON",
    ] {
        assert_eq!(rounded(answer), None, "{answer}");
    }
}

#[test]
fn what_cannot_be_read_is_not_known() {
    for answer in [r#"{"usage": "none"}"#, r#"{"usage": {"input_tokens": {}}}"#, r#"{"usage": 5}"#, "{"] {
        let mut took = Took::default();
        took.read(Operation::Embeddings, answer);
        assert_eq!(took, Took::default(), "{answer}");
    }
}

#[test]
fn each_endpoint_says_in_its_own_way_what_it_took() {
    let read = |operation, answer: &str| {
        let mut took = Took::default();
        took.read(operation, answer);
        took
    };
    let jina = read(Operation::Rerank, r#"{"results": [], "usage": {"total_tokens": 815}}"#);
    assert_eq!(jina.input, Some(815 * T));
    let cohere = read(Operation::Rerank, r#"{"results": [], "meta": {"billed_units": {"search_units": 2.0}}}"#);
    assert_eq!(cohere.queries, 2 * T);
    let heard = read(Operation::Transcriptions, r#"{"text": "hi", "usage": {"type": "duration", "seconds": 3}}"#);
    assert_eq!(heard.seconds, 3 * T);
    let verbose = read(Operation::Transcriptions, r#"{"duration": 8.470000267028809, "text": "hi"}"#);
    assert_eq!(verbose.seconds, 8_470_000_267);
    let streamed = read(Operation::ImageEdits, r#"{"type": "image_edit.completed", "b64_json": "aGk="}"#);
    assert_eq!(streamed.images, T);
    assert_eq!(Took::asked(Operation::Speech, r#"{"model": "m", "input": "h\u00e9 \"x\""}"#).characters, 6 * T);
}

#[test]
fn a_stream_is_complete_when_its_last_event_says_so() {
    for event in [
        r#"{"type": "image_generation.completed"}"#,
        r#"{"type": "transcript.text.done"}"#,
        r#"{"choices": [{"text": "", "finish_reason": "stop"}]}"#,
    ] {
        assert!(is_complete(event), "{event}");
    }
    for event in
        [r#"{"type": "image_generation.partial_image"}"#, r#"{"choices": [{"text": "a", "finish_reason": null}]}"#, "x"]
    {
        assert!(!is_complete(event), "{event}");
    }
}

#[test]
fn what_goes_into_a_cache_is_a_part_of_the_input() {
    let answer = r#"{"object": "response.compaction", "output": [], "usage": {"input_tokens": 100, "output_tokens": 7, "total_tokens": 107,
        "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20}, "output_tokens_details": {"reasoning_tokens": 0}}}"#;
    let mut took = Took::default();
    took.read(Operation::Compact, answer);
    let expected =
        Usage { cache_read: Some(30), cache_write: Some(20), ..Usage::from_totals(Some(50), None, None, Some(7)) };
    assert_eq!(took.rounded(), expected);
}
