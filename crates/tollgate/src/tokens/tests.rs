use base64::Engine;
use tollgate_dialect::answer::{Context, SAMPLE_BYTES, Shaper};
use tollgate_dialect::event::Event;
use tollgate_dialect::json::Json;
use tollgate_dialect::request::{Media, MediaKind, Role, Source, Thinking, ToolCall, ToolResult};

use super::*;

fn tokens(text: &str) -> u64 {
    text::count_text(&Text::plain(text))
}

fn part(text: &str) -> Part<'static> {
    Part::Text(TextPart { text: Text::plain(text), cache: None })
}

fn message(parts: Vec<Part<'static>>) -> Request<'static> {
    Request { messages: vec![Message { role: Role::User, parts }], ..Request::default() }
}

/// The overhead of a request with one message: the message's and the answer's.
const ONE: u64 = 2 * MESSAGE_TOKENS;

#[test]
fn counts_are_those_of_openais_examples() {
    // "How to count tokens with tiktoken" (OpenAI cookbook), the o200k_base rows; "hello world" from the tiktoken README.
    for (text, expected) in [
        ("hello world", 2),
        ("tiktoken is great!", 6),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 8),
        ("", 0),
    ] {
        assert_eq!(tokens(text), expected, "{text}");
    }
}

#[test]
fn escapes_are_counted_as_what_they_mean() {
    assert_eq!(text::count_text(&Text::literal("2\\u0020+ 2 = 4")), 7);
    assert_eq!(text::count_json("\"\\n\""), tokens("\"\\n\""));
}

#[test]
fn remembered_counts_equal_fresh_ones() {
    let texts: Vec<String> =
        (0..50).map(|n| format!("Line {n} of a conversation that goes on. ").repeat(n + 1)).collect();
    let first: Vec<u64> = texts.iter().map(|t| tokens(t)).collect();
    let second: Vec<u64> = texts.iter().map(|t| tokens(t)).collect();
    assert_eq!(first, second);
    // The same bytes as a text and as JSON are two different things.
    let bytes = "\\n".repeat(60);
    assert_ne!(text::count_text(&Text::of_token(&format!("\"{bytes}\"")).unwrap()), text::count_json(&bytes));
}

#[test]
fn every_part_of_a_request_counts() {
    let hello = || TextPart { text: Text::literal("hello world"), cache: None };
    let call = |input| {
        Part::ToolCall(ToolCall {
            id: Text::literal("x"),
            name: Text::literal("hello world"),
            input,
            namespace: None,
            state: None,
            cache: None,
        })
    };
    let schema = || Json::literal("{}");
    let braces = tokens("{}");
    assert_eq!(count_request(&Request::default()), MESSAGE_TOKENS);
    assert_eq!(count_request(&Request { system: vec![hello(), hello()], ..Request::default() }), ONE + 4);
    for (part, expected) in [
        (part("hello world"), 2),
        (Part::Refusal(Text::literal("hello world")), 2),
        (
            Part::Thinking(Thinking {
                text: Text::literal("hello world"),
                signature: Some(Text::literal("c2ln")),
                redacted: false,
            }),
            2,
        ),
        (call(ToolInput::Object(schema())), TOOL_TOKENS + 2 + braces),
        (call(ToolInput::Arguments(Text::literal("hello world"))), TOOL_TOKENS + 4),
        (
            Part::ToolResult(ToolResult {
                id: Text::literal("x"),
                content: vec![part("hello world")],
                is_error: false,
                cache: None,
            }),
            TOOL_TOKENS + 2,
        ),
        (
            Part::SearchResult {
                title: Text::literal("hello"),
                source: Text::literal("hello"),
                content: vec![hello()],
                cited: false,
                cache: None,
            },
            4,
        ),
        (Part::Server { kind: Text::literal("x"), fields: schema() }, braces),
        (Part::Unknown { kind: Text::literal("x") }, 0),
    ] {
        let request = message(vec![part.clone()]);
        assert_eq!(count_request(&request), ONE + expected, "{part:?}");
    }
    let tool = Tool {
        name: Text::literal("hello"),
        description: Some(Text::literal("hello world")),
        kind: ToolKind::Function { schema: Some(schema()) },
        strict: None,
        deferred: false,
        namespace: None,
        cache: None,
    };
    assert_eq!(
        count_request(&Request { tools: vec![tool], ..Request::default() }),
        MESSAGE_TOKENS + TOOL_TOKENS + 3 + braces
    );
}

#[test]
fn an_estimate_needs_only_lengths() {
    assert_eq!(estimate_request(&message(vec![part(&"x".repeat(400))])), ONE + 100);
}

fn media(kind: MediaKind, source: Source<'static>) -> u64 {
    let media = Media { kind, source, name: None, context: None, detail: None, cited: false, cache: None };
    count_request(&message(vec![Part::Media(media)])) - ONE
}

