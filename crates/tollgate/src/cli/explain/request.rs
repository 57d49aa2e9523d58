//! What happened to a request: asked of the running gateway, or read from its files.

use std::path::PathBuf;

use tollgate_store::record::Record;
use tollgate_store::records::find_in_files;

use super::layout::Layout;
use super::report;
use crate::cli::gateway::{self, Unanswered};
use crate::cli::{CliError, data_dir};
use crate::signatures::{self, page};

/// A record by its request's id. Without a running gateway its files are read.
pub fn find(id: &str, folder: Option<&PathBuf>) -> Result<Record, CliError> {
    let answered = gateway::get(&format!("/tollgate/requests/{id}"));
    let (why, elsewhere) = match answered {
        Ok(body) => return read(&body),
        Err(Unanswered::Other(error)) => return Err(error),
        Err(Unanswered::NotFound) => (format!("the gateway at {} knows no request {id}", gateway::base_url()), true),
        Err(Unanswered::Away(_)) => (format!("no gateway answers at {}", gateway::base_url()), false),
    };
    let folder = data_dir(folder);
    if let Some(found) = folder.as_deref().and_then(|folder| find_in_files(folder, id).ok().flatten()) {
        return Ok(found);
    }
    let shown = folder.map_or_else(String::new, |folder| format!(", and {} has no record of it", folder.display()));
    let hint = if elsewhere {
        "records of older requests are dropped; another gateway is named by TOLLGATE_BASE_URL"
    } else {
        "name the gateway with TOLLGATE_BASE_URL (and its key with TOLLGATE_API_KEY), or its folder with --data-dir"
    };
    Err(CliError::failure(format!("{why}{shown}\n{hint}")))
}

/// The latest requests, a line each.
pub fn latest() -> Result<Vec<Record>, CliError> {
    match gateway::get("/tollgate/requests") {
        Ok(body) => read(&body),
        Err(Unanswered::Other(error)) => Err(error),
        Err(Unanswered::NotFound) => {
            Err(CliError::failure(format!("{} is no gateway that keeps records", gateway::base_url())))
        }
        Err(Unanswered::Away(why)) => Err(CliError::failure(format!(
            "no gateway answers at {} ({why})\nname it with TOLLGATE_BASE_URL, or paste an error text: tollgate explain \"TEXT\"",
            gateway::base_url()
        ))),
    }
}

fn read<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, CliError> {
    serde_json::from_slice(body).map_err(|_| {
        CliError::failure(format!("{} answered with something that is no record of a gateway", gateway::base_url()))
    })
}

/// The record as text, with what the catalogue knows of the upstream's words.
pub fn shown(record: &Record, layout: Layout) -> String {
    let mut out = report::whole(record);
    let failures = record.attempts.iter().filter_map(|attempt| attempt.failure.as_ref());
    let known =
        failures.map(|failure| failure.words.as_str()).chain(record.error.as_deref()).find_map(signatures::best);
    if let Some(known) = known {
        out +=
            &layout.section("These words are known", &format!("{}\n\n    {}", known.title, page::address(&known.id)));
        out += &layout.section("Fix", &known.fix);
    }
    out
}

pub fn list(records: &[Record]) -> String {
    if records.is_empty() {
        return "No request yet. Every answer's header `request-id` names its request.\n".to_string();
    }
    let mut out: String = records.iter().map(|record| format!("{}\n", report::line(record))).collect();
    out.push_str("\ntollgate explain ID tells all about one of them.\n");
    out
}
