//! A set of small numbers that may say yes by mistake, and never no.

use zeroize::Zeroizing;

/// Two bits of one word stand for each number: one look in memory, mostly in the cache.
pub(super) struct Sieve {
    words: Zeroizing<Box<[u64]>>,
    /// How far a hash is shifted to be the number of a word.
    shift: u32,
}

/// How much of the set is spent on each number: about one in fifty others passes.
const BITS: usize = 16;

/// A larger set would leave the cache, which costs more than what passes by mistake.
const MAX_WORDS: usize = 1 << 18;

impl Sieve {
    /// Makes an empty set for `count` numbers.
    pub(super) fn for_count(count: usize) -> Self {
        let words = (count * BITS / 64).next_power_of_two().clamp(64, MAX_WORDS);
        let words = vec![0; words].into_boxed_slice();
        Self { shift: u64::BITS - words.len().ilog2(), words: Zeroizing::new(words) }
    }

    pub(super) fn add(&mut self, number: u64) {
        let hash = hash(number);
        let at = self.word(hash);
        if let Some(word) = self.words.get_mut(at) {
            *word |= bits(hash);
        }
    }

    #[inline]
    pub(super) fn may_have(&self, number: u64) -> bool {
        let hash = hash(number);
        let bits = bits(hash);
        self.words.get(self.word(hash)).is_some_and(|word| word & bits == bits)
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is less than the number of words")]
    fn word(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }
}

/// Mixes all bits of a number into the upper ones of another.
#[inline]
pub(super) fn hash(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn bits(hash: u64) -> u64 {
    1 << ((hash >> 32) & 63) | 1 << ((hash >> 38) & 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_passes_and_little_else_does() {
        let mut sieve = Sieve::for_count(1000);
        let number = |count: u64| (0..count).map(|number| number * 7919);
        number(1000).for_each(|number| sieve.add(number));
        assert!(number(1000).all(|number| sieve.may_have(number)));
        let passed = number(100_000).filter(|number| sieve.may_have(number + 1)).count();
        assert!(passed < 2_000, "{passed}");
    }
}
