use super::*;

fn tags(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

fn among(wanted: &[&str], any: bool) -> Option<Vec<usize>> {
    let own = [tags(&["free"]), tags(&["paid", "eu"]), tags(&["default"])];
    let own: Vec<&[String]> = own.iter().map(Vec::as_slice).collect();
    eligible(&tags(wanted), &own, any)
}

#[test]
fn a_request_goes_to_the_deployments_with_its_tags_and_else_to_the_default_ones() {
    assert_eq!(among(&["paid"], true), Some(vec![1]));
    assert_eq!(among(&["free", "eu"], true), Some(vec![0, 1]));
    assert_eq!(among(&["paid", "eu"], false), Some(vec![1]));
    assert_eq!(among(&["free", "eu"], false), Some(vec![2]));
    assert_eq!(among(&["unknown"], true), Some(vec![2]));
    assert_eq!(among(&[], true), Some(vec![2]));
}

#[test]
fn without_default_deployments_an_untagged_request_goes_anywhere_and_an_unknown_tag_nowhere() {
    let own = [tags(&["free"]), tags(&[])];
    let own: Vec<&[String]> = own.iter().map(Vec::as_slice).collect();
    assert_eq!(eligible(&[], &own, true), Some(vec![0, 1]));
    assert_eq!(eligible(&tags(&["unknown"]), &own, true), None);
}
