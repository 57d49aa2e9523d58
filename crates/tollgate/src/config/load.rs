//! A file, and the files it includes, to a [`Config`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tollgate_policy::authorise::AccessGroups;
use tollgate_policy::route::RouteTable;

use super::context::{Context, Env};
use super::deployment;
use super::model::{Config, Deployment};
use super::problem::{Pos, Problem, Severity};
use super::section::Section;
use super::settings::{self, Mention};
use super::wildcard::expand_everything;
use super::yaml::{self, Entry, Map, Node, Value};

/// An include that includes itself ends here.
const MAX_INCLUDES: usize = 100;

pub type Outcome = Result<(Config, Vec<Problem>), Vec<Problem>>;

/// Reads a configuration. The problems beside a [`Config`] are warnings and notes.
pub fn load(path: &Path, env: Env<'_>) -> Outcome {
    load_noting_files(path, env, &mut Vec::new())
}

/// The same from a text instead of a file; `name` is for messages.
pub fn from_text(name: &str, text: &str, env: Env<'_>) -> Outcome {
    let cx = Context::new(env);
    let file = cx.add_file(Path::new(name));
    let config = parse(&cx, text, file).map(|root| config(&cx, root));
    match (config, cx.finish()) {
        (Some(config), (problems, false)) => Ok((config, problems)),
        (_, (problems, _)) => Err(problems),
    }
}

/// `files` gets every file that was read or should have been: those to watch.
pub fn load_noting_files(path: &Path, env: Env<'_>, files: &mut Vec<PathBuf>) -> Outcome {
    let cx = Context::new(env);
    let root = read_file(&cx, path, None, files).map(|map| include_all(&cx, map, path, files));
    let config = root.map(|root| config(&cx, root));
    match (config, cx.finish()) {
        (Some(config), (problems, false)) => Ok((config, problems)),
        (_, (problems, _)) => Err(problems),
    }
}

fn read_file(cx: &Context<'_>, path: &Path, mentioned: Option<Pos>, files: &mut Vec<PathBuf>) -> Option<Map> {
    files.push(path.to_path_buf());
    let file = cx.add_file(path);
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8(bytes).ok(),
        Err(error) => {
            let at = mentioned.unwrap_or(Pos { file, line: 0, column: 0 });
            cx.error(
                at,
                "",
                format!("{} cannot be read: {error}", path.display()),
                "check the path and its permissions",
            );
            return None;
        }
    };
    let start = Pos { file, line: 1, column: 1 };
    let Some(text) = text else {
        cx.error(start, "", "this is not UTF-8 text", "save the file as UTF-8");
        return None;
    };
    parse(cx, &text, file)
}

fn parse(cx: &Context<'_>, text: &str, file: usize) -> Option<Map> {
    let start = Pos { file, line: 1, column: 1 };
    match yaml::parse(text, file) {
        Ok(Node { value: Value::Map(map), .. }) => Some(map),
        Ok(Node { value: Value::Null, .. }) => {
            cx.error(
                start,
                "",
                "the file is empty",
                "begin with `model_list:`; docs/config.md has an example of ten lines",
            );
            None
        }
        Ok(node) => {
            cx.error(node.at, "", "a configuration is a map of blocks", "begin with `model_list:`");
            None
        }
        Err(error) => {
            cx.report(Severity::Error, error.at, "", error.message, error.hint);
            None
        }
    }
}

/// Lists of included files are appended, maps are merged (what is included wins), as LiteLLM does.
fn include_all(cx: &Context<'_>, mut root: Map, path: &Path, files: &mut Vec<PathBuf>) -> Map {
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let mut open = includes(cx, &root, &folder);
    while let Some((file, at)) = open.pop() {
        if files.contains(&file) || files.len() > MAX_INCLUDES {
            cx.warning(at, "include", "this file is included twice", "each file is read once");
            continue;
        }
        let Some(map) = read_file(cx, &file, Some(at), files) else { continue };
        let folder = file.parent().unwrap_or(Path::new("")).to_path_buf();
        open.extend(includes(cx, &map, &folder));
        for entry in map.entries.into_iter().filter(|entry| entry.key != "include") {
            add(&mut root, entry);
        }
    }
    root
}

fn includes(cx: &Context<'_>, map: &Map, folder: &Path) -> Vec<(PathBuf, Pos)> {
    let at = Pos::default();
    let Some(section) = Section::of(cx, &Node { at, value: Value::Map(map.clone()) }, "") else { return Vec::new() };
    let mut found: Vec<_> = section
        .list("include")
        .iter()
        .filter_map(|node| match &node.value {
            Value::Text(name) => Some((folder.join(name), node.at)),
            _ => {
                section.wrong(node, "include", "a list of file names");
                None
            }
        })
        .collect();
    // Taken from the end.
    found.reverse();
    found
}

