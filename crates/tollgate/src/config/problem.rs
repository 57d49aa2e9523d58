//! What is wrong with a configuration, and where.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; everything is done as written.
    Note,
    /// Something is not done as written.
    Warning,
    /// The configuration cannot be used.
    Error,
}

/// Never holds a value of the configuration or of the environment: those may be secrets. Names and keys it does hold.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    pub severity: Severity,
    /// As it was named to us.
    pub file: String,
    /// From 1; 0 where the problem is no place in a file.
    pub line: usize,
    pub column: usize,
    /// `model_list[2].litellm_params.timeout`; empty where it does not apply.
    pub path: String,
    pub message: String,
    pub hint: Option<String>,
}

impl Problem {
    /// For a gateway that runs, where nobody reads stderr line by line.
    pub fn log(&self) {
        match self.severity {
            Severity::Error => tracing::error!("{self}"),
            Severity::Warning => tracing::warn!("{self}"),
            Severity::Note => tracing::info!("{self}"),
        }
    }
}

/// A place in one of the configuration's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pos {
    /// Index of the file, in the order of reading.
    pub file: usize,
    pub line: usize,
    pub column: usize,
}

/// `file:line:column: message`, and the hint on a line of its own.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        f.write_str(match self.severity {
            Severity::Error => ": ",
            Severity::Warning => ": warning: ",
            Severity::Note => ": note: ",
        })?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n    hint: {hint}"),
            None => Ok(()),
        }
    }
}
