//! Streams: what upstreams send ([`Decoder`]) and what clients get ([`Encoder`]).

mod decoder;
mod encoder;

pub use decoder::Decoder;
pub use encoder::Encoder;

#[cfg(test)]
mod tests;
