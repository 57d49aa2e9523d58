//! What one request takes of the gateway's process alone. CPU and switches are of the real thing; instructions, which are nearly the same
//! in every run whatever else the machine does, are counted by callgrind, if it is installed, and are those outside the kernel.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::{Process, Thread, pause, pin_this_process};
use super::{CONNECTIONS, Load, Running, SCENARIOS, Scenario, free_address, mock, start_tollgate, tollgate};

/// So many instructions take seconds under callgrind.
const COUNTED: usize = 2000;
const WARM: usize = 300;

pub fn run(seconds: u64, binary: &Path, work: &Path, upstream: SocketAddr) -> Result<(), String> {
    pin_this_process();
    let ours = start_tollgate(binary, work, upstream)?;
    let used: Vec<Used> = SCENARIOS.iter().map(|one| used(one, &ours, seconds)).collect::<Result<_, _>>()?;
    drop(ours);
    let counted = instructions(binary, work, upstream)?;
    println!("| a request takes | µs | outside the kernel | in the kernel | switches of threads | instructions |");
    println!("|---|---:|---:|---:|---:|---:|");
    for (at, (scenario, used)) in SCENARIOS.iter().zip(&used).enumerate() {
        let counted = counted.as_ref().map_or_else(|| "-".to_owned(), |counted| counted[at].to_string());
        let (user, kernel) = (used.micros(used.user), used.micros(used.kernel));
        let switches: u64 = used.threads.values().map(|thread| thread.switches).sum();
        let switches = switches as f64 / used.requests as f64;
        let name = scenario.name;
        println!("| {name} | {:.1} | {user:.1} | {kernel:.1} | {switches:.2} | {counted} |", user + kernel);
    }
    println!("\n| by thread | µs | switches |\n|---|---:|---:|");
    for (scenario, used) in SCENARIOS.iter().zip(&used) {
        for (name, thread) in &used.threads {
            let micros = used.micros(Duration::from_nanos(thread.nanos));
            let switches = thread.switches as f64 / used.requests as f64;
            println!("| {}: {name} | {micros:.1} | {switches:.2} |", scenario.name);
        }
    }
    Ok(())
}

struct Used {
    requests: u64,
    user: Duration,
    kernel: Duration,
    threads: BTreeMap<String, Thread>,
}

impl Used {
    fn micros(&self, all: Duration) -> f64 {
        all.as_secs_f64() * 1e6 / self.requests as f64
    }
}

fn load(scenario: &Scenario, to: SocketAddr) -> Load {
    Load { to, path: scenario.path, body: (scenario.body)(), mark: mock::MARK, end: scenario.end }
}

fn used(scenario: &Scenario, gateway: &Running, seconds: u64) -> Result<Used, String> {
    let load = load(scenario, gateway.addr);
    load.once().map_err(|error| format!("{}: {error}", scenario.name))?;
    load.run(CONNECTIONS, Duration::from_millis(500));
    let (user, kernel) = gateway.process.user_and_kernel();
    let mut threads = gateway.process.threads();
    let requests = load.run(CONNECTIONS, Duration::from_secs(seconds)).good;
    settle();
    let (more_user, more_kernel) = gateway.process.user_and_kernel();
    let after = gateway.process.threads();
    for (name, after) in after {
        let before = threads.entry(name).or_default();
        *before = Thread {
            nanos: after.nanos.saturating_sub(before.nanos),
            switches: after.switches.saturating_sub(before.switches),
        };
    }
    Ok(Used { requests, user: more_user - user, kernel: more_kernel - kernel, threads })
}

/// What is done for requests afterwards is theirs too.
fn settle() {
    (0..30).for_each(|_| pause());
}

/// Per request of each scenario; `None`: there is no callgrind.
fn instructions(binary: &Path, work: &Path, upstream: SocketAddr) -> Result<Option<Vec<u64>>, String> {
    if !Command::new("callgrind_control").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("xtask: callgrind is not installed: instructions are not counted");
        return Ok(None);
    }
    let addr = free_address()?;
    let gateway = tollgate(binary, work, addr, upstream)?;
    let dumps = work.join("callgrind.out");
    let mut command = Command::new("valgrind");
    command.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", dumps.display()));
    command.arg(gateway.get_program()).args(gateway.get_args()).args(["--num_workers", "1"]);
    let process = Process::start(command, &work.join("callgrind.log"), addr)?;
    let mut counted = Vec::new();
    for (at, scenario) in SCENARIOS.iter().enumerate() {
        let load = load(scenario, addr);
        load.run_count(CONNECTIONS, WARM);
        settle();
        control("--zero", process.id())?;
        let good = load.run_count(CONNECTIONS, COUNTED).good;
        settle();
        control("--dump", process.id())?;
        let dump = format!("{}.{}", dumps.display(), at + 1);
        counted.push(total(Path::new(&dump))? / good.max(1));
    }
    Ok(Some(counted))
}

fn control(what: &str, process: u32) -> Result<(), String> {
    let output = Command::new("callgrind_control").args([what, &process.to_string()]).output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("callgrind_control {what}: {}", String::from_utf8_lossy(&output.stdout))),
        Err(error) => Err(format!("callgrind_control: {error}")),
    }
}

fn total(dump: &Path) -> Result<u64, String> {
    let text = fs::read_to_string(dump).map_err(|error| format!("cannot read {}: {error}", dump.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("summary: ").or_else(|| line.strip_prefix("totals: ")));
    line.and_then(|count| count.trim().parse().ok()).ok_or_else(|| format!("no sum in {}", dump.display()))
}
