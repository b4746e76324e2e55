//! Masks values in what programs print.
//!
//! **The rule.** A byte is *covered* if it lies in an occurrence of a pattern, which is a spelling of
//! a value ([`encode`], [`parts`]): in the stream as it is, or in the stream without its gaps
//! ([`gaps`]). The output is the stream with each run of covered bytes replaced by one mark,
//! `[kage:NAME]`. That is a function of the bytes alone: it does not matter how they were cut into
//! reads, in which order values are looked for, or whether one is part of another.
//!
//! **What is held back.** The longest end of the stream that is a proper prefix of a pattern, in
//! either view, and nothing else.
//! - *Nothing leaks.* Let a byte in front of what is held be part of an occurrence that ends later.
//!   Then all from its first byte on is a proper prefix of a pattern, and longer than what is held:
//!   a contradiction. An occurrence that ended already is known.
//! - *Nothing less would do.* Some continuation makes what is held part of an occurrence.
//! - *It is bounded.* A pattern has at most 512 bytes; longer spellings are looked for in pieces.
//!
//! A held byte may already belong to an occurrence that is complete. Each stream keeps how many do,
//! and searches the rest again, at the latest when it ends.
//!
//! **What is not caught.** Values of less than eight bytes, of a few bytes again and again, or that
//! are common words ([`unmaskable`]); up to 18 bytes of a value, and more of one that does not look
//! random; values that are reversed, compressed, encrypted, or have blanks between their bytes; the
//! two halves of a value on two streams; pictures. And whoever writes a stream and watches what is
//! held back learns how a value begins: a stream is for those who may have its values.

mod cover;
mod encode;
mod gaps;
mod index;
mod joints;
mod parts;
mod patterns;
mod sieve;
mod starts;
mod stream;
mod view;
mod weak;

use std::fmt;

use crate::name::SecretName;
use crate::secret::SecretValue;
use index::Index;
use joints::Joints;
use patterns::Patterns;
use starts::Starts;

pub use stream::{Kind, Stream};
pub use weak::{Weakness, unmaskable};

/// Every spelling of every value, ready to be looked for.
pub struct Redactor {
    patterns: Patterns,
    index: Index,
    joints: Joints,
    starts: Starts,
    marks: Vec<Box<[u8]>>,
}

impl Redactor {
    /// Spells `values`. Those that are [`unmaskable`] are left out.
    pub fn new<'a>(values: impl IntoIterator<Item = (&'a SecretName, &'a SecretValue)>) -> Self {
        let (names, values): (Vec<_>, Vec<_>) = values.into_iter().unzip();
        let patterns = Patterns::of(values);
        let marks = names.iter().map(|name| format!("[kage:{name}]").into_bytes().into()).collect();
        Self {
            index: Index::of(&patterns),
            joints: Joints::of(&patterns),
            starts: Starts::of(&patterns),
            patterns,
            marks,
        }
    }

    /// Returns whether there is nothing to mask: then what comes out is what went in.
    pub fn is_empty(&self) -> bool {
        self.patterns.len() == 0
    }

    /// Begins a stream. Standard output and standard error have one each.
    pub fn stream(&self, kind: Kind) -> Stream<'_> {
        Stream::new(self, kind)
    }

    /// Returns all that is looked for, and whose it is: for a slow redactor to compare with.
    #[cfg(feature = "testing")]
    pub fn spellings(&self) -> Vec<(Vec<u8>, String)> {
        let name = |owner| String::from_utf8_lossy(self.mark(owner)).into_owned();
        let mut spellings: Vec<_> = (0..self.patterns.len())
            .map(|index| (self.patterns.owner(index), self.patterns.get(index).to_vec()))
            .collect();
        spellings.sort();
        spellings.into_iter().map(|(owner, bytes)| (bytes, name(owner))).collect()
    }

    fn mark(&self, owner: usize) -> &[u8] {
        self.marks.get(owner).map_or(&[], |mark| mark)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(hidden)")
    }
}
