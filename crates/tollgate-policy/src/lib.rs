//! Pure decisions: which deployment serves a request, at what price, and what to do after a failure. No I/O; time is an argument.

pub mod failover;
pub mod glob;
pub mod nearest;
pub mod price;
pub mod repair;
pub mod route;
