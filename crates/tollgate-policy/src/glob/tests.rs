use super::Glob;

#[test]
fn a_pattern_without_star_matches_only_itself() {
    assert_eq!(Glob::new("gpt-5").capture("gpt-5"), Some(vec![]));
    assert_eq!(Glob::new("gpt-5").capture("gpt-5-mini"), None);
}

#[test]
fn a_star_gives_the_text_it_stood_for() {
    assert_eq!(Glob::new("openai/*").capture("openai/gpt-5"), Some(vec!["gpt-5"]));
    assert_eq!(Glob::new("*-mini").capture("gpt-5-mini"), Some(vec!["gpt-5"]));
    assert_eq!(Glob::new("v-*").capture("v-"), Some(vec![""]));
    assert_eq!(Glob::new("openai/*").capture("openai"), None);
}

#[test]
fn several_stars_each_give_their_text() {
    assert_eq!(Glob::new("*meta.llama3*").capture("us.meta.llama3-70b"), Some(vec!["us.", "-70b"]));
    assert_eq!(Glob::new("a*b*c").capture("a1b2bc"), Some(vec!["1", "2b"]));
    assert_eq!(Glob::new("a*b*c").capture("ac"), None);
}

#[test]
fn beginning_and_end_may_not_overlap() {
    assert_eq!(Glob::new("ab*ba").capture("aba"), None);
}

#[test]
fn more_literal_text_is_more_specific() {
    assert!(Glob::new("openai/gpt-*").specificity() > Glob::new("openai/*").specificity());
    assert!(Glob::new("ab*").specificity() > Glob::new("*ab*").specificity());
    assert!(Glob::new("*").matches_all());
    assert!(!Glob::new("**").matches_all());
}
