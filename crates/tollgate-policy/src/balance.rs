//! In which order the deployments of a route are tried, and why.
//!
//! Those that can serve now go before those that are full, rest or have used up their minute; among the first, lower `order`
//! goes first, and within one order the conversation's last deployment, then the strategy.

use crate::health::{RestReason, Standing};

#[cfg(test)]
mod tests;

/// LiteLLM's `routing_strategy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// By chance, in proportion to the shares.
    #[default]
    Shuffle,
    /// The fewest requests under way.
    LeastBusy,
    /// Of two drawn by chance the one that is expected to answer sooner.
    Latency,
    /// The lowest price.
    Cost,
    /// The fewest tokens in this minute.
    Usage,
}

impl Strategy {
    /// The names in configurations, LiteLLM's first.
    pub const NAMES: [(&'static str, Strategy); 7] = [
        ("simple-shuffle", Strategy::Shuffle),
        ("least-busy", Strategy::LeastBusy),
        ("latency-based-routing", Strategy::Latency),
        ("cost-based-routing", Strategy::Cost),
        ("usage-based-routing", Strategy::Usage),
        ("usage-based-routing-v2", Strategy::Usage),
        ("provider-budget-routing", Strategy::Shuffle),
    ];
}

/// A deployment as the choice sees it.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    pub id: &'a str,
    /// Lower goes first.
    pub order: u32,
    /// Its part of the traffic, relative to the others.
    pub share: u32,
    /// Femto-dollars for a token in and a token out.
    pub price: Option<u64>,
    pub standing: Standing,
}

/// The conversation that a request belongs to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Session<'a> {
    /// The same for every request of the conversation, on every replica.
    pub key: Option<u64>,
    /// The id of the deployment that answered last.
    pub last: Option<&'a str>,
}

/// Why a deployment has its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It answered this conversation before and has its prompt cached.
    SameConversation,
    Drawn,
    LeastBusy,
    Fastest,
    Cheapest,
    LeastUsed,
    /// It has as many requests as it takes: the request waits for its turn, if none can serve now.
    Full,
    /// Its own limits have no room for the request, which waits until they have, if none can serve now.
    AtLimit,
    /// Its requests or tokens of this minute are used up: a last resort.
    OverItsMinute,
    /// It rests on our own guess: a last resort.
    Resting(RestReason),
    /// It rests because the upstream asked for it: not to be asked.
    Barred(RestReason),
    /// The prompt does not fit into its window: not to be asked.
    TooSmall,
    /// It does not serve what is asked for: not to be asked.
    Unable,
}

impl Verdict {
    /// It may be asked, if only as a last resort.
    pub fn is_usable(self) -> bool {
        !matches!(self, Verdict::Barred(_) | Verdict::TooSmall | Verdict::Unable)
    }

