//! How often a route was asked, for one request.

/// Which deployments of a route were asked.
#[derive(Default)]
pub struct Tries {
    /// In this round.
    pub asked: Vec<usize>,
    /// Asking them again would be in vain.
    pub done: Vec<usize>,
    pub round: u32,
    pub retries: u32,
    /// A deployment was asked, in this round or before.
    sent: bool,
}

impl Tries {
    /// What goes up next goes up again; a pause alone makes no retry.
    pub fn is_retry(&self) -> bool {
        self.round > 0 && self.sent
    }

    pub fn ask(&mut self, index: usize) {
        self.asked.push(index);
        self.sent = true;
    }

    pub fn may_ask(&self, index: usize) -> bool {
        !self.asked.contains(&index) && !self.done.contains(&index)
    }

    pub fn again(&mut self) {
        self.asked.clear();
        self.round += 1;
    }
}
