//! The real clients of the end-to-end tests: versions are fixed in `clients/`, the programs go to `target/clients`.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::run;

/// The files that decide what is installed; the stamp of an installation is their text.
const NPM: [&str; 2] = ["package.json", "package-lock.json"];
const PYTHON: &str = "requirements.txt";

/// Installs what is missing or of another version.
pub fn install() -> Result<(), String> {
    let to = crate::root().join("target/clients");
    once(&to.join("npm"), &NPM, install_npm)?;
    once(&to.join("venv"), &[PYTHON], install_python)
}

/// Runs an installation into a fresh folder unless the folder holds one of the same versions.
fn once(folder: &Path, versions: &[&str], install: fn(&Path) -> Result<(), String>) -> Result<(), String> {
    let stamp = folder.join(".installed");
    let mut wanted = String::new();
    for file in versions {
        wanted += &read(&crate::root().join("clients").join(file))?;
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        eprintln!("xtask: clients: {name} is up to date");
        return Ok(());
    }
    eprintln!("xtask: clients: installing {name} into {}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| format!("cannot empty {}: {error}", folder.display()))?;
    }
    fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    install(folder)?;
    fs::write(&stamp, wanted).map_err(|error| format!("cannot write {}: {error}", stamp.display()))
}

fn install_npm(folder: &Path) -> Result<(), String> {
    for file in NPM {
        let from = crate::root().join("clients").join(file);
        fs::copy(&from, folder.join(file)).map_err(|error| format!("cannot copy {}: {error}", from.display()))?;
    }
    let mut npm = Command::new("npm");
    run::show(npm.args(["ci", "--no-audit", "--no-fund", "--prefix"]).arg(folder))?;
    // The package's install step puts the program in place; without it there is only a stub.
    let claude = folder.join("node_modules/.bin/claude");
    let version = run::output(Command::new(&claude).arg("--version")).unwrap_or_default();
    let wanted = read(&folder.join("package.json"))?;
    match version.split(' ').next().filter(|version| !version.is_empty() && wanted.contains(*version)) {
        Some(version) => {
            eprintln!("xtask: clients: claude {version}");
            Ok(())
        }
        None => Err(format!("{} does not run at the wanted version: it says {version:?}", claude.display())),
    }
}

fn install_python(folder: &Path) -> Result<(), String> {
    run::show(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let requirements = crate::root().join("clients").join(PYTHON);
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--requirement",
    ]);
    run::show(pip.arg(requirements))
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}
