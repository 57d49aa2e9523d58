//! A conversation in the order that Anthropic insists on: the user begins, roles alternate, and every tool call is answered
//! at the head of the next message, once. What is missing is made, what is left over becomes text. Each step depends only on
//! what comes before it, so that the next turn's conversation begins with the same bytes.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::error::{Change, ChangeKind};
use crate::json::Text;
use crate::names::safe_id;
use crate::quirks::IdForm;
use crate::request::{Message, Part, Role, TextPart, ToolCall, ToolResult};
use crate::sealed;

use super::blocks::blank;

/// What the target does with thoughts of earlier turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoughts {
    /// As they came: the dialect finds those that it can say.
    All,
    /// As they came, signature and all. What has none was never Anthropic's, and nobody misses it.
    Signed,
    /// Only the text: it belongs to another service than the signature.
    Unsigned,
    /// None at all.
    Strip,
}

impl Thoughts {
    /// Anthropic checks every signature against all that comes before it, so one foreign block spoils all others. Words alone, of
    /// a client that has no place for signatures, were sent in no turn.
    pub fn for_genuine(messages: &[Message<'_>]) -> Thoughts {
        let mut parts = messages.iter().flat_map(|m| &m.parts);
        let spoilt = parts.any(|part| match part {
            Part::Thinking(t) => t.signature.as_ref().is_some_and(|signature| is_spoilt(Some(signature))),
            _ => false,
        });
        if spoilt { Thoughts::Strip } else { Thoughts::Signed }
    }
}

/// Anthropic could not have made it.
pub fn is_spoilt(signature: Option<&Text<'_>>) -> bool {
    signature.is_none_or(|s| s.is_empty() || sealed::is_ours(s))
}

pub struct Rules<'t> {
    pub thoughts: Thoughts,
    pub mid_system: bool,
    /// The form of tool ids. Where there is one, they must be unique, too.
    pub ids: IdForm,
    /// The answer may be begun by a last assistant message.
    pub prefill: bool,
    /// Stands in for lost thoughts on messages with tool calls.
    pub filler: Option<&'t str>,
}

pub struct Turn<'r> {
    pub role: Role,
    pub items: Vec<Item<'r>>,
}

pub enum Item<'r> {
    /// With its place, `messages.3.content.0`, for what the target cannot be told.
    Part {
        part: &'r Part<'r>,
        message: usize,
        index: usize,
    },
    /// The last text of a prefill, without the white space at its end.
    Prefill(&'r TextPart<'r>),
    /// A system message that has to be said by the user.
    Reminder(&'r TextPart<'r>),
    Call {
        call: &'r ToolCall<'r>,
        id: Text<'r>,
    },
    Result {
        result: &'r ToolResult<'r>,
        id: Text<'r>,
        message: usize,
        index: usize,
    },
    Missing {
        id: Text<'r>,
    },
    /// A result of no call.
    Orphan {
        result: &'r ToolResult<'r>,
    },
    Filler(&'r str),
    Note(&'static str),
}

pub fn turns<'r>(messages: &'r [Message<'r>], rules: &Rules<'r>, changes: &mut Vec<Change>) -> Vec<Turn<'r>> {
    let mut turns = answered(merged(messages, rules, changes), rules, changes);
    for turn in &mut turns {
        if turn.items.is_empty() {
            turn.items.push(Item::Note("(empty)"));
        }
    }
    if turns.first().is_none_or(|t| t.role != Role::User) {
        turns.insert(0, Turn { role: Role::User, items: vec![Item::Note("(continue)")] });
    }
    if let Some(last) = turns.last_mut().filter(|t| t.role == Role::Assistant) {
        if !rules.prefill {
            turns.push(Turn { role: Role::User, items: vec![Item::Note("Continue.")] });
            changes.push(Change::new(ChangeKind::Rewritten, "prefill"));
        } else if let Some(item @ Item::Part { part: Part::Text(_), .. }) = last.items.last_mut()
            && let Item::Part { part: Part::Text(text), .. } = item
        {
            *item = Item::Prefill(text);
        }
    }
    turns
}

/// Neighbours of one role become one turn; what says nothing is left out.
fn merged<'r>(messages: &'r [Message<'r>], rules: &Rules<'r>, changes: &mut Vec<Change>) -> Vec<Turn<'r>> {
    let mut turns: Vec<Turn<'r>> = Vec::new();
    for (message, m) in messages.iter().enumerate() {
        let role = if m.role == Role::System && !rules.mid_system { Role::User } else { m.role };
        let mut items = Vec::with_capacity(m.parts.len());
        for (index, part) in m.parts.iter().enumerate() {
            match part {
                Part::Text(text) if blank(&text.text) => {}
                Part::Text(text) if m.role == Role::System && !rules.mid_system => items.push(Item::Reminder(text)),
                Part::Thinking(_) if m.role != Role::Assistant => {}
                Part::Thinking(t) if t.signature.is_none() && rules.thoughts == Thoughts::Signed => {
                    note_once(changes, Change::dropped("thinking"));
                }
                Part::Thinking(_) if rules.thoughts == Thoughts::Strip => {
                    note_once(changes, Change::dropped("thinking"));
                }
                Part::Thinking(t) if rules.thoughts == Thoughts::Unsigned && (t.redacted || t.text.is_empty()) => {}
                _ => items.push(Item::Part { part, message, index }),
            }
        }
        if items.is_empty() && role != Role::User {
            continue;
        }
        match turns.last_mut().filter(|t| t.role == role) {
            Some(turn) => turn.items.extend(items),
            None => turns.push(Turn { role, items }),
        }
    }
    turns
}

