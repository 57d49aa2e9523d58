//! The credentials of a configuration: each key at one address, with the deployments that use it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Uri;
use tollgate_policy::health::credential::CredentialHealth;

use crate::config::model::Deployment;
use crate::rests::shared_name_of_credential;

pub struct Credential {
    /// Their indexes, one at least.
    pub deployments: Vec<usize>,
    /// The credential's name among replicas.
    pub shared_name: String,
    address: Uri,
    health: Arc<Mutex<CredentialHealth>>,
}

/// What is kept over a change of the configuration, by shared name.
pub type Lasting = HashMap<String, Arc<Mutex<CredentialHealth>>>;

impl Credential {
    pub fn health(&self) -> MutexGuard<'_, CredentialHealth> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All credentials, and the position of each deployment's among them. Deployments without a key at one address are one.
pub fn of(deployments: &[Deployment], lasting: &mut Lasting) -> (Vec<Credential>, Vec<usize>) {
    let mut credentials: Vec<Credential> = Vec::new();
    let mut positions = Vec::with_capacity(deployments.len());
    for (index, own) in deployments.iter().enumerate() {
        let same = |known: &Credential| {
            let other = &deployments[known.deployments[0]];
            other.base_url == own.base_url && other.credential == own.credential && other.identity == own.identity
        };
        let position = credentials.iter().position(same).unwrap_or_else(|| {
            let shared_name = shared_name_of_credential(own);
            let health = lasting.entry(shared_name.clone()).or_default().clone();
            let address = own.base_url.clone();
            credentials.push(Credential { deployments: Vec::new(), shared_name, address, health });
            credentials.len() - 1
        });
        credentials[position].deployments.push(index);
        positions.push(position);
    }
    (credentials, positions)
}

/// When another credential at the same address worked last.
pub fn others_worked_at_ms(credentials: &[Credential], position: usize) -> Option<u64> {
    let address = &credentials[position].address;
    let others = credentials.iter().enumerate().filter(|(at, other)| *at != position && other.address == *address);
    others.filter_map(|(_, other)| other.health().worked_at_ms()).max()
}
