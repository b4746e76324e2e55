//! All spellings of all values: sorted, each once, in one piece of memory that is wiped.

use zeroize::Zeroizing;

use super::encode::ALL;
use super::gaps;
use super::parts::{Alone, each_part, looks_random, public_start, trim};
use super::weak::{SHORTEST, weakness};
use crate::secret::{SecretBuffer, SecretValue};

/// A longer value is looked for as it is only. No environment holds one.
const LONGEST: usize = 256 * 1024;

/// A longer spelling is looked for in pieces of [`PIECE`] bytes. It bounds what is held back.
const WHOLE: usize = 512;

/// Pieces of a long spelling begin at every [`STEP`] bytes, so together they cover it.
const PIECE: usize = 256;
const STEP: usize = 128;

/// Of a value that looks random, also parts of this length are looked for, one at every [`NEXT`] bytes
/// of each spelling. So of what is longer than both together no more than three bytes are left on
/// each side.
const PART: usize = 16;
const NEXT: usize = 4;

/// Each pattern is a spelling of a value, or of a part of it.
pub(super) struct Patterns {
    text: Zeroizing<Box<[u8]>>,
    spans: Vec<Span>,
    longest: usize,
}

/// Where a pattern is in the text.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: usize,
    length: u32,
    owner: u32,
}

impl Span {
    fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.start + self.length as usize).unwrap_or_default()
    }
}

impl Patterns {
    /// Spells all values. The owner of a pattern is the place of its value; of equal ones the first.
    pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a SecretValue>) -> Self {
        let mut builder = Builder::default();
        for (owner, value) in (0..).zip(values) {
            value.expose(|value| builder.add_value(value, owner));
        }
        builder.finish()
    }

    /// Returns how many patterns there are.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// Returns the length of the longest one.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Returns a pattern; they are in the order of their bytes.
    pub(super) fn get(&self, index: usize) -> &[u8] {
        self.spans.get(index).map_or(&[], |span| span.of(&self.text))
    }

    /// Returns all of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|span| span.of(&self.text))
    }

    /// Returns the place of the value that a pattern is a spelling of.
    pub(super) fn owner(&self, index: usize) -> usize {
        self.spans.get(index).map_or(0, |span| span.owner as usize)
    }

    /// Returns whether `start` is a proper prefix of a pattern.
    pub(super) fn begin_with(&self, start: &[u8]) -> bool {
        let first = self.spans.partition_point(|span| span.of(&self.text) <= start);
        self.get(first).starts_with(start)
    }
}

/// Collects patterns.
#[derive(Default)]
struct Builder {
    text: SecretBuffer,
    spans: Vec<Span>,
}

impl Builder {
    fn add_value(&mut self, value: &[u8], owner: u32) {
        if weakness(value).is_some() {
            return;
        }
        self.add(value, owner);
        let trimmed = trim(value);
        if trimmed.len() > LONGEST {
            return self.add(trimmed, owner);
        }
        self.add_spellings(trimmed, owner);
        each_part(trimmed, |part, alone| match alone {
            Alone::AsItIs => self.add_spelling(part, 0, owner),
            Alone::Encoded => self.add_spellings(part, owner),
        });
    }

    fn add_spellings(&mut self, value: &[u8], owner: u32) {
        let public = value.get(..public_start(value)).unwrap_or_default();
        let secret = value.get(public.len()..).unwrap_or_default();
        let has_parts = looks_random(secret);
        let mut before: Vec<SecretBuffer> = Vec::new();
        for encoding in ALL {
            let spelling = encoding.spell(value);
            let is_new = |other: &SecretBuffer| {
                other.expose(|other| spelling.expose(|spelling| spelling != other))
            };
            if !before.iter().all(is_new) {
                continue;
            }
            let public = if has_parts { encoding.spell(public).len() } else { usize::MAX };
            spelling.expose(|spelling| self.add_spelling(spelling, public, owner));
            before.push(spelling);
        }
    }

    /// Adds a spelling, and parts of what stands behind its first `public` bytes.
    fn add_spelling(&mut self, spelling: &[u8], public: usize, owner: u32) {
        self.add(spelling, owner);
        let secret = spelling.get(public..).unwrap_or_default();
        let last = secret.len().checked_sub(PART).and_then(|start| secret.get(start..));
        secret.windows(PART).step_by(NEXT).chain(last).for_each(|part| self.push(part, owner));
    }

    /// Adds a spelling, and what it looks like without gaps.
    fn add(&mut self, spelling: &[u8], owner: u32) {
        self.add_pieces(spelling, owner);
        let stripped = gaps::strip(spelling);
        if stripped.len() < spelling.len() && stripped.len() >= SHORTEST {
            stripped.expose(|stripped| self.add_pieces(stripped, owner));
        }
    }

    fn add_pieces(&mut self, spelling: &[u8], owner: u32) {
        if spelling.len() <= WHOLE {
            return self.push(spelling, owner);
        }
        let last = spelling.get(spelling.len() - PIECE..).unwrap_or(spelling);
        let pieces = spelling.windows(PIECE).step_by(STEP).chain([last]);
        // A long row of zeros is in any file.
        pieces.filter(|piece| weakness(piece).is_none()).for_each(|piece| self.push(piece, owner));
    }

    fn push(&mut self, pattern: &[u8], owner: u32) {
        if pattern.len() < SHORTEST {
            return;
        }
        let start = self.text.len();
        let length = u32::try_from(pattern.len()).expect("patterns are short");
        self.text.extend(pattern);
        self.spans.push(Span { start, length, owner });
    }

    fn finish(mut self) -> Patterns {
        let text = self.text.expose(|text| Zeroizing::new(Box::from(text)));
        let Self { spans, .. } = &mut self;
        spans.sort_unstable_by_key(|span| (span.of(&text), span.owner));
        spans.dedup_by_key(|span| span.of(&text));
        let longest = spans.iter().map(|span| span.length as usize).max().unwrap_or(0);
        Patterns { spans: self.spans, text, longest }
    }
}
