//! What the end of an attempt means for its deployment, whoever asked for it: a client or a health check; and what other
//! replicas find.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tollgate_dialect::usage::Usage;
use tollgate_policy::failover::Failure;
use tollgate_policy::health::{Rest, RestFailure};
use tollgate_store::shared::{self, Address, Replica};

use crate::app::{App, Live};
use crate::config::model::Deployment;
use crate::pipeline::without_secrets;

impl App {
    pub fn attempt_answered(&self, live: &Live, index: usize, usage: &Usage) {
        let tokens = usage.total_input() + usage.output.unwrap_or(0);
        let ended_rest = live.abilities[index].health().answered(self.now_ms(), tokens);
        if ended_rest && live.config.redis.is_some() {
            self.shared_rests.over(&live.abilities[index].shared_name);
        }
    }

    pub fn attempt_failed(&self, live: &Live, index: usize, failure: &Failure, request_id: &str) {
        let deployment = &live.config.deployments[index];
        let mut rules = live.config.routing.rests.clone();
        rules.cooldown = deployment.cooldown.unwrap_or(rules.cooldown);
        let now_ms = self.now_ms();
        let begun = live.abilities[index].health().failed(now_ms, failure, &rules);
        let Some(rest) = begun else { return };
        let for_ms = rest.until_ms.saturating_sub(now_ms);
        tracing::warn!(request_id, deployment = %deployment.id, reason = rest.reason.word(), for_ms, "deployment rests");
        self.share(live, index, &rest);
        if rest.reason.is_of_credential() {
            for other in live.others_of_credential(index) {
                live.abilities[other].health().begin_rest(rest.clone());
                self.share(live, other, &rest);
            }
        }
    }

    fn share(&self, live: &Live, index: usize, rest: &Rest) {
        if live.config.redis.is_some() {
            let words = without_secrets(rest.failure.words.clone(), &live.config);
            let failure = RestFailure { words, ..rest.failure.clone() };
            self.shared_rests.begun(&live.abilities[index].shared_name, &Rest { failure, ..rest.clone() });
        }
    }
}

impl Live {
    fn others_of_credential(&self, index: usize) -> impl Iterator<Item = usize> {
        let deployments = &self.config.deployments;
        let own = &deployments[index];
        let same = move |other: &Deployment| other.credential == own.credential && other.base_url == own.base_url;
        (0..deployments.len()).filter(move |&other| other != index && same(&deployments[other]))
    }
}

/// A deployment's id, and a little of a hash of what it calls: another address, model or key under the same id, as while a key
/// is replaced, is another deployment.
pub fn shared_name(deployment: &Deployment) -> String {
    let (header, key) = deployment.credential.as_ref().map_or(("", ""), |(name, key)| (name.as_str(), key.expose()));
    let called = format!("{}\n{}\n{header}\n{key}", deployment.base_url, deployment.model);
    let hash: String = Sha256::digest(called.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}:{hash}", deployment.id)
}

/// Shares rests with the other replicas, where the configuration in force says how.
pub async fn share(app: Arc<App>) {
    shared::share(&app.shared_rests, &*app).await;
}

impl Replica for App {
    fn address(&self) -> Option<Address> {
        self.live().config.redis.clone()
    }

    fn now_ms(&self) -> u64 {
        App::now_ms(self)
    }

    fn deployments(&self) -> Vec<String> {
        self.live().abilities.iter().map(|abilities| abilities.shared_name.clone()).collect()
    }

    fn told(&self, name: &str, rest: Rest) {
        let live = self.live();
        let Some(index) = live.abilities.iter().position(|abilities| abilities.shared_name == name) else { return };
        let for_ms = rest.until_ms.saturating_sub(App::now_ms(self));
        tracing::info!(deployment = %live.config.deployments[index].id, reason = rest.reason.word(), for_ms, "deployment rests: another replica says so");
        live.abilities[index].health().told(rest);
    }

    fn told_over(&self, name: &str) {
        let live = self.live();
        if let Some(abilities) = live.abilities.iter().find(|abilities| abilities.shared_name == name) {
            abilities.health().told_over();
        }
    }
}
