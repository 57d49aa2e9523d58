//! One cell of the matrix: a client, an upstream, a case, a form.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use tollgate_sim::Sim;

use crate::client::{Ask, Client, Form, Seen, look};
use crate::converse::{self, Talk};
use crate::loss::{Case, LOSSES, Loss, Lost, Told};
use crate::support::Gateway;
use crate::support::http::Answer;
use crate::thoughts::is_restored;
use crate::upstream::{Got, Upstream};

pub struct Cell {
    pub client: Client,
    pub upstream: Upstream,
    pub case: Case,
    pub form: Form,
    /// The losses whose effect was looked at.
    looked: RefCell<Vec<Lost>>,
    /// What `x-tollgate-changes` said over all turns.
    changes: RefCell<BTreeSet<String>>,
    /// The ids of its requests.
    ids: RefCell<Vec<String>>,
}

/// Where a cell is played.
pub struct Stage {
    pub sim: Sim,
    pub gateway: Gateway,
}

impl Cell {
    pub fn new(client: Client, upstream: Upstream, case: Case, form: Form) -> Cell {
        Cell {
            client,
            upstream,
            case,
            form,
            looked: RefCell::default(),
            changes: RefCell::default(),
            ids: RefCell::default(),
        }
    }

    pub fn name(&self) -> String {
        format!("{} on {}: {}, {:?}", self.client.name(), self.upstream.name(), self.case.name(), self.form)
    }

    /// A route of its own, so that what one cell breaks rests alone.
    pub fn route(&self) -> String {
        format!("{:?}-{:?}-{:?}", self.client, self.case, self.form).to_lowercase()
    }

    pub fn entry(&self, sim: &Sim) -> Value {
        let mut params = self.upstream.plays().params(&sim.base_url());
        if !self.upstream.plays().signs_in() {
            params["api_key"] = json!(self.route());
        }
        json!({"model_name": self.route(), "litellm_params": params})
    }

    /// What the user says: it tells the cell's requests from all others.
    pub fn words(&self, more: &str) -> String {
        format!("Hello from {} {more}.", self.route())
    }

    /// Whether this is lost here. What is asked for counts as looked at.
    pub fn loses(&self, lost: Lost) -> bool {
        let loses = self.losses().any(|loss| loss.lost == lost);
        if loses {
            self.looked.borrow_mut().push(lost);
        }
        loses
    }

    fn losses(&self) -> impl Iterator<Item = &'static Loss> {
        LOSSES.iter().filter(|loss| {
            loss.case == self.case && loss.clients.contains(&self.client) && loss.upstreams.contains(&self.upstream)
        })
    }

    pub fn same_dialect(&self) -> bool {
        self.upstream.own_client() == Some(self.client)
    }

    /// The model that an answer names: the upstream's own where its bytes go on.
    pub fn model(&self) -> String {
        if self.same_dialect() { self.upstream.plays().model().to_owned() } else { self.route() }
    }

    pub fn body(&self, ask: Ask, words: &str) -> Value {
        self.client.speaks().body(ask, words)
    }

    pub async fn send(&self, stage: &Stage, body: &Value) -> Answer {
        let answer = self.talk(stage).send(&self.route(), body).await;
        self.note(&answer);
        answer
    }

    fn talk<'g>(&self, stage: &'g Stage) -> Talk<'g> {
        Talk { gateway: &stage.gateway, client: self.client, form: self.form }
    }

    /// A turn that is answered.
    pub async fn turn(&self, stage: &Stage, body: &Value) -> Seen {
        let answer = self.send(stage, body).await;
        self.talk(stage).seen(self.upstream, &self.route(), &answer)
    }

    fn note(&self, answer: &Answer) {
        self.changes.borrow_mut().extend(converse::changes(answer));
        self.ids.borrow_mut().extend(answer.header("request-id").map(str::to_owned));
    }

    pub fn got(&self, stage: &Stage, words: &str) -> Got {
        let sent = converse::sent(&stage.sim, words);
        self.upstream.plays().read(sent.last().expect("a request reached the upstream"))
    }

    /// After all: every loss was looked at, and the client was told what the table says, and what was put back.
    pub async fn check_losses(&self, stage: &Stage) {
        let mut told = BTreeSet::new();
        // Another name for the same limit is no loss.
        if (self.client, self.upstream) == (Client::Chat, Upstream::Azure) {
            told.insert("renamed:max_tokens".to_owned());
        }
        if self.case == Case::Thinking && is_restored(self.client, self.upstream, true) {
            told.insert("restored:thinking".to_owned());
        }
        for loss in self.losses() {
            assert!(self.looked.borrow().contains(&loss.lost), "{}: nothing looks at {:?}", self.name(), loss.lost);
            match (loss.told, self.form) {
                (Told::Ahead(changes), _) | (Told::After(changes), Form::Piece) => {
                    told.extend(changes.split(' ').map(str::to_owned));
                }
                (Told::After(change), Form::Stream) => self.check_record(stage, change).await,
                (Told::Never, _) => {}
            }
        }
        assert_eq!(*self.changes.borrow(), told, "{}: x-tollgate-changes", self.name());
    }

    /// The header of a stream is gone before its end: one of the requests has the change in its record.
    async fn check_record(&self, stage: &Stage, change: &str) {
        let mut recorded = Vec::new();
        let ids = self.ids.borrow().clone();
        for id in ids {
            let over = format!("\"request_id\":\"{id}\",\"status\":");
            let log = stage.gateway.logged(&over).await;
            recorded.extend(log.lines().find(|line| line.contains(&over)).map(str::to_owned));
        }
        assert!(recorded.iter().any(|line| line.contains(change)), "{}: {change} in {recorded:?}", self.name());
    }
}

/// What every upstream is to receive of a request with the tool `look`.
pub fn with_look(got: Got) -> Got {
    Got { tools: vec![("look".to_owned(), look())], ..got }
}
