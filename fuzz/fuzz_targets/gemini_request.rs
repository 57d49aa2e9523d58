#![no_main]
//! A Gemini request of any bytes is refused or written for every kind of upstream as valid JSON.

mod request;

use libfuzzer_sys::fuzz_target;
use tollgate_dialect::Dialect;

fuzz_target!(|body: &[u8]| request::translate(Dialect::Gemini, body));
