//! The accounts of all scopes, in shards so that requests of different callers seldom wait for each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tollgate_policy::limit::{Account, Claim, Claims, Fit, Holding, Tokens, account_hash};

const SHARDS: usize = 32;

/// Accounts without any request are forgotten, looked for once in this time.
const SWEEP_EVERY_MS: u64 = 60_000;

#[derive(Default)]
pub struct Shards([Mutex<Shard>; SHARDS]);

#[derive(Default)]
struct Shard {
    accounts: HashMap<Arc<str>, Account>,
    swept_ms: u64,
}

/// The shards of some claims, held at once: all of the claims are met, or none.
pub struct Locked<'a>(Vec<(usize, MutexGuard<'a, Shard>)>);

fn index(hash: u64) -> usize {
    (hash % SHARDS as u64) as usize
}

impl Shards {
    /// Always in the same order, so that no two requests wait for each other.
    pub fn lock(&self, claims: &Claims) -> Locked<'_> {
        let mut wanted = claims.iter().fold(0u32, |wanted, claim| wanted | 1 << index(claim.hash));
        let mut locked = Vec::with_capacity(wanted.count_ones() as usize);
        while wanted != 0 {
            let index = wanted.trailing_zeros() as usize;
            wanted &= wanted - 1;
            locked.push((index, lock(&self.0[index])));
        }
        Locked(locked)
    }

    /// The account of a claim, if it is known.
    pub fn of<T>(&self, claim: &Claim, then: impl FnOnce(&mut Account) -> T) -> Option<T> {
        lock(&self.0[index(claim.hash)]).accounts.get_mut(&claim.account).map(then)
    }

    /// The account of this name, if it is known.
    pub fn named<T>(&self, name: &str, then: impl FnOnce(&mut Account) -> T) -> Option<T> {
        lock(&self.0[index(account_hash(name))]).accounts.get_mut(name).map(then)
    }

    pub fn for_each(&self, mut then: impl FnMut(&Arc<str>, &mut Account)) {
        for shard in &self.0 {
            lock(shard).accounts.iter_mut().for_each(|(name, account)| then(name, account));
        }
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|shard| lock(shard).accounts.len()).sum()
    }
}

impl Locked<'_> {
    pub fn account(&mut self, claim: &Claim) -> &mut Account {
        let wanted = index(claim.hash);
        let shard = self.0.iter_mut().find(|(index, _)| *index == wanted).map(|(_, shard)| shard);
        let shard = shard.expect("the shards of all claims were locked");
        shard.accounts.entry(claim.account.clone()).or_default()
    }

    /// Takes all that the claims want, if all of it fits.
    pub fn admit(&mut self, claims: &Claims, tokens: Tokens, now_ms: u64, holding: Holding) -> Fit {
        self.sweep(now_ms);
        let (mut all, mut taken) = (Fit::Yes, 0);
        for claim in claims.iter() {
            let account = self.account(claim);
            let fit = account.fit(claim, tokens, now_ms, holding);
            if (&all, &fit) == (&Fit::Yes, &Fit::Yes) {
                account.take(claim, tokens, now_ms);
                taken += 1;
            }
            all = all.and(fit);
        }
        if all != Fit::Yes {
            claims.iter().take(taken).for_each(|claim| self.account(claim).put_back(claim, tokens, now_ms));
        }
        all
    }

    fn sweep(&mut self, now_ms: u64) {
        for (_, shard) in &mut self.0 {
            if now_ms.abs_diff(shard.swept_ms) >= SWEEP_EVERY_MS {
                shard.swept_ms = now_ms;
                shard.accounts.retain(|_, account| !account.is_idle(now_ms));
            }
        }
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}
