use super::{distance, nearest};

#[test]
fn the_distance_counts_edits_and_swaps() {
    assert_eq!(distance("kitten", "sitting", 9), Some(3));
    assert_eq!(distance("api_bsae", "api_base", 9), Some(1));
    assert_eq!(distance("", "abc", 9), Some(3));
    assert_eq!(distance("kitten", "sitting", 2), None);
}

#[test]
fn the_nearest_come_first_and_strangers_not_at_all() {
    let names = ["kimi-k2.5", "kimi-k2", "deepseek-v4-pro", "gpt-5"];
    assert_eq!(nearest("kimi-k25", names, 3), ["kimi-k2", "kimi-k2.5"]);
    assert_eq!(nearest("Kimi-K2.5", names, 1), ["kimi-k2.5"]);
    assert!(nearest("llama", names, 3).is_empty());
}

#[test]
fn a_single_letter_resembles_nothing() {
    assert!(nearest("a", ["b"], 3).is_empty());
}
