//! A gateway's process tree: start, CPU time, memory, end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The kernel counts CPU time in hundredths of a second on every platform that Linux runs on today.
const TICK: Duration = Duration::from_millis(10);
const GATEWAY_CORE: &str = "0";
const LOAD_CORE: &str = "1";

pub struct Process(Child);

#[derive(Clone, Copy, Default)]
pub struct Thread {
    pub nanos: u64,
    pub switches: u64,
}

/// Whether there are two cores and the program to choose one.
fn can_pin() -> bool {
    std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2)
        && Command::new("taskset").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Puts mock and load generator on a core of their own.
pub fn pin_this_process() {
    let own = std::process::id().to_string();
    let pinned = can_pin()
        && Command::new("taskset").args(["-acp", LOAD_CORE, &own]).output().is_ok_and(|output| output.status.success());
    if !pinned {
        eprintln!("xtask: not pinned to cores: figures will vary more");
    }
}

fn on_its_core(command: Command) -> Command {
    if !can_pin() {
        return command;
    }
    let mut taskset = Command::new("taskset");
    taskset.args(["-c", GATEWAY_CORE]).arg(command.get_program()).args(command.get_args());
    taskset
}

impl Process {
    /// Starts a gateway on its core and waits until it takes connections.
    pub fn start(command: Command, log: &Path, addr: SocketAddr) -> Result<Self, String> {
        Self::start_anywhere(on_its_core(command), log, addr)
    }

    /// The same on all cores.
    pub fn start_anywhere(mut command: Command, log: &Path, addr: SocketAddr) -> Result<Self, String> {
        let out = File::create(log).map_err(|error| format!("cannot write {}: {error}", log.display()))?;
        let err = out.try_clone().map_err(|error| error.to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        let process = Self(child);
        let start = Instant::now();
        while TcpStream::connect(addr).is_err() {
            if start.elapsed() > Duration::from_secs(60) {
                return Err(format!("no answer on {addr}; see {}", log.display()));
            }
            pause();
        }
        Ok(process)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// CPU time of the tree so far.
    pub fn cpu(&self) -> Duration {
        let (user, kernel) = self.user_and_kernel();
        user + kernel
    }

    /// The same in two parts.
    pub fn user_and_kernel(&self) -> (Duration, Duration) {
        let ticks = |pid: u32| {
            let fields = stat(pid)?;
            let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
            // utime and stime, and those of children that have ended.
            Some((ticks(11)? + ticks(13)?, ticks(12)? + ticks(14)?))
        };
        let all = tree(self.0.id()).into_iter().filter_map(ticks);
        let (user, kernel) = all.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (user * TICK, kernel * TICK)
    }

    /// What each kind of thread of the process has used so far, by its name.
    pub fn threads(&self) -> BTreeMap<String, Thread> {
        let mut threads: BTreeMap<String, Thread> = BTreeMap::new();
        let folder = fs::read_dir(format!("/proc/{}/task", self.0.id()));
        for task in folder.into_iter().flatten().flatten() {
            let read = |file: &str| fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let thread = threads.entry(read("comm").trim_end().to_owned()).or_default();
            // The first of three: nanoseconds on a core.
            thread.nanos += read("schedstat").split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0);
            let switches = |line: &str| line.split_once("ctxt_switches:")?.1.trim().parse::<u64>().ok();
            thread.switches += read("status").lines().filter_map(switches).sum::<u64>();
        }
        threads
    }

    pub fn peak_memory_kib(&self) -> u64 {
        let peak = |pid: u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse::<u64>().ok())
        };
        tree(self.0.id()).into_iter().filter_map(peak).sum()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Children first: a worker that outlives its master would keep the port.
        for pid in tree(self.0.id()).into_iter().rev() {
            let _ = Command::new("kill").arg(pid.to_string()).stderr(Stdio::null()).status();
        }
        let _ = self.0.wait();
    }
}

/// The fields of `/proc/PID/stat` after the name of the program.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(text.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect())
}

/// The process and its descendants, parents first.
fn tree(root: u32) -> Vec<u32> {
    let all: Vec<u32> = fs::read_dir("/proc")
        .map(|dir| dir.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect())
        .unwrap_or_default();
    let parent = |pid: u32| stat(pid)?.get(1)?.parse::<u32>().ok();
    let parents: Vec<(u32, u32)> = all.into_iter().filter_map(|pid| Some((pid, parent(pid)?))).collect();
    let mut tree = vec![root];
    let mut next = 0;
    while next < tree.len() {
        let at = tree[next];
        tree.extend(parents.iter().filter(|(_, parent)| *parent == at).map(|(pid, _)| *pid));
        next += 1;
    }
    tree
}

#[expect(clippy::disallowed_methods, reason = "there is no runtime here whose thread this could block")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}
