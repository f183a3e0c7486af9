//! `docs/follow-a-call.md` shows what `examples/follow_a_call.rs` prints.

#[path = "../examples/follow_a_call.rs"]
mod example;

#[test]
fn the_page_shows_the_call_as_it_is() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/follow-a-call.md");
    let page = std::fs::read_to_string(path).expect("the page exists");
    let story = example::story();

    let shown = page.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown = shown.expect("the page has a block of text");
    for (line, (shown, story)) in shown.lines().zip(story.lines()).enumerate() {
        assert_eq!(shown, story, "line {}; print it: cargo run --example follow_a_call", line + 1);
    }
    assert_eq!(shown.lines().count(), story.lines().count(), "one of the two is longer");
}

/// The call passes every part of the switch that a newcomer must know.
#[test]
fn the_call_passes_all_the_parts() {
    let story = example::story();
    for part in ["sip::digest", "route", "ivr", "acd", "call::queueing", "media", "cdr"] {
        assert!(story.contains(part), "{part}");
    }
}
