//! How long `POST /v1/messages/count_tokens` takes when a coding agent asks for many counts at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::bodies::{self, Novel};
use super::load::Load;
use super::{Running, mock};

/// Claude Code's `/context` sends 25 and more.
const AT_ONCE: usize = 25;
const BYTES: usize = 100 * 1024;

pub fn run(gateway: &Running, rounds: usize) -> Result<(), String> {
    let mut novel = Novel::of_this_repository()?;
    // The first count has the vocabulary loaded.
    count(gateway, novel.text(1024)).once().map_err(|error| format!("count_tokens: {error}"))?;
    let chat = Load { to: gateway.addr, path: mock::CHAT, body: bodies::small_chat(), mark: mock::MARK, end: "}" };
    let (mut new, mut again, mut meanwhile) = (Vec::new(), Vec::new(), Vec::new());
    let mut used = Duration::ZERO;
    for _ in 0..rounds {
        let loads: Vec<Load> = (0..AT_ONCE).map(|_| count(gateway, novel.text(BYTES))).collect();
        let before = gateway.process.cpu();
        new.extend(all_at_once(&loads)?);
        used += gateway.process.cpu() - before;
        again.extend(all_at_once(&loads)?);
        let loads: Vec<Load> = (0..AT_ONCE).map(|_| count(gateway, novel.text(BYTES))).collect();
        meanwhile.extend(while_running(&chat, || all_at_once(&loads).map(drop))?);
    }
    println!("| what | median ms | p99 ms | slowest ms |");
    println!("|---|---:|---:|---:|");
    print("new texts", &mut new);
    print("the same texts again", &mut again);
    print("chat, 1 KB, while new texts are counted", &mut meanwhile);
    println!("\nCPU of the gateway per count of a new text: {:.2} ms", used.as_secs_f64() * 1e3 / new.len() as f64);
    Ok(())
}

fn count(gateway: &Running, text: String) -> Load {
    let body = bodies::count_tokens(&text);
    Load { to: gateway.addr, path: "/v1/messages/count_tokens", body, mark: "\"input_tokens\":", end: "}" }
}

/// Sends each load's request at the same moment on a connection of its own.
fn all_at_once(loads: &[Load]) -> Result<Vec<Duration>, String> {
    let ready = Barrier::new(loads.len());
    thread::scope(|scope| {
        let asking: Vec<_> = loads.iter().map(|load| scope.spawn(|| load.timed(|| _ = ready.wait()))).collect();
        asking.into_iter().map(|one| one.join().map_err(|_| "a sender failed".to_owned())?).collect()
    })
}

/// Sends the same request again and again while something else goes on.
fn while_running(load: &Load, other: impl FnOnce() -> Result<(), String>) -> Result<Vec<Duration>, String> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut times = Vec::new();
            while !done.load(Ordering::Relaxed) {
                times.push(load.timed(|| ())?);
            }
            Ok(times)
        });
        let other = other();
        done.store(true, Ordering::Relaxed);
        let times = sender.join().map_err(|_| "the sender failed".to_owned())?;
        other.and(times)
    })
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize].as_secs_f64() * 1e3;
    println!("| {what} | {:.1} | {:.1} | {:.1} |", at(0.5), at(0.99), at(1.0));
}
