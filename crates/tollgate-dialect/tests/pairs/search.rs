//! A search of the web by the provider: what each client's wish becomes before each upstream, and how the pages that an answer stands
//! on come back. Shapes are those of the vendors' references (November 2026).

use serde_json::{Value, json};
use tollgate_dialect::answer::{Context, Losses, Shaper};
use tollgate_dialect::event::Event;
use tollgate_dialect::frame::sse::{Piece, SseReader};
use tollgate_dialect::quirks::Quirks;
use tollgate_dialect::{
    AnswerHead, Collector, Dialect, StreamEncoder, Target, decode_request, decode_response, encode_request,
};

use crate::{BOTH, seal};

/// What a client sends that wants its model to search.
fn wish(client: Dialect) -> Value {
    let place = json!({"type": "approximate", "city": "Rome"});
    match client {
        Dialect::Messages => json!({"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 8, "allowed_domains": ["x.test"],
                "user_location": place}]}),
        Dialect::Chat => json!({"model": "m", "messages": [{"role": "user", "content": "hi"}],
            "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Rome"}}}}),
        Dialect::Responses => json!({"model": "m", "input": "hi",
            "tools": [{"type": "web_search", "filters": {"allowed_domains": ["x.test"]}, "user_location": place}]}),
        Dialect::Gemini => {
            json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}], "tools": [{"googleSearch": {}}]})
        }
        Dialect::Converse => Value::Null,
    }
}

/// The body and the changes, or why it is refused.
fn asked(client: Dialect, upstream: Dialect, plugin: bool) -> Result<(Value, Vec<String>), String> {
    written(client, &wish(client), upstream, plugin)
}

fn written(client: Dialect, wish: &Value, upstream: Dialect, plugin: bool) -> Result<(Value, Vec<String>), String> {
    let mut quirks = Quirks { web_plugin: plugin, ..Quirks::default() };
    quirks.messages.genuine = true;
    let seal = seal();
    let target = Target {
        model: "up",
        label: "acme/up",
        quirks: &quirks,
        drop_params: false,
        max_output_tokens: None,
        stream: false,
        seal: &seal,
    };
    let body = wish.to_string();
    let request = decode_request(client, body.as_bytes()).expect("a request");
    let encoded = encode_request(upstream, &request, &target).map_err(|error| error.to_string())?;
    let body = serde_json::from_slice(&encoded.body).expect("JSON");
    Ok((body, encoded.changes.iter().map(ToString::to_string).collect()))
}

/// Whether the client's wish says this; chat's options and Google's tool know no domains, and Google's no place.
fn says(client: Dialect) -> (bool, bool) {
    (matches!(client, Dialect::Messages | Dialect::Responses), client != Dialect::Gemini)
}

#[test]
fn a_messages_target_searches_with_anthropics_own_tool() {
    for client in BOTH {
        let (body, changes) = asked(client, Dialect::Messages, false).expect("a body");
        let tool = &body["tools"][0];
        assert_eq!((&tool["type"], &tool["name"]), (&json!("web_search_20250305"), &json!("web_search")), "{client:?}");
        let (domains, place) = says(client);
        assert_eq!(tool.get("allowed_domains").is_some(), domains, "{client:?}: {tool}");
        assert_eq!(tool["user_location"]["city"] == "Rome", place, "{client:?}: {tool}");
        assert_eq!(changes, Vec::<String>::new(), "{client:?}");
    }
}

#[test]
fn a_responses_target_searches_with_openais_own_tool() {
    for client in BOTH {
        let (body, changes) = asked(client, Dialect::Responses, false).expect("a body");
        let tool = &body["tools"][0];
        assert_eq!(
            (&tool["type"], body["tools"].as_array().map(Vec::len)),
            (&json!("web_search"), Some(1)),
            "{client:?}"
        );
        let (domains, place) = says(client);
        assert_eq!(tool["filters"]["allowed_domains"] == json!(["x.test"]), domains, "{client:?}: {tool}");
        assert_eq!(
            tool["user_location"] == json!({"type": "approximate", "city": "Rome"}),
            place,
            "{client:?}: {tool}"
        );
        assert_eq!(body["max_tool_calls"] == 8, client == Dialect::Messages, "{client:?}: {body}");
        assert_eq!(changes, Vec::<String>::new(), "{client:?}");
    }
}

#[test]
fn gemini_searches_with_googles_and_tells_what_it_cannot_be_limited_to() {
    for client in BOTH {
        let (body, changes) = asked(client, Dialect::Gemini, false).expect("a body");
        assert_eq!(body["tools"], json!([{"googleSearch": {}}]), "{client:?}");
        let (domains, place) = says(client);
        let told = [(domains, "dropped:allowed_domains"), (place, "dropped:user_location")];
        let told: Vec<&str> = told.into_iter().filter(|(said, _)| *said).map(|(_, change)| change).collect();
        assert_eq!(changes, told, "{client:?}");
    }
}

