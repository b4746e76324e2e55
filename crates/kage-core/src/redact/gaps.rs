//! What stands between the bytes of a value where a terminal, a pager or an editor wrote it.
//!
//! A gap is a line end with the indentation behind it, an escape sequence, or a letter that was
//! struck over itself. Of a string sequence (a title, a link) only the introducer is a gap: what
//! is in it is text, and searched. What is a gap depends on the bytes before alone, so it does not
//! matter how a stream was cut.

use crate::secret::SecretBuffer;

/// No value continues behind a longer run of gaps. It bounds what is held back.
pub(super) const LONGEST: usize = 1024;

const ESCAPE: u8 = 0x1b;
const BACKSPACE: u8 = 0x08;

/// Where in its gap a stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    inside: Inside,
    /// Nothing but gaps since the last line end: blanks are indentation.
    indents: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Inside {
    /// In text, or in indentation.
    #[default]
    Text,
    /// Behind ESC.
    Escape,
    /// Behind ESC and a byte that promises another one: `ESC ( B`.
    Intermediate,
    /// Behind `ESC [`.
    Control,
    /// Behind a backspace.
    Struck,
}

/// A run of gaps without text in between, which is as good as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Gap {
    /// Returns whether a value may go on behind it.
    pub(super) fn can_be_crossed(self) -> bool {
        self.end - self.start <= LONGEST
    }
}

impl Place {
    /// Goes on by one byte, and returns whether it belongs to a gap.
    fn step(&mut self, byte: u8) -> bool {
        let next = match (self.inside, byte) {
            (Inside::Escape | Inside::Intermediate, 0x20..=0x2f) => Inside::Intermediate,
            (Inside::Escape, b'[') | (Inside::Control, 0x20..=0x3f) => Inside::Control,
            (Inside::Escape | Inside::Intermediate, 0x30..=0x7e)
            | (Inside::Control, 0x40..=0x7e)
            | (Inside::Struck, 0x20..) => Inside::Text,
            _ => return self.begin(byte),
        };
        self.inside = next;
        true
    }

    /// Takes a byte that continues nothing.
    fn begin(&mut self, byte: u8) -> bool {
        self.inside = Inside::Text;
        match byte {
            b'\n' | b'\r' => self.indents = true,
            ESCAPE => self.inside = Inside::Escape,
            BACKSPACE => self.inside = Inside::Struck,
            b' ' | b'\t' if self.indents => {}
            _ => {
                self.indents = false;
                return false;
            }
        }
        true
    }

    /// Returns whether what follows is text, whatever it is, up to the next control byte.
    fn is_plain(self) -> bool {
        self == Self::default()
    }
}

/// Appends the gaps of `bytes` to `gaps`, where the stream is at `place`. Returns the place behind
/// them.
pub(super) fn find(mut place: Place, bytes: &[u8], gaps: &mut Vec<Gap>) -> Place {
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if place.is_plain() {
            let skipped = before_control(bytes.get(at..).unwrap_or_default());
            if skipped > 0 {
                at += skipped;
                continue;
            }
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let length = match place.inside {
            Inside::Text if *byte == ESCAPE => control_length(rest),
            _ => None,
        };
        let end = at + length.unwrap_or(1);
        if length.is_some() || place.step(*byte) {
            match gaps.last_mut() {
                Some(gap) if gap.end == at => gap.end = end,
                _ => gaps.push(Gap { start: at, end }),
            }
        }
        at = end;
    }
    place
}

/// Returns the length of the control sequence that `bytes` begin with, if all of it is there. These
/// are by far the most, so they are not taken byte by byte.
fn control_length(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(b"\x1b[")?;
    let parameters = rest.iter().position(|byte| !(0x20..=0x3f).contains(byte))?;
    (0x40..=0x7e).contains(rest.get(parameters)?).then_some(parameters + 3)
}

