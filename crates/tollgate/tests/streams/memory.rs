//! S28: memory does not depend on the length of a stream, whether the client reads fast or slowly. And large bodies pass.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tollgate_sim::{Answer, Part, Step};

use crate::checker;
use crate::stage::{Open, Setup, Stage, ask};

const MIB: u64 = 1 << 20;

fn huge(bytes: u64) -> Step {
    let call = Part::HugeTool { id: "call_1".into(), name: "Bash".into(), bytes };
    Step::answer(Answer::default().and(call))
}

/// Reads to the end without keeping it: how many bytes there were, and the most memory that the gateway took meanwhile.
async fn swallow(stage: &Stage, open: &mut Open) -> (u64, u64) {
    let (mut bytes, mut looked, mut most, mut last) = (0, 0, 0, Bytes::new());
    while let Some(piece) = open.piece().await {
        bytes += piece.len() as u64;
        last = piece;
        if bytes - looked > 4 * MIB {
            looked = bytes;
            most = most.max(stage.gateway.memory_kib("VmRSS"));
        }
    }
    assert!(last.ends_with(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"), "{last:?}");
    (bytes, most.max(stage.gateway.memory_kib("VmRSS")))
}

/// The gateway's memory once it has served what it is to serve, and has its tables of tokens.
async fn warm(stage: &Stage) -> u64 {
    let counted = stage.gateway.url("/v1/messages/count_tokens");
    let answer = crate::support::http::post(&counted, &[], &ask(true)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    stage.sim.replace_script([huge(16 * MIB)]);
    let mut open = stage.open("/v1/messages", &ask(true)).await;
    swallow(stage, &mut open).await.1
}

#[test]
fn s28_a_gigabyte_of_arguments_leaves_the_memory_as_it_was() {
    Setup::default().play(|stage| async move {
        let before = warm(&stage).await;
        stage.sim.replace_script([huge(1024 * MIB)]);
        let mut open = stage.open("/v1/messages", &ask(true)).await;
        let (bytes, most) = swallow(&stage, &mut open).await;
        assert!(bytes >= 1024 * MIB, "{bytes} bytes");
        assert!(most <= before + 8 * 1024, "{before} KiB before, {most} KiB meanwhile");
    });
}

#[test]
fn s28_a_client_that_does_not_read_holds_the_upstream_back() {
    Setup::default().play(|stage| async move {
        let before = warm(&stage).await;
        stage.sim.replace_script([huge(200 * MIB)]);
        let mut open = stage.open("/v1/messages", &ask(true)).await;
        open.until("content_block_delta").await;
        // Time enough for the upstream to send all, if it were let.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let waiting = stage.gateway.memory_kib("VmRSS");
        assert!(waiting <= before + 8 * 1024, "{before} KiB before, {waiting} KiB while the client waits");
        assert!(stage.sim.requests().last().unwrap().finished.is_none(), "the upstream still has something to send");
        let (_, most) = swallow(&stage, &mut open).await;
        assert!(most <= before + 8 * 1024, "{before} KiB before, {most} KiB meanwhile");
    });
}

#[test]
fn a_conversation_of_five_megabytes_passes() {
    Setup::default().play(|stage| async move {
        let mut body = ask(true);
        let messages = body["messages"].as_array_mut().unwrap();
        for turn in 0..50 {
            messages.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": format!("c{turn}"), "name": "Bash", "input": {"command": "cat"}}]}));
            let text = format!("line {turn} \"quoted\"\n").repeat(6000);
            messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": format!("c{turn}"), "content": text}]}));
        }
        assert!(body.to_string().len() as u64 > 5 * MIB);
        let answer = stage.messages(&body).await;
        assert_eq!(checker::stream(&answer.body).whole().stop_reason.as_deref(), Some("end_turn"));
        let sent = stage.sim.requests().pop().unwrap();
        assert!(sent.body.len() as u64 > 5 * MIB);
        assert_eq!(sent.json()["messages"].as_array().unwrap().len(), 101);
    });
}
