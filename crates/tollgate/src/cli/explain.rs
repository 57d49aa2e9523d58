//! `tollgate explain`: what happened to a request, or what a pasted error means, what usually causes it, and what to do.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use super::CliError;
use crate::signatures::{self, Signature, page};

mod layout;
mod report;
mod request;
#[cfg(test)]
mod tests;

use layout::Layout;

/// As many signatures are shown.
const SHOWN: usize = 3;
/// Standard input is read up to here.
const LONGEST_INPUT: u64 = 1024 * 1024;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with 0 when the request or the text is known, with 1 when it is not.

    tollgate explain                      the latest requests of the running gateway
    tollgate explain req_0199f3…          what happened to one: the answer's request-id header names it
    tollgate explain \"requests with max_tokens > 4096 must have stream: true\"
    journalctl -u tollgate -n 20 | tollgate explain -")]
pub struct Explain {
    /// A request's id, or an error as you see it, wrapped and quoted as it may be; `-` reads standard input. Nothing: the
    /// latest requests
    #[arg(value_name = "ID or TEXT")]
    text: Vec<String>,
    /// Where the gateway keeps its data, if it does not run [default: the user's data directory]
    #[arg(long, value_name = "DIR", env = "TOLLGATE_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Print what is known as JSON
    #[arg(long)]
    json: bool,
}

/// What somebody wants explained.
#[derive(Debug, PartialEq, Eq)]
enum Question {
    /// A request of a running gateway.
    RequestId(String),
    Text(String),
}

impl Question {
    fn new(words: &str) -> Question {
        let words = words.trim();
        let is_id =
            words.strip_prefix("req_").is_some_and(|id| id.len() >= 8 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_id { Question::RequestId(words.to_string()) } else { Question::Text(words.to_string()) }
    }
}

impl Explain {
    pub fn run(&self) -> Result<ExitCode, CliError> {
        if self.text.is_empty() {
            let latest = request::latest()?;
            print!("{}", if self.json { pretty(&json!(latest)) } else { request::list(&latest) });
            return Ok(ExitCode::SUCCESS);
        }
        match Question::new(&self.words()?) {
            Question::RequestId(id) => {
                let record = request::find(&id, self.data_dir.as_ref())?;
                let layout = Layout::of_terminal();
                print!("{}", if self.json { pretty(&json!(record)) } else { request::shown(&record, layout) });
                Ok(ExitCode::SUCCESS)
            }
            Question::Text(text) if text.is_empty() => Err(CliError::usage(
                "there is no text to explain; paste the error in quotes, or give it on standard input with `-`",
            )),
            Question::Text(text) => {
                let mut found = signatures::matching(&text);
                found.truncate(SHOWN);
                print!(
                    "{}",
                    if self.json { as_json(&text, &found) } else { shown(&text, &found, Layout::of_terminal()) }
                );
                Ok(if found.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
            }
        }
    }

    fn words(&self) -> Result<String, CliError> {
        if self.text != ["-"] {
            return Ok(self.text.join(" "));
        }
        let mut input = Vec::new();
        std::io::stdin()
            .take(LONGEST_INPUT)
            .read_to_end(&mut input)
            .map_err(|error| CliError::failure(format!("standard input cannot be read: {error}")))?;
        Ok(String::from_utf8_lossy(&input).into_owned())
    }
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn shown(text: &str, found: &[&Signature], layout: Layout) -> String {
    let Some((best, others)) = found.split_first() else { return unknown(text, layout) };
    let mut out = layout.title(&best.title);
    out += &layout.line(&format!("Said by {}.", best.who.join(", ")));
    out += &layout.section("Meaning", &best.meaning);
    out += &layout.numbered("Likely causes", &best.causes);
    out += &layout.section("The check that tells them apart", &best.check);
    out += &layout.section("Fix", &best.fix);
    out += &layout.section("What Tollgate does", &best.tollgate);
    if !others.is_empty() {
        let others: Vec<String> = others.iter().map(|o| format!("{}\n    {}", o.title, page::address(&o.id))).collect();
        out += &layout.section("Also in this text", &others.join("\n\n"));
    }
    out + &layout.section("Read more", &format!("    {}", page::address(&best.id)))
}

/// The way on when nothing is known.
fn next_steps(text: &str) -> Vec<String> {
    let id = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').find(|word| word.starts_with("req_"));
    vec![
        "Paste the innermost text alone, without the stack trace: the words of the provider are the telling ones.".into(),
        match id {
            Some(id) if id == text.trim() => format!(
                "{id} is no id of a request of Tollgate: that is `req_` and 32 hexadecimal digits. `tollgate explain` alone lists \
                 the latest requests. What became of another service's request only that service knows."
            ),
            Some(id) => format!("If {id} is a request of Tollgate, `tollgate explain {id}` shows what happened to it."),
            None => "Every answer of Tollgate has the header `request-id`: `tollgate explain <request-id>` shows what happened to \
                     that request, and the gateway's log has a line with the id and the upstream's words."
                .into(),
        },
        "`tollgate check config.yaml` shows where each model leads, and what is wrong with the configuration.".into(),
        format!(
            "If it comes from a model's API, a coding client or a gateway, please report the text, without keys, at \
             {}/issues, so that it will be known.",
            env!("CARGO_PKG_REPOSITORY")
        ),
    ]
}

/// An honest answer, and the way on.
fn unknown(text: &str, layout: Layout) -> String {
    let mut out = layout.title("Not known");
    out += &layout.line("This text is not in the catalogue of errors of model APIs, coding clients and gateways.");
    out + &layout.numbered("Next", &next_steps(text))
}

fn as_json(text: &str, found: &[&Signature]) -> String {
    let matches: Vec<_> = found
        .iter()
        .map(|signature| {
            let mut value = json!(signature);
            value["page"] = json!(page::address(&signature.id));
            value
        })
        .collect();
    let next = if found.is_empty() { next_steps(text) } else { Vec::new() };
    pretty(&json!({ "known": !found.is_empty(), "matches": matches, "next": next }))
}
