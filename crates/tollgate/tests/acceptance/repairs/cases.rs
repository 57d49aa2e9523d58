//! For each row what the client sends, and what the upstream refuses until the body obeys.

use http::HeaderMap;
use serde_json::{Value, json};
use tollgate_sim::{ChatStrictness, MessagesStrictness};

use super::user;
use crate::stage::{Client, Upstream};

/// A signature that holds OpenAI's own state.
const BARE_STATE: &str = r#"tg1.={"encrypted_content":"gAAA"}"#;

#[derive(Clone)]
pub struct Case {
    pub row: &'static str,
    /// Which of the row's wordings.
    pub words: usize,
    pub status: u16,
    pub client: Client,
    pub upstream: Upstream,
    pub params: Value,
    pub beta: Option<&'static str>,
    pub body: Value,
    pub chat: ChatStrictness,
    pub messages: MessagesStrictness,
    pub refuses: fn(&Value, &HeaderMap) -> bool,
    pub remembered: bool,
}

impl Case {
    pub(super) fn words(mut self, words: usize) -> Case {
        self.words = words;
        self
    }

    fn status(mut self, status: u16) -> Case {
        self.status = status;
        self
    }

    pub(super) fn params(mut self, params: Value) -> Case {
        self.params = params;
        self
    }

    fn beta(mut self, beta: &'static str) -> Case {
        self.beta = Some(beta);
        self
    }

    /// Fields that this upstream takes beyond OpenAI's.
    fn takes(mut self, fields: &[&str]) -> Case {
        self.chat = self.chat.accepting(fields);
        self
    }

    /// A layer of another vendor, which has no signatures.
    fn unsigned(mut self) -> Case {
        self.messages.checks_signatures = false;
        self
    }

    pub(super) fn each_time(mut self) -> Case {
        self.remembered = false;
        self
    }
}

fn case(
    row: &'static str,
    client: Client,
    upstream: Upstream,
    body: Value,
    refuses: fn(&Value, &HeaderMap) -> bool,
) -> Case {
    let (params, chat, messages) = (json!({}), ChatStrictness::default(), MessagesStrictness::default());
    Case {
        row,
        words: 0,
        status: 400,
        client,
        upstream,
        params,
        beta: None,
        body,
        chat,
        messages,
        refuses,
        remembered: true,
    }
}

fn chat(row: &'static str, body: Value, refuses: fn(&Value, &HeaderMap) -> bool) -> Case {
    case(row, Client::Chat, Upstream::Chat, body, refuses)
}

fn claude_to_chat(row: &'static str, body: Value, refuses: fn(&Value, &HeaderMap) -> bool) -> Case {
    case(row, Client::Messages, Upstream::Chat, body, refuses)
}

pub(super) fn messages(row: &'static str, body: Value, refuses: fn(&Value, &HeaderMap) -> bool) -> Case {
    case(row, Client::Messages, Upstream::Messages, body, refuses)
}

fn chat_to_claude(row: &'static str, body: Value, refuses: fn(&Value, &HeaderMap) -> bool) -> Case {
    case(row, Client::Chat, Upstream::Messages, body, refuses)
}

pub(super) fn has(body: &Value, text: &str) -> bool {
    body.to_string().contains(text)
}

pub(super) fn list<'v>(body: &'v Value, key: &str) -> &'v [Value] {
    body[key].as_array().map_or(&[], Vec::as_slice)
}

fn any_message(body: &Value, holds: impl Fn(&Value) -> bool) -> bool {
    list(body, "messages").iter().any(holds)
}

/// Chat's tools with these parameters.
fn tools(parameters: Value) -> Value {
    json!([{"type": "function", "function": {"name": "f", "description": "d", "parameters": parameters}}])
}

fn plain_tools() -> Value {
    tools(json!({"type": "object", "properties": {}}))
}

fn with_tools(more: Value) -> Value {
    crate::stage::merged(json!({"messages": [user(json!("hi"))], "tools": plain_tools()}), more)
}

pub(super) fn hi(more: Value) -> Value {
    crate::stage::merged(json!({"messages": [user(json!("hi"))]}), more)
}

