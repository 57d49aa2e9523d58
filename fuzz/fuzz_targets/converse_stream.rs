#![no_main]
//! A Converse upstream's bytes: an event stream with right checksums made of lines of a name and its data, or the input as it is.

use libfuzzer_sys::fuzz_target;
use tollgate_dialect::Dialect;

#[path = "eventstream/message.rs"]
mod message;
mod stream;

fuzz_target!(|input: &[u8]| {
    stream::relay(Dialect::Converse, input);
    let lines = input.split(|byte| *byte == b'\n').filter_map(|line| line.split_at_checked(1));
    stream::relay(Dialect::Converse, &lines.flat_map(|(name, data)| event(name[0], data)).collect::<Vec<u8>>());
});

const NAMES: [&str; 7] = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "throttlingException",
];

/// The first byte of a line chooses the name.
fn event(name: u8, data: &[u8]) -> Vec<u8> {
    let name = NAMES[usize::from(name) % NAMES.len()];
    let kind = if name.ends_with("Exception") { "exception" } else { "event" };
    let headers = [message::string(&format!(":{kind}-type"), name), message::string(":message-type", kind)].concat();
    message::of(&headers, data)
}
