//! A redactor that is slow and plain, sees its input whole, and shares no code with the real one but
//! the list of spellings. Both must say the same, however the input is cut.

use kage_core::redact::Redactor;
use proptest::prelude::*;

use super::{pieces, redacted, redactor};

/// No value goes on behind a longer run of gaps.
const LONGEST_GAP: usize = 1024;

/// A pattern, and the name of its value.
type Spelling = (Vec<u8>, String);

/// Which bytes are gaps, as a table of runs.
fn gaps(input: &[u8]) -> Vec<(usize, usize)> {
    let mut is_gap = vec![false; input.len()];
    let mut at = 0;
    let mut line_begins = false;
    while at < input.len() {
        let length = gap_length(&input[at..], line_begins);
        match input[at] {
            b'\r' | b'\n' => line_begins = true,
            _ if length == 0 => line_begins = false,
            _ => {}
        }
        is_gap[at..at + length].fill(true);
        at += length.max(1);
    }
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for at in (0..input.len()).filter(|at| is_gap[*at]) {
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

/// Returns how long the gap is that `rest` begins with.
fn gap_length(rest: &[u8], line_begins: bool) -> usize {
    let count = |from: usize, of: std::ops::RangeInclusive<u8>| {
        rest[from.min(rest.len())..].iter().take_while(|byte| of.contains(byte)).count()
    };
    let one_more = |from: usize, of: std::ops::RangeInclusive<u8>| {
        from + usize::from(rest.get(from).is_some_and(|byte| of.contains(byte)))
    };
    match rest {
        [b'\r' | b'\n', ..] => 1,
        [b' ' | b'\t', ..] if line_begins => 1,
        [0x08, ..] => one_more(1, 0x20..=0xff),
        [0x1b, b'[', ..] => one_more(2 + count(2, 0x20..=0x3f), 0x40..=0x7e),
        [0x1b, ..] => one_more(1 + count(1, 0x20..=0x2f), 0x30..=0x7e),
        _ => 0,
    }
}

/// Returns where `pattern` is in `text`.
fn places<'a>(text: &'a [u8], pattern: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let windows = text.windows(pattern.len()).enumerate();
    windows.filter(move |(_, window)| *window == pattern).map(|(at, _)| at)
}

/// Redacts `input` by the definition.
fn naive(spellings: &[Spelling], input: &[u8]) -> Vec<u8> {
    let gaps = gaps(input);
    let mut exact = vec![false; input.len()];
    // (start, end, name) of each occurrence.
    let mut occurrences: Vec<(usize, usize, &str)> = Vec::new();
    for (pattern, name) in spellings {
        for at in places(input, pattern) {
            occurrences.push((at, at + pattern.len(), name));
            exact[at..at + pattern.len()].fill(true);
        }
    }
    for stretch in stretches(input, &gaps) {
        let text: Vec<u8> = stretch.iter().map(|at| input[*at]).collect();
        for (pattern, name) in spellings {
            for at in places(&text, pattern) {
                occurrences.push((stretch[at], stretch[at + pattern.len() - 1] + 1, name));
            }
        }
    }
    let mut covered = vec![false; input.len()];
    for (start, end, _) in &occurrences {
        covered[*start..*end].fill(true);
    }
    let mut out = Vec::new();
    for at in 0..input.len() {
        if !covered[at] {
            out.push(input[at]);
        } else if at == 0 || !covered[at - 1] {
            out.extend_from_slice(mark(&occurrences, spellings, at).as_bytes());
        }
        let gap = gaps.iter().find(|(start, _)| *start == at);
        if let Some(&(start, end)) =
            gap.filter(|(start, end)| (*start..*end).all(|at| covered[at] && !exact[at]))
        {
            out.extend(controls(&input[start..end]));
        }
    }
    out
}

/// Splits what is no gap where a gap is too long.
fn stretches(input: &[u8], gaps: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut stretches = vec![Vec::new()];
    for at in 0..input.len() {
        match gaps.iter().find(|(start, end)| (*start..*end).contains(&at)) {
            None => stretches.last_mut().expect("one").push(at),
            Some((start, end)) if end - start > LONGEST_GAP => stretches.push(Vec::new()),
            Some(_) => {}
        }
    }
    stretches
}

/// The longest that begins there gives the name; of equal ones the value that was named first.
fn mark(occurrences: &[(usize, usize, &str)], spellings: &[Spelling], at: usize) -> String {
    let here = occurrences.iter().filter(|(start, _, _)| *start == at);
    let rank = |name: &str| spellings.iter().position(|(_, other)| other == name);
    let first = here.min_by_key(|(_, end, name)| (usize::MAX - end, rank(name)));
    first.map(|(_, _, name)| (*name).to_owned()).expect("a byte is covered by something")
}

fn controls(mut gap: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while !gap.is_empty() {
        let length = gap_length(gap, true).max(1);
        let (sequence, rest) = gap.split_at(length);
        let complete = sequence.last().is_some_and(|byte| (0x40..=0x7e).contains(byte));
        if sequence.starts_with(b"\x1b[") && length > 2 && complete {
            out.extend_from_slice(sequence);
        }
        gap = rest;
    }
    out
}

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
