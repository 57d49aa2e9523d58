//! A search of the web that the provider runs itself, in each maker's words.

use crate::anthropic_messages::wire::Members;
use crate::json::Writer;
use crate::openai_responses::wire::is_hosted_tool;
use crate::request::{Request, Tool, ToolKind};
use crate::scan::{Raw, items};

/// Chat's field.
pub const OPTIONS: &str = "web_search_options";

/// What clients may ask of a search beside that there is one.
const LIMITS: [&str; 3] = ["allowed_domains", "blocked_domains", "user_location"];

/// OpenAI's own tool, unless it is to look at what was kept of pages only.
pub fn is_openais(tool: &Tool<'_>) -> bool {
    let ToolKind::Server { kind, fields } = &tool.kind else { return false };
    let closed = || Members::parse(fields.get())?.get("external_web_access");
    kind.escaped().starts_with("web_search")
        && is_hosted_tool(kind.escaped())
        && closed().is_none_or(|c| c.get() != "false")
}

/// Anthropic's, by its type; Google's is said in the same words.
pub fn is_anthropics(kind: &str) -> bool {
    kind.starts_with("web_search") && !is_hosted_tool(kind)
}

/// Any maker's.
pub fn is_search(tool: &Tool<'_>) -> bool {
    is_openais(tool) || matches!(&tool.kind, ToolKind::Server { kind, .. } if is_anthropics(kind.escaped()))
}

/// What a client of another dialect asks of a search.
pub struct Wish<'r>(Members<'r>);

impl<'r> Wish<'r> {
    /// Chat's options, or the tool of either maker that `is_wanted`.
    pub fn of(request: &'r Request<'_>, is_wanted: fn(&Tool<'_>) -> bool) -> Option<Wish<'r>> {
        let options = request.extra.iter().find(|(key, value)| key.escaped() == OPTIONS && !value.is_null());
        let fields = options.map(|(_, value)| value).or_else(|| {
            request.tools.iter().filter(|tool| is_wanted(tool)).find_map(|tool| match &tool.kind {
                ToolKind::Server { fields, .. } => Some(fields),
                _ => None,
            })
        })?;
        Some(Wish(Members::parse(fields.get()).unwrap_or_default()))
    }

    /// Anthropic's and OpenAI's names for what the search is limited to.
    pub fn limits(&self) -> impl Iterator<Item = &'static str> + '_ {
        LIMITS.into_iter().filter(|name| self.limit(name).is_some())
    }

    /// How often it may search.
    pub fn most(&self) -> Option<u64> {
        self.0.get("max_uses")?.json().as_count()
    }

    /// The oldest version of Anthropic's tool, which every model takes (platform.claude.com, web search tool, 2026-11). How much context
    /// a search shall give has no counterpart.
    pub fn for_anthropic(&self) -> String {
        let mut w = Writer::default();
        w.open_object().key("type").raw(r#""web_search_20250305""#).key("name").raw(r#""web_search""#);
        if let Some(domains) = self.limit("allowed_domains") {
            w.key("allowed_domains").raw(domains.get());
        }
        self.place(&mut w);
        w.close_object();
        finished(w)
    }

    /// OpenAI's tool (platform.openai.com, web search, 2026-11), which knows no domains to stay away from.
    pub fn for_openai(&self) -> String {
        let mut w = Writer::default();
        w.open_object().key("type").raw(r#""web_search""#);
        if let Some(domains) = self.limit("allowed_domains") {
            w.key("filters").open_object().key("allowed_domains").raw(domains.get()).close_object();
        }
        self.place(&mut w);
        w.close_object();
        finished(w)
    }

    fn limit(&self, name: &str) -> Option<Raw<'r>> {
        let inner = || Members::parse(self.0.get("filters")?.get())?.get(name);
        let some = |value: &Raw<'r>| value.is_object() || items(value.get()).is_some_and(|list| !list.is_empty());
        self.0.get(name).or_else(inner).filter(some)
    }

    /// Where the user is.
    fn place(&self, w: &mut Writer) {
        let Some(place) = self.limit("user_location").and_then(|place| Members::parse(place.get())) else { return };
        // Chat has it one level deeper.
        let inner = place.get("approximate").and_then(|inner| Members::parse(inner.get()));
        w.key("user_location").open_object().key("type").raw(r#""approximate""#);
        for (key, value) in &inner.unwrap_or(place).0 {
            if key.escaped() != "type" && !value.is_null() {
                w.key(key.escaped()).raw(value.get());
            }
        }
        w.close_object();
    }
}

fn finished(w: Writer) -> String {
    String::from_utf8(w.out).expect("only whole strings were written")
}
