//! Models that were added while the gateway ran: entries of `model_list` that the database keeps.

use std::path::Path;

use super::context::{Context, Env};
use super::deployment;
use super::load::{access_groups, share};
use super::model::{Config, Deployment};
use super::problem::Problem;
use super::secret::Secret;
use super::yaml;

/// One of them.
#[derive(Clone, Debug)]
pub struct Added {
    pub id: String,
    /// The entry as JSON, with its credentials in clear.
    pub entry: Secret,
}

impl Config {
    /// These models in place of those that were added before. One that cannot be read is left out, and what is wrong with it told.
    #[must_use]
    pub fn with_added(mut self, added: &[Added], env: Env<'_>) -> (Config, Vec<Problem>) {
        let mut told = Vec::new();
        self.deployments.truncate(self.own);
        for model in added {
            match read(&self, model, env) {
                Ok(deployments) => self.deployments.extend(deployments),
                Err(problems) => told.extend(problems),
            }
        }
        self.deployments.iter_mut().for_each(|deployment| deployment.share = 1);
        share(&mut self.deployments);
        self.routes = self.routes.regrouped(self.deployments.iter().map(|deployment| deployment.group.as_str()));
        self.access_groups = access_groups(&self.deployments);
        (self, told)
    }
}

/// What an entry comes down to; more than one deployment where it names several organisations.
///
/// # Errors
/// What is wrong with it.
pub fn read(config: &Config, added: &Added, env: Env<'_>) -> Result<Vec<Deployment>, Vec<Problem>> {
    let cx = Context::new(env);
    cx.set_own_environment(config.environment.clone());
    let file = cx.add_file(Path::new(&format!("model {}", added.id)));
    let mut found = match yaml::parse(added.entry.expose(), file) {
        Ok(node) => deployment::read(&cx, &node, 0, &config.defaults),
        Err(error) => {
            cx.error(error.at, "", error.message, "send it again");
            Vec::new()
        }
    };
    for (index, deployment) in found.iter_mut().enumerate() {
        deployment.id = if index == 0 { added.id.clone() } else { format!("{}-{}", added.id, index + 1) };
    }
    match cx.finish() {
        (problems, true) => Err(problems),
        _ => Ok(found),
    }
}
