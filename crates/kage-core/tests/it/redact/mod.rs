//! The redactor: the corpus of what other tools let through, and a slow one that shares no code.

mod corpus;
mod idle;
mod oracle;

use kage_core::name::SecretName;
use kage_core::redact::{Kind, Redactor};
use kage_core::secret::SecretValue;

/// Makes a redactor of names and values.
pub(crate) fn redactor<'a>(secrets: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Redactor {
    let secrets: Vec<(SecretName, SecretValue)> = secrets
        .into_iter()
        .map(|(name, value)| {
            (name.parse().expect("it is well formed"), SecretValue::copy_of(value))
        })
        .collect();
    Redactor::new(secrets.iter().map(|(name, value)| (name, value)))
}

/// Redacts what comes in these pieces. What waits is known to be what `finish` gives.
pub(crate) fn redacted(redactor: &Redactor, pieces: &[&[u8]]) -> Vec<u8> {
    let mut stream = redactor.stream(Kind::Pipe);
    let mut out = Vec::new();
    for piece in pieces {
        stream.push(piece, &mut out);
        if !stream.holds() {
            let before = out.len();
            redactor_holds_nothing(&mut stream, &mut out);
            assert_eq!(out.len(), before, "it said that nothing waits");
        }
    }
    stream.finish(&mut out);
    out
}

fn redactor_holds_nothing(stream: &mut kage_core::redact::Stream<'_>, out: &mut Vec<u8>) {
    // A pipe gives out nothing while it waits.
    stream.release_idle(out);
}

/// Cuts `input` there.
pub(crate) fn pieces<'a>(input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let starts = std::iter::once(&0).chain(cuts);
    let ends = cuts.iter().chain(std::iter::once(&const { usize::MAX }));
    starts.zip(ends).map(|(start, end)| &input[*start..(*end).min(input.len())]).collect()
}
