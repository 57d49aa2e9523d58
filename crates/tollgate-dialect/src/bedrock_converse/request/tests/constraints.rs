//! What the service refuses, and what is sent instead.

use super::*;

#[test]
fn blank_text_is_never_sent() {
    let request = asking(json!({"system": [{"type": "text", "text": " \n"}], "messages": [
        {"role": "user", "content": [{"type": "text", "text": "  "}]},
        {"role": "assistant", "content": [{"type": "text", "text": "\n"}]},
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "so "}]}));
    let (body, _) = good(&request, &claude());
    assert_eq!(body["system"], Value::Null);
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [{"text": "hi"}]},
            // The end of a prefill must not be white space.
            {"role": "assistant", "content": [{"text": "so"}]}
        ])
    );
}

#[test]
fn the_user_begins_roles_alternate_and_empty_results_say_so() {
    let request = asking(json!({"tools": [tool("f")], "messages": [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}},
            {"type": "tool_use", "id": "b", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "text", "text": "also"}, {"type": "tool_result", "tool_use_id": "b"}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": " "}]}]}));
    let (body, _) = good(&request, &claude());
    let messages = body["messages"].as_array().expect("a list");
    let roles: Vec<&str> = messages.iter().filter_map(|m| m["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    let nothing = json!([{"text": "(no output)"}]);
    assert_eq!(
        messages[2]["content"],
        json!([{"toolResult": {"toolUseId": "a", "content": nothing}},
            {"toolResult": {"toolUseId": "b", "content": nothing}}, {"text": "also"}])
    );
}

#[test]
fn where_text_may_not_stand_beside_results_it_goes_into_the_last() {
    let mut messages = called();
    messages[2]["content"].as_array_mut().expect("a list").push(json!({"type": "text", "text": "and now?"}));
    let request = asking(json!({"messages": messages, "tools": [tool("f")]}));
    let converse = ConverseQuirks { text_beside_results: false, ..ConverseQuirks::default() };
    let (body, _) = good(&request, &Quirks { converse, ..Quirks::default() });
    assert_eq!(
        body["messages"][2]["content"],
        json!([{"toolResult": {"toolUseId": "toolu_1", "content": [{"text": "done"}, {"text": "and now?"}]}}])
    );
}

/// botocore 1.44.8: `[a-zA-Z0-9_.:-]+` up to 64 for ids, `[a-zA-Z0-9_-]+` up to 64 for names.
#[test]
fn ids_and_names_obey_the_patterns_and_stay_together() {
    let long = "n".repeat(70);
    let id = "call/1 ".repeat(12);
    let request = asking(json!({"tools": [tool(&long)], "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": long, "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "x"}]}]}));
    let (body, changes) = good(&request, &claude());
    let call = &body["messages"][1]["content"][0]["toolUse"];
    let (sent, name) = (call["toolUseId"].as_str().expect("an id"), call["name"].as_str().expect("a name"));
    assert!(sent.len() <= 64 && sent.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c)), "{sent}");
    assert!(name.len() == 64 && name.starts_with("nnnn"), "{name}");
    assert_eq!(body["messages"][2]["content"][0]["toolResult"]["toolUseId"], sent);
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["name"], name);
    assert_eq!(changes, ["rewritten:tool_use.id"]);

    let own = "tooluse_a.b:c-d";
    let mut messages = called();
    messages[1]["content"][0]["id"] = json!(own);
    messages[2]["content"][0]["tool_use_id"] = json!(own);
    let (body, _) = good(&asking(json!({"messages": messages, "tools": [tool("f")]})), &claude());
    assert_eq!(body["messages"][1]["content"][0]["toolUse"]["toolUseId"], own, "Bedrock's own ids stay");
}

#[test]
fn an_id_that_comes_again_is_told_apart_within_64_characters() {
    let id = "a".repeat(64);
    let call = json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "f", "input": {}}]});
    let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "x"}]});
    let messages = json!([{"role": "user", "content": "go"}, call, result, call, result]);
    let (body, _) = good(&asking(json!({"messages": messages, "tools": [tool("f")]})), &claude());
    let second = body["messages"][3]["content"][0]["toolUse"]["toolUseId"].as_str().expect("an id");
    assert!(second != id && second.len() <= 64, "{second}");
    assert_eq!(body["messages"][4]["content"][0]["toolResult"]["toolUseId"], second);
}

#[test]
fn documents_have_legal_unique_names_a_format_and_a_text_beside_them() {
    let document = |title: &str, kind: &str| json!({"type": "document", "title": title, "source": {"type": "base64", "media_type": kind, "data": "QUJD"}});
    let request = asking(json!({"messages": [{"role": "user", "content": [
        document("Rep_ort:  2.pdf", "application/pdf"), document("Rep_ort:  2.pdf", "application/pdf")]}]}));
    let (body, _) = good(&request, &claude());
    let content = &body["messages"][0]["content"];
    let doc = |name: &str| json!({"document": {"format": "pdf", "name": name, "source": {"bytes": "QUJD"}}});
    assert_eq!(
        content,
        &json!([doc("Rep-ort- 2-pdf"), doc("Rep-ort- 2-pdf (2)"), {"text": "(see the attached document)"}])
    );
}

