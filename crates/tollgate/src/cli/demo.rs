//! `tollgate demo`: a coding-agent conversation through the gateway, with both sides shown.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tollgate_dialect::frame::sse::{Piece, SseReader};
use tollgate_sim::{Recorded, Sim, SimConfig, coding_agent};

use super::{CliError, environment, serve};
use crate::app::App;
use crate::{config, server, telemetry};

const MODEL: &str = "kimi-k2.5";
const FILE: &str = "hello.py";
const CONTENT: &str = "print(\"hello from the demo\")\n";

pub fn run() -> Result<ExitCode, CliError> {
    telemetry::start(telemetry::Level::Quiet, environment("TOLLGATE_LOG").as_deref());
    serve::runtime(None)?.block_on(demo())
}

async fn demo() -> Result<ExitCode, CliError> {
    let provider = Sim::start(SimConfig::default().steps(coding_agent(FILE, CONTENT))).await;
    let yaml = format!(
        "model_list:\n  - model_name: {MODEL}\n    litellm_params: {{ model: openai/{MODEL}, api_base: \"{}/v1\", api_key: sk-demo }}\n",
        provider.base_url()
    );
    let (config, _) = config::from_text("demo.yaml", &yaml, &environment)
        .map_err(|_| CliError::failure("the demo's own configuration is broken"))?;
    let listener = server::bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).await;
    let listener = listener.map_err(|error| CliError::failure(format!("no port on 127.0.0.1 can be had: {error}")))?;
    let gateway = format!("http://{}", listener.local_addr().map_err(|e| CliError::failure(e.to_string()))?);
    let app = App::new(config, None).map_err(|e| CliError::failure(e.to_string()))?;
    tokio::spawn(server::serve(Arc::new(app), listener, std::future::pending()));

    println!("A simulated provider that speaks only OpenAI chat:   {}/v1", provider.base_url());
    println!("The gateway in front of it, for Anthropic Messages:  {gateway}\n");
    println!("Its configuration, as LiteLLM would take it:\n");
    for line in yaml.lines() {
        println!("    {line}");
    }

    let mut messages = vec![json!({"role": "user", "content": format!("Please write {FILE}.")})];
    let first = turn(1, &gateway, &provider, &messages).await?;
    let call = first.content.iter().find(|block| block["type"] == "tool_use").cloned();
    let Some(call) = call else { return Err(CliError::failure("the first answer held no tool call")) };
    println!("\n    The agent runs the tool: {} {}", call["name"].as_str().unwrap_or(""), call["input"]);
    messages.push(json!({"role": "assistant", "content": first.content}));
    let result = format!("Wrote {} bytes to {FILE}.", CONTENT.len());
    messages.push(
        json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": result}]}),
    );
    let second = turn(2, &gateway, &provider, &messages).await?;

    let right = call["input"] == json!({"file_path": FILE, "content": CONTENT}) && second.stop_reason == "end_turn";
    if !right {
        return Err(CliError::failure(
            "the conversation did not end as it should have; run again with TOLLGATE_LOG=debug",
        ));
    }
    println!("\nBoth turns went through. The same with a real agent and a real model:\n");
    println!("    tollgate run claude --model {MODEL} --config config.yaml");
    Ok(ExitCode::SUCCESS)
}

struct Answer {
    content: Vec<Value>,
    stop_reason: String,
}

