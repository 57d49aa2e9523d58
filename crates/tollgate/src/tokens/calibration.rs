//! How our counts compare with an upstream's.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Upstream tokens per token of ours, for one deployment, as seen lately. Shared without a lock.
#[derive(Debug, Default)]
pub struct Calibration {
    /// The observations so far (high half) and the ratio as an `f32` (low half). All zero: none yet.
    state: AtomicU64,
    /// Somebody counts a prompt in the background just now.
    counting: AtomicBool,
}

/// A ratio outside these says that something else is counted, such as a hidden prompt or only a part.
const RATIOS: std::ops::RangeInclusive<f32> = 0.5..=2.0;

/// The first observations are averaged; from then on each has at least this weight, so that a changed model is noticed.
const WEIGHT: f32 = 0.2;

/// In shorter prompts the upstream's own wrapping outweighs the text.
const SMALLEST_PROMPT: u64 = 100;

impl Calibration {
    /// An answer's input tokens by the upstream's count and by ours ([`super::count_request`], not calibrated).
    pub fn observe(&self, upstream: u64, ours: u64) {
        if ours < SMALLEST_PROMPT || upstream == 0 {
            return;
        }
        let seen = (upstream as f32 / ours as f32).clamp(*RATIOS.start(), *RATIOS.end());
        let next = |state: u64| {
            let (count, ratio) = unpack(state);
            let weight = (1.0 / (count as f32 + 1.0)).max(WEIGHT);
            Some(pack(count.saturating_add(1), ratio + (seen - ratio) * weight))
        };
        self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok();
    }

    /// Few observations yet: another one is worth a count.
    pub fn wants_more(&self) -> bool {
        unpack(self.state.load(Ordering::Relaxed)).0 < 8
    }

    /// Runs `count` unless another background count is under way: one at a time is enough to learn from.
    pub fn alone(&self, count: impl FnOnce()) {
        if !self.counting.swap(true, Ordering::Acquire) {
            count();
            self.counting.store(false, Ordering::Release);
        }
    }

    pub fn ratio(&self) -> f32 {
        unpack(self.state.load(Ordering::Relaxed)).1
    }

    /// What the upstream will probably say for a count of ours.
    pub fn calibrated(&self, ours: u64) -> u64 {
        (ours as f64 * f64::from(self.ratio())).round() as u64
    }
}

fn pack(count: u32, ratio: f32) -> u64 {
    u64::from(count) << 32 | u64::from(ratio.to_bits())
}

fn unpack(state: u64) -> (u32, f32) {
    let count = (state >> 32) as u32;
    if count == 0 { (0, 1.0) } else { (count, f32::from_bits(state as u32)) }
}
