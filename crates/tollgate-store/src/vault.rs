//! Credentials at rest: AES-256-GCM under a key that is derived from a secret of the operator.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

#[cfg(test)]
mod tests;

/// What a sealed text begins with. The number is the form's, so that another one can follow.
const PREFIX: &str = "sealed:1:";
/// Keeps this key apart from others that may be derived from the same secret.
const PURPOSE: &[u8] = b"tollgate credentials at rest 1";

/// Seals and opens. A vault without a secret holds nothing.
#[derive(Clone, Default)]
pub struct Vault {
    key: Option<Arc<RandomizedNonceKey>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    #[error("there is no secret to encrypt credentials with: set LITELLM_SALT_KEY or a master key")]
    NoSecret,
    #[error("a stored credential cannot be decrypted: it was encrypted under another LITELLM_SALT_KEY or master key")]
    WrongSecret,
    #[error("the system gives no random numbers")]
    NoRandomness,
}

impl Vault {
    /// `secret`: `LITELLM_SALT_KEY`, else the master key. What was sealed under one is closed to another.
    pub fn new(secret: &str) -> Vault {
        if secret.is_empty() {
            return Vault::default();
        }
        let mut key = [0; 32];
        let derived = Salt::new(HKDF_SHA256, PURPOSE).extract(secret.as_bytes());
        let key = derived
            .expand(&[b"aes-256-gcm"], &AES_256_GCM)
            .and_then(|okm| okm.fill(&mut key))
            .and_then(|()| RandomizedNonceKey::new(&AES_256_GCM, &key));
        Vault { key: key.ok().map(Arc::new) }
    }

    pub fn is_sealed(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// `place`: where the text is kept. It cannot be opened for another place, so nobody who writes to the database can move it
    /// to where it is shown or sent elsewhere.
    pub fn seal(&self, place: &str, clear: &[u8]) -> Result<String, VaultError> {
        let key = self.key.as_ref().ok_or(VaultError::NoSecret)?;
        let mut sealed = clear.to_vec();
        let nonce = key
            .seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut sealed)
            .map_err(|_| VaultError::NoRandomness)?;
        let whole = [nonce.as_ref().as_slice(), &sealed].concat();
        Ok(format!("{PREFIX}{}", STANDARD.encode(whole)))
    }

    pub fn open(&self, place: &str, sealed: &str) -> Result<Vec<u8>, VaultError> {
        let key = self.key.as_ref().ok_or(VaultError::NoSecret)?;
        let open = || {
            let mut whole = STANDARD.decode(sealed.strip_prefix(PREFIX)?).ok()?;
            let (nonce, text) = whole.split_first_chunk_mut()?;
            let nonce = Nonce::assume_unique_for_key(*nonce);
            Some(key.open_in_place(nonce, Aad::from(place.as_bytes()), text).ok()?.to_vec())
        };
        open().ok_or(VaultError::WrongSecret)
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault([redacted])")
    }
}

/// What the name of a field ends in that holds a secret.
const SECRET_ENDINGS: [&str; 8] =
    ["key", "secret", "token", "password", "credentials", "headers", "authorization", "access_key_id"];

/// Whether a field of `litellm_params` or of a document holds a secret. Numbers are none (`input_cost_per_token`).
pub fn is_credential(field: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => ends_secret(field) || Vault::is_sealed(text) || is_url_with_password(text),
        Value::Object(_) | Value::Array(_) => ends_secret(field),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn ends_secret(field: &str) -> bool {
    let field = field.to_ascii_lowercase().replace('-', "_");
    let before = |ending| field.strip_suffix(ending);
    SECRET_ENDINGS.into_iter().filter_map(before).any(|rest| rest.is_empty() || rest.ends_with('_'))
}

fn is_url_with_password(text: &str) -> bool {
    let authority = text.split_once("://").map(|(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    authority.is_some_and(|authority| authority.contains('@'))
}

/// A document for showing: every secret in it is `[redacted]`, however deep.
pub fn redact(document: &mut Value) {
    match document {
        Value::Object(fields) => {
            for (field, value) in fields.iter_mut() {
                if is_credential(field, value) {
                    *value = Value::String("[redacted]".to_string());
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
