//! What a request says, apart from how it is cut into blocks: named facts that can be compared between dialects.
//!
//! Every text that a client sends is marked, `⟦kind words⟧`, so that it is found again wherever it stands, and what the gateway adds
//! in words of its own is passed over.

use std::collections::BTreeMap;

use tollgate_dialect::request::{
    Media, Message, OutputFormat, Part, ReasoningMode, Request, Role, Source, TextPart, Tool, ToolChoice, ToolInput,
    ToolKind,
};

pub type Facts = BTreeMap<String, String>;

/// A kind of text, with the fact that is about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Said,
    Middle,
    Search,
    Document,
    Title,
    Context,
    Server,
    Reference,
    Refusal,
}

impl Kind {
    const ALL: [(Kind, &'static str); 9] = [
        (Kind::Said, "conversation"),
        (Kind::Middle, "middle system"),
        (Kind::Search, "search results"),
        (Kind::Document, "documents of text"),
        (Kind::Title, "titles"),
        (Kind::Context, "contexts"),
        (Kind::Server, "server blocks"),
        (Kind::Reference, "references"),
        (Kind::Refusal, "refusals"),
    ];

    pub fn fact(self) -> &'static str {
        Kind::ALL[self as usize].1
    }

    /// A text of this kind.
    pub fn marked(self, words: &str) -> String {
        format!("⟦{} {words}⟧", self as usize)
    }
}

/// The marked texts in a text.
fn marks(text: &str) -> impl Iterator<Item = (Kind, &str)> {
    let inside = text.split('⟦').skip(1).filter_map(|rest| rest.split('⟧').next());
    inside.filter_map(|mark| {
        let (kind, words) = mark.split_once(' ')?;
        let (kind, _) = Kind::ALL.get(kind.parse::<usize>().ok()?)?;
        Some((*kind, words))
    })
}

pub fn of(request: &Request<'_>) -> Facts {
    let mut facts = Notes::default();
    for block in &request.system {
        facts.text("system", &block.text.decode());
    }
    for message in &request.messages {
        facts.message(message);
    }
    for tool in &request.tools {
        facts.tool(tool);
    }
    facts.put("tool_choice", request.tool_choice.as_ref().map(choice).unwrap_or_default());
    // Where no tool may be called, two cannot be.
    let one_call = request.parallel_tool_calls == Some(false) && request.tool_choice != Some(ToolChoice::None);
    facts.put("one_call", if one_call { "yes".into() } else { String::new() });
    facts.put("max_tokens", request.max_tokens.map(|n| n.to_string()).unwrap_or_default());
    facts.put("stop", request.stop.iter().map(|stop| stop.decode().into_owned()).collect::<Vec<_>>().join(", "));
    for (name, value) in [("temperature", &request.temperature), ("top_p", &request.top_p), ("top_k", &request.top_k)] {
        facts.put(name, value.as_ref().map(|json| json.get().to_owned()).unwrap_or_default());
    }
    facts.put("effort", effort(request));
    if let Some(OutputFormat::JsonSchema { schema, description, .. }) = &request.output_format {
        facts.put("format", schema.to_value().to_string());
        facts.put("described format", description.as_ref().map(|d| d.decode().into_owned()).unwrap_or_default());
    }
    if let Some(OutputFormat::JsonObject) = request.output_format {
        facts.put("format", "an object".into());
    }
    facts.put("user", request.user.as_ref().map(|user| user.decode().into_owned()).unwrap_or_default());
    for (name, value) in &request.extra {
        facts.put(&name.decode(), value.get().to_owned());
    }
    facts.0
}

fn effort(request: &Request<'_>) -> String {
    match &request.reasoning {
        Some(reasoning) => match (reasoning.mode, reasoning.effort) {
            (ReasoningMode::Off, _) => "none".into(),
            (_, effort) => effort.map(|effort| effort.name().to_owned()).unwrap_or_default(),
        },
        None => String::new(),
    }
}

fn choice(choice: &ToolChoice<'_>) -> String {
    match choice {
        // The default everywhere.
        ToolChoice::Auto => String::new(),
        ToolChoice::Required => "required".into(),
        ToolChoice::Named(name) => format!("the tool {}", name.decode()),
        ToolChoice::None => "none".into(),
    }
}

