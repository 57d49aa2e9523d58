//! CPU per request of the release binary, beside nginx as a plain hop in the same run; and the time of token counts.
//!
//! For the CPU the gateway has one worker on one core; the mock upstream and the load generator, both in this process, have another.
//! CPU is user and system time of the gateway's process tree, so it hardly depends on what else the machine does.
//! The ratio to nginx is the figure to read; microseconds differ between machines.

mod bodies;
mod count;
mod cpu;
mod load;
mod mock;
mod pairs;
mod process;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::run;
use load::{Load, Outcome};
use process::Process;

const CONNECTIONS: usize = 16;
/// Built in a fraction of a release's time.
const EXAMPLES: &str = "release-fast";

struct Scenario {
    name: &'static str,
    path: &'static str,
    body: fn() -> String,
    /// The text with which a complete answer ends, apart from white space.
    end: &'static str,
}

const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "chat → chat, 1 KB", path: mock::CHAT, body: bodies::small_chat, end: "}" },
    Scenario { name: "Messages → chat, 1 KB", path: mock::MESSAGES, body: bodies::small_messages, end: "}" },
    Scenario { name: "Messages → chat, 120 KB", path: mock::MESSAGES, body: bodies::large_messages, end: "}" },
    Scenario {
        name: "Messages → chat, 100 events at once",
        path: mock::MESSAGES,
        body: bodies::stream_messages,
        end: "{\"type\":\"message_stop\"}",
    },
];

/// What is measured.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum What {
    /// CPU per request
    Requests,
    /// What a request takes of the gateway: CPU inside and outside the kernel, by thread, switches of threads, instructions
    Cpu,
    /// Time of many token counts at once
    Count,
    /// CPU of the codecs alone, for every pair of dialects, and their instructions
    Pairs,
    /// Time until a known key may call
    Key,
}

/// What needs no HTTP.
fn measure_example(package: &str, example: &str) -> Result<(), String> {
    run::show(run::cargo().args(["run", "--quiet", "--profile", EXAMPLES]).args([
        "--package",
        package,
        "--example",
        example,
    ]))
}

pub fn run(what: What, seconds: u64, rounds: usize, binary: Option<PathBuf>) -> Result<(), String> {
    match what {
        What::Pairs => pairs::run(),
        What::Key => measure_example("tollgate-store", "key"),
        What::Requests => with_mock(binary, |binary, work, upstream| measure_requests(seconds, binary, work, upstream)),
        What::Cpu => with_mock(binary, |binary, work, upstream| cpu::run(seconds, binary, work, upstream)),
        What::Count => with_mock(binary, |binary, work, upstream| {
            let addr = free_address()?;
            let command = tollgate(binary, work, addr, upstream)?;
            let process = Process::start_anywhere(command, &work.join("tollgate.log"), addr)?;
            count::run(&Running { process, addr }, rounds)
        }),
    }
}

/// Runs this with the release binary, a folder to work in, and the address of a mock upstream.
fn with_mock(
    binary: Option<PathBuf>,
    measure: impl FnOnce(&Path, &Path, SocketAddr) -> Result<(), String>,
) -> Result<(), String> {
    let binary = match binary {
        Some(binary) => binary,
        None => {
            run::show(run::cargo().args(["build", "--release", "--locked", "--package", "tollgate"]))?;
            crate::root().join("target/release/tollgate")
        }
    };
    let work = crate::root().join("target/bench");
    fs::create_dir_all(&work).map_err(|error| format!("cannot make {}: {error}", work.display()))?;
    let upstream = mock::start().map_err(|error| format!("mock: {error}"))?;
    measure(&binary, &work, upstream)
}

fn measure_requests(seconds: u64, binary: &Path, work: &Path, upstream: SocketAddr) -> Result<(), String> {
    process::pin_this_process();
    let nginx = start_nginx(work, upstream)?;
    let ours = start_tollgate(binary, work, upstream)?;
    println!("| what | nginx µs | tollgate µs | ratio | tollgate requests | errors |");
    println!("|---|---:|---:|---:|---:|---:|");
    for scenario in &SCENARIOS {
        let theirs = nginx.as_ref().map(|nginx| measure(scenario, nginx, seconds)).transpose()?;
        let (outcome, micros) = measure(scenario, &ours, seconds)?;
        let nginx_micros = theirs.as_ref().map_or_else(|| "-".to_owned(), |(_, micros)| format!("{micros:.0}"));
        let ratio = theirs.map_or_else(|| "-".to_owned(), |(_, nginx)| format!("{:.1}", micros / nginx));
        println!("| {} | {nginx_micros} | {micros:.0} | {ratio} | {} | {} |", scenario.name, outcome.good, outcome.bad);
    }
    println!("\ntollgate memory at its peak: {} MiB", ours.process.peak_memory_kib() / 1024);
    Ok(())
}