fn add(root: &mut Map, entry: Entry) {
    let Some(known) = root.entries.iter_mut().find(|e| e.key == entry.key) else {
        root.entries.push(entry);
        return;
    };
    match (&mut known.node.value, entry.node.value) {
        (Value::List(items), Value::List(more)) => items.extend(more),
        (Value::Map(map), Value::Map(mut over)) => {
            over.fill_from(map);
            *map = over;
        }
        (known, value) => *known = value,
    }
}

fn config(cx: &Context<'_>, root: Map) -> Config {
    let at = Pos { file: 0, line: 1, column: 1 };
    let root = Section::of(cx, &Node { at, value: Value::Map(root) }, "").expect("a map was given");
    settings::environment(cx, &root);
    let read = settings::read(cx, &root);
    let models = root.list("model_list");
    if models.is_empty()
        && !matches!(root.map.get("model_list"), Some(node) if !matches!(node.value, Value::List(_) | Value::Null))
    {
        let at = root.entry("model_list").map_or(at, |entry| entry.at);
        cx.error(at, "model_list", "there is no model in it", "add one: docs/config.md has an example of ten lines");
    }
    let mut deployments: Vec<Deployment> = Vec::new();
    for (index, node) in models.iter().enumerate() {
        match expand_everything(cx, node) {
            Some(many) => deployments.extend(many),
            None => deployments.extend(deployment::read(cx, node, index, &read.defaults)),
        }
    }
    settings::finish(&root);
    name(&mut deployments);
    share(&mut deployments);
    let groups = deployments.iter().map(|d| d.group.as_str());
    let routes = RouteTable::new(groups, read.aliases, read.settings.catch_all.clone());
    let access_groups = access_groups(&deployments);
    check_mentions(cx, &routes, &read.mentions, models.len(), deployments.len());
    Config {
        own: deployments.len(),
        defaults: Arc::new(read.defaults),
        deployments,
        routes,
        master_key: read.master_key,
        database: read.database,
        salt_key: settings::salt_key(cx),
        access_groups,
        settings: read.settings,
        routing: read.routing,
        redis: read.redis,
        environment: cx.own_environment(),
    }
}

fn check_mentions(cx: &Context<'_>, routes: &RouteTable, mentions: &[Mention], models: usize, read: usize) {
    // A deployment that could not be read is reported; that its route is missing then is no second fault.
    if read < models {
        return;
    }
    for mention in mentions {
        if let Err(unknown) = routes.resolve(&mention.name) {
            let hint = match unknown.nearest.as_slice() {
                [] => "write the `model_name` of an entry of `model_list`".to_string(),
                near => format!("did you mean {}?", near.join(" or ")),
            };
            if mention.binding {
                cx.error(mention.at, &mention.path, "leads to no route", hint);
            } else {
                cx.warning(mention.at, &mention.path, "is the name of no route, so nothing comes of it", hint);
            }
        }
    }
}

pub fn access_groups(deployments: &[Deployment]) -> AccessGroups {
    let mut groups = AccessGroups::new();
    for deployment in deployments {
        for group in &deployment.access_groups {
            let routes = groups.entry(group.clone()).or_default();
            if !routes.contains(&deployment.group) {
                routes.push(deployment.group.clone());
            }
        }
    }
    groups
}

/// Within a route the first of these that any deployment has decides the shares of all: `weight`, `rpm`, `tpm`.
pub fn share(deployments: &mut [Deployment]) {
    let mut by_group: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, deployment) in deployments.iter().enumerate() {
        by_group.entry(deployment.group.clone()).or_default().push(index);
    }
    for members in by_group.values() {
        let of = |part: fn(&Deployment) -> Option<u64>| {
            let parts: Vec<Option<u64>> = members.iter().map(|&index| part(&deployments[index])).collect();
            parts.iter().any(Option::is_some).then_some(parts)
        };
        let parts =
            of(|d| d.weight.map(u64::from)).or_else(|| of(|d| d.limits.requests)).or_else(|| of(|d| d.limits.tokens));
        let Some(parts) = parts else { continue };
        for (&index, part) in members.iter().zip(parts) {
            deployments[index].share = u32::try_from(part.unwrap_or(1)).unwrap_or(u32::MAX);
        }
    }
}

/// Ids that stay the same as long as the deployments do: the hash of what tells them apart, without the key, and a number
/// where that is not enough.
pub fn name(deployments: &mut [Deployment]) {
    let mut taken: BTreeSet<String> = deployments.iter().map(|d| d.id.clone()).filter(|id| !id.is_empty()).collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for deployment in deployments.iter_mut().filter(|d| d.id.is_empty()) {
        let identity =
            format!("{}\n{}\n{}\n{}", deployment.group, deployment.provider, deployment.model, deployment.base_url);
        let hash: String =
            Sha256::digest(identity.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let number = seen.entry(hash.clone()).or_default();
        *number += 1;
        deployment.id = if *number == 1 { hash } else { format!("{hash}-{number}") };
        while !taken.insert(deployment.id.clone()) {
            deployment.id.push('x');
        }
    }
}
