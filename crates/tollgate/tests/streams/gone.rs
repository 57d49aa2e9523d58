//! Clients that go away take their upstream request with them, and a gateway that stops lets open streams finish.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tollgate_sim::{Answer, Faults, Step};

use crate::checker;
use crate::stage::{PATIENCE, Setup, Stage, ask, ask_chat};
use crate::support::http::try_send;

fn slow(faults: Faults) -> Step {
    let answer = Answer { piece_chars: 1, ..Answer::text(&"word ".repeat(200)) };
    Step::answer(answer).faults(faults).always()
}

fn minute() -> Duration {
    Duration::from_secs(60)
}

/// A request on a connection of its own, sent and not read.
async fn send(stage: &Stage, path: &str, body: &Value) -> TcpStream {
    let address = stage.gateway.url("").replace("http://", "");
    let mut stream = TcpStream::connect(&address).await.expect("a connection");
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.expect("a request that is read");
    stream
}

async fn read_until(stream: &mut TcpStream, text: &str) {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains(text) {
        let read =
            timeout(PATIENCE, stream.read(&mut buffer)).await.expect("more in time").expect("an open connection");
        assert!(read > 0, "the connection closed before {text}: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..read]);
    }
}

/// The upstream sees its client go within a second of ours going; it is meant to be within a tenth.
async fn cancelled(stage: &Stage, calls: usize) {
    let gone = stage.sim.wait_until(|all| all.len() == calls && all[calls - 1].closed_early.is_some());
    timeout(Duration::from_secs(1), gone).await.expect("the upstream request is cancelled");
}

#[test]
fn a_client_that_goes_away_cancels_the_upstream() {
    let setup = Setup { settings: "tollgate_settings: { commit_after_ms: 300 }\n", ..Setup::default() };
    setup.play(|stage| async move {
        let mut calls = 0;
        for (path, body) in [
            ("/v1/messages", ask(true)),
            ("/v1/messages", ask(false)),
            ("/v1/chat/completions", ask_chat(true)),
            ("/v1/chat/completions", ask_chat(false)),
        ] {
            // Before the upstream's headers, and before its first event.
            for faults in [
                Faults { before_headers: minute(), ..Faults::default() },
                Faults { silence: Some((0, minute())), ..Faults::default() },
            ] {
                calls += 1;
                stage.sim.replace_script([slow(faults)]);
                let connection = send(&stage, path, &body).await;
                timeout(PATIENCE, stage.sim.wait_until(|all| all.len() == calls)).await.expect("the upstream is asked");
                drop(connection);
                cancelled(&stage, calls).await;
            }
        }
        for (path, body) in [("/v1/messages", ask(true)), ("/v1/chat/completions", ask_chat(true))] {
            // While pings go out.
            calls += 1;
            stage.sim.replace_script([slow(Faults { before_headers: minute(), ..Faults::default() })]);
            let mut connection = send(&stage, path, &body).await;
            read_until(&mut connection, "ping").await;
            drop(connection);
            cancelled(&stage, calls).await;
            // In the midst of the text, while it flows and while it rests.
            for faults in [
                Faults { pace: Duration::from_millis(20), ..Faults::default() },
                Faults { silence: Some((9, minute())), ..Faults::default() },
            ] {
                calls += 1;
                stage.sim.replace_script([slow(faults)]);
                let mut connection = send(&stage, path, &body).await;
                read_until(&mut connection, "word"[..1].as_ref()).await;
                drop(connection);
                cancelled(&stage, calls).await;
            }
        }
        timeout(PATIENCE, async {
            while stage.logged("client went away").len() < calls {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("each has its line in the log");
        let lines = stage.logged("client went away");
        assert_eq!(lines.len(), calls, "each has its line in the log:\n{}", stage.gateway.log());
        assert!(lines.iter().all(|line| line["status"] == 499 && line["request_id"].is_string()));
    });
}

/// A model in flight that takes two seconds more.
async fn under_way(stage: &Stage) -> crate::stage::Open {
    stage.sim.replace_script([Step::answer(Answer { piece_chars: 4, ..Answer::text("Word by word, to the end.") })
        .faults(Faults { silence: Some((4, Duration::from_secs(2))), ..Faults::default() })
        .always()]);
    let mut open = stage.open("/v1/messages", &ask(true)).await;
    open.until("text_delta").await;
    open
}

#[test]
fn a_stopping_gateway_lets_open_streams_finish_and_takes_no_more() {
    Setup::default().play(|mut stage| async move {
        let open = under_way(&stage).await;
        kill(stage.gateway.pid(), Signal::SIGTERM).expect("the gateway runs");
        // Until the listener is closed.
        let url = stage.gateway.url("/health/liveliness");
        timeout(PATIENCE, async {
            while try_send(http::Method::GET, &url, &[], "").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("new connections are refused");
        let seen = checker::stream(&open.rest().await);
        assert_eq!(seen.whole().blocks, [checker::text("Word by word, to the end.")]);
        assert_eq!(stage.gateway.wait().await.code(), Some(0));
    });
}

#[test]
fn a_second_signal_ends_the_gateway_at_once() {
    Setup::default().play(|mut stage| async move {
        stage.sim.replace_script([slow(Faults { silence: Some((4, minute())), ..Faults::default() })]);
        let mut open = stage.open("/v1/messages", &ask(true)).await;
        open.until("text_delta").await;
        kill(stage.gateway.pid(), Signal::SIGTERM).expect("the gateway runs");
        timeout(PATIENCE, async {
            while !stage.gateway.log().contains("stopping") {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .expect("it says that it stops");
        kill(stage.gateway.pid(), Signal::SIGTERM).expect("the gateway waits for the stream");
        assert_eq!(stage.gateway.wait().await.code(), Some(130));
    });
}
