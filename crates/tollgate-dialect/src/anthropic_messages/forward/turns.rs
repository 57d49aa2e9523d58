//! Edits inside `messages`.

use std::collections::BTreeMap;

use crate::Target;
use crate::anthropic_messages::request::is_spoilt;
use crate::anthropic_messages::wire::{Content, Members, Raw, WireBlock, text_of, word, word_of};
use crate::citation::FOREIGN;
use crate::error::{Change, ChangeKind};
use crate::json::{Text, Writer};
use crate::names::safe_id;
use crate::quirks::{IdForm, MessagesQuirks};
use crate::scan::{Bad, Cursor};
use crate::sealed;

use super::edit::Edits;

/// What the other edits must know of the conversation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// A tool loop is under way, and its assistant message (as it goes up) does not begin with thinking.
    pub loop_without_thoughts: bool,
}

struct Message<'a> {
    whole: Raw<'a>,
    members: Members<'a>,
    role: &'a str,
    content: Option<Raw<'a>>,
    /// None where the content is a string.
    blocks: Vec<WireBlock<'a>>,
}

impl<'a> Message<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Message<'a>, Bad> {
        let mut blocks = Vec::new();
        let (members, whole) = cursor.whole(|c| {
            let mut members = Members::default();
            c.members(|c, key| {
                let (content, value) = if key.escaped() == "content" {
                    c.whole(|c| Content::read(c, 0))?
                } else {
                    (Content::Missing, c.value()?)
                };
                if let Content::Blocks(found) = content {
                    blocks = found;
                }
                members.0.push((key, value));
                Ok::<(), Bad>(())
            })?;
            Ok(members)
        })?;
        Ok(Message { whole, role: word(members.get("role")), content: members.get("content"), members, blocks })
    }

    /// `None` where a message or a block is no object: that is the provider's to refuse.
    fn read_all(messages: Raw<'a>) -> Option<Vec<Message<'a>>> {
        let mut cursor = Cursor::new(messages.get());
        let mut all = Vec::new();
        let each = |c: &mut Cursor<'a>| {
            all.push(Message::read(c)?);
            Ok::<(), Bad>(())
        };
        cursor.items(each).ok()?;
        Some(all).filter(|all| all.iter().flat_map(|m| &m.blocks).all(|b| b.whole.is_object()))
    }
}

pub fn edit<'b>(messages: Raw<'b>, target: &Target<'_>, edits: &mut Edits<'b>, changes: &mut Vec<Change>) -> Seen {
    let rules = &target.quirks.messages;
    let Some(read) = Message::read_all(messages) else { return Seen::default() };
    let mut gone = vec![false; read.len()];
    let stripped = thoughts(&read, rules, edits, &mut gone, changes);
    if gone.iter().all(|&g| g) {
        gone.fill(false);
    }
    let form = if rules.genuine { IdForm::Word } else { target.quirks.tool_ids };
    if form != IdForm::Any {
        ids(&read, form, edits, changes);
    }
    if !rules.empty_text {
        empty_texts(&read, edits, &gone, changes);
    }
    citations(&read, edits);
    if !rules.media_in_tool_result {
        media(&read, edits, changes);
    }
    if !rules.mid_system {
        systems(&read, edits, &mut gone, changes);
    } else if !rules.effort || rules.refuses.iter().any(|key| key == "output_config") {
        for message in read.iter().filter(|m| m.role == "system") {
            let drop: Vec<bool> = message.members.0.iter().map(|(key, _)| key.escaped() == "output_config").collect();
            edits.drop_members(&message.members, &drop);
        }
    }
    let wholes: Vec<Raw<'b>> = read.iter().map(|m| m.whole).collect();
    edits.drop_items(&wholes, &gone);
    let last = (0..read.len()).rev().find(|&i| !gone[i]);
    if let Some(last) = last.map(|i| &read[i]).filter(|m| m.role == "assistant" && !rules.prefill) {
        edits.insert_after(last.whole.get(), r#",{"role":"user","content":"Continue."}"#);
        changes.push(Change::new(ChangeKind::Rewritten, "prefill"));
    }
    Seen { loop_without_thoughts: loop_without_thoughts(&read, stripped) }
}

/// Pages that another maker's model cited: there is nothing in them that Anthropic could read.
fn citations<'b>(read: &[Message<'b>], edits: &mut Edits<'b>) {
    let cited = read.iter().flat_map(|m| &m.blocks).filter_map(|block| block.citations);
    for list in cited.filter(|list| list.get().contains(FOREIGN)) {
        edits.replace(list.get(), "null");
    }
}

fn is_thought(kind: &str) -> bool {
    matches!(kind, "thinking" | "redacted_thinking")
}

