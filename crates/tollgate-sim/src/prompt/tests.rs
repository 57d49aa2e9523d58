use super::*;

#[test]
fn a_prompt_is_a_quarter_of_its_bytes_and_the_second_time_it_is_cached() {
    let cache = PromptCache::default();
    let first = cache.count("aaaabbbb", 8);
    assert_eq!(first, PromptTokens { total: 2, cached: 0, written: 2 });
    let second = cache.count("aaaabbbbcccc", 12);
    assert_eq!(second, PromptTokens { total: 3, cached: 2, written: 1 });
}

#[test]
fn what_follows_the_last_breakpoint_is_not_cached() {
    let cache = PromptCache::default();
    cache.count("aaaabbbb", 4);
    assert_eq!(cache.count("aaaabbbb", 4), PromptTokens { total: 2, cached: 1, written: 0 });
}
