//! `tollgate run` and `tollgate env`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::client_env::{Access, ClientEnv, client_env};
use super::{CliError, Client, EnvArgs, RunArgs, data_dir, environment, gateway, ledger, serve};
use crate::app::App;
use crate::config::secret::Secret;
use crate::config::{self, model::Config};
use crate::{server, telemetry};

/// What the client had under way when it ended ends with it.
const LAST_REQUESTS: Duration = Duration::from_secs(1);

/// Starts a client and ends with its exit code. Without a configuration against the running gateway that `TOLLGATE_BASE_URL` names, or
/// one in its usual place if there are no providers' keys to start a private one with; else against a private one.
pub fn run(args: &RunArgs) -> Result<ExitCode, CliError> {
    let named = environment("TOLLGATE_BASE_URL").is_some();
    let no_other = || config::from_environment(&config::env).is_err() && gateway::is_there();
    if args.config.is_none() && (named || no_other()) { run_with_gateway(args) } else { run_private(args) }
}

fn run_with_gateway(args: &RunArgs) -> Result<ExitCode, CliError> {
    let env = of_running_gateway(args.client, args.model.as_deref(), &gateway::base_url())?;
    let before = spent();
    let status = serve::runtime(Some(1))?.block_on(async {
        let status = start(&env, &args.args).await;
        // What was paid last is in the gateway's books a moment later.
        tokio::time::sleep(LAST_REQUESTS).await;
        status
    })?;
    report_of_gateway(before, spent());
    Ok(exit_code(status))
}

fn run_private(args: &RunArgs) -> Result<ExitCode, CliError> {
    let given = serve::load(args.config.as_deref())?;
    let mut config = given.clone();
    let key = format!("sk-run-{}", uuid::Uuid::now_v7().simple());
    config.master_key = Some(Secret::new(key.clone()));
    let model = model(&config, args.model.as_deref())?;
    let context_window = context_window(&config, &model);
    let dir = data_dir(None);
    let log = dir.as_ref().map(|d| d.join("run.log"));
    telemetry::start_file(log.as_deref());
    let runtime = serve::runtime(None)?;
    runtime.block_on(async {
        let listener = server::bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0)).await;
        let listener =
            listener.map_err(|error| CliError::failure(format!("no port on 127.0.0.1 can be had: {error}")))?;
        let port = listener.local_addr().map_err(|e| CliError::failure(e.to_string()))?.port();
        let app = App::new(config, dir.clone())
            .map_err(|error| CliError::failure(format!("the data directory cannot be used: {error}")))?;
        let app = Arc::new(app);
        ledger::open(&app, &given, dir.as_deref()).await;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let serving = server::serve(app.clone(), listener, async { _ = stopped.await });
        let serving = tokio::spawn(serving);
        let base_url = format!("http://127.0.0.1:{port}");
        let access = Access { base_url: &base_url, key: &key, model: Some(&model), context_window };
        let env = placed(client_env(args.client, &access))?;
        let status = start(&env, &args.args).await;
        let _ = stop.send(());
        let _ = tokio::time::timeout(LAST_REQUESTS, serving).await;
        ledger::close(&app).await;
        let status = status?;
        report(&app, log.as_ref());
        Ok(exit_code(status))
    })
}

/// Prints the variables for a gateway that runs already.
pub fn env(args: &EnvArgs) -> Result<ExitCode, CliError> {
    let env = of_running_gateway(args.client, args.model.as_deref(), &gateway::base_url())?;
    print!("{}", env.script(args.shell));
    Ok(ExitCode::SUCCESS)
}

fn of_running_gateway(client: Client, model: Option<&str>, base_url: &str) -> Result<ClientEnv, CliError> {
    let key = gateway::key();
    if key.is_none() {
        eprintln!(
            "tollgate: no key is known, which is enough only for a gateway without a master key; else set TOLLGATE_API_KEY"
        );
    }
    let key = key.as_deref().unwrap_or("sk-none");
    placed(client_env(client, &Access { base_url, key, model, context_window: None }))
}

/// A client's settings are kept in the data directory: a shell that has their place in a variable may use them long after this.
fn placed(mut env: ClientEnv) -> Result<ClientEnv, CliError> {
    let dir = data_dir(None).unwrap_or_else(std::env::temp_dir);
    env.place(&dir).map_err(|error| {
        CliError::failure(format!(
            "the client's settings cannot be written to {}: {error}; set HOME or XDG_DATA_HOME",
            dir.display()
        ))
    })?;
    Ok(env)
}

