//! One cell of the matrix: a client, an upstream, a case, a form.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Value, json};
use tollgate_sim::Sim;

use crate::client::{Ask, Client, Form, Seen, look};
use crate::converse::{self, Talk};
use crate::loss::{Case, LOSSES, Loss, Lost};
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
}

/// Where a cell is played.
pub struct Stage {
    pub sim: Sim,
    pub gateway: Gateway,
}

impl Cell {
    pub fn new(client: Client, upstream: Upstream, case: Case, form: Form) -> Cell {
        Cell { client, upstream, case, form, looked: RefCell::default(), changes: RefCell::default() }
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
        params["api_key"] = json!(self.route());
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
        self.changes.borrow_mut().extend(converse::changes(&answer));
        answer
    }

    fn talk<'g>(&self, stage: &'g Stage) -> Talk<'g> {
        Talk { gateway: &stage.gateway, client: self.client, form: self.form }
    }

    /// A turn that is answered.
    pub async fn turn(&self, stage: &Stage, body: &Value) -> Seen {
        let (seen, changes) = self.talk(stage).turn(self.upstream, &self.route(), body).await;
        self.changes.borrow_mut().extend(changes);
        seen
    }

    pub fn got(&self, stage: &Stage, words: &str) -> Got {
        let sent = converse::sent(&stage.sim, words);
        self.upstream.plays().read(sent.last().expect("a request reached the upstream"))
    }

    /// After all: every loss was looked at, and the client was told what the table says, and what was put back.
    pub fn check_losses(&self) {
        let looked = self.looked.borrow();
        let mut told = BTreeSet::new();
        if self.case == Case::Thinking && is_restored(self.client, self.upstream, true) {
            told.insert("restored:thinking".to_owned());
        }
        for loss in self.losses() {
            assert!(looked.contains(&loss.lost), "{}: nothing looks at {:?}", self.name(), loss.lost);
            told.extend(loss.told.map(str::to_owned));
        }
        assert_eq!(*self.changes.borrow(), told, "{}: x-tollgate-changes", self.name());
    }
}

/// What every upstream is to receive of a request with the tool `look`.
pub fn with_look(got: Got) -> Got {
    Got { tools: vec![("look".to_owned(), look())], ..got }
}
