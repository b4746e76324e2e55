//! A terminal on which nothing comes for a while.

use kage_core::redact::Kind;
use proptest::prelude::*;

use super::redactor;

const TOKEN: &str = "ghp_s3cr3tForIdle2Token9";
const PASSWORD: &str = "correct s3cr3t for idle";

/// Writes a byte at a time, with a pause behind each.
fn dribbled(kind: Kind, input: &[u8]) -> Vec<Vec<u8>> {
    let secrets = [("TOKEN", TOKEN.as_bytes()), ("PASSWORD", PASSWORD.as_bytes())];
    let redactor = redactor(secrets);
    let mut stream = redactor.stream(kind);
    let mut out = Vec::new();
    let mut shown = Vec::new();
    for byte in input {
        stream.push(&[*byte], &mut out);
        stream.release_idle(&mut out);
        shown.push(out.clone());
    }
    stream.finish(&mut out);
    shown.push(out);
    shown
}

fn last(shown: &[Vec<u8>]) -> String {
    String::from_utf8_lossy(shown.last().expect("the end")).into_owned()
}

#[test]
fn what_may_begin_a_value_is_shown_up_to_three_bytes_or_its_public_start() {
    let shown = dribbled(Kind::Terminal, b"c co cor corr");
    let shown: Vec<_> = shown.iter().map(|out| String::from_utf8_lossy(out)).collect();
    let expected =
        ["c", "c ", "c c", "c co", "c co ", "c co c", "c co co", "c co cor", "c co cor "];
    assert_eq!(shown[..9], expected);
    assert_eq!(
        shown[9..],
        ["c co cor c", "c co cor co", "c co cor cor", "c co cor cor", "c co cor corr"]
    );
    let shown = dribbled(Kind::Terminal, b"ghp_s");
    assert_eq!(shown[3..], [&b"ghp_"[..], b"ghp_", b"ghp_s"]);
}

#[test]
fn the_rest_of_a_value_is_masked_though_its_start_was_shown() {
    let input = format!("a {TOKEN} b {PASSWORD}\n");
    let out = last(&dribbled(Kind::Terminal, input.as_bytes()));
    assert_eq!(out, "a ghp_[kage:TOKEN] b cor[kage:PASSWORD]\n");
}

#[test]
fn to_a_pipe_nothing_is_shown_early() {
    let input = format!("a {TOKEN} b {PASSWORD}\n");
    let shown = dribbled(Kind::Pipe, input.as_bytes());
    assert_eq!(last(&shown), "a [kage:TOKEN] b [kage:PASSWORD]\n");
    assert!(!shown.iter().any(|out| out.ends_with(b"g") || out.ends_with(b"co")));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn no_pause_shows_more_than_that_or_loses_what_is_no_value(
        parts in prop::collection::vec(
            prop_oneof![
                Just(TOKEN), Just(PASSWORD), Just("ghp_s3c"), Just("correct s"), Just("\r\n  "),
                Just("\x1b[1m"), Just("Proceed? "), Just("g"), Just(" "), Just("c\n"),
            ],
            0..8,
        ),
        broken in 0..25_usize,
    ) {
        let (one, two) = TOKEN.split_at(broken.min(TOKEN.len()));
        let input = [parts.concat(), one.to_owned(), "\r\n  ".to_owned(), two.to_owned()].concat();
        let idle = last(&dribbled(Kind::Terminal, input.as_bytes()));
        let strict = last(&dribbled(Kind::Pipe, input.as_bytes()));
        prop_assert!(!idle.contains("ghp_s3cr3tForIdle2T") && !idle.contains("correct s3cr3t f"));
        // Nothing else differs: without what was shown of values, both are the same.
        let bare = |text: &str| {
            text.replace("[kage:TOKEN]", "\0").replace("[kage:PASSWORD]", "\0")
        };
        let marks = |text: &str| bare(text).matches('\0').count();
        prop_assert_eq!(marks(&idle), marks(&strict), "{:?} {:?}", idle, strict);
        prop_assert!(idle.len() >= strict.len() && idle.len() <= strict.len() + 8 * marks(&strict) * 4);
    }
}
