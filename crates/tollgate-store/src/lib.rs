//! What the gateway remembers between requests and restarts.

pub mod learned;
pub mod recall;