fn base64(media_type: &'static str, bytes: &[u8]) -> Source<'static> {
    let data = base64::engine::general_purpose::STANDARD.encode(bytes).replace('/', "\\/");
    Source::Base64 {
        media_type: Text::literal(media_type),
        data: Text::of_token(&format!("\"{data}\"")).unwrap().into_owned(),
    }
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.resize(20_000, 0xff);
    bytes
}

#[test]
fn an_image_costs_its_pixels_over_750_and_at_most_1600() {
    // Anthropic's own table: 200x200 is about 54 tokens, 1000x1000 about 1,334.
    for (width, height, expected) in [(200, 200, 54), (1000, 1000, 1334), (8000, 8000, 1600), (1, 1, 1)] {
        assert_eq!(media(MediaKind::Image, base64("image/png", &png(width, height))), expected);
    }
    // A JPEG whose size stands behind 60 KB of metadata.
    let mut jpeg = b"\xff\xd8\xff\xe1\xea\x60".to_vec();
    jpeg.resize(2 + 2 + 60_000, 0);
    jpeg.extend(b"\xff\xc0\x00\x11\x08\x01\x2c\x00\xfa\x03");
    jpeg.resize(80_000, 0);
    assert_eq!(media(MediaKind::Image, base64("image/jpeg", &jpeg)), 100);
}

#[test]
fn what_has_no_known_size_costs_a_documented_guess() {
    assert_eq!(media(MediaKind::Image, base64("image/png", b"not an image")), 1600);
    assert_eq!(media(MediaKind::Image, Source::Url(Text::literal("https://example.com/a.png"))), 1600);
    assert_eq!(media(MediaKind::Document, base64("application/pdf", &[0; 1000])), 2250);
    assert_eq!(media(MediaKind::Document, base64("application/pdf", &[0; 120_000])), 3 * 2250);
    assert_eq!(media(MediaKind::Document, base64("text/plain", &[0; 400])), 101);
    assert_eq!(media(MediaKind::Document, Source::Text(Text::literal("hello world"))), 2);
    assert_eq!(media(MediaKind::Document, Source::Blocks(vec![part("hello world")])), 2);
}

#[test]
fn an_answers_tokens_are_scaled_up_from_its_beginning() {
    let mut shaper = Shaper::new(Context::default());
    assert_eq!(count_output(shaper.sample()), 0);
    let mut say = |text: &str| shaper.push(Event::Text(Text::plain(text)), &mut |_| {}).unwrap();
    say("hello world");
    assert_eq!(count_output(shaper.sample()), 2);
    let mut shaper = Shaper::new(Context::default());
    // " hello" is one token of six bytes.
    for _ in 0..4 * SAMPLE_BYTES / 6 {
        shaper.push(Event::Text(Text::literal(" hello")), &mut |_| {}).unwrap();
    }
    let expected = 4 * SAMPLE_BYTES as u64 / 6;
    assert!(count_output(shaper.sample()).abs_diff(expected) * 100 <= expected);
}

#[test]
fn calibration_is_near_after_three_observations() {
    for ratio in [0.7, 1.0, 1.35, 1.9] {
        let calibration = Calibration::default();
        assert_eq!(calibration.calibrated(1000), 1000);
        for (ours, noise) in [(1000.0, 1.08), (5000.0, 0.95), (20_000.0, 0.98)] {
            calibration.observe((ours * ratio * noise) as u64, ours as u64);
        }
        let (got, expected) = (calibration.calibrated(10_000) as f64, 10_000.0 * ratio);
        assert!((got - expected).abs() <= expected / 10.0, "{got} for {expected}");
    }
}

#[test]
fn calibration_follows_a_changed_model_and_has_bounds() {
    let calibration = Calibration::default();
    for _ in 0..1000 {
        calibration.observe(1000, 1000);
    }
    for _ in 0..20 {
        calibration.observe(1500, 1000);
    }
    assert!((calibration.ratio() - 1.5).abs() < 0.02);
    for (upstream, bound) in [(1_000_000, 2.0), (1, 0.5)] {
        let calibration = Calibration::default();
        calibration.observe(upstream, 1000);
        assert_eq!(calibration.ratio(), bound);
    }
}

#[test]
fn short_prompts_and_missing_counts_teach_nothing() {
    let calibration = Calibration::default();
    calibration.observe(90, 50);
    calibration.observe(0, 5000);
    assert_eq!(calibration.ratio(), 1.0);
}

#[test]
fn s35_a_large_prompt_is_estimated_at_first_and_exact_once_it_is_known() {
    let body = format!(
        r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"{}"}}]}}"#,
        "let answer = compute(question, 42);\\n".repeat(4000)
    );
    let request = tollgate_dialect::decode_count_request(tollgate_dialect::Dialect::Messages, body.as_bytes()).unwrap();
    let exact = count_request(
        &tollgate_dialect::decode_count_request(
            tollgate_dialect::Dialect::Messages,
            br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
        )
        .unwrap(),
    );
    assert!(exact < 20, "and the vocabulary is loaded: {exact}");
    let rough = count_quickly(&request);
    assert!(!rough.exact, "140 KB of fresh text are not counted at once");
    let counted = count_request(&request);
    assert_eq!(count_quickly(&request), Counted { tokens: counted, exact: true });
    assert!(rough.tokens > counted / 2 && rough.tokens < counted * 2, "{} and {counted}", rough.tokens);
}
