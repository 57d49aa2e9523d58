//! Models that were added while the gateway ran, as the database has them.

use serde_json::{Value, json};
use tollgate_store::database::{Database, StoreError};
use tollgate_store::entity::{Extra, StoredModel};
use tollgate_store::vault::Vault;

use crate::config::added::Added;
use crate::config::secret::Secret;

/// Those whose credentials can be opened; of others the log tells.
pub async fn stored(database: &Database, vault: Option<&Vault>) -> Result<Vec<Added>, StoreError> {
    let vault = vault.cloned().unwrap_or_default();
    let mut models = Vec::new();
    for model in database.all::<StoredModel>().await? {
        match model.litellm_params.open(&vault, &model.id) {
            Ok(params) => models.push(entry(&model, params)),
            Err(error) => {
                tracing::error!(model = %model.id, route = %model.model_name, %error, "a stored model is left out")
            }
        }
    }
    Ok(models)
}

/// The entry of `model_list` that a model stands for.
pub fn entry(model: &StoredModel, params: Extra) -> Added {
    let mut info = model.model_info.clone();
    info.insert("id".to_string(), Value::String(model.id.clone()));
    let entry = json!({"model_name": model.model_name, "litellm_params": params, "model_info": info});
    Added { id: model.id.clone(), entry: Secret::new(entry.to_string()) }
}
