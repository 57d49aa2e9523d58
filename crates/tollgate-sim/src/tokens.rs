//! Access tokens of a cloud: given out one after the other, each good for a while.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::server::lock;

/// Clones share the tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// How every token begins.
    prefix: &'static str,
    issued: Arc<Mutex<Issued>>,
}

#[derive(Debug)]
struct Issued {
    good_for: Duration,
    /// With the time of their end.
    good: Vec<(String, Instant)>,
    count: usize,
    /// Tokens are issued, but none is good.
    refuses: bool,
    /// The endpoints fail with this status.
    down: Option<u16>,
}

impl Tokens {
    pub(crate) fn new(prefix: &'static str) -> Self {
        let issued =
            Issued { good_for: Duration::from_secs(3600), good: Vec::new(), count: 0, refuses: false, down: None };
        Self { prefix, issued: Arc::new(Mutex::new(issued)) }
    }

    /// How long the tokens are good that are issued from now on.
    pub fn issue_for(&self, seconds: u64) {
        lock(&self.issued).good_for = Duration::from_secs(seconds);
    }

    pub(crate) fn good_for(&self) -> Duration {
        lock(&self.issued).good_for
    }

    /// No token that was issued so far is good any more.
    pub fn revoke(&self) {
        lock(&self.issued).good.clear();
    }

    /// No token is good from now on.
    pub fn refuse_all(&self) {
        lock(&self.issued).refuses = true;
    }

    /// The endpoints fail with this status, or work again.
    pub fn down(&self, status: Option<u16>) {
        lock(&self.issued).down = status;
    }

    pub(crate) fn is_down(&self) -> Option<u16> {
        lock(&self.issued).down
    }

    pub fn issued(&self) -> usize {
        lock(&self.issued).count
    }

    /// A token by another way than the endpoints, such as a command line.
    pub fn issue(&self) -> String {
        let mut issued = lock(&self.issued);
        issued.count += 1;
        let token = format!("{}-{}", self.prefix, issued.count);
        let ends = Instant::now() + issued.good_for;
        issued.good.push((token.clone(), ends));
        token
    }

    pub(crate) fn is_good(&self, token: &str) -> bool {
        let issued = lock(&self.issued);
        let now = Instant::now();
        !issued.refuses && issued.good.iter().any(|(good, ends)| good == token && *ends > now)
    }
}