/// For Anthropic: all thoughts or none, because a signature also stands for all that comes before it. For others the text
/// without a signature of ours, which only its maker could use.
fn thoughts<'b>(
    read: &[Message<'b>],
    rules: &MessagesQuirks,
    edits: &mut Edits<'b>,
    gone: &mut [bool],
    changes: &mut Vec<Change>,
) -> bool {
    let state = |block: &WireBlock<'b>| if block.kind() == "thinking" { block.signature } else { block.data };
    let blocks = || read.iter().flat_map(|m| &m.blocks).filter(|b| is_thought(b.kind()));
    if !rules.genuine && rules.earlier_thoughts {
        for block in blocks() {
            if let Some(raw) = state(block)
                && text_of(Some(raw)).is_some_and(|s| sealed::is_ours(&s))
            {
                edits.replace(raw.get(), r#""""#);
            }
        }
        return false;
    }
    let spoilt = || blocks().any(|block| is_spoilt(text_of(state(block)).as_ref()));
    if blocks().next().is_none() || (rules.earlier_thoughts && !spoilt()) {
        return false;
    }
    changes.push(Change::dropped("thinking"));
    for (i, message) in read.iter().enumerate() {
        let drop: Vec<bool> = message.blocks.iter().map(|b| is_thought(b.kind())).collect();
        if !drop.is_empty() && drop.iter().all(|&d| d) {
            gone[i] = true;
        } else {
            let raws: Vec<Raw<'b>> = message.blocks.iter().map(|b| b.whole).collect();
            edits.drop_items(&raws, &drop);
        }
    }
    true
}

fn loop_without_thoughts(read: &[Message<'_>], stripped: bool) -> bool {
    let Some(last) = read.iter().rev().find(|m| m.role != "system").filter(|m| m.role == "user") else { return false };
    let latest = read.iter().rev().find(|m| m.role == "assistant");
    let thinks = latest.is_some_and(|m| m.blocks.first().is_some_and(|b| is_thought(b.kind())));
    last.blocks.iter().any(|b| b.kind() == "tool_result") && (stripped || !thinks)
}

fn ids<'b>(read: &[Message<'b>], form: IdForm, edits: &mut Edits<'b>, changes: &mut Vec<Change>) {
    let mut rewritten = false;
    for block in read.iter().flat_map(|m| &m.blocks) {
        let id = match block.kind() {
            "tool_use" => block.id,
            "tool_result" => block.tool_use_id,
            _ => None,
        };
        let Some((raw, id)) = id.and_then(|raw| Some((raw, raw.text()?))) else { continue };
        let safe = safe_id(form, &id);
        if safe != id {
            rewritten = true;
            edits.replace(raw.get(), format!("\"{}\"", safe.escaped()));
        }
    }
    if rewritten {
        changes.push(Change::new(ChangeKind::Rewritten, "tool_use.id"));
    }
}

/// Text blocks that say nothing go; a message of nothing else says so.
fn empty_texts<'b>(read: &[Message<'b>], edits: &mut Edits<'b>, gone: &[bool], changes: &mut Vec<Change>) {
    let mut dropped = false;
    for (message, _) in read.iter().zip(gone).filter(|(_, gone)| !**gone) {
        if text_of(message.content).is_some_and(|text| text.is_blank()) {
            edits.replace(message.content.map_or("", |c| c.get()), r#""(empty)""#);
            dropped = true;
            continue;
        }
        let blank = |b: &WireBlock<'_>| b.kind() == "text" && text_of(b.text).is_none_or(|text| text.is_blank());
        let drop: Vec<bool> = message.blocks.iter().map(blank).collect();
        let Some(first) = message.blocks.iter().zip(&drop).find(|(_, drop)| **drop).map(|(block, _)| block) else {
            continue;
        };
        dropped = true;
        if drop.iter().all(|&d| d) {
            let wholes: Vec<Raw<'b>> = message.blocks.iter().map(|b| b.whole).collect();
            let others: Vec<bool> = (0..wholes.len()).map(|i| i > 0).collect();
            edits.drop_items(&wholes, &others);
            edits.replace(first.whole.get(), text_block(&Text::literal("(empty)"), None));
        } else {
            let wholes: Vec<Raw<'b>> = message.blocks.iter().map(|b| b.whole).collect();
            edits.drop_items(&wholes, &drop);
        }
    }
    if dropped {
        changes.push(Change::dropped("empty_text"));
    }
}

