//! What a command says of a key, a team, a user or a budget.

use clap::Args;
use serde_json::{Map, Value};

use super::Resource;
use crate::cli::CliError;

#[derive(Debug, Default, Args)]
pub struct Fields {
    /// A name for people
    #[arg(long)]
    alias: Option<String>,
    /// The id of a new team, user or budget [default: made up]
    #[arg(long = "id", value_name = "ID")]
    new_id: Option<String>,
    /// Models that may be called, with commas; `none` opens all
    #[arg(long, value_name = "MODELS")]
    models: Option<String>,
    /// Dollars, or `none`
    #[arg(long, value_name = "DOLLARS")]
    max_budget: Option<String>,
    /// After how long the budget begins anew: 1d, 7d, 30d, 1mo …, or `none`
    #[arg(long, value_name = "DURATION")]
    budget_duration: Option<String>,
    /// Requests per minute, or `none`
    #[arg(long, value_name = "N")]
    rpm: Option<String>,
    /// Tokens per minute, or `none`
    #[arg(long, value_name = "N")]
    tpm: Option<String>,
    /// Requests at once, or `none`
    #[arg(long, value_name = "N")]
    parallel: Option<String>,
    /// How long a key is valid: 30m, 24h, 30d …, or `none`
    #[arg(long)]
    duration: Option<String>,
    /// The user whose key it is
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// The team that it is of
    #[arg(long, value_name = "ID")]
    team: Option<String>,
    /// The organisation that it is of
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
    /// A named budget, or `none`
    #[arg(long, value_name = "ID")]
    budget: Option<String>,
    /// A user's address
    #[arg(long)]
    email: Option<String>,
    /// A user's role: proxy_admin, proxy_admin_viewer, org_admin, internal_user, internal_user_viewer
    #[arg(long)]
    role: Option<String>,
    /// Any other field of the API, as JSON or text: `--set tags='["a"]'`
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl Fields {
    /// The body of a request; `id`: of what is changed.
    pub fn body(&self, resource: &Resource, id: Option<&str>) -> Result<Value, CliError> {
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| {
            body.insert(name.to_string(), value);
        };
        let texts = [
            (resource.alias, &self.alias),
            (Some("duration"), &self.duration),
            (Some("budget_duration"), &self.budget_duration),
            (Some("user_id"), &self.user),
            (Some("team_id"), &self.team),
            (Some("organization_id"), &self.organization),
            (Some("budget_id"), &self.budget),
            (Some("user_email"), &self.email),
            (Some("user_role"), &self.role),
        ];
        for (name, text) in texts {
            let Some(text) = text else { continue };
            let name = name.ok_or_else(|| CliError::usage(format!("a {} has no alias; use --id", resource.word)))?;
            put(name, none_or(text, || Value::String(text.clone())));
        }
        let numbers = [
            ("max_budget", &self.max_budget),
            ("rpm_limit", &self.rpm),
            ("tpm_limit", &self.tpm),
            ("max_parallel_requests", &self.parallel),
        ];
        for (name, text) in numbers {
            let Some(text) = text else { continue };
            put(name, none_or(text, || json_or_text(text)));
        }
        if let Some(models) = &self.models {
            let list = || models.split(',').map(|model| Value::String(model.trim().to_string())).collect();
            put("models", none_or(models, list));
        }
        for pair in &self.set {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                CliError::usage(format!("--set {pair}: write NAME=VALUE, such as --set blocked=true"))
            })?;
            put(name, none_or(value, || json_or_text(value)));
        }
        match (id, &self.new_id) {
            (Some(id), _) => put(resource.id, Value::String(id.to_string())),
            (None, Some(_)) if resource.word == "key" => {
                return Err(CliError::usage("a key is made up; for one of your own choice use --set key=sk-…"));
            }
            (None, Some(id)) => put(resource.id, Value::String(id.clone())),
            (None, None) => {}
        }
        Ok(Value::Object(body))
    }
}

fn none_or(text: &str, value: impl FnOnce() -> Value) -> Value {
    if text == "none" { Value::Null } else { value() }
}

fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_string()))
}
