//! Which secrets nobody has used for so long: what the audit log says, as far as it goes back.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use kage_core::audit::Uses;
use kage_core::name::Key;
use kage_core::store::Found;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Failure, Kind};
use crate::ui::ago;

/// What is known of a secret that was not used for so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "time")]
pub(super) enum LastUse {
    /// It was used then.
    At(Timestamp),
    /// It was not used since the log began, which is longer ago than was asked.
    NotSince(Timestamp),
    /// The log began later than was asked, if there is one: nobody knows.
    Unknown(Option<Timestamp>),
}

impl LastUse {
    /// Says it in a table.
    pub(super) fn shown(self, now: Timestamp) -> String {
        match self {
            Self::At(time) => ago(time, now),
            Self::NotSince(begin) => format!("not since the log began, {}", ago(begin, now)),
            Self::Unknown(Some(begin)) => format!("unknown: the log began {}", ago(begin, now)),
            Self::Unknown(None) => "unknown: the log is empty".to_owned(),
        }
    }
}

/// Leaves of `found` what nobody has used for `period`, and what nobody knows that of.
pub(super) fn unused(
    cx: &Context,
    period: &str,
    found: &mut Vec<Found>,
) -> Result<BTreeMap<Key, LastUse>, Failure> {
    let before = Timestamp::now()
        .checked_sub(length(period)?)
        .map_err(|error| Failure::of(Kind::Usage, &error))?;
    let uses = Uses::read(&cx.audit_file())?;
    let last = found.iter().filter_map(|found| {
        let last_use = last_use(&uses, found, before)?;
        Some((found.entry.key.clone(), last_use))
    });
    let last: BTreeMap<_, _> = last.collect();
    found.retain(|found| last.contains_key(&found.entry.key));
    Ok(last)
}

/// Returns `None` for what was used, or first stored, after `before`.
fn last_use(uses: &Uses, found: &Found, before: Timestamp) -> Option<LastUse> {
    let last = uses.last(&found.entry.key);
    let newest = last.max(found.entry.meta.created);
    match (last, uses.since) {
        _ if newest.is_some_and(|newest| newest > before) => None,
        (Some(last), _) => Some(LastUse::At(last)),
        (None, Some(since)) if since <= before => Some(LastUse::NotSince(since)),
        (None, since) => Some(LastUse::Unknown(since)),
    }
}

fn length(typed: &str) -> Result<SignedDuration, Failure> {
    let span = typed.parse::<Span>().ok();
    let length = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    length.filter(SignedDuration::is_positive).ok_or_else(|| {
        Failure::new(Kind::Usage, "this is no length of time")
            .hint("give it as days, weeks or hours: 90d, 12w, 36h")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_more_than_nothing() {
        assert_eq!(length("90d").unwrap().as_hours(), 90 * 24);
        assert_eq!(length("12w").unwrap().as_hours(), 12 * 7 * 24);
        for typed in ["", "90", "0d", "-1d", "soon", "1mo"] {
            assert!(length(typed).is_err(), "{typed}");
        }
    }
}
