//! A time of day that stands still until a test sets it, for the gateway as it was built: a small library that is loaded before it
//! answers for the system's clock. Waiting and time limits go by another clock, which is left alone.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use tempfile::TempDir;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock.c");

pub struct Clock {
    file: File,
    dir: TempDir,
}

impl Clock {
    /// Milliseconds since 1970.
    pub fn at(now_ms: i64) -> Clock {
        let dir = tempfile::tempdir().expect("a temporary folder");
        // The linker of every Rust program.
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(dir.path().join("clock.so")).arg(SOURCE);
        let compiled = compile.status().expect("a C compiler");
        assert!(compiled.success(), "{compile:?}: {compiled}");
        let file = File::create(dir.path().join("now")).expect("a file for the time");
        let clock = Clock { file, dir };
        clock.set(now_ms);
        clock
    }

    pub fn set(&self, now_ms: i64) {
        self.file.write_all_at(&now_ms.to_ne_bytes(), 0).expect("the time can be set");
    }

    /// Variables of a program that goes by it.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        let path = |name: &str| self.dir.path().join(name).display().to_string();
        [("LD_PRELOAD", path("clock.so")), ("TOLLGATE_TEST_CLOCK", path("now"))]
    }
}
