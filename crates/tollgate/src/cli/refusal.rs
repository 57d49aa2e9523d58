//! What is said of arguments that cannot be understood: one line, with the way on.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Cli;

/// Help goes to standard output; everything else is one line with the way on.
pub fn tell(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let command = command(std::env::args_os().skip(1));
    eprintln!("tollgate: {}; {}", complaint(error, &command), way_on(error, &command));
    ExitCode::from(2)
}

/// The command that the arguments name.
fn command(arguments: impl Iterator<Item = OsString>) -> clap::Command {
    let mut command = Cli::command().bin_name("tollgate");
    command.build();
    for argument in arguments {
        if let Some(deeper) = argument.to_str().and_then(|name| command.find_subcommand(name)) {
            command = deeper.clone();
        }
    }
    command
}

fn complaint(error: &clap::Error, command: &clap::Command) -> String {
    let named = |kind| match error.get(kind) {
        Some(ContextValue::Strings(names)) => names.join(", "),
        Some(ContextValue::String(name)) => name.clone(),
        _ => String::new(),
    };
    match error.kind() {
        ErrorKind::MissingRequiredArgument => format!("{} is missing", named(ContextKind::InvalidArg)),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            format!("`{}` needs to be told what to do", name(command))
        }
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.lines().find(|line| !line.trim().is_empty()).unwrap_or("");
            first.trim_start_matches("error: ").to_string()
        }
    }
}

fn way_on(error: &clap::Error, command: &clap::Command) -> String {
    let see = format!("see `{} --help`", name(command));
    let suggested = |kind| match error.get(kind) {
        Some(ContextValue::String(name)) => Some(name.clone()),
        Some(ContextValue::Strings(names)) => names.first().cloned(),
        _ => None,
    };
    match error.kind() {
        ErrorKind::UnknownArgument if command.get_name() == "run" => {
            format!("arguments of the client go behind `--`; flags: {}", flags(command))
        }
        ErrorKind::UnknownArgument => match suggested(ContextKind::SuggestedArg) {
            Some(near) => format!("did you mean {near}? flags: {}", flags(command)),
            None => format!("flags: {}", flags(command)),
        },
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(values)) if !values.is_empty() => format!("it may be {}", values.join(", ")),
            _ => see,
        },
        ErrorKind::InvalidSubcommand => match suggested(ContextKind::SuggestedSubcommand) {
            Some(near) => format!("did you mean `{near}`?"),
            None => see,
        },
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            let deeds = command.get_subcommands().map(clap::Command::get_name).filter(|name| *name != "help");
            deeds.collect::<Vec<_>>().join(", ")
        }
        ErrorKind::MissingRequiredArgument => format!("{}, {see}", usage(command)),
        _ => see,
    }
}

fn name(command: &clap::Command) -> &str {
    command.get_bin_name().unwrap_or("tollgate")
}

fn usage(command: &clap::Command) -> String {
    let rendered = command.clone().render_usage().to_string();
    format!("usage: {}", rendered.trim_start_matches("Usage:").trim())
}

fn flags(command: &clap::Command) -> String {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let names: Vec<String> = shown.filter_map(|a| a.get_long().map(|long| format!("--{long}"))).collect();
    names.join(" ")
}
