//! A real PostgreSQL for tests: without durability, in a folder of its own, reached through a socket in it. It ends by itself when
//! the process that it was started for is gone, however that came about.
//!
//! One server serves every test of a run. `cargo xtask test` starts it and tells its URL; in other runs the first test that needs
//! one starts it for all tests of the same runner. Only the standard library is used, so that everybody can include the file.
#![allow(dead_code, reason = "each user needs a part of it")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The URL of the maintenance database of a running server. In it tests make databases of their own.
pub const VARIABLE: &str = "TOLLGATE_TEST_POSTGRES";
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Runs the server beside a watch over process `$1`, and clears away folder `$2` when either is gone.
const WATCHED: &str = r#"
    postgres -D "$2/data" -k "$2" -h "" -F -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off \
        -c max_connections=200 -c shared_buffers=32MB </dev/null >"$2/log" 2>&1 &
    server=$!
    while kill -0 $server 2>/dev/null && { [ -d "/proc/$1" ] || kill -0 "$1" 2>/dev/null; }; do sleep 0.3; done
    kill -QUIT $server 2>/dev/null
    wait $server
    rm -rf "$2" "$2.lock"
"#;

/// The URL of the maintenance database of the server for this run.
pub fn maintenance_url() -> String {
    if let Some(url) = std::env::var_os(VARIABLE) {
        return url.into_string().expect("the URL is text");
    }
    start_for(parent_id()).unwrap_or_else(|error| panic!("PostgreSQL cannot be started: {error}"))
}

/// The URL of another database of the same server.
pub fn url_of(maintenance_url: &str, database: &str) -> String {
    let (address, options) = maintenance_url.split_once('?').map_or((maintenance_url, ""), |(url, rest)| (url, rest));
    let server = address.rsplit_once('/').map_or(address, |(server, _)| server);
    let mark = if options.is_empty() { "" } else { "?" };
    format!("{server}/{database}{mark}{options}")
}

/// Starts a server that runs as long as process `watched`, unless one does already.
///
/// # Errors
/// It is not installed, or it does not become ready; the text has what it said.
pub fn start_for(watched: u32) -> Result<String, String> {
    let shown = |error: io::Error| error.to_string();
    let dir = std::env::temp_dir().join(format!("tollgate-postgres-{watched}"));
    let lock = File::create(dir.with_extension("lock")).map_err(shown)?;
    lock.lock().map_err(shown)?;
    let url = format!("postgres://tollgate@localhost/postgres?host={}", dir.display());
    // The data folder goes last when a server ends, the socket first.
    if !socket(&dir).exists() {
        let _ = fs::remove_dir_all(&dir);
        launch(&dir, watched)?;
    }
    Ok(url)
}

fn socket(dir: &Path) -> PathBuf {
    dir.join(".s.PGSQL.5432")
}

fn launch(dir: &Path, watched: u32) -> Result<(), String> {
    let shown = |error: io::Error| error.to_string();
    fs::create_dir(dir).map_err(shown)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).map_err(shown)?;
    let user = user();
    if let Some((uid, gid)) = user {
        chown(dir, Some(uid), Some(gid)).map_err(shown)?;
    }
    let path = path_with_postgres().ok_or("it is not installed: Debian's package is `postgresql`")?;
    let command = |program: &str| {
        let mut command = Command::new(program);
        command.env("PATH", &path).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((uid, gid)) = user {
            command.uid(uid).gid(gid);
        }
        command
    };
    let made = command("initdb")
        .args(["--no-sync", "--auth=trust", "--username=tollgate", "--encoding=UTF8", "--locale=C", "-D"])
        .arg(dir.join("data"))
        .output()
        .map_err(shown)?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into_owned());
    }
    // A group of its own: an interrupt from the keyboard must not reach it before the watch sees to it.
    command("sh")
        .args(["-c", WATCHED, "sh", &watched.to_string()])
        .arg(dir)
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(shown)?;
    let begun = Instant::now();
    let ready = || command("pg_isready").args(["-q", "-h"]).arg(dir).status().is_ok_and(|status| status.success());
    while !ready() {
        if begun.elapsed() > READY_WITHIN {
            return Err(format!("it is not ready: {}", fs::read_to_string(dir.join("log")).unwrap_or_default()));
        }
    }
    Ok(())
}

/// Whom it runs as, if this process is root's, which PostgreSQL does not accept: the user that Debian makes for it.
fn user() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").ok()?.uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let mut user = users.lines().find_map(|line| line.strip_prefix("postgres:"))?.split(':').skip(1);
    Some((user.next()?.parse().ok()?, user.next()?.parse().ok()?))
}

/// Debian keeps the server's programs out of the usual places, in a folder for each version.
fn path_with_postgres() -> Option<OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    versions.sort_by_key(|dir| dir.parent().and_then(|dir| dir.file_name()?.to_str()?.parse::<u32>().ok()));
    places.extend(versions.into_iter().rev());
    places.iter().any(|place| place.join("initdb").is_file()).then_some(())?;
    std::env::join_paths(places).ok()
}
