//! The redactor and the naive one say the same, however the input is cut.

use kage_core::redact::Redactor;
use proptest::prelude::*;

use super::{pieces, redacted, redactor};
use crate::corpus::redact::naive::{LONGEST_GAP, Spelling, naive};

/// Values of few different bytes, so that they overlap.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(b"aab\nA/' \"\x1b[m1\x08".to_vec());
    let few = prop::collection::vec(byte, 8..16);
    let plain = "[a-c1A]{8,12}".prop_map(String::into_bytes);
    prop_oneof![few, plain, prop::collection::vec(any::<u8>(), 8..20)]
}

/// What an input is made of.
#[derive(Clone, Debug)]
enum Part {
    Noise(Vec<u8>),
    Gap(&'static [u8]),
    /// A stretch of a spelling: which, from where, how long; in parts of a thousand.
    Spelling(u16, u16, u16),
    /// A whole spelling, with a gap in it.
    Broken(u16, u16, &'static [u8]),
}

const GAPS: &[&[u8]] = &[
    b"\n",
    b"\r\n",
    b"\r\n    ",
    b"\x1b[0m",
    b"\x1b[01;31m\x1b[K",
    b"\x1b(B",
    b"\x1b]0;",
    b"\x1b\\",
    b"\x08a",
    b"\x08",
    b"\x1b[",
    b"\x1b",
    b" ",
    b"\n\t\x1b[m  ",
];

/// As long as a gap may be, and longer.
const LONG_GAP: &[u8] = &[b'\n'; LONGEST_GAP];
const LONGER_GAP: &[u8] = &[b'\n'; LONGEST_GAP + 1];

fn part(gaps: &'static [&'static [u8]]) -> impl Strategy<Value = Part> {
    let gap = move || prop::sample::select(gaps);
    let thousandth = || 0..1000_u16;
    let noise =
        prop::collection::vec(prop::sample::select(b"aab\nA/' \"\x1b[m1\x08".to_vec()), 0..6);
    prop_oneof![
        2 => noise.prop_map(Part::Noise),
        2 => gap().prop_map(Part::Gap),
        2 => (thousandth(), thousandth(), thousandth()).prop_map(|(a, b, c)| Part::Spelling(a, b, c)),
        2 => thousandth().prop_map(|which| Part::Spelling(which, 0, 999)),
        3 => (thousandth(), thousandth(), gap()).prop_map(|(a, b, gap)| Part::Broken(a, b, gap)),
    ]
}

fn of(part: u16, length: usize) -> usize {
    usize::from(part) * length / 1000
}

fn input(spellings: &[Spelling], parts: &[Part]) -> Vec<u8> {
    let mut input = Vec::new();
    for part in parts {
        match part {
            Part::Noise(bytes) => input.extend_from_slice(bytes),
            Part::Gap(gap) => input.extend_from_slice(gap),
            Part::Spelling(which, from, length) => {
                let pattern = &spellings[of(*which, spellings.len())].0;
                let from = of(*from, pattern.len());
                input.extend_from_slice(&pattern[from..][..of(length + 1, pattern.len() - from)]);
            }
            Part::Broken(which, at, gap) => {
                let pattern = &spellings[of(*which, spellings.len())].0;
                let (one, two) = pattern.split_at(of(*at, pattern.len()));
                input.extend_from_slice(&[one, gap, two].concat());
            }
        }
    }
    input
}

fn made(values: &[Vec<u8>]) -> Redactor {
    let names = ["A", "B", "C"];
    redactor(names.into_iter().zip(values.iter().map(Vec::as_slice)))
}

/// Both say the same of this input, cut there.
fn compare(values: &[Vec<u8>], parts: &[Part], cuts: &[usize]) -> Result<(), TestCaseError> {
    let redactor = made(values);
    let spellings = redactor.spellings();
    prop_assume!(!spellings.is_empty());
    let input = input(&spellings, parts);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    cuts.sort_unstable();
    let out = redacted(&redactor, &pieces(&input, &cuts));
    let expected = naive(&spellings, &input);
    prop_assert!(
        out == expected,
        "{:?}\nout      {:?}\nexpected {:?}",
        String::from_utf8_lossy(&input),
        String::from_utf8_lossy(&out),
        String::from_utf8_lossy(&expected)
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(10_000) })]

    #[test]
    fn what_comes_out_is_what_the_definition_says_however_it_is_cut(
        values in prop::collection::vec(value(), 1..4),
        parts in prop::collection::vec(part(GAPS), 0..12),
        cuts in prop_oneof![
            9 => prop::collection::vec(0..10_000_usize, 0..12),
            1 => Just((0..10_000).collect()),
        ],
    ) {
        compare(&values, &parts, &cuts)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn long_values_and_long_gaps_are_no_exception(
        values in prop::collection::vec(prop_oneof!["[a-f0-9]{400,1200}", "([a-zA-Z0-9]{20}\n){30}"], 1..3),
        parts in prop::collection::vec(part(&[LONG_GAP, LONGER_GAP, b"\n"]), 0..8),
        cuts in prop::collection::vec(0..100_000_usize, 0..12),
    ) {
        let values: Vec<_> = values.into_iter().map(String::into_bytes).collect();
        compare(&values, &parts, &cuts)?;
    }
}
