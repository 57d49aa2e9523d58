//! Finding a capture.

use std::path::{Path, PathBuf};

use tollgate_store::capture::{Capture, VERSION};
use tollgate_store::captures::Captures;

use super::super::CliError;

/// By the path of a file, or by the id of a request in the data directory.
pub fn load(wanted: &str, data_dir: Option<&Path>) -> Result<Capture, CliError> {
    let path = path(wanted, data_dir)?;
    let shown = path.display();
    let text = std::fs::read_to_string(&path).map_err(|e| CliError::usage(format!("{shown} cannot be read: {e}")))?;
    let capture: Capture = serde_json::from_str(&text).map_err(|e| {
        CliError::usage(format!("{shown} is no capture ({e}); captures are made by `tollgate_settings.capture`"))
    })?;
    match capture.version {
        0 => Err(CliError::usage(format!("{shown} is no capture; captures are made by `tollgate_settings.capture`"))),
        version if version > VERSION => Err(CliError::usage(format!(
            "{shown} was made by a later version of tollgate (form {version}); update this one"
        ))),
        _ => Ok(capture),
    }
}

fn path(wanted: &str, data_dir: Option<&Path>) -> Result<PathBuf, CliError> {
    if Path::new(wanted).is_file() {
        return Ok(wanted.into());
    }
    let Some(captures) = data_dir.map(Captures::of_data_dir) else {
        return Err(CliError::usage(format!(
            "there is no file {wanted}, and no data directory; name one with --data-dir"
        )));
    };
    captures.find(wanted).ok_or_else(|| {
        let hint = match captures.ids().pop() {
            Some(latest) => format!("the latest there is {latest}"),
            None => {
                "nothing is captured unless `tollgate_settings.capture` is on; another folder is named with --data-dir"
                    .into()
            }
        };
        CliError::usage(format!("no capture of {wanted} is in {}; {hint}", captures.folder().display()))
    })
}
