//! What is different between two JSON values, by path.

use serde_json::Value;

#[cfg(test)]
mod tests;

/// Characters of a value that are shown.
const SHOWN: usize = 80;
/// Characters before the first difference that are shown.
const BEFORE: usize = 20;

#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Difference {
    /// `messages[2].content`; empty for the whole.
    pub path: String,
    /// `None`: it was added.
    pub then: Option<Value>,
    /// `None`: it was removed.
    pub now: Option<Value>,
}

/// The order of an object's members is no difference.
pub fn diff(then: &Value, now: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), then, now, &mut found);
    found
}

fn compare(path: String, then: &Value, now: &Value, found: &mut Vec<Difference>) {
    match (then, now) {
        _ if then == now => {}
        (Value::Object(before), Value::Object(after)) => {
            let member = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
            for (name, value) in before {
                match after.get(name) {
                    Some(other) => compare(member(name), value, other, found),
                    None => found.push(Difference { path: member(name), then: Some(value.clone()), now: None }),
                }
            }
            for (name, value) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                found.push(Difference { path: member(name), then: None, now: Some(value.clone()) });
            }
        }
        (Value::Array(before), Value::Array(after)) => lists(&path, before, after, found),
        _ => found.push(Difference { path, then: Some(then.clone()), now: Some(now.clone()) }),
    }
}

/// What is the same at both ends is left out, so that one item more is one difference.
fn lists(path: &str, then: &[Value], now: &[Value], found: &mut Vec<Difference>) {
    let begin = then.iter().zip(now).take_while(|(a, b)| a == b).count();
    let (then, now) = (&then[begin..], &now[begin..]);
    let end = then.iter().rev().zip(now.iter().rev()).take_while(|(a, b)| a == b).count();
    let (then, now) = (&then[..then.len() - end], &now[..now.len() - end]);
    let both = then.len().min(now.len());
    let item = |at: usize| format!("{path}[{}]", begin + at);
    for (at, (before, after)) in then.iter().zip(now).enumerate() {
        compare(item(at), before, after, found);
    }
    for (at, value) in then.iter().enumerate().skip(both) {
        found.push(Difference { path: item(at), then: Some(value.clone()), now: None });
    }
    for (at, value) in now.iter().enumerate().skip(both) {
        found.push(Difference { path: item(at), then: None, now: Some(value.clone()) });
    }
}

impl Difference {
    /// One or two lines for people.
    pub fn lines(&self) -> Vec<String> {
        let path = if self.path.is_empty() { "the whole" } else { &self.path };
        match (&self.then, &self.now) {
            (Some(then), None) => vec![format!("- {path}: {}", short(&then.to_string(), 0))],
            (None, Some(now)) => vec![format!("+ {path}: {}", short(&now.to_string(), 0))],
            (then, now) => {
                let text = |value: &Option<Value>| value.as_ref().map(Value::to_string).unwrap_or_default();
                let (then, now) = pair(&text(then), &text(now));
                if then.chars().count() + now.chars().count() <= SHOWN {
                    return vec![format!("~ {path}: {then} → {now}")];
                }
                vec![format!("~ {path}: {then}"), format!("{:width$}→ {now}", "", width = path.chars().count() + 2)]
            }
        }
    }
}

/// Two texts, abbreviated so that their first difference can be seen.
pub fn pair(then: &str, now: &str) -> (String, String) {
    let same = then.chars().zip(now.chars()).take_while(|(a, b)| a == b).count();
    let longest = then.chars().count().max(now.chars().count());
    let from = if longest <= SHOWN { 0 } else { same.saturating_sub(BEFORE) };
    (short(then, from), short(now, from))
}

/// A part of a text, on one line.
pub fn short(text: &str, from: usize) -> String {
    let line: String = text.chars().skip(from).take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if text.chars().count() > from + SHOWN { "…" } else { "" };
    format!("{before}{line}{after}")
}