pub(super) fn claude_tools(more: Value) -> Value {
    json!([crate::stage::merged(json!({"name": "f", "input_schema": {"type": "object", "properties": {}}}), more)])
}

/// A chat conversation with one call of this id.
fn called(id: &str, assistant: Value, result: Value) -> Value {
    let call = json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let assistant =
        crate::stage::merged(json!({"role": "assistant", "content": null, "tool_calls": [call]}), assistant);
    json!({"messages": [user(json!("hi")), assistant, {"role": "tool", "tool_call_id": id, "content": result}], "tools": plain_tools()})
}

/// The same with the signature of an endpoint that is not asked here.
fn signed_call() -> Value {
    let mut body = called("call_1", json!({}), json!("done"));
    let state = json!({"google": {"thought_signature": "CiQBfromElsewhere"}});
    body["messages"][1]["tool_calls"][0]["extra_content"] = state;
    body
}

/// The same in Messages, with these blocks before the call.
pub(super) fn claude_called(before: &[Value], more: Value) -> Value {
    let call = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
    let blocks: Vec<Value> = before.iter().cloned().chain([call]).collect();
    let result = json!({"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"});
    let body = json!({"tools": claude_tools(json!({})), "messages": [
        user(json!("hi")), {"role": "assistant", "content": blocks}, user(json!([result]))]});
    crate::stage::merged(body, more)
}

fn image() -> Value {
    json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}})
}

fn mark() -> Value {
    json!({"type": "ephemeral", "scope": "global"})
}

pub fn cases() -> Vec<Case> {
    let all =
        [size(), gemini(), choice(), schemas(), tool_forms(), reasoning(), conversation(), content(), parameters()];
    [all.concat(), super::bedrock::cases()].concat()
}

fn size() -> Vec<Case> {
    let large = |b: &Value, _: &HeaderMap| b["max_tokens"].as_u64() > Some(4096) && b["stream"] != true;
    vec![
        chat("max_tokens_requires_stream", hi(json!({"max_tokens": 8192})), large),
        claude_to_chat("max_tokens_requires_stream", hi(json!({"max_tokens": 8192})), large).words(2),
        claude_to_chat("requires_stream", hi(json!({})), |b, _| b["stream"] != true),
        chat("max_completion_tokens", hi(json!({})), |b, _| !b["max_tokens"].is_null()),
        claude_to_chat("max_completion_tokens", hi(json!({})), |b, _| !b["max_tokens"].is_null()),
        chat("max_tokens", hi(json!({})), |b, _| !b["max_completion_tokens"].is_null())
            .params(json!({"quirks": {"token_field": "max_completion_tokens"}})),
        chat("max_tokens_minimum", hi(json!({"max_tokens": 1})), |b, _| b["max_tokens"].as_u64() < Some(16)),
        claude_to_chat("max_tokens_minimum", hi(json!({"max_tokens": 1})), |b, _| b["max_tokens"].as_u64() < Some(16)),
        messages("max_tokens_minimum", hi(json!({"max_tokens": 1})), |b, _| b["max_tokens"].as_u64() < Some(16)),
        chat("max_tokens_cap", hi(json!({"max_tokens": 32000})), |b, _| b["max_tokens"].as_u64() > Some(16384)),
        messages("max_tokens_cap", hi(json!({"max_tokens": 32000})), |b, _| b["max_tokens"].as_u64() > Some(8192))
            .words(3),
        claude_to_chat("stream_options", hi(json!({"stream": true})), |b, _| !b["stream_options"].is_null()),
        chat("stream_options", hi(json!({"stream": true})), |b, _| !b["stream_options"].is_null()).words(1),
    ]
}

