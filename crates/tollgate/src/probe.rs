//! What a deployment can do, found by asking it.
//!
//! The calls are made as a client's would be: written by the same code, sent by the same client, and their refusals are read by
//! the same table. So what is found here is what requests will meet.

mod ask;
mod calls;
mod cost;
mod profile;

use std::sync::Arc;

use tollgate_policy::repair::Fact;

use crate::app::{App, Live};
use crate::config::model::Deployment;
use ask::{Asked, Outcome};

pub use calls::count as calls;
pub use profile::Profile;

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub ability: &'static str,
    pub verdict: Verdict,
    /// What was learned on the way, and from now on shapes every request.
    pub facts: Vec<Fact>,
    /// The upstream's words, or what its answer showed.
    pub evidence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Yes,
    /// Refused, and answered after a repair.
    Repaired,
    No,
    /// It answered, or failed, in a way that says nothing about this.
    Unclear,
}

pub struct Report {
    pub deployment: usize,
    pub upstream_model: String,
    /// Requests that were sent, repairs included.
    pub sent: u32,
    pub findings: Vec<Finding>,
    pub profile: Profile,
    /// It gave at least one answer.
    pub answers: bool,
}

impl Report {
    pub fn facts(&self) -> impl Iterator<Item = &Fact> {
        self.findings.iter().flat_map(|finding| &finding.facts)
    }
}

/// Asks one deployment. `progress` is told before each call: its number, their number, the ability.
pub async fn deployment(
    app: &App,
    live: &Arc<Live>,
    index: usize,
    model: &str,
    progress: &mut dyn FnMut(usize, usize, &str),
) -> Report {
    let deployment = &live.config.deployments[index];
    let route = live.config.routes.resolve(model);
    let upstream_model =
        route.map_or_else(|_| deployment.model.clone(), |route| route.upstream_model(&deployment.model).into_owned());
    let mut asked = Asked::new(app, live, index, upstream_model);
    let mut findings: Vec<Finding> = Vec::new();
    let calls = calls::calls(deployment.dialect);
    let all = calls.len();
    let mut answers = true;
    for (i, call) in calls.into_iter().enumerate() {
        progress(i + 1, all, call.ability);
        let outcome = asked.ask(&call).await;
        let finding = judge(&call, outcome, deployment);
        // Where not even the first call is answered, the others would say the same.
        let dead = i == 0 && !matches!(finding.verdict, Verdict::Yes | Verdict::Repaired);
        findings.push(finding);
        if dead {
            answers = false;
            break;
        }
    }
    let profile = Profile::new(&asked, &findings);
    Report { deployment: index, upstream_model: asked.upstream_model, sent: asked.sent, findings, profile, answers }
}

fn judge(call: &calls::Call, outcome: Outcome, deployment: &Deployment) -> Finding {
    let (verdict, facts, evidence) = match outcome {
        Outcome::Answered { facts, words, answer } => match (call.shows)(&answer) {
            Ok(shown) if facts.is_empty() => (Verdict::Yes, facts, shown),
            Ok(_) => (Verdict::Repaired, facts, words),
            Err(doubt) => (Verdict::Unclear, facts, doubt),
        },
        Outcome::Refused(words) => (Verdict::No, Vec::new(), words),
        Outcome::Failed(why) => (Verdict::Unclear, Vec::new(), why),
    };
    let mut evidence: String = evidence.split_whitespace().collect::<Vec<_>>().join(" ");
    for secret in deployment.secrets() {
        evidence = evidence.replace(secret, "[redacted]");
    }
    Finding { ability: call.ability, verdict, facts, evidence }
}
