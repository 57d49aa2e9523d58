//! OpenAI's wishes for a web search as the tool that Anthropic has for it.

use crate::anthropic_messages::wire::{Members, Raw};
use crate::json::Writer;
use crate::openai_responses::wire::is_hosted_tool;
use crate::request::{Request, Tool, ToolKind};

/// Chat's field.
pub const OPTIONS: &str = "web_search_options";

/// A Responses client's own web search, unless it is to look at what was kept of pages only.
pub fn is_wish(tool: &Tool<'_>) -> bool {
    let ToolKind::Server { kind, fields } = &tool.kind else { return false };
    let closed = || Members::parse(fields.get())?.get("external_web_access");
    kind.escaped().starts_with("web_search")
        && is_hosted_tool(kind.escaped())
        && closed().is_none_or(|c| c.get() != "false")
}

/// The oldest version of the tool, which every model takes (platform.claude.com, web search tool, 2026-11). Where the user is
/// goes along; how much context a search shall give has no counterpart.
pub fn tool(request: &Request<'_>) -> Option<String> {
    let of_chat = request.extra.iter().find(|(key, value)| key.escaped() == OPTIONS && !value.is_null());
    let of_responses = request.tools.iter().find(|tool| is_wish(tool)).map(|tool| &tool.kind);
    let wish = match (of_chat, of_responses) {
        (Some((_, options)), _) => options,
        (None, Some(ToolKind::Server { fields, .. })) => fields,
        _ => return None,
    };
    let mut w = Writer::default();
    w.open_object().key("type").raw(r#""web_search_20250305""#).key("name").raw(r#""web_search""#);
    let place = Members::parse(wish.get());
    let place =
        place.as_ref().and_then(|wish| Members::parse(wish.get("user_location").filter(|p| !p.is_null())?.get()));
    // Chat has it one level deeper.
    let inner = place.as_ref().and_then(|place| Members::parse(place.get("approximate")?.get()));
    if let Some(place) = inner.or(place) {
        w.key("user_location").open_object().key("type").raw(r#""approximate""#);
        for (key, value) in known(&place) {
            w.key(key).raw(value.get());
        }
        w.close_object();
    }
    w.close_object();
    Some(String::from_utf8(w.out).expect("only whole strings were written"))
}

fn known<'p>(place: &'p Members<'_>) -> impl Iterator<Item = (&'p str, Raw<'p>)> {
    let fields = place.0.iter().map(|(key, value)| (key.escaped(), *value));
    fields.filter(|(key, value)| *key != "type" && !value.is_null())
}
