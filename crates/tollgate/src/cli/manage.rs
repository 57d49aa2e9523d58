//! `tollgate key|team|user|budget`: the management API of a running gateway.

mod fields;
mod table;

use std::process::ExitCode;

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::gateway::{self, Gateway, Unanswered};
use super::{CliError, environment};
use fields::Fields;

#[derive(Debug, Args)]
pub struct Manage {
    #[command(subcommand)]
    deed: Deed,
    /// The gateway's address [default: TOLLGATE_BASE_URL, else http://127.0.0.1:4000]
    #[arg(long, global = true, value_name = "URL", env = "TOLLGATE_URL")]
    url: Option<String>,
    /// The master key, or an administrator's [default: TOLLGATE_MASTER_KEY, TOLLGATE_API_KEY or LITELLM_MASTER_KEY]
    #[arg(long, global = true, value_name = "KEY", hide_env_values = true)]
    key: Option<String>,
    /// Print the gateway's answer as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Deed {
    /// Make one
    Create(Fields),
    /// Show all, a page at a time
    List {
        #[arg(long, default_value_t = 1)]
        page: u32,
        /// Rows on a page
        #[arg(long, default_value_t = 50)]
        size: u32,
    },
    /// Show one
    Show {
        id: String,
    },
    /// Change what is named and keep the rest; `none` takes a limit away
    Update {
        id: String,
        #[command(flatten)]
        fields: Fields,
    },
    /// Delete for good
    #[command(visible_alias = "delete")]
    Revoke {
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Refuse its calls until it is unblocked
    Block {
        id: String,
    },
    Unblock {
        id: String,
    },
}

/// Where a kind of thing is in the API.
pub struct Resource {
    word: &'static str,
    /// The fields for its id, and for its name.
    id: &'static str,
    alias: Option<&'static str>,
    create: &'static str,
    list: List,
    show: Show,
    update: &'static str,
    /// With the field for the ids; budgets are deleted one by one.
    delete: (&'static str, &'static str),
    /// What blocks it, and what unblocks it.
    block: Option<(&'static str, &'static str)>,
    /// Heading, and field.
    columns: &'static [(&'static str, &'static str)],
}

/// The path with what it has before page and size, and where the rows are in its answer.
struct List {
    path: &'static str,
    size: Option<&'static str>,
    rows: &'static str,
}

enum Show {
    /// A path that the id is added to, and where the row is in its answer.
    Get(&'static str, &'static str),
    /// A path, and the field for a list of ids; the row is the first.
    Post(&'static str, &'static str),
}

pub static KEY: Resource = Resource {
    word: "key",
    id: "key",
    alias: Some("key_alias"),
    create: "/key/generate",
    list: List { path: "/key/list?return_full_object=true&", size: Some("size"), rows: "/keys" },
    show: Show::Get("/key/info?key=", "/info"),
    update: "/key/update",
    delete: ("/key/delete", "keys"),
    block: Some(("/key/block", "/key/unblock")),
    columns: &[
        ("NAME", "key_name"),
        ("ALIAS", "key_alias"),
        ("USER", "user_id"),
        ("TEAM", "team_id"),
        ("SPENT", "spend"),
        ("BUDGET", "max_budget"),
        ("EXPIRES", "expires"),
        ("BLOCKED", "blocked"),
        ("HASH", "token"),
    ],
};

pub static TEAM: Resource = Resource {
    word: "team",
    id: "team_id",
    alias: Some("team_alias"),
    create: "/team/new",
    list: List { path: "/v2/team/list?", size: Some("page_size"), rows: "/teams" },
    show: Show::Get("/team/info?team_id=", "/team_info"),
    update: "/team/update",
    delete: ("/team/delete", "team_ids"),
    block: Some(("/team/block", "/team/unblock")),
    columns: &[
        ("ID", "team_id"),
        ("ALIAS", "team_alias"),
        ("SPENT", "spend"),
        ("BUDGET", "max_budget"),
        ("EVERY", "budget_duration"),
        ("BLOCKED", "blocked"),
    ],
};

pub static USER: Resource = Resource {
    word: "user",
    id: "user_id",
    alias: Some("user_alias"),
    create: "/user/new",
    list: List { path: "/user/list?", size: Some("page_size"), rows: "/users" },
    show: Show::Get("/user/info?user_id=", "/user_info"),
    update: "/user/update",
    delete: ("/user/delete", "user_ids"),
    block: None,
    columns: &[
        ("ID", "user_id"),
        ("EMAIL", "user_email"),
        ("ROLE", "user_role"),
        ("SPENT", "spend"),
        ("BUDGET", "max_budget"),
        ("KEYS", "key_count"),
    ],
};

pub static BUDGET: Resource = Resource {
    word: "budget",
    id: "budget_id",
    alias: None,
    create: "/budget/new",
    list: List { path: "/budget/list", size: None, rows: "" },
    show: Show::Post("/budget/info", "budgets"),
    update: "/budget/update",
    delete: ("/budget/delete", "id"),
    block: None,
    columns: &[
        ("ID", "budget_id"),
        ("BUDGET", "max_budget"),
        ("EVERY", "budget_duration"),
        ("RPM", "rpm_limit"),
        ("TPM", "tpm_limit"),
    ],
};

impl Manage {
    pub fn run(&self, resource: &Resource) -> Result<ExitCode, CliError> {
        match &self.deed {
            Deed::Create(fields) => {
                let made = self.post(resource.create, fields.body(resource, None)?)?;
                self.print(&made, || table::made(resource, &made));
            }
            Deed::List { page, size } => {
                let path = match resource.list.size {
                    Some(name) => format!("{}page={page}&{name}={size}", resource.list.path),
                    None => resource.list.path.to_string(),
                };
                let answer = self.ask(Method::GET, &path, None)?;
                let rows = answer.pointer(resource.list.rows).and_then(Value::as_array).cloned().unwrap_or_default();
                self.print(&answer, || table::rows(resource, &rows));
            }
            Deed::Show { id } => {
                let row = self.row(resource, id)?;
                self.print(&row, || table::one(&row));
            }
            Deed::Update { id, fields } => {
                self.post(resource.update, fields.body(resource, Some(id))?)?;
                let row = self.row(resource, id)?;
                self.print(&row, || table::one(&row));
            }
            Deed::Revoke { ids } => self.revoke(resource, ids)?,
            Deed::Block { id } => self.block(resource, id, true)?,
            Deed::Unblock { id } => self.block(resource, id, false)?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn row(&self, resource: &Resource, id: &str) -> Result<Value, CliError> {
        let (answer, place) = match resource.show {
            Show::Get(path, place) => (self.ask(Method::GET, &format!("{path}{}", escaped(id)), None)?, place),
            Show::Post(path, field) => (self.post(path, json!({field: [id]}))?, "/0"),
        };
        Ok(answer.pointer(place).cloned().unwrap_or(answer))
    }

    fn revoke(&self, resource: &Resource, ids: &[String]) -> Result<(), CliError> {
        let (path, field) = resource.delete;
        if field == "id" {
            for id in ids {
                self.post(path, json!({field: id}))?;
            }
        } else {
            self.post(path, json!({field: ids}))?;
        }
        let (word, number) = (resource.word, ids.len());
        self.print(&json!({"deleted": number}), || {
            format!("{number} {word}{} deleted\n", if number == 1 { "" } else { "s" })
        });
        Ok(())
    }

    fn block(&self, resource: &Resource, id: &str, blocked: bool) -> Result<(), CliError> {
        let answer = match resource.block {
            Some((block, unblock)) => self.post(if blocked { block } else { unblock }, json!({resource.id: id}))?,
            None if resource.word == "user" => {
                self.post(resource.update, json!({resource.id: id, "blocked": blocked}))?
            }
            None => return Err(CliError::usage("a budget cannot be blocked; set `--max-budget 0`")),
        };
        let (word, deed) = (resource.word, if blocked { "blocked" } else { "unblocked" });
        self.print(&answer, || format!("the {word} is {deed}\n"));
        Ok(())
    }

    fn print(&self, answer: &Value, text: impl FnOnce() -> String) {
        print!("{}", if self.json { format!("{answer:#}\n") } else { text() });
    }

    fn post(&self, path: &str, body: Value) -> Result<Value, CliError> {
        self.ask(Method::POST, path, Some(body))
    }

    fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, CliError> {
        let url = self.url.clone().unwrap_or_else(gateway::base_url).trim_end_matches('/').to_string();
        let key = self.key.clone().or_else(|| environment("TOLLGATE_MASTER_KEY")).or_else(gateway::key);
        let had_key = key.is_some();
        let gateway = Gateway { url, key };
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let (status, body) = gateway.ask(method, path, body).map_err(|unanswered| match unanswered {
            Unanswered::Away(_) | Unanswered::NotFound => CliError::failure(format!(
                "no gateway answers at {}; start one with `tollgate serve`, or name it with --url",
                gateway.url
            )),
            Unanswered::Other(error) => error,
        })?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(answer);
        }
        let words = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("it gave no reason");
        let hint = match status.as_u16() {
            401 if had_key => "; give the gateway's master key with --key or TOLLGATE_MASTER_KEY",
            401 => "; give its master key with --key or TOLLGATE_MASTER_KEY",
            _ => "",
        };
        Err(CliError::failure(format!("{words}{hint}")))
    }
}

/// For a query.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") }).collect()
}
