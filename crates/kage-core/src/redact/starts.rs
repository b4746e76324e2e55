//! The end of a text that may be the start of a pattern.

use super::patterns::Patterns;
use super::sieve::Sieve;

const BYTES: usize = 4;

/// The first bytes of all patterns.
pub(super) struct Starts(Sieve);

impl Starts {
    pub(super) fn of(patterns: &Patterns) -> Self {
        let mut sieve = Sieve::for_count(patterns.len());
        patterns.iter().filter_map(number).for_each(|start| sieve.add(start));
        Self(sieve)
    }

    /// Returns the length of the longest end of `text` that is a proper prefix of a pattern.
    pub(super) fn longest_in(&self, patterns: &Patterns, text: &[u8]) -> usize {
        let longest = patterns.longest().saturating_sub(1).min(text.len());
        let ends = (text.len() - longest..text.len()).filter_map(|start| text.get(start..));
        let mut likely = ends.filter(|end| number(end).is_none_or(|four| self.0.may_have(four)));
        likely.find(|end| patterns.begin_with(end)).map_or(0, <[u8]>::len)
    }
}

/// Returns the first bytes as a number, where there are as many.
fn number(text: &[u8]) -> Option<u64> {
    text.first_chunk::<BYTES>().map(|first| u32::from_le_bytes(*first).into())
}
