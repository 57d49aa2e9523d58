//! Pages of the documentation that are made of the program's own data.

use crate::run::{self, cargo};

/// The pages of the error texts, and the tables that tests play: of failures (`docs/resilience.md`), of what translation loses
/// (`docs/translation.md`). A test of `tollgate` fails while they differ from its data.
pub fn write() -> Result<(), String> {
    for binary in ["faults", "matrix"] {
        let mut test = cargo();
        test.args(["test", "--quiet", "--package", "tollgate", "--test", binary, "page::"]);
        run::show(test.env("TOLLGATE_UPDATE_DOCS", "1"))?;
    }
    run::show(cargo().args([
        "run",
        "--quiet",
        "--package",
        "tollgate",
        "--example",
        "error_pages",
        "--",
        "docs/errors",
    ]))
}
