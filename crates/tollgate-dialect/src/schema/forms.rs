//! The full walk: one set of rules for each form.

use serde_json::{Map, Value, json};

use super::{ANNOTATIONS, Place, place};
use crate::json::MAX_DEPTH;
use crate::quirks::SchemaForm;

/// A reference is followed this often inside itself; then it is cut to any object.
const MAX_INLINE: usize = 4;
/// Inlining may multiply a schema; beyond this many nodes references are cut.
const MAX_NODES: usize = 20_000;

pub fn clean(schema: Value, form: SchemaForm, drops: &[String]) -> Value {
    let root = object_root(schema);
    let mut walk = Walk { form, drops, definitions: definitions(&root), nodes: 0 };
    let mut root = walk.schema(root, &mut Vec::new(), 0);
    if let Value::Object(map) = &mut root {
        map.entry("type").or_insert_with(|| json!("object"));
        map.entry("properties").or_insert_with(|| json!({}));
    }
    root
}

/// Tools need an object at the root: a union there is merged into one object, anything else becomes any object.
fn object_root(schema: Value) -> Value {
    let Value::Object(mut map) = schema else { return json!({}) };
    for keyword in ["anyOf", "oneOf", "allOf"] {
        let Some(Value::Array(branches)) = map.remove(keyword) else { continue };
        let all = keyword == "allOf";
        for branch in branches {
            let Value::Object(branch) = branch else { continue };
            for (key, value) in branch {
                match (key.as_str(), value) {
                    ("properties", Value::Object(more)) => {
                        let own = map.entry("properties").or_insert_with(|| json!({}));
                        if let Value::Object(own) = own {
                            for (name, property) in more {
                                own.entry(name).or_insert(property);
                            }
                        }
                    }
                    // In a union no branch's property is required of all.
                    ("required", Value::Array(more)) if all => {
                        let own = map.entry("required").or_insert_with(|| json!([]));
                        if let Value::Array(own) = own {
                            own.extend(more);
                        }
                    }
                    ("required" | "additionalProperties" | "type", _) => {}
                    (key, value) => {
                        map.entry(key).or_insert(value);
                    }
                }
            }
        }
    }
    if let Some(Value::String(pointer)) = map.get("$ref").cloned()
        && let Some(Value::Object(target)) = definitions(&Value::Object(map.clone())).get(name_of(&pointer)).cloned()
    {
        map.remove("$ref");
        for (key, value) in target {
            map.entry(key).or_insert(value);
        }
    }
    if map.get("type").is_some_and(|t| t != "object") {
        map.insert("type".into(), json!("object"));
    }
    Value::Object(map)
}

fn definitions(root: &Value) -> Map<String, Value> {
    let mut all = Map::new();
    for keyword in ["$defs", "definitions"] {
        if let Some(Value::Object(map)) = root.get(keyword) {
            all.extend(map.clone());
        }
    }
    all
}

fn name_of(pointer: &str) -> &str {
    pointer.rsplit('/').next().unwrap_or("")
}

struct Walk<'d> {
    form: SchemaForm,
    drops: &'d [String],
    definitions: Map<String, Value>,
    nodes: usize,
}

impl Walk<'_> {
    fn schema(&mut self, schema: Value, inlining: &mut Vec<String>, depth: usize) -> Value {
        let Value::Object(mut map) = schema else { return schema };
        self.nodes += 1;
        if depth > MAX_DEPTH {
            return json!({"type": "object"});
        }
        for annotation in ANNOTATIONS {
            map.shift_remove(annotation);
        }
        for keyword in self.drops {
            map.shift_remove(keyword);
        }
        if self.form == SchemaForm::Gemini
            && let Some(Value::String(pointer)) = map.get("$ref")
        {
            return self.inline(name_of(pointer).to_string(), inlining, depth);
        }
        match self.form {
            SchemaForm::Plain => {}
            SchemaForm::Mistral => mistral(&mut map),
            SchemaForm::Moonshot => moonshot(&mut map),
            SchemaForm::Gemini => gemini(&mut map),
            SchemaForm::GeminiJson => gemini_json(&mut map),
            SchemaForm::LlamaCpp => llama(&mut map),
        }
        for (keyword, value) in &mut map {
            let taken = value.take();
            *value = match (place(keyword), taken) {
                (Place::Schema, Value::Array(list)) => {
                    list.into_iter().map(|item| self.schema(item, inlining, depth + 1)).collect()
                }
                (Place::Schema, one) => self.schema(one, inlining, depth + 1),
                (Place::Named, Value::Object(named)) => Value::Object(
                    named.into_iter().map(|(name, item)| (name, self.schema(item, inlining, depth + 1))).collect(),
                ),
                (_, data) => data,
            };
        }
        Value::Object(map)
    }

    fn inline(&mut self, name: String, inlining: &mut Vec<String>, depth: usize) -> Value {
        let repeated = inlining.iter().filter(|open| **open == name).count();
        let Some(target) = self.definitions.get(&name).cloned() else { return json!({"type": "object"}) };
        if repeated >= MAX_INLINE || self.nodes > MAX_NODES {
            return json!({"type": "object"});
        }
        inlining.push(name);
        let schema = self.schema(target, inlining, depth + 1);
        inlining.pop();
        schema
    }
}

