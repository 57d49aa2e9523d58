//! One turn of a conversation, whoever plays it.

use serde_json::Value;
use tollgate_sim::{Match, Recorded, Sim, Step};

use crate::client::{Client, Form, Seen};
use crate::support::Gateway;
use crate::support::http::Answer;
use crate::upstream::Upstream;

/// A client in front of the gateway.
#[derive(Clone, Copy)]
pub struct Talk<'g> {
    pub gateway: &'g Gateway,
    pub client: Client,
    pub form: Form,
}

impl Talk<'_> {
    pub async fn send(&self, route: &str, body: &Value) -> Answer {
        self.client.send(self.gateway, route, self.form, body).await
    }

    /// A turn that this route's upstream answers, and what `x-tollgate-changes` says.
    pub async fn turn(&self, upstream: Upstream, route: &str, body: &Value) -> (Seen, Vec<String>) {
        let answer = self.send(route, body).await;
        (self.seen(upstream, route, &answer), changes(&answer))
    }

    /// What the client makes of an answer of this route's upstream.
    pub fn seen(&self, upstream: Upstream, route: &str, answer: &Answer) -> Seen {
        let about = format!("{:?} on {route}, {:?}", self.client, self.form);
        assert_eq!(answer.status, 200, "{about}: {}", answer.text());
        // The answer names the upstream's own model where its bytes go on.
        let ours = upstream.own_client() != Some(self.client);
        let model = if ours { route } else { upstream.plays().model() };
        self.client.speaks().read(answer, self.form, model, ours)
    }
}

pub fn changes(answer: &Answer) -> Vec<String> {
    let changes = answer.header("x-tollgate-changes").unwrap_or_default();
    changes.split(',').filter(|change| !change.is_empty()).map(str::to_owned).collect()
}

/// This step answers the next request that has these words.
pub fn to(words: &str, step: Step) -> Step {
    step.when(Match { contains: Some(words.to_owned()), ..Match::default() })
}

/// The requests with these words, none of them refused.
pub fn sent(sim: &Sim, words: &str) -> Vec<Recorded> {
    let ours = |request: &Recorded| String::from_utf8_lossy(&request.body).contains(words);
    let sent: Vec<Recorded> = sim.requests().into_iter().filter(ours).collect();
    let refused: Vec<&String> = sent.iter().filter_map(|request| request.refused.as_ref()).collect();
    assert!(refused.is_empty(), "{words}: {refused:?}");
    sent
}
