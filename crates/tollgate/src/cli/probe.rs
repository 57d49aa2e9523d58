//! `tollgate probe`.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{CliError, data_dir, ledger, serve};
use crate::app::App;
use crate::pipeline::exchange::MOST_CURES;
use crate::probe::{self, Finding, Report, Verdict};

#[derive(clap::Args)]
pub struct ProbeArgs {
    /// A name from the configuration
    model: String,
    /// LiteLLM's config.yaml. Without it, providers are taken from the key variables that are set
    #[arg(long, short, value_name = "FILE", env = "CONFIG_FILE_PATH")]
    config: Option<PathBuf>,
    /// Where the facts are kept [default: the user's data directory]
    #[arg(long, value_name = "DIR", env = "TOLLGATE_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Show what is found and keep nothing, in the ledger neither
    #[arg(long)]
    dry_run: bool,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &ProbeArgs) -> Result<ExitCode, CliError> {
    let config = serve::load(args.config.as_deref())?;
    let dir = data_dir(args.data_dir.as_ref()).filter(|_| !args.dry_run);
    let app = App::new(config, dir.clone()).map_err(|error| {
        CliError::failure(format!("the data directory cannot be used: {error}; choose another with --data-dir"))
    })?;
    let reports = serve::runtime(Some(1))?.block_on(async {
        ledger::open(&app, &app.live().config, dir.as_deref()).await;
        let reports = ask(args, &app).await;
        ledger::close(&app).await;
        reports
    })?;
    let live = app.live();
    let mut found = 0;
    for report in &reports {
        for fact in report.facts().filter(|fact| fact.lasts() && dir.is_some()) {
            app.learn(&live, report.deployment, &report.upstream_model, fact.clone());
            found += 1;
        }
    }
    let saved = dir.filter(|_| found > 0).map(|dir| dir.join("learned.json"));
    if args.json {
        println!("{:#}", as_json(args, &app, &reports, saved.as_ref()));
    } else {
        print!("{}", as_text(&app, &reports));
        match (&saved, args.dry_run) {
            (Some(file), _) => println!("{found} facts kept in {} for seven days", file.display()),
            (None, true) => println!("nothing was kept (--dry-run)"),
            (None, false) => println!("there is nothing to keep: every call was taken as it was"),
        }
    }
    Ok(if reports.iter().all(|report| report.answers) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn ask(args: &ProbeArgs, app: &App) -> Result<Vec<Report>, CliError> {
    let live = app.live();
    let route = live.config.routes.resolve(&args.model).map_err(|unknown| {
        let hint = match unknown.nearest.as_slice() {
            [] => "`tollgate check` lists the names".to_string(),
            names => format!("did you mean {}", names.join(" or ")),
        };
        CliError::usage(format!("the configuration has no model {:?}; {hint}", args.model))
    })?;
    let deployments = route.deployments.to_vec();
    if let Some(index) = deployments.iter().find(|&&i| live.config.deployments[i].credential_missing) {
        let id = &live.config.deployments[*index].id;
        return Err(CliError::usage(format!("the key of deployment {id} is not set, see above; nothing was sent")));
    }
    let calls: usize = deployments.iter().map(|&i| probe::calls(live.config.deployments[i].dialect)).sum();
    eprintln!(
        "{}: {}, {calls} small calls in all, and up to {MOST_CURES} more for each that has to be repaired",
        args.model,
        match deployments.len() {
            1 => "1 deployment".to_string(),
            n => format!("{n} deployments"),
        },
    );
    let terminal = std::io::stderr().is_terminal();
    let mut reports = Vec::new();
    for index in deployments {
        let id = live.config.deployments[index].id.clone();
        let mut progress = |call: usize, all: usize, ability: &str| {
            if terminal {
                eprint!("\r\x1b[2K{id}: {call}/{all} {ability}");
                let _ = std::io::stderr().flush();
            }
        };
        reports.push(probe::deployment(app, &live, index, &args.model, &mut progress).await);
    }
    if terminal {
        eprint!("\r\x1b[2K");
    }
    Ok(reports)
}

fn finding_text(finding: &Finding) -> String {
    let labels: Vec<String> = finding.facts.iter().map(|fact| fact.label()).collect();
    match finding.verdict {
        Verdict::Yes => "yes".into(),
        Verdict::No => "no".into(),
        Verdict::Repaired => format!("repaired: {}", labels.join(", ")),
        Verdict::Unclear if labels.is_empty() => "unclear".into(),
        Verdict::Unclear => format!("unclear, repaired: {}", labels.join(", ")),
    }
}

fn as_text(app: &App, reports: &[Report]) -> String {
    let live = app.live();
    let mut out = String::new();
    for report in reports {
        let deployment = &live.config.deployments[report.deployment];
        let (provider, model) = (&deployment.provider, &report.upstream_model);
        let _ = writeln!(
            out,
            "{} → {provider}/{model} @ {} ({} requests)\n",
            deployment.group,
            deployment.shown_url(),
            report.sent
        );
        let rows: Vec<(&str, String, &str)> =
            report.findings.iter().map(|f| (f.ability, finding_text(f), f.evidence.as_str())).collect();
        let ability = rows.iter().map(|row| row.0.len()).max().unwrap_or(0);
        let finding = rows.iter().map(|row| row.1.chars().count()).max().unwrap_or(0);
        for (name, what, evidence) in rows {
            let evidence: String = evidence.chars().take(200).collect();
            let _ = writeln!(out, "  {name:ability$}  {what:finding$}  {evidence}");
        }
        let lines = report.profile.lines();
        if report.answers && !lines.is_empty() {
            let _ = writeln!(out, "\n  In the configuration this would be:\n");
            for line in lines.lines() {
                let _ = writeln!(out, "    {line}");
            }
        }
        let _ = writeln!(out);
    }
    out
}

fn as_json(args: &ProbeArgs, app: &App, reports: &[Report], saved: Option<&PathBuf>) -> Value {
    let live = app.live();
    let finding = |finding: &Finding| {
        let verdict = match finding.verdict {
            Verdict::Yes => "yes",
            Verdict::Repaired => "repaired",
            Verdict::No => "no",
            Verdict::Unclear => "unclear",
        };
        let repairs: Vec<String> = finding.facts.iter().map(|fact| fact.label()).collect();
        json!({"ability": finding.ability, "finding": verdict, "repairs": repairs, "evidence": finding.evidence})
    };
    let of = |report: &Report| {
        let deployment = &live.config.deployments[report.deployment];
        json!({
            "deployment": deployment.id, "provider": deployment.provider, "model": report.upstream_model,
            "base_url": deployment.shown_url(), "requests": report.sent,
            "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
            "profile": {"litellm_params": report.profile.litellm_params, "model_info": report.profile.model_info},
        })
    };
    json!({"model": args.model, "saved": saved, "deployments": reports.iter().map(of).collect::<Vec<_>>()})
}
