//! `tollgate usage export`: rows of the ledger of a running gateway, in a file.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use super::CliError;
use super::gateway::{Unanswered, Undelivered, Which, escaped};

#[derive(Debug, Args)]
pub struct Usage {
    #[command(subcommand)]
    deed: Deed,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Write every request of a time, with who made it and what it cost, the latest first
    Export(ExportArgs),
}

#[derive(Debug, Args)]
struct ExportArgs {
    /// [default: by the ending of the file, else csv]
    #[arg(long, short)]
    format: Option<Format>,
    /// Where to: it is there when it is whole. Without it: to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The first day, or a time [default: 30 days ago]
    #[arg(long = "start", value_name = "DATE")]
    start_date: Option<String>,
    /// The last day, or a time [default: now]
    #[arg(long = "end", value_name = "DATE")]
    end_date: Option<String>,
    /// Only of this key, or of the key with this hash
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Only of this team
    #[arg(long = "team", value_name = "ID")]
    team_id: Option<String>,
    /// Only of this user
    #[arg(long = "user", value_name = "ID")]
    user_id: Option<String>,
    /// Only calls of this name of the configuration
    #[arg(long, short, value_name = "NAME")]
    model: Option<String>,
    /// success, failure, aborted or interrupted
    #[arg(long)]
    status: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
    Parquet,
}

impl Format {
    fn word(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
            Format::Parquet => "parquet",
        }
    }
}

impl Usage {
    pub fn run(&self) -> Result<ExitCode, CliError> {
        let Deed::Export(args) = &self.deed;
        let format = args.format.unwrap_or_else(|| args.format_of_file());
        let Some(output) = &args.output else {
            let stdout = io::stdout();
            if format == Format::Parquet && stdout.is_terminal() {
                return Err(CliError::usage("Parquet is not for a terminal; name a file with --output"));
            }
            let mut stdout = stdout.lock();
            match self.fetch(&args.path(format), &mut stdout) {
                // Whoever reads has enough.
                Err(Undelivered::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
                fetched => fetched.map_err(|error| self.told(error, Path::new("standard output")))?,
            }
            return Ok(ExitCode::SUCCESS);
        };
        let told = |error| self.told(error, output);
        let mut file = Unfinished::beside(output).map_err(|error| told(Undelivered::Io(error)))?;
        self.fetch(&args.path(format), &mut file).map_err(told)?;
        let bytes = file.finish(output).map_err(|error| told(Undelivered::Io(error)))?;
        eprintln!("tollgate: {} is written, {bytes} bytes", output.display());
        Ok(ExitCode::SUCCESS)
    }

    fn fetch(&self, path: &str, to: &mut dyn Write) -> Result<(), Undelivered> {
        self.which.gateway().download(path, |piece| to.write_all(piece))?;
        to.flush().map_err(Undelivered::Io)
    }

    fn told(&self, error: Undelivered, output: &Path) -> CliError {
        match error {
            Undelivered::Unanswered(Unanswered::Other(error)) => error,
            Undelivered::Unanswered(_) => self.which.gateway().missing(),
            Undelivered::Refused(status, body) => self.which.gateway().refusal(status, &body),
            Undelivered::Broken(why) => {
                CliError::failure(format!("the gateway broke off ({why}); its log says why, try again"))
            }
            Undelivered::Io(error) => CliError::failure(format!(
                "{} cannot be written: {error}; name another place with --output",
                output.display()
            )),
        }
    }
}

impl ExportArgs {
    fn format_of_file(&self) -> Format {
        let ending = self.output.as_ref().and_then(|file| file.extension()?.to_str());
        let formats = [Format::Jsonl, Format::Parquet].into_iter();
        formats.into_iter().find(|format| ending == Some(format.word())).unwrap_or(Format::Csv)
    }

    fn path(&self, format: Format) -> String {
        let mut path = format!("/spend/logs/export?format={}", format.word());
        for (name, value) in [
            ("start_date", &self.start_date),
            ("end_date", &self.end_date),
            ("api_key", &self.api_key),
            ("team_id", &self.team_id),
            ("user_id", &self.user_id),
            ("model", &self.model),
            ("status", &self.status),
        ] {
            if let Some(value) = value {
                path += &format!("&{name}={}", escaped(value));
            }
        }
        path
    }
}

/// A file that is not whole yet, under another name. Dropped, it is gone.
struct Unfinished {
    file: File,
    path: PathBuf,
    bytes: u64,
    /// Shown, to people who wait.
    progress: bool,
}

/// So often the progress is shown: about every third of a second.
const SHOWN_EVERY: u64 = 4 << 20;

impl Unfinished {
    fn beside(output: &Path) -> io::Result<Unfinished> {
        let mut name = output.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_os_string();
        name.push(format!(".{}.unfinished", std::process::id()));
        let path = output.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Unfinished { file, path, bytes: 0, progress: io::stderr().is_terminal() })
    }

    fn finish(self, output: &Path) -> io::Result<u64> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, output)?;
        if self.progress {
            eprint!("\r");
        }
        Ok(self.bytes)
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        let before = self.bytes;
        self.bytes += written as u64;
        if self.progress && before / SHOWN_EVERY != self.bytes / SHOWN_EVERY {
            eprint!("\r{} MB", self.bytes >> 20);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Nothing is there any more when it was finished.
        let _ = std::fs::remove_file(&self.path);
    }
}