fn mistral(map: &mut Map<String, Value>) {
    map.shift_remove("strict");
    if map.get("additionalProperties") == Some(&Value::Bool(false)) {
        map.shift_remove("additionalProperties");
    }
}

fn moonshot(map: &mut Map<String, Value>) {
    if map.get("items").is_some_and(Value::is_array)
        && let Some(tuple) = map.shift_remove("items")
    {
        map.insert("prefixItems".into(), tuple);
    }
    if map.get("anyOf").is_some_and(Value::is_array)
        && let Some(kind) = map.shift_remove("type")
        && let Some(Value::Array(branches)) = map.get_mut("anyOf")
    {
        for branch in branches.iter_mut().filter_map(Value::as_object_mut) {
            branch.entry("type").or_insert_with(|| kind.clone());
        }
    }
}

/// Keywords that Gemini's OpenAPI subset does not know.
const GEMINI_UNKNOWN: [&str; 22] = [
    "$defs",
    "definitions",
    "additionalProperties",
    "oneOf",
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "patternProperties",
    "propertyNames",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "uniqueItems",
    "examples",
    "strict",
    "default",
    "contains",
    "dependentSchemas",
    "$anchor",
    "prefixItems",
];

fn gemini(map: &mut Map<String, Value>) {
    if let Some(Value::Array(branches)) = map.get("oneOf").cloned() {
        map.entry("anyOf").or_insert(Value::Array(branches));
    }
    if let Some(Value::Array(branches)) = map.get("allOf").cloned() {
        for branch in branches.into_iter().filter_map(|b| if let Value::Object(b) = b { Some(b) } else { None }) {
            for (key, value) in branch {
                map.entry(key).or_insert(value);
            }
        }
    }
    if let Some(only) = map.shift_remove("const") {
        map.insert("enum".into(), Value::Array(vec![only]));
    }
    for keyword in GEMINI_UNKNOWN {
        map.shift_remove(keyword);
    }
    nullable_type(map);
    nullable_union(map);
    if let Some(Value::Array(values)) = map.get_mut("enum") {
        values.retain(|v| !v.is_null());
        for value in values.iter_mut().filter(|v| !v.is_string()) {
            *value = Value::String(value.to_string());
        }
        map.insert("type".into(), json!("string"));
    }
    if map.get("format").is_some_and(|f| f != "enum" && f != "date-time")
        && map.get("type").is_some_and(|t| t == "string")
    {
        map.shift_remove("format");
    }
    if let Some(Value::Array(required)) = map.get("required").cloned() {
        let properties = map.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        let known: Vec<Value> =
            required.into_iter().filter(|name| name.as_str().is_some_and(|n| properties.contains_key(n))).collect();
        if known.is_empty() {
            map.shift_remove("required");
        } else {
            map.insert("required".into(), Value::Array(known));
        }
    }
}

/// Gemini takes JSON Schema, too, but no `const`.
fn gemini_json(map: &mut Map<String, Value>) {
    if let Some(only) = map.shift_remove("const") {
        map.insert("enum".into(), Value::Array(vec![only]));
    }
}

/// `type: [x, "null"]` is `nullable`; more types are a union.
fn nullable_type(map: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = map.get("type").cloned() else { return };
    let kinds: Vec<Value> = types.iter().filter(|t| *t != "null").cloned().collect();
    if kinds.len() < types.len() {
        map.insert("nullable".into(), json!(true));
    }
    match kinds.as_slice() {
        [one] => {
            map.insert("type".into(), one.clone());
        }
        _ => {
            map.shift_remove("type");
            map.insert("anyOf".into(), kinds.into_iter().map(|kind| json!({"type": kind})).collect());
        }
    }
}

/// `anyOf` with a null branch is `nullable`; with one branch left that branch is the schema.
fn nullable_union(map: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = map.get("anyOf").cloned() else { return };
    let is_null = |branch: &Value| branch.get("type").is_some_and(|t| t == "null");
    let kept: Vec<Value> = branches.iter().filter(|b| !is_null(b)).cloned().collect();
    if kept.len() < branches.len() {
        map.insert("nullable".into(), json!(true));
    }
    if let [Value::Object(only)] = kept.as_slice() {
        map.shift_remove("anyOf");
        for (key, value) in only.clone() {
            map.entry(key).or_insert(value);
        }
        // What came up from the branch may itself need this form.
        gemini(map);
        return;
    }
    map.insert("anyOf".into(), Value::Array(kept));
}

/// Its grammar takes only whole-string patterns.
fn llama(map: &mut Map<String, Value>) {
    let Some(Value::String(pattern)) = map.get_mut("pattern") else { return };
    let (start, rest) = match pattern.strip_prefix('^') {
        Some(rest) => ("^", rest),
        None => ("^.*", pattern.as_str()),
    };
    let (body, end) = match rest.strip_suffix('$') {
        Some(body) => (body, "$"),
        None => (rest, ".*$"),
    };
    if (start, end) != ("^", "$") {
        *pattern = format!("{start}({body}){end}");
    }
}
