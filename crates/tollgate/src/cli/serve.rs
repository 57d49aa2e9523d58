//! `tollgate serve`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::{CliError, ServeArgs, data_dir, environment};
use crate::app::App;
use crate::config::watch::Watch;
use crate::config::{self, Config, Outcome, Problem};
use crate::pipeline::admit;
use crate::server;
use crate::store::{self, Store};
use crate::telemetry::{self, Level};
use crate::{health, kept, rests};

const DEFAULT_PORT: u16 = 4000;
/// How long the end of the process waits for answers that are still to be written to the database.
const LAST_ANSWERS: std::time::Duration = std::time::Duration::from_secs(5);

pub fn run(args: &ServeArgs) -> Result<ExitCode, CliError> {
    let level = if args.detailed_debug { Level::Detailed } else { Level::Normal };
    let (watch, outcome) = match &args.config {
        Some(file) => {
            let (watch, outcome) = Watch::start(file, Arc::new(config::env));
            (Some(watch), outcome)
        }
        None => (None, config::from_environment(&config::env)),
    };
    let config = accept(args.config.as_deref(), outcome)?;
    telemetry::start(level, environment("TOLLGATE_LOG").as_deref());
    let address = address(args, &config)?;
    runtime(args.num_workers)?.block_on(serve(args, config, watch, address))
}

/// A configuration for a command that does not follow its changes.
pub fn load(file: Option<&Path>) -> Result<Config, CliError> {
    let outcome = match file {
        Some(file) => config::load(file, &config::env),
        None => config::from_environment(&config::env),
    };
    accept(file, outcome)
}

/// Shows what was found in the configuration.
fn accept(file: Option<&Path>, outcome: Outcome) -> Result<Config, CliError> {
    let show = |problems: &[Problem]| problems.iter().for_each(|problem| eprintln!("{problem}"));
    match outcome {
        Ok((config, problems)) => {
            show(&problems);
            Ok(config)
        }
        Err(problems) => {
            show(&problems);
            Err(match (problems.as_slice(), file) {
                ([_], _) => CliError::told(),
                (_, Some(file)) => CliError::usage(format!("{} cannot be used; see above", file.display())),
                (_, None) => CliError::usage("nothing to serve; see above"),
            })
        }
    }
}