/// Images and documents move from a result to behind all results of its message.
fn media<'b>(read: &[Message<'b>], edits: &mut Edits<'b>, changes: &mut Vec<Change>) {
    let mut moved = false;
    for message in read {
        let Some(last) = message.blocks.iter().rev().find(|b| b.kind() == "tool_result") else { continue };
        let results = message.blocks.iter().filter(|b| b.kind() == "tool_result");
        for result in results {
            let id = word_of(result.tool_use_id).unwrap_or_default();
            let Content::Blocks(inner) = &result.content else { continue };
            for block in inner.iter().filter(|b| matches!(b.kind(), "image" | "document")) {
                let (what, raw) = (block.kind(), block.whole);
                moved = true;
                edits.replace(raw.get(), text_block(&Text::plain(&format!("[{what} attached below]")), None));
                let label = Text::plain(&format!("[attachment of the result of tool call {id}]"));
                edits.insert_after(last.whole.get(), format!(",{},{}", text_block(&label, None), raw.get()));
            }
        }
    }
    if moved {
        changes.push(Change::new(ChangeKind::Rewritten, "tool_result.content"));
    }
}

/// System messages become part of the user's message beside them, marked as no words of the user.
fn systems<'b>(read: &[Message<'b>], edits: &mut Edits<'b>, gone: &mut [bool], changes: &mut Vec<Change>) {
    // What comes in front of the rest of a user's message, and what behind it.
    let mut added: BTreeMap<usize, (Vec<String>, Vec<String>)> = BTreeMap::new();
    let mut i = 0;
    while i < read.len() {
        if read[i].role != "system" {
            i += 1;
            continue;
        }
        let first = i;
        while i < read.len() && read[i].role == "system" {
            i += 1;
        }
        let blocks: Vec<String> = read[first..i].iter().flat_map(reminders).collect();
        gone[first..i].fill(true);
        let is_user = |at: usize| read.get(at).is_some_and(|m| m.role == "user") && !gone[at];
        if blocks.is_empty() {
        } else if let Some(before) = first.checked_sub(1).filter(|&at| is_user(at)) {
            added.entry(before).or_default().1.extend(blocks);
        } else if is_user(i) {
            added.entry(i).or_default().0.extend(blocks);
        } else {
            gone[first] = false;
            edits.replace(read[first].whole.get(), format!(r#"{{"role":"user","content":[{}]}}"#, blocks.join(",")));
        }
        let change = Change::new(ChangeKind::Rewritten, "messages.system");
        if !changes.contains(&change) {
            changes.push(change);
        }
    }
    for (at, (head, tail)) in added {
        add_blocks(&read[at], &head, &tail, edits);
    }
}

fn reminders(message: &Message<'_>) -> Vec<String> {
    let wrap = |text: Text<'_>, cache: Option<Raw<'_>>| {
        let lines = [Text::literal("<system-reminder>"), text, Text::literal("</system-reminder>")];
        text_block(&Text::join(&lines, &Text::literal(r"\n")), cache)
    };
    if let Some(text) = text_of(message.content) {
        return if text.is_blank() { Vec::new() } else { vec![wrap(text, None)] };
    }
    let block = |block: &WireBlock<'_>| {
        let text = text_of(block.text).filter(|t| !t.is_blank())?;
        Some(wrap(text.into_owned(), block.cache_control))
    };
    message.blocks.iter().filter_map(block).collect()
}

/// Tool results stay in front of everything.
fn add_blocks<'b>(user: &Message<'b>, head: &[String], tail: &[String], edits: &mut Edits<'b>) {
    let Some(content) = user.content else { return };
    let before = head.iter().map(|block| format!("{block},")).collect::<String>();
    let after = tail.iter().map(|block| format!(",{block}")).collect::<String>();
    let text = text_of(Some(content));
    if text.as_ref().is_some_and(|t| !t.is_blank()) {
        edits.insert_before(content.get(), format!(r#"[{before}{{"type":"text","text":"#));
        edits.insert_after(content.get(), format!("}}{after}]"));
        return;
    }
    let Some(last) = user.blocks.last().filter(|_| text.is_none()) else {
        return edits.replace(content.get(), format!("[{}]", [head, tail].concat().join(",")));
    };
    match user.blocks.iter().find(|b| b.kind() != "tool_result") {
        Some(next) => edits.insert_before(next.whole.get(), before),
        None => edits.insert_after(last.whole.get(), head.iter().map(|block| format!(",{block}")).collect::<String>()),
    }
    edits.insert_after(last.whole.get(), after);
}

fn text_block(text: &Text<'_>, cache: Option<Raw<'_>>) -> String {
    let mut w = Writer::default();
    w.open_object().key("type").raw(r#""text""#).key("text").text(text);
    if let Some(cache) = cache {
        w.key("cache_control").raw(cache.get());
    }
    w.close_object();
    String::from_utf8(w.out).expect("only whole strings were written")
}
