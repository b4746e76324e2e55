//! Whether a value is still valid: what `expires` means.

use jiff::{SignedDuration, Timestamp};

use super::Metadata;

/// How long before its end a value is named.
pub const WARNING: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Whether a value is still valid at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It is, and for longer than [`WARNING`].
    Valid,
    /// It is, and not for long.
    EndsSoon(Timestamp),
    /// It is not any more.
    Expired(Timestamp),
}

impl Metadata {
    /// Returns whether the value is valid at `now`. A value without an expiry always is.
    pub fn validity(&self, now: Timestamp) -> Validity {
        match self.expires {
            Some(end) if end <= now => Validity::Expired(end),
            Some(end) if end.duration_since(now) <= WARNING => Validity::EndsSoon(end),
            Some(_) | None => Validity::Valid,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_named_from_a_week_before_its_end() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        let validity = |expires: Option<&str>| {
            let expires = expires.map(|text| text.parse().unwrap());
            Metadata { expires, ..Metadata::default() }.validity(now)
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (end, expected) in [
            ("2026-12-02T12:00:01Z", Validity::Valid),
            ("2026-12-02T12:00:00Z", Validity::EndsSoon(at("2026-12-02T12:00:00Z"))),
            ("2026-11-25T12:00:01Z", Validity::EndsSoon(at("2026-11-25T12:00:01Z"))),
            ("2026-11-25T12:00:00Z", Validity::Expired(now)),
            ("-009999-01-02T01:59:59Z", Validity::Expired(Timestamp::MIN)),
        ] {
            assert_eq!(validity(Some(end)), expected, "{end}");
        }
        assert_eq!(validity(None), Validity::Valid);
    }
}
