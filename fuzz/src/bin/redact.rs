//! A redactor: what comes out is what a slow and plain one says, however the input was cut.
#![cfg_attr(fuzzing, no_main)]

use kage_core::name::SecretName;
use kage_core::redact::{Kind, Redactor};
use kage_core::secret::SecretValue;

#[path = "../../../crates/kage-core/tests/it/redact/naive.rs"]
pub(crate) mod naive;

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| check(data));

/// As many bytes are searched in good time by the slow one.
const LONGEST: usize = 2000;

pub(crate) fn check(mut data: &[u8]) {
    // Up to three values, each behind its length; the places of up to eight cuts; the input.
    let values: Vec<_> = (0..3).map(|_| take(&mut data, 40)).collect();
    let cuts = take(&mut data, 8);
    let input = data.get(..LONGEST).unwrap_or(data);
    let secrets: Vec<(SecretName, SecretValue)> = ["A", "B", "C"]
        .into_iter()
        .zip(&values)
        .map(|(name, value)| (name.parse().unwrap(), SecretValue::copy_of(value)))
        .collect();
    let redactor = Redactor::new(secrets.iter().map(|(name, value)| (name, value)));
    let expected = naive::naive(&redactor.spellings(), input);
    assert_eq!(redacted(&redactor, input, cuts), expected);
    assert_eq!(redacted(&redactor, input, &[1]), expected);
}

/// Takes a length, of at most `most`, and as many bytes.
fn take<'a>(data: &mut &'a [u8], most: usize) -> &'a [u8] {
    let Some((length, rest)) = data.split_first() else { return &[] };
    let (taken, rest) = rest.split_at((usize::from(*length) % (most + 1)).min(rest.len()));
    *data = rest;
    taken
}

/// Redacts `input` in pieces of these lengths, again and again.
fn redacted(redactor: &Redactor, mut input: &[u8], lengths: &[u8]) -> Vec<u8> {
    let mut stream = redactor.stream(Kind::Pipe);
    let mut out = Vec::new();
    let mut lengths = lengths.iter().map(|length| usize::from(*length).max(1)).cycle();
    while !input.is_empty() {
        let (piece, rest) = input.split_at(lengths.next().unwrap_or(input.len()).min(input.len()));
        stream.push(piece, &mut out);
        stream.push(&[], &mut out);
        input = rest;
    }
    stream.finish(&mut out);
    out
}
