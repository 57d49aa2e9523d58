use super::*;
use crate::request::{Tool, ToolKind};

fn tool(name: &str) -> Tool<'static> {
    Tool {
        name: Text::plain(name),
        description: None,
        kind: ToolKind::Function { schema: None },
        strict: None,
        deferred: false,
        namespace: None,
        cache: None,
    }
}

#[test]
fn a_legal_name_is_kept() {
    let name = "a".repeat(64);
    assert_eq!(safe_tool_name(&Text::plain(&name), None).escaped(), name);
    assert_eq!(safe_tool_name(&Text::plain("mcp__srv__tool-1"), None).escaped(), "mcp__srv__tool-1");
}

#[test]
fn a_long_name_keeps_55_characters_and_gets_a_hash() {
    // printf '%s' aaa…(65) | sha256sum
    let name = "a".repeat(65);
    let expected = format!("{}_635361c4", "a".repeat(55));
    assert_eq!(safe_tool_name(&Text::plain(&name), None).escaped(), expected);
    assert_eq!(expected.len(), 64);
}

#[test]
fn illegal_characters_and_empty_names_are_replaced() {
    // printf 'read file' | sha256sum; printf '' | sha256sum
    assert_eq!(safe_tool_name(&Text::plain("read file"), None).escaped(), "read_file_1214148e");
    assert_eq!(safe_tool_name(&Text::plain(""), None).escaped(), "_e3b0c442");
}

#[test]
fn names_that_differ_only_in_illegal_characters_stay_apart() {
    assert_ne!(safe_tool_name(&Text::plain("a.b"), None), safe_tool_name(&Text::plain("a b"), None));
}

#[test]
fn the_map_restores_only_what_was_changed() {
    let long = "x".repeat(80);
    let request = Request { tools: vec![tool(&long), tool("Bash")], ..Request::default() };
    let map = NameMap::of(&request, None);
    let sent = safe_tool_name(&request.tools[0].name, None).into_owned();
    assert_eq!(map.restore(sent).escaped(), long);
    assert_eq!(map.restore(Text::plain("Bash")).escaped(), "Bash");
    assert!(NameMap::of(&Request { tools: vec![tool("Bash")], ..Request::default() }, None).is_empty());
}

#[test]
fn ids_are_kept_unless_their_form_is_refused() {
    let id = Text::plain("functions.Bash:0");
    assert_eq!(safe_id(IdForm::Any, &id), id);
    assert_eq!(safe_id(IdForm::NineAlnum, &Text::plain("abcDEF123")).escaped(), "abcDEF123");
    assert_eq!(safe_id(IdForm::Word, &Text::plain("toolu_01-a")).escaped(), "toolu_01-a");
}

#[test]
fn a_refused_id_becomes_one_of_the_form_always_the_same() {
    let id = Text::plain("functions.Bash:0");
    let nine = safe_id(IdForm::NineAlnum, &id);
    assert!(nine.escaped().len() == 9 && nine.escaped().bytes().all(|b| b.is_ascii_alphanumeric()));
    assert_eq!(nine, safe_id(IdForm::NineAlnum, &id));
    let word = safe_id(IdForm::Word, &id);
    assert!(is_word(word.escaped()));
    assert_ne!(word, safe_id(IdForm::Word, &Text::plain("functions.Bash:1")));
}

#[test]
fn a_name_in_a_namespace_is_flat_for_providers_and_finds_back() {
    let name = qualified(Some(&Text::plain("agents")), Text::plain("spawn"));
    let flat = safe_tool_name(&name, None);
    assert_eq!(flat.escaped(), "agents__spawn");
    assert_eq!(unqualified(&name), (Some(Text::plain("agents")), Text::plain("spawn")));
    assert_eq!(unqualified(&flat), (None, Text::plain("agents__spawn")));
    let mut request = Request::default();
    request.tools.push(Tool { name: name.clone(), ..tool("x") });
    assert_eq!(NameMap::of(&request, None).restore(Text::plain("agents__spawn")), name);
    let long = qualified(Some(&Text::plain(&"n".repeat(60))), Text::plain("spawn"));
    assert_eq!(safe_tool_name(&long, None).escaped().len(), 64);
    assert_eq!(qualified(None, Text::plain("f")), Text::plain("f"));
}