#[test]
fn openrouter_searches_with_its_plugin_and_other_chat_servers_refuse() {
    for client in [Dialect::Messages, Dialect::Responses, Dialect::Gemini] {
        let (body, _) = asked(client, Dialect::Chat, true).expect("a body");
        assert_eq!((&body["plugins"], body.get("tools")), (&json!([{"id": "web"}]), None), "{client:?}");
        let refused = asked(client, Dialect::Chat, false).expect_err("no search");
        assert!(refused.contains("acme/up has no web search"), "{client:?}: {refused}");
    }
    let (body, _) = asked(Dialect::Chat, Dialect::Chat, false).expect("a body");
    assert_eq!(body["web_search_options"], wish(Dialect::Chat)["web_search_options"]);
}

#[test]
fn a_search_that_would_run_in_every_request_is_left_out_beside_other_tools() {
    let mut body = wish(Dialect::Messages);
    let look = json!({"name": "look", "input_schema": {"type": "object", "properties": {}}});
    body["tools"].as_array_mut().expect("tools").push(look);
    let (sent, changes) = written(Dialect::Messages, &body, Dialect::Chat, true).expect("a body");
    assert_eq!((sent.get("plugins"), &sent["tools"][0]["function"]["name"]), (None, &json!("look")));
    assert_eq!(changes, ["dropped:web_search"]);
}

#[test]
fn converse_has_no_search_and_says_so() {
    for client in BOTH {
        let refused = asked(client, Dialect::Converse, false).expect_err("no search");
        assert!(refused.contains("acme/up"), "{client:?}: {refused}");
    }
}

const TEXT: &str = "It rains in Rome.";
const URL: &str = "https://x.test/rome";

/// An answer that stands on a page, in the upstream's own form.
fn answer(upstream: Dialect) -> Value {
    match upstream {
        Dialect::Messages => {
            json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "up", "stop_reason": "end_turn",
            "content": [{"type": "text", "text": TEXT, "citations": [{"type": "web_search_result_location", "url": URL,
                "title": "Rome", "encrypted_index": "Eo8B", "cited_text": "rain"}]}],
            "usage": {"input_tokens": 1, "output_tokens": 1, "server_tool_use": {"web_search_requests": 2}}})
        }
        Dialect::Chat => {
            json!({"id": "1", "object": "chat.completion", "choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": TEXT, "annotations": [{"type": "url_citation",
                "url_citation": {"url": URL, "title": "Rome", "start_index": 3, "end_index": 8}}]}}]})
        }
        Dialect::Responses => json!({"id": "resp_1", "object": "response", "status": "completed", "output": [
            {"id": "ws_1", "type": "web_search_call", "status": "completed"},
            {"id": "ws_2", "type": "web_search_call", "status": "completed"},
            {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TEXT, "annotations": [
                {"type": "url_citation", "url": URL, "title": "Rome", "start_index": 3, "end_index": 8}]}]}]}),
        Dialect::Gemini => {
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": TEXT}]}, "finishReason": "STOP",
            "groundingMetadata": {"webSearchQueries": ["a", "b"], "groundingChunks": [{"web": {"uri": URL, "title": "Rome"}}],
                "groundingSupports": [{"segment": {"endIndex": 17, "text": TEXT}, "groundingChunkIndices": [0]}]}}]})
        }
        Dialect::Converse => Value::Null,
    }
}

fn head() -> AnswerHead {
    AnswerHead {
        id: "ours".into(),
        model: "asked".into(),
        stream_usage: true,
        family: "acme".into(),
        ..AnswerHead::default()
    }
}

fn events(upstream: Dialect, answer: &Value) -> Vec<Event<'static>> {
    let (mut shaper, mut shaped) = (Shaper::new(Context::default()), Vec::new());
    decode_response(upstream, answer.to_string().as_bytes(), &Quirks::default(), &mut |event| {
        shaper.push(event, &mut |event| shaped.push(event.into_owned())).expect("an answer");
    })
    .expect("an answer");
    shaper.finish(&mut |event| shaped.push(event.into_owned())).expect("an answer");
    shaped
}

