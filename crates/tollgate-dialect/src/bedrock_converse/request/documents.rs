//! Documents: their formats, and names that are unique in a request.

use std::collections::HashSet;

use crate::json::Text;

/// The name of a document that has none. "We recommend that you specify a neutral name" (botocore 1.44.8, `DocumentBlock`).
const NEUTRAL: &str = "document";
/// botocore 1.44.8: 200 with what makes it unique.
const LONGEST: usize = 180;

/// Media types, and what Converse calls them.
const FORMATS: [(&str, &str); 9] = [
    ("application/pdf", "pdf"),
    ("text/csv", "csv"),
    ("application/msword", "doc"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("text/html", "html"),
    ("text/markdown", "md"),
    ("text/plain", "txt"),
];

/// Types of text that have no format of their own.
const TEXTUAL: [&str; 3] = ["application/json", "application/xml", "application/yaml"];

pub fn format_of(media_type: &str) -> Option<&'static str> {
    let plain = media_type.split(';').next().unwrap_or("").trim();
    let format = FORMATS.iter().find(|(name, _)| *name == plain).map(|(_, format)| *format);
    format.or_else(|| (plain.starts_with("text/") || TEXTUAL.contains(&plain)).then_some("txt"))
}

/// Names so far. A later document never changes an earlier one's.
#[derive(Default)]
pub struct Names(HashSet<String>);

impl Names {
    pub fn unique(&mut self, name: Option<&Text<'_>>) -> Text<'static> {
        let name = name.map_or(NEUTRAL.to_string(), |name| legal(&name.decode()));
        let mut unique = name.clone();
        let mut again = 2;
        while !self.0.insert(unique.clone()) {
            unique = format!("{name} ({again})");
            again += 1;
        }
        Text::plain(&unique)
    }
}

/// Letters, digits, single white space, hyphens, parentheses and square brackets.
fn legal(name: &str) -> String {
    let mut legal = String::with_capacity(name.len());
    for c in name.chars() {
        let c = match c {
            c if c.is_ascii_alphanumeric() || "-()[]".contains(c) => c,
            c if c.is_whitespace() => ' ',
            _ => '-',
        };
        if legal.len() < LONGEST && !(c == ' ' && legal.ends_with(' ')) {
            legal.push(c);
        }
    }
    let legal = legal.trim();
    if legal.is_empty() { NEUTRAL.to_string() } else { legal.to_string() }
}
