//! Pure decisions: which deployment serves a request, whose turn it is, at what price, and what to do after a failure. No I/O; time is an argument.

pub mod access;
pub mod address;
pub mod authorise;
pub mod balance;
pub mod budget;
pub mod failover;
pub mod fallback;
pub mod glob;
pub mod health;
pub mod limit;
pub mod nearest;
pub mod paths;
pub mod price;
pub mod queue;
pub mod repair;
pub mod retry;
pub mod route;
pub mod tags;
pub mod window;
