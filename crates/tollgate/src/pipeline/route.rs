//! A name's deployments, and the order in which they are asked.

use std::hash::{BuildHasher, RandomState};

use tollgate_dialect::Dialect;
use tollgate_policy::balance::{self, Candidate, Ranked, Session, Verdict};
use tollgate_policy::health::Rest;
use tollgate_policy::tags;
use tollgate_store::record::{self, RouteTaken};

use crate::app::{App, Live};
use crate::config::model::Deployment;
use crate::failure::Failure;

/// One route that is asked for an answer.
#[derive(Clone)]
pub struct Route {
    /// The name by which it was asked for.
    pub name: String,
    /// Its name in the configuration.
    pub group: String,
    /// Indexes of the deployments that the request may go to.
    pub deployments: Vec<usize>,
}

impl Route {
    /// To one deployment of a route and no other, whatever is configured beside it.
    pub fn to_one(group: &str, index: usize) -> Route {
        Route { name: group.to_string(), group: group.to_string(), deployments: vec![index] }
    }
}

/// Finds the route of a name, with the deployments that the request's tags allow.
pub fn find(live: &Live, name: &str, wanted: &[String]) -> Result<Route, Failure> {
    let resolved = live.config.routes.resolve(name).map_err(|unknown| {
        let bare = name.strip_prefix("anthropic/").unwrap_or(name);
        Failure::UnknownModel {
            model: name.to_string(),
            nearest: unknown.nearest,
            tier_hint: bare.starts_with("claude-"),
        }
    })?;
    let all = resolved.deployments;
    let deployments = match live.config.routing.tags {
        None => all.to_vec(),
        Some(any) => {
            let tags: Vec<&[String]> =
                all.iter().map(|&index| live.config.deployments[index].tags.as_slice()).collect();
            let eligible = tags::eligible(wanted, &tags, any);
            let eligible = eligible.ok_or_else(|| Failure::NoDeploymentWithTags { tags: wanted.to_vec() })?;
            eligible.into_iter().map(|at| all[at]).collect()
        }
    };
    Ok(Route { name: name.to_string(), group: resolved.group.to_string(), deployments })
}

/// The provider's name for the model, with what the route's wildcard stood for.
pub fn upstream_model(live: &Live, route: &str, deployment: &Deployment) -> String {
    let resolved = live.config.routes.resolve(route);
    resolved.map_or_else(|_| deployment.model.clone(), |route| route.upstream_model(&deployment.model).into_owned())
}

/// A deployment in its place.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Index of the deployment.
    pub index: usize,
    pub verdict: Verdict,
    pub rest: Option<Rest>,
}

impl Route {
    /// The deployments as they stand now for a request with so many tokens, best first.
    pub fn ranked(&self, app: &App, live: &Live, session: Session<'_>, tokens: u64) -> Vec<Placed> {
        let now_ms = app.now_ms();
        let mut candidates: Vec<Candidate<'_>> = Vec::with_capacity(self.deployments.len());
        for &index in &self.deployments {
            let deployment = &live.config.deployments[index];
            candidates.push(Candidate {
                id: &deployment.id,
                order: deployment.order,
                share: deployment.share,
                price: deployment.price.as_ref().map(|price| price.input.saturating_add(price.output)),
                standing: live.standing(index, now_ms, tokens),
            });
        }
        let ranked = balance::rank(&candidates, live.config.routing.strategy, session, chance());
        let placed = |ranked: Ranked| Placed {
            index: self.deployments[ranked.index],
            verdict: ranked.verdict,
            rest: candidates[ranked.index].standing.rest.take(),
        };
        ranked.into_iter().map(placed).collect()
    }

    /// What is spoken to one of its deployments for a Responses client.
    pub fn speaks(&self, app: &App, live: &Live, index: usize) -> Dialect {
        let deployment = &live.config.deployments[index];
        let model = upstream_model(live, &self.name, deployment);
        deployment.dialect_for(Dialect::Responses, &app.known(live, index, &model).quirks)
    }

    /// For the record: which deployments there were and how they stood.
    pub fn taken(&self, live: &Live, why: String, at_ms: u64, placed: &[Placed]) -> RouteTaken {
        let candidate = |placed: &Placed| {
            let deployment = &live.config.deployments[placed.index];
            record::Candidate {
                deployment: deployment.id.clone(),
                provider: deployment.provider.clone(),
                model: deployment.model.clone(),
                verdict: placed.verdict.to_string(),
            }
        };
        RouteTaken { route: self.group.clone(), why, at_ms, candidates: placed.iter().map(candidate).collect() }
    }
}

/// A number that nobody can foresee.
pub fn chance() -> u64 {
    RandomState::new().hash_one(0)
}
