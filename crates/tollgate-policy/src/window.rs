//! The windows in which budgets count.

use serde::{Deserialize, Serialize};

/// A stretch of time after which a budget begins anew. An event belongs to exactly one window: the one its request began in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// For ever.
    #[default]
    Total,
    /// From midnight to midnight in the configured time zone.
    Day,
    /// From Monday.
    Week,
    /// From the first of the month.
    Month,
    /// Stretches of so many seconds, one after the other since 1970-01-01 in the configured time zone.
    Every(u64),
    /// At any moment the seconds before it.
    Rolling(u64),
}
