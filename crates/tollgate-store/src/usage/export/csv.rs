//! CSV as in RFC 4180, with line feeds alone.

use super::table::{COLUMNS, Value};
use crate::usage::Row;

pub fn head(out: &mut Vec<u8>) {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    out.extend_from_slice(names.join(",").as_bytes());
    out.push(b'\n');
}

pub fn row(row: &Row, out: &mut Vec<u8>) {
    for (index, (_, value)) in COLUMNS.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match value(row) {
            Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Text(text) => field(&text, out),
        }
    }
    out.push(b'\n');
}

fn field(text: &str, out: &mut Vec<u8>) {
    if text.contains(['"', ',', '\n', '\r']) {
        out.extend_from_slice(format!("\"{}\"", text.replace('"', "\"\"")).as_bytes());
    } else {
        out.extend_from_slice(text.as_bytes());
    }
}