pub(super) fn model(config: &Config, asked: Option<&str>) -> Result<String, CliError> {
    match asked {
        Some(name) => match config.routes.resolve(name) {
            Ok(_) => Ok(name.to_string()),
            Err(unknown) if unknown.nearest.is_empty() => Err(CliError::usage(format!(
                "model {name} is not configured; configured: {}",
                config.routes.names().collect::<Vec<_>>().join(", ")
            ))),
            Err(unknown) => {
                Err(CliError::usage(format!("model {name} is not configured; nearest: {}", unknown.nearest.join(", "))))
            }
        },
        None => config.routes.names().next().map(str::to_string).ok_or_else(|| {
            CliError::usage("the configuration names no model that could be the default; add --model NAME")
        }),
    }
}

fn context_window(config: &Config, model: &str) -> Option<u64> {
    let resolved = config.routes.resolve(model).ok()?;
    resolved.deployments.iter().filter_map(|&i| config.deployments[i].context_window).min()
}

async fn start(env: &ClientEnv, args: &[String]) -> Result<ExitStatus, CliError> {
    let mut command = tokio::process::Command::new(env.program);
    command.args(&env.args).args(args).stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
    for name in env.unset {
        command.env_remove(name);
    }
    command.envs(env.set.iter().map(|(name, value)| (name, value)));
    // A proxy for the world must not be asked for this machine.
    for name in ["NO_PROXY", "no_proxy"] {
        let others = environment(name).map(|list| format!("{list},")).unwrap_or_default();
        command.env(name, format!("{others}127.0.0.1,localhost"));
    }
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => CliError::failure(format!(
            "`{}` is not installed or not on the PATH; install it with `{}`",
            env.program, env.install
        )),
        _ => CliError::failure(format!(
            "`{0}` cannot be started: {error}; does `{0} --version` work in this shell?",
            env.program
        )),
    })?;
    // Interrupts are the client's: the terminal sends them to it as well, and it decides when to end.
    loop {
        tokio::select! {
            status = child.wait() => return status.map_err(|error| CliError::failure(error.to_string())),
            _ = tokio::signal::ctrl_c() => {}
        }
    }
}

fn report(app: &App, log: Option<&PathBuf>) {
    let totals = &app.totals;
    let (input, output) = (totals.input_tokens.load(Ordering::Relaxed), totals.output_tokens.load(Ordering::Relaxed));
    let cost = totals.cost_nanos.load(Ordering::Relaxed);
    let priced = if cost == 0 && input > 0 {
        "cost unknown (no price for this model; set model_info.input_cost_per_token and output_cost_per_token)"
            .to_string()
    } else {
        format!("cost ${}", tollgate_policy::price::dollars(cost))
    };
    let requests = totals.requests.load(Ordering::Relaxed);
    let log = log.map(|l| format!("; log: {}", l.display())).unwrap_or_default();
    eprintln!("tollgate: {requests} requests, {input} tokens in, {output} out, {priced}{log}");
}

/// What the running gateway has in its books.
#[derive(Clone, Copy)]
struct Books {
    dollars: f64,
    whose: &'static str,
}

/// Of the key that the client is given; the master key has no account, and then all of it.
fn spent() -> Option<Books> {
    let read = |path, place, whose| {
        let answer: serde_json::Value = serde_json::from_slice(&gateway::get(path).ok()?).ok()?;
        Some(Books { dollars: answer.pointer(place)?.as_f64()?, whose })
    };
    read("/key/info", "/info/spend", "of this key").or_else(|| read("/global/spend", "/spend", "of all keys"))
}

fn report_of_gateway(before: Option<Books>, after: Option<Books>) {
    let told = match (before, after) {
        (Some(before), Some(after)) if before.whose == after.whose => {
            let nanos = ((after.dollars - before.dollars).max(0.0) * 1e9).round() as u64;
            format!(
                "cost ${}, by the gateway's books {} meanwhile",
                tollgate_policy::price::dollars(nanos),
                after.whose
            )
        }
        _ => "cost unknown: the gateway does not tell what this key has spent".to_string(),
    };
    eprintln!("tollgate: {told}");
}

/// A client ended by a signal gives the code that shells give.
fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|s| 128 + s)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
