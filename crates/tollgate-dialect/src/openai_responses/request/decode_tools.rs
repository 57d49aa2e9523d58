//! The tools of a Responses client, and its choice among them.

use crate::error::Invalid;
use crate::names::qualified;
use crate::openai_responses::wire::word;
use crate::request::{Tool, ToolChoice, ToolKind};
use crate::scan::{Raw, items, object};

use super::decode::required;

object! {
    WireTool {
        kind = "type",
        name,
        description,
        parameters,
        strict,
        defer_loading,
        format,
        tools,
        server_label,
    }
}

pub fn tools(value: Raw<'_>) -> Result<Vec<Tool<'_>>, Invalid> {
    let list = items(value.get()).ok_or_else(|| Invalid::new("tools", "expected a list of tools"))?;
    let mut tools = Vec::with_capacity(list.len());
    for (i, raw) in list.into_iter().enumerate() {
        let at = format!("tools[{i}]");
        let wire = parse(raw, &at)?;
        if word(wire.kind) != "namespace" {
            tools.push(tool(&wire, raw, None, &at)?);
            continue;
        }
        let inner = wire.tools.and_then(|raw| items(raw.get()));
        let inner = inner.ok_or_else(|| Invalid::new(format!("{at}.tools"), "expected a list of tools"))?;
        for (j, raw) in inner.into_iter().enumerate() {
            let at = format!("{at}.tools[{j}]");
            tools.push(tool(&parse(raw, &at)?, raw, wire.name, &at)?);
        }
    }
    Ok(tools)
}

fn parse<'a>(raw: Raw<'a>, at: &str) -> Result<WireTool<'a>, Invalid> {
    WireTool::parse(raw.get()).map_err(|_| Invalid::new(at, "expected an object"))
}

fn tool<'a>(wire: &WireTool<'a>, whole: Raw<'a>, namespace: Option<Raw<'a>>, at: &str) -> Result<Tool<'a>, Invalid> {
    let namespace = namespace.and_then(Raw::text);
    let named = || required(at, "name", wire.name).map(|name| qualified(namespace.as_ref(), name));
    let (name, kind) = match word(wire.kind) {
        "function" => {
            if wire.parameters.is_some_and(|p| !p.is_object()) {
                return Err(Invalid::new(format!("{at}.parameters"), "expected an object"));
            }
            (named()?, ToolKind::Function { schema: wire.parameters.map(Raw::json) })
        }
        "custom" => (named()?, ToolKind::Custom { format: wire.format.map(Raw::json) }),
        "" => return Err(Invalid::new(format!("{at}.type"), "`type` is required")),
        _ => {
            let kind = required(at, "type", wire.kind)?;
            let name = wire.name.or(wire.server_label).and_then(Raw::text).unwrap_or_else(|| kind.clone());
            (name, ToolKind::Server { kind, fields: whole.json() })
        }
    };
    Ok(Tool {
        name,
        description: wire.description.and_then(Raw::text),
        kind,
        // Here a tool is strict unless it says otherwise, as far as its schema can be; elsewhere it is not.
        strict: wire.strict.and_then(|strict| strict.json().as_bool()),
        deferred: wire.defer_loading.is_some_and(|defer| defer.get() == "true"),
        namespace,
        cache: None,
    })
}

object! {
    WireChoice {
        kind = "type",
        name,
        namespace,
        mode,
    }
}

pub fn choice(value: Raw<'_>) -> Result<ToolChoice<'_>, Invalid> {
    let unknown = || Invalid::new("tool_choice", "expected none, auto, required or a tool");
    let of_word = |word: &str| match word {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Required),
        _ => None,
    };
    if value.text().is_some() {
        return of_word(value.word()).ok_or_else(unknown);
    }
    let choice = WireChoice::parse(value.get()).map_err(|_| unknown())?;
    match word(choice.kind) {
        "" => Err(unknown()),
        "allowed_tools" => of_word(word(choice.mode)).ok_or_else(unknown),
        "function" | "custom" => {
            let name = required("tool_choice", "name", choice.name)?;
            Ok(ToolChoice::Named(qualified(choice.namespace.and_then(Raw::text).as_ref(), name)))
        }
        // A hosted tool is known by its type.
        _ => Ok(ToolChoice::Named(required("tool_choice", "type", choice.kind)?)),
    }
}
