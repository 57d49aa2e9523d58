//! A rate limit of requests, kept as OpenAI describes its own: a bucket that fills up steadily, and headers that name what is left and the time
//! until it is full again (platform.openai.com, rate limits, 2026-11).

use std::sync::Mutex;
use std::time::Instant;

use crate::server::lock;

#[derive(Clone, Copy, Debug)]
/// So many requests at first, then so many a second.
pub struct Rate {
    pub capacity: f64,
    pub per_second: f64,
}

#[derive(Debug, Default)]
pub(crate) struct Bucket(Mutex<Option<Filled>>);

#[derive(Clone, Copy, Debug)]
struct Filled {
    level: f64,
    at: Instant,
}

pub(crate) struct Drawn {
    pub allowed: bool,
    pub headers: Vec<(String, String)>,
}

impl Bucket {
    pub fn draw(&self, rules: Rate) -> Drawn {
        let mut filled = lock(&self.0);
        let now = Instant::now();
        let before = filled.unwrap_or(Filled { level: rules.capacity, at: now });
        let grown = now.duration_since(before.at).as_secs_f64() * rules.per_second;
        let level = (before.level + grown).min(rules.capacity);
        let allowed = level >= 1.0;
        let level = if allowed { level - 1.0 } else { level };
        *filled = Some(Filled { level, at: now });
        let full_in = (rules.capacity - level) / rules.per_second;
        let headers = [
            ("x-ratelimit-limit-requests", rules.capacity.to_string()),
            ("x-ratelimit-remaining-requests", level.floor().to_string()),
            ("x-ratelimit-reset-requests", format!("{full_in:.3}s")),
        ];
        Drawn { allowed, headers: headers.map(|(name, value)| (name.to_owned(), value)).into() }
    }
}
