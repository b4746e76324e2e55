//! The two ways in which a text is read: as it is, and without its gaps.

use zeroize::Zeroizing;

use super::gaps::{self, Gap, Place};
use super::index::{Index, Match};
use super::patterns::Patterns;

/// What was found in a text.
#[derive(Default)]
pub(super) struct Found {
    /// Occurrences in the text as it is.
    pub(super) exact: Vec<Match>,
    /// Occurrences with gaps in them. They begin and end with a byte of the value.
    pub(super) gapped: Vec<Match>,
    /// The gaps.
    pub(super) gaps: Vec<Gap>,
    /// What may be the beginning of an occurrence, at the end of the text.
    pub(super) open: Open,
    /// The place behind the text.
    pub(super) place: Place,
}

/// The longest end of a text that is a proper prefix of a pattern, in either view.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Open {
    /// How many bytes of the text it is, gaps and what stands behind them included.
    pub(super) length: usize,
    /// How many bytes of a pattern it is.
    pub(super) of_pattern: usize,
}

/// A text without some of its gaps, in pieces that no value crosses.
struct Stripped {
    text: Zeroizing<Vec<u8>>,
    /// Where in the text each stretch between two gaps begins: here, and there.
    stretches: Vec<(usize, usize)>,
}

impl Stripped {
    /// Copies what stands between the gaps of `bytes[from..to]`.
    fn of(bytes: &[u8], gaps: &[Gap], from: usize, to: usize) -> Self {
        let mut text = Zeroizing::new(Vec::with_capacity(to - from));
        let mut stretches = Vec::new();
        let mut at = from;
        for gap in gaps.iter().filter(|gap| gap.end > from && gap.start < to) {
            if gap.start > at {
                stretches.push((text.len(), at));
                text.extend_from_slice(bytes.get(at..gap.start).unwrap_or_default());
            }
            at = gap.end;
        }
        if at < to {
            stretches.push((text.len(), at));
            text.extend_from_slice(bytes.get(at..to).unwrap_or_default());
        }
        Self { text, stretches }
    }

    /// Returns where a byte was.
    fn origin(&self, at: usize) -> usize {
        let behind = self.stretches.partition_point(|(here, _)| *here <= at);
        let stretch = behind.checked_sub(1).and_then(|index| self.stretches.get(index));
        stretch.map_or(at, |(here, there)| at - here + there)
    }
}

/// Reads `bytes`, which begin at `place` of their stream.
pub(super) fn read(patterns: &Patterns, index: &Index, bytes: &[u8], place: Place) -> Found {
    let mut found = Found::default();
    index.search(patterns, bytes, |one| found.exact.push(one));
    found.place = gaps::find(place, bytes, &mut found.gaps);
    for (from, to) in between_long_gaps(&found.gaps, bytes.len()) {
        let stripped = Stripped::of(bytes, &found.gaps, from, to);
        index.search(patterns, &stripped.text, |one| {
            let (start, end) = (stripped.origin(one.start), stripped.origin(one.end - 1) + 1);
            if end - start > one.end - one.start {
                found.gapped.push(Match { start, end, owner: one.owner });
            }
        });
    }
    found.open = open(patterns, bytes, &found.gaps);
    found
}

/// Returns the stretches of a text that no value leaves.
fn between_long_gaps(gaps: &[Gap], length: usize) -> Vec<(usize, usize)> {
    let mut from = 0;
    let mut stretches = Vec::new();
    for gap in gaps.iter().filter(|gap| !gap.can_be_crossed()) {
        stretches.push((from, gap.start));
        from = gap.end;
    }
    stretches.push((from, length));
    stretches
}

fn open(patterns: &Patterns, bytes: &[u8], gaps: &[Gap]) -> Open {
    let exact = longest_open(patterns, bytes);
    let from = gaps.iter().rfind(|gap| !gap.can_be_crossed()).map_or(0, |gap| gap.end);
    let stripped = Stripped::of(bytes, gaps, from, bytes.len());
    let gapped = longest_open(patterns, &stripped.text);
    let length = match gapped {
        0 => 0,
        some => bytes.len() - stripped.origin(stripped.text.len() - some),
    };
    Open { length: length.max(exact), of_pattern: gapped.max(exact) }
}

/// Returns the length of the longest end of `text` that is a proper prefix of a pattern.
fn longest_open(patterns: &Patterns, text: &[u8]) -> usize {
    let longest = patterns.longest().saturating_sub(1).min(text.len());
    let ends = (text.len() - longest..text.len()).filter_map(|start| text.get(start..));
    ends.filter(|end| patterns.begin_with(end)).map(<[u8]>::len).next().unwrap_or(0)
}
