//! Limits on requests, tokens and requests at the same time: exact on one node, and together with other replicas by way of Redis.
//!
//! A request asks Redis only where its replica does not hold enough (see [`tollgate_policy::limit`]), and then it
//! waits for [`Settings::answer_within`] at most: Redis being slow is Redis being away. What happens then is a setting.

mod link;
mod permit;
mod shards;
mod sharing;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use tollgate_policy::limit::{Claims, Denial, Fit, Holding, Standing, Tokens};

use crate::shared::Address;
pub use permit::LimitPermit;
use shards::Shards;

/// Far more than a round takes, and less than a client notices.
const ANSWER_WITHIN: Duration = Duration::from_millis(50);

/// What happens to requests with limits while Redis is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutRedis {
    /// Each replica holds the whole limit by itself.
    #[default]
    Local,
    /// Only what it was sure of before Redis went away is admitted.
    Refuse,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where the replicas meet; `None`: there is but one.
    pub address: Option<Address>,
    pub without_redis: WithoutRedis,
    /// How long a request waits for Redis.
    pub answer_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { address: None, without_redis: WithoutRedis::default(), answer_within: ANSWER_WITHIN }
    }
}

/// Why a request is not admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LimitDenial {
    Limit(Denial),
    /// Redis is away, and the setting is to refuse then.
    Unknown,
}

/// A clone is the same limiter.
#[derive(Clone, Default)]
pub struct Limiter(Arc<Inner>);

#[derive(Default)]
struct Inner {
    shards: Shards,
    /// A [`Mode`].
    mode: AtomicU8,
    /// Redis is away, and it was said.
    outage: AtomicBool,
    settings: Mutex<Settings>,
    reconfigured: Notify,
    inbox: Mutex<Inbox>,
    /// Somebody waits for an answer.
    asked: Notify,
    /// There is something to tell, at leisure.
    changed: Notify,
}

/// What is to be told to the other replicas.
#[derive(Default)]
struct Inbox {
    asks: Vec<Ask>,
    changed: Vec<Arc<str>>,
}

/// A request that waits.
struct Ask {
    claims: Claims,
    tokens: Tokens,
    now_ms: u64,
    reply: oneshot::Sender<Result<LimitPermit, Denial>>,
}

/// By whose word requests are admitted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Mode {
    /// There are no other replicas.
    Alone,
    Shared,
    /// Redis is away, and each replica is for itself.
    AwayLocal,
    AwayRefuse,
}

impl Limiter {
    pub fn new(settings: Settings) -> Limiter {
        let limiter = Limiter::default();
        limiter.configure(settings);
        limiter
    }

    /// New settings are in force at once. What was counted stays counted.
    pub fn configure(&self, settings: Settings) {
        let mut own = self.0.settings();
        if *own != settings {
            // Until the replicas have met at the new address.
            self.0.set_mode(away(&settings));
            *own = settings;
            self.0.reconfigured.notify_one();
        }
    }

    /// Takes one request, the tokens that its prompt is expected to have and a place from all limits, or nothing.
    /// `now_ms`: since 1970.
    pub async fn admit(&self, claims: Claims, input_tokens: u64, now_ms: u64) -> Result<LimitPermit, LimitDenial> {
        if claims.is_empty() {
            return Ok(LimitPermit::default());
        }
        let tokens = Tokens { input: input_tokens, output: 0 };
        match self.0.admit(&claims, tokens, now_ms) {
            Fit::Yes => Ok(LimitPermit::new(&self.0, claims, tokens, now_ms)),
            Fit::No(denial) => Err(LimitDenial::Limit(denial)),
            Fit::Ask if self.0.mode() == Mode::Shared => self.ask(claims, tokens, now_ms).await,
            Fit::Ask => self.without_redis(claims, tokens, now_ms),
        }
    }

    async fn ask(&self, claims: Claims, tokens: Tokens, now_ms: u64) -> Result<LimitPermit, LimitDenial> {
        let answer_within = self.0.settings().answer_within;
        let (reply, answer) = oneshot::channel();
        self.0.inbox().asks.push(Ask { claims: claims.clone(), tokens, now_ms, reply });
        self.0.asked.notify_one();
        match timeout(answer_within, answer).await {
            Ok(Ok(answer)) => answer.map_err(LimitDenial::Limit),
            // Others need not wait for the same.
            Err(_) => {
                self.0.went_away("it does not answer in time");
                self.without_redis(claims, tokens, now_ms)
            }
            Ok(Err(_)) => self.without_redis(claims, tokens, now_ms),
        }
    }

    fn without_redis(&self, claims: Claims, tokens: Tokens, now_ms: u64) -> Result<LimitPermit, LimitDenial> {
        if self.0.settings().without_redis == WithoutRedis::Refuse {
            return Err(LimitDenial::Unknown);
        }
        let fit = self.0.shards.lock(&claims).admit(&claims, tokens, now_ms, Holding::Alone);
        match fit {
            Fit::No(denial) => Err(LimitDenial::Limit(denial)),
            _ => Ok(LimitPermit::new(&self.0, claims, tokens, now_ms)),
        }
    }

    /// How the caller stands now.
    pub fn standing(&self, claims: &Claims, now_ms: u64) -> Standing {
        self.0.standing(claims, now_ms)
    }

    /// Limits are held together with other replicas now.
    pub fn is_shared(&self) -> bool {
        self.0.mode() == Mode::Shared
    }

    /// How many scopes are counted for.
    pub fn accounts(&self) -> usize {
        self.0.shards.len()
    }
}

fn away(settings: &Settings) -> Mode {
    match (&settings.address, settings.without_redis) {
        (None, _) => Mode::Alone,
        (Some(_), WithoutRedis::Local) => Mode::AwayLocal,
        (Some(_), WithoutRedis::Refuse) => Mode::AwayRefuse,
    }
}

impl Inner {
    fn admit(&self, claims: &Claims, tokens: Tokens, now_ms: u64) -> Fit {
        let holding = match self.mode() {
            Mode::Alone | Mode::AwayLocal => Holding::Alone,
            Mode::Shared => Holding::Shared,
            Mode::AwayRefuse => Holding::Kept,
        };
        self.shards.lock(claims).admit(claims, tokens, now_ms, holding)
    }

    fn standing(&self, claims: &Claims, now_ms: u64) -> Standing {
        let mut standing = Standing::default();
        for claim in claims.iter() {
            let known = self.shards.of(claim, |account| standing.add(claim, Some(account), now_ms));
            if known.is_none() {
                standing.add(claim, None, now_ms);
            }
        }
        standing
    }

    /// The others should know of this account.
    fn tell(&self, changed: &Arc<str>) {
        if self.mode() == Mode::Shared {
            self.inbox().changed.push(changed.clone());
            self.changed.notify_one();
        }
    }

    fn mode(&self) -> Mode {
        const MODES: [Mode; 4] = [Mode::Alone, Mode::Shared, Mode::AwayLocal, Mode::AwayRefuse];
        MODES[usize::from(self.mode.load(Ordering::Relaxed)) % MODES.len()]
    }

    fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::Relaxed);
    }

    fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
