//! Keys as texts: made here, shown once, and known by their hash after that.

use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::admin::error::ApiError;

pub const PREFIX: &str = "sk-";

/// A key and what is kept of it.
pub struct NewKey {
    pub clear: String,
    pub hash: String,
    /// `sk-...` and the last four characters.
    pub name: String,
}

impl NewKey {
    /// # Errors
    /// The key that was asked for does not look like one, or there is no randomness.
    pub fn new(wanted: Option<String>) -> Result<NewKey, ApiError> {
        let clear = match wanted {
            Some(key) if key.starts_with(PREFIX) && key.len() > PREFIX.len() => key,
            Some(_) => return Err(ApiError::invalid("key", "must begin with sk-")),
            None => random()?,
        };
        let end: String = clear.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        Ok(NewKey { hash: hash(&clear), name: format!("{PREFIX}...{end}"), clear })
    }
}

fn random() -> Result<String, ApiError> {
    let mut bytes = [0; 32];
    let no_randomness = |_| ApiError::Vault(tollgate_store::vault::VaultError::NoRandomness);
    rand::fill(&mut bytes).map_err(no_randomness)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// What a key is known by. Clients name a key by itself or by this, which LiteLLM calls `token`.
pub fn id_of(key: &str) -> String {
    if key.starts_with(PREFIX) { hash(key) } else { key.to_string() }
}

fn hash(clear: &str) -> String {
    Sha256::digest(clear.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