    /// It can serve now.
    pub fn is_available(self) -> bool {
        let later = matches!(self, Verdict::Full | Verdict::AtLimit | Verdict::OverItsMinute | Verdict::Resting(_));
        self.is_usable() && !later
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Verdict::SameConversation => f.write_str("answered this conversation before"),
            Verdict::Drawn => f.write_str("drawn by share"),
            Verdict::LeastBusy => f.write_str("least busy"),
            Verdict::Fastest => f.write_str("expected to answer soonest"),
            Verdict::Cheapest => f.write_str("cheapest"),
            Verdict::LeastUsed => f.write_str("fewest tokens this minute"),
            Verdict::Full => f.write_str("full: waited for"),
            Verdict::AtLimit => f.write_str("at its limit: waited for"),
            Verdict::OverItsMinute => f.write_str("over its limit for this minute: a last resort"),
            Verdict::Resting(reason) => write!(f, "rests ({}): a last resort", reason.word()),
            Verdict::Barred(reason) => write!(f, "rests ({}): not asked", reason.word()),
            Verdict::TooSmall => f.write_str("the prompt is too long for it: not asked"),
            Verdict::Unable => f.write_str("does not serve this endpoint: not asked"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranked {
    /// Index of the candidate.
    pub index: usize,
    pub verdict: Verdict,
}

/// All candidates, best first. `chance` seeds the draws.
pub fn rank(candidates: &[Candidate<'_>], strategy: Strategy, session: Session<'_>, chance: u64) -> Vec<Ranked> {
    let mut places: Vec<Place> = candidates
        .iter()
        .enumerate()
        .map(|(index, candidate)| Place {
            ranked: Ranked { index, verdict: trouble(candidate).unwrap_or(chosen_by(strategy)) },
            order: candidate.order,
            score: score(candidate, strategy, session, chance),
        })
        .collect();
    places.sort_by(|a, b| {
        let tier = |place: &Place| (!place.ranked.verdict.is_usable(), !place.ranked.verdict.is_available());
        tier(a).cmp(&tier(b)).then(a.order.cmp(&b.order)).then(a.score.total_cmp(&b.score))
    });
    if strategy == Strategy::Latency {
        two_choices(&mut places, chance);
    }
    stay(&mut places, candidates, session);
    places.into_iter().map(|place| place.ranked).collect()
}

struct Place {
    ranked: Ranked,
    order: u32,
    /// Lower is better.
    score: f64,
}

fn chosen_by(strategy: Strategy) -> Verdict {
    match strategy {
        Strategy::Shuffle => Verdict::Drawn,
        Strategy::LeastBusy => Verdict::LeastBusy,
        Strategy::Latency => Verdict::Fastest,
        Strategy::Cost => Verdict::Cheapest,
        Strategy::Usage => Verdict::LeastUsed,
    }
}

fn trouble(candidate: &Candidate<'_>) -> Option<Verdict> {
    let standing = &candidate.standing;
    if let Some(rest) = &standing.rest {
        return Some(if rest.reason.is_binding() {
            Verdict::Barred(rest.reason)
        } else {
            Verdict::Resting(rest.reason)
        });
    }
    match (standing.full, standing.at_limit, standing.over_its_minute) {
        (true, ..) => Some(Verdict::Full),
        (_, true, _) => Some(Verdict::AtLimit),
        (.., true) => Some(Verdict::OverItsMinute),
        _ => None,
    }
}

fn score(candidate: &Candidate<'_>, strategy: Strategy, session: Session<'_>, chance: u64) -> f64 {
    let standing = &candidate.standing;
    let busy = f64::from(standing.in_flight);
    // Between equals, chance in proportion to the share.
    let draw = draw(mixed(chance, candidate.id), candidate.share);
    let tie = draw / (1.0 + draw);
    match strategy {
        // The same conversation draws the same deployment on every replica.
        Strategy::Shuffle => match session.key {
            Some(key) => self::draw(mixed(key, candidate.id), candidate.share),
            None => draw,
        },
        Strategy::LeastBusy => busy + tie,
        Strategy::Latency => standing.latency_ms * (busy + 1.0),
        Strategy::Cost => candidate.price.map_or(f64::MAX, |price| price as f64 + tie),
        Strategy::Usage => standing.tokens_this_minute as f64 + tie,
    }
}

/// An exponential draw: the smallest of several belongs to each with a chance in proportion to its share.
/// Without a share it comes after all that have one.
fn draw(number: u64, share: u32) -> f64 {
    if share == 0 {
        return f64::MAX;
    }
    let uniform = (number >> 11) as f64 / (1u64 << 53) as f64;
    -(1.0 - uniform).ln() / f64::from(share)
}

/// The better of two drawn goes first: nearly as good as the best of all, and not everybody runs to the same one.
fn two_choices(places: &mut [Place], chance: u64) {
    let Some(order) = places.first().filter(|p| p.ranked.verdict.is_available()).map(|p| p.order) else { return };
    let equal = places.iter().take_while(|p| p.ranked.verdict.is_available() && p.order == order).count();
    if equal < 3 {
        return;
    }
    let (one, further) = (chance as usize % equal, 1 + (chance >> 32) as usize % (equal - 1));
    let other = (one + further) % equal;
    places[..=one.min(other)].rotate_right(1);
}

/// Requests beyond twice the others' mean that are borne for the sake of a warm cache.
const BORNE: u32 = 8;

/// A conversation stays where its prompt is cached, unless that deployment is out or much busier than the others of its order.
fn stay(places: &mut [Place], candidates: &[Candidate<'_>], session: Session<'_>) {
    let Some(last) = session.last else { return };
    let Some(at) = places.iter().position(|place| candidates[place.ranked.index].id == last) else { return };
    let place = &places[at];
    if !place.ranked.verdict.is_available() || place.order != places[0].order {
        return;
    }
    let busy = |place: &Place| candidates[place.ranked.index].standing.in_flight;
    let (mut others, mut count) = (0, 0);
    for other in places.iter().filter(|p| p.ranked.verdict.is_available() && p.order == place.order) {
        if other.ranked.index != place.ranked.index {
            others += busy(other);
            count += 1;
        }
    }
    if count > 0 && busy(place) > 2 * others / count + BORNE {
        return;
    }
    places[..=at].rotate_right(1);
    places[0].ranked.verdict = Verdict::SameConversation;
}

/// A number from a seed and a name: the same on every machine (FNV-1a, then the finalizer of SplitMix64).
pub fn mixed(seed: u64, name: &str) -> u64 {
    let hash = name
        .bytes()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut z = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
