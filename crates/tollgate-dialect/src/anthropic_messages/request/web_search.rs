//! Chat's wish for a web search as the tool that Anthropic has for it.

use crate::anthropic_messages::wire::Members;
use crate::json::Writer;
use crate::request::Request;

/// Chat's field.
pub const OPTIONS: &str = "web_search_options";

/// The oldest version of the tool, which every model takes (platform.claude.com, web search tool, 2026-11). Where the user is
/// goes along; how much context a search shall give has no counterpart.
pub fn tool(request: &Request<'_>) -> Option<String> {
    let (_, options) = request.extra.iter().find(|(key, value)| key.escaped() == OPTIONS && !value.is_null())?;
    let mut w = Writer::default();
    w.open_object().key("type").raw(r#""web_search_20250305""#).key("name").raw(r#""web_search""#);
    let options = Members::parse(options.get());
    let place = options.as_ref().and_then(|options| Members::parse(options.get("user_location")?.get()));
    let place = place.as_ref().and_then(|place| Members::parse(place.get("approximate")?.get()));
    if let Some(place) = place {
        w.key("user_location").open_object().key("type").raw(r#""approximate""#);
        for (key, value) in &place.0 {
            w.key(key.escaped()).raw(value.get());
        }
        w.close_object();
    }
    w.close_object();
    Some(String::from_utf8(w.out).expect("only whole strings were written"))
}
