//! Streams.

mod decoder;
mod encoder;

pub use decoder::Decoder;
pub use encoder::{Encoder, encode_error};

/// The end of a stream.
pub const END: &[u8] = b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

#[cfg(test)]
mod tests;