/// One turn of the conversation, and what each side saw of it.
async fn turn(number: usize, gateway: &str, provider: &Sim, messages: &[Value]) -> Result<Answer, CliError> {
    let body = json!({
        "model": MODEL,
        "max_tokens": 1024,
        "stream": true,
        "system": [{"type": "text", "text": "You are a coding agent.", "cache_control": {"type": "ephemeral"}}],
        "tools": [{"name": "Write", "description": "Writes a file", "input_schema": {"type": "object",
            "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}}, "required": ["file_path", "content"]}}],
        "messages": messages,
    });
    println!("\n── turn {number} ──────────────────────────────────────────────────────────");
    println!("\n  agent → gateway     POST /v1/messages (Anthropic Messages, streamed)");
    println!("    last message      {}", short(&messages[messages.len() - 1]["content"]));
    let frames = post(&format!("{gateway}/v1/messages?beta=true"), &body).await?;
    if let Some(seen) = provider.requests().last() {
        println!("\n  gateway → provider  {} {} (OpenAI chat, streamed)", seen.method, seen.path);
        show_upstream(seen);
    }
    println!("\n  gateway → agent     {} events", frames.len());
    let answer = fold(&frames);
    for block in &answer.content {
        match block["type"].as_str() {
            Some("tool_use") => {
                println!("    tool_use          {} {}", block["name"].as_str().unwrap_or(""), short(&block["input"]))
            }
            _ => println!("    text              {}", block["text"].as_str().unwrap_or("")),
        }
    }
    println!("    stop_reason       {}", answer.stop_reason);
    if let Some(usage) = frames.iter().rev().find_map(|(_, data)| data.get("usage")) {
        println!("    usage             {} in, {} out", usage["input_tokens"], usage["output_tokens"]);
    }
    Ok(answer)
}

fn show_upstream(seen: &Recorded) {
    let body = seen.json();
    for message in body["messages"].as_array().into_iter().flatten() {
        let role = message["role"].as_str().unwrap_or("");
        let calls = &message["tool_calls"];
        let text = if calls.is_array() {
            format!("{} tool_calls {}", short(&message["content"]), short(calls))
        } else {
            short(&message["content"])
        };
        println!("    {role:<17} {text}");
    }
}

fn short(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_string);
    if text.chars().count() > 90 { format!("{}…", text.chars().take(90).collect::<String>()) } else { text }
}

/// The events of a streamed answer, by name.
async fn post(url: &str, body: &Value) -> Result<Vec<(String, Value)>, CliError> {
    let client =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = http::Request::post(url)
        .header("content-type", "application/json")
        .header("anthropic-version", "2023-06-01")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|e| CliError::failure(e.to_string()))?;
    let answer =
        client.request(request).await.map_err(|e| CliError::failure(format!("the gateway did not answer: {e}")))?;
    let status = answer.status();
    let bytes = answer
        .into_body()
        .collect()
        .await
        .map_err(|e| CliError::failure(format!("the gateway's answer broke off: {e}")))?
        .to_bytes();
    if !status.is_success() {
        return Err(CliError::failure(format!("the gateway answered {status}: {}", String::from_utf8_lossy(&bytes))));
    }
    let mut reader = SseReader::default();
    reader.feed(&bytes);
    let mut frames = Vec::new();
    while let Some(Ok(piece)) = reader.next() {
        if let Piece::Frame(frame) = piece {
            frames.push((frame.event.to_string(), serde_json::from_slice(frame.data).unwrap_or(Value::Null)));
        }
    }
    Ok(frames)
}

/// The blocks that an agent makes of the events.
fn fold(frames: &[(String, Value)]) -> Answer {
    let mut content: Vec<Value> = Vec::new();
    let mut input = String::new();
    let mut stop_reason = String::new();
    for (event, data) in frames {
        match event.as_str() {
            "content_block_start" => {
                content.push(data["content_block"].clone());
                input.clear();
            }
            "content_block_delta" => {
                let Some(block) = content.last_mut() else { continue };
                if let Some(text) = data["delta"]["text"].as_str() {
                    let so_far = block["text"].as_str().unwrap_or("").to_string();
                    block["text"] = Value::String(so_far + text);
                }
                input.push_str(data["delta"]["partial_json"].as_str().unwrap_or(""));
            }
            "content_block_stop" => {
                if let Some(block) = content.last_mut().filter(|b| b["type"] == "tool_use") {
                    block["input"] = serde_json::from_str(&input).unwrap_or(json!({}));
                }
            }
            "message_delta" => stop_reason = data["delta"]["stop_reason"].as_str().unwrap_or("").to_string(),
            _ => {}
        }
    }
    Answer { content, stop_reason }
}
