//! `tollgate key|team|user|budget`: the management API of a running gateway.

mod fields;
mod table;

use std::process::ExitCode;

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::CliError;
use super::gateway::{Unanswered, Which, escaped};
use fields::Fields;

#[derive(Debug, Args)]
pub struct Manage {
    #[command(subcommand)]
    deed: Deed,
    #[command(flatten)]
    which: Which,
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
    Show { id: String },
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
    Block { id: String },
    /// Take its calls again
    Unblock { id: String },
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
        let gateway = self.which.gateway();
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let (status, body) = gateway.ask(method, path, body).map_err(|unanswered| match unanswered {
            Unanswered::Away(_) | Unanswered::NotFound => gateway.missing(),
            Unanswered::Other(error) => error,
        })?;
        if status.is_success() {
            Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
        } else {
            Err(gateway.refusal(status, &body))
        }
    }
}
