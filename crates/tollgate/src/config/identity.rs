//! As whom a deployment signs in to a cloud, where that is no fixed key: described here, done in `upstream/credential`.

use std::sync::Arc;

use super::aws::{self, Aws};
use super::entra::Entra;
use super::google;
use super::secret::Secret;

/// How a deployment's requests are signed in. What is equal is one credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    Entra(Arc<Entra>),
    Google(Arc<google::Source>),
    Aws(Aws),
}

/// Who asks for tokens, or for keys that end. What is equal asks once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    Entra(Arc<Entra>),
    Google(Arc<google::Source>),
    Aws(Arc<aws::Source>),
}

impl Identity {
    pub fn who(&self) -> Who {
        match self {
            Identity::Entra(entra) => Who::Entra(entra.clone()),
            Identity::Google(source) => Who::Google(source.clone()),
            Identity::Aws(aws) => Who::Aws(aws.source.clone()),
        }
    }

    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Identity::Entra(entra) => entra.secrets().collect(),
            Identity::Google(source) => source.secrets(),
            Identity::Aws(aws) => aws.source.secrets(),
        }
    }

    /// Text that differs where the identity does.
    pub fn told_apart(&self) -> String {
        format!("{self:?}{}", self.secrets().join("\n"))
    }
}

/// With what the deployment's requests sign in.
pub enum SignIn {
    /// `api_key`, or what stands for it.
    Key,
    /// A token that somebody else keeps fresh.
    Token(Secret),
    As(Identity),
    /// Not at all: a problem was reported.
    Wrong,
}
