//! The command line.

pub mod check;
mod client_env;
mod clock;
mod demo;
mod explain;
mod gateway;
mod ledger;
mod manage;
mod probe;
mod refusal;
mod replay;
mod run;
mod serve;
mod transfer;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

/// Any coding agent or SDK with any model.
#[derive(Parser)]
#[command(name = "tollgate", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
#[command(after_help = "\
Try it without a key or a file:     tollgate demo
Claude Code on another model:       tollgate run claude --model kimi-k2.5 --config config.yaml
A gateway for a team:               tollgate serve --config config.yaml --port 4000
Is my configuration right?          tollgate check config.yaml
What does this error mean?          tollgate explain \"prompt is too long: 214315 tokens > 200000\"
What can this model do?             tollgate probe kimi-k2.5 --config config.yaml
A key for a colleague:              tollgate key create --alias ada --max-budget 20 --budget-duration 30d
What if it went elsewhere?          tollgate replay req_… --config config.yaml --deployment ID

A configuration is LiteLLM's config.yaml, unchanged:
    model_list:
      - model_name: kimi-k2.5
        litellm_params: { model: moonshot/kimi-k2.5, api_key: os.environ/MOONSHOT_API_KEY }")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway (the default without a subcommand)
    Serve(ServeArgs),
    /// Validate a configuration: prints file:line:column and a hint for each problem
    Check(check::Check),
    /// Say what a pasted error means and what to do about it; needs no gateway
    Explain(explain::Explain),
    /// Ask a deployment with small calls what it can do, and keep what is found
    Probe(probe::ProbeArgs),
    /// Show a coding-agent conversation going through the gateway; needs no key, network or file
    Demo,
    /// Start a coding agent against the gateway with every variable set
    Run(RunArgs),
    /// Print the variables that `run` would set, for a shell
    Env(EnvArgs),
    /// Send a captured request again, to the same or another deployment, and show what became different
    Replay(replay::ReplayArgs),
    /// Make, list, show, change and revoke virtual keys of a running gateway
    Key(manage::Manage),
    /// The same for teams
    Team(manage::Manage),
    /// The same for users
    User(manage::Manage),
    /// The same for named budgets
    Budget(manage::Manage),
    /// Write what was used, and what it cost, to a file
    Usage(usage::Usage),
    /// Take over keys, teams, users, budgets and what they spent
    Import(transfer::Import),
    /// Write the SQLite database to a file, also while the gateway runs
    Backup(transfer::Backup),
    /// Put a backup in the place of the SQLite database, while no gateway runs
    Restore(transfer::Restore),
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
}

#[derive(Args, Clone, Debug, Default)]
pub struct ServeArgs {
    /// LiteLLM's config.yaml. Without it, providers are taken from the key variables that are set
    #[arg(long, short, value_name = "FILE", env = "CONFIG_FILE_PATH")]
    pub config: Option<PathBuf>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", env = "HOST")]
    pub host: Option<String>,
    /// Port to listen on [default: 4000]
    #[arg(long, short, value_name = "PORT", env = "PORT")]
    pub port: Option<u16>,
    /// Where the database, learned facts and records are kept [default: the user's data directory]
    #[arg(long, value_name = "DIR", env = "TOLLGATE_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Worker threads [default: one per core]
    #[arg(long = "num_workers", visible_alias = "num-workers", value_name = "N", env = "NUM_WORKERS")]
    pub num_workers: Option<usize>,
    /// Log every step
    #[arg(long = "detailed_debug", visible_alias = "detailed-debug")]
    pub detailed_debug: bool,
    /// Accepted for LiteLLM's sake
    #[arg(long, hide = true)]
    pub debug: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Client {
    Claude,
    Codex,
    Opencode,
    Gemini,
}

#[derive(Args)]
pub struct RunArgs {
    pub client: Client,
    /// A name from the configuration [default: its first]
    #[arg(long, short, value_name = "NAME")]
    pub model: Option<String>,
    /// Start a private gateway with this configuration. Without it: the running gateway at TOLLGATE_BASE_URL, or a private one
    /// for the providers whose key variables are set, or the one that runs at http://127.0.0.1:4000
    #[arg(long, short, value_name = "FILE", env = "CONFIG_FILE_PATH")]
    pub config: Option<PathBuf>,
    /// Arguments for the client, after `--`
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
}

#[derive(Args)]
pub struct EnvArgs {
    pub client: Client,
    /// A name from the gateway's configuration
    #[arg(long, short, value_name = "NAME")]
    pub model: Option<String>,
    #[arg(long, default_value = "bash")]
    pub shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Fish,
    Powershell,
}

/// An error of the command line: one or two lines, and 2 for usage and configuration, 1 for failures.
#[derive(Debug)]
pub struct CliError {
    pub message: String,
    pub code: u8,
}

impl CliError {
    pub fn usage(message: impl Into<String>) -> CliError {
        CliError { message: message.into(), code: 2 }
    }

    /// What is wrong with the configuration stands on stderr already.
    pub fn told() -> CliError {
        CliError::usage("")
    }

    pub fn failure(message: impl Into<String>) -> CliError {
        CliError { message: message.into(), code: 1 }
    }
}

pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refusal::tell(&error),
    };
    let outcome = match cli.command {
        None => serve::run(&cli.serve),
        Some(Command::Serve(args)) => serve::run(&args),
        Some(Command::Check(check)) => return check.run(),
        Some(Command::Explain(explain)) => explain.run(),
        Some(Command::Probe(args)) => probe::run(&args),
        Some(Command::Demo) => demo::run(),
        Some(Command::Run(args)) => run::run(&args),
        Some(Command::Env(args)) => run::env(&args),
        Some(Command::Replay(args)) => replay::run(&args),
        Some(Command::Key(manage)) => manage.run(&manage::KEY),
        Some(Command::Team(manage)) => manage.run(&manage::TEAM),
        Some(Command::User(manage)) => manage.run(&manage::USER),
        Some(Command::Budget(manage)) => manage.run(&manage::BUDGET),
        Some(Command::Usage(usage)) => usage.run(),
        Some(Command::Import(import)) => import.run(),
        Some(Command::Backup(backup)) => backup.run(),
        Some(Command::Restore(restore)) => restore.run(),
        Some(Command::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "tollgate", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    };
    crate::telemetry::flush();
    outcome.unwrap_or_else(|error| {
        if !error.message.is_empty() {
            eprintln!("tollgate: {}", error.message);
        }
        ExitCode::from(error.code)
    })
}

/// A variable of the environment; an empty one counts as not set.
pub fn environment(name: &str) -> Option<String> {
    crate::config::env(name).filter(|value| !value.is_empty())
}

/// Where data is kept when nobody says: `$XDG_DATA_HOME/tollgate`, or `~/.local/share/tollgate`.
pub fn data_dir(given: Option<&PathBuf>) -> Option<PathBuf> {
    given.cloned().or_else(|| {
        let home = environment("XDG_DATA_HOME").map(PathBuf::from);
        let home = home.or_else(|| environment("HOME").map(|h| PathBuf::from(h).join(".local/share")));
        home.map(|dir| dir.join("tollgate"))
    })
}
