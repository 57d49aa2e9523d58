//! Time is paused: it jumps to the next timer whenever nothing else can run.

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tollgate_dialect::sealed::Seal;
use tollgate_dialect::{AnswerHead, Dialect};

use super::{DEFAULT_COMMIT_AFTER, Elapsed, Line};

fn line(dialect: Dialect, stream: bool) -> Line {
    Line::new(dialect, stream, DEFAULT_COMMIT_AFTER, AnswerHead::default(), Seal::new(b"test"))
}

fn sent(line: &Line) -> String {
    String::from_utf8(std::mem::take(&mut line.outlet.lock().bytes)).unwrap()
}

/// Polls like a response body does: takes what was written, then goes on. Gives each piece with the seconds it came at.
async fn watch(
    line: &mut Line,
    limit: u64,
    passthrough: bool,
    step: impl Future<Output = ()>,
) -> (Vec<(u64, String)>, Result<(), Elapsed>) {
    let outlet = line.outlet.clone();
    let began = Instant::now();
    let mut pieces = Vec::new();
    let mut waiting = Box::pin(line.patient(Duration::from_secs(limit), passthrough, step));
    let ended = std::future::poll_fn(|cx| {
        loop {
            let polled = waiting.as_mut().poll(cx);
            let bytes = std::mem::take(&mut outlet.lock().bytes);
            let wrote = !bytes.is_empty();
            if wrote {
                pieces.push((began.elapsed().as_secs(), String::from_utf8(bytes).unwrap()));
            }
            match polled {
                std::task::Poll::Ready(ended) => return std::task::Poll::Ready(ended),
                std::task::Poll::Pending if wrote => {}
                std::task::Poll::Pending => return std::task::Poll::Pending,
            }
        }
    })
    .await;
    (pieces, ended)
}

#[tokio::test(start_paused = true)]
async fn a_silent_upstream_opens_the_stream_after_ten_seconds_and_pings_every_eight() {
    let mut line = line(Dialect::Messages, true);
    let (pieces, ended) = watch(&mut line, 40, false, pending()).await;
    assert_eq!(ended, Err(Elapsed));
    assert!(line.committed());
    assert_eq!(pieces.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [10, 18, 26, 34]);
    assert!(pieces[0].1.contains("event: message_start") && pieces[0].1.contains("event: ping"), "{:?}", pieces[0]);
    assert!(pieces[1..].iter().all(|(_, piece)| piece.contains("ping") && !piece.contains("message_start")));
}

#[tokio::test(start_paused = true)]
async fn in_the_same_dialect_lane_the_opening_is_left_to_the_upstream() {
    let mut line = line(Dialect::Messages, true);
    let (pieces, _) = watch(&mut line, 12, true, pending()).await;
    assert!(pieces[0].1.starts_with("event: ping") && !pieces[0].1.contains("message_start"), "{:?}", pieces[0]);
    assert!(!line.opened);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_wants_one_piece_gets_nothing_before_it() {
    let mut line = line(Dialect::Messages, false);
    let (pieces, ended) = watch(&mut line, 60, false, pending()).await;
    assert_eq!((pieces, ended, line.committed()), (vec![], Err(Elapsed), false));
}

#[tokio::test(start_paused = true)]
async fn a_ping_waits_for_eight_seconds_after_the_last_write() {
    let mut line = line(Dialect::Chat, true);
    line.commit();
    for _ in 0..5 {
        let (pieces, ended) = watch(&mut line, 60, false, sleep(Duration::from_secs(7))).await;
        assert_eq!((pieces, ended), (vec![], Ok(())));
        line.write(|out| out.extend_from_slice(b"data: x\n\n"));
        assert_eq!(sent(&line), "data: x\n\n");
    }
    let (pieces, _) = watch(&mut line, 9, false, pending()).await;
    assert_eq!(pieces.len(), 1);
    assert!(pieces[0].1.ends_with(": ping\n\n"), "a comment keeps chat clients waiting: {:?}", pieces[0]);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_ends_in_time_leaves_no_trace() {
    let mut line = line(Dialect::Messages, true);
    let (pieces, ended) = watch(&mut line, 60, false, sleep(Duration::from_secs(9))).await;
    assert_eq!((pieces, ended, line.committed()), (vec![], Ok(()), false));
}
