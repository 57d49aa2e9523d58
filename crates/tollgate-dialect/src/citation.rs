//! Where words of an answer come from.
//!
//! Pages of the web have a form in every dialect; places in documents that were given have one in Anthropic's alone.

use crate::anthropic_messages::wire::Members;
use crate::json::{Json, Text, Writer};
use crate::scan::{Raw, items};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Citation<'a> {
    /// Of the page; `None`: it is no page.
    pub url: Option<Text<'a>>,
    pub title: Option<Text<'a>>,
    /// The words that are cited.
    pub cited: Option<Text<'a>>,
    /// The characters of the answer's text that it is about, from and up to.
    pub span: Option<(u64, u64)>,
    /// Anthropic's own object.
    pub own: Option<Json<'a>>,
}

/// The type of Anthropic's citation of a page.
const WEB: &str = "web_search_result_location";

/// In Anthropic's citations of pages that another maker's model found: its own are never empty.
pub const FOREIGN: &str = r#""encrypted_index":"""#;

impl<'a> Citation<'a> {
    pub fn into_owned(self) -> Citation<'static> {
        Citation {
            url: self.url.map(Text::into_owned),
            title: self.title.map(Text::into_owned),
            cited: self.cited.map(Text::into_owned),
            span: self.span,
            own: self.own.map(Json::into_owned),
        }
    }

    pub fn of_anthropic(own: Raw<'a>) -> Citation<'a> {
        let members = Members::parse(own.get()).unwrap_or_default();
        let text = |name: &str| members.get(name).and_then(Raw::text);
        let page = text("type").is_some_and(|kind| kind.escaped() == WEB);
        Citation {
            url: text("url").filter(|_| page),
            title: text("title").filter(|_| page),
            cited: text("cited_text"),
            span: None,
            own: Some(own.json()),
        }
    }

    /// Chat's form, `{type, url_citation: {…}}`, or that of Responses, which is flat.
    pub fn of_openai(annotation: Raw<'a>) -> Option<Citation<'a>> {
        let outer = Members::parse(annotation.get())?;
        let inner = outer.get("url_citation").and_then(|inner| Members::parse(inner.get())).unwrap_or(outer);
        let count = |name: &str| inner.get(name).and_then(|raw| raw.json().as_count());
        Some(Citation {
            url: Some(inner.get("url")?.text()?),
            title: inner.get("title").and_then(Raw::text),
            cited: None,
            span: count("start_index").zip(count("end_index")),
            own: None,
        })
    }

    /// The pages of Google's `groundingMetadata`, each with the words of the answer that stand on it, and how many searches there were.
    pub fn of_google(metadata: &'a str) -> (Vec<Citation<'a>>, u64) {
        let members = Members::parse(metadata).unwrap_or_default();
        let list = |name: &str| members.get(name).and_then(|raw| items(raw.get())).unwrap_or_default();
        let supports = list("groundingSupports");
        let words = |page: usize| {
            supports.iter().find_map(|support| {
                let support = Members::parse(support.get())?;
                let pages = items(support.get("groundingChunkIndices")?.get())?;
                let here = pages.iter().any(|index| index.json().as_count() == u64::try_from(page).ok());
                Members::parse(support.get("segment")?.get()).filter(|_| here)?.get("text")?.text()
            })
        };
        let page = |(number, chunk): (usize, Raw<'a>)| {
            let web = Members::parse(Members::parse(chunk.get())?.get("web")?.get())?;
            let title = web.get("title").and_then(Raw::text);
            Some(Citation { url: Some(web.get("uri")?.text()?), title, cited: words(number), ..Citation::default() })
        };
        let pages = list("groundingChunks").into_iter().enumerate().filter_map(page).collect();
        (pages, list("webSearchQueries").len() as u64)
    }

    pub fn for_anthropic(&self) -> String {
        if let Some(own) = &self.own {
            return own.get().to_owned();
        }
        let none = Text::EMPTY;
        let mut w = Writer::default();
        w.open_object().key("type").str(WEB).key("cited_text").text(self.cited.as_ref().unwrap_or(&none));
        w.key("url").text(self.url.as_ref().unwrap_or(&none)).key("title");
        match &self.title {
            Some(title) => w.text(title),
            None => w.null(),
        };
        w.key("encrypted_index").str("").close_object();
        finished(w)
    }

    /// `here`: the characters that stand for it, where the upstream did not say. `None`: it is no page.
    pub fn for_chat(&self, here: (u64, u64)) -> Option<String> {
        let mut w = Writer::default();
        w.open_object().key("type").str("url_citation").key("url_citation").open_object();
        self.url_citation(&mut w, here)?;
        w.close_object().close_object();
        Some(finished(w))
    }

    /// As [`for_chat`](Citation::for_chat).
    pub fn for_responses(&self, here: (u64, u64)) -> Option<String> {
        let mut w = Writer::default();
        w.open_object().key("type").str("url_citation");
        self.url_citation(&mut w, here)?;
        w.close_object();
        Some(finished(w))
    }

    fn url_citation(&self, w: &mut Writer, here: (u64, u64)) -> Option<()> {
        let (from, to) = self.span.unwrap_or(here);
        w.key("start_index").number(from).key("end_index").number(to).key("url").text(self.url.as_ref()?);
        w.key("title").text(self.title.as_ref().unwrap_or(&Text::EMPTY));
        Some(())
    }

    /// A member of Google's `groundingChunks`.
    pub fn for_google(&self) -> Option<String> {
        let mut w = Writer::default();
        w.open_object().key("web").open_object().key("uri").text(self.url.as_ref()?);
        w.key("title").text(self.title.as_ref().unwrap_or(&Text::EMPTY)).close_object().close_object();
        Some(finished(w))
    }
}

fn finished(w: Writer) -> String {
    String::from_utf8(w.out).expect("only whole strings were written")
}

/// Counts the characters of an answer's text, for those who cite by number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted(u64);

impl Counted {
    pub fn add(&mut self, text: &Text<'_>) {
        self.0 += text.decode().chars().count() as u64;
    }

    /// All that was said so far.
    pub fn here(self) -> (u64, u64) {
        (0, self.0)
    }
}
