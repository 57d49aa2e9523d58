#![no_main]
//! An upstream's Gemini stream of any bytes becomes well-formed answers, or an error.

mod stream;

use libfuzzer_sys::fuzz_target;
use tollgate_dialect::Dialect;

fuzz_target!(|bytes: &[u8]| stream::relay(Dialect::Gemini, bytes));
