//! A network of a test's own, with nothing but a loopback interface.

use std::ffi::OsString;
use std::future::Future;
use std::process::Command;

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};

/// Set in a test process that was started inside a network of its own.
const INSIDE: &str = "TOLLGATE_TEST_OWN_NETWORK";

/// Runs the test on a current-thread runtime in a network namespace that has only a loopback interface: sockets and
/// processes made in the test live in it, and nothing of it reaches another network.
///
/// Root gets the namespace on a thread. Other users cannot (a user namespace needs a process with one thread), so the
/// test process starts itself again, this one test only, under `unshare`. Where the system forbids both, the test runs
/// without a namespace, and clients are kept on loopback by proxy settings (see [`crate::support::client`]).
pub fn isolated<F, Fut>(test: F)
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = ()>,
{
    let name = std::thread::current().name().map(str::to_owned);
    let thread = std::thread::spawn(move || {
        if std::env::var_os(INSIDE).is_some() {
            loopback_up();
        } else {
            match unshare(CloneFlags::CLONE_NEWNET) {
                Ok(()) => loopback_up(),
                Err(Errno::EPERM) if can_have_user_namespace() => return start_again(name),
                Err(error) => eprintln!("no network namespace ({error}): running in the shared network"),
            }
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(test());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Whether this process has a loopback interface and no other.
pub fn is_alone() -> bool {
    let interfaces = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
    let names: Vec<&str> =
        interfaces.lines().skip(2).filter_map(|line| line.split(':').next()).map(str::trim).collect();
    names == ["lo"]
}

fn loopback_up() {
    let status = Command::new("ip").args(["link", "set", "lo", "up"]).status();
    assert!(status.is_ok_and(|status| status.success()), "`ip link set lo up` failed: is iproute2 installed?");
}

fn under_unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net"]);
    command
}

fn can_have_user_namespace() -> bool {
    under_unshare().arg("true").output().is_ok_and(|output| output.status.success())
}

fn start_again(name: Option<String>) {
    let binary = std::env::current_exe().expect("the path of this test binary");
    // The thread of a test has its name, unless tests run on the main thread; then it was asked for by name.
    let name = name.filter(|name| name != "main").map(OsString::from);
    let name = name.or_else(|| std::env::args_os().skip(1).find(|arg| !arg.to_string_lossy().starts_with('-')));
    let name = name.expect("the name of this test");
    let status = under_unshare().arg(binary).arg(name).args(["--exact", "--nocapture"]).env(INSIDE, "1").status();
    assert!(status.is_ok_and(|status| status.success()), "the test failed in its own network (see above)");
}
