use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Extra, Stamps, entity};
use crate::vault::{Vault, VaultError, is_credential};

/// A deployment that was added while the gateway ran: an element of LiteLLM's `model_list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredModel {
    pub id: String,
    /// The route's name.
    pub model_name: String,
    pub litellm_params: Params,
    pub model_info: Extra,
    pub stamps: Stamps,
}

/// `litellm_params` in which every credential is sealed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Params(Extra);

impl Params {
    /// `model`: the id of the model they belong to; they cannot be opened for another one.
    ///
    /// # Errors
    /// The vault has no secret, and there is a credential.
    pub fn seal(vault: &Vault, model: &str, clear: Extra) -> Result<Params, VaultError> {
        let mut params = clear;
        for (field, value) in params.iter_mut().filter(|(field, value)| is_credential(field, value)) {
            let sealed = vault.seal(&place(model, field), value.to_string().as_bytes())?;
            *value = Value::String(sealed);
        }
        Ok(Params(params))
    }

    /// # Errors
    /// They were sealed with another secret, or for another model.
    pub fn open(&self, vault: &Vault, model: &str) -> Result<Extra, VaultError> {
        let mut params = self.0.clone();
        for (field, value) in &mut params {
            if let Some(sealed) = value.as_str().filter(|text| Vault::is_sealed(text)) {
                let clear = vault.open(&place(model, field), sealed)?;
                *value = serde_json::from_slice(&clear).map_err(|_| VaultError::WrongSecret)?;
            }
        }
        Ok(params)
    }

    /// Without credentials: for showing.
    pub fn without_credentials(&self) -> Extra {
        let clear = |value: &Value| value.as_str().is_none_or(|text| !Vault::is_sealed(text));
        self.0.iter().filter(|(_, value)| clear(value)).map(|(field, value)| (field.clone(), value.clone())).collect()
    }
}

/// What a sealed text is bound to.
fn place(model: &str, field: &str) -> String {
    format!("model/{model}/{field}")
}

impl StoredModel {
    fn id(&self) -> &str {
        &self.id
    }
}

entity!(StoredModel, Model, columns(model): {
    Name: Some(Cow::Borrowed(model.model_name.as_str())),
});