fn whole(client: Dialect, events: &[Event<'static>]) -> Value {
    let mut collector = Collector::new(client, head(), seal());
    events.iter().for_each(|event| collector.push(event));
    serde_json::from_slice(&collector.finish()).expect("JSON")
}

/// The data of all frames.
fn streamed(client: Dialect, events: &[Event<'static>]) -> Vec<Value> {
    let (mut encoder, mut out) = (StreamEncoder::new(client, head(), seal()), Vec::new());
    events.iter().for_each(|event| encoder.push(event, &mut out));
    encoder.finish(&mut out);
    let mut reader = SseReader::default();
    reader.feed(&out);
    let mut frames = Vec::new();
    while let Some(piece) = reader.finish() {
        if let Piece::Frame(frame) = piece.expect("frames") {
            frames.extend(serde_json::from_slice::<Value>(frame.data));
        }
    }
    frames
}

/// The citation of a whole answer.
fn cited(client: Dialect, answer: &Value) -> Value {
    match client {
        Dialect::Messages => answer["content"][0]["citations"][0].clone(),
        Dialect::Chat => answer["choices"][0]["message"]["annotations"][0].clone(),
        Dialect::Responses => answer["output"][0]["content"][0]["annotations"][0].clone(),
        Dialect::Gemini => answer["candidates"][0]["groundingMetadata"]["groundingChunks"][0].clone(),
        Dialect::Converse => Value::Null,
    }
}

/// The same of a stream.
fn cited_in_stream(client: Dialect, frames: &[Value]) -> Value {
    let found = frames.iter().find_map(|frame| match client {
        Dialect::Messages => frame["delta"].get("citation"),
        Dialect::Chat => frame["choices"][0]["delta"]["annotations"].get(0),
        Dialect::Responses => frame.get("annotation"),
        Dialect::Gemini => frame["candidates"][0]["groundingMetadata"]["groundingChunks"].get(0),
        Dialect::Converse => None,
    });
    found.cloned().unwrap_or_default()
}

/// As the client's dialect has it. Whole sentences are 17 characters; OpenAI tells which of them.
fn expected(client: Dialect, upstream: Dialect) -> Value {
    let openai = matches!(upstream, Dialect::Chat | Dialect::Responses);
    let (from, to) = if openai { (3, 8) } else { (0, 17) };
    match client {
        Dialect::Messages if upstream == Dialect::Messages => answer(upstream)["content"][0]["citations"][0].clone(),
        Dialect::Messages => {
            json!({"type": "web_search_result_location", "url": URL, "title": "Rome", "encrypted_index": "",
            "cited_text": if upstream == Dialect::Gemini { TEXT } else { "" }})
        }
        Dialect::Chat => json!({"type": "url_citation",
            "url_citation": {"url": URL, "title": "Rome", "start_index": from, "end_index": to}}),
        Dialect::Responses => {
            json!({"type": "url_citation", "url": URL, "title": "Rome", "start_index": from, "end_index": to})
        }
        Dialect::Gemini => json!({"web": {"uri": URL, "title": "Rome"}}),
        Dialect::Converse => Value::Null,
    }
}

#[test]
fn a_page_that_an_answer_stands_on_reaches_every_client_from_every_upstream() {
    for upstream in BOTH {
        let events = events(upstream, &answer(upstream));
        for client in BOTH {
            let whole = whole(client, &events);
            assert_eq!(cited(client, &whole), expected(client, upstream), "{upstream:?} to {client:?}: {whole}");
            let frames = streamed(client, &events);
            assert_eq!(
                cited_in_stream(client, &frames),
                expected(client, upstream),
                "{upstream:?} to {client:?}, streamed"
            );
            let mut losses = Losses::new(client);
            events.iter().for_each(|event| losses.note(event));
            assert_eq!(losses.take(), [], "{upstream:?} to {client:?}");
        }
    }
}

#[test]
fn the_last_event_of_a_responses_stream_cites_as_well() {
    let frames = streamed(Dialect::Responses, &events(Dialect::Gemini, &answer(Dialect::Gemini)));
    let last = &frames.last().expect("frames")["response"];
    assert_eq!(cited(Dialect::Responses, last), expected(Dialect::Responses, Dialect::Gemini));
}

#[test]
fn a_messages_client_is_told_how_often_was_searched() {
    for upstream in [Dialect::Messages, Dialect::Responses, Dialect::Gemini] {
        let whole = whole(Dialect::Messages, &events(upstream, &answer(upstream)));
        assert_eq!(whole["usage"]["server_tool_use"]["web_search_requests"], 2, "{upstream:?}: {whole}");
    }
}

#[test]
fn a_place_in_a_document_has_a_form_in_anthropics_dialect_alone_and_is_told_elsewhere() {
    let own = json!({"type": "char_location", "cited_text": "rain", "document_index": 0, "document_title": "Rome",
        "start_char_index": 3, "end_char_index": 7});
    let mut answer = answer(Dialect::Messages);
    answer["content"][0]["citations"] = json!([own]);
    let events = events(Dialect::Messages, &answer);
    assert_eq!(cited(Dialect::Messages, &whole(Dialect::Messages, &events)), own);
    for client in [Dialect::Chat, Dialect::Responses, Dialect::Gemini] {
        assert_eq!(cited(client, &whole(client, &events)), Value::Null, "{client:?}");
        let mut losses = Losses::new(client);
        events.iter().for_each(|event| losses.note(event));
        let told: Vec<String> = losses.take().iter().map(ToString::to_string).collect();
        assert_eq!(told, ["dropped:citations"], "{client:?}");
    }
}