/// Returns the place behind `bytes`.
pub(super) fn behind(mut place: Place, bytes: &[u8]) -> Place {
    for byte in bytes {
        place.step(*byte);
    }
    place
}

/// Returns `bytes` without their gaps.
pub(super) fn strip(bytes: &[u8]) -> SecretBuffer {
    let mut place = Place::default();
    let mut text = SecretBuffer::with_capacity(bytes.len());
    for byte in bytes {
        if !place.step(*byte) {
            text.extend(&[*byte]);
        }
    }
    text
}

/// Appends the control sequences of a gap: a colour that was switched off inside a value must not
/// run on behind the mark.
pub(super) fn controls(gap: &[u8], out: &mut Vec<u8>) {
    let mut place = Place::default();
    let mut start = 0;
    for (at, byte) in gap.iter().enumerate() {
        let before = place.inside;
        place.step(*byte);
        match (before, place.inside) {
            (_, Inside::Escape) => start = at,
            (Inside::Control, Inside::Text) if (0x40..=0x7e).contains(byte) => {
                out.extend_from_slice(gap.get(start..=at).unwrap_or_default());
            }
            _ => {}
        }
    }
}

/// Returns how many bytes stand before the first control byte. Eight at a time: most of a stream is
/// nothing else.
fn before_control(bytes: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = EACH * 0x80;
    let (words, rest) = bytes.as_chunks::<8>();
    for (count, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The lowest high bit that is left stands at the first byte below 0x20.
        let below = word.wrapping_sub(EACH * 0x20) & !word & HIGH;
        if below != 0 {
            return count * 8 + below.trailing_zeros() as usize / 8;
        }
    }
    let tail = rest.iter().position(|byte| *byte < 0x20);
    words.len() * 8 + tail.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut gaps = Vec::new();
        find(Place::default(), bytes, &mut gaps);
        gaps.iter().map(|gap| (gap.start, gap.end)).collect()
    }

    #[test]
    fn line_ends_escapes_and_overstrikes_are_gaps() {
        for (bytes, expected) in [
            (&b"plain text, \t blanks"[..], &[][..]),
            (b"ab\r\n  cd", &[(2, 6)]),
            (b"ab\x1b[01;31m\x1b[Kcd", &[(2, 13)]),
            (b"ab\r\n \x1b[32m  cd", &[(2, 12)]),
            (b"a\x1b(Bb\x1b7c", &[(1, 4), (5, 7)]),
            (b"a\x1b]0;title\x07b", &[(1, 3)]),
            (b"g\x08gh\x08h", &[(1, 3), (4, 6)]),
            (b"a\x1b\x01b", &[(1, 2)]),
            (b"a\x1b[1\x01b", &[(1, 4)]),
            (b"\x1b[\xc3\xa9", &[(0, 2)]),
        ] {
            assert_eq!(gaps(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_cut_changes_no_gap() {
        let bytes = b"ab\r\n  \x1b[01;31m\x1b(B x\x08xy\x1b]8;;z\x1b\\ \n\tq";
        let whole = strip(bytes);
        for cut in 0..=bytes.len() {
            let place = behind(Place::default(), &bytes[..cut]);
            let mut rest = Vec::new();
            let end = find(place, &bytes[cut..], &mut rest);
            assert_eq!(end, behind(Place::default(), bytes));
            let mut first = Vec::new();
            find(Place::default(), &bytes[..cut], &mut first);
            let length: usize = first.iter().chain(&rest).map(|gap| gap.end - gap.start).sum();
            assert_eq!(bytes.len() - length, whole.len(), "{cut}");
        }
    }

    #[test]
    fn control_sequences_are_kept_and_line_ends_are_not() {
        let mut out = Vec::new();
        controls(b"\x1b[0m\r\n   \x1b[1;32m\x1b]\x1b(B\x08x\x1b[", &mut out);
        assert_eq!(out, b"\x1b[0m\x1b[1;32m");
    }
}
