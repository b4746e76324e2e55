//! Finds all patterns in a text at once, and looks at a small part of it only.
//!
//! A *gram* is a few bytes in a row. Of each pattern, the grams at as many offsets in a row as the
//! *stride* is are known. The text is looked at once in each stride: whatever contains a pattern
//! contains one of its known grams where it is looked at, exactly once, so nothing is missed. The
//! stride is as long as the shortest pattern allows. Where a gram is known, whole patterns are
//! compared.

use zeroize::Zeroizing;

use super::patterns::Patterns;
use super::sieve::{Sieve, hash};
use super::weak::SHORTEST;

/// One occurrence of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) owner: usize,
}

/// The known grams of all patterns.
pub(super) struct Index {
    shape: Shape,
    sieve: Sieve,
    known: Vec<Known>,
    /// Where in `known` the grams with a hash begin; they end where those of the next one begin.
    starts: Zeroizing<Vec<u32>>,
    /// How far a hash is shifted to be a place in `starts`.
    shift: u32,
}

/// How grams are taken.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// The length of a gram.
    bytes: usize,
    /// How far apart they are looked for.
    stride: usize,
    /// The bytes of a gram, among the eight that are read.
    mask: u64,
}

/// A gram: that at `offset` of a pattern.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    pattern: u32,
    offset: u32,
}

impl Shape {
    /// Longer grams are rarer, and leave a shorter stride.
    fn for_shortest(shortest: usize) -> Self {
        let bytes = match shortest {
            14.. => 8,
            10.. => 6,
            _ => 4,
        };
        Self { bytes, stride: shortest + 1 - bytes, mask: u64::MAX >> (64 - 8 * bytes) }
    }

    /// Reads the gram at the start of `text`, which may end behind it.
    #[inline]
    fn gram(self, text: &[u8]) -> u64 {
        let word =
            text.first_chunk().map_or_else(|| short_word(text), |it| u64::from_le_bytes(*it));
        word & self.mask
    }

    /// Returns the offset of the first known gram: where they are rarest in what people print.
    fn first(self, pattern: &[u8]) -> usize {
        let span = self.stride + self.bytes - 1;
        let mut sum: u32 = pattern.iter().take(span).map(|byte| rarity(*byte)).sum();
        let (mut best, mut most) = (0, sum);
        for (offset, (leaves, enters)) in pattern.iter().zip(pattern.iter().skip(span)).enumerate()
        {
            sum = sum + rarity(*enters) - rarity(*leaves);
            if sum > most {
                (best, most) = (offset + 1, sum);
            }
        }
        best
    }
}

impl Index {
    pub(super) fn of(patterns: &Patterns) -> Self {
        let shape = Shape::for_shortest(patterns.iter().map(<[u8]>::len).min().unwrap_or(SHORTEST));
        let count = patterns.len() * shape.stride;
        let buckets = (count / 2).next_power_of_two().max(2);
        let mut index = Self {
            shape,
            sieve: Sieve::for_count(count),
            known: vec![Known::default(); count],
            starts: Zeroizing::new(vec![0; buckets + 1]),
            shift: u64::BITS - buckets.ilog2(),
        };
        index.fill(patterns);
        index
    }

    /// Sorts all grams by their hash: counts, sums up, and puts each in its place.
    fn fill(&mut self, patterns: &Patterns) {
        let shape = self.shape;
        let firsts: Vec<_> = patterns.iter().map(|pattern| shape.first(pattern)).collect();
        let each = |put: &mut dyn FnMut(u64, Known)| {
            for ((number, pattern), first) in (0..).zip(patterns.iter()).zip(&firsts) {
                for offset in *first..first + shape.stride {
                    let gram = shape.gram(pattern.get(offset..).unwrap_or_default());
                    let offset = u32::try_from(offset).expect("patterns are short");
                    put(gram, Known { pattern: number, offset });
                }
            }
        };
        each(&mut |gram, _| {
            self.sieve.add(gram);
            let bucket = self.bucket(gram);
            self.starts[bucket + 1] += 1;
        });
        for bucket in 1..self.starts.len() {
            self.starts[bucket] += self.starts[bucket - 1];
        }
        let mut next = self.starts.clone();
        each(&mut |gram, known| {
            let place = &mut next[self.bucket(gram)];
            self.known[*place as usize] = known;
            *place += 1;
        });
    }

    #[expect(clippy::cast_possible_truncation, reason = "it is less than the number of buckets")]
    fn bucket(&self, gram: u64) -> usize {
        (hash(gram) >> self.shift) as usize
    }

    /// Calls `found` with each occurrence of each pattern, once.
    pub(super) fn search(&self, patterns: &Patterns, text: &[u8], mut found: impl FnMut(Match)) {
        let Shape { bytes, stride, .. } = self.shape;
        let mut at = 0;
        // Four at once: mostly none of them is known, which is one branch then.
        while let Some(rest) = text.get(at..).filter(|rest| rest.len() >= 3 * stride + 8) {
            let known = |number: usize| {
                rest.get(number * stride..)
                    .is_some_and(|rest| self.sieve.may_have(self.shape.gram(rest)))
            };
            if known(0) | known(1) | known(2) | known(3) {
                for number in 0..4 {
                    self.look(patterns, text, at + number * stride, &mut found);
                }
            }
            at += 4 * stride;
        }
        while at + bytes <= text.len() {
            self.look(patterns, text, at, &mut found);
            at += stride;
        }
    }

    fn look(&self, patterns: &Patterns, text: &[u8], at: usize, found: &mut impl FnMut(Match)) {
        let gram = self.shape.gram(text.get(at..).unwrap_or_default());
        if self.sieve.may_have(gram) {
            self.compare(patterns, text, at, gram, found);
        }
    }

    /// Compares the patterns with this gram with what is around it.
    #[cold]
    fn compare(
        &self,
        patterns: &Patterns,
        text: &[u8],
        at: usize,
        gram: u64,
        found: &mut impl FnMut(Match),
    ) {
        let bucket = self.bucket(gram);
        let range = self.starts[bucket] as usize..self.starts[bucket + 1] as usize;
        for known in self.known.get(range).unwrap_or_default() {
            let Some(start) = at.checked_sub(known.offset as usize) else { continue };
            let pattern = patterns.get(known.pattern as usize);
            if text.get(start..).is_some_and(|text| text.starts_with(pattern)) {
                let owner = patterns.owner(known.pattern as usize);
                found(Match { start, end: start + pattern.len(), owner });
            }
        }
    }
}

/// Reads up to eight bytes, as if zeros stood behind them.
#[cold]
fn short_word(text: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
    u64::from_le_bytes(word)
}

/// Says how seldom people print a byte: small letters and blanks are everywhere.
fn rarity(byte: u8) -> u32 {
    match byte {
        b'a'..=b'z' | b' ' | b'\n' | b'-' | b'/' | b'.' | b'_' | b'=' | 0 => 0,
        b'0'..=b'9' | b'A'..=b'F' => 2,
        _ => 3,
    }
}
