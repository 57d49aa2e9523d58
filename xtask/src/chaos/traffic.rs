//! Requests in bursts, each to one of the gateways; where nobody is there, to the next, as a balancer before them would do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::Plan;
use super::callers::Kind;
use super::client::{self, Ask, Outcome};
use super::stage::{MAX_TOKENS, MODELS, Stage};

/// Requests that are sent at the same time.
pub const BURST: usize = 40;
/// More are not under way at once: a slow machine takes longer, and does no less.
const MOST: usize = 3 * BURST;

/// A way to ask a gateway.
struct Dialect {
    path: &'static str,
    stream_end: &'static str,
}

const DIALECTS: [Dialect; 2] = [
    Dialect { path: "/v1/chat/completions", stream_end: "data: [DONE]" },
    Dialect { path: "/v1/messages", stream_end: "{\"type\":\"message_stop\"}" },
];

struct Wish {
    number: usize,
    /// Which of the scopes.
    caller: usize,
    model: usize,
    gateway: usize,
    dialect: usize,
    stream: bool,
    leaves_after: Option<usize>,
}

/// A request and what came of it.
#[derive(Debug)]
pub struct Sent {
    pub marker: String,
    pub caller: usize,
    pub model: usize,
    /// The one that took it.
    pub gateway: usize,
    pub outcome: Outcome,
}

pub struct Traffic {
    wishes: Vec<Wish>,
    gateways: Arc<[SocketAddr]>,
    /// By scope.
    secrets: Arc<[String]>,
}

impl Traffic {
    pub fn new(plan: &Plan, stage: &Stage) -> Traffic {
        let mut random = Random(plan.seed);
        let keys: Vec<usize> = (0..stage.scopes.len()).filter(|index| stage.scopes[*index].kind == Kind::Key).collect();
        let wish = |number| {
            let caller = keys[random.below(keys.len())];
            let stream = random.below(2) == 0;
            let leaves = stream && random.below(4) == 0;
            Wish {
                number,
                caller,
                model: stage.scopes[caller].model,
                gateway: random.below(stage.gateways.len()),
                dialect: random.below(DIALECTS.len()),
                stream,
                leaves_after: leaves.then(|| 1 + random.below(5)),
            }
        };
        Traffic {
            wishes: (0..plan.requests).map(wish).collect(),
            gateways: stage.gateways.iter().map(|gateway| gateway.address()).collect(),
            secrets: stage.scopes.iter().map(|scope| scope.secret.clone()).collect(),
        }
    }

    /// `told`: which burst is going out; it is dropped after the last answer.
    pub async fn send(self, every: Duration, told: watch::Sender<usize>, progress: impl Fn(usize)) -> Vec<Sent> {
        let mut pace = interval(every);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut under_way, mut sent, mut done) = (JoinSet::new(), 0, Vec::new());
        let mut wishes = self.wishes.into_iter().peekable();
        let mut burst = 0;
        while wishes.peek().is_some() {
            pace.tick().await;
            while under_way.len() + BURST > MOST {
                done.extend(under_way.join_next().await.into_iter().flatten());
            }
            for wish in wishes.by_ref().take(BURST) {
                under_way.spawn(send(wish, self.gateways.clone(), self.secrets.clone()));
                sent += 1;
            }
            burst += 1;
            told.send_replace(burst);
            progress(sent);
            while let Some(ended) = under_way.try_join_next() {
                done.extend(ended);
            }
        }
        while let Some(ended) = under_way.join_next().await {
            done.extend(ended);
        }
        done
    }
}

async fn send(wish: Wish, gateways: Arc<[SocketAddr]>, secrets: Arc<[String]>) -> Sent {
    let Wish { number, caller, model, gateway, dialect, stream, leaves_after } = wish;
    let marker = format!("chaos-{number:06}");
    let dialect = &DIALECTS[dialect];
    let content = format!("{marker} is the number of this request, and all that it has to say.");
    let body = json!({"model": MODELS[model].name, "max_tokens": MAX_TOKENS, "stream": stream,
        "messages": [{"role": "user", "content": content}]});
    let ask = Ask {
        path: dialect.path,
        key: &secrets[caller],
        marker: &marker,
        body: body.to_string(),
        end: if stream { dialect.stream_end } else { "}" },
        leaves_after,
    };
    for step in 0..gateways.len() {
        let gateway = (gateway + step) % gateways.len();
        if let Ok(outcome) = client::ask(gateways[gateway], &ask).await {
            return Sent { marker, caller, model, gateway, outcome };
        }
    }
    Sent { marker, caller, model, gateway, outcome: Outcome::Cut("no gateway takes connections".to_string()) }
}

/// Sebastiano Vigna's SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % most as u64) as usize
    }
}