/// A Gemini model of which nothing is known, asked by a chat client: everything that begins so is taken for the newest.
fn gemini() -> Vec<Case> {
    let model = || json!({"model": "gemini/some-model"});
    let asked = |row, body, refuses| chat(row, body, refuses).params(model());
    let signed = |row, body, refuses| {
        chat(row, body, refuses).params(crate::stage::merged(model(), json!({"quirks": {"thought_signatures": true}})))
    };
    let image = json!([{"type": "text", "text": "see"}, image()]);
    let format = json!({"response_format": {"type": "json_object"}});
    vec![
        asked("max_tokens_cap", hi(json!({"max_tokens": 32000})), |b, _| {
            b["generationConfig"]["maxOutputTokens"].as_u64() > Some(8192)
        })
        .words(4),
        signed("gemini_ids", called("call_1", json!({}), json!("done")), |b, _| has(b, "\"id\"")),
        asked("gemini_signatures", called("call_1", json!({}), json!("done")), |b, _| !has(b, "thoughtSignature")),
        asked("gemini_signatures", called("call_1", json!({}), json!("done")), |b, _| !has(b, "thoughtSignature"))
            .words(1),
        signed("gemini_foreign_signatures", signed_call(), |b, _| has(b, "CiQBfromElsewhere")).each_time(),
        signed("gemini_foreign_signatures", signed_call(), |b, _| has(b, "CiQBfromElsewhere")).words(1).each_time(),
        asked("gemini_thinking_level", hi(json!({"reasoning_effort": "low"})), |b, _| has(b, "thinkingLevel")),
        asked("gemini_format_with_tools", with_tools(format), |b, _| has(b, "responseMimeType")),
        asked("gemini_json_schema", with_tools(json!({})), |b, _| has(b, "parametersJsonSchema")),
        signed("gemini_media_in_results", called("call_1", json!({}), image), |b, _| {
            list(b, "contents")
                .iter()
                .flat_map(|c| list(c, "parts"))
                .any(|p| p["functionResponse"].get("parts").is_some())
        }),
    ]
}

fn choice() -> Vec<Case> {
    let forced = |b: &Value, _: &HeaderMap| !b["tool_choice"].is_null() && b["tool_choice"] != "auto";
    let claude_forced = |b: &Value, _: &HeaderMap| b["tool_choice"]["type"] == "any";
    let named = json!({"tool_choice": {"type": "function", "function": {"name": "f"}}});
    let any = json!({"tools": claude_tools(json!({})), "tool_choice": {"type": "any"}});
    let thinking = json!({"thinking": {"type": "adaptive"}, "max_tokens": 4000});
    vec![
        chat("tool_choice_thinking", with_tools(json!({"tool_choice": "required"})), forced),
        claude_to_chat("tool_choice_thinking", hi(any.clone()), forced).words(1),
        messages("tool_choice_thinking", hi(crate::stage::merged(any.clone(), thinking)), claude_forced).words(2),
        chat("tool_choice_named", with_tools(named), |b, _| b["tool_choice"].is_object()),
        chat("tool_choice", with_tools(json!({"tool_choice": "required"})), forced).words(1),
        messages("tool_choice", hi(any), claude_forced),
        chat_to_claude("tool_choice", with_tools(json!({"tool_choice": "required"})), claude_forced),
    ]
}

