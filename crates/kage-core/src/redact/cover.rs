//! Which bytes of a text belong to values.

use std::ops::Range;

use super::gaps;
use super::index::Match;
use super::view::Found;

/// All that belongs to values, in order.
pub(super) struct Cover {
    /// Runs of bytes that become one mark each. The owner is that of the longest occurrence that a run
    /// begins with, and of equal ones the first.
    pub(super) runs: Vec<Match>,
    /// The same of what was found in the text as it is, where that makes a difference.
    exact: Vec<Match>,
}

impl Cover {
    pub(super) fn of(found: &Found) -> Self {
        let has_gaps = found.gapped.iter().any(|one| one.start < one.end);
        Self {
            runs: join(found.exact.iter().chain(&found.gapped)),
            exact: if has_gaps { join(&found.exact) } else { Vec::new() },
        }
    }

    /// Gives out the control sequences in a masked stretch of `held`, but for those of which a value has
    /// a byte.
    pub(super) fn controls(
        &self,
        held: &[u8],
        found: &Found,
        masked: Range<usize>,
        out: &mut Vec<u8>,
    ) {
        if found.gapped.iter().all(|one| one.start == one.end) {
            return;
        }
        let first = found.gaps.partition_point(|gap| gap.start < masked.start);
        let inside = found.gaps.iter().skip(first).take_while(|gap| gap.end <= masked.end);
        for gap in inside.filter(|gap| !self.is_exact(gap.start..gap.end)) {
            gaps::controls(held.get(gap.start..gap.end).unwrap_or_default(), out);
        }
    }

    /// Returns whether a byte in there belongs to a value in the text as it is.
    fn is_exact(&self, range: Range<usize>) -> bool {
        let next = self.exact.partition_point(|run| run.end <= range.start);
        self.exact.get(next).is_some_and(|run| run.start < range.end)
    }
}

/// Joins occurrences that overlap or touch.
fn join<'a>(matches: impl IntoIterator<Item = &'a Match>) -> Vec<Match> {
    let mut matches: Vec<_> = matches.into_iter().filter(|one| one.start < one.end).collect();
    matches.sort_unstable_by_key(|one| (one.start, usize::MAX - one.end, one.owner));
    let mut runs: Vec<Match> = Vec::new();
    for one in matches {
        match runs.last_mut() {
            Some(run) if one.start <= run.end => run.end = run.end.max(one.end),
            _ => runs.push(*one),
        }
    }
    runs
}
