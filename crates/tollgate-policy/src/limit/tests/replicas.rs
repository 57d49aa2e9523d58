//! Replicas that keep limits together, with whatever comes between them.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const REPLICAS: usize = 3;
const REQUESTS: u64 = 40;
const TOKENS: u64 = 1000;
const PLACES: u64 = 6;

/// What stands at the place where replicas meet: by counter, what each holds.
type Ledger = HashMap<(Arc<str>, Dimension, u64), [u64; REPLICAS]>;

type Counters = Vec<(u64, u64)>;
type Verdicts = Vec<Result<(), usize>>;

/// What the script does there.
fn answer(ledger: &mut Ledger, me: usize, round: &Round) -> (Counters, Verdicts) {
    let key = |report: &Report| (report.account.clone(), report.dimension, report.window);
    let others = |ledger: &Ledger, report: &Report| {
        let fields = ledger.get(&key(report)).copied().unwrap_or_default();
        fields.iter().enumerate().filter(|(n, _)| *n != me).map(|(_, held)| held).sum::<u64>()
    };
    let mut counters: Vec<(u64, u64, u64)> =
        round.reports.iter().map(|report| (others(ledger, report), report.used, report.held)).collect();
    let mut verdicts = Vec::new();
    for lines in &round.asks {
        let lacking = lines.iter().position(|line| {
            let (others, used, held) = counters[line.report];
            used + line.room > held && others + used + line.room > line.limit
        });
        if lacking.is_none() {
            for line in lines {
                let (others, used, held) = &mut counters[line.report];
                let needed = *used + line.room;
                if needed > *held {
                    let places = round.reports[line.report].dimension == Dimension::ParallelRequests;
                    *held = needed + if places { 0 } else { (line.limit - *others - needed) / 16 };
                }
                *used += line.count;
            }
        }
        verdicts.push(lacking.map_or(Ok(()), Err));
    }
    for (report, (.., held)) in round.reports.iter().zip(&counters) {
        ledger.entry(key(report)).or_default()[me] = *held;
    }
    (counters.into_iter().map(|(others, _, held)| (others, held)).collect(), verdicts)
}

/// A request under way at a replica.
#[derive(Clone, Copy)]
struct Running {
    replica: usize,
    began_ms: u64,
    tokens: Tokens,
}

struct World {
    now_ms: u64,
    claims: Claims,
    ledger: Ledger,
    accounts: [Account; REPLICAS],
    running: Vec<Running>,
    /// By minute: requests that were admitted and not given back, and their tokens.
    minutes: HashMap<u64, (u64, u64)>,
    /// So many requests come while a round is under way.
    meanwhile: u32,
}

impl World {
    fn new() -> World {
        let rates = Rates {
            requests_per_minute: Some(REQUESTS),
            tokens_per_minute: Some(TOKENS),
            parallel_requests: Some(PLACES),
            ..Rates::default()
        };
        World {
            now_ms: NOW,
            claims: key(rates),
            ledger: Ledger::new(),
            accounts: Default::default(),
            running: Vec::new(),
            minutes: HashMap::new(),
            meanwhile: 2,
        }
    }

    /// A round of one replica, whose answer may be lost. While it is under way others come, which would ask nobody.
    fn go(&mut self, replica: usize, round: &Round, lost: bool) -> Verdicts {
        let (counters, verdicts) = answer(&mut self.ledger, replica, round);
        for _ in 0..self.meanwhile {
            let (claim, tokens) = (only(&self.claims).clone(), input(10));
            let account = &mut self.accounts[replica];
            if account.fit(&claim, tokens, self.now_ms, Holding::Shared) == Fit::Yes {
                account.take(&claim, tokens, self.now_ms);
                self.admitted(replica, tokens);
            }
        }
        let account = &mut self.accounts[replica];
        for (lines, verdict) in round.asks.iter().zip(&verdicts) {
            for line in lines.iter().filter(|_| verdict.is_ok() && !lost) {
                round.reports[line.report].take(account, line);
            }
        }
        for (report, (others, held)) in round.reports.iter().zip(counters) {
            if lost {
                report.unanswered(account);
            } else {
                report.answered(account, others, held, self.now_ms);
            }
        }
        if lost { Vec::new() } else { verdicts }
    }

    fn admit(&mut self, replica: usize, tokens: u64, lost: bool) {
        let (claim, tokens) = (only(&self.claims).clone(), input(tokens));
        let account = &mut self.accounts[replica];
        match account.fit(&claim, tokens, self.now_ms, Holding::Shared) {
            Fit::Yes => account.take(&claim, tokens, self.now_ms),
            Fit::No(_) => return,
            Fit::Ask => {
                let (mut round, mut lines) = (Round::default(), Vec::new());
                round.lines((0, &claim), account, tokens, self.now_ms, &mut lines);
                round.ask(lines);
                if self.go(replica, &round, lost).first() != Some(&Ok(())) {
                    return;
                }
            }
        }
        self.admitted(replica, tokens);
    }