/// A gateway that runs.
struct Running {
    process: Process,
    addr: SocketAddr,
}

/// What came of the load, and the CPU per good request in microseconds.
fn measure(scenario: &Scenario, gateway: &Running, seconds: u64) -> Result<(Outcome, f64), String> {
    let load =
        Load { to: gateway.addr, path: scenario.path, body: (scenario.body)(), mark: mock::MARK, end: scenario.end };
    load.once().map_err(|error| format!("{}: {error}", scenario.name))?;
    load.run(CONNECTIONS, Duration::from_millis(500));
    let before = gateway.process.cpu();
    let outcome = load.run(CONNECTIONS, Duration::from_secs(seconds));
    let used = gateway.process.cpu() - before;
    if outcome.good == 0 {
        return Err(format!("{}: no good answer", scenario.name));
    }
    let micros = used.as_secs_f64() * 1e6 / outcome.good as f64;
    Ok((outcome, micros))
}

fn free_address() -> Result<SocketAddr, String> {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map_err(|error| format!("no free loopback port: {error}"))
}

fn start_tollgate(binary: &Path, work: &Path, upstream: SocketAddr) -> Result<Running, String> {
    let addr = free_address()?;
    let mut command = tollgate(binary, work, addr, upstream)?;
    command.args(["--num_workers", "1"]);
    Ok(Running { process: Process::start(command, &work.join("tollgate.log"), addr)?, addr })
}

fn tollgate(binary: &Path, work: &Path, addr: SocketAddr, upstream: SocketAddr) -> Result<Command, String> {
    let config = work.join("config.yaml");
    let yaml = format!(
        "model_list:\n  - model_name: mock\n    litellm_params: {{model: openai/mock, api_base: \"http://{upstream}/v1\", api_key: sk-upstream}}\n    model_info: {{input_cost_per_token: 0.000001, output_cost_per_token: 0.000002}}\ngeneral_settings:\n  master_key: {}\n",
        load::KEY
    );
    fs::write(&config, yaml).map_err(|error| format!("cannot write {}: {error}", config.display()))?;
    // A ledger of earlier runs would make this one dearer.
    let data = work.join("data");
    if data.exists() {
        fs::remove_dir_all(&data).map_err(|error| format!("cannot empty {}: {error}", data.display()))?;
    }
    let mut command = Command::new(binary);
    command.args(["serve", "--host", "127.0.0.1", "--port", &addr.port().to_string()]);
    command.arg("--config").arg(&config).arg("--data-dir").arg(data);
    Ok(command)
}

/// nginx with one worker and kept connections, or `None` when it is not installed.
fn start_nginx(work: &Path, upstream: SocketAddr) -> Result<Option<Running>, String> {
    let Some(nginx) = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"]
        .map(Path::new)
        .into_iter()
        .find(|path| path.exists())
    else {
        eprintln!("xtask: nginx is not installed: there will be no ratios");
        return Ok(None);
    };
    let addr = free_address()?;
    let dir = work.display();
    let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path {dir}/nginx-{kind};\n"))
        .concat();
    let config = format!(
        "daemon off;\nworker_processes 1;\npid {dir}/nginx.pid;\nerror_log {dir}/nginx.log warn;\nevents {{ worker_connections 1024; }}\n\
         http {{\n  access_log off;\n{temp}  client_body_buffer_size 256k;\n  client_max_body_size 32m;\n  keepalive_requests 10000000;\n\
         \x20 upstream mock {{ server {upstream}; keepalive 64; keepalive_requests 10000000; }}\n\
         \x20 server {{\n    listen {addr};\n    location / {{\n      proxy_pass http://mock;\n      proxy_http_version 1.1;\n\
         \x20     proxy_set_header Connection \"\";\n      proxy_buffering off;\n    }}\n  }}\n}}\n"
    );
    let file = work.join("nginx.conf");
    fs::write(&file, config).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
    let mut command = Command::new(nginx);
    command.arg("-p").arg(work).arg("-c").arg(&file);
    Ok(Some(Running { process: Process::start(command, &work.join("nginx.out"), addr)?, addr }))
}