#[test]
fn text_documents_are_files_of_text_where_documents_are_taken() {
    let request = asking(json!({"messages": [{"role": "user", "content": [
        {"type": "document", "title": "T", "context": "c", "source": {"type": "text", "media_type": "text/plain", "data": "é\n"}},
        {"type": "text", "text": "sum up"}]}]}));
    let (body, _) = good(&request, &claude());
    // "é\n" in UTF-8 is C3 A9 0A.
    assert_eq!(
        body["messages"][0]["content"],
        json!([{"text": "Context of the document below: c"},
            {"document": {"format": "txt", "name": "T", "source": {"bytes": "w6kK"}}}, {"text": "sum up"}])
    );
    let (body, _) = good(&request, &of(Maker::Other));
    assert_eq!(body["messages"][0]["content"], json!([{"text": "Document: T\nContext: c\n\né\n"}, {"text": "sum up"}]));
}

#[test]
fn what_cannot_be_sent_is_refused_with_its_place_and_noted_inside_results() {
    let image = json!({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}});
    let error = encoded(&asking(json!({"messages": [{"role": "user", "content": [image]}]})), &claude());
    assert_eq!(
        error.expect_err("refused"),
        "messages.0.content.0: files by URL are not supported by bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0; send the content"
    );
    let mut messages = called();
    messages[2]["content"][0]["content"] = json!([image]);
    let (body, changes) = good(&asking(json!({"messages": messages, "tools": [tool("f")]})), &claude());
    let text = &body["messages"][2]["content"][0]["toolResult"]["content"][0]["text"];
    assert_eq!(text, "[image omitted: files by URL are not supported by this model]");
    assert_eq!(changes, ["dropped:image"]);
    // A URL that holds its data needs no download.
    let inline = json!({"model": "m", "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}]}]});
    let (body, _) = from(Dialect::Chat, &inline, &claude()).expect("good");
    assert_eq!(body["messages"][0]["content"][0], json!({"image": {"format": "png", "source": {"bytes": "QUJD"}}}));
    let bitmap = json!({"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "QUJD"}});
    let error = encoded(&asking(json!({"messages": [{"role": "user", "content": [bitmap]}]})), &claude());
    assert!(error.expect_err("refused").contains("image/bmp"));
}

#[test]
fn media_that_results_cannot_hold_stand_behind_all_results() {
    let mut messages = called();
    messages[2]["content"][0]["content"] =
        json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}]);
    let (body, _) = good(&asking(json!({"messages": messages, "tools": [tool("f")]})), &of(Maker::Other));
    assert_eq!(
        body["messages"][2]["content"],
        json!([
            {"toolResult": {"toolUseId": "toolu_1", "content": [{"text": "[attached below: what the tool call toolu_1 gave]"}]}},
            {"text": "[given by the tool call toolu_1]"},
            {"image": {"format": "png", "source": {"bytes": "QUJD"}}}])
    );
}

#[test]
fn a_system_message_in_the_middle_is_said_by_the_user() {
    let body = json!({"model": "m", "messages": [
        {"role": "system", "content": "first"}, {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yes"}, {"role": "system", "content": "later"}, {"role": "user", "content": "go"}]});
    let (up, _) = from(Dialect::Chat, &body, &claude()).expect("good");
    assert_eq!(up["system"], json!([{"text": "first"}]));
    assert_eq!(
        up["messages"][2]["content"],
        json!([{"text": "<system-reminder>\nlater\n</system-reminder>"}, {"text": "go"}])
    );
}

#[test]
fn a_tool_without_words_or_schema_is_written_as_the_service_wants_it() {
    let request = asking(
        json!({"tools": [{"name": "f", "description": " ", "input_schema": {"$schema": "x", "type": "object"}}]}),
    );
    let (body, _) = good(&request, &claude());
    let spec = &body["toolConfig"]["tools"][0]["toolSpec"];
    assert_eq!(spec["description"], Value::Null);
    assert_eq!(spec["inputSchema"]["json"]["type"], "object");
    assert_eq!(spec["inputSchema"]["json"]["$schema"], Value::Null);
}

#[test]
fn limits_of_the_answer_are_kept() {
    let seal = seal();
    let quirks = claude();
    let bytes = asking(json!({"max_tokens": 100_000, "temperature": 1.5})).to_string();
    let request = crate::decode_request(Dialect::Messages, bytes.as_bytes()).expect("good");
    let mut target = target(&quirks, &seal);
    target.max_output_tokens = Some(64_000);
    let encoded = crate::encode_request(Dialect::Converse, &request, &target).expect("good");
    assert_eq!(value(&encoded.body)["inferenceConfig"], json!({"maxTokens": 64_000, "temperature": 1}));
    let changes: Vec<String> = encoded.changes.iter().map(ToString::to_string).collect();
    assert_eq!(changes, ["clamped:max_tokens", "clamped:temperature"]);
    let warm = super::encoded(&asking(json!({"max_tokens": 0})), &claude());
    assert!(warm.expect_err("refused").contains("warming"));
}