    fn admitted(&mut self, replica: usize, tokens: Tokens) {
        let minute = self.minutes.entry(Dimension::RequestsPerMinute.window(self.now_ms)).or_default();
        *minute = (minute.0 + 1, minute.1 + tokens.input);
        self.running.push(Running { replica, began_ms: self.now_ms, tokens });
    }

    /// `actual`: the tokens that it took; `None`: it was never sent.
    fn end(&mut self, which: usize, actual: Option<Tokens>) {
        if self.running.is_empty() {
            return;
        }
        let Running { replica, began_ms, tokens } = self.running.swap_remove(which % self.running.len());
        let (claim, account) = (only(&self.claims), &mut self.accounts[replica]);
        let minute = self.minutes.entry(Dimension::RequestsPerMinute.window(began_ms)).or_default();
        minute.1 -= tokens.input;
        match actual {
            Some(actual) => {
                account.settle(claim, began_ms, tokens, actual);
                minute.1 += actual.input + actual.output;
            }
            None => {
                account.release(claim, began_ms, tokens);
                minute.0 -= 1;
            }
        }
    }

    fn tell(&mut self, replica: usize, what: Telling, lost: bool) {
        let (name, mut round) = (only(&self.claims).account.clone(), Round::default());
        round.tell(&name, &mut self.accounts[replica], what, self.now_ms);
        self.go(replica, &round, lost);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Admit {
        replica: usize,
        tokens: u64,
        lost: bool,
    },
    Settle {
        which: usize,
        less: u64,
        output: u64,
    },
    Release {
        which: usize,
    },
    Tell {
        replica: usize,
        what: Telling,
        lost: bool,
    },
    Wait {
        ms: u64,
    },
    /// Everything that was told is gone, and every replica tells it again.
    Forget,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let what = prop_oneof![Just(Telling::News), Just(Telling::Rest), Just(Telling::All)];
    let lost = prop::bool::weighted(0.1);
    let step = prop_oneof![
        8 => (0..REPLICAS, 0..120u64, lost).prop_map(|(replica, tokens, lost)| Step::Admit { replica, tokens, lost }),
        4 => (any::<usize>(), 0..100u64, 0..80u64).prop_map(|(which, less, output)| Step::Settle { which, less, output }),
        2 => any::<usize>().prop_map(|which| Step::Release { which }),
        3 => (0..REPLICAS, what, lost).prop_map(|(replica, what, lost)| Step::Tell { replica, what, lost }),
        2 => prop_oneof![Just(300), 1..30_000u64].prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Forget),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn replicas_never_admit_more_than_the_limit(steps in steps(), with_output: bool) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Admit { replica, tokens, lost } => world.admit(replica, tokens, lost),
                Step::Settle { which, less, output } => {
                    let expected = match world.running.len() {
                        0 => Tokens::default(),
                        len => world.running[which % len].tokens,
                    };
                    let output = if with_output { output } else { 0 };
                    world.end(which, Some(Tokens { input: expected.input.saturating_sub(less), output }));
                }
                Step::Release { which } => world.end(which, None),
                Step::Tell { replica, what, lost } => world.tell(replica, what, lost),
                Step::Wait { ms } => world.now_ms += ms,
                Step::Forget => {
                    world.ledger.clear();
                    (0..REPLICAS).for_each(|replica| world.tell(replica, Telling::All, false));
                }
            }
            prop_assert!(world.running.len() as u64 <= PLACES);
            for (requests, tokens) in world.minutes.values() {
                prop_assert!(*requests <= REQUESTS);
                // Output cannot be foreseen.
                prop_assert!(with_output || *tokens <= TOKENS);
            }
        }
        // Once all is over and told, nothing is held for nobody.
        world.meanwhile = 0;
        while !world.running.is_empty() {
            world.end(0, None);
        }
        for replica in 0..REPLICAS {
            world.tell(replica, Telling::All, false);
            world.tell(replica, Telling::Rest, false);
            world.tell(replica, Telling::Rest, false);
        }
        let minute = Dimension::RequestsPerMinute.window(world.now_ms);
        let used = world.minutes.get(&minute).map_or(0, |minute| minute.0);
        for ((_, dimension, window), held) in &world.ledger {
            let held: u64 = held.iter().sum();
            match dimension {
                Dimension::ParallelRequests => prop_assert_eq!(held, 0),
                Dimension::RequestsPerMinute if *window == minute => prop_assert_eq!(held, used),
                _ => {}
            }
        }
    }

    #[test]
    fn one_replica_may_use_the_whole_limit_and_not_one_request_more(replica in 0..REPLICAS) {
        let mut world = World { meanwhile: 0, ..World::new() };
        for _ in 0..2 * REQUESTS {
            world.admit(replica, 1, false);
            world.end(0, Some(input(1)));
        }
        prop_assert_eq!(world.minutes.values().next().unwrap().0, REQUESTS);
    }
}
