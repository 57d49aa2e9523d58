//! A real PostgreSQL for tests: without durability, in a folder of its own, reached through a socket in it. It ends by itself when
//! the process that it was started for is gone, however that came about.
//!
//! One server serves every test of a run. `cargo xtask test` starts it and tells its URL; in other runs the first test that needs
//! one starts it for all tests of the same runner. Only the standard library is used, so that everybody can include the file.
#![allow(dead_code, reason = "each user needs a part of it")]

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
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
    rm -rf "$2"
"#;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// The URL of a new, empty database on the server of this run.
pub fn new_database() -> String {
    let maintenance = maintenance_url();
    let name = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let made = Command::new("psql")
        .env("PATH", path_with_postgres().expect("PostgreSQL is installed"))
        .args(["-qX", "-d", &maintenance, "-c", &format!("CREATE DATABASE {name}")])
        .output()
        .expect("psql runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    url_of(&maintenance, &name)
}

/// The URL of the maintenance database of the server of this run.
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

/// Runs the statements of a file.
pub fn run_file(database: &str, file: &Path) {
    let done = Command::new("psql")
        .env("PATH", path_with_postgres().expect("PostgreSQL is installed"))
        .args(["-qX", "-v", "ON_ERROR_STOP=1", "-d", database, "-f"])
        .arg(file)
        .output()
        .expect("psql runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The rows of a query, as texts.
///
/// # Errors
/// What the server says, or that there is none.
pub fn rows(database: &str, query: &str) -> Result<Vec<Vec<String>>, String> {
    let asked = Command::new("psql")
        .env("PATH", path_with_postgres().ok_or("PostgreSQL is not installed")?)
        .args(["-qXAt", "-F", "\t", "-d", database, "-c", query])
        .output()
        .map_err(|error| error.to_string())?;
    if !asked.status.success() {
        return Err(String::from_utf8_lossy(&asked.stderr).into_owned());
    }
    let text = String::from_utf8_lossy(&asked.stdout);
    Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

/// Starts a server that runs as long as process `watched`, unless one does already.
///
/// # Errors
/// It is not installed, or it does not become ready; the text has what it said.
pub fn start_for(watched: u32) -> Result<String, String> {
    let dir = std::env::temp_dir().join(format!("tollgate-postgres-{watched}"));
    let installed = Installed::new(&dir)?;
    // Who makes the folder starts the server, and the others wait for it.
    match fs::create_dir(&dir) {
        Ok(()) => {
            let launched = installed.initialise().and_then(|()| installed.serve_while(watched));
            if launched.is_err() {
                let _ = fs::remove_dir_all(&dir);
            }
            launched?;
        }
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.to_string()),
        Err(_) => {}
    }
    installed.ready()?;
    Ok(url(&dir))
}

fn url(dir: &Path) -> String {
    format!("postgres://tollgate@localhost/postgres?host={}", dir.display())
}

/// A server of one test's own, which can be away for a while. It is killed when dropped.
pub struct Postgres {
    dir: PathBuf,
    installed: Installed,
    child: Child,
}

impl Postgres {
    pub fn start() -> Postgres {
        let name = format!("tollgate-postgres-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&dir);
        let installed = Installed::new(&dir).expect("PostgreSQL is installed");
        fs::create_dir(&dir).expect("a temporary folder");
        installed.initialise().expect("PostgreSQL makes its folder");
        let child = installed.serve().expect("PostgreSQL is ready");
        Postgres { dir, installed, child }
    }

    /// Of its maintenance database.
    pub fn url(&self) -> String {
        url(&self.dir)
    }

    /// Ends it without a word to anybody.
    pub fn stop(&mut self) {
        // A kill would leave its helpers behind for a moment, and they forbid another start.
        let told = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        assert!(told.is_ok_and(|status| status.success()), "PostgreSQL runs");
        self.child.wait().expect("PostgreSQL ends");
    }

    /// With what it had.
    pub fn start_again(&mut self) {
        self.child = self.installed.serve().expect("PostgreSQL is ready again");
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The programs of PostgreSQL, and the folder for a server's data and socket.
struct Installed {
    path: OsString,
    dir: PathBuf,
    user: Option<(u32, u32)>,
}

impl Installed {
    fn new(dir: &Path) -> Result<Installed, String> {
        let path = path_with_postgres().ok_or("it is not installed: Debian's package is `postgresql`")?;
        Ok(Installed { path, dir: dir.to_path_buf(), user: user() })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("PATH", &self.path).current_dir(&self.dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn initialise(&self) -> Result<(), String> {
        let shown = |error: io::Error| error.to_string();
        fs::set_permissions(&self.dir, fs::Permissions::from_mode(0o755)).map_err(shown)?;
        if let Some((uid, gid)) = self.user {
            chown(&self.dir, Some(uid), Some(gid)).map_err(shown)?;
        }
        let made = self
            .command("initdb")
            .args(["--no-sync", "--auth=trust", "--username=tollgate", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(self.dir.join("data"))
            .stderr(Stdio::piped())
            .output()
            .map_err(shown)?;
        if made.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&made.stderr).into_owned()) }
    }

    fn serve_while(&self, watched: u32) -> Result<(), String> {
        // A group of its own: an interrupt from the keyboard must not reach it before the watch sees to it.
        let mut command = self.command("sh");
        command.args(["-c", WATCHED, "sh", &watched.to_string()]).arg(&self.dir).process_group(0);
        command.spawn().map(drop).map_err(|error| error.to_string())
    }

    fn serve(&self) -> Result<Child, String> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.dir.join("data")).arg("-k").arg(&self.dir).args(["-h", "", "-F"]);
        let child = command.spawn().map_err(|error| error.to_string())?;
        self.ready()?;
        Ok(child)
    }

    fn ready(&self) -> Result<(), String> {
        let begun = Instant::now();
        let asked = || self.command("pg_isready").args(["-q", "-h"]).arg(&self.dir).status();
        while !asked().is_ok_and(|status| status.success()) {
            if begun.elapsed() > READY_WITHIN {
                let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                return Err(format!("it is not ready: {log}"));
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        Ok(())
    }
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