/// Gives every call its id and its answer.
fn answered<'r>(turns: Vec<Turn<'r>>, rules: &Rules<'r>, changes: &mut Vec<Change>) -> Vec<Turn<'r>> {
    let mut out: Vec<Turn<'r>> = Vec::with_capacity(turns.len() + 1);
    let mut used: HashSet<String> = HashSet::new();
    let mut rest = turns.into_iter().peekable();
    while rest.peek().is_some() {
        let mut calls: Vec<(Cow<'r, str>, Text<'r>)> = Vec::new();
        if let Some(mut turn) = rest.next_if(|t| t.role == Role::Assistant) {
            name_calls(&mut turn, rules, &mut used, &mut calls, changes);
            out.push(turn);
        }
        let mut region: Vec<Turn<'r>> = Vec::new();
        while let Some(turn) = rest.next_if(|t| t.role != Role::Assistant) {
            region.push(turn);
        }
        answer(calls, region, &mut out, changes);
    }
    out
}

fn name_calls<'r>(
    turn: &mut Turn<'r>,
    rules: &Rules<'r>,
    used: &mut HashSet<String>,
    calls: &mut Vec<(Cow<'r, str>, Text<'r>)>,
    changes: &mut Vec<Change>,
) {
    for item in &mut turn.items {
        let Item::Part { part: Part::ToolCall(call), .. } = item else { continue };
        let own = call.id.decode();
        let form = if own.is_empty() { IdForm::Word } else { rules.ids };
        let mut id = safe_id(form, &call.id);
        if matches!(rules.ids, IdForm::Word | IdForm::Converse) {
            let base = id.clone();
            let mut again = 2;
            while !used.insert(id.escaped().to_string()) {
                id = safe_id(rules.ids, &Text::plain(&format!("{}-again{again}", base.escaped()))).into_owned();
                again += 1;
            }
        }
        if id != call.id {
            note_once(changes, Change::new(ChangeKind::Rewritten, "tool_use.id"));
        }
        calls.push((own, id.clone()));
        *item = Item::Call { call, id };
    }
    let thinks = turn.items.iter().any(|item| matches!(item, Item::Part { part: Part::Thinking(_), .. }));
    if let Some(filler) = rules.filler.filter(|_| !calls.is_empty() && !thinks) {
        turn.items.insert(0, Item::Filler(filler));
    }
}

/// `region` is all that lies between two messages of the assistant.
fn answer<'r>(
    calls: Vec<(Cow<'r, str>, Text<'r>)>,
    region: Vec<Turn<'r>>,
    out: &mut Vec<Turn<'r>>,
    changes: &mut Vec<Change>,
) {
    let mut found: HashMap<Cow<'r, str>, Vec<(&'r ToolResult<'r>, usize, usize)>> = HashMap::new();
    let mut others: Vec<Turn<'r>> = Vec::with_capacity(region.len());
    for turn in region {
        let mut kept = Vec::with_capacity(turn.items.len());
        for item in turn.items {
            match item {
                Item::Part { part: Part::ToolResult(result), message, index } => {
                    let id = result.id.decode();
                    if calls.iter().any(|(own, _)| *own == id) {
                        found.entry(id).or_default().push((result, message, index));
                    } else {
                        note_once(changes, Change::new(ChangeKind::Textualised, "tool_result"));
                        kept.push(Item::Orphan { result });
                    }
                }
                item => kept.push(item),
            }
        }
        others.push(Turn { role: turn.role, items: kept });
    }
    if !calls.is_empty() {
        let mut head = Vec::with_capacity(calls.len());
        for (i, (own, id)) in calls.iter().enumerate() {
            let namesakes = calls.iter().filter(|(other, _)| other == own).count();
            let before = calls[..i].iter().filter(|(other, _)| other == own).count();
            let results = found.get(own).map_or(&[][..], Vec::as_slice);
            // One call: its last result counts. Several of one id: results in the calls' order.
            let nth = if namesakes == 1 { results.last() } else { results.get(before).or(results.last()) };
            head.push(match nth {
                Some(&(result, message, index)) => Item::Result { result, id: id.clone(), message, index },
                None => {
                    note_once(changes, Change::new(ChangeKind::Repaired, "tool_result"));
                    Item::Missing { id: id.clone() }
                }
            });
        }
        match others.first_mut().filter(|t| t.role == Role::User) {
            Some(first) => _ = first.items.splice(0..0, head),
            None => others.insert(0, Turn { role: Role::User, items: head }),
        }
        others.retain(|turn| !turn.items.is_empty());
    }
    out.extend(others);
}

fn note_once(changes: &mut Vec<Change>, change: Change) {
    if !changes.contains(&change) {
        changes.push(change);
    }
}

/// The system messages that lead the conversation belong to the system prompt.
pub fn leading_system<'r>(messages: &'r [Message<'r>]) -> usize {
    messages.iter().take_while(|m| m.role == Role::System).count()
}

/// The text of a prefill must not end in white space.
pub fn trimmed(text: &Text<'_>) -> Text<'static> {
    Text::plain(text.decode().trim_end())
}
