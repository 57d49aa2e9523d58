//! Tenants that take turns: weighted round robin, each tenant's requests in a lane of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use super::Ticket;

/// Where a request stands in its lane: by priority, then by arrival.
type Rank = (i64, Ticket);

#[derive(Debug)]
pub struct Ring<T> {
    lanes: HashMap<T, Lane>,
    /// The order of this round. Whose turn is over gets a later number.
    turns: BTreeMap<u64, T>,
    next_turn: u64,
    len: usize,
}

/// What one tenant has waiting; never empty.
#[derive(Debug)]
struct Lane {
    turn: u64,
    weight: u32,
    /// Requests that are left of its turn, at least one.
    left: u32,
    waiting: BTreeSet<Rank>,
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        // From the middle, so that there is room before the first.
        Ring { lanes: HashMap::new(), turns: BTreeMap::new(), next_turn: u64::MAX / 2, len: 0 }
    }
}

impl<T: Clone + Eq + Hash> Ring<T> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn tenants(&self) -> usize {
        self.lanes.len()
    }

    pub fn len_of(&self, tenant: &T) -> usize {
        self.lanes.get(tenant).map_or(0, |lane| lane.waiting.len())
    }

    /// `weight` holds from the tenant's next turn on.
    pub fn push(&mut self, tenant: T, weight: u32, rank: Rank) {
        self.len += 1;
        if let Some(lane) = self.lanes.get_mut(&tenant) {
            lane.weight = weight;
            lane.waiting.insert(rank);
            return;
        }
        let turn = self.last_turn(tenant.clone());
        self.lanes.insert(tenant, Lane { turn, weight, left: weight, waiting: BTreeSet::from([rank]) });
    }

    /// Undoes a pop: it is this tenant's turn again.
    pub fn put_back(&mut self, tenant: T, weight: u32, rank: Rank) {
        let turn = self.turns.keys().next().map_or(self.next_turn, |first| *first) - 1;
        self.len += 1;
        match self.lanes.get_mut(&tenant) {
            Some(lane) => {
                self.turns.remove(&lane.turn);
                // A turn that was over has its last request again.
                lane.left = if lane.left == lane.weight { 1 } else { lane.left + 1 };
                lane.turn = turn;
                lane.waiting.insert(rank);
            }
            None => {
                let waiting = BTreeSet::from([rank]);
                self.lanes.insert(tenant.clone(), Lane { turn, weight, left: 1, waiting });
            }
        }
        self.turns.insert(turn, tenant);
    }

    /// The end of the round, for this tenant.
    fn last_turn(&mut self, tenant: T) -> u64 {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.turns.insert(turn, tenant);
        turn
    }

    /// The next of those that can go.
    pub fn pop(&mut self, can_go: &impl Fn(Ticket) -> bool) -> Option<Ticket> {
        let first = |tenant: &T| self.lanes.get(tenant)?.waiting.iter().find(|(_, ticket)| can_go(*ticket)).copied();
        let (tenant, rank) = self.turns.values().find_map(|tenant| Some((tenant.clone(), first(tenant)?)))?;
        self.remove(&tenant, rank);
        if let Some(lane) = self.lanes.get_mut(&tenant) {
            lane.left -= 1;
            if lane.left == 0 {
                lane.left = lane.weight;
                self.turns.remove(&lane.turn);
                let turn = self.last_turn(tenant.clone());
                self.lanes.entry(tenant).and_modify(|lane| lane.turn = turn);
            }
        }
        Some(rank.1)
    }

    pub fn remove(&mut self, tenant: &T, rank: Rank) {
        let Some(lane) = self.lanes.get_mut(tenant) else { return };
        self.len -= usize::from(lane.waiting.remove(&rank));
        if lane.waiting.is_empty() {
            self.turns.remove(&lane.turn);
            self.lanes.remove(tenant);
        }
    }

    /// Of the tenant with the most requests the one that goes last, if they are at least so many.
    pub fn last_of_longest(&self, least: usize) -> Option<Ticket> {
        let lanes = self.turns.values().filter_map(|tenant| self.lanes.get(tenant));
        let longest = lanes.max_by_key(|lane| lane.waiting.len()).filter(|lane| lane.waiting.len() >= least)?;
        longest.waiting.last().map(|(_, ticket)| *ticket)
    }

    /// How many go before.
    pub fn position(&self, tenant: &T, rank: Rank) -> Option<usize> {
        let own = self.lanes.get(tenant)?;
        let before = own.waiting.range(..rank).count();
        let (left, weight) = (own.left as usize, own.weight as usize);
        // Whole turns of its own that come before the one it goes in.
        let turns = if before < left { 0 } else { 1 + (before - left) / weight };
        let others = self.lanes.values().filter(|lane| lane.turn != own.turn);
        let of_others = others.map(|lane| {
            let turns = turns + usize::from(lane.turn < own.turn);
            let go = match turns {
                0 => 0,
                more => lane.left as usize + (more - 1) * lane.weight as usize,
            };
            go.min(lane.waiting.len())
        });
        Some(before + of_others.sum::<usize>())
    }
}
