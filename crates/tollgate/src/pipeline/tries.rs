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
}

impl Tries {
    pub fn is_new(&self) -> bool {
        self.asked.is_empty() && self.round == 0
    }

    pub fn is_retry(&self) -> bool {
        self.round > 0
    }

    pub fn may_ask(&self, index: usize) -> bool {
        !self.asked.contains(&index) && !self.done.contains(&index)
    }

    pub fn again(&mut self) {
        self.asked.clear();
        self.round += 1;
    }
}
