//! Texts that nobody has seen: lines of code in a new order with new names in them.

use std::fs;
use std::path::Path;

pub struct Novel {
    lines: Vec<String>,
    state: u64,
}

/// One line in so many gets a new name.
const NAMES: usize = 4;
const SYLLABLES: [&str; 16] =
    ["ba", "con", "dri", "el", "fo", "gra", "hi", "ker", "lum", "mo", "nex", "por", "qui", "sta", "tur", "vel"];

impl Novel {
    /// From the sources of the gateway.
    pub fn of_this_repository() -> Result<Novel, String> {
        let mut lines = Vec::new();
        let folder = crate::root().join("crates/tollgate/src");
        read(&folder, &mut lines).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
        lines.sort_unstable();
        Ok(Novel { lines, state: 1 })
    }

    pub fn text(&mut self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes + 200);
        while text.len() < bytes {
            let line = self.below(self.lines.len());
            if self.below(NAMES) == 0 {
                let name = self.name();
                let at = self.lines[line].rfind(' ').unwrap_or(0);
                text += &self.lines[line][..at];
                text += " ";
                text += &name;
                text += &self.lines[line][at..];
            } else {
                text += &self.lines[line];
            }
            text += "\n";
        }
        text
    }

    fn name(&mut self) -> String {
        (0..2 + self.below(3)).map(|_| SYLLABLES[self.below(SYLLABLES.len())]).collect()
    }

    /// Knuth's MMIX generator: the same numbers in every run.
    fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % limit
    }
}

fn read(folder: &Path, lines: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(&path, lines)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            lines.extend(fs::read_to_string(path)?.lines().map(str::to_owned));
        }
    }
    Ok(())
}