fn schemas() -> Vec<Case> {
    let with = |property: Value| {
        json!({"messages": [user(json!("hi"))],
            "tools": tools(json!({"type": "object", "properties": {"u": property}, "additionalProperties": false}))})
    };
    let claude_with = |schema: Value| hi(json!({"tools": claude_tools(json!({"input_schema": schema}))}));
    let both = json!({"type": "string", "anyOf": [{"enum": ["a"]}, {"enum": ["b"]}]});
    let beside = |b: &Value, _: &HeaderMap| {
        let property = &b["tools"][0]["function"]["parameters"]["properties"]["u"];
        property["type"].is_string() && property["anyOf"].is_array()
    };
    let strict = json!({"messages": [user(json!("hi"))], "tools": [{"type": "function",
        "function": {"name": "f", "strict": true, "parameters": {"type": "object", "properties": {}}}}]});
    let answer = json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": {
        "type": "object", "properties": {"u": {"type": "string", "pattern": "^a$"}}, "required": ["u"], "additionalProperties": false}}});
    vec![
        chat("schema_moonshot", with(both), beside),
        chat("schema_llama_cpp", with(json!({"type": "string", "pattern": "a+"})), |b, _| has(b, r#""pattern":"a+""#)),
        claude_to_chat(
            "schema_llama_cpp",
            claude_with(json!({"type": "object", "properties": {"u": {"type": "string", "pattern": "a+"}}})),
            |b, _| has(b, r#""pattern":"a+""#),
        )
        .status(500),
        chat("schema_gemini", with(json!({"type": "string", "format": "uri"})), |b, _| has(b, r#""format":"uri""#)),
        messages("schema_root", claude_with(json!({"anyOf": [{"type": "object", "properties": {}}]})), |b, _| {
            b["tools"][0]["input_schema"]["anyOf"].is_array()
        }),
        chat(
            "schema_root",
            json!({"messages": [user(json!("hi"))], "tools": tools(json!({"type": "object", "oneOf": [{"properties": {"a": {}}}]}))}),
            |b, _| b["tools"][0]["function"]["parameters"]["oneOf"].is_array(),
        )
        .words(1),
        chat("strict", strict, |b, _| has(b, "\"strict\"")),
        chat("schema_keyword", with(json!({"type": "string"})), |b, _| has(b, "additionalProperties")),
        claude_to_chat(
            "schema_keyword",
            claude_with(json!({"type": "object", "properties": {"u": {"type": "array", "items": {}, "minItems": 1}}})),
            |b, _| has(b, "minItems"),
        )
        .words(1),
        chat("schema_keyword", hi(json!({"response_format": answer})), |b, _| has(b, "\"pattern\"")).words(2),
        chat("schema_format", with(json!({"type": "string", "format": "uri"})), |b, _| has(b, "\"format\"")),
        messages(
            "schema_format",
            claude_with(json!({"type": "object", "properties": {"u": {"type": "string", "format": "uri"}}})),
            |b, _| has(b, "\"format\""),
        ),
    ]
}

fn tool_forms() -> Vec<Case> {
    let long = "a".repeat(70);
    let name = |name: &str| {
        json!({"messages": [user(json!("hi"))],
            "tools": [{"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}]})
    };
    let long_name = |b: &Value, _: &HeaderMap| {
        b["tools"][0]["function"]["name"].as_str().is_some_and(|n| n.len() > 64 || n.starts_with('2'))
    };
    let long_ids = |b: &Value, _: &HeaderMap| {
        any_message(b, |m| {
            m["tool_calls"][0]["id"].as_str().or(m["tool_call_id"].as_str()).is_some_and(|id| id.len() > 40)
        })
    };
    let not_nine = |b: &Value, _: &HeaderMap| {
        any_message(b, |m| {
            m["tool_calls"][0]["id"].as_str().or(m["tool_call_id"].as_str()).is_some_and(|id| id.len() != 9)
        })
    };
    let long_id = format!("call_{}", "x".repeat(46));
    let claude_ids = json!({"tools": claude_tools(json!({})), "messages": [
        user(json!("hi")),
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_abcdefghijkl", "name": "f", "input": {}}]},
        user(json!([{"type": "tool_result", "tool_use_id": "toolu_abcdefghijkl", "content": "done"}]))]});
    vec![
        chat("tool_names", name(&long), long_name),
        chat("tool_names", name("21st_magic"), long_name).words(3),
        messages("tool_names", hi(json!({"tools": claude_tools(json!({"name": long}))})), |b, _| {
            b["tools"][0]["name"].as_str().is_some_and(|n| n.len() > 64)
        })
        .words(1),
        chat("tool_ids", called(&long_id, json!({}), json!("done")), long_ids),
        chat("tool_ids", called("call_abcdefghijkl", json!({}), json!("done")), not_nine).words(1),
        claude_to_chat("tool_ids", claude_ids, not_nine).words(1),
        messages("tool_type", hi(json!({"tools": claude_tools(json!({"type": "custom"}))})), |b, _| {
            has(b, r#""custom""#)
        }),
        messages("tool_fields", hi(json!({"tools": claude_tools(json!({"eager_input_streaming": true}))})), |b, _| {
            has(b, "eager_input_streaming")
        }),
        messages("tool_fields", hi(json!({"tools": claude_tools(json!({"defer_loading": true}))})), |b, _| {
            has(b, "defer_loading")
        })
        .words(1),
    ]
}

fn reasoning() -> Vec<Case> {
    let no_thoughts =
        |b: &Value, _: &HeaderMap| any_message(b, |m| m["role"] == "assistant" && m["reasoning_content"].is_null());
    let claude_without = |b: &Value, _: &HeaderMap| {
        any_message(b, |m| m["role"] == "assistant" && m["content"][0]["type"] != "thinking")
    };
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"});
    let adaptive = json!({"thinking": {"type": "adaptive"}, "max_tokens": 40_000});
    let layer = json!({"model": "anthropic/layer", "quirks": {"messages": {"genuine": false}}});
    vec![
        chat("reasoning_wanted", called("call_1", json!({}), json!("done")), no_thoughts).takes(&["reasoning_content"]),
        claude_to_chat("reasoning_wanted", claude_called(&[], json!({})), no_thoughts)
            .words(1)
            .takes(&["reasoning_content"]),
        chat("reasoning_refused", called("call_1", json!({"reasoning_content": "hm"}), json!("done")), |b, _| {
            has(b, "reasoning_content")
        }),
        messages("thinking_signature", claude_called(std::slice::from_ref(&thought), adaptive.clone()), |b, _| {
            has(b, "c2lnbmVk")
        })
        .words(1)
        .each_time(),
        messages("thinking_signature", claude_called(&[thought], adaptive.clone()), |b, _| has(b, "c2lnbmVk"))
            .each_time(),
        // State in its maker's own form, as a Responses client would send it.
        claude_to_chat(
            "encrypted_reasoning",
            claude_called(&[json!({"type": "thinking", "thinking": "hm", "signature": BARE_STATE})], json!({})),
            |b, _| has(b, "gAAA"),
        )
        .params(json!({"api_mode": "responses"}))
        .each_time(),
        claude_to_chat("reasoning_summary", hi(adaptive.clone()), |b, _| !b["reasoning"]["summary"].is_null())
            .params(json!({"api_mode": "responses", "reasoning": "effort"})),
        claude_to_chat("encrypted_content", hi(adaptive.clone()), |b, _| !b["include"].is_null())
            .params(json!({"api_mode": "responses", "reasoning": "effort"})),
        chat(
            "plain_tools",
            hi(json!({"tools": [{"type": "custom", "custom": {"name": "p", "format": {"type": "text"}}}]})),
            |b, _| b["tools"][0]["type"] == "custom",
        )
        .params(json!({"api_mode": "responses"})),
        claude_to_chat("api_responses", hi(json!({})), |b, _| !b["messages"].is_null()).status(404),
        chat("api_responses", hi(json!({})), |b, _| !b["messages"].is_null()),
        messages("thinking_in_tool_loop", claude_called(&[], adaptive.clone()), |b, _| !b["thinking"].is_null()),
        messages("thinking_type", hi(adaptive.clone()), |b, _| b["thinking"]["type"] == "adaptive"),
        messages(
            "thinking_type",
            hi(json!({"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 4000})),
            |b, _| b["thinking"]["type"] == "enabled",
        )
        .words(1),
        messages("thinking_type", hi(json!({"thinking": {"type": "disabled"}})), |b, _| {
            b["thinking"]["type"] == "disabled"
        })
        .words(2),
        chat_to_claude("thinking_type", hi(json!({"reasoning_effort": "high", "max_tokens": 40_000})), |b, _| {
            b["thinking"]["type"] == "adaptive"
        }),
        messages("thinking_display", hi(json!({"thinking": {"type": "adaptive", "display": "omitted"}})), |b, _| {
            has(b, "display")
        }),
        chat("efforts", hi(json!({"reasoning_effort": "xhigh"})), |b, _| b["reasoning_effort"] == "xhigh")
            .params(json!({"quirks": {"reasoning": "effort", "efforts": ["low", "medium", "high", "xhigh"]}})),
        messages("efforts", hi(json!({"output_config": {"effort": "max"}})), |b, _| {
            b["output_config"]["effort"] == "max"
        })
        .words(1),
        messages("effort", hi(json!({"output_config": {"effort": "high"}})), |b, _| has(b, "effort")),
        messages("reasoning_wanted", claude_called(&[], json!({"thinking": {"type": "adaptive"}})), claude_without)
            .words(2)
            .params(layer)
            .unsigned(),
    ]
}

fn conversation() -> Vec<Case> {
    let last_is_assistant =
        |b: &Value, _: &HeaderMap| list(b, "messages").last().is_some_and(|m| m["role"] == "assistant");
    let prefilled = json!({"messages": [user(json!("hi")), {"role": "assistant", "content": "So"}]});
    let older = json!({"model": "anthropic/claude-sonnet-4-5"});
    let developer = |b: &Value, _: &HeaderMap| any_message(b, |m| m["role"] == "developer");
    let system = |b: &Value, _: &HeaderMap| any_message(b, |m| m["role"] == "system");
    let later_system = |b: &Value, _: &HeaderMap| list(b, "messages").iter().skip(1).any(|m| m["role"] == "system");
    let interrupted = json!({"messages": [{"role": "system", "content": "s"}, user(json!("hi")),
        {"role": "assistant", "content": "ho"}, {"role": "system", "content": "now"}, user(json!("on"))]});
    let claude_interrupted = json!({"messages": [user(json!("hi")), {"role": "assistant", "content": "ho"},
        user(json!("on")), {"role": "system", "content": "now"}]});
    let neighbours = |b: &Value, _: &HeaderMap| list(b, "messages").windows(2).any(|w| w[0]["role"] == w[1]["role"]);
    let with = |role: &str| json!({"messages": [{"role": role, "content": "Be brief."}, user(json!("hi"))]});
    vec![
        chat("prefill", prefilled.clone(), last_is_assistant).words(1),
        chat("prefill", prefilled.clone(), last_is_assistant).words(2),
        claude_to_chat("prefill", prefilled.clone(), last_is_assistant).words(3),
        messages("prefill", prefilled.clone(), last_is_assistant).params(older.clone()),
        chat_to_claude("prefill", prefilled, last_is_assistant).params(older),
        chat("developer_role", with("developer"), developer),
        chat("developer_role", with("developer"), developer).words(3),
        chat("mid_system", interrupted, later_system).status(500),
        messages("mid_system", claude_interrupted.clone(), system)
            .words(1)
            .params(json!({"model": "anthropic/claude-opus-4-8"})),
        claude_to_chat("mid_system", claude_interrupted, later_system)
            .params(json!({"quirks": {"mid_system": "in_place"}})),
        chat("system_to_developer", with("system"), system),
        claude_to_chat("no_system_role", hi(json!({"system": "Be brief."})), system),
        chat("no_system_role", with("system"), system).words(2),
        chat("alternation", json!({"messages": [user(json!("hi")), user(json!("ho"))]}), neighbours),
        chat("alternation", json!({"messages": [user(json!("hi")), user(json!("ho"))]}), neighbours).words(1),
    ]
}

fn content() -> Vec<Case> {
    let picture = json!({"messages": [user(json!([{"type": "text", "text": "what is it"}, image()]))]});
    let claude_picture = json!({"messages": [user(json!([{"type": "text", "text": "what is it"}, {"type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}]))]});
    let texts = json!({"messages": [user(json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]))]});
    let of_tool = |b: &Value, _: &HeaderMap| any_message(b, |m| m["role"] == "tool" && m["content"].is_array());
    let lists = |b: &Value, _: &HeaderMap| any_message(b, |m| m["content"].is_array());
    let nulls = |b: &Value, _: &HeaderMap| any_message(b, |m| m.get("content") == Some(&Value::Null));
    let empties = |b: &Value, _: &HeaderMap| any_message(b, |m| m["content"] == "");
    let marked =
        json!({"messages": [user(json!([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]))]});
    let scoped = json!({"system": [{"type": "text", "text": "s", "cache_control": mark()}],
        "messages": [user(json!([{"type": "text", "text": "hi", "cache_control": mark()}]))],
        "tools": claude_tools(json!({"cache_control": mark()}))});
    vec![
        chat("media_in_tool_result", called("call_1", json!({}), json!([image()])), of_tool),
        chat("images", picture.clone(), |b, _| has(b, "image_url")),
        claude_to_chat("images", claude_picture.clone(), |b, _| has(b, "image_url")).words(1).status(404),
        messages("images", claude_picture, |b, _| has(b, "\"image\"")).words(2).status(500),
        chat("string_content", texts, lists),
        chat("null_content", called("call_1", json!({}), json!("done")), nulls),
        claude_to_chat("null_content", claude_called(&[], json!({})), nulls),
        chat("empty_content", called("call_1", json!({"content": ""}), json!("")), empties),
        messages(
            "empty_content",
            json!({"messages": [user(json!([{"type": "text", "text": ""}, {"type": "text", "text": "hi"}]))]}),
            |b, _| has(b, r#""text":"""#),
        )
        .words(1),
        chat(
            "message_fields",
            json!({"messages": [user(json!("hi")), {"role": "assistant", "content": "ho", "annotations": []}, user(json!("on"))]}),
            |b, _| has(b, "annotations"),
        ),
        messages("cache_control", scoped.clone(), |b, _| has(b, "scope")),
        messages("cache_control", scoped, |b, _| has(b, "cache_control")).words(1),
        chat("cache_control", marked, |b, _| has(b, "cache_control")).words(1),
    ]
}

fn parameters() -> Vec<Case> {
    let beta = |_: &Value, headers: &HeaderMap| {
        headers.get("anthropic-beta").is_some_and(|line| line.to_str().is_ok_and(|line| line.contains("context-1m")))
    };
    let wish =
        json!({"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object", "properties": {}}}});
    let format = json!({"format": {"type": "json_schema", "schema": {"type": "object", "properties": {}, "additionalProperties": false}}});
    let both = json!({"temperature": 0.5, "top_p": 0.5});
    vec![
        messages("betas", hi(json!({})), beta).beta("context-1m-2025-08-07,oauth-2025-04-20"),
        messages("no_betas", hi(json!({})), |_, headers| headers.contains_key("anthropic-beta"))
            .beta("oauth-2025-04-20"),
        chat("response_format", hi(json!({"response_format": wish})), |b, _| {
            b["response_format"]["type"] == "json_schema"
        }),
        chat("response_format", hi(json!({"response_format": {"type": "json_object"}})), |b, _| {
            !b["response_format"].is_null()
        })
        .words(1),
        claude_to_chat("response_format", hi(json!({"output_config": format})), |b, _| {
            b["response_format"]["type"] == "json_schema"
        }),
        messages("output_format", hi(json!({"output_config": format})), |b, _| has(b, "output_config")),
        chat("max_temperature", hi(json!({"temperature": 1.5})), |b, _| b["temperature"].as_f64() > Some(1.0)).words(1),
        chat("temperature_or_top_p", hi(both.clone()), |b, _| !b["temperature"].is_null() && !b["top_p"].is_null()),
        messages("temperature_or_top_p", hi(both), |b, _| !b["temperature"].is_null() && !b["top_p"].is_null()),
        chat("max_stop", hi(json!({"stop": ["a", "b", "c"]})), |b, _| list(b, "stop").len() > 2),
        claude_to_chat("max_stop", hi(json!({"stop_sequences": ["a", "b", "c"]})), |b, _| list(b, "stop").len() > 2),
        chat("no_stop", hi(json!({"stop": ["a"]})), |b, _| !b["stop"].is_null()),
        chat("parameter", with_tools(json!({"parallel_tool_calls": false})), |b, _| {
            !b["parallel_tool_calls"].is_null()
        })
        .words(1),
        messages("parameter", hi(json!({"context_management": {"edits": []}})), |b, _| {
            !b["context_management"].is_null()
        })
        .words(3)
        .beta("context-management-2025-06-27"),
    ]
}
