//! Where a gap may be inside of a value, told from the bytes on both sides.
//!
//! Let an occurrence of a pattern, which has at least eight bytes, have gaps in it, and look at the
//! last one. Either four of its bytes or more stand before that gap, and one behind it; or five or
//! more follow it in a row, and one stands before it. So one of two joints is five bytes in a row of
//! a pattern: four before and one behind, or one before and four behind. No other gap needs a look.

use super::patterns::Patterns;
use super::sieve::Sieve;

const BYTES: usize = 5;

/// Five bytes in a row, of all patterns.
pub(super) struct Joints(Sieve);

/// The last four bytes that are not gaps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Before(u32);

impl Joints {
    pub(super) fn of(patterns: &Patterns) -> Self {
        let count = patterns.iter().map(|pattern| pattern.len() + 1 - BYTES).sum();
        let mut sieve = Sieve::for_count(count);
        for five in patterns.iter().flat_map(|pattern| pattern.windows(BYTES)) {
            sieve.add(five.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        }
        Self(sieve)
    }

    /// Returns whether a value may go on with `behind`, which is what stands between a gap and the
    /// next one.
    pub(super) fn may_join(&self, Before(before): Before, behind: &[u8]) -> bool {
        let Some(first) = behind.first() else { return false };
        if self.0.may_have(u64::from(before) | u64::from(*first) << 32) {
            return true;
        }
        let four = behind.first_chunk().map(|four| u64::from(u32::from_le_bytes(*four)));
        four.is_some_and(|four| self.0.may_have(u64::from(before >> 24) | four << 8))
    }
}

impl Before {
    /// Goes on by a stretch of text.
    pub(super) fn push(&mut self, text: &[u8]) {
        match text.last_chunk() {
            Some(four) => self.0 = u32::from_le_bytes(*four),
            None => text.iter().for_each(|byte| self.0 = self.0 >> 8 | u32::from(*byte) << 24),
        }
    }
}
