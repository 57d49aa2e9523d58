//! Whatever several replicas do in whatever order, they never spend more than the cap.
//!
//! The database is played by [`Bank`], which does what the store's statements do, one transaction at a time. Transactions are lost,
//! or done without the replica hearing of it; replicas die with requests under way, and their journals are brought to an end.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const REPLICAS: usize = 2;
const DAY: u64 = 86_400_000;
const CAPS: [u64; 3] = [1000, 700, 300];

#[derive(Default)]
struct Bank {
    spent: BTreeMap<PotKey, u64>,
    leases: BTreeMap<(usize, PotKey), u64>,
    ledger: BTreeSet<u64>,
}

impl Bank {
    fn leased(&self, key: &PotKey) -> u64 {
        self.leases.iter().filter(|((_, of), _)| of == key).map(|(_, nanos)| nanos).sum()
    }

    fn visit(&mut self, replica: usize, visit: &Visit) -> Leased {
        let own = self.leases.get(&(replica, visit.key.clone())).copied().unwrap_or(0);
        let spent = self.spent.get(&visit.key).copied().unwrap_or(0);
        let standing = standing(spent, self.leased(&visit.key) - own, REPLICAS as u32);
        let nanos = lease(visit.cap_nanos, standing, visit);
        self.leases.insert((replica, visit.key.clone()), nanos);
        Leased { nanos, standing }
    }

    /// What the lease covered, of each pot.
    fn apply(&mut self, replica: usize, charge: &Charge) -> Vec<u64> {
        let new = self.ledger.insert(charge.id);
        let cover = |key: &PotKey| {
            if !new {
                return 0;
            }
            *self.spent.entry(key.clone()).or_default() += charge.cost;
            let lease = self.leases.entry((replica, key.clone())).or_default();
            let covered = charge.cost.min(*lease);
            *lease -= covered;
            covered
        };
        charge.keys.iter().map(cover).collect()
    }

    fn give_back_all(&mut self, replica: usize) {
        self.leases.retain(|(of, _), _| *of != replica);
    }
}

#[derive(Clone)]
struct Charge {
    id: u64,
    keys: Vec<PotKey>,
    /// What was held, and later what it cost.
    held: u64,
    cost: u64,
}

#[derive(Default)]
struct Replica {
    book: Book,
    open: Vec<Charge>,
    /// Settled and not known to be in the ledger, oldest first.
    journal: Vec<Charge>,
    /// It is not known whether the journal's charges are in the ledger. Until it is, nothing else is done: they would count twice,
    /// as spent and as committed.
    doubts: bool,
    /// A question that is on its way: the database has not seen it, and requests go on.
    asked: Vec<Visit>,
}

#[derive(Default)]
struct World {
    bank: Bank,
    replicas: [Replica; REPLICAS],
    now: u64,
    day: u64,
    next: u64,
    /// What is truly spent by each pot, wherever it is written down.
    spent: BTreeMap<PotKey, u64>,
    /// What was settled over what was held.
    over: BTreeMap<PotKey, u64>,
}

/// What becomes of a transaction.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Done,
    /// Not done, and the replica hears of an error.
    Lost,
    /// Done, and the replica hears of an error.
    Unheard,
}

