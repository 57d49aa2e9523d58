//! Pages of the documentation that are made of the program's own data.

use crate::run::{self, cargo};

/// The pages of the error texts. A test of `tollgate` fails while they differ from its data.
pub fn write() -> Result<(), String> {
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
