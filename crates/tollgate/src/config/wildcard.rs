//! Routes to whole providers: `model_name: "*"` with `model: "*"`, and a start without any file.

use std::path::PathBuf;
use std::sync::Arc;

use tollgate_policy::route::{CatchAll, RouteTable};

use crate::registry::{self, Provider};

use super::context::{Context, Env};
use super::deployment::{self, Defaults};
use super::load::{Outcome, name};
use super::model::{Config, Deployment, Settings};
use super::problem::{Pos, Problem, Severity};
use super::redis;
use super::routing::Routing;
use super::settings::{database_of_environment, master_key_of_environment, salt_key};
use super::yaml::{Entry, Map, Node, Value};

/// `*` to `*` says no provider: it means every provider whose key is set. `None` if the entry is not of that kind.
pub fn expand_everything(cx: &Context<'_>, node: &Node) -> Option<Vec<Deployment>> {
    let Value::Map(entry) = &node.value else { return None };
    let Some(Value::Map(params)) = entry.get("litellm_params").map(|n| &n.value) else { return None };
    let star = |node: Option<&Node>| node.is_some_and(|n| n.value == Value::Text("*".into()));
    if !star(entry.get("model_name")) || !star(params.get("model")) || params.get("api_base").is_some() {
        return None;
    }
    let found = everything(cx, node.at);
    if found.is_empty() {
        cx.error(
            node.at,
            "model_list",
            "`*` stands for every provider whose key is set, and none is",
            HOW_TO_BEGIN_WITH_A_KEY,
        );
    }
    Some(found)
}

const HOW_TO_BEGIN_WITH_A_KEY: &str =
    "set a key, such as OPENROUTER_API_KEY, ANTHROPIC_API_KEY, OPENAI_API_KEY or DEEPSEEK_API_KEY";

/// The configuration that the key variables alone give: `PROVIDER/*` for each provider whose key is set, its best-known models
/// and the names that can only mean its models.
pub fn from_environment(env: Env<'_>) -> Outcome {
    let cx = Context::new(env);
    cx.add_file(&PathBuf::from("environment"));
    let mut deployments = everything(&cx, Pos::default());
    if deployments.is_empty() {
        return Err(vec![Problem {
            severity: Severity::Error,
            file: "tollgate".into(),
            line: 0,
            column: 0,
            path: String::new(),
            message: "there is no configuration and no provider's key".into(),
            hint: Some(
                "`tollgate serve --config config.yaml` takes LiteLLM's file as it is, `OPENROUTER_API_KEY=… tollgate serve` or another \
                 provider's key needs none, and `tollgate demo` shows how it works without key or network"
                    .into(),
            ),
        }]);
    }
    name(&mut deployments);
    let routes = RouteTable::new(deployments.iter().map(|d| d.group.as_str()), Vec::new(), CatchAll::default());
    let master_key = master_key_of_environment(&cx);
    let redis = redis::of_environment(&cx, Pos::default());
    let (database, salt_key) = (database_of_environment(&cx, Pos::default()), salt_key(&cx));
    match cx.finish() {
        (problems, true) => Err(problems),
        (problems, false) => Ok((
            Config {
                database,
                salt_key,
                access_groups: Default::default(),
                own: deployments.len(),
                defaults: Arc::new(usual()),
                deployments,
                routes,
                master_key,
                settings: Settings::default(),
                routing: Routing::default(),
                redis,
                environment: Default::default(),
            },
            problems,
        )),
    }
}

fn everything(cx: &Context<'_>, at: Pos) -> Vec<Deployment> {
    let registry = registry::embedded();
    let mut deployments: Vec<Deployment> = Vec::new();
    for row in registry.providers().filter(|row| is_ready(cx, row)) {
        let names = registry.well_known(&row.name).iter().map(String::as_str);
        let routes: Vec<(String, &str)> = std::iter::once((format!("{}/*", row.name), "*"))
            .chain(names.map(|name| (name.to_string(), name)))
            .chain(registry.bare_patterns(&row.name).map(|pattern| (pattern.to_string(), pattern)))
            .collect();
        for (group, model) in routes {
            deployments.extend(deployment::read(cx, &entry(at, &group, &row.name, model), 0, &usual()));
        }
    }
    deployments
}

fn usual() -> Defaults {
    Defaults { num_retries: 2, ..Defaults::default() }
}

fn is_ready(cx: &Context<'_>, row: &Provider) -> bool {
    row.base_url.is_some() && row.key_variables(&row.name).iter().any(|name| cx.variable(name).is_some())
}

/// An entry of `model_list` as a user would write it.
fn entry(at: Pos, group: &str, provider: &str, model: &str) -> Node {
    let text = |text: String| Node { at, value: Value::Text(text) };
    let map = |entries: Vec<(&str, Node)>| {
        let entries = entries.into_iter().map(|(key, node)| Entry { key: key.into(), at, node }).collect();
        Node { at, value: Value::Map(Map { entries }) }
    };
    let params = map(vec![("model", text(format!("{provider}/{model}")))]);
    map(vec![("model_name", text(group.into())), ("litellm_params", params)])
}