#[derive(Clone, Debug)]
enum Step {
    /// Asks the database when the leases do not do; another one later then finds more.
    Reserve {
        replica: usize,
        nanos: u64,
        pots: u8,
        fate: Fate,
    },
    /// What was asked is answered.
    Answer {
        replica: usize,
        fate: Fate,
    },
    /// Another attempt: the first took so much, in percent of what is held.
    Again {
        replica: usize,
        which: usize,
        percent: u64,
    },
    /// In percent of what was held.
    Settle {
        replica: usize,
        which: usize,
        percent: u64,
    },
    Release {
        replica: usize,
        which: usize,
    },
    Apply {
        replica: usize,
        fate: Fate,
    },
    ReturnIdle {
        replica: usize,
        fate: Fate,
    },
    Die {
        replica: usize,
    },
    Tomorrow,
    Wait(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let replica = || 0..REPLICAS;
    let fate = || prop_oneof![6 => Just(Fate::Done), 1 => Just(Fate::Lost), 1 => Just(Fate::Unheard)];
    let step = prop_oneof![
        8 => (replica(), 1..400u64, 1..8u8, fate())
            .prop_map(|(replica, nanos, pots, fate)| Step::Reserve { replica, nanos, pots, fate }),
        6 => (replica(), fate()).prop_map(|(replica, fate)| Step::Answer { replica, fate }),
        5 => (replica(), any::<usize>(), prop_oneof![4 => 0..=100u64, 1 => 100..150u64])
            .prop_map(|(replica, which, percent)| Step::Settle { replica, which, percent }),
        2 => (replica(), any::<usize>(), 0..=100u64)
            .prop_map(|(replica, which, percent)| Step::Again { replica, which, percent }),
        2 => (replica(), any::<usize>()).prop_map(|(replica, which)| Step::Release { replica, which }),
        4 => (replica(), fate()).prop_map(|(replica, fate)| Step::Apply { replica, fate }),
        5 => (replica(), fate()).prop_map(|(replica, fate)| Step::ReturnIdle { replica, fate }),
        1 => replica().prop_map(|replica| Step::Die { replica }),
        1 => Just(Step::Tomorrow),
        4 => (500..3000u64).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 1..120)
}

impl World {
    /// A key's and a team's day, and an organisation's for ever.
    fn pots(&self, which: u8) -> Vec<Capped> {
        let pot = |(index, cap_nanos): (usize, u64)| {
            let (kind, window, start_ms) = match index {
                0 => (ScopeKind::Organisation, Window::Total, 0),
                1 => (ScopeKind::Team, Window::Day, self.day * DAY),
                _ => (ScopeKind::Key, Window::Day, self.day * DAY),
            };
            let key = PotKey { kind, id: "x".into(), model: "".into(), window, start_ms };
            Capped { key, cap_nanos, end_ms: None }
        };
        CAPS.into_iter().enumerate().filter(|(index, _)| which & (1 << index) != 0).map(pot).collect()
    }

    fn answer(&mut self, replica: usize, fate: Fate) {
        let visits = std::mem::take(&mut self.replicas[replica].asked);
        let book = &mut self.replicas[replica].book;
        if matches!(fate, Fate::Lost) {
            return book.doubt();
        }
        let leased: Vec<Leased> = visits.iter().map(|visit| self.bank.visit(replica, visit)).collect();
        match fate {
            Fate::Unheard => book.doubt(),
            _ => visits.iter().zip(leased).for_each(|(visit, leased)| book.visited(visit, leased, self.now, 0)),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Reserve { replica, nanos, pots, fate } => self.reserve(replica, nanos, &self.pots(pots), fate),
            Step::Answer { replica, fate } => self.answer(replica, fate),
            Step::Again { replica, which, percent } => self.again(replica, which, percent),
            Step::Settle { replica, which, percent } => self.settle(replica, which, percent),
            Step::Release { replica, which } => {
                let Replica { book, open, .. } = &mut self.replicas[replica];
                if !open.is_empty() {
                    let charge = open.swap_remove(which % open.len());
                    book.release(&charge.keys, charge.held);
                }
            }
            Step::Apply { replica, fate } => self.apply(replica, fate),
            Step::ReturnIdle { replica, fate } => {
                if self.is_sure(replica, fate) {
                    self.replicas[replica].asked = self.replicas[replica].book.return_idle(1000, self.now);
                }
            }
            Step::Die { replica } => self.die(replica),
            Step::Tomorrow => self.day += 1,
            Step::Wait(ms) => self.now += ms,
        }
    }

    fn reserve(&mut self, replica: usize, nanos: u64, pots: &[Capped], fate: Fate) {
        // Half of it can be cut off.
        let price = Price { output: 1_000_000, ..Price::default() };
        let estimate = Estimate::new(&price, 0, CacheWrites::No, nanos / 2, 1).plus(nanos - nanos / 2);
        match self.replicas[replica].book.reserve(pots, &estimate, Stance::CanAsk, self.now) {
            Answer::Held { nanos, .. } => {
                let keys = pots.iter().map(|pot| pot.key.clone()).collect();
                self.next += 1;
                self.replicas[replica].open.push(Charge { id: self.next, keys, held: nanos, cost: 0 });
            }
            Answer::Short(needs) if self.is_sure(replica, fate) => {
                let Replica { book, asked, .. } = &mut self.replicas[replica];
                *asked = needs.iter().map(|pot| book.visit(pot, nanos, self.now)).collect();
            }
            _ => {}
        }
    }

