//! Every example finds its entry, however it was pasted.

use super::*;

fn each_example(how: &str, change: impl Fn(&str, &Signature) -> String) {
    let mut lost = Vec::new();
    for signature in all() {
        for example in &signature.examples {
            let text = change(example, signature);
            let found = best(&text).map(|found| found.id.as_str());
            if found != Some(signature.id.as_str()) {
                lost.push(format!("{} is {found:?}: {text}", signature.id));
            }
        }
    }
    assert!(lost.is_empty(), "{how}:\n{}", lost.join("\n"));
}

#[test]
fn as_it_is() {
    each_example("as it is", |text, _| text.to_string());
}

#[test]
fn in_capitals_and_in_small_letters() {
    each_example("capitals", |text, _| text.to_uppercase());
    each_example("small letters", |text, _| text.to_lowercase());
}

#[test]
fn inside_json_also_twice() {
    each_example("escaped", |text, _| json!(text).to_string());
    each_example("escaped twice", |text, _| json!({"error": json!({"message": text}).to_string()}).to_string());
    each_example("in an error of a client", |text, _| {
        // A client's own words are not wrapped again.
        if text.starts_with("API Error") {
            return text.to_string();
        }
        let body = json!({"type": "error", "error": {"type": "invalid_request_error", "message": text}});
        format!("API Error: 400 {body}")
    });
}

#[test]
fn behind_a_line_of_the_log() {
    each_example("log", |text, _| {
        format!("2026-11-20T10:00:00Z  WARN request failed request_id=req_019a8f0c2b7d7f3e status=400 error={text:?}")
    });
}

#[test]
fn wrapped_at_forty_columns_in_a_box() {
    each_example("wrapped", |text, _| {
        let characters: Vec<char> = text.chars().collect();
        characters.chunks(40).map(|line| format!("│ {} │\n", line.iter().collect::<String>())).collect()
    });
}

#[test]
fn with_colours_entities_and_curly_quotes() {
    each_example("colours", |text, _| {
        text.split(' ').map(|word| format!("\u{1b}[1;31m{word}\u{1b}[0m")).collect::<Vec<_>>().join(" ")
    });
    each_example("entities", |text, _| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        text.replace('"', "&quot;").replace('\'', "&#39;")
    });
    each_example("curly quotes", |text, _| text.replace('"', "”").replace('\'', "’").replace('`', "‘"));
    each_example("without backticks", |text, _| text.replace('`', ""));
}

#[test]
fn with_other_numbers() {
    each_example("numbers", |text, signature| {
        changed_runs(
            text,
            |c| c.is_ascii_digit(),
            |run| {
                // A status or a vendor's code is a name, not a number.
                let named = signature.patterns.iter().any(|pattern| pattern.weight() > 0 && pattern.names(run));
                if run.len() < 4 || named { run.to_string() } else { "7".repeat(run.len() + 1) }
            },
        )
    });
}

#[test]
fn with_other_models() {
    const FAMILIES: [&str; 8] = ["gpt-", "claude-", "kimi-", "deepseek-", "qwen", "llama-", "gemini-", "glm-"];
    each_example("models", |text, signature| {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '/');
        changed_runs(text, is_name, |run| {
            let part_of_the_wording = signature.patterns.iter().any(|pattern| pattern.names(run))
                || run.starts_with("claude-haiku")
                || run.starts_with("claude-code")
                || run.contains("//");
            let model = FAMILIES.iter().any(|family| run.split('/').any(|part| part.starts_with(family)));
            if model && !part_of_the_wording { "acme/new-model-9b.1:free".into() } else { run.to_string() }
        })
    });
}

/// Replaces every run of such characters.
fn changed_runs(text: &str, belongs: impl Fn(char) -> bool, change: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(&belongs) {
        out += &rest[..start];
        let run = &rest[start..];
        let end = run.find(|c| !belongs(c)).unwrap_or(run.len());
        out += &change(&run[..end]);
        rest = &run[end..];
    }
    out + rest
}
