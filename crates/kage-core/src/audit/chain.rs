//! How the lines of the log hold each other: each names the hash of the one before it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Event;

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// The SHA-256 of a line, without its line end.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

impl Hash {
    /// What the first line of all names: there is none before it.
    pub const NONE: Self = Self([0; 32]);

    /// Computes the hash of a line.
    pub fn of(line: &[u8]) -> Self {
        Self(Sha256::digest(line).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from(*self))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        let mut text = Self::with_capacity(2 * hash.0.len());
        let halves = hash.0.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
        text.extend(halves.map(|half| char::from(DIGITS[usize::from(half)])));
        text
    }
}

impl TryFrom<String> for Hash {
    type Error = NotAHash;

    fn try_from(text: String) -> Result<Self, NotAHash> {
        text.parse()
    }
}

impl FromStr for Hash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let digits = text.as_bytes();
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return Err(NotAHash);
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().try_fold(0, |byte, digit| Ok(byte << 4 | nibble(*digit)?))?;
        }
        Ok(Self(hash))
    }
}

fn nibble(digit: u8) -> Result<u8, NotAHash> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(NotAHash),
    }
}

/// The text is not 64 hexadecimal digits in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hexadecimal digits")]
pub struct NotAHash;

/// A line, by its number and its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    /// Its number, from 1; 0 where there is no numbered line yet.
    pub(super) seq: u64,
    /// The hash of the line that stands last, numbered or not.
    pub(super) hash: Hash,
}

impl Link {
    /// What stands before the first line.
    pub(super) const NONE: Self = Self { seq: 0, hash: Hash::NONE };
}

/// What a line says of its place; lines of the earlier format say nothing.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Place {
    pub(super) seq: Option<u64>,
    pub(super) previous: Option<Hash>,
    pub(super) oldest: Option<u64>,
}

impl Place {
    /// Reads a line; `None` when it is no JSON object, such as one whose writing was cut short.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    previous: Hash,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest: Option<u64>,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

/// Writes events as lines that follow `after`. `oldest`: the number of the oldest line that is kept,
/// which the first line of a file says.
///
/// # Panics
/// Never: an event holds nothing that JSON cannot express.
pub(super) fn lines_after(after: Link, oldest: Option<u64>, events: &[Event<'_>]) -> Vec<u8> {
    let (mut last, mut oldest) = (after, oldest);
    let mut lines = Vec::new();
    for event in events {
        let seq = last.seq.saturating_add(1);
        let line = Line { seq, previous: last.hash, oldest: oldest.take(), event };
        let begin = lines.len();
        serde_json::to_writer(&mut lines, &line).expect("an event is plain text");
        last = Link { seq, hash: Hash::of(&lines[begin..]) };
        lines.push(b'\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_sha256sum_and_reads_as_it_is_written() {
        let hash = Hash::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), text);
        assert_eq!(text.parse(), Ok(hash));
        for other in ["", "ba", &text.to_uppercase(), &format!("{text}0"), &"g".repeat(64)] {
            assert_eq!(other.parse::<Hash>(), Err(NotAHash), "{other}");
        }
    }
}
