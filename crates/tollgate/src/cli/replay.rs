//! `tollgate replay`: sends a captured request again and shows what became different.

mod answer;
mod compare;
mod diff;
mod report;
mod send;
mod show;
mod source;

use std::path::PathBuf;
use std::process::ExitCode;

use super::{CliError, data_dir, environment, serve};
use crate::telemetry;

#[derive(clap::Args, Debug)]
pub struct ReplayArgs {
    /// The id of a captured request, or a capture's file
    #[arg(value_name = "REQUEST-ID|FILE")]
    capture: String,
    /// The configuration to send it with. Without it, providers are taken from the key variables that are set
    #[arg(long, short, value_name = "FILE", env = "CONFIG_FILE_PATH")]
    config: Option<PathBuf>,
    /// The deployment to send it to [default: the one that it went to last]
    #[arg(long, value_name = "ID")]
    deployment: Option<String>,
    /// Ask for this model instead
    #[arg(long, short, value_name = "NAME")]
    model: Option<String>,
    /// Where captures and learned facts are kept [default: the user's data directory]
    #[arg(long, value_name = "DIR", env = "TOLLGATE_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Print the comparison, or with --show the capture, as JSON
    #[arg(long)]
    json: bool,
    /// Print the capture and send nothing
    #[arg(long)]
    show: bool,
}

/// Ends with 0 if the outcome is of the same kind as it was, with 1 if it is not.
pub fn run(args: &ReplayArgs) -> Result<ExitCode, CliError> {
    let dir = data_dir(args.data_dir.as_ref());
    let then = source::load(&args.capture, dir.as_deref())?;
    if args.show {
        print!("{}", if args.json { show::json(&then)? } else { show::text(&then) });
        return Ok(ExitCode::SUCCESS);
    }
    telemetry::start(telemetry::Level::Quiet, environment("TOLLGATE_LOG").as_deref());
    let config = serve::load(args.config.as_deref())?;
    let to = send::To { deployment: args.deployment.as_deref(), model: args.model.as_deref() };
    let sending = send::prepare(config, &then, &to)?;
    let quirks = sending.quirks();
    let now = send::send(sending, dir.as_deref())?;
    let comparison = compare::compare(&then, &now, args.deployment.as_deref(), &quirks);
    print!("{}", if args.json { report::json(&comparison) } else { report::text(&comparison) });
    Ok(ExitCode::from(u8::from(!comparison.same())))
}
