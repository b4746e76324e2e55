//! Words and times for people.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::Timestamp;

/// Makes text that kage did not write fit to be shown: control and bidirectional characters, which
/// could move the cursor or reorder the line, are written as `\u{…}`.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || reorders(character) {
            write!(shown, "{}", character.escape_unicode()).unwrap_or_default();
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Makes text that a repository wrote fit for one line of a report: as [`printable`], and short, so
/// that it pushes nothing else off the screen.
pub(crate) fn brief(text: &str) -> String {
    const MAX_CHARACTERS: usize = 120;
    let shown = printable(text);
    match shown.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => shown.get(..end).map(|start| format!("{start}…")).unwrap_or_default(),
        None => shown,
    }
}

/// Writes JSON so that a terminal shows it as it is: the characters that [`printable`] escapes, as
/// `\u…`, which says the same to whoever reads it. Line ends are those between the values: in strings
/// JSON has escaped them already.
pub(crate) fn plain_json(json: &str) -> Cow<'_, str> {
    let escaped = |c: char| (c.is_control() && c != '\n') || reorders(c);
    if !json.contains(escaped) {
        return json.into();
    }
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if escaped(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(shown, "\\u{unit:04x}").unwrap_or_default();
            }
        } else {
            shown.push(character);
        }
    }
    shown.into()
}

/// The characters that reorder or hide what stands around them (Unicode TR 36 and UAX 9).
fn reorders(character: char) -> bool {
    matches!(
        character,
        '\u{061c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Says how long `then` lies before `now`, in one unit.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    roughly(seconds).map_or_else(|| "just now".to_owned(), |length| format!("{length} ago"))
}

/// Says how far `end` lies behind `now`, in one unit.
pub(crate) fn until(end: Timestamp, now: Timestamp) -> String {
    let seconds = end.as_second().saturating_sub(now.as_second());
    roughly(seconds).map_or_else(|| "in a moment".to_owned(), |length| format!("in {length}"))
}

/// Says when a value stops, or stopped, being valid.
pub(crate) fn expiry(end: Timestamp, now: Timestamp) -> String {
    if end <= now { format!("expired {}", ago(end, now)) } else { until(end, now) }
}

/// Says the day of a time, in UTC.
pub(crate) fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

/// Says a number of seconds in one unit; `None` below a minute.
fn roughly(seconds: i64) -> Option<String> {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    let (count, unit) = match seconds {
        ..MINUTE => return None,
        MINUTE..HOUR => (seconds / MINUTE, "minute"),
        HOUR..DAY => (seconds / HOUR, "hour"),
        DAY.. => match seconds / DAY {
            days @ ..7 => (days, "day"),
            days @ 7..30 => (days / 7, "week"),
            days @ 30..365 => (days / 30, "month"),
            days => (days / 365, "year"),
        },
    };
    let ending = if count == 1 { "" } else { "s" };
    Some(format!("{count} {unit}{ending}"))
}

/// Says a count with its noun: "1 secret", "2 secrets".
pub(crate) fn amount(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Lists things in a sentence, each in backticks.
pub(crate) fn listed<T: std::fmt::Display>(things: impl IntoIterator<Item = T>) -> String {
    let quoted: Vec<_> =
        things.into_iter().map(|thing| format!("`{}`", printable(&thing.to_string()))).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_one_unit() {
        let now: Timestamp = "2026-11-25T12:00:00Z".parse().unwrap();
        for (seconds, said) in [
            (-5, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (7199, "1 hour ago"),
            (86_400, "1 day ago"),
            (2 * 86_400, "2 days ago"),
            (7 * 86_400, "1 week ago"),
            (29 * 86_400, "4 weeks ago"),
            (30 * 86_400, "1 month ago"),
            (800 * 86_400, "2 years ago"),
        ] {
            let then = Timestamp::from_second(now.as_second() - seconds).unwrap();
            assert_eq!(ago(then, now), said);
        }
        let later = |seconds: i64| Timestamp::from_second(now.as_second() + seconds).unwrap();
        assert_eq!(until(later(59), now), "in a moment");
        assert_eq!(until(later(2 * 86_400), now), "in 2 days");
        assert_eq!(expiry(later(3600), now), "in 1 hour");
        assert_eq!(expiry(now, now), "expired just now");
        assert_eq!(expiry(later(-3600), now), "expired 1 hour ago");
        assert_eq!(day(now), "2026-11-25");
    }

    #[test]
    fn what_could_move_or_reorder_is_escaped() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\u{a}");
        assert_eq!(printable("x\u{202e}y\u{200b}"), "x\\u{202e}y\\u{200b}");
        assert_eq!(printable("~/Schlüssel/影"), "~/Schlüssel/影");
    }

    #[test]
    fn what_a_repository_wrote_takes_no_more_than_a_line() {
        assert_eq!(brief("the test\naccount"), "the test\\u{a}account");
        assert_eq!(brief(&"影".repeat(120)), "影".repeat(120));
        assert_eq!(brief(&"影".repeat(121)), format!("{}…", "影".repeat(120)));
    }

    #[test]
    fn json_says_the_same_when_it_is_shown_plainly() {
        let text = "a\u{1b}[2J\u{9b}\u{7f}\u{202e}\u{e0041}\n\"ü影";
        let json = serde_json::to_string_pretty(&[text]).unwrap();
        let plain = plain_json(&json);
        assert_eq!(plain, "[\n  \"a\\u001b[2J\\u009b\\u007f\\u202e\\udb40\\udc41\\n\\\"ü影\"\n]");
        assert_eq!(serde_json::from_str::<Vec<String>>(&plain).unwrap(), [text]);
    }
}
