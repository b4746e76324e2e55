//! Values that are not looked for: masking them would spoil the output, and tell what they are.

use std::fmt;

use super::parts::trim;
use crate::secret::SecretValue;

/// The shortest value, without what surrounds it, that is masked.
pub(super) const SHORTEST: usize = 8;

/// As few different bytes as these are a line of dashes or of zeros.
const FEW_BYTES: usize = 3;

/// Words that are in any output, and that people use as values: of eight letters or more.
const WORDS: &[&str] = &[
    "changeme",
    "database",
    "develop",
    "developer",
    "development",
    "disabled",
    "localhost",
    "password",
    "passw0rd",
    "password1",
    "postgres",
    "postgresql",
    "production",
    "readonly",
    "redacted",
    "required",
    "sandbox",
    "staging",
    "undefined",
    "username",
    "administrator",
    "anonymous",
    "default",
    "example.com",
    "127.0.0.1",
    "12345678",
    "123456789",
    "1234567890",
];

/// Why a value is not masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// It has less than eight bytes.
    Short,
    /// It is a few bytes, again and again.
    Repeated,
    /// It is a word that any program may print.
    Word,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "it has less than 8 bytes",
            Self::Repeated => "it is a few bytes again and again",
            Self::Word => "it is a common word",
        })
    }
}

/// Returns why `value` is not masked where it is printed, `None` if it is.
pub fn unmaskable(value: &SecretValue) -> Option<Weakness> {
    value.expose(weakness)
}

pub(super) fn weakness(value: &[u8]) -> Option<Weakness> {
    let trimmed = trim(value);
    if trimmed.len() < SHORTEST {
        Some(Weakness::Short)
    } else if different(trimmed) <= FEW_BYTES {
        Some(Weakness::Repeated)
    } else if WORDS.iter().any(|word| trimmed.eq_ignore_ascii_case(word.as_bytes())) {
        Some(Weakness::Word)
    } else {
        None
    }
}

/// Counts the different bytes.
pub(super) fn different(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    seen.into_iter().filter(|seen| *seen).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_repeated_and_common_values_are_weak() {
        for (value, weakness) in [
            (&b""[..], Some(Weakness::Short)),
            (b"hunter2", Some(Weakness::Short)),
            (b"  \"hunter2\"\r\n", Some(Weakness::Short)),
            (b"--------------------", Some(Weakness::Repeated)),
            (b"0101010101010101", Some(Weakness::Repeated)),
            (b"Production\n", Some(Weakness::Word)),
            (b"hunter22", None),
            (b"aabaabaac-7", None),
            (b"Tk9-xYz4", None),
        ] {
            let found = unmaskable(&SecretValue::copy_of(value));
            assert_eq!(found, weakness, "{:?}", String::from_utf8_lossy(value));
        }
    }
}
