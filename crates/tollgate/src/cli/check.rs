//! `tollgate check`: what is wrong with a configuration, or where its routes lead.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use tollgate_dialect::Dialect;

use crate::config::{self, Config, Outcome, Problem};

#[cfg(test)]
mod tests;

#[derive(Debug, clap::Args)]
pub struct Check {
    /// The configuration file
    config: PathBuf,
    /// Print problems and routes as JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Problems go to stderr, routes to stdout; 2 if there is an error among the problems.
    pub fn run(&self) -> ExitCode {
        let report = report(&self.config, &config::load(&self.config, &config::env), self.json);
        eprint!("{}", report.problems);
        print!("{}", report.answer);
        ExitCode::from(report.exit)
    }
}

struct Report {
    problems: String,
    answer: String,
    exit: u8,
}

fn report(path: &Path, outcome: &Outcome, json: bool) -> Report {
    let (config, problems) = match outcome {
        Ok((config, problems)) => (Some(config), problems),
        Err(problems) => (None, problems),
    };
    let exit = if config.is_some() { 0 } else { 2 };
    if json {
        let routes: Vec<_> = config.map(as_json).unwrap_or_default();
        let answer = json!({ "ok": config.is_some(), "problems": problems, "routes": routes });
        return Report { problems: String::new(), answer: format!("{answer:#}\n"), exit };
    }
    let mut listed = String::new();
    for problem in problems {
        writeln!(listed, "{problem}").expect("writing to a string");
    }
    let answer = match config {
        Some(config) => format!("{}{}: {}\n", table(config), path.display(), summary(problems)),
        None => String::new(),
    };
    Report { problems: listed, answer, exit }
}

fn summary(problems: &[Problem]) -> String {
    match problems.len() {
        0 => "good".to_string(),
        1 => "good, with 1 remark".to_string(),
        n => format!("good, with {n} remarks"),
    }
}

/// `name → provider/model @ address`, and the aliases after.
fn table(config: &Config) -> String {
    let routes = config.deployments.iter().map(|d| {
        let dialect = match d.dialect {
            Dialect::Chat => "",
            Dialect::Messages => " (Messages)",
            Dialect::Responses => " (Responses)",
            Dialect::Gemini => " (Gemini)",
            Dialect::Converse => " (Converse)",
        };
        (d.group.as_str(), format!("{}/{} @ {}{dialect}", d.provider, d.model, d.shown_url()))
    });
    let aliases = config.routes.aliases().into_iter().map(|alias| (alias.name.as_str(), alias.target.clone()));
    let rows: Vec<(&str, String)> = routes.chain(aliases).collect();
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, to)| format!("{name:width$} → {to}\n")).collect()
}

fn as_json(config: &Config) -> Vec<serde_json::Value> {
    let of = |d: &config::model::Deployment| {
        json!({
            "name": d.group, "deployment": d.id, "provider": d.provider, "model": d.model,
            "base_url": d.shown_url(), "dialect": d.dialect.name(),
        })
    };
    config.deployments.iter().map(of).collect()
}
