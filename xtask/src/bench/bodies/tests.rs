use super::*;

#[test]
fn the_bodies_have_the_sizes_that_the_table_says() {
    for body in [small_chat(), small_messages(), stream_messages()] {
        assert!((900..1200).contains(&body.len()), "{}", body.len());
    }
    assert!((115_000..125_000).contains(&large_messages().len()), "{}", large_messages().len());
    assert!(stream_messages().contains("\"stream\":true"));
}
