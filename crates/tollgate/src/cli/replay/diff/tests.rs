use serde_json::json;

use super::*;

fn lines(then: Value, now: Value) -> Vec<String> {
    diff(&then, &now).iter().flat_map(Difference::lines).collect()
}

#[test]
fn members_are_added_removed_and_changed_and_their_order_does_not_matter() {
    let then = json!({"model": "a", "max_tokens": 100, "stream": true});
    let now = json!({"stream": true, "model": "b", "max_completion_tokens": 100});
    assert_eq!(
        lines(then.clone(), now),
        [r#"~ model: "a" → "b""#, "- max_tokens: 100", "+ max_completion_tokens: 100"]
    );
    assert_eq!(lines(then.clone(), then), [""; 0]);
}

#[test]
fn one_item_more_in_a_list_is_one_difference() {
    let message = |text: &str| json!({"role": "user", "content": text});
    let then = json!({"messages": [message("1"), message("2"), message("4")]});
    let now = json!({"messages": [message("1"), message("2"), message("3"), message("4")]});
    let three = r#"messages[2]: {"role":"user","content":"3"}"#;
    assert_eq!(lines(then.clone(), now.clone()), [format!("+ {three}")]);
    assert_eq!(lines(now, then), [format!("- {three}")]);
}

#[test]
fn a_change_deep_inside_has_its_path() {
    let then = json!({"messages": [{"content": [{"text": "a"}, {"text": "b"}]}]});
    let now = json!({"messages": [{"content": [{"text": "a"}, {"text": "c"}]}]});
    assert_eq!(lines(then, now), [r#"~ messages[0].content[1].text: "b" → "c""#]);
    assert_eq!(lines(json!([1]), json!({"a": 1})), [r#"~ the whole: [1] → {"a":1}"#]);
}

#[test]
fn long_texts_are_cut_to_where_they_differ() {
    let long = |middle: &str| json!({"text": format!("{}{middle}{}", "a".repeat(500), "b".repeat(500))});
    let shown = lines(long("THEN"), long("NOW"));
    let [then, now] = shown.as_slice() else { panic!("{shown:?}") };
    assert!(then.starts_with("~ text: …aaaa") && then.contains("aTHENb") && then.ends_with("bb…"), "{then}");
    assert!(now.starts_with("      → …aaaa") && now.contains("aNOWb"), "{now}");
    assert!(then.chars().count() < 100);
}
