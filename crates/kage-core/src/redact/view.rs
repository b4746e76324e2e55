//! The two ways in which a text is read: as it is, and without its gaps.

use zeroize::Zeroizing;

use super::Redactor;
use super::gaps::{self, Gap, Place};
use super::index::Match;
use super::joints::Before;

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

/// A text without its gaps, and where its bytes were.
struct Stripped {
    text: Zeroizing<Vec<u8>>,
    /// Where each stretch between two gaps begins: here, and there.
    stretches: Vec<(usize, usize)>,
}

impl Stripped {
    /// Copies what stands between the gaps of `bytes[from..to]`.
    fn of(bytes: &[u8], gaps: &[Gap], from: usize, to: usize) -> Self {
        let mut stripped = Self {
            text: Zeroizing::new(Vec::with_capacity(to.saturating_sub(from))),
            stretches: Vec::new(),
        };
        let first = gaps.partition_point(|gap| gap.end <= from);
        let mut at = from;
        for gap in gaps.iter().skip(first).take_while(|gap| gap.start < to) {
            stripped.copy(bytes, at, gap.start);
            at = gap.end;
        }
        stripped.copy(bytes, at, to);
        stripped
    }

    fn copy(&mut self, bytes: &[u8], from: usize, to: usize) {
        if from < to {
            self.stretches.push((self.text.len(), from));
            self.text.extend_from_slice(bytes.get(from..to).unwrap_or_default());
        }
    }

    /// Returns where a byte was.
    fn origin(&self, at: usize) -> usize {
        let behind = self.stretches.partition_point(|(here, _)| *here <= at);
        let stretch = behind.checked_sub(1).and_then(|index| self.stretches.get(index));
        stretch.map_or(at, |(here, there)| at - here + there)
    }
}

impl Redactor {
    /// Searches `bytes`, which begin at `place` of their stream.
    pub(super) fn read(&self, bytes: &[u8], place: Place) -> Found {
        let mut found = Found::default();
        self.index.search(&self.patterns, bytes, |one| found.exact.push(one));
        found.place = gaps::find(place, bytes, &mut found.gaps);
        for (from, to) in self.around_joints(bytes, &found.gaps) {
            let stripped = Stripped::of(bytes, &found.gaps, from, to);
            self.index.search(&self.patterns, &stripped.text, |one| {
                let (start, end) = (stripped.origin(one.start), stripped.origin(one.end - 1) + 1);
                if end - start > one.end - one.start {
                    found.gapped.push(Match { start, end, owner: one.owner });
                }
            });
        }
        found.open = self.open(bytes, &found.gaps);
        found
    }

    /// Returns the stretches of a text in which a value with a gap in it may be: as much around each
    /// joint as the longest pattern has.
    fn around_joints(&self, bytes: &[u8], gaps: &[Gap]) -> Vec<(usize, usize)> {
        let reach = self.patterns.longest().saturating_sub(1);
        let mut stretches: Vec<(usize, usize)> = Vec::new();
        let mut before = Before::default();
        let mut text = 0;
        for (number, gap) in gaps.iter().enumerate() {
            before.push(bytes.get(text..gap.start).unwrap_or_default());
            text = gap.end;
            let next = gaps.get(number + 1).map_or(bytes.len(), |next| next.start);
            let behind = bytes.get(gap.end..next).unwrap_or_default();
            if !gap.can_be_crossed() || !self.joints.may_join(before, behind) {
                continue;
            }
            let from = back(gaps.get(..=number).unwrap_or_default(), gap.end, reach);
            let to = next.min(gap.end + reach);
            match stretches.last_mut() {
                Some((_, end)) if from <= *end => *end = to,
                _ => stretches.push((from, to)),
            }
        }
        stretches
    }

    fn open(&self, bytes: &[u8], gaps: &[Gap]) -> Open {
        let exact = self.starts.longest_in(&self.patterns, bytes);
        let from = back(gaps, bytes.len(), self.patterns.longest().saturating_sub(1));
        let stripped = Stripped::of(bytes, gaps, from, bytes.len());
        let gapped = self.starts.longest_in(&self.patterns, &stripped.text);
        let length = match gapped {
            0 => 0,
            some => bytes.len() - stripped.origin(stripped.text.len() - some),
        };
        Open { length: length.max(exact), of_pattern: gapped.max(exact) }
    }
}

/// Returns where the last `count` bytes in front of `end` begin that are not gaps, all of `gaps`
/// being before `end`; no further back than a gap that no value crosses.
fn back(gaps: &[Gap], mut end: usize, mut count: usize) -> usize {
    for gap in gaps.iter().rev() {
        let text = end - gap.end;
        if text >= count {
            break;
        }
        if !gap.can_be_crossed() {
            return gap.end;
        }
        count -= text;
        end = gap.start;
    }
    end.saturating_sub(count)
}
