//! Writes the pages of the catalogue of error texts into a folder and removes those of entries that are gone. Run by
//! `cargo xtask docs`.

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs, io};

use tollgate::signatures::page;

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).ok_or_else(|| io::Error::other("usage: error_pages FOLDER"))?;
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let mut made = BTreeSet::new();
    for page in page::all() {
        fs::write(folder.join(&page.file), page.text)?;
        made.insert(page.file);
    }
    for file in fs::read_dir(folder)? {
        let file = file?;
        if !file.file_name().to_str().is_some_and(|name| made.contains(name)) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}
