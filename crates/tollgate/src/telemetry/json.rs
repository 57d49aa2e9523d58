//! Lines as JSON: `timestamp`, `level`, then the fields of the event.
//!
//! Written by hand, because there is one for every request and the library's own takes a sixth of the gateway's work for it.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

pub struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = String::with_capacity(512);
        line.push_str("{\"timestamp\":\"");
        SystemTime.format_time(&mut Writer::new(&mut line))?;
        line.push_str("\",\"level\":\"");
        line.push_str(event.metadata().level().as_str());
        line.push('"');
        event.record(&mut Fields(&mut line));
        line.push_str("}\n");
        writer.write_str(&line)
    }
}

struct Fields<'a>(&'a mut String);

impl Fields<'_> {
    /// Writing to a string cannot fail, and a value that cannot be shown is left as far as it went.
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.key(field);
        let _ = self.0.write_fmt(value);
    }

    fn put_text(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.key(field);
        self.0.push('"');
        let _ = Escaped(self.0).write_fmt(value);
        self.0.push('"');
    }

    /// Names are identifiers, which need no escape.
    fn key(&mut self, field: &Field) {
        let name = field.name();
        self.0.push_str(",\"");
        self.0.push_str(name.strip_prefix("r#").unwrap_or(name));
        self.0.push_str("\":");
    }
}

impl Visit for Fields<'_> {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.put(field, format_args!("{value}"));
        } else {
            self.put(field, format_args!("null"));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.key(field);
        self.0.push('"');
        let _ = Escaped(self.0).write_str(value);
        self.0.push('"');
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Where a line of another logging library comes from.
        if !field.name().starts_with("log.") {
            self.put_text(field, format_args!("{value:?}"));
        }
    }
}

/// Writes what may stand between the quotes of a JSON string.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, mut text: &str) -> fmt::Result {
        while let Some(at) = text.bytes().position(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
            self.0.push_str(&text[..at]);
            match text.as_bytes()[at] {
                b'\n' => self.0.push_str("\\n"),
                byte if byte < b' ' => write!(self.0, "\\u{byte:04x}")?,
                byte => self.0.extend(['\\', char::from(byte)]),
            }
            text = &text[at + 1..];
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_json_whatever_is_in_the_fields() {
        let memory = Memory::default();
        let to = memory.clone();
        let subscriber = tracing_subscriber::fmt().event_format(Lines).with_writer(move || to.clone()).finish();
        let odd = "quote \" backslash \\ line\nbell \u{7} é 🦀 \u{7f}";
        tracing::subscriber::with_default(subscriber, || {
            let parts = ["a\"b", "c"];
            tracing::warn!(odd, shown = %odd, parts = ?parts, r#type = "t", yes = true, big = u64::MAX, small = -3, half = 0.5, none = f64::NAN, "said \"{}\"", 1);
        });
        let written = String::from_utf8(memory.0.lock().unwrap().clone()).unwrap();
        assert!(written.ends_with("}\n") && written.lines().count() == 1, "{written}");
        let mut line: serde_json::Value = serde_json::from_str(&written).unwrap();
        let timestamp = line["timestamp"].take();
        // As in RFC 3339.
        assert_eq!(timestamp.as_str().map(|t| (t.len(), &t[10..11], &t[26..])), Some((27, "T", "Z")), "{timestamp}");
        let expected = serde_json::json!({
            "timestamp": null, "level": "WARN", "message": "said \"1\"", "odd": odd, "shown": odd, "parts": "[\"a\\\"b\", \"c\"]",
            "type": "t", "yes": true, "big": u64::MAX, "small": -3, "half": 0.5, "none": null,
        });
        assert_eq!(line, expected);
    }
}