fn data(media: &Media<'_>) -> String {
    match &media.source {
        Source::Base64 { media_type, data } => format!("{} {}", media_type.decode(), data.decode()),
        Source::Url(url) => url.decode().into_owned(),
        other => format!("{other:?}"),
    }
}

#[derive(Default)]
struct Notes(Facts);

impl Notes {
    fn put(&mut self, name: &str, value: String) {
        if !value.is_empty() {
            self.0.insert(name.to_owned(), value);
        }
    }

    fn add(&mut self, name: &str, line: &str) {
        let fact = self.0.entry(name.to_owned()).or_default();
        fact.push_str(line);
        fact.push('\n');
    }

    /// `place`: where it stands, and as what.
    fn text(&mut self, place: &str, text: &str) {
        for (kind, words) in marks(text) {
            self.add(kind.fact(), &format!("{place}: {words}"));
        }
    }

    fn message(&mut self, message: &Message<'_>) {
        let place = match message.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
        };
        message.parts.iter().for_each(|part| self.part(place, part));
    }

    fn texts(&mut self, place: &str, parts: &[TextPart<'_>]) {
        parts.iter().for_each(|part| self.text(place, &part.text.decode()));
    }

    fn part(&mut self, place: &str, part: &Part<'_>) {
        match part {
            Part::Text(text) => self.text(place, &text.text.decode()),
            Part::Media(media) => self.media(place, media),
            Part::Thinking(thinking) if thinking.redacted => self.add("thoughts", "redacted"),
            Part::Thinking(thinking) => {
                let words = thinking.text.decode();
                if !words.is_empty() {
                    self.add("thoughts", &words);
                }
            }
            Part::ToolCall(call) => {
                let input = match &call.input {
                    ToolInput::Object(json) => json.to_value(),
                    ToolInput::Arguments(text) | ToolInput::Freeform(text) => {
                        serde_json::from_str(&text.decode()).unwrap_or_default()
                    }
                };
                self.add("conversation", &format!("call: {} {} {input}", call.id.decode(), call.name.decode()));
            }
            Part::ToolResult(result) => {
                let id = result.id.decode();
                self.add("conversation", &format!("result: {id}"));
                if result.is_error {
                    self.add("errors", &id);
                }
                result.content.iter().for_each(|part| self.part(&id, part));
            }
            Part::SearchResult { content, .. } => self.texts("a search result", content),
            Part::ToolReference { name } => self.add("references", &name.decode()),
            Part::Server { fields, .. } => self.text("a block", fields.get()),
            Part::Refusal(text) => self.text("a refusal", &text.decode()),
            Part::Unknown { kind } => self.add("unknown", &kind.decode()),
        }
    }

    fn media(&mut self, place: &str, media: &Media<'_>) {
        for (kind, text) in [(Kind::Title, &media.name), (Kind::Context, &media.context)] {
            if let Some(text) = text {
                self.text(kind.fact(), &text.decode());
            }
        }
        if let Some(detail) = &media.detail {
            self.add("details", &detail.decode());
        }
        if media.cited {
            self.add("citations", "of a document");
        }
        match &media.source {
            Source::Text(text) => self.text("a document", &text.decode()),
            Source::Blocks(parts) => parts.iter().for_each(|part| self.part("a document", part)),
            _ => {
                self.add("media", &data(media));
                self.add(&format!("places of {}s", media.kind.name()), &format!("{place}: {}", data(media)));
            }
        }
    }

    fn tool(&mut self, tool: &Tool<'_>) {
        let (name, mut kind) = (tool.name.decode(), "tools");
        let schema = match &tool.kind {
            ToolKind::Function { schema } => schema.as_ref().map(|schema| schema.to_value().to_string()),
            ToolKind::Custom { format } => {
                kind = "custom tools";
                format.as_ref().map(|format| format.get().to_owned())
            }
            ToolKind::Client { .. } | ToolKind::Server { .. } => Some(format!("{:?}", tool.kind)),
        };
        // What became of a custom tool is the same tool.
        if name == "patch" {
            kind = "custom tools";
        }
        let description = tool.description.as_ref().map(|text| text.decode().into_owned()).unwrap_or_default();
        self.add(kind, &format!("{name}: {description} {}", schema.unwrap_or_default()));
        if tool.strict == Some(true) {
            self.add("strict", &name);
        }
    }
}
