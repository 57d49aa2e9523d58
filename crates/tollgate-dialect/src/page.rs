//! What a web page says that came in place of an error: proxies and load balancers answer so.

/// Longer pages are cut: their beginning tells.
const MOST_WORDS: usize = 300;

/// Its title and first heading, or else all that a reader would see. Empty where there is nothing to read.
pub fn words(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let inside = |open: &str, close: &str| {
        let start = lower.find(open)?;
        let start = start + lower[start..].find('>')? + 1;
        let end = start + lower[start..].find(close)?;
        Some(visible(&html[start..end])).filter(|words| !words.is_empty())
    };
    let words = match (inside("<title", "</title"), inside("<h1", "</h1")) {
        (Some(title), Some(heading)) if !title.contains(&heading) => format!("{title}: {heading}"),
        (Some(title), _) => title,
        (None, Some(heading)) => heading,
        (None, None) => visible(html),
    };
    words[..words.floor_char_boundary(MOST_WORDS)].to_string()
}

/// The text between the tags, without scripts and styles, its white space made single blanks.
fn visible(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let mut text = String::new();
    let mut at = 0;
    while let Some(open) = html[at..].find('<').map(|open| at + open) {
        text.push_str(&html[at..open]);
        text.push(' ');
        let unread = ["script", "style"].iter().find(|name| lower[open + 1..].starts_with(**name));
        let end = match unread {
            Some(name) => lower[open..].find(&format!("</{name}")).map_or(html.len(), |close| open + close),
            None => open,
        };
        at = html[end..].find('>').map_or(html.len(), |close| end + close + 1);
    }
    text.push_str(&html[at..]);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_page_is_told_by_its_title_and_heading_else_by_what_a_reader_sees() {
        for (html, told) in [
            (
                "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
                "502 Bad Gateway",
            ),
            ("<title>Error</title><H1 class=x>no <b>healthy</b> upstream</H1>", "Error: no healthy upstream"),
            (
                "<html><body>\n  <p>quota of the\n  tenant is used up</p></body></html>",
                "quota of the tenant is used up",
            ),
            ("<style>p {color: red}</style><script>if (1 < 2) {}</script><p>down</p>", "down"),
            ("<html></html>", ""),
            ("<p>cut off <a hre", "cut off"),
        ] {
            assert_eq!(words(html), told, "{html}");
        }
        assert_eq!(words(&format!("<p>{}</p>", "ä".repeat(500))).len(), 300);
    }
}
