//! Tools of a client's request, and the choice among them.

use crate::error::Invalid;
use crate::gemini::wire::{
    FunctionCallingConfig, FunctionDeclaration, Raw, ToolConfig, camel, each, parse, some_text, text_of, word,
};
use crate::json::{Json, Text};
use crate::request::{Request, Tool, ToolChoice, ToolKind};
use crate::scan::{Cursor, items};
use crate::schema;

/// Google's search is said in the canonical form's words, which are Anthropic's, so that Claude can search as well.
pub const WEB_SEARCH: &str = "web_search_20250305";

/// One tool object holds any number of functions, or one of Google's own tools.
pub fn tool<'a>(cursor: &mut Cursor<'a>, tools: &mut Vec<Tool<'a>>) -> Result<(), Invalid> {
    let at = format!("tools[{}]", tools.len());
    cursor.members(|cursor, key| {
        if cursor.peek() == b'n' {
            cursor.value()?;
            return Ok(());
        }
        match &*camel(key.escaped()) {
            "functionDeclarations" => each(cursor, |cursor| {
                let declaration = FunctionDeclaration::read(cursor)
                    .map_err(|bad| Invalid::new(&*at, format!("not a function declaration: {bad}")))?;
                tools.push(function(declaration, &at)?);
                Ok(())
            }),
            "googleSearch" | "googleSearchRetrieval" => {
                cursor.value()?;
                let fields = Json::literal(r#"{"type":"web_search_20250305","name":"web_search"}"#);
                tools.push(server("web_search", WEB_SEARCH, fields));
                Ok(())
            }
            own => {
                let fields = cursor.value()?.json();
                tools.push(server("", own, fields));
                Ok(())
            }
        }
    })
}

fn server<'a>(name: &'static str, kind: &str, fields: Json<'a>) -> Tool<'a> {
    let kind = ToolKind::Server { kind: Text::plain(kind), fields };
    Tool {
        name: Text::literal(name),
        description: None,
        kind,
        strict: None,
        deferred: false,
        namespace: None,
        cache: None,
    }
}

fn function<'a>(declaration: FunctionDeclaration<'a>, at: &str) -> Result<Tool<'a>, Invalid> {
    let at = || format!("{at}.function_declarations");
    let name =
        some_text(declaration.name).ok_or_else(|| Invalid::new(format!("{}.name", at()), "a name is required"))?;
    let schema = declaration.parameters_json_schema.or(declaration.parameters);
    if schema.is_some_and(|schema| !schema.is_object()) {
        return Err(Invalid::new(format!("{}.parameters", at()), "expected an object"));
    }
    let schema = schema.map(|schema| schema::to_json_schema(schema.json()));
    Ok(Tool {
        name,
        description: text_of(declaration.description),
        kind: ToolKind::Function { schema },
        strict: None,
        deferred: false,
        namespace: None,
        cache: None,
    })
}

/// Sets the choice. Gives the only functions that may be called, where there are several.
pub fn tool_config<'a>(raw: Raw<'a>, request: &mut Request<'a>) -> Result<Vec<Text<'a>>, Invalid> {
    let wrong = |why: &str| Invalid::new("tool_config.function_calling_config", why);
    let config = parse(raw.get(), ToolConfig::read).map_err(|_| wrong("expected an object"))?;
    let Some(calling) = config.function_calling_config else { return Ok(Vec::new()) };
    let calling = parse(calling.get(), FunctionCallingConfig::read).map_err(|_| wrong("expected an object"))?;
    let allowed = calling.allowed_function_names.and_then(|names| items(names.get())).unwrap_or_default();
    let mut allowed: Vec<Text<'a>> = allowed.into_iter().filter_map(Raw::text).collect();
    let choice = match word(calling.mode) {
        "ANY" => match &allowed[..] {
            [_] => ToolChoice::Named(allowed.remove(0)),
            _ => ToolChoice::Required,
        },
        "NONE" => ToolChoice::None,
        "AUTO" | "VALIDATED" | "MODE_UNSPECIFIED" | "" => ToolChoice::Auto,
        _ => return Err(wrong("expected one of AUTO, ANY, NONE, VALIDATED as the mode")),
    };
    request.tool_choice = Some(choice);
    Ok(allowed)
}
