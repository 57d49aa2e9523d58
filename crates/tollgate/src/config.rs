//! The configuration: the only reader of files and of the environment.
//!
//! Read in this order: `load` (files to a [`Config`]), `deployment` (one entry of `model_list`), `settings` (everything beside
//! it), `model` (what comes out).

pub mod added;
pub mod aws;
mod azure;
mod bedrock;
mod capabilities;
mod capture;
mod context;
mod credential;
mod deployment;
pub mod entra;
pub mod google;
pub mod identity;
mod known;
mod limits;
mod load;
pub mod model;
pub mod problem;
mod redis;
mod retention;
pub mod rewrite;
pub mod routing;
pub mod secret;
mod section;
mod settings;
pub mod sign_in;
mod target;
#[cfg(test)]
mod tests;
mod vertex;
pub mod watch;
mod wildcard;
mod yaml;

pub use load::{Outcome, from_text, load};
pub use model::Config;
pub use problem::Problem;
pub use wildcard::from_environment;

/// A variable of the process environment; what is not UTF-8 counts as not set.
#[allow(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