    /// By its lease alone: asking the database is the same as for a first attempt.
    fn again(&mut self, replica: usize, which: usize, percent: u64) {
        let Replica { book, open, .. } = &mut self.replicas[replica];
        if open.is_empty() {
            return;
        }
        let which = which % open.len();
        let Charge { keys, held, .. } = open[which].clone();
        let caps = |key: &PotKey| match key.kind {
            ScopeKind::Organisation => CAPS[0],
            ScopeKind::Team => CAPS[1],
            _ => CAPS[2],
        };
        let pots: Vec<Capped> =
            keys.iter().map(|key| Capped { key: key.clone(), cap_nanos: caps(key), end_ms: None }).collect();
        let price = Price { output: 1_000_000, ..Price::default() };
        let estimate = Estimate::new(&price, 0, CacheWrites::No, held, 1).plus(held * percent / 100).beside(held);
        if let Answer::Held { nanos, .. } = book.reserve(&pots, &estimate, Stance::Asked, self.now) {
            open[which].held += nanos;
        }
    }

    fn settle(&mut self, replica: usize, which: usize, percent: u64) {
        let Replica { book, open, journal, .. } = &mut self.replicas[replica];
        if open.is_empty() {
            return;
        }
        let mut charge = open.swap_remove(which % open.len());
        charge.cost = charge.held * percent / 100;
        book.settle(&charge.keys, charge.held, charge.cost);
        for key in &charge.keys {
            *self.spent.entry(key.clone()).or_default() += charge.cost;
            *self.over.entry(key.clone()).or_default() += charge.cost.saturating_sub(charge.held);
        }
        journal.push(charge);
    }

    /// Whether it can ask now: one thing is done after the other.
    fn is_sure(&mut self, replica: usize, fate: Fate) -> bool {
        if self.replicas[replica].doubts {
            self.apply(replica, fate);
        }
        !self.replicas[replica].doubts && self.replicas[replica].asked.is_empty()
    }

    fn apply(&mut self, replica: usize, fate: Fate) {
        let Replica { book, journal, doubts, asked, .. } = &mut self.replicas[replica];
        if !asked.is_empty() {
            return;
        }
        *doubts = !matches!(fate, Fate::Done);
        if matches!(fate, Fate::Lost) {
            return book.doubt();
        }
        let applied: Vec<Vec<u64>> = journal.iter().map(|charge| self.bank.apply(replica, charge)).collect();
        if matches!(fate, Fate::Unheard) {
            return book.doubt();
        }
        for (charge, covered) in journal.drain(..).zip(applied) {
            for (key, covered) in charge.keys.iter().zip(covered) {
                book.applied(key, charge.cost, covered);
            }
        }
    }

    /// The next process finds the journal: what was open is taken to have cost what was held.
    fn die(&mut self, replica: usize) {
        let Replica { open, journal, .. } = std::mem::take(&mut self.replicas[replica]);
        let open = open.into_iter().map(|charge| Charge { cost: charge.held, ..charge });
        for charge in open {
            charge.keys.iter().for_each(|key| *self.spent.entry(key.clone()).or_default() += charge.cost);
            self.bank.apply(replica, &charge);
        }
        journal.iter().for_each(|charge| _ = self.bank.apply(replica, charge));
        self.bank.give_back_all(replica);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for (index, cap) in CAPS.into_iter().enumerate() {
            for pot in self.pots(1 << index) {
                let open = self.replicas.iter().flat_map(|replica| &replica.open);
                let held: u64 = open.filter(|charge| charge.keys.contains(&pot.key)).map(|charge| charge.held).sum();
                let spent = self.spent.get(&pot.key).copied().unwrap_or(0);
                let over = self.over.get(&pot.key).copied().unwrap_or(0);
                prop_assert!(spent + held <= cap + over, "{:?}: {spent} + {held} of {cap} + {over}", pot.key);
            }
        }
        Ok(())
    }

    fn rest(&mut self) -> Result<(), TestCaseError> {
        for replica in 0..REPLICAS {
            self.answer(replica, Fate::Done);
            while !self.replicas[replica].open.is_empty() {
                self.settle(replica, 0, 50);
            }
            self.apply(replica, Fate::Done);
        }
        self.now += 1000;
        for replica in 0..REPLICAS {
            self.step(Step::ReturnIdle { replica, fate: Fate::Done });
            self.answer(replica, Fate::Done);
        }
        for (key, spent) in &self.spent {
            prop_assert_eq!(self.bank.spent.get(key).copied().unwrap_or(0), *spent);
            prop_assert_eq!(self.bank.leased(key), 0);
            self.replicas.iter().try_for_each(|replica| {
                prop_assert_eq!(replica.book.committed(key), (0, 0));
                Ok(())
            })?;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn replicas_never_spend_more_than_the_cap_and_at_rest_all_adds_up(steps in steps()) {
        let mut world = World::default();
        for step in steps {
            world.step(step);
            world.check()?;
        }
        world.rest()?;
    }
}
