//! As whom a deployment signs in to a cloud: what its requests carry in the place of a key.

use super::entra::Entra;
use super::google;
use super::secret::Secret;

/// What tokens are fetched for. What is equal signs in once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    Entra(Entra),
    Google(google::Source),
}

impl Identity {
    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Identity::Entra(entra) => entra.secrets().collect(),
            Identity::Google(source) => source.secrets(),
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
