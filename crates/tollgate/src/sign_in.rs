//! Callers who bring a token of an identity provider (JWT, RFC 7519) in place of a key: whether it is good, and for whom it stands.
//!
//! Read in this order: `token` (is it good?), `keys` (what it is checked with), `who` (what its claims say), `chains` (whom the
//! database knows of that). The caller that comes of it is held to budgets, limits and grants like one with a key.

mod chains;
mod claims;
mod keys;
mod refused;
#[cfg(test)]
mod tests;
mod token;
mod who;

use std::sync::Arc;

use tollgate_policy::access::Role;
use tollgate_store::chain::Chain;

use crate::app::App;
use crate::config::sign_in::SignIn;
use crate::failure::Failure;
use crate::store::Store;
pub use keys::KeySets;
pub use refused::{Nobody, Refused};
pub use token::is_token;

/// For whom a token stands.
pub struct Bearer {
    /// `None`: what its user's is.
    pub role: Option<Role>,
    /// One for each team that it names and that is known, in its order; one at least.
    pub chains: Vec<Arc<Chain>>,
    /// The customer that it names.
    pub end_user: Option<String>,
}

/// # Errors
/// [`Failure::Token`], or the database was needed and is away.
pub async fn bearer(app: &App, store: &Store, sign_in: &SignIn, token: &str) -> Result<Bearer, Failure> {
    let (claims, issuer) = token::verified(app, sign_in, token).await.map_err(Failure::Token)?;
    let who = who::read(sign_in, &issuer.claims, &claims).map_err(Failure::Token)?;
    let chains = chains::of(app, store, sign_in, &who).await?;
    Ok(Bearer { role: who.admin.then_some(Role::ProxyAdmin), chains, end_user: who.end_user })
}
