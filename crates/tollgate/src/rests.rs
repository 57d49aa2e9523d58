//! What the end of an attempt means for its deployment and its credential, whoever asked for it: a client or a health check; and what other
//! replicas find.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tollgate_dialect::usage::Usage;
use tollgate_policy::failover::Failure;
use tollgate_policy::health::credential::Failed;
use tollgate_policy::health::{Rest, RestFailure};
use tollgate_store::shared::{self, Address, Replica};

use crate::app::{App, Live};
use crate::config::identity::Identity;
use crate::config::model::Deployment;
use crate::credentials::{self, Credential};
use crate::pipeline::without_secrets;

impl App {
    /// `sent_ms`: when the request that was answered had been sent.
    pub fn attempt_answered(&self, live: &Live, index: usize, sent_ms: u64, usage: &Usage) {
        let tokens = usage.total_input() + usage.output.unwrap_or(0);
        let (abilities, credential) = (&live.abilities[index], live.credential_of(index));
        let now_ms = self.now_ms();
        if abilities.health().answered(now_ms, tokens) {
            self.tell_over(live, &abilities.shared_name);
        }
        if credential.health().answered(now_ms, sent_ms) {
            self.tell_over(live, &credential.shared_name);
        }
    }

    pub fn attempt_failed(&self, live: &Live, index: usize, failure: &Failure, request_id: &str) {
        let deployment = &live.config.deployments[index];
        let mut rules = live.config.routing.rests.clone();
        rules.cooldown = deployment.cooldown.unwrap_or(rules.cooldown);
        let now_ms = self.now_ms();
        let begun = live.abilities[index].health().failed(now_ms, failure, &rules);
        if let Some(rest) = begun {
            let for_ms = rest.until_ms.saturating_sub(now_ms);
            tracing::warn!(request_id, deployment = %deployment.id, reason = rest.reason.word(), for_ms, "deployment rests");
            self.tell(live, &live.abilities[index].shared_name, &rest);
        }
        let others_worked_at_ms = credentials::others_worked_at_ms(&live.credentials, live.abilities[index].credential);
        let failed = Failed { model: &deployment.model, failure, others_worked_at_ms };
        let begun = live.credential_of(index).health().failed(now_ms, &failed, &rules);
        if let Some(rest) = begun {
            let for_ms = rest.until_ms.saturating_sub(now_ms);
            let deployments = live.ids_of(live.credential_of(index));
            tracing::warn!(request_id, deployment = %deployment.id, deployments, reason = rest.reason.word(), for_ms, "credential rests");
            self.tell(live, &live.credential_of(index).shared_name, &rest);
        }
    }

    fn tell(&self, live: &Live, name: &str, rest: &Rest) {
        if live.config.redis.is_some() {
            let words = without_secrets(rest.failure.words.clone(), &live.config);
            let failure = RestFailure { words, ..rest.failure.clone() };
            self.shared_rests.begun(name, &Rest { failure, ..rest.clone() });
        }
    }

    fn tell_over(&self, live: &Live, name: &str) {
        if live.config.redis.is_some() {
            self.shared_rests.over(name);
        }
    }
}

impl Live {
    /// People know a credential by the deployments that use it; its key is shown nowhere.
    fn ids_of(&self, credential: &Credential) -> String {
        let ids = credential.deployments.iter().map(|&index| self.config.deployments[index].id.as_str());
        ids.collect::<Vec<_>>().join(", ")
    }
}

/// A deployment's id, and a little of a hash of what it calls: another address, model or key under the same id, as while a key
/// is replaced, is another deployment.
pub fn shared_name(deployment: &Deployment) -> String {
    format!("{}:{}", deployment.id, hash_of(deployment, &deployment.model))
}

/// A little of a hash of address and key.
pub fn shared_name_of_credential(deployment: &Deployment) -> String {
    format!("credential:{}", hash_of(deployment, ""))
}

fn hash_of(deployment: &Deployment, model: &str) -> String {
    let (header, key) = deployment.credential.as_ref().map_or(("", ""), |(name, key)| (name.as_str(), key.expose()));
    let identity = deployment.identity.as_ref().map(Identity::told_apart).unwrap_or_default();
    let called = format!("{}\n{model}\n{header}\n{key}{identity}", deployment.base_url);
    Sha256::digest(called.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect()
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

    fn names(&self) -> Vec<String> {
        let live = self.live();
        let deployments = live.abilities.iter().map(|abilities| &abilities.shared_name);
        deployments.chain(live.credentials.iter().map(|credential| &credential.shared_name)).cloned().collect()
    }

    fn told(&self, name: &str, rest: Rest) {
        let (live, now_ms) = (self.live(), App::now_ms(self));
        let (reason, for_ms) = (rest.reason.word(), rest.until_ms.saturating_sub(now_ms));
        if let Some(index) = live.abilities.iter().position(|abilities| abilities.shared_name == name) {
            tracing::info!(deployment = %live.config.deployments[index].id, reason, for_ms, "deployment rests: another replica says so");
            live.abilities[index].health().told(rest);
        } else if let Some(credential) = live.credentials.iter().find(|credential| credential.shared_name == name) {
            let deployments = live.ids_of(credential);
            tracing::info!(deployments, reason, for_ms, "credential rests: another replica says so");
            credential.health().told(now_ms, rest);
        }
    }

    fn told_over(&self, name: &str) {
        let live = self.live();
        if let Some(abilities) = live.abilities.iter().find(|abilities| abilities.shared_name == name) {
            abilities.health().told_over();
        } else if let Some(credential) = live.credentials.iter().find(|credential| credential.shared_name == name) {
            credential.health().told_over();
        }
    }
}