/// One thread runs without the cost of handing work between threads.
pub fn runtime(workers: Option<usize>) -> Result<tokio::runtime::Runtime, CliError> {
    let mut builder = match workers {
        Some(1) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if let Some(workers) = workers.filter(|n| *n > 1) {
        builder.worker_threads(workers);
    }
    builder.enable_all().build().map_err(|error| CliError::failure(format!("the runtime cannot start: {error}")))
}

fn address(args: &ServeArgs, config: &Config) -> Result<SocketAddr, CliError> {
    let host = args.host.as_deref().unwrap_or("127.0.0.1");
    let ip: IpAddr = match host {
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        host => host.trim_matches(['[', ']']).parse().map_err(|_| {
            CliError::usage(format!(
                "--host (or HOST) {host} is not an IP address; use 127.0.0.1 for this machine only or 0.0.0.0 for all interfaces"
            ))
        })?,
    };
    let ip = if config.master_key.is_none() && !ip.is_loopback() {
        tracing::warn!(
            "no master key is set, so the gateway listens on 127.0.0.1 only; set general_settings.master_key or TOLLGATE_MASTER_KEY to listen on {host}"
        );
        Ipv4Addr::LOCALHOST.into()
    } else {
        ip
    };
    Ok(SocketAddr::new(ip, args.port.unwrap_or(DEFAULT_PORT)))
}

async fn serve(
    args: &ServeArgs,
    config: Config,
    watch: Option<Watch>,
    address: SocketAddr,
) -> Result<ExitCode, CliError> {
    let listener = server::bind(address).await.map_err(|error| cannot_listen(address, &error))?;
    let bound = listener.local_addr().unwrap_or(address);
    if config.master_key.is_none() {
        warn_of_no_key();
    }
    let routes = config.routes.names().collect::<Vec<_>>().join(",");
    let dir = data_dir(args.data_dir.as_ref());
    if dir.is_none() {
        tracing::warn!(
            "no data directory is known, so there are no keys, budgets or records, and nothing is kept: set HOME or XDG_DATA_HOME, or name it with --data-dir"
        );
    }
    let app = App::new(config, dir.clone()).map_err(|error| {
        let dir = dir.as_ref().map(|d| d.display().to_string()).unwrap_or_default();
        CliError::failure(format!("the data directory {dir} cannot be used: {error}; choose another with --data-dir"))
    })?;
    let app = Arc::new(app);
    if let Some(dir) = &dir {
        let store = Store::open(&app.live().config, dir).await;
        app.set_store(store.map_err(|error| CliError::failure(format!("{error}; see docs/storage.md")))?);
    }
    if let Some(watch) = watch {
        let changes = watch
            .changes()
            .map_err(|error| CliError::failure(format!("the configuration cannot be watched: {error}")))?;
        tokio::spawn(follow(app.clone(), changes, bound));
    }
    tokio::spawn(health::run(app.clone()));
    tokio::spawn(rests::share(app.clone()));
    tokio::spawn(store::follow(app.clone()));
    tokio::spawn(store::upkeep::forget_old(app.clone()));
    tokio::spawn(store::upkeep::keep_uses(app.clone()));
    tokio::spawn(store::upkeep::shorten_ledger(app.clone()));
    tokio::spawn(store::upkeep::tell_alerts(app.clone()));
    let keeping = tokio::spawn(kept::write(app.clone()));
    tokio::spawn(admit::share_limits(app.clone()));
    let stop = stop_signal().map_err(|error| CliError::failure(format!("signals cannot be caught: {error}")))?;
    tracing::info!(url = %format!("http://{bound}"), routes, "listening");
    server::serve(app.clone(), listener, stop).await;
    if let Some(store) = app.store() {
        let last_answers = async {
            app.kept.finish().await;
            let _ = keeping.await;
        };
        if tokio::time::timeout(LAST_ANSWERS, last_answers).await.is_err() {
            tracing::warn!("stopping: some answers that clients had kept did not reach the database");
        }
        store.close().await;
    }
    Ok(ExitCode::SUCCESS)
}

fn warn_of_no_key() {
    tracing::warn!("no master key is set: anyone on this machine may use the gateway");
}

/// Puts every valid change of the files in force. What listens to others than this machine never loses its master key.
async fn follow(app: Arc<App>, mut changes: mpsc::Receiver<Config>, bound: SocketAddr) {
    while let Some(config) = changes.recv().await {
        if config.master_key.is_none() && !bound.ip().is_loopback() {
            tracing::error!(
                "the changed configuration has no general_settings.master_key, which would open {bound} to everybody: the one before stays in force"
            );
            continue;
        }
        if config.master_key.is_none() {
            warn_of_no_key();
        }
        app.reload(config);
        tracing::info!("configuration reloaded");
    }
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> CliError {
    let port = address.port();
    match error.kind() {
        std::io::ErrorKind::AddrInUse => CliError::failure(format!(
            "port {port} on {} is in use; choose another with --port, or find its owner with `ss -ltnp 'sport = :{port}'`",
            address.ip()
        )),
        std::io::ErrorKind::PermissionDenied => CliError::failure(format!(
            "port {port} needs more rights than this user has; choose one above 1023 with --port"
        )),
        _ => CliError::failure(format!(
            "cannot listen on {address}: {error}; choose another address with --host and --port"
        )),
    }
}

/// Ready at SIGINT or SIGTERM; a second one ends the process at once. The signals are caught from the call on, not from the
/// first poll: a busy listener might poll this late.
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut next = async move || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    Ok(async move {
        next().await;
        tokio::spawn(async move {
            next().await;
            crate::telemetry::flush();
            std::process::exit(130);
        });
    })
}
