//! Where the patterns are in a text.

use std::collections::BTreeMap;

use super::patterns::Patterns;
use super::weak::SHORTEST;

/// One occurrence of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) owner: usize,
}

/// Finds patterns by how they begin.
pub(super) struct Index {
    first: BTreeMap<[u8; SHORTEST], (usize, usize)>,
}

impl Index {
    pub(super) fn of(patterns: &Patterns) -> Self {
        let mut first = BTreeMap::new();
        for index in 0..patterns.len() {
            if let Some(start) = patterns.get(index).first_chunk::<SHORTEST>() {
                let range = first.entry(*start).or_insert((index, index));
                range.1 = index + 1;
            }
        }
        Self { first }
    }

    /// Calls `found` with each occurrence of each pattern.
    pub(super) fn search(&self, patterns: &Patterns, text: &[u8], mut found: impl FnMut(Match)) {
        for start in 0..text.len() {
            let Some(rest) = text.get(start..) else { return };
            let Some(begin) = rest.first_chunk::<SHORTEST>() else { return };
            let Some((first, end)) = self.first.get(begin) else { continue };
            for index in *first..*end {
                let pattern = patterns.get(index);
                if rest.starts_with(pattern) {
                    let owner = patterns.owner(index);
                    found(Match { start, end: start + pattern.len(), owner });
                }
            }
        }
    }
}
